//! Group commit.

use crate::samples::arrived;
use journal::{CommitPolicy, Disk, DiskFile, Error, Journal, LockAttempt, Loss, Lsn, MemoryDisk, RealDisk, Writer};
use std::{
    io::{self, Read},
    path::Path,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

const DIR: &str = "/journal";

fn start(disk: &MemoryDisk, max_delay: Duration, max_batch: usize) -> Writer {
    let journal = Journal::open(Path::new(DIR), Arc::new(disk.clone())).unwrap();
    Writer::start(journal, CommitPolicy { max_delay, max_batch })
}

fn records(disk: &MemoryDisk) -> u64 {
    Journal::open(Path::new(DIR), Arc::new(disk.clone())).unwrap().recovery().records
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_reported_durable_survives_a_power_cut_at_any_moment() {
    let disk = MemoryDisk::new();
    let writer = start(&disk, Duration::from_millis(2), 16);
    let reported = Arc::new(AtomicU64::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..16_u64 {
        let (writer, reported) = (writer.clone(), Arc::clone(&reported));
        tasks.spawn(async move {
            for n in 0..40 {
                let lsn = writer.append(arrived(task * 1000 + n)).await.unwrap();
                if n % 2 == 0 {
                    writer.durable(lsn).await.unwrap();
                    assert!(writer.is_durable(lsn));
                    reported.fetch_max(lsn.0, Ordering::SeqCst);
                }
            }
        });
    }
    let mut cuts = 0;
    while !tasks.is_empty() {
        let promised = reported.load(Ordering::SeqCst);
        let cut = disk.after_power_cut(if cuts % 2 == 0 { Loss::Everything } else { Loss::Some(cuts) });
        assert!(records(&cut) >= promised);
        cuts += 1;
        while let Some(task) = tasks.try_join_next() {
            task.unwrap();
        }
        tokio::task::yield_now().await;
    }
    let journal = writer.close().await.unwrap();
    assert_eq!((journal.durable(), journal.appended()), (Lsn(640), Lsn(640)));
    drop(journal);
    assert_eq!(records(&disk.after_power_cut(Loss::Everything)), 640);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_wait_share_one_sync() {
    let disk = MemoryDisk::new();
    let writer = start(&disk, Duration::from_hours(1), 1_000_000);
    let before = disk.syncs();
    let mut tasks = tokio::task::JoinSet::new();
    let mut last = Lsn(0);
    for n in 0..500 {
        last = writer.append(arrived(n)).await.unwrap();
    }
    assert!(!writer.is_durable(Lsn(1)));
    for n in 1..=500 {
        let writer = writer.clone();
        tasks.spawn(async move { writer.durable(Lsn(n)).await.unwrap() });
    }
    tasks.join_all().await;
    assert!(writer.is_durable(last));
    // One for the new segment's header, one for the batch.
    assert_eq!(disk.syncs() - before, 2);
}

#[tokio::test]
async fn a_record_nobody_waits_for_is_written_soon_all_the_same() {
    let disk = MemoryDisk::new();
    let writer = start(&disk, Duration::from_millis(5), 1000);
    let lsn = writer.append(arrived(1)).await.unwrap();
    for _ in 0..2000 {
        if writer.is_durable(lsn) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not durable after 10 s");
}

#[tokio::test]
async fn a_full_batch_does_not_wait_for_the_delay() {
    let disk = MemoryDisk::new();
    let writer = start(&disk, Duration::from_hours(1), 10);
    for n in 0..9 {
        writer.append(arrived(n)).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!writer.is_durable(Lsn(1)));
    writer.append(arrived(9)).await.unwrap();
    for _ in 0..2000 {
        if writer.is_durable(Lsn(10)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not durable after 10 s");
}

#[tokio::test]
async fn after_a_failed_write_every_call_says_so() {
    let disk = MemoryDisk::new();
    let writer = start(&disk, Duration::from_millis(1), 10);
    let first = writer.append(arrived(1)).await.unwrap();
    writer.durable(first).await.unwrap();
    disk.stop_after(0, io::ErrorKind::StorageFull);
    let lost = writer.append(arrived(2)).await.unwrap();
    let error = writer.durable(lost).await.unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert!(!writer.is_durable(lost));
    writer.durable(first).await.unwrap();
    for later in [
        writer.append(arrived(3)).await.unwrap_err(),
        writer.durable(lost).await.unwrap_err(),
        writer.clone().close().await.unwrap_err(),
        writer.close().await.unwrap_err(),
    ] {
        assert_eq!(later.to_string(), error.to_string());
    }
    assert_eq!(records(&disk.after_power_cut(Loss::Everything)), 1);
}

#[tokio::test]
async fn clones_that_are_left_find_it_closed_and_what_was_appended_is_kept() {
    let disk = MemoryDisk::new();
    let writer = start(&disk, Duration::from_hours(1), 1000);
    let clone = writer.clone();
    let lsn = clone.append(arrived(1)).await.unwrap();
    let mut journal = writer.close().await.unwrap();
    assert!(matches!(clone.append(arrived(2)).await, Err(Error::Closed)));
    clone.durable(lsn).await.unwrap();
    assert!(matches!(clone.durable(Lsn(2)).await, Err(Error::Closed)));
    assert!(matches!(clone.close().await, Err(Error::Closed)));
    // The journal goes on where the writer ended, and so does the next writer.
    assert_eq!(journal.append(&arrived(2)).unwrap(), Lsn(2));
    let writer = Writer::start(journal, CommitPolicy::default());
    assert_eq!(writer.append(arrived(3)).await.unwrap(), Lsn(3));
    writer.durable(Lsn(2)).await.unwrap();
    assert!(matches!(writer.durable(Lsn(4)).await, Err(Error::NeverAppended(Lsn(4)))));
    writer.close().await.unwrap();
}

#[tokio::test]
async fn dropping_the_last_writer_writes_what_waits_and_frees_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::start(
        Journal::open(dir.path(), Arc::new(RealDisk)).unwrap(),
        CommitPolicy { max_delay: Duration::from_hours(1), max_batch: 1000 },
    );
    writer.append(arrived(1)).await.unwrap();
    drop(writer);
    assert_eq!(Journal::open(dir.path(), Arc::new(RealDisk)).unwrap().recovery().records, 1);
}

/// Opens the gate at the end of a test, however that ends: the writer's thread may wait behind it.
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn set(&self, open: bool) {
        *self.0.0.lock().unwrap() = open;
        self.0.1.notify_all();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.set(true);
    }
}

/// A disk whose syncs wait until the gate is open.
#[derive(Clone, Debug)]
struct GatedDisk(MemoryDisk, Arc<(Mutex<bool>, Condvar)>);

#[derive(Debug)]
struct GatedFile(Box<dyn DiskFile>, Arc<(Mutex<bool>, Condvar)>);

impl DiskFile for GatedFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        let open = self.1.0.lock().unwrap();
        drop(self.1.1.wait_while(open, |open| !*open).unwrap());
        self.0.sync()
    }
}

impl Disk for GatedDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.create_dir(dir)
    }
    fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.names(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(GatedFile(self.0.create(path)?, Arc::clone(&self.1))))
    }
    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        self.0.read(path)
    }
    fn len(&self, path: &Path) -> io::Result<u64> {
        self.0.len(path)
    }
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        self.0.truncate(path, len)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.sync_dir(dir)
    }
    fn lock(&self, path: &Path) -> io::Result<LockAttempt> {
        self.0.lock(path)
    }
}

