//! A cluster behind Kerberos.

use crate::rig::{below, block_on, digest, digest_of, fresh, hasty, noise, run, tool, walked};
use longshore_driver_hdfs::{Credentials, HdfsOptions, HdfsStore};
use model::{Location, RelPath};
use std::{env, path::PathBuf, sync::Arc, time::Duration};
use storage::{ErrorKind, Source as _};

fn dir() -> PathBuf {
    env::var_os("LONGSHORE_TEST_HDFS_KRB_DIR").unwrap().into()
}
fn location() -> Location {
    let at: Location = env::var(crate::KERBEROS).unwrap().parse().unwrap();
    at.with_param("conf", &env::var("LONGSHORE_TEST_HDFS_KRB_CONF").unwrap())
}
fn by_keytab(name: &str) -> HdfsOptions {
    let credentials = Credentials {
        principal: Some(format!("{name}@LAB.LOCAL")),
        keytab: Some(dir().join(format!("{}.keytab", name.split('/').next().unwrap()))),
        ccache: None,
    };
    HdfsOptions { credentials: Some(credentials), ..hasty(20) }
}

pub fn keytab() {
    block_on(async {
        let store = Arc::new(HdfsStore::connect(&location(), by_keytab("hdfs/localhost")).await.unwrap());
        let found = walked(store.clone(), RelPath::ROOT).await;
        assert!(found.unreadable.is_empty(), "{:?}", found.unreadable);
        let facts = store.identify().await;
        assert!(facts.security && facts.live_data_nodes == Some(2), "{facts:?}");
        // Content comes through data transfer with protection.
        content(&store).await;
        // Without Kerberos, it is said before the crate gets to see the server.
        let plain: Location = env::var(crate::KERBEROS).unwrap().parse().unwrap();
        let error = HdfsStore::connect(&plain, hasty(20)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
        assert!(error.hint_text().unwrap().contains("keytab"), "{error:?}");
        // A keytab of somebody else, and none at all.
        let mut wrong = by_keytab("bob");
        wrong.credentials.as_mut().unwrap().keytab = Some(dir().join("alice.keytab"));
        let error = HdfsStore::connect(&location(), wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
        let mut none = by_keytab("bob");
        none.credentials.as_mut().unwrap().keytab = Some(dir().join("no-such.keytab"));
        let error = HdfsStore::connect(&location(), none).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
        println!("{error:?}; {:?}", error.hint_text());
    });
}

/// A file that Hadoop's own tool writes.
async fn content(store: &Arc<HdfsStore>) {
    let dir = tempfile::tempdir().unwrap();
    let local = dir.path().join("file");
    let pieces = noise(21, 12);
    std::fs::write(&local, pieces.concat()).unwrap();
    let name = fresh("krb");
    tool(&["krb", "dfs", "-put", local.to_str().unwrap(), &name]);
    assert_eq!(digest(&**store, &below(&name), |_| ()).await.unwrap().0, digest_of(&pieces));
    tool(&["krb", "dfs", "-rm", "-skipTrash", &name]);
}

pub fn cache() {
    block_on(async {
        let cache = tempfile::tempdir().unwrap();
        let ccache = format!("FILE:{}", cache.path().join("cc").display());
        let keytab = dir().join("alice.keytab");
        let kinit = |life: &str| {
            run("kinit", &["-l", life, "-c", &ccache, "-k", "-t", keytab.to_str().unwrap(), "alice@LAB.LOCAL"])
        };
        let options = || HdfsOptions {
            credentials: Some(Credentials {
                principal: Some("alice@LAB.LOCAL".into()),
                keytab: None,
                ccache: Some(ccache.clone()),
            }),
            ..hasty(20)
        };
        let error = HdfsStore::connect(&location(), options()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
        kinit("1h");
        let store = HdfsStore::connect(&location(), options()).await.unwrap();
        store.stat(&RelPath::ROOT, model::Facets::POSIX).await.unwrap();
        kinit("1s");
        tokio::time::sleep(Duration::from_secs(3)).await;
        let error = HdfsStore::connect(&location(), options()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
        println!("{error:?}; {:?}", error.hint_text());
    });
}

pub fn pages() {
    block_on(async {
        let into = tempfile::tempdir().unwrap();
        let image = into.path().join("image");
        let alice = HdfsStore::connect(&location(), by_keytab("alice")).await.unwrap();
        let facts = alice.identify().await;
        assert_eq!((facts.http_silent.as_deref(), facts.version.as_deref()), (None, Some("3.4.3")));
        assert!(alice.usage().await.unwrap().is_some());
        alice.policies(&RelPath::ROOT).await.unwrap();
        let fetched = alice.fetch_fsimage(&image).await.unwrap();
        assert!(fetched.md5_checked && fetched.bytes > 0);
        let bob = HdfsStore::connect(&location(), by_keytab("bob")).await.unwrap();
        let error = bob.fetch_fsimage(&image).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        assert!(error.hint_text().unwrap().contains("dfs.cluster.administrators"), "{error:?}");
    });
}
