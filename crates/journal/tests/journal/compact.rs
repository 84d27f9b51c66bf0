//! What a snapshot holds.

use crate::samples::{self, append, items};
use bytes::Bytes;
use journal::{Done, ItemState, Journal, Layout, MemoryDisk, OpenWrite, RealDisk, Record};
use model::{Digests, Kind, RelPath, Stamp, Timestamp};
use proptest::prelude::*;
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// The fold said again, plainly: states by key and path.
#[derive(Default)]
struct Model(BTreeMap<(Vec<u8>, RelPath, bool), ItemState>);

impl Model {
    fn item(&mut self, path: &RelPath, dir: bool) -> &mut ItemState {
        let mut key = path.as_bytes().to_vec();
        if dir && !key.is_empty() {
            key.push(b'/');
        }
        // At the root both kinds have the empty key and path: the directory is first.
        self.0.entry((key, path.clone(), !dir)).or_insert_with(|| ItemState {
            path: path.clone(),
            done: None,
            open: Vec::new(),
            intents: false,
            failed: None,
        })
    }

    fn apply(&mut self, record: &Record) {
        match record.clone() {
            Record::Started { .. } | Record::Finished { .. } => {}
            Record::Intent { path, .. } => self.item(&path, false).intents = true,
            Record::Opened { path, source, part_size, token } => {
                let item = self.item(&path, false);
                item.intents = false;
                let mut parts = Vec::new();
                item.open.retain(|write| {
                    if write.token == token && write.source == source && write.part_size == part_size {
                        parts.clone_from(&write.parts);
                    }
                    write.token != token
                });
                item.open.push(OpenWrite { source, part_size, token, parts });
            }
            Record::Part { path, part } => {
                if let Some(write) = self.item(&path, false).open.last_mut() {
                    write.parts.retain(|known| known.index != part.index);
                    write.parts.push(part);
                    write.parts.sort_by_key(|part| part.index);
                }
            }
            Record::Dropped { path } => {
                let item = self.item(&path, false);
                item.open.clear();
                item.intents = false;
            }
            Record::Done(done) if done.kind == Kind::Dir => {
                self.item(&done.path, false).failed = None;
                let item = self.item(&done.path, true);
                item.done = Some(*done);
            }
            Record::Done(done) => {
                let item = self.item(&done.path, false);
                item.open.pop();
                (item.intents, item.failed, item.done) = (false, None, Some(*done));
            }
            Record::Failed { path, kind, detail } => self.item(&path, false).failed = Some((kind, detail)),
            Record::Removed { path } => {
                for dir in [true, false] {
                    let item = self.item(&path, dir);
                    (item.done, item.failed) = (None, None);
                }
            }
        }
    }

    fn items(self) -> Vec<ItemState> {
        let known =
            |item: &ItemState| item.done.is_some() || !item.open.is_empty() || item.intents || item.failed.is_some();
        self.0.into_values().filter(known).collect()
    }
}

fn open(disk: &MemoryDisk) -> Journal {
    let layout = Layout { segment_bytes: 3_000, frame_bytes: 500 };
    Journal::open_with(Path::new("/journal"), Arc::new(disk.clone()), layout).unwrap()
}

proptest! {
    #[test]
    fn a_snapshot_is_the_fold_of_all_records_however_often_it_was_made(
        records in samples::records(150),
        compactions in proptest::collection::vec(0..150_usize, 0..5),
        reopened in 0..150_usize,
    ) {
        let disk = MemoryDisk::new();
        let mut journal = open(&disk);
        let mut model = Model::default();
        for (n, record) in records.iter().enumerate() {
            journal.append(record).unwrap();
            model.apply(record);
            if compactions.contains(&n) {
                journal.compact(0).unwrap();
            }
            if reopened == n {
                journal.sync().unwrap();
                drop(journal);
                journal = open(&disk);
            }
        }
        journal.compact(0).unwrap();
        let items = items(&journal).unwrap();
        prop_assert!(items.is_sorted_by_key(ItemState::sort_key));
        prop_assert_eq!(items, model.items());
        let starts = records.iter().filter(|record| matches!(record, Record::Started { .. })).count();
        prop_assert_eq!(journal.snapshot().unwrap().about().runs, u64::try_from(starts).unwrap());
    }

    #[test]
    fn every_beginning_of_a_log_folds(records in samples::records(40), cut in any::<proptest::sample::Index>()) {
        let disk = MemoryDisk::new();
        let mut journal = Journal::open(Path::new("/journal"), Arc::new(disk.clone())).unwrap();
        for record in &records {
            journal.append(record).unwrap();
            journal.sync().unwrap();
        }
        drop(journal);
        let path = Path::new("/journal").join(format!("log-{:020}", 1));
        let content = disk.content(&path).unwrap_or_default();
        let cut = cut.index(content.len() + 1);
        let disk = MemoryDisk::new();
        disk.put(&path, &content[..cut]);
        let mut journal = open(&disk);
        let kept = usize::try_from(journal.recovery().records).unwrap();
        journal.compact(0).unwrap();
        let mut model = Model::default();
        records[..kept].iter().for_each(|record| model.apply(record));
        prop_assert_eq!(items(&journal).unwrap(), model.items());
    }
}

