//! What the records of one item add up to.

use crate::{
    Done, Part, Record,
    codec::{self, Flaw, Reader, bit},
};
use bytes::Bytes;
use model::{RelPath, Stamp, Timestamp};

/// All that is known of an item after the last record. An item of which nothing is known has no state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemState {
    /// Target path.
    pub path: RelPath,
    /// The item as it was last seen to arrive, unless it was removed since.
    pub done: Option<Done>,
    /// Writes in parts that were opened and neither finished nor dropped, oldest first.
    pub open: Vec<OpenWrite>,
    /// An `Intent` without `Opened`, `Done` or `Dropped` after it: there may be a write that we do not know.
    pub intents: bool,
    /// Kind and detail of the last failure, unless the item arrived or was removed since.
    pub failed: Option<(String, String)>,
}

/// A write in parts that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenWrite {
    /// What the source was.
    pub source: Stamp,
    /// Bytes of every part but the last.
    pub part_size: u64,
    /// How the driver finds it again.
    pub token: Bytes,
    /// Parts that the target took, by index; of a part sent twice the later.
    pub parts: Vec<Part>,
}

/// What the records about the whole move add up to.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct About {
    /// Fingerprint of the move, by the last `Started`.
    pub move_sha256: Option<[u8; 32]>,
    /// When the last run began.
    pub started: Option<Timestamp>,
    /// When it ended by itself; `None` when it did not (yet).
    pub finished: Option<Timestamp>,
    /// How many runs began.
    pub runs: u64,
}

/// A path can name two items: a directory and, in a key space, an object beside it. Records that name no kind
/// belong to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slot {
    Dir,
    Other,
}

impl Slot {
    /// The bytes that an item sorts by, as `model::Entry::sort_key` has it.
    pub fn key(self, path: &RelPath) -> Bytes {
        if self == Self::Other || path.is_root() {
            return path.to_bytes();
        }
        let mut key = Vec::with_capacity(path.len() + 1);
        key.extend_from_slice(path.as_bytes());
        key.push(b'/');
        key.into()
    }
    /// The path behind a key.
    pub fn path(self, key: &[u8]) -> RelPath {
        match self {
            Self::Dir => RelPath::from(key.strip_suffix(b"/").unwrap_or(key)),
            Self::Other => RelPath::from(key),
        }
    }
}

/// What a record does to a slot.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    /// What the record says.
    Record(Record),
    /// The directory of that path arrived: a failure noted under the plain path is settled.
    Settled,
}

/// Tag of [`Effect::Settled`], beyond those of records.
const SETTLED: u8 = 0;

impl Effect {
    /// Calls `each` with slot and bytes of everything that `record` does to items.
    pub fn of<E>(record: &Record, mut each: impl FnMut(Slot, &RelPath, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let Some(path) = codec::path_of(record) else { return Ok(()) };
        let mut bytes = vec![codec::tag_of(record)];
        codec::put_fields(record, &mut bytes);
        match record {
            Record::Done(done) if done.kind.is_dir() => {
                each(Slot::Dir, path, &bytes)?;
                each(Slot::Other, path, &[SETTLED])
            }
            Record::Removed { .. } => {
                each(Slot::Dir, path, &bytes)?;
                each(Slot::Other, path, &bytes)
            }
            Record::Done(_)
            | Record::Started { .. }
            | Record::Intent { .. }
            | Record::Opened { .. }
            | Record::Part { .. }
            | Record::Dropped { .. }
            | Record::Failed { .. }
            | Record::Finished { .. } => each(Slot::Other, path, &bytes),
        }
    }

    /// Reads back what [`Effect::of`] handed out.
    pub fn decode(path: RelPath, bytes: &[u8]) -> Result<Self, Flaw> {
        let mut reader = Reader(bytes);
        match reader.byte()? {
            SETTLED => Ok(Self::Settled),
            tag => codec::take_fields(tag, path, &mut reader).map(Self::Record),
        }
    }
}

impl ItemState {
    /// Nothing known.
    pub(crate) fn new(path: RelPath) -> Self {
        Self { path, done: None, open: Vec::new(), intents: false, failed: None }
    }
    /// Is nothing known?
    pub(crate) fn is_empty(&self) -> bool {
        self.done.is_none() && self.open.is_empty() && !self.intents && self.failed.is_none()
    }
    /// Which of the two items of its path it is.
    pub(crate) fn slot(&self) -> Slot {
        if self.done.as_ref().is_some_and(|done| done.kind.is_dir()) { Slot::Dir } else { Slot::Other }
    }
    /// The bytes it sorts by: its path, with `/` after a directory.
    pub fn sort_key(&self) -> Bytes {
        self.slot().key(&self.path)
    }

