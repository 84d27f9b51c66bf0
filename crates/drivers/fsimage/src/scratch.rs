//! Temporary files: unlinked from the start, counted, and given back when they are dropped.

use crate::failure::{Broken, Outcome};
use std::{
    fs::File,
    io::{self, BufWriter, Read, Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

const BUFFER: usize = 256 << 10;

/// A directory for temporary files, and how much may lie in it.
#[derive(Clone, Debug)]
pub(crate) struct Scratch(Arc<Room>);

#[derive(Debug)]
struct Room {
    dir: PathBuf,
    limit: u64,
    used: AtomicU64,
    peak: AtomicU64,
    /// Set when nobody waits for the outcome any more.
    cancelled: Arc<AtomicBool>,
}

/// A file being written.
#[derive(Debug)]
pub(crate) struct Writer(BufWriter<Lease>);

/// A file, counted as long as it is open.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) file: File,
    len: u64,
    room: Arc<Room>,
}

/// What stands inside an `io::Error` when the limit was met.
#[derive(Debug, thiserror::Error)]
#[error("the scratch files would grow beyond {0} bytes")]
struct Full(u64);

/// The same when the caller went away.
#[derive(Debug, thiserror::Error)]
#[error("given up")]
struct GivenUp;

impl Broken {
    /// Sorts out what a scratch file answered.
    pub(crate) fn from_scratch(error: io::Error) -> Self {
        match error.get_ref() {
            Some(cause) if cause.is::<GivenUp>() => Self::Cancelled,
            Some(cause) => match cause.downcast_ref::<Full>() {
                Some(Full(limit)) => Self::ScratchFull(*limit),
                None => Self::Scratch(error),
            },
            None => Self::Scratch(error),
        }
    }
}

impl Scratch {
    /// At most `limit` bytes in `dir`; nine tenths of what is free there when absent.
    pub(crate) fn new(dir: &Path, limit: Option<u64>, cancelled: Arc<AtomicBool>) -> Outcome<Self> {
        let free = || {
            let volume = rustix::fs::statvfs(dir).map_err(|error| Broken::Scratch(error.into()))?;
            Ok(volume.f_bavail.saturating_mul(volume.f_frsize) / 10 * 9)
        };
        let limit = limit.map_or_else(free, Ok)?;
        let (used, peak) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self(Arc::new(Room { dir: dir.to_owned(), limit, used, peak, cancelled })))
    }

    /// A new file to write.
    pub(crate) fn writer(&self) -> Outcome<Writer> {
        let file = tempfile::tempfile_in(&self.0.dir).map_err(Broken::Scratch)?;
        Ok(Writer(BufWriter::with_capacity(BUFFER, Lease { file, len: 0, room: Arc::clone(&self.0) })))
    }

    /// The most that lay here at one time, bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.0.peak.load(Ordering::Relaxed)
    }

    /// An error once the caller is gone.
    pub(crate) fn check(&self) -> Outcome<()> {
        if self.0.cancelled.load(Ordering::Relaxed) { Err(Broken::Cancelled) } else { Ok(()) }
    }
}

impl Writer {
    /// What was written, to be read from its start.
    pub(crate) fn finish(self) -> Outcome<Lease> {
        let mut lease = self.0.into_inner().map_err(|error| Broken::from_scratch(error.into_error()))?;
        lease.file.seek(SeekFrom::Start(0)).map_err(Broken::Scratch)?;
        Ok(lease)
    }
}

impl Write for Writer {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.write(data)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Write for Lease {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.room.cancelled.load(Ordering::Relaxed) {
            return Err(io::Error::other(GivenUp));
        }
        let count = u64::try_from(data.len()).map_err(io::Error::other)?;
        let used = self.room.used.fetch_add(count, Ordering::Relaxed) + count;
        self.len += count;
        if used > self.room.limit {
            return Err(io::Error::other(Full(self.room.limit)));
        }
        self.room.peak.fetch_max(used, Ordering::Relaxed);
        self.file.write_all(data)?;
        Ok(data.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Read for Lease {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.file.read(out)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.room.used.fetch_sub(self.len, Ordering::Relaxed);
    }
}
