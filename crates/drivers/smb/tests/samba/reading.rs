//! Content, whole, in ranges and many files at a time.

use crate::{
    common::options,
    rig::{Rig, noise, run, variable, whole},
};
use futures::{StreamExt as _, TryStreamExt as _};
use longshore_driver_smb::{Demand, SmbOptions, SmbStore};
use model::RelPath;
use std::{
    collections::BTreeMap,
    env, fs,
    num::NonZeroUsize,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use storage::{Body, ErrorKind, Probe, ReadSpec, Source as _, collect_body};

pub fn large_file(rig: &Rig) {
    let fresh = rig.fresh("large");
    let expected = noise(1, (64 << 20) + 12_345);
    fs::write(fresh.on_disk.join("file"), &expected).unwrap();
    let path = fresh.path.join(b"file");
    run(async {
        let sealed = SmbOptions { encryption: Demand::Required, ..options() };
        let signed = SmbOptions { signing: Demand::Required, ..options() };
        for (name, options) in [
            ("LONGSHORE_TEST_SMB", options()),
            ("LONGSHORE_TEST_SMB", signed),
            ("LONGSHORE_TEST_SMB", sealed.clone()),
            ("LONGSHORE_TEST_SMB_21", SmbOptions { signing: Demand::Required, ..options() }),
            ("LONGSHORE_TEST_SMB_30", sealed),
        ] {
            let store = SmbStore::connect(&variable(name), options).await.unwrap();
            assert!(whole(&store, &path).await == expected, "{name}");
            let range = 23_456_789..23_456_789 + 5_000_001;
            let reading = store.read(&path, ReadSpec { range: Some(range), ..ReadSpec::default() }).await.unwrap();
            let part = collect_body(reading.body, u64::MAX).await.unwrap().concat();
            assert!(part == expected[23_456_789..][..5_000_001], "{name}");
        }
    });
}

/// Counts requests that succeed, by their words.
#[derive(Debug, Default)]
struct Counted(Mutex<BTreeMap<&'static str, usize>>);

impl Probe for Counted {
    fn observed(&self, op: &'static str, _took: Duration, ok: bool) {
        *self.0.lock().unwrap().entry(op).or_default() += usize::from(ok);
    }
}

pub fn small_files(rig: &Rig) {
    let fresh = rig.fresh("small");
    let files: Vec<(RelPath, Vec<u8>)> = (0..200_u64)
        .map(|number| {
            let content = noise(number, usize::try_from(number * 40).unwrap());
            fs::write(fresh.on_disk.join(number.to_string()), &content).unwrap();
            (fresh.path.join(number.to_string().as_bytes()), content)
        })
        .collect();
    let probe = Arc::new(Counted::default());
    run(async {
        let options = SmbOptions { probe: Arc::<Counted>::clone(&probe), ..options() };
        let store = SmbStore::connect(&rig.location(), options).await.unwrap();
        probe.0.lock().unwrap().clear();
        let reads = futures::stream::iter(&files).map(|(path, content)| {
            let store = &store;
            async move { assert!(whole(store, path).await == *content, "{path}") }
        });
        reads.buffer_unordered(32).collect::<()>().await;
    });
    let counted = probe.0.lock().unwrap();
    // The one empty file needs no READ.
    let expected = [("CREATE+QUERY_INFO", 200), ("READ", 199), ("CLOSE", 200)];
    for (op, times) in expected {
        assert_eq!(counted.get(op), Some(&times), "{op} in {counted:?}");
    }
}

pub fn many_reads(rig: &Rig) {
    let rounds: usize = env::var("LONGSHORE_TEST_SMB_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let fresh = rig.fresh("many");
    let contents: Vec<Vec<u8>> = (0..8).map(|seed| noise(seed, 4 << 20)).collect();
    for (number, content) in contents.iter().enumerate() {
        fs::write(fresh.on_disk.join(number.to_string()), content).unwrap();
    }
    run(async {
        let contents = Arc::new(contents);
        for connections in [1, 4] {
            let connections = NonZeroUsize::new(connections).unwrap();
            for at_once in [8_usize, 32, 64] {
                let store = SmbStore::connect(&rig.location(), SmbOptions { connections, ..options() }).await.unwrap();
                for round in 0..rounds {
                    let reads = (0..at_once).map(|number| {
                        let (store, contents) = (store.clone(), Arc::clone(&contents));
                        let path = fresh.path.join((number % 8).to_string().as_bytes());
                        tokio::spawn(async move { whole(&store, &path).await == contents[number % 8] })
                    });
                    let since = Instant::now();
                    let done = tokio::time::timeout(Duration::from_mins(1), futures::future::join_all(reads)).await;
                    let done = done.unwrap_or_else(|_| panic!("{at_once} reads hang in round {round}"));
                    assert!(done.into_iter().all(|right| right.unwrap()), "{at_once} reads, round {round}");
                    if rounds > 10 && round % 20 == 0 {
                        println!("{connections} connections, {at_once} at once, round {round}: {:?}", since.elapsed());
                    }
                }
            }
        }
    });
}

pub fn written_meanwhile(rig: &Rig) {
    let fresh = rig.fresh("written");
    let on_disk = fresh.on_disk.join("file");
    fs::write(&on_disk, noise(3, 16 << 20)).unwrap();
    let path = fresh.path.join(b"file");
    run(async {
        let store = rig.store().await;
        let Body::Stream(mut pieces) = store.read(&path, ReadSpec::default()).await.unwrap().body else {
            panic!("not a stream")
        };
        let first = pieces.next().await.unwrap().unwrap();
        assert!(!first.is_empty());
        let mut changed = noise(3, 16 << 20);
        changed[15 << 20] ^= 1;
        fs::write(&on_disk, changed).unwrap();
        let rest: storage::Result<Vec<_>> = pieces.try_collect().await;
        assert_eq!(rest.map(|pieces| pieces.len()).unwrap_err().kind(), ErrorKind::Changed);
    });
}
