//! Content of a file in as many READs as it takes, several of them in flight, in order: the same in both versions.

use crate::again::Outdated;
use bytes::Bytes;
use futures::{StreamExt as _, stream, stream::BoxStream};
use model::{Entry, RelPath, Stamp};
use std::{ops::Range, sync::Arc};
use storage::{
    Body, Error, ErrorKind, ReadSpec, Result,
    pieces::{in_order, joined, until_error},
};

pub(crate) const OP: &str = "read";

/// What one READ gave, and whether the file ends after it.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    pub data: Bytes,
    pub end: bool,
}

impl Piece {
    /// No more than `most` bytes of it: a server may send more than it was asked for.
    pub fn cut(mut self, most: u32) -> Self {
        self.data.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        self
    }
}

/// A file as the first answer described it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub path: RelPath,
    pub handle: Bytes,
    pub stamp: Stamp,
}

/// A file that is being read.
pub(crate) trait Reads: Send + Sync + Sized + 'static {
    type Failure: Outdated + Send;

    fn known(&self) -> &Known;
    /// Bytes of one READ.
    fn step(&self) -> u32;
    /// READs in flight: as many pieces of at most `step` bytes are held, taken or not.
    fn ahead(&self) -> usize;
    /// One READ of at most `count` bytes, and what the file was after it.
    fn read_once(
        &self,
        handle: &Bytes,
        at: u64,
        count: u32,
    ) -> impl Future<Output = Result<(Piece, Stamp), Self::Failure>> + Send;
    /// The file's handle, looked up anew.
    fn find_again(&self) -> impl Future<Output = Result<Bytes, Self::Failure>> + Send;
    /// The error for whoever reads.
    fn error(&self, failure: Self::Failure) -> impl Future<Output = Error> + Send;
}

/// The range that is asked for, not yet cut at the end of the file.
pub(crate) fn wanted(spec: &ReadSpec) -> Range<u64> {
    spec.range.clone().unwrap_or(0..u64::MAX)
}

/// Bytes that are to come, as far as that can be told before anything is read. `size` is what the server told, if it
/// did; else what whoever asks knows counts.
pub(crate) fn expected(spec: &ReadSpec, size: Option<u64>) -> u64 {
    let wanted = wanted(spec);
    let size = size.or(spec.if_stamp.as_ref().map(|stamp| stamp.size));
    wanted.end.min(size.unwrap_or(u64::MAX)).saturating_sub(wanted.start)
}

/// The range to deliver of the file `entry`. Errors: `Changed`, `Invalid` (the range starts behind the end).
pub(crate) fn agreed(spec: &ReadSpec, entry: &Entry) -> Result<Range<u64>> {
    if spec.if_stamp.as_ref().is_some_and(|stamp| !same_content(stamp, &entry.stamp)) {
        return Err(changed(&entry.path, "it is no longer what was listed"));
    }
    let (wanted, size) = (wanted(spec), entry.stamp.size);
    if wanted.start > size {
        let why = format!("the range starts at {}, the file ends at {size}", wanted.start);
        return Err(Error::new(ErrorKind::Invalid, OP).at(&entry.path).because(why));
    }
    Ok(wanted.start..wanted.end.min(size))
}

/// Is the content that these stamps describe the same? The volume's number is left out: some servers number
/// their file systems anew when they restart.
pub(crate) fn same_content(a: &Stamp, b: &Stamp) -> bool {
    let inode = |stamp: &Stamp| stamp.file_id.map(|id| id.inode);
    a.size == b.size && a.mtime == b.mtime && a.change == b.change && inode(a) == inode(b)
}

pub(crate) fn changed(path: &RelPath, why: &'static str) -> Error {
    Error::new(ErrorKind::Changed, OP).at(path).because(why)
}

/// Content of `wanted`, of which `first` is the beginning.
pub(crate) fn body(file: impl Reads, wanted: Range<u64>, first: Piece) -> Result<Body> {
    let len = wanted.end - wanted.start.min(wanted.end);
    let Piece { mut data, end } = first;
    if data.len() as u64 >= len {
        data.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        return Ok(Body::Whole(data));
    }
    if end {
        return Err(changed(&file.known().path, "it ends before the size that the server states"));
    }
    let from = wanted.start + data.len() as u64;
    let rest = pieces(file, from..wanted.end);
    Ok(Body::Stream(if data.is_empty() { rest } else { stream::iter([Ok(data)]).chain(rest).boxed() }))
}

fn pieces(file: impl Reads, wanted: Range<u64>) -> BoxStream<'static, Result<Bytes>> {
    let (step, ahead) = (u64::from(file.step()), file.ahead());
    let file = Arc::new(file);
    let pieces = in_order(wanted, step, ahead, move |range| {
        let file = Arc::clone(&file);
        async move { piece(&*file, range).await }
    });
    until_error(pieces).boxed()
}

/// All of `wanted`, in as many READs as the server makes of it.
async fn piece(file: &impl Reads, wanted: Range<u64>) -> Result<Bytes> {
    let mut handle = file.known().handle.clone();
    let mut parts: Vec<Bytes> = Vec::new();
    let mut at = wanted.start;
    while at < wanted.end {
        let count = u32::try_from(wanted.end - at).unwrap_or(u32::MAX).min(file.step());
        let answer = match file.read_once(&handle, at, count).await {
            Err(failure) if failure.is_stale() => match file.find_again().await {
                Ok(found) => {
                    handle = found;
                    file.read_once(&handle, at, count).await
                }
                Err(failure) => Err(failure),
            },
            answer => answer,
        };
        let (piece, stamp) = match answer {
            Ok((piece, stamp)) => (piece.cut(count), stamp),
            Err(failure) => return Err(file.error(failure).await),
        };
        if !same_content(&file.known().stamp, &stamp) {
            return Err(changed(&file.known().path, "it was written while it was read"));
        }
        at += piece.data.len() as u64;
        if at < wanted.end && (piece.end || piece.data.is_empty()) {
            return Err(changed(&file.known().path, "it ends before the size that the server states"));
        }
        parts.push(piece.data);
    }
    Ok(joined(parts))
}
