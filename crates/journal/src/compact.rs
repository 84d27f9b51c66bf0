//! Folding the log into a snapshot.
//!
//! The effects of the records are sorted by key (externally, where they do not fit in memory), merged with the old
//! snapshot, which is sorted already, and written under another name; then that is synced, renamed and its name
//! synced; only then the segments go. A crash at any point leaves the old snapshot with the log, or the new one
//! with segments that the next opening removes.

use crate::{
    About, Error, ItemState, Journal, Snapshot, codec,
    frame::{self, FileKind, FrameReader, Opened},
    log::{NEW_SNAPSHOT, SNAPSHOT, Segment},
    snapshot::SnapshotWriter,
    sort::{Sorted, Sorter},
    state::{Effect, Slot},
};
use bytes::Bytes;
use model::RelPath;

impl Journal {
    /// Folds the old snapshot and the log into a new snapshot, with about `memory` bytes, and empties the log.
    /// Records that wait are made durable first. Needs room for the sorted log and the new snapshot beside what
    /// is there. When it fails for want of room the journal is as it was.
    pub fn compact(&mut self, memory: usize) -> Result<(), Error> {
        self.seal()?;
        let folded = self.durable().0;
        if folded == self.folded {
            return Ok(());
        }
        let fresh = self.dir.join(NEW_SNAPSHOT);
        if let Err(error) = self.write_snapshot(memory, folded) {
            // What is half there is removed now or at the next opening.
            if let Err(second) = self.disk.remove(&fresh) {
                tracing::debug!(error = %second, "could not remove the unfinished snapshot");
            }
            return Err(error);
        }
        let replaced = self.replace_snapshot(folded);
        self.keep(replaced)
    }

    fn replace_snapshot(&mut self, folded: u64) -> Result<(), Error> {
        let (fresh, snapshot) = (self.dir.join(NEW_SNAPSHOT), self.dir.join(SNAPSHOT));
        self.disk.rename(&fresh, &snapshot).map_err(Error::io("rename", &fresh))?;
        self.disk.sync_dir(&self.dir).map_err(Error::io("sync", &self.dir))?;
        self.folded = folded;
        for segment in std::mem::take(&mut self.segments) {
            self.remove(&segment.path)?;
        }
        Ok(())
    }

    fn write_snapshot(&self, memory: usize, folded: u64) -> Result<(), Error> {
        let old = self.snapshot()?;
        let mut about = old.about().clone();
        let mut sorter = Sorter::new(&self.dir, memory);
        for segment in &self.segments {
            self.sort_segment(segment, &mut about, &mut sorter)?;
        }
        let path = self.dir.join(NEW_SNAPSHOT);
        let mut out = SnapshotWriter::create(&path, &*self.disk, folded, &about)?;
        Merge { old, waiting: None, out: &mut out }.run(&mut sorter.finish()?)?;
        out.finish()
    }

    fn sort_segment(&self, segment: &Segment, about: &mut About, sorter: &mut Sorter) -> Result<(), Error> {
        let path = &segment.path;
        let content = self.disk.read(path).map_err(Error::io("read", path))?;
        let Opened::Good(mut frames, _) = FrameReader::open(path, FileKind::Segment, Some(segment.first), content)?
        else {
            return Err(Error::Damaged { file: path.clone(), offset: 0, problem: "the file is cut" });
        };
        let mut value = Vec::new();
        while let Some(frame) = frames.next_whole()? {
            let flawed = frame::flawed(path, frame.offset);
            let mut body = &frame.body[..];
            for _ in 0..frame.count {
                let record = codec::decode(&mut body).map_err(&flawed)?;
                about.apply(&record);
                Effect::of(&record, |slot, path, bytes| {
                    value.clear();
                    value.push(if slot == Slot::Dir { SLOT_DIR } else { SLOT_OTHER });
                    value.extend_from_slice(bytes);
                    sorter.push(&slot.key(path), &value)
                })?;
            }
            if !body.is_empty() {
                return Err(flawed(codec::Flaw::Malformed("a frame holds more than its records")));
            }
        }
        Ok(())
    }
}

const SLOT_DIR: u8 = 0;
const SLOT_OTHER: u8 = 1;

/// The old snapshot, on its way into the new one past the sorted effects.
struct Merge<'a> {
    old: Snapshot,
    /// Read from `old`, not yet needed.
    waiting: Option<ItemState>,
    out: &'a mut SnapshotWriter,
}

impl Merge<'_> {
    fn run(mut self, effects: &mut Sorted) -> Result<(), Error> {
        self.waiting = self.old.next().transpose()?;
        let mut group: Option<Group> = None;
        while let Some((key, value)) = effects.next()? {
            let (slot, bytes) = match value.split_first() {
                Some((&SLOT_DIR, bytes)) => (Slot::Dir, bytes),
                Some((_, bytes)) => (Slot::Other, bytes),
                None => (Slot::Other, value),
            };
            if group.as_ref().is_none_or(|group| group.key != key) {
                if let Some(group) = group.take() {
                    group.write(self.out)?;
                }
                group = Some(self.begin(key)?);
            }
            if let Some(group) = &mut group {
                let item = group.item(slot);
                // It was encoded in this run: a flaw here is one of ours, or of the memory.
                let effect =
                    Effect::decode(item.path.clone(), bytes).map_err(frame::flawed("sorted effects".as_ref(), 0))?;
                item.apply(effect);
            }
        }
        if let Some(group) = group {
            group.write(self.out)?;
        }
        while let Some(item) = self.waiting.take() {
            self.out.push(&item)?;
            self.waiting = self.old.next().transpose()?;
        }
        Ok(())
    }

    /// Copies what sorts before `key`, takes what has it.
    fn begin(&mut self, key: &[u8]) -> Result<Group, Error> {
        let mut group = Group {
            key: Bytes::copy_from_slice(key),
            dir: ItemState::new(Slot::Dir.path(key)),
            other: ItemState::new(RelPath::from(key)),
        };
        while let Some(item) = self.waiting.take_if(|item| item.sort_key() <= group.key) {
            if item.sort_key() < group.key {
                self.out.push(&item)?;
            } else {
                let slot = item.slot();
                *group.item(slot) = item;
            }
            self.waiting = self.old.next().transpose()?;
        }
        Ok(group)
    }
}

/// The items that share a key: the directory `a` and an object named `a/` sort alike.
struct Group {
    key: Bytes,
    dir: ItemState,
    other: ItemState,
}

impl Group {
    fn item(&mut self, slot: Slot) -> &mut ItemState {
        match slot {
            Slot::Dir => &mut self.dir,
            Slot::Other => &mut self.other,
        }
    }
    fn write(self, out: &mut SnapshotWriter) -> Result<(), Error> {
        [self.dir, self.other].iter().filter(|item| !item.is_empty()).try_for_each(|item| out.push(item))
    }
}
