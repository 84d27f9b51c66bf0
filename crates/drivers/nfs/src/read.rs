//! Reading a file: one READ where it fits, else several in flight, in order.

use crate::{
    attributes::{self, same_content},
    decode::Content,
    failure::Failure,
    handles::{Share, Shared, check_names},
};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream, stream::BoxStream};
use model::{RelPath, Stamp};
use nfs3_types::nfs3::{NFS3_FHSIZE, fattr3, ftype3, nfstime3};
use std::{ops::Range, sync::Arc};
use storage::{Body, Error, ErrorKind, ReadSpec, Reading, Result};
use tokio_util::task::AbortOnDropHandle;

const OP: &str = "read";

/// Content of the file at `path`.
pub(crate) async fn read(share: &Shared, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
    check_names(path, OP)?;
    let locator = spec.locator.clone().filter(|handle| (1..=NFS3_FHSIZE).contains(&handle.len()));
    let first = match begin(share, path, locator, &spec).await {
        // The locator led nowhere, or a directory on the way was stale: the path decides.
        Err(failure) if failure.is_stale() => match share.recover(path).await {
            Ok(()) => begin(share, path, None, &spec).await,
            Err(failure) => Err(failure),
        },
        answer => answer,
    };
    let First { handle, attributes, accessed, piece, wanted } =
        first.map_err(|failure| share.error(failure, OP, path))?;
    if attributes.type_ != ftype3::NF3REG {
        return Err(Error::new(ErrorKind::Invalid, OP)
            .at(path)
            .because(format!("it is {}, not a file", attributes.type_)));
    }
    let mut entry = attributes::entry(path.clone(), handle.clone(), &attributes, spec.want);
    if let Some(meta) = &mut entry.meta {
        meta.atime = accessed.map(attributes::timestamp);
    }
    if spec.if_stamp.as_ref().is_some_and(|stamp| !same_content(stamp, &entry.stamp)) {
        return Err(changed(path, "it is no longer what was listed"));
    }
    let size = entry.stamp.size;
    if wanted.start > size {
        let why = format!("the range starts at {}, the file ends at {size}", wanted.start);
        return Err(Error::new(ErrorKind::Invalid, OP).at(path).because(why));
    }
    let rest = Rest { share: share.clone(), path: path.clone(), handle, stamp: entry.stamp.clone() };
    let body = rest.body(wanted.start..wanted.end.min(size), piece)?;
    Ok(Reading { entry, body })
}

/// What the first request told.
struct First {
    handle: Bytes,
    attributes: fattr3,
    /// When it was last read before us. After a READ the attributes tell the time of that READ, which is no
    /// fact about the file; a caller with a locator knows the time from the listing that gave it.
    accessed: Option<nfstime3>,
    /// Content from the start of `wanted`, and whether the file ends after it.
    piece: Piece,
    /// The range that was asked for, not yet cut at the end of the file.
    wanted: Range<u64>,
}

#[derive(Default)]
struct Piece {
    data: Bytes,
    end: bool,
}

async fn begin(share: &Share, path: &RelPath, locator: Option<Bytes>, spec: &ReadSpec) -> Result<First, Failure> {
    let wanted = spec.range.clone().unwrap_or(0..u64::MAX);
    let (handle, known) = if let Some(handle) = locator {
        (handle, None)
    } else {
        let (handle, attributes) = share.find(path).await?;
        (handle, Some(attributes))
    };
    let size = known.as_ref().map(|a| a.size).or(spec.if_stamp.as_ref().map(|stamp| stamp.size));
    let expected = wanted.end.min(size.unwrap_or(u64::MAX)).saturating_sub(wanted.start);
    let is_file = known.as_ref().is_none_or(|a| a.type_ == ftype3::NF3REG);
    if expected == 0 || !is_file {
        // Nothing to read; what it is still has to be told, and an empty file may have grown.
        let attributes = match known {
            Some(attributes) => attributes,
            None => share.pool.getattr(&handle).await?,
        };
        let accessed = Some(attributes.atime);
        return Ok(First { handle, attributes, accessed, piece: Piece::default(), wanted });
    }
    let (piece, attributes) = read_once(share, &handle, wanted.start, expected).await?;
    let accessed = known.map(|before| before.atime);
    Ok(First { handle, attributes, accessed, piece, wanted })
}

