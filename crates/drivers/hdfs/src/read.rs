//! Reading a file: small ones whole, large ones in pieces, several in flight, in order.
//!
//! The crate takes the length of a file from its finished blocks and does not look whether somebody still writes it:
//! such a file reads as empty or short, with success. So the length that a file status states, the length of the
//! blocks, the bytes that came and a file status afterwards must all agree, and [`crate::writing`] must say that nobody
//! writes it.

use crate::{attributes, cluster::Shared, failure::Failure, writing};
use bytes::{Bytes, BytesMut};
use futures::{FutureExt as _, StreamExt as _, stream, stream::BoxStream};
use hdfs_native::{HdfsError, client::FileStatus, file::FileReader};
use model::{Kind, RelPath, Stamp};
use std::{
    ops::Range,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use storage::{
    Body, Error, ErrorKind, ReadSpec, Reading, Result, Retry,
    pieces::{in_order, until_error},
};

const OP: &str = "read";

/// Up to here content comes in one piece.
const WHOLE: u64 = 4 << 20;
/// What is read at once of a larger file: long enough that opening a block is lost in it.
const PIECE: u64 = 8 << 20;
/// How often a piece that failed is taken up again with fresh locations of its blocks.
const REOPENED: u32 = 3;
/// Before the first such try; then twice, and three times as long. A NameNode learns of a dead DataNode only later.
const PAUSE: Duration = Duration::from_millis(300);

/// Content of the file at `path`.
pub(crate) async fn read(cluster: &Shared, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
    let absolute = cluster.absolute(path, OP)?;
    let (status, reader) = tokio::join!(status(cluster, &absolute), open(cluster, &absolute));
    let status = status.map_err(|failure| failure.at(OP, path))?;
    let entry = attributes::entry(path.clone(), &status, spec.want);
    match entry.kind {
        Kind::File => {}
        Kind::Symlink { .. } => {
            return Err(Error::new(ErrorKind::Unsupported, OP).at(path).because("it is a symbolic link"));
        }
        _ => return Err(Error::new(ErrorKind::Invalid, OP).at(path).because("it is a directory, not a file")),
    }
    if spec.if_stamp.as_ref().is_some_and(|stamp| !same_content(stamp, &entry.stamp)) {
        return Err(changed(path, "it is no longer what was listed"));
    }
    let size = entry.stamp.size;
    let wanted = spec.range.unwrap_or(0..u64::MAX);
    if wanted.start > size {
        let why = format!("the range starts at {}, the file ends at {size}", wanted.start);
        return Err(Error::new(ErrorKind::Invalid, OP).at(path).because(why));
    }
    let reader = reader.map_err(|failure| failure.at(OP, path))?;
    let file = File {
        cluster: cluster.clone(),
        path: path.clone(),
        absolute,
        stamp: entry.stamp.clone(),
        reader: Mutex::new((0, Arc::new(reader))),
    };
    file.check_length(&file.reader().1)?;
    writing::refuse_if_written(cluster, path, &file.absolute, &status, &file.stamp).await?;
    let wanted = wanted.start..wanted.end.clamp(wanted.start, size);
    let body = if wanted.end - wanted.start <= WHOLE {
        let data = file.piece(wanted).await?;
        file.check_unchanged().await?;
        Body::Whole(data)
    } else {
        Body::Stream(file.pieces(wanted))
    };
    Ok(Reading { entry, body })
}

/// The status of a path.
pub(crate) async fn status(cluster: &Shared, absolute: &str) -> Result<FileStatus, Failure> {
    let name = absolute.to_owned();
    cluster.call("getFileInfo", |client| async move { client.get_file_info(&name).await }).await
}

async fn open(cluster: &Shared, absolute: &str) -> Result<FileReader, Failure> {
    let name = absolute.to_owned();
    cluster.call("getBlockLocations", |client| async move { client.read(&name).await }).await
}

/// Is it the same content, as far as both stamps tell?
pub(crate) fn same_content(a: &Stamp, b: &Stamp) -> bool {
    a.size == b.size && (a.mtime.is_none() || b.mtime.is_none() || a.mtime == b.mtime)
}

fn changed(path: &RelPath, why: &'static str) -> Error {
    Error::new(ErrorKind::Changed, OP).at(path).because(why)
}

/// A file that is being read, as the NameNode described it.
struct File {
    cluster: Shared,
    path: RelPath,
    absolute: String,
    stamp: Stamp,
    /// The blocks and where they lie, and how often they were asked for anew.
    reader: Mutex<(u32, Arc<FileReader>)>,
}

impl File {
    fn reader(&self) -> (u32, Arc<FileReader>) {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The blocks must make up the length that the status states.
    fn check_length(&self, reader: &FileReader) -> Result<()> {
        let blocks = u64::try_from(reader.file_length()).unwrap_or(u64::MAX);
        if blocks == self.stamp.size {
            return Ok(());
        }
        let why = format!("its status states {} bytes, its finished blocks hold {blocks}", self.stamp.size);
        Err(writing::open_for_write(&self.path, why))
    }

    /// Nobody may have touched it since.
    async fn check_unchanged(&self) -> Result<()> {
        let now = status(&self.cluster, &self.absolute).await.map_err(|failure| failure.at(OP, &self.path))?;
        let now = attributes::entry(self.path.clone(), &now, model::Facets::NONE);
        if now.kind.is_file() && same_content(&self.stamp, &now.stamp) {
            return Ok(());
        }
        Err(changed(&self.path, "it was written or replaced while it was read"))
    }

    /// `wanted` in pieces, and after the last one the check that nothing changed.
    fn pieces(self, wanted: Range<u64>) -> BoxStream<'static, Result<Bytes>> {
        let in_flight = self.cluster.options.in_flight.get();
        let file = Arc::new(self);
        let checked = file.clone();
        let pieces = in_order(wanted, PIECE, in_flight, move |range| {
            let file = file.clone();
            async move { file.piece(range).await }
        });
        let check = stream::once(async move { checked.check_unchanged().await.err().map(Err) });
        until_error(pieces.map(Some).chain(check).filter_map(std::future::ready)).boxed()
    }

    /// All of `wanted`, taken up again where it broke off.
    async fn piece(&self, wanted: Range<u64>) -> Result<Bytes> {
        let len = usize::try_from(wanted.end - wanted.start).map_err(|_| changed(&self.path, "a piece is too long"))?;
        // No more is allocated than content that the NameNode vouches for, and a piece is 8 MiB at most.
        let mut data = BytesMut::with_capacity(len);
        for attempt in 1.. {
            if data.len() == len {
                break;
            }
            let (generation, reader) = self.reader();
            let at = wanted.start + data.len() as u64;
            let failure = match self.part(&reader, at, len - data.len(), &mut data).await {
                Ok(()) => break,
                Err(failure) => failure,
            };
            if attempt > REOPENED || !failure.is_of_the_data() {
                return Err(failure.at(OP, &self.path));
            }
            tracing::debug!(path = %self.path, at, attempt, %failure, "a piece broke off");
            tokio::time::sleep(PAUSE * attempt).await;
            self.reopen(generation).await?;
        }
        if data.len() != len {
            let why = format!("{} bytes came instead of {len}", data.len());
            return Err(Error::new(ErrorKind::Changed, OP).at(&self.path).because(why).with_retry(Retry::Backoff));
        }
        Ok(data.freeze())
    }

    /// Appends what comes of `len` bytes from `at`; in case of a failure, too.
    async fn part(&self, reader: &FileReader, at: u64, len: usize, data: &mut BytesMut) -> Result<(), Failure> {
        if len == 0 {
            return Ok(());
        }
        let limit = self.cluster.options.request_timeout;
        let at = usize::try_from(at).map_err(|_| Failure::Http("the file is larger than memory can address".into()))?;
        let started = Instant::now();
        // Lengths were compared before, so the range lies within the file; beyond it the crate would panic.
        let mut bytes = pin!(reader.read_range_stream(at, len));
        let mut missing = len;
        let ended = loop {
            let next = std::panic::AssertUnwindSafe(bytes.next()).catch_unwind();
            match tokio::time::timeout(limit, next).await {
                Err(_) => break Err(Failure::Timeout(limit)),
                Ok(Err(panic)) => break Err(Failure::Panicked(crate::cluster::words_of(panic.as_ref()))),
                Ok(Ok(None)) if missing == 0 => break Ok(()),
                Ok(Ok(None)) => {
                    let why = format!("the DataNodes end {missing} bytes before the end");
                    break Err(Failure::Hdfs(HdfsError::DataTransferError(why)));
                }
                Ok(Ok(Some(Err(error)))) => break Err(Failure::Hdfs(error)),
                Ok(Ok(Some(Ok(some)))) => {
                    if some.len() > missing {
                        break Err(Failure::Http("a DataNode sent more than was asked for".into()));
                    }
                    missing -= some.len();
                    data.extend_from_slice(&some);
                }
            }
        };
        self.cluster.options.probe.observed("READ_BLOCK", started.elapsed(), ended.is_ok());
        ended
    }

    /// Asks where the blocks lie now, unless somebody else just did.
    async fn reopen(&self, seen: u32) -> Result<()> {
        if self.reader().0 != seen {
            return Ok(());
        }
        let reader = open(&self.cluster, &self.absolute).await.map_err(|failure| failure.at(OP, &self.path))?;
        self.check_length(&reader)?;
        // The same length is not yet the same content.
        self.check_unchanged().await?;
        let mut now = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if now.0 == seen {
            *now = (seen + 1, Arc::new(reader));
        }
        Ok(())
    }
}
