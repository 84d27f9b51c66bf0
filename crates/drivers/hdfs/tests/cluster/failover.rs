//! Two NameNodes, of which one is active.

use crate::{
    faults::Frozen,
    filling::Filling,
    rig::{below, block_on, digest_of, digest_patiently, fresh, hasty, noise, patient, rig, tool, walked, walked_with},
};
use futures::{StreamExt as _, stream};
use hdfs_native::WriteOptions;
use longshore_driver_hdfs::{HdfsOptions, HdfsStore, StandbyChoice};
use model::{Facets, Location, RelPath};
use std::{
    env,
    sync::Arc,
    time::{Duration, Instant},
};
use storage::{ErrorKind, Source as _};

fn location() -> Location {
    let at: Location = env::var(crate::HA).unwrap().parse().unwrap();
    at.with_param("conf", &env::var("LONGSHORE_TEST_HDFS_HA_CONF").unwrap())
}

/// Everything up, and nn1 active. What is active already stays so.
async fn restored() {
    rig(&["start", "hdfs_ha_nn1", "hdfs_ha_nn2"]);
    for _ in 0..60 {
        let states = tool(&["ha", "haadmin", "-getAllServiceState"]);
        if states.contains("8120") && states.lines().any(|line| line.contains("8120") && line.contains("active")) {
            return;
        }
        if states.lines().any(|line| line.contains("8121") && line.contains("active")) {
            tool(&["ha", "haadmin", "-transitionToStandby", "nn2"]);
        }
        tool(&["ha", "haadmin", "-transitionToActive", "nn1"]);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("nn1 does not become active");
}

/// The active one dies as by a loss of power, and somebody makes the other active.
fn crash() -> std::thread::JoinHandle<()> {
    rig(&["kill", "hdfs_ha_nn1"]);
    std::thread::spawn(|| {
        tool(&["ha", "haadmin", "-transitionToActive", "--forceactive", "nn2"]);
    })
}

async fn filling() -> Arc<Filling> {
    let one = "hdfs://127.0.0.1:8120/".parse().unwrap();
    Filling::new(&one, HdfsOptions::default()).await.unwrap()
}

pub fn crash_during_both() {
    block_on(async {
        restored().await;
        let (filling, root) = (filling().await, fresh("ha"));
        crate::faults::tree(&filling, &root, 20).await;
        let content = noise(9, 32);
        filling.file(&format!("{root}/file"), &content, WriteOptions::default()).await.unwrap();
        let store = Arc::new(HdfsStore::connect(&location(), HdfsOptions::default()).await.unwrap());
        let facts = store.identify().await;
        let states: Vec<_> = facts.name_nodes.iter().map(|node| node.state.clone().unwrap_or_default()).collect();
        assert_eq!(states, ["active", "standby"], "{facts:?}");
        let dir = tempfile::tempdir().unwrap();
        let image = store.fetch_fsimage(&dir.path().join("image")).await.unwrap();
        assert_eq!(image.from, StandbyChoice::Standby);
        let whole = walked(store.clone(), below(&root)).await;
        let mut other = None;
        let found = walked_with(patient(&store), below(&root), |count| {
            if count > 500 && other.is_none() {
                other = Some(crash());
            }
        })
        .await;
        assert!(other.is_some());
        found.is_exactly(&whole);
        other.unwrap().join().unwrap();
        restored().await;
        // And during reads, several at once, so that the NameNode is needed in the middle.
        let store = Arc::new(HdfsStore::connect(&location(), HdfsOptions::default()).await.unwrap());
        let path = below(&format!("{root}/file"));
        let reads =
            stream::iter(0..6).map(|_| digest_patiently(&*store, &path)).buffer_unordered(3).collect::<Vec<_>>();
        let killer = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            tokio::task::spawn_blocking(|| crash().join().unwrap()).await.unwrap();
        };
        let (all, ()) = tokio::join!(reads, killer);
        assert!(all.iter().all(|found| found.0 == digest_of(&content)));
        restored().await;
        filling.client.delete(&root, true).await.unwrap();
    });
}

pub fn standby_only() {
    block_on(async {
        restored().await;
        rig(&["kill", "hdfs_ha_nn1"]);
        let started = Instant::now();
        let error = HdfsStore::connect(&location(), hasty(20)).await.unwrap_err();
        println!("no active NameNode: {:?}: {error:?}", started.elapsed());
        assert!(matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::Timeout), "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(45));
        restored().await;
    });
}

pub fn frozen_active() {
    block_on(async {
        restored().await;
        let store = Arc::new(HdfsStore::connect(&location(), hasty(5)).await.unwrap());
        {
            let _frozen = Frozen::new(&["hdfs_ha_nn1"]);
            let other = std::thread::spawn(|| tool(&["ha", "haadmin", "-transitionToActive", "--forceactive", "nn2"]));
            let started = Instant::now();
            let error = store.stat(&RelPath::ROOT, Facets::POSIX).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
            assert!(started.elapsed() < Duration::from_secs(8));
            other.join().unwrap();
            // The next call begins with the other one.
            for _ in 0..20 {
                match store.stat(&RelPath::ROOT, Facets::POSIX).await {
                    Ok(_) => break,
                    Err(error) => println!("not yet: {error:?}"),
                }
            }
            store.stat(&RelPath::ROOT, Facets::POSIX).await.unwrap();
            println!("answered by the other NameNode after {:?}", started.elapsed());
        }
        // nn1 wakes up, finds that the journal is not its own any more, and ends itself.
        tokio::time::sleep(Duration::from_secs(2)).await;
        rig(&["kill", "hdfs_ha_nn1"]);
        restored().await;
    });
}
