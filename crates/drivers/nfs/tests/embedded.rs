//! Against the server that the demo uses, in this process.
#![allow(clippy::unwrap_used)]

use futures::TryStreamExt as _;
use longshore_driver_nfs::{NfsOptions, NfsStore};
use model::Facets;
use nfs3_server::{
    memfs::{MemFs, MemFsConfig},
    tcp::{NFSTcp as _, NFSTcpListener},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use storage::{ListSpec, Probe, ReadSpec, Source, collect_body};
use tokio::runtime::Runtime;

#[derive(Debug, Default)]
struct Ops(Mutex<Vec<&'static str>>);

impl Probe for Ops {
    fn observed(&self, op: &'static str, _took: Duration, _ok: bool) {
        self.0.lock().unwrap().push(op);
    }
}

/// A server in a runtime of its own, which takes every connection with it when it ends.
fn start(address: &str) -> (u16, Runtime) {
    let mut config = MemFsConfig::default();
    config.add_dir("/docs");
    config.add_file("/docs/big", vec![7; 3 << 20]);
    for n in 0..500 {
        config.add_file(&format!("/docs/file-{n}"), format!("content {n}").into_bytes());
    }
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(NFSTcpListener::bind(address, MemFs::new(config).unwrap())).unwrap();
    let port = listener.get_listen_port();
    runtime.spawn(async move { listener.handle_forever().await.unwrap() });
    (port, runtime)
}

async fn check(store: &NfsStore) {
    let pages: Vec<_> = store
        .list(&"docs".into(), ListSpec { want: Facets::POSIX, ..ListSpec::default() })
        .try_collect()
        .await
        .unwrap();
    let entries: Vec<_> = pages.into_iter().flat_map(|page| page.entries).collect();
    assert_eq!(entries.len(), 501);
    for (path, content) in [("docs/file-77", b"content 77".to_vec()), ("docs/big", vec![7; 3 << 20])] {
        let reading = store.read(&path.into(), ReadSpec::default()).await.unwrap();
        assert!(collect_body(reading.body, u64::MAX).await.unwrap().concat() == content, "{path}");
    }
}

#[test]
fn a_server_that_restarts_with_new_handles_is_used_on() {
    let (port, server) = start("127.0.0.1:0");
    // One port for MOUNT and NFS, no portmapper.
    let location = format!("nfs://127.0.0.1/?port={port}&mountport={port}").parse().unwrap();
    let ops = Arc::new(Ops::default());
    let client = Runtime::new().unwrap();
    let options = NfsOptions { probe: ops.clone(), ..NfsOptions::default() };
    let store = client.block_on(NfsStore::connect(&location, options)).unwrap();
    client.block_on(check(&store));
    server.shutdown_timeout(Duration::from_secs(5));
    // Its handles hold the time of its start in milliseconds: those of the first are stale here.
    let (_, server) = start(&format!("127.0.0.1:{port}"));
    std::thread::sleep(Duration::from_millis(50));
    client.block_on(check(&store));
    assert_eq!(ops.0.lock().unwrap().iter().filter(|op| **op == "MNT").count(), 2);
    server.shutdown_timeout(Duration::from_secs(5));
}
