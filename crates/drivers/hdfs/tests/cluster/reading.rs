//! Reading, at size and while somebody writes.

use crate::{
    filling::{self, Filling},
    rig::{below, block_on, cpu, digest, digest_of, fresh, noise, store, walked},
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use hdfs_native::WriteOptions;
use longshore_driver_hdfs::{HdfsOptions, HdfsStore};
use model::RelPath;
use std::{env, sync::Arc, time::Instant};
use storage::{ErrorKind, ReadSpec, Source, collect_body};

pub fn deep_and_closed() {
    block_on(async {
        let at = filling::location().unwrap();
        let filling = Filling::new(&at, HdfsOptions::default()).await.unwrap();
        let root = fresh("deep");
        let deep = format!("{root}/{}", vec!["a-directory-of-some-length"; 60].join("/"));
        assert!(deep.len() > 1024);
        filling.file(&format!("{deep}/file"), &[Bytes::from_static(b"deep")], WriteOptions::default()).await.unwrap();
        for name in [
            "ümläut",
            "日本",
            "😀",
            "a\nb",
            "x\\y",
            "%41+%2F",
            "a;b?c*d#e&f",
            " ",
            "\u{202E}x",
            "\u{FFFE}",
            "-rf",
            "...",
        ] {
            filling
                .file(&format!("{root}/{name}"), &[Bytes::from_static(b"x")], WriteOptions::default())
                .await
                .unwrap();
        }
        for name in ["closed", "no-entry"] {
            filling.client.mkdirs(&format!("{root}/{name}/inside"), 0o755, true).await.unwrap();
        }
        filling.client.set_permission(&format!("{root}/closed"), 0o700).await.unwrap();
        filling.client.set_permission(&format!("{root}/no-entry"), 0o711).await.unwrap();
        // The superuser sees all of it, and as much as the NameNode counts.
        let all = walked(store(&at).await, below(&root)).await;
        assert!(all.unreadable.is_empty(), "{:?}", all.unreadable);
        let summary = store(&at).await.content_summary(&below(&root)).await.unwrap();
        let dirs = all.entries.values().filter(|entry| entry.kind.is_dir()).count() as u64;
        assert_eq!((summary.files, summary.dirs), (all.entries.len() as u64 - dirs, dirs + 1));
        assert!(all.entries.contains_key(&below(&format!("{deep}/file"))));
        // Somebody else is told where the doors are closed.
        let other = HdfsOptions { user: Some("nobody".into()), ..HdfsOptions::default() };
        let other = Arc::new(HdfsStore::connect(&at, other).await.unwrap());
        let some = walked(other.clone(), below(&root)).await;
        let mut closed: Vec<_> = some.unreadable.iter().map(|(dir, error)| (dir.clone(), error.kind())).collect();
        closed.sort();
        let denied = |name: &str| (below(&format!("{root}/{name}")), ErrorKind::Denied);
        assert_eq!(closed, [denied("closed"), denied("no-entry")]);
        assert_eq!(some.entries.len() + 2, all.entries.len());
        assert!(
            some.unreadable[0].1.cause().unwrap().starts_with("AccessControlException: Permission denied: user=nobody")
        );
        filling.client.set_permission(&format!("{deep}/file"), 0o600).await.unwrap();
        let refused = other.read(&below(&format!("{deep}/file")), ReadSpec::default()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Denied, "{refused:?}");
        filling.client.delete(&root, true).await.unwrap();
    });
}

pub fn open_for_write() {
    block_on(async {
        let at = filling::location().unwrap();
        let filling = Filling::new(&at, HdfsOptions::default()).await.unwrap();
        let root = fresh("open");
        let store = store(&at).await;
        // Nothing of it shows, some of a block shows, a whole block and some of the next show.
        let small_blocks = WriteOptions::default().block_size(1 << 20);
        for (name, len, sync) in [
            ("nothing", 100_000, false),
            ("some", 100_000, true),
            ("blocks", (1 << 20) + 5, true),
            ("unsynced", 3 << 20, false),
        ] {
            let path = format!("{root}/{name}");
            let content = Bytes::from(vec![7; len]);
            let mut file = filling.client.create(&path, &small_blocks).await.unwrap();
            file.write_bytes(content.clone()).await.unwrap();
            if sync {
                file.hsync().await.unwrap();
            }
            let refused =
                store.read(&below(&path), ReadSpec::default()).await.map(|reading| format!("{reading:?}")).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Changed, "{name}: {refused:?}");
            assert!(refused.cause().unwrap().starts_with("open for write"), "{refused:?}");
            assert!(refused.hint_text().unwrap().contains("come back"), "{refused:?}");
            assert!(
                store
                    .findings()
                    .await
                    .unwrap()
                    .iter()
                    .any(|finding| matches!(finding, longshore_driver_hdfs::Finding::OpenFiles { count: 1.. }))
            );
            file.close().await.unwrap();
            let whole = store.read(&below(&path), ReadSpec::default()).await.unwrap();
            assert!(collect_body(whole.body, u64::MAX).await.unwrap().concat() == content);
            // Opened again to add something: the last block is no longer finished.
            let mut file = filling.client.append(&path).await.unwrap();
            let refused = store.read(&below(&path), ReadSpec::default()).await.map(|reading| format!("{reading:?}"));
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Changed, "{name}");
            file.write_bytes(Bytes::from_static(b"more")).await.unwrap();
            file.close().await.unwrap();
            assert_eq!(digest(&*store, &below(&path), |_| ()).await.unwrap().1, len as u64 + 4);
        }
        filling.client.delete(&root, true).await.unwrap();
    });
}

