//! Power cuts and kills.

use crate::samples::{append, arrived, items, name};
use journal::{Error, Journal, Layout, Loss, MemoryDisk};
use proptest::prelude::*;
use std::{io::ErrorKind, path::Path, sync::Arc};

fn open(disk: &MemoryDisk) -> Result<Journal, Error> {
    // Small, so that segments change and frames are written unsynced all the time.
    let layout = Layout { segment_bytes: 2_000, frame_bytes: 300 };
    Journal::open_with(Path::new("/journal"), Arc::new(disk.clone()), layout)
}

fn losses() -> impl Iterator<Item = Loss> {
    [Loss::Nothing, Loss::Everything].into_iter().chain((0..12).map(Loss::Some))
}

/// Opens what a power cut left and says how many records it holds, which must be the first ones.
fn survivors(disk: &MemoryDisk) -> u64 {
    let mut journal = open(disk).unwrap();
    journal.compact(1 << 20).unwrap();
    let items = items(&journal).unwrap();
    for (n, item) in (1..).zip(&items) {
        assert_eq!(item.path, name(n));
    }
    u64::try_from(items.len()).unwrap()
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Append(u64),
    Sync,
    Compact,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..20_u64).prop_map(Step::Append),
        4 => Just(Step::Sync),
        1 => Just(Step::Compact),
        1 => Just(Step::Reopen),
    ]
}

/// Does the steps as far as the disk lets it; the answer is how many records were said to be durable, and how
/// many were appended.
fn live(disk: &MemoryDisk, steps: &[Step]) -> (u64, u64) {
    let (mut durable, mut appended) = (0, 0);
    let Ok(mut journal) = open(disk) else { return (0, 0) };
    for step in steps {
        let result = match step {
            Step::Append(count) => (0..*count).try_for_each(|_| {
                appended += 1;
                journal.append(&arrived(appended)).map(|lsn| assert_eq!(lsn.0, appended))
            }),
            Step::Sync => journal.sync().map(drop),
            Step::Compact => journal.compact(1 << 20),
            Step::Reopen => {
                // As a killed process does, without a word; what the machine has is still there.
                durable = durable.max(journal.durable().0);
                drop(journal);
                match open(disk) {
                    Ok(again) => journal = again,
                    Err(_) => return (durable, appended),
                }
                appended = journal.appended().0;
                Ok(())
            }
        };
        durable = durable.max(journal.durable().0);
        if result.is_err() {
            break;
        }
    }
    (durable, appended)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn only_records_that_were_not_reported_durable_are_lost(
        steps in proptest::collection::vec(step(), 1..40),
        stop in 0..200_u64,
    ) {
        let disk = MemoryDisk::new();
        disk.stop_after(stop, ErrorKind::BrokenPipe);
        let (durable, appended) = live(&disk, &steps);
        for loss in losses() {
            let survived = survivors(&disk.after_power_cut(loss));
            prop_assert!(survived >= durable, "{:?}: {} of {} durable records", loss, survived, durable);
            prop_assert!(survived <= appended, "{:?}: {} of {} records", loss, survived, appended);
        }
    }
}

#[test]
fn a_kill_between_any_two_steps_of_a_compaction_changes_nothing() {
    // A journal with a snapshot, two sealed segments and one that is open.
    let prepared = || {
        let disk = MemoryDisk::new();
        let mut journal = open(&disk).unwrap();
        append(&mut journal, 1..=20);
        journal.compact(1 << 20).unwrap();
        append(&mut journal, 21..=50);
        journal.sync().unwrap();
        (disk, journal)
    };
    let mut stops = 0;
    for stop in 0.. {
        let (disk, mut journal) = prepared();
        disk.stop_after(stop, ErrorKind::BrokenPipe);
        let ended = journal.compact(1 << 20);
        for loss in losses() {
            let cut = disk.after_power_cut(loss);
            assert_eq!(survivors(&cut), 50, "stopped after {stop} steps, {loss:?}");
            // And a second time, killed again at the same place of the second attempt.
            let cut = disk.after_power_cut(loss);
            cut.stop_after(stop, ErrorKind::BrokenPipe);
            drop(open(&cut).and_then(|mut journal| journal.compact(1 << 20)));
            assert_eq!(survivors(&cut.after_power_cut(loss)), 50, "stopped twice after {stop} steps, {loss:?}");
        }
        if ended.is_ok() {
            break;
        }
        stops += 1;
    }
    assert!(stops >= 8, "a compaction has more than {stops} steps");
}

#[test]
fn a_full_disk_ends_all_writing_and_keeps_what_was_durable() {
    let disk = MemoryDisk::new();
    let mut journal = open(&disk).unwrap();
    append(&mut journal, 1..=10);
    journal.sync().unwrap();
    disk.stop_after(0, ErrorKind::StorageFull);
    let error = (11..100).find_map(|n| journal.append(&arrived(n)).err()).unwrap();
    assert_eq!(error.code(), "E1402");
    assert!(error.hint().unwrap().contains("free space"), "{error}");
    for later in [journal.append(&arrived(1)).unwrap_err(), journal.sync().unwrap_err()] {
        assert_eq!(later.to_string(), error.to_string());
    }
    assert_eq!(journal.durable().0, 10);
    drop(journal);
    assert!(survivors(&disk.after_power_cut(Loss::Nothing)) >= 10);
}

#[test]
fn a_compaction_without_room_leaves_the_journal_usable() {
    let disk = MemoryDisk::new();
    let mut journal = open(&disk).unwrap();
    append(&mut journal, 1..=10);
    journal.sync().unwrap();
    disk.stop_after(1, ErrorKind::StorageFull);
    assert!(journal.compact(1 << 20).is_err());
    disk.stop_after(u64::from(u32::MAX), ErrorKind::StorageFull);
    journal.append(&arrived(11)).unwrap();
    journal.compact(1 << 20).unwrap();
    assert_eq!(items(&journal).unwrap().len(), 11);
}
