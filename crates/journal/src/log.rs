//! The log on disk: segments of frames, one after the other, and what makes them whole again after a crash.
//!
//! A directory holds `log-<number of its first record>` for each segment, `snapshot` once it was compacted, and
//! `lock`. A segment is only ever written by the process that created it: whoever opens a journal cuts the torn
//! tail of the last segment, if there is one, and begins a new one. So a bad frame anywhere but at the end of the
//! last segment is damage, and so is a gap between the numbers of two segments.

use crate::{
    Error, Record, Snapshot,
    disk::{Disk, DiskFile, LockAttempt},
    frame::{self, Batch, FileKind, FrameReader, Next, Opened},
};
use std::{
    any::Any,
    fmt,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The number of a record: the first ever appended to a journal is 1, and 0 is before all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(pub u64);

/// Sizes that a test makes small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// A segment that has grown to this many bytes is followed by the next.
    pub segment_bytes: u64,
    /// [`Journal::append`] writes a frame when this many bytes of records wait (at most 16 MiB).
    pub frame_bytes: usize,
}

impl Default for Layout {
    /// Segments of 64 MiB, so that a scan for what follows a bad frame fits in memory; frames of 256 KiB, beyond
    /// which fewer writes no longer show.
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, frame_bytes: 256 << 10 }
    }
}

/// What was found when a journal was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Records in the log, beyond the snapshot.
    pub records: u64,
    /// Bytes of unfinished writes that were cut from the end: 0 unless a process was killed or the power failed.
    pub cut_bytes: u64,
}

/// A segment that is not written any more.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub path: PathBuf,
    pub first: u64,
}

/// The segment that is being written.
#[derive(Debug)]
struct Active {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    bytes: u64,
}

/// A journal in a directory, held by this process alone. Blocking; [`crate::Writer`] is its door for async code.
///
/// After a failed write or sync every later call that needs the disk gets that first error.
pub struct Journal {
    pub(crate) dir: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    layout: Layout,
    _lock: Box<dyn Any + Send + Sync>,
    /// Oldest first; the active one is the last, where there is one.
    pub(crate) segments: Vec<Segment>,
    active: Option<Active>,
    batch: Batch,
    /// Records up to this one are in the snapshot.
    pub(crate) folded: u64,
    /// Records up to this one were handed to the system.
    written: u64,
    /// Records up to this one survive a power cut.
    durable: u64,
    pub(crate) failed: Option<Error>,
    recovery: Recovery,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("dir", &self.dir)
            .field("folded", &self.folded)
            .field("written", &self.written)
            .field("durable", &self.durable)
            .finish_non_exhaustive()
    }
}

/// Together with one more record it stays below what a frame may hold.
const MOST_FRAME_BYTES: usize = 16 << 20;
const SEGMENT_PREFIX: &str = "log-";
pub(crate) const SNAPSHOT: &str = "snapshot";
pub(crate) const NEW_SNAPSHOT: &str = "snapshot.new";
const LOCK: &str = "lock";

impl Journal {
    /// Opens the journal in `dir`, which is created where missing, and takes its lock. Reads and checks the whole
    /// log beyond the snapshot (about a second for 10 million records), cuts a torn tail, refuses damage.
    pub fn open(dir: &Path, disk: Arc<dyn Disk>) -> Result<Self, Error> {
        Self::open_with(dir, disk, Layout::default())
    }

    /// The same with other sizes.
    pub fn open_with(dir: &Path, disk: Arc<dyn Disk>, layout: Layout) -> Result<Self, Error> {
        disk.create_dir(dir).map_err(Error::io("create", dir))?;
        let lock = match disk.lock(&dir.join(LOCK)).map_err(Error::io("lock", dir.join(LOCK)))? {
            LockAttempt::Taken(lock) => lock,
            LockAttempt::Held(holder) => return Err(Error::Locked { dir: dir.to_owned(), holder }),
        };
        let mut journal = Self {
            dir: dir.to_owned(),
            disk,
            layout: Layout { frame_bytes: layout.frame_bytes.min(MOST_FRAME_BYTES), ..layout },
            _lock: lock,
            segments: Vec::new(),
            active: None,
            batch: Batch::default(),
            folded: 0,
            written: 0,
            durable: 0,
            failed: None,
            recovery: Recovery::default(),
        };
        journal.recover()?;
        Ok(journal)
    }