    /// Adds one record. `Done` finishes the write that was opened last: one that was left open before it stays,
    /// so that it is aborted some day and not paid for ever.
    pub(crate) fn apply(&mut self, effect: Effect) {
        let record = match effect {
            Effect::Settled => {
                self.failed = None;
                return;
            }
            Effect::Record(record) => record,
        };
        match record {
            Record::Started { .. } | Record::Finished { .. } => {}
            Record::Intent { .. } => self.intents = true,
            Record::Opened { source, part_size, token, .. } => {
                self.intents = false;
                self.opened(OpenWrite { source, part_size, token, parts: Vec::new() });
            }
            Record::Part { part, .. } => {
                // A part that was under way when its write was dropped belongs to nothing.
                if let Some(write) = self.open.last_mut() {
                    match write.parts.binary_search_by_key(&part.index, |known| known.index) {
                        Ok(at) => write.parts[at] = part,
                        Err(at) => write.parts.insert(at, part),
                    }
                }
            }
            Record::Dropped { .. } => {
                self.open.clear();
                self.intents = false;
            }
            Record::Done(done) => {
                self.open.pop();
                self.intents = false;
                self.failed = None;
                self.done = Some(*done);
            }
            Record::Failed { kind, detail, .. } => self.failed = Some((kind, detail)),
            Record::Removed { .. } => {
                self.done = None;
                self.failed = None;
            }
        }
    }

    /// A write that is taken up again may be recorded again: it keeps its parts if they still fit.
    fn opened(&mut self, mut write: OpenWrite) {
        if let Some(at) = self.open.iter().position(|known| known.token == write.token) {
            let known = self.open.remove(at);
            if known.part_size == write.part_size && known.source == write.source {
                write.parts = known.parts;
            }
        }
        self.open.push(write);
    }

    /// Appends all but the path to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(
            bit(HAS_DONE, self.done.is_some())
                | bit(HAS_OPEN, !self.open.is_empty())
                | bit(HAS_INTENT, self.intents)
                | bit(HAS_FAILED, self.failed.is_some()),
        );
        if let Some(done) = &self.done {
            codec::put_done(out, done);
        }
        if !self.open.is_empty() {
            codec::put_varint(out, codec::wide(self.open.len()));
        }
        for write in &self.open {
            codec::put_stamp(out, &write.source);
            codec::put_varint(out, write.part_size);
            codec::put_bytes(out, &write.token);
            codec::put_varint(out, codec::wide(write.parts.len()));
            for part in &write.parts {
                codec::put_part(out, part);
            }
        }
        if let Some((kind, detail)) = &self.failed {
            codec::put_bytes(out, kind.as_bytes());
            codec::put_bytes(out, detail.as_bytes());
        }
    }

    /// Reads what [`ItemState::encode`] wrote.
    pub(crate) fn decode(path: RelPath, from: &mut Reader<'_>) -> Result<Self, Flaw> {
        let flags = from.flags(HAS_DONE | HAS_OPEN | HAS_INTENT | HAS_FAILED, "part of an item")?;
        let done = if flags & HAS_DONE == 0 { None } else { Some(from.done(path.clone())?) };
        let writes = if flags & HAS_OPEN == 0 { 0 } else { from.varint()? };
        let open = (0..writes).map(|_| open_write(from)).collect::<Result<_, _>>()?;
        let failed = if flags & HAS_FAILED == 0 { None } else { Some((from.text()?, from.text()?)) };
        Ok(Self { path, done, open, intents: flags & HAS_INTENT != 0, failed })
    }
}

const HAS_DONE: u8 = 1;
const HAS_OPEN: u8 = 2;
const HAS_INTENT: u8 = 4;
const HAS_FAILED: u8 = 8;

fn open_write(from: &mut Reader<'_>) -> Result<OpenWrite, Flaw> {
    let source = from.stamp()?;
    let part_size = from.varint()?;
    let token = Bytes::copy_from_slice(from.bytes()?);
    let count = from.varint()?;
    let parts = (0..count).map(|_| from.part()).collect::<Result<_, _>>()?;
    Ok(OpenWrite { source, part_size, token, parts })
}

impl About {
    /// Adds one record; those about items change nothing.
    pub(crate) fn apply(&mut self, record: &Record) {
        match record {
            Record::Started { at, move_sha256 } => {
                self.move_sha256 = Some(*move_sha256);
                self.started = Some(*at);
                self.finished = None;
                self.runs += 1;
            }
            Record::Finished { at } => self.finished = Some(*at),
            Record::Intent { .. }
            | Record::Opened { .. }
            | Record::Part { .. }
            | Record::Dropped { .. }
            | Record::Done(_)
            | Record::Failed { .. }
            | Record::Removed { .. } => {}
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(bit(1, self.move_sha256.is_some()) | bit(2, self.started.is_some()) | bit(4, self.finished.is_some()));
        out.extend(self.move_sha256.iter().flatten());
        for at in [self.started, self.finished].into_iter().flatten() {
            codec::put_time(out, at);
        }
        codec::put_varint(out, self.runs);
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, Flaw> {
        let flags = from.flags(7, "fact about the move")?;
        Ok(Self {
            move_sha256: if flags & 1 == 0 { None } else { Some(from.array()?) },
            started: if flags & 2 == 0 { None } else { Some(from.time()?) },
            finished: if flags & 4 == 0 { None } else { Some(from.time()?) },
            runs: from.varint()?,
        })
    }
}