/// One READ of at most `len` bytes, with the attributes after it.
async fn read_once(share: &Share, handle: &Bytes, offset: u64, len: u64) -> Result<(Piece, fattr3), Failure> {
    let count = u32::try_from(len).unwrap_or(u32::MAX).min(share.read_size);
    let Content { attributes, end, mut data } = share.pool.read(handle, offset, count).await?;
    let attributes = match attributes {
        Some(attributes) => attributes,
        None => share.pool.getattr(handle).await?,
    };
    data.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    Ok((Piece { data, end }, attributes))
}

/// The file that is being read, as the first answer described it.
struct Rest {
    share: Shared,
    path: RelPath,
    handle: Bytes,
    stamp: Stamp,
}

impl Rest {
    /// Content of `wanted`, of which `first` is the beginning.
    fn body(self, wanted: Range<u64>, first: Piece) -> Result<Body> {
        let len = wanted.end - wanted.start.min(wanted.end);
        let Piece { mut data, end } = first;
        if data.len() as u64 >= len {
            data.truncate(usize::try_from(len).unwrap_or(usize::MAX));
            return Ok(Body::Whole(data));
        }
        if end {
            return Err(changed(&self.path, "it ends before the size that the server states"));
        }
        let from = wanted.start + data.len() as u64;
        let rest = self.pieces(from..wanted.end);
        Ok(Body::Stream(if data.is_empty() { rest } else { stream::iter([Ok(data)]).chain(rest).boxed() }))
    }

    fn pieces(self, wanted: Range<u64>) -> BoxStream<'static, Result<Bytes>> {
        let step = u64::from(self.share.read_size);
        // READs in flight: the stream holds as many pieces of at most 1 MiB, taken or not.
        let together = self.share.manner.read_ahead;
        let end = wanted.end;
        let file = Arc::new(self);
        let starts =
            std::iter::successors(Some(wanted.start), move |at| at.checked_add(step)).take_while(move |at| *at < end);
        stream::iter(starts)
            .map(move |at| {
                let file = file.clone();
                // A task of its own: a reader that pauses must not hold up requests that wait for their turn.
                let task = tokio::spawn(async move { file.piece(at..end.min(at.saturating_add(step))).await });
                AbortOnDropHandle::new(task)
            })
            .buffered(together)
            .map(|done| done.unwrap_or_else(|e| Err(Error::new(ErrorKind::Unexpected, OP).because(e))))
            // The stream ends after the first error.
            .scan(false, |failed, piece| {
                let item = (!*failed).then_some(piece);
                *failed = *failed || item.as_ref().is_some_and(Result::is_err);
                std::future::ready(item)
            })
            .boxed()
    }

    /// All of `wanted`, in as many READs as the server makes of it.
    async fn piece(&self, wanted: Range<u64>) -> Result<Bytes> {
        let mut handle = self.handle.clone();
        let mut parts: Vec<Bytes> = Vec::new();
        let mut at = wanted.start;
        while at < wanted.end {
            let (piece, attributes) = match read_once(&self.share, &handle, at, wanted.end - at).await {
                Err(failure) if failure.is_stale() => {
                    let found = self.find_again().await.map_err(|failure| self.share.error(failure, OP, &self.path))?;
                    handle = found.0;
                    read_once(&self.share, &handle, at, wanted.end - at).await
                }
                answer => answer,
            }
            .map_err(|failure| self.share.error(failure, OP, &self.path))?;
            if !same_content(&self.stamp, &attributes::stamp(&attributes)) {
                return Err(changed(&self.path, "it was written while it was read"));
            }
            at += piece.data.len() as u64;
            if at < wanted.end && (piece.end || piece.data.is_empty()) {
                return Err(changed(&self.path, "it ends before the size that the server states"));
            }
            parts.push(piece.data);
        }
        if parts.len() == 1 {
            return Ok(parts.swap_remove(0));
        }
        let mut joined = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
        for part in &parts {
            joined.extend_from_slice(part);
        }
        Ok(joined.freeze())
    }

    async fn find_again(&self) -> Result<(Bytes, fattr3), Failure> {
        self.share.recover(&self.path).await?;
        self.share.find(&self.path).await
    }
}

fn changed(path: &RelPath, why: &'static str) -> Error {
    Error::new(ErrorKind::Changed, OP).at(path).because(why)
}