    /// Appends a record to what waits for the next write. Not durable, not even written, before
    /// [`Journal::sync`].
    pub fn append(&mut self, record: &Record) -> Result<Lsn, Error> {
        self.intact()?;
        self.batch.push(record)?;
        let lsn = self.appended();
        if self.batch.len() >= self.layout.frame_bytes {
            self.flush()?;
        }
        Ok(lsn)
    }

    /// Writes what waits and makes it durable: every record up to the answer survives a power cut.
    pub fn sync(&mut self) -> Result<Lsn, Error> {
        self.flush()?;
        if self.durable < self.written {
            if let Some(active) = &mut self.active {
                let synced = active.file.sync().map_err(Error::io("sync", &active.path));
                self.keep(synced)?;
            }
            self.durable = self.written;
        }
        Ok(Lsn(self.durable))
    }

    /// The last record that was appended, durable or not.
    pub fn appended(&self) -> Lsn {
        Lsn(self.written + u64::from(self.batch.count()))
    }

    /// The last record that survives a power cut.
    pub fn durable(&self) -> Lsn {
        Lsn(self.durable)
    }

    /// What was found when it was opened.
    pub fn recovery(&self) -> Recovery {
        self.recovery
    }

    /// The state as of the last [`Journal::compact`]; records that came later are not in it. Stays readable while
    /// the journal goes on.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        if self.folded == 0 {
            return Ok(Snapshot::empty());
        }
        Snapshot::open(&self.dir.join(SNAPSHOT), &*self.disk).map(|(snapshot, _)| snapshot)
    }

    /// Writes a batch of somebody else's behind what waits here. The batch is empty afterwards.
    pub(crate) fn commit(&mut self, batch: &mut Batch) -> Result<(), Error> {
        self.flush()?;
        let written = self.write(batch);
        batch.clear();
        written
    }

    /// Writes what waits.
    fn flush(&mut self) -> Result<(), Error> {
        self.intact()?;
        if self.batch.is_empty() {
            return Ok(());
        }
        let mut batch = std::mem::take(&mut self.batch);
        let written = self.write(&mut batch);
        batch.clear();
        self.batch = batch;
        written
    }

    /// Writes one frame, into a new segment where there is none, and seals the segment when it is full.
    fn write(&mut self, batch: &mut Batch) -> Result<(), Error> {
        self.intact()?;
        if batch.is_empty() {
            return Ok(());
        }
        let result = self.try_write(batch);
        self.keep(result)?;
        self.written += u64::from(batch.count());
        if self.active.as_ref().is_some_and(|active| active.bytes >= self.layout.segment_bytes) {
            self.seal()?;
        }
        Ok(())
    }

    fn try_write(&mut self, batch: &mut Batch) -> Result<(), Error> {
        let first = self.written + 1;
        let mut active = match self.active.take() {
            Some(active) => active,
            None => self.begin_segment(first)?,
        };
        let frame = batch.seal(first, self.durable);
        active.file.write_all(frame).map_err(Error::io("write", &active.path))?;
        active.bytes += crate::codec::wide(frame.len());
        self.active = Some(active);
        Ok(())
    }

    /// Its name is durable before any record in it can be.
    fn begin_segment(&mut self, first: u64) -> Result<Active, Error> {
        let path = self.dir.join(format!("{SEGMENT_PREFIX}{first:020}"));
        let mut file = self.disk.create(&path).map_err(Error::io("create", &path))?;
        file.write_all(&frame::file_header(FileKind::Segment, first)).map_err(Error::io("write", &path))?;
        file.sync().map_err(Error::io("sync", &path))?;
        self.disk.sync_dir(&self.dir).map_err(Error::io("sync", &self.dir))?;
        self.segments.push(Segment { path: path.clone(), first });
        Ok(Active { file, path, bytes: crate::codec::wide(frame::FILE_HEADER) })
    }

    /// Makes all durable and closes the active segment.
    pub(crate) fn seal(&mut self) -> Result<(), Error> {
        self.sync()?;
        self.active = None;
        Ok(())
    }

    /// The first error, where there was one.
    pub(crate) fn intact(&self) -> Result<(), Error> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// Remembers an error for good: what is on disk after a failed write or sync is not known any more.
    pub(crate) fn keep<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }

    /// Finds out what is there, and brings it into order.
    fn recover(&mut self) -> Result<(), Error> {
        let mut names = self.disk.names(&self.dir).map_err(Error::io("list", &self.dir))?;
        names.sort_unstable();
        if names.iter().any(|name| name == NEW_SNAPSHOT) {
            self.remove(&self.dir.join(NEW_SNAPSHOT))?;
        }
        if names.iter().any(|name| name == SNAPSHOT) {
            self.folded = Snapshot::open(&self.dir.join(SNAPSHOT), &*self.disk)?.1;
        }
        (self.written, self.durable) = (self.folded, self.folded);
        for name in &names {
            // Numbers have a fixed width, so that names sort as they do.
            let Some(first) = name.strip_prefix(SEGMENT_PREFIX).and_then(|number| number.parse().ok()) else {
                continue;
            };
            let path = self.dir.join(name);
            if first <= self.folded {
                // The snapshot that holds it was finished, but removing it was not.
                self.remove(&path)?;
            } else {
                self.segments.push(Segment { path, first });
            }
        }
        let segments = std::mem::take(&mut self.segments);
        for (at, segment) in segments.iter().enumerate() {
            if segment.first != self.written + 1 {
                return Err(Error::Gap { dir: self.dir.clone(), missing: self.written + 1 });
            }
            if self.check(segment, at + 1 == segments.len())? {
                self.segments.push(segment.clone());
            }
        }
        self.durable = self.written;
        self.recovery.records = self.written - self.folded;
        if self.recovery.cut_bytes > 0 {
            tracing::warn!(
                path = %self.dir.display(),
                bytes = self.recovery.cut_bytes,
                "cut an unfinished write from the end of the journal"
            );
        }
        // The records are durable only if their files are: a killed process may have left them to the page cache.
        if let Some(last) = self.segments.last() {
            let bytes = self.disk.len(&last.path).map_err(Error::io("read", &last.path))?;
            self.disk.truncate(&last.path, bytes).map_err(Error::io("sync", &last.path))?;
        }
        self.disk.sync_dir(&self.dir).map_err(Error::io("sync", &self.dir))
    }

    /// Checks a segment and cuts a torn tail of the last; false where nothing is left of it.
    fn check(&mut self, segment: &Segment, last: bool) -> Result<bool, Error> {
        let path = &segment.path;
        let content = self.disk.read(path).map_err(Error::io("read", path))?;
        let damaged = |offset, problem| Error::Damaged { file: path.clone(), offset, problem };
        let mut frames = match FrameReader::open(path, FileKind::Segment, Some(segment.first), content)? {
            Opened::Good(frames, first) if first == segment.first => frames,
            Opened::Good(..) => return Err(damaged(0, "its header belongs to another segment")),
            // The header is durable before the first record is written.
            Opened::Torn if last => {
                self.recovery.cut_bytes += self.disk.len(path).map_err(Error::io("read", path))?;
                self.remove(path)?;
                return Ok(false);
            }
            Opened::Torn => return Err(damaged(0, "the file is cut")),
        };
        loop {
            match frames.next()? {
                Next::Frame(_) => {}
                Next::End => break,
                Next::Bad { offset, problem } => {
                    if !last || self.was_durable(path, offset, frames.expected())? {
                        return Err(damaged(offset, problem));
                    }
                    let bytes = self.disk.len(path).map_err(Error::io("read", path))?;
                    self.recovery.cut_bytes += bytes - offset;
                    if frames.expected() == segment.first {
                        self.remove(path)?;
                        return Ok(false);
                    }
                    self.disk.truncate(path, offset).map_err(Error::io("cut", path))?;
                    break;
                }
            }
        }
        self.written = frames.expected() - 1;
        if self.written < segment.first {
            // Only a header; the next segment will want its name.
            self.remove(path)?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Does a later frame say that the bad one at `offset` was durable?
    fn was_durable(&self, path: &Path, offset: u64, missing: u64) -> Result<bool, Error> {
        let mut content = self.disk.read(path).map_err(Error::io("read", path))?;
        std::io::copy(&mut content.by_ref().take(offset), &mut std::io::sink()).map_err(Error::io("read", path))?;
        let mut rest = Vec::new();
        content.read_to_end(&mut rest).map_err(Error::io("read", path))?;
        Ok(FrameReader::was_durable(&rest, missing))
    }

    pub(crate) fn remove(&self, path: &Path) -> Result<(), Error> {
        self.disk.remove(path).map_err(Error::io("remove", path))
    }
}
