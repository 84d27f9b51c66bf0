//! Servers that die, come back, or hang.

use crate::{
    filling::{self, Filling},
    rig::{below, block_on, cpu, digest, digest_of, fresh, hasty, noise, patient, rig, store, walked, walked_with},
};
use futures::{StreamExt as _, stream};
use hdfs_native::WriteOptions;
use longshore_driver_hdfs::{HdfsOptions, HdfsStore};
use model::{Facets, RelPath};
use std::{
    env,
    sync::Arc,
    time::{Duration, Instant},
};
use storage::{ErrorKind, Source};

/// So many directories, with 100 directories each.
pub async fn tree(filling: &Filling, root: &str, dirs: usize) {
    stream::iter(0..dirs)
        .for_each_concurrent(8, |n| async move {
            for m in 0..100 {
                filling.client.mkdirs(&format!("{root}/{n:03}/{m:03}"), 0o755, true).await.unwrap();
            }
        })
        .await;
}

pub fn name_node_restarts() {
    block_on(async {
        let at = filling::location().unwrap();
        let filling = Filling::new(&at, HdfsOptions::default()).await.unwrap();
        let root = fresh("restart");
        tree(&filling, &root, 200).await;
        let store = store(&at).await;
        let (started, before) = (Instant::now(), cpu());
        let whole = walked(store.clone(), below(&root)).await;
        println!("walked {} entries in {:?}, {:.2} s of CPU", whole.entries.len(), started.elapsed(), cpu() - before);
        assert_eq!(whole.entries.len(), 200 + 20_000);
        let mut killed = false;
        let found = walked_with(patient(&store), below(&root), |count| {
            if count > 5000 && !killed {
                killed = true;
                rig(&["kill", "hdfs_nn"]);
                std::thread::spawn(|| rig(&["start", "hdfs_nn"]));
            }
        })
        .await;
        assert!(killed);
        found.is_exactly(&whole);
        // Until the DataNodes have reported, nothing can be written.
        rig(&["start", "hdfs"]);
        tokio::time::sleep(Duration::from_secs(5)).await;
        filling.client.delete(&root, true).await.unwrap();
    });
}

/// MiB of the large file.
fn size() -> usize {
    env::var("LONGSHORE_TEST_HDFS_MIB").ok().and_then(|text| text.parse().ok()).unwrap_or(1024)
}

pub fn data_node_dies() {
    block_on(async {
        let at = filling::location().unwrap();
        let filling = Filling::new(&at, HdfsOptions::default()).await.unwrap();
        let path = fresh("dies");
        let content = noise(11, size());
        filling.file(&path, &content, WriteOptions::default()).await.unwrap();
        let expected = (digest_of(&content), (size() as u64) << 20);
        drop(content);
        let store = store(&at).await;
        let (started, before) = (Instant::now(), cpu());
        let calm = digest(&*store, &below(&path), |_| ()).await.unwrap();
        println!("read {} MiB with SHA-256 in {:?}, {:.2} s of CPU", size(), started.elapsed(), cpu() - before);
        assert!(calm == expected);
        for (node, at_mebibyte) in [("hdfs_dn1", 3), ("hdfs_dn2", 4)] {
            let mut killed = false;
            let found = digest(&*store, &below(&path), |len| {
                if len > expected.1 / at_mebibyte && !killed {
                    killed = true;
                    rig(&["kill", node]);
                }
            })
            .await
            .unwrap();
            assert!(killed && found == expected, "after {node} died");
            rig(&["start", node]);
            tokio::time::sleep(Duration::from_secs(4)).await;
        }
        filling.client.delete(&path, true).await.unwrap();
    });
}

/// Thaws what was frozen, whatever happens.
pub struct Frozen(pub &'static [&'static str]);
impl Frozen {
    pub fn new(servers: &'static [&'static str]) -> Self {
        rig(&[&["freeze"], servers].concat());
        Self(servers)
    }
}
impl Drop for Frozen {
    fn drop(&mut self) {
        rig(&[&["thaw"], self.0].concat());
    }
}

fn in_time(what: &str, started: Instant, limit: u64) {
    let took = started.elapsed();
    println!("{what}: {took:?}");
    assert!(took < Duration::from_secs(limit), "{what} took {took:?}");
}

pub fn frozen() {
    block_on(async {
        let at = filling::location().unwrap();
        let filling = Filling::new(&at, HdfsOptions::default()).await.unwrap();
        let path = fresh("frozen");
        let content = noise(5, 16);
        filling.file(&path, &content, WriteOptions::default()).await.unwrap();
        let store = Arc::new(HdfsStore::connect(&at, hasty(4)).await.unwrap());
        let silent = |kind: ErrorKind| matches!(kind, ErrorKind::Timeout | ErrorKind::Disconnected);
        {
            let _frozen = Frozen::new(&["hdfs_nn"]);
            let started = Instant::now();
            assert_eq!(store.stat(&RelPath::ROOT, Facets::POSIX).await.unwrap_err().kind(), ErrorKind::Timeout);
            in_time("stat with a frozen NameNode", started, 6);
            let started = Instant::now();
            let page = store.list(&RelPath::ROOT, storage::ListSpec::default()).next().await.unwrap();
            assert_eq!(page.unwrap_err().kind(), ErrorKind::Timeout);
            in_time("list with a frozen NameNode", started, 6);
            let started = Instant::now();
            let error = HdfsStore::connect(&at, hasty(4)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
            in_time("connect with a frozen NameNode", started, 6);
        }
        store.stat(&RelPath::ROOT, Facets::POSIX).await.unwrap();
        {
            let _frozen = Frozen::new(&["hdfs_dn1", "hdfs_dn2"]);
            let started = Instant::now();
            let error = digest(&*store, &below(&path), |_| ()).await.unwrap_err();
            assert!(silent(error.kind()), "{error:?}");
            // Four tries, each with every replica.
            in_time("read with all DataNodes frozen", started, 30);
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(digest(&*store, &below(&path), |_| ()).await.unwrap().0, digest_of(&content));
        filling.client.delete(&path, true).await.unwrap();
    });
}

pub fn one_frozen() {
    block_on(async {
        let at = filling::location().unwrap();
        let filling = Filling::new(&at, HdfsOptions::default()).await.unwrap();
        let path = fresh("one-frozen");
        let content = noise(6, 64);
        filling.file(&path, &content, WriteOptions::default()).await.unwrap();
        let store = Arc::new(HdfsStore::connect(&at, hasty(12)).await.unwrap());
        for node in [&["hdfs_dn1"], &["hdfs_dn2"]] {
            let _frozen = Frozen::new(node);
            let started = Instant::now();
            let found = digest(&*store, &below(&path), |_| ()).await.unwrap();
            assert_eq!(found.0, digest_of(&content));
            in_time("read with one DataNode frozen", started, 60);
        }
        filling.client.delete(&path, true).await.unwrap();
    });
}
