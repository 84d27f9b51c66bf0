//! Against the server that the demo uses, in this process.
#![allow(clippy::unwrap_used)]

use longshore_driver_nfs::{NfsOptions, NfsStore};
use futures::TryStreamExt as _;
use model::Facets;
use nfs3_server::{
    memfs::{MemFs, MemFsConfig},
    tcp::{NFSTcp as _, NFSTcpListener},
};
use storage::{ListSpec, ReadSpec, Source, collect_body};
use tokio::task::JoinHandle;

async fn start(address: &str) -> (u16, JoinHandle<()>) {
    let mut config = MemFsConfig::default();
    config.add_dir("/docs");
    config.add_file("/docs/big", vec![7; 3 << 20]);
    for n in 0..500 {
        config.add_file(&format!("/docs/file-{n}"), format!("content {n}").into_bytes());
    }
    let listener = NFSTcpListener::bind(address, MemFs::new(config).unwrap()).await.unwrap();
    let port = listener.get_listen_port();
    (port, tokio::spawn(async move { listener.handle_forever().await.unwrap() }))
}

async fn check(store: &NfsStore) {
    let pages: Vec<_> = store.list(&"docs".into(), ListSpec { want: Facets::POSIX, ..ListSpec::default() }).try_collect().await.unwrap();
    let entries: Vec<_> = pages.into_iter().flat_map(|page| page.entries).collect();
    assert_eq!(entries.len(), 501);
    for (path, content) in [("docs/file-77", b"content 77".to_vec()), ("docs/big", vec![7; 3 << 20])] {
        let reading = store.read(&path.into(), ReadSpec::default()).await.unwrap();
        assert!(collect_body(reading.body, u64::MAX).await.unwrap().concat() == content, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_with_new_handles_is_used_on() {
    let (port, server) = start("127.0.0.1:0").await;
    // One port for MOUNT and NFS, no portmapper.
    let location = format!("nfs://127.0.0.1/?port={port}&mountport={port}").parse().unwrap();
    let store = NfsStore::connect(&location, NfsOptions::default()).await.unwrap();
    check(&store).await;
    server.abort();
    assert!(server.await.unwrap_err().is_cancelled());
    // Its handles hold the time of its start in milliseconds.
    let (_, server) = start(&format!("127.0.0.1:{port}")).await;
    check(&store).await;
    server.abort();
}