fn file(path: &str) -> Record {
    match samples::arrived(1) {
        Record::Done(done) => Record::Done(Box::new(Done { path: path.into(), ..*done })),
        other => other,
    }
}

fn dir(path: &str) -> Record {
    Record::Done(Box::new(Done {
        path: path.into(),
        source_path: None,
        kind: Kind::Dir,
        source: Stamp::default(),
        meta_hash: 0,
        target: Stamp::default(),
        digests: Digests::default(),
        adopted: false,
        verified: false,
    }))
}

#[test]
fn directories_sort_with_a_slash_behind_them() {
    let mut journal = open(&MemoryDisk::new());
    for record in [dir("a"), file("a/b"), file("a!"), file("a"), dir(""), file("a0"), file("a/")] {
        journal.append(&record).unwrap();
    }
    journal.compact(0).unwrap();
    let found = items(&journal).unwrap();
    let names: Vec<_> =
        found.iter().map(|item| (item.path.to_string(), item.done.as_ref().unwrap().kind.word())).collect();
    let wanted =
        [("", "dir"), ("a", "file"), ("a!", "file"), ("a", "dir"), ("a/", "file"), ("a/b", "file"), ("a0", "file")];
    assert_eq!(names, wanted.map(|(path, kind)| (path.to_owned(), kind)));
}

#[test]
fn a_failure_of_a_directory_is_settled_when_it_arrives() {
    let mut journal = open(&MemoryDisk::new());
    let failed = Record::Failed { path: "a".into(), kind: "denied".into(), detail: "NFS3ERR_ACCES".into() };
    journal.append(&failed).unwrap();
    journal.compact(0).unwrap();
    assert_eq!(items(&journal).unwrap()[0].failed, Some(("denied".to_owned(), "NFS3ERR_ACCES".to_owned())));
    journal.append(&dir("a")).unwrap();
    journal.compact(0).unwrap();
    let found = items(&journal).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].failed.clone(), found[0].done.is_some()), (None, true));
}

#[test]
fn a_write_left_open_beside_a_later_one_is_not_forgotten() {
    let mut journal = open(&MemoryDisk::new());
    for token in ["first", "second"] {
        journal.append(&Record::Intent { path: "big".into(), source: Stamp::default() }).unwrap();
        let token = Bytes::from_static(token.as_bytes());
        let opened = Record::Opened { path: "big".into(), source: Stamp::default(), part_size: 8 << 20, token };
        journal.append(&opened).unwrap();
    }
    journal.append(&file("big")).unwrap();
    journal.compact(0).unwrap();
    let found = items(&journal).unwrap();
    let tokens: Vec<_> = found[0].open.iter().map(|write| &write.token[..]).collect();
    assert_eq!(tokens, [b"first"]);
}

#[test]
fn a_snapshot_says_what_is_known_of_the_move() {
    let disk = MemoryDisk::new();
    let mut journal = open(&disk);
    assert_eq!(journal.snapshot().unwrap().about().runs, 0);
    let at = |secs| Timestamp { secs, nanos: 0 };
    journal.append(&Record::Started { at: at(1), move_sha256: [7; 32] }).unwrap();
    journal.append(&Record::Finished { at: at(2) }).unwrap();
    journal.append(&Record::Started { at: at(3), move_sha256: [7; 32] }).unwrap();
    journal.compact(0).unwrap();
    drop(journal);
    let snapshot = open(&disk).snapshot().unwrap();
    let about = snapshot.about();
    assert_eq!((about.runs, about.move_sha256, about.started, about.finished), (2, Some([7; 32]), Some(at(3)), None));
}

#[test]
fn a_snapshot_stays_readable_while_the_next_one_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), Arc::new(RealDisk)).unwrap();
    append(&mut journal, 0..5000);
    journal.compact(1 << 20).unwrap();
    let mut reading = journal.snapshot().unwrap();
    reading.next().unwrap().unwrap();
    append(&mut journal, 5000..6000);
    journal.compact(1 << 20).unwrap();
    assert_eq!(reading.collect::<Result<Vec<_>, _>>().unwrap().len(), 4999);
    assert_eq!(items(&journal).unwrap().len(), 6000);
}

#[test]
fn a_log_larger_than_the_memory_is_folded_all_the_same_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), Arc::new(RealDisk)).unwrap();
    let total = 40_000_u64;
    // In an order that is not the keys'.
    append(&mut journal, (0..total).map(|n| n * 7919 % total));
    journal.compact(100_000).unwrap();
    let found = items(&journal).unwrap();
    assert_eq!(found.len(), usize::try_from(total).unwrap());
    assert!(found.is_sorted_by_key(ItemState::sort_key));
    let mut names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["lock", "snapshot"]);
}