#[tokio::test]
async fn nothing_is_durable_before_its_sync_ended() {
    let gate = Arc::new((Mutex::new(true), Condvar::new()));
    let disk = GatedDisk(MemoryDisk::new(), Arc::clone(&gate));
    let journal = Journal::open(Path::new(DIR), Arc::new(disk)).unwrap();
    let writer = Writer::start(journal, CommitPolicy { max_delay: Duration::ZERO, max_batch: 5 });
    let gate = Gate(gate);
    let first = writer.append(arrived(1)).await.unwrap();
    writer.durable(first).await.unwrap();
    gate.set(false);
    let second = writer.append(arrived(2)).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(300), writer.durable(second)).await;
    assert!(early.is_err() && !writer.is_durable(second));
    gate.set(true);
    writer.durable(second).await.unwrap();
    assert!(writer.is_durable(second));
}

#[tokio::test]
async fn a_slow_disk_makes_appenders_wait_and_not_memory_grow() {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let disk = GatedDisk(MemoryDisk::new(), Arc::clone(&gate));
    let journal = Journal::open(Path::new(DIR), Arc::new(disk)).unwrap();
    let writer = Writer::start(journal, CommitPolicy { max_delay: Duration::ZERO, max_batch: 5 });
    let gate = Gate(gate);
    let mut appended = 0_u64;
    loop {
        match tokio::time::timeout(Duration::from_millis(300), writer.append(arrived(appended))).await {
            Ok(lsn) => drop(lsn.unwrap()),
            Err(_) => break,
        }
        appended += 1;
        assert!(appended < 1000);
    }
    // One batch is being synced (1 to 20 records), another one is full.
    assert!((21..=40).contains(&appended), "{appended}");
    let waiting = tokio::spawn({
        let writer = writer.clone();
        async move { writer.append(arrived(500)).await }
    });
    gate.set(true);
    // The one that timed out appended nothing.
    assert_eq!(waiting.await.unwrap().unwrap(), Lsn(appended + 1));
    assert_eq!(writer.close().await.unwrap().durable(), Lsn(appended + 1));
}
