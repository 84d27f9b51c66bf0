//! Directories with many entries.

use crate::{
    filling::{self, Filling},
    rig::{below, block_on, cpu, fresh, peak_kib, reset_peak, store, tool, walked},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use hdfs_native::WriteOptions;
use longshore_driver_hdfs::{HdfsOptions, HdfsStore};
use model::{Facets, RelPath};
use std::{env, sync::Arc, time::Instant};
use storage::{
    ListSpec, Source,
    walk::{WalkEvent, WalkSpec, walk},
};

/// How many entries the wide directory has: 20,000, or what the environment says.
fn width() -> usize {
    env::var("LONGSHORE_TEST_HDFS_WIDE").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

/// Every entry whose number `files` divides is an empty file, the others are empty directories.
async fn make_wide(filling: &Filling, dir: &str, count: usize, files: usize) {
    filling.client.mkdirs(dir, 0o755, true).await.unwrap();
    stream::iter(0..count)
        .for_each_concurrent(64, |n| async move {
            let path = format!("{dir}/entry-{n:07}");
            if n.is_multiple_of(files) {
                filling.file(&path, &[], WriteOptions::default()).await.unwrap();
            } else {
                filling.client.mkdirs(&path, 0o755, false).await.unwrap();
            }
        })
        .await;
}

pub fn wide() {
    block_on(async {
        let at = filling::location().unwrap();
        let filling = Filling::new(&at, HdfsOptions::default()).await.unwrap();
        let (root, count) = (fresh("wide"), width());
        let started = Instant::now();
        make_wide(&filling, &root, count, 10).await;
        println!("made {count} entries in {:?}", started.elapsed());
        let store = store(&at).await;
        let (dir, started, before) = (below(&root), Instant::now(), cpu());
        let pages: Vec<_> = store.list(&dir, ListSpec::default()).try_collect().await.unwrap();
        println!("listed {count} entries in {:?}, {:.2} s of CPU", started.elapsed(), cpu() - before);
        assert!(pages.len() >= count / 1001 && pages.iter().rev().skip(1).all(|page| page.next.is_some()));
        let expected: Vec<RelPath> = (0..count).map(|n| dir.join(format!("entry-{n:07}").as_bytes())).collect();
        let names = |pages: &[storage::Page]| {
            pages.iter().flat_map(|page| &page.entries).map(|entry| entry.path.clone()).collect::<Vec<_>>()
        };
        assert!(names(&pages) == expected);
        // Another connection, as after a restart of this program.
        let store = Arc::new(HdfsStore::connect(&at, HdfsOptions::default()).await.unwrap());
        let middle = pages.len() / 2;
        let from = pages[middle].next.clone();
        let rest: Vec<_> = store.list(&dir, ListSpec { from, ..ListSpec::default() }).try_collect().await.unwrap();
        assert!([names(&pages[..=middle]), names(&rest)].concat() == expected);
        assert_eq!(walked(store.clone(), dir.clone()).await.entries.len(), count);
        let summary = store.content_summary(&dir).await.unwrap();
        assert_eq!((summary.files, summary.dirs), (count.div_ceil(10) as u64, (count - count.div_ceil(10) + 1) as u64));
        filling.client.delete(&root, true).await.unwrap();
    });
}

/// One directory of as many files as `LONGSHORE_TEST_HDFS_MILLION` says (a NameNode allows 1,048,576,
/// `dfs.namenode.fs-limits.max-directory-items`): every one is found, once, in the memory of a small tree.
pub fn million() {
    block_on(async {
        let count: usize = env::var(crate::MILLION).unwrap().parse().unwrap();
        let at = filling::location().unwrap();
        let filling = Filling::new(&at, HdfsOptions::default()).await.unwrap();
        let (small, large) = (fresh("a-thousand"), fresh("a-million"));
        make_wide(&filling, &small, 1000, 1).await;
        let started = Instant::now();
        make_wide(&filling, &large, count, 1).await;
        println!("made {count} entries in {:.1?}", started.elapsed());
        let mut peaks = Vec::new();
        for (dir, count) in [(&small, 1000), (&large, count)] {
            let store = store(&at).await;
            reset_peak();
            let (started, before) = (Instant::now(), cpu());
            assert_eq!(in_order(store.clone(), below(dir)).await, count);
            let (took, busy, peak) = (started.elapsed().as_secs_f64(), cpu() - before, peak_kib());
            #[expect(clippy::cast_precision_loss, reason = "for people")]
            let rate = count as f64 / took;
            println!("{count} entries in {took:.2} s: {rate:.0} a second, {busy:.2} s of CPU, peak {peak} KiB");
            peaks.push(peak);
            let told = tool(&["plain", "dfs", "-count", dir]);
            let told: Vec<usize> = told.split_whitespace().take(2).map(|word| word.parse().unwrap()).collect();
            assert_eq!(told, [1, count], "`hdfs dfs -count`");
        }
        assert!(peaks[1] < peaks[0] + (32 << 10), "memory grows with the directory: {peaks:?} KiB");
        for dir in [small, large] {
            filling.client.delete(&dir, true).await.unwrap();
        }
    });
}

/// Walks what [`make_wide`] made and keeps nothing of it: each entry must be the next.
async fn in_order(source: Arc<dyn Source>, dir: RelPath) -> usize {
    let spec = WalkSpec { roots: vec![(dir.clone(), None)], want: Facets::POSIX, ..WalkSpec::default() };
    let mut walk = walk(source, spec);
    let (mut next, mut done) = (0, 0);
    while let Some(event) = walk.next().await.unwrap() {
        match event {
            WalkEvent::Page { entries, .. } => {
                for entry in entries {
                    assert_eq!(entry.path, dir.join(format!("entry-{next:07}").as_bytes()));
                    assert!(entry.kind.is_file(), "{}", entry.path);
                    next += 1;
                }
            }
            WalkEvent::Done { .. } => done += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(done, 1);
    next
}