/// Nothing listens where HTTP should be served.
pub fn open_without_http() {
    block_on(async {
        let at = filling::location().unwrap();
        let filling = Filling::new(&at, HdfsOptions::default()).await.unwrap();
        let root = fresh("silent");
        let store = store(&at.clone().with_param("http", "http://127.0.0.1:1")).await;
        let small_blocks = WriteOptions::default().block_size(1 << 20);
        let refused = async |path: &str| {
            let told = store.read(&below(path), ReadSpec::default()).await.map(|reading| format!("{reading:?}"));
            let told = told.unwrap_err();
            assert_eq!(told.kind(), ErrorKind::Changed, "{path}: {told:?}");
            told
        };
        let unclear = |told: &storage::Error, then: &str| {
            told.cause().unwrap().starts_with("cannot tell whether it is open for writing")
                && told.hint_text().unwrap().contains("?http=")
                && told.hint_text().unwrap().contains(then)
        };
        // Waiting helps against one of the two rules only.
        let (by_age, by_space) = ("when it is a day old", "its age does not matter");
        // A day and a bit ago.
        let old = u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap() - 100_000_000;
        for (name, len, sync) in
            [("nothing", 0, false), ("little", 9, false), ("some", 100_000, true), ("unsynced", 3 << 20, false)]
        {
            let path = format!("{root}/{name}");
            let content = Bytes::from(vec![7; len]);
            let mut file = filling.client.create(&path, &small_blocks).await.unwrap();
            if len > 0 {
                file.write_bytes(content.clone()).await.unwrap();
            }
            if sync {
                file.hsync().await.unwrap();
            }
            let told = refused(&path).await;
            assert!(sync || unclear(&told, if len == 0 { by_age } else { by_space }), "{name}: {told:?}");
            if len > 1 << 20 {
                // Its time does not make it finished.
                filling.client.set_times(&path, old, old).await.unwrap();
                assert!(unclear(&refused(&path).await, by_space));
            }
            file.close().await.unwrap();
            if (len as u64).is_multiple_of(1 << 20) {
                // Closed, which cannot be seen until it is a day old.
                assert!(unclear(&refused(&path).await, by_age));
                filling.client.set_times(&path, old, old).await.unwrap();
            }
            assert_eq!(digest(&*store, &below(&path), |_| ()).await.unwrap(), {
                (digest_of(std::slice::from_ref(&content)), len as u64)
            });
            // Opened again: the end of the last block, or a block after it, is not finished.
            let mut file = filling.client.append(&path).await.unwrap();
            file.write_bytes(Bytes::from(vec![8; 2 << 20])).await.unwrap();
            refused(&path).await;
            file.close().await.unwrap();
        }
        filling.client.delete(&root, true).await.unwrap();
    });
}

