//! Figures, on a real disk: `cargo test --release -p longshore-journal -- --ignored --nocapture throughput`.

use crate::samples::arrived;
use journal::{CommitPolicy, Journal, RealDisk, Writer, sort::Sorter};
use std::{sync::Arc, time::Instant};

const RECORDS: u64 = 1_000_000;

/// Where the figures are taken: `LONGSHORE_TEST_DIR`, else the directory for temporary files.
fn place() -> tempfile::TempDir {
    let parent = std::env::var_os("LONGSHORE_TEST_DIR").map_or_else(std::env::temp_dir, Into::into);
    tempfile::tempdir_in(parent).unwrap()
}

fn report(what: &str, begin: Instant) {
    let seconds = begin.elapsed().as_secs_f64();
    println!("{what}: {seconds:.3} s, {:.0} records/s", f64::from(u32::try_from(RECORDS).unwrap()) / seconds);
}

#[test]
#[ignore = "figures, not a check: run it in release mode on an idle machine"]
fn a_million_records() {
    let dir = place();
    let records: Vec<_> = (0..RECORDS).map(|n| arrived(n * 7919 % RECORDS)).collect();
    for batch in [1_000_usize, 10_000] {
        let place = dir.path().join(batch.to_string());
        let mut journal = Journal::open(&place, Arc::new(RealDisk)).unwrap();
        let begin = Instant::now();
        for (n, record) in records.iter().enumerate() {
            journal.append(record).unwrap();
            if n % batch == 0 {
                journal.sync().unwrap();
            }
        }
        journal.sync().unwrap();
        report(&format!("append, sync every {batch}"), begin);
        drop(journal);
        let begin = Instant::now();
        let mut journal = Journal::open(&place, Arc::new(RealDisk)).unwrap();
        report("open and check", begin);
        let begin = Instant::now();
        journal.compact(64 << 20).unwrap();
        report("compact, random order, 64 MiB", begin);
        let begin = Instant::now();
        let read = journal.snapshot().unwrap().try_fold(0, |count, item| item.map(|_| count + 1));
        assert_eq!(read.unwrap(), RECORDS);
        report("read the snapshot", begin);
        let bytes = std::fs::metadata(place.join("snapshot")).unwrap().len();
        println!("snapshot: {} bytes a record", bytes / RECORDS);
        journal.append(&records[0]).unwrap();
        let begin = Instant::now();
        journal.compact(64 << 20).unwrap();
        report("compact one more record into it", begin);
    }
}

#[test]
#[ignore = "figures, not a check: run it in release mode on an idle machine"]
fn a_million_records_from_64_tasks() {
    let dir = place();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for wait_every in [1_000_000, 100, 1] {
        let total = if wait_every == 1 { RECORDS / 10 } else { RECORDS };
        let place = dir.path().join(wait_every.to_string());
        let writer = Writer::start(Journal::open(&place, Arc::new(RealDisk)).unwrap(), CommitPolicy::default());
        let begin = Instant::now();
        runtime.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for task in 0..64 {
                let writer = writer.clone();
                tasks.spawn(async move {
                    for n in 0..total / 64 {
                        let lsn = writer.append(arrived(task * total + n)).await.unwrap();
                        if (n + 1) % wait_every == 0 {
                            writer.durable(lsn).await.unwrap();
                        }
                    }
                });
            }
            tasks.join_all().await;
            writer.close().await.unwrap();
        });
        let seconds = begin.elapsed().as_secs_f64();
        let rate = f64::from(u32::try_from(total).unwrap()) / seconds;
        println!("writer, each of 64 tasks waits after {wait_every}: {seconds:.3} s, {rate:.0} records/s");
    }
}

#[test]
#[ignore = "figures, not a check: run it in release mode on an idle machine"]
fn sorting_a_million_keys() {
    let dir = place();
    let keys: Vec<_> = (0..RECORDS).map(|n| crate::samples::name(n * 7919 % RECORDS)).collect();
    for memory in [512 << 20, 16 << 20, 1 << 20] {
        let begin = Instant::now();
        let mut sorter = Sorter::new(dir.path(), memory);
        for key in &keys {
            sorter.push(key.as_bytes(), &[7; 40]).unwrap();
        }
        let mut sorted = sorter.finish().unwrap();
        let mut count = 0;
        while sorted.next().unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, RECORDS);
        report(&format!("sort in {memory} bytes"), begin);
    }
}
