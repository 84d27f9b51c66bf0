//! A cluster behind Kerberos.

use crate::rig::{below, block_on, digest, digest_of, fresh, hasty, noise, run, tool, walked};
use longshore_driver_hdfs::{Credentials, HdfsOptions, HdfsStore};
use model::{Location, RelPath};
use std::{
    env,
    path::PathBuf,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
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
        // Content comes through data transfer with whatever protection the rig gives it.
        println!("protection: {}", protection());
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

/// What the cluster asks for, as its configuration says.
fn protection() -> String {
    let conf = PathBuf::from(env::var_os("LONGSHORE_TEST_HDFS_KRB_CONF").unwrap());
    let of = |file: &str, name: &str| {
        let text = std::fs::read_to_string(conf.join(file)).unwrap();
        let value = text.split(&format!("<name>{name}</name><value>")).nth(1);
        value.map_or("not set".to_owned(), |rest| rest.split('<').next().unwrap().to_owned())
    };
    format!(
        "RPC {}, data {}, dfs.encrypt.data.transfer {}",
        of("core-site.xml", "hadoop.rpc.protection"),
        of("hdfs-site.xml", "dfs.data.transfer.protection"),
        of("hdfs-site.xml", "dfs.encrypt.data.transfer")
    )
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

/// Whatever a location says of the protection of data, content is right or is refused with a reason, in time.
pub fn protections() {
    block_on(async {
        println!("the cluster: {}", protection());
        let local = tempfile::tempdir().unwrap();
        let file = local.path().join("file");
        let pieces = noise(22, 12);
        std::fs::write(&file, pieces.concat()).unwrap();
        let name = fresh("protected");
        tool(&["krb", "dfs", "-put", file.to_str().unwrap(), &name]);
        for said in [None, Some("none"), Some("authentication"), Some("integrity"), Some("privacy")] {
            let at = said.map_or_else(location, |said| location().with_param("protection", said));
            let store = HdfsStore::connect(&at, by_keytab("hdfs/localhost")).await.unwrap();
            let started = Instant::now();
            let read = digest(&store, &below(&name), |_| ()).await;
            let took = started.elapsed();
            match &read {
                Ok((found, _)) => {
                    println!("{said:?}: read in {took:.1?}");
                    assert_eq!(*found, digest_of(&pieces), "{said:?}");
                }
                Err(error) => {
                    println!("{said:?}: {error:?} in {took:.1?}; {:?}", error.hint_text());
                    assert!(error.hint_text().is_some() && error.cause().is_some(), "{error:?}");
                    // What the cluster's own configuration says must do.
                    assert!(said.is_some(), "{error:?}");
                }
            }
            assert!(took < Duration::from_mins(1), "{said:?}: {took:?}");
        }
        tool(&["krb", "dfs", "-rm", "-skipTrash", &name]);
    });
}

/// Says how it went to open the location, as a process of its own, so that it can be given another clock.
pub fn child(location: &str) {
    block_on(async {
        match HdfsStore::connect(&location.parse().unwrap(), hasty(20)).await {
            Ok(_) => println!("open"),
            Err(error) => println!("{:?}|{error:?}|{}", error.kind(), error.hint_text().unwrap_or_default()),
        }
    });
}

/// Clocks that are 20 minutes apart. With a keytab the library learns the KDC's time and corrects its own
/// (`kdc_timesync`); with a ticket cache of another process it cannot, and it is said what is wrong.
pub fn skew() {
    block_on(async {
        if Command::new("faketime").arg("--version").output().is_err() {
            println!("skipped: faketime is not installed");
            return;
        }
        let cache = tempfile::tempdir().unwrap();
        let ccache = format!("FILE:{}", cache.path().join("cc").display());
        let keytab = dir().join("alice.keytab").display().to_string();
        run("kinit", &["-c", &ccache, "-k", "-t", &keytab, "alice@LAB.LOCAL"]);
        let at = |key: &str, value: &str| {
            location().with_param("principal", "alice@LAB.LOCAL").with_param(key, value).to_string()
        };
        for (key, value, clock, expected) in [
            ("keytab", &keytab, "+20m", "open"),
            ("keytab", &keytab, "-20m", "open"),
            ("ccache", &ccache, "+20m", "lock skew too great"),
            ("ccache", &ccache, "+0", "open"),
            // Now there is a ticket for the NameNode, which refuses it without a reason.
            ("ccache", &ccache, "+20m", "5 minutes"),
            ("ccache", &ccache, "-20m", "not yet valid"),
        ] {
            let started = Instant::now();
            let done = Command::new("faketime")
                .args(["-f", clock])
                .arg(env::current_exe().unwrap())
                .env(crate::CHILD, at(key, value))
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&done.stdout).into_owned();
            println!("{key} {clock}: {}", said.trim());
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
            assert!(said.contains(expected), "{key} {clock}: {said}");
            assert!(expected == "open" || said.starts_with("Unauthenticated|") && said.contains("clock"), "{said}");
        }
    });
}