pub fn large() {
    block_on(async {
        let at = filling::location().unwrap();
        let filling = Filling::new(&at, HdfsOptions::default()).await.unwrap();
        let (root, store) = (fresh("large"), store(&at).await);
        let path = format!("{root}/file");
        let content = noise(3, 150);
        // Two blocks, one of them not full.
        filling.file(&path, &content, WriteOptions::default()).await.unwrap();
        let expected = content.concat();
        let (started, before) = (Instant::now(), cpu());
        let (found, len) = digest(&*store, &below(&path), |_| ()).await.unwrap();
        println!("read {} MiB with SHA-256 in {:?}, {:.2} s of CPU", len >> 20, started.elapsed(), cpu() - before);
        assert_eq!((found, len), (digest_of(&content), 150 << 20));
        for range in
            [0..1, 134_217_727..134_217_729, 100_000_000..157_000_000, 157_286_399..u64::MAX, 157_286_400..157_286_400]
        {
            let spec = ReadSpec { range: Some(range.clone()), ..ReadSpec::default() };
            let body = store.read(&below(&path), spec).await.unwrap().body;
            let end = usize::try_from(range.end.min(157_286_400)).unwrap();
            let start = usize::try_from(range.start).unwrap();
            assert!(collect_body(body, u64::MAX).await.unwrap().concat() == expected[start..end], "{range:?}");
        }
        let digests: Vec<_> = stream::iter(0..8)
            .map(|_| digest(&*store, below_ref(&path), |_| ()))
            .buffer_unordered(8)
            .try_collect()
            .await
            .unwrap();
        assert!(digests.iter().all(|(found, _)| *found == digest_of(&content)));
        filling.client.delete(&root, true).await.unwrap();
    });
}

fn below_ref(path: &str) -> &'static RelPath {
    Box::leak(Box::new(below(path)))
}

/// 8, 32 and 64 reads in flight, 100 times in all (`LONGSHORE_TEST_HDFS_LONG` = how often).
pub fn many_times() {
    block_on(async {
        let at = filling::location().unwrap();
        let times: usize = env::var(crate::LONG).unwrap().parse().unwrap_or(100);
        let filling = Filling::new(&at, HdfsOptions::default()).await.unwrap();
        let (root, store) = (fresh("many"), store(&at).await);
        let mut files = Vec::new();
        for seed in 0..8 {
            let content = noise(seed, 24);
            let path = format!("{root}/file-{seed}");
            filling.file(&path, &content, WriteOptions::default()).await.unwrap();
            files.push((below_ref(&path), digest_of(&content)));
        }
        // By the number in flight: seconds, seconds of CPU, MiB.
        let mut sums = [(8, 0.0, 0.0, 0.0), (32, 0.0, 0.0, 0.0), (64, 0.0, 0.0, 0.0)];
        for round in 0..3 * times {
            let in_flight = sums[round % 3].0;
            let (started, before) = (Instant::now(), cpu());
            let all: Vec<_> = stream::iter(0..in_flight)
                .map(|n| {
                    let (path, expected) = &files[n % files.len()];
                    let store = store.clone();
                    async move { (digest(&*store, path, |_| ()).await, expected) }
                })
                .buffer_unordered(in_flight)
                .collect()
                .await;
            for (found, expected) in &all {
                assert_eq!(&found.as_ref().unwrap().0, *expected, "round {round}");
            }
            let (took, busy) = (started.elapsed().as_secs_f64(), cpu() - before);
            println!("round {round}: {in_flight} reads of 24 MiB in {took:.2} s, {busy:.2} s of CPU");
            let sum = &mut sums[round % 3];
            *sum = (in_flight, sum.1 + took, sum.2 + busy, sum.3 + f64::from(u32::try_from(in_flight).unwrap()) * 24.0);
        }
        for (in_flight, took, busy, mebibytes) in sums {
            println!(
                "{times} times {in_flight} reads at once: {mebibytes} MiB with SHA-256, {:.0} MiB/s, {:.2} s of CPU per GiB",
                mebibytes / took,
                busy / mebibytes * 1024.0
            );
        }
        filling.client.delete(&root, true).await.unwrap();
    });
}
