//! The fold of the log on disk: every item once, sorted by key, readable with little memory.
//!
//! The first frame says what is known of the move, the following hold items with their paths front-coded within the
//! frame, the last says how many items there are: a snapshot that was cut at a frame's edge is noticed.

use crate::{
    About, Error, ItemState,
    codec::{self, Reader, wide},
    disk::{Disk, DiskFile},
    frame::{self, Batch, FileKind, Frame, FrameReader, Opened},
};
use model::RelPath;
use std::path::{Path, PathBuf};

/// Bytes of items in one frame: small, as a reader holds one.
const FRAME_BYTES: usize = 64 << 10;

/// The state as of the last compaction, read from front to back: every item that something is known of, sorted by
/// [`ItemState::sort_key`]. After an error it ends.
#[derive(Debug)]
pub struct Snapshot {
    file: PathBuf,
    from: Option<FrameReader>,
    about: About,
    frame: Frame,
    /// How far `frame` was read.
    at: usize,
    path: Vec<u8>,
    items: u64,
}

impl Snapshot {
    /// The snapshot of a journal that has none.
    pub(crate) fn empty() -> Self {
        Self {
            file: PathBuf::new(),
            from: None,
            about: About::default(),
            frame: Frame { offset: 0, count: 0, body: Vec::new() },
            at: 0,
            path: Vec::new(),
            items: 0,
        }
    }

    /// Opens the file; the number is that of the last record that was folded into it.
    pub(crate) fn open(file: &Path, disk: &dyn Disk) -> Result<(Self, u64), Error> {
        let content = disk.read(file).map_err(Error::io("read", file))?;
        // A snapshot gets its name when it is whole and durable, so a torn one is damage.
        let cut = |offset| Error::Damaged { file: file.to_owned(), offset, problem: "the file is cut" };
        let (mut from, folded) = match FrameReader::open(file, FileKind::Snapshot, None, content)? {
            Opened::Good(from, folded) => (from, folded),
            Opened::Torn => return Err(cut(0)),
        };
        let head = from.next_whole()?.ok_or_else(|| cut(wide(frame::FILE_HEADER)))?;
        let about = About::decode(&mut Reader(&head.body)).map_err(frame::flawed(file, head.offset))?;
        let frame = Frame { body: Vec::new(), count: 0, ..head };
        Ok((Self { file: file.to_owned(), from: Some(from), about, frame, at: 0, path: Vec::new(), items: 0 }, folded))
    }

    /// What is known of the move as a whole.
    pub fn about(&self) -> &About {
        &self.about
    }

    fn read(&mut self) -> Result<Option<ItemState>, Error> {
        while self.at == self.frame.body.len() {
            let Some(from) = &mut self.from else { return Ok(None) };
            let offset = self.frame.offset;
            let cut = || Error::Damaged { file: self.file.clone(), offset, problem: "the file is cut after it" };
            let frame = from.next_whole()?.ok_or_else(cut)?;
            if frame.count == 0 {
                let total = Reader(&frame.body).varint().map_err(frame::flawed(&self.file, frame.offset))?;
                self.from = None;
                if total != self.items {
                    let problem = "it holds another number of items than it says";
                    return Err(Error::Damaged { file: self.file.clone(), offset: frame.offset, problem });
                }
                return Ok(None);
            }
            self.items += u64::from(frame.count);
            self.frame = frame;
            self.at = 0;
            self.path.clear();
        }
        let mut reader = Reader(&self.frame.body[self.at..]);
        let item = take_item(&mut self.path, &mut reader).map_err(frame::flawed(&self.file, self.frame.offset))?;
        self.at = self.frame.body.len() - reader.0.len();
        Ok(Some(item))
    }
}

/// Reads an item; `path` is the one before it.
fn take_item(path: &mut Vec<u8>, from: &mut Reader<'_>) -> Result<ItemState, codec::Flaw> {
    let shared = usize::try_from(from.varint()?).unwrap_or(usize::MAX);
    if shared > path.len() {
        return Err(codec::Flaw::Malformed("a path shares more with the one before it than that has"));
    }
    path.truncate(shared);
    path.extend_from_slice(from.bytes()?);
    ItemState::decode(RelPath::from(&path[..]), from)
}

impl Iterator for Snapshot {
    type Item = Result<ItemState, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.read().transpose();
        if let Some(Err(_)) = item {
            self.from = None;
            self.at = self.frame.body.len();
        }
        item
    }
}

/// Writes a snapshot under a name of its own; the caller renames it.
pub(crate) struct SnapshotWriter {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    batch: Batch,
    last: Vec<u8>,
    items: u64,
}

impl SnapshotWriter {
    pub fn create(path: &Path, disk: &dyn Disk, folded: u64, about: &About) -> Result<Self, Error> {
        let mut file = disk.create(path).map_err(Error::io("create", path))?;
        let mut batch = Batch::default();
        batch.put("head of a snapshot", |body| about.encode(body))?;
        let header = frame::file_header(FileKind::Snapshot, folded);
        file.write_all(&header).map_err(Error::io("write", path))?;
        let mut writer = Self { file, path: path.to_owned(), batch, last: Vec::new(), items: 0 };
        writer.flush()?;
        Ok(writer)
    }

    /// Appends an item; the caller keeps the order.
    pub fn push(&mut self, item: &ItemState) -> Result<(), Error> {
        let path = item.path.as_bytes();
        let shared = self.last.iter().zip(path).take_while(|(a, b)| a == b).count();
        self.batch.put("item", |body| {
            codec::put_varint(body, wide(shared));
            codec::put_bytes(body, &path[shared..]);
            item.encode(body);
        })?;
        self.last.truncate(shared);
        self.last.extend_from_slice(&path[shared..]);
        if self.batch.len() >= FRAME_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        if !self.batch.is_empty() {
            // The head counts as one frame of one, so items are numbered from 2.
            let first = self.items + 1;
            self.items += u64::from(self.batch.count());
            self.file.write_all(self.batch.seal(first, 0)).map_err(Error::io("write", &self.path))?;
            self.batch.clear();
        }
        self.last.clear();
        Ok(())
    }

    /// Writes the end and makes all of it durable, but for its name.
    pub fn finish(mut self) -> Result<(), Error> {
        self.flush()?;
        let first = self.items + 1;
        self.batch.put("end of a snapshot", |body| codec::put_varint(body, first - 2))?;
        self.batch.uncount();
        self.file.write_all(self.batch.seal(first, 0)).map_err(Error::io("write", &self.path))?;
        self.file.sync().map_err(Error::io("sync", &self.path))
    }
}
