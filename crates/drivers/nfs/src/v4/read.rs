//! Reading a file: one READ where it fits, else several in flight, in order.

use super::{
    attributes::{Attributes, Bitmap, HANDLE_MAX},
    compound::{Compound, Reply, StateId, op},
    entry::{self, FILE, STAMP, same_content},
    failure::Failure,
    open::Opened,
    tree::{Shared, check_names},
};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream, stream::BoxStream};
use model::{RelPath, Stamp};
use std::{
    ops::Range,
    sync::{Arc, atomic::Ordering},
};
use storage::{Body, Error, ErrorKind, ReadSpec, Reading, Result};
use tokio_util::task::AbortOnDropHandle;

const OP: &str = "read";

/// Content of the file at `path`.
pub(crate) async fn read(tree: &Shared, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
    check_names(path, OP)?;
    let locator = spec.locator.clone().filter(|handle| (1..=HANDLE_MAX).contains(&handle.len()));
    let first = match begin(tree, path, locator, &spec).await {
        // The locator led nowhere, or a directory on the way was stale: the path decides.
        Err(failure) if failure.is_stale() => match tree.recover(path).await {
            Ok(()) => begin(tree, path, None, &spec).await,
            Err(failure) => Err(failure),
        },
        answer => answer,
    };
    let First { file, told, piece, wanted } = match first {
        Ok(first) => first,
        Err(failure) => return Err(tree.error(failure, OP, path).await),
    };
    let kind = told.kind;
    let Some(entry) = entry::entry(path.clone(), file.handle.clone(), told, spec.want) else {
        return Err(Error::new(ErrorKind::Unexpected, OP).at(path).because("the server does not tell what it is"));
    };
    if kind != Some(FILE) {
        let why = format!("it is a {}, not a file", entry.kind.word());
        return Err(Error::new(ErrorKind::Invalid, OP).at(path).because(why));
    }
    if spec.if_stamp.as_ref().is_some_and(|stamp| !same_content(stamp, &entry.stamp)) {
        return Err(changed(path, "it is no longer what was listed"));
    }
    let size = entry.stamp.size;
    if wanted.start > size {
        let why = format!("the range starts at {}, the file ends at {size}", wanted.start);
        return Err(Error::new(ErrorKind::Invalid, OP).at(path).because(why));
    }
    if !piece.steady {
        return Err(changed(path, "it was written while it was read"));
    }
    let body = file.body(wanted.start..wanted.end.min(size), piece)?;
    Ok(Reading { entry, body })
}

/// What the first request told.
struct First {
    file: File,
    /// As they were before anything was read: reading moves the time of last access.
    told: Attributes,
    /// Content from the start of `wanted`, and whether the file ends after it.
    piece: Piece,
    /// The range that was asked for, not yet cut at the end of the file.
    wanted: Range<u64>,
}

struct Piece {
    data: Bytes,
    end: bool,
    /// The file was the same before and after.
    steady: bool,
}

async fn begin(tree: &Shared, path: &RelPath, locator: Option<Bytes>, spec: &ReadSpec) -> Result<First, Failure> {
    let wanted = spec.range.clone().unwrap_or(0..u64::MAX);
    let asked = entry::asked(spec.want);
    let (handle, known) = if let Some(handle) = locator {
        (handle, None)
    } else {
        let (handle, told) = tree.find(path, asked).await?;
        (handle, Some(told))
    };
    let size = known.as_ref().and_then(|told| told.size).or(spec.if_stamp.as_ref().map(|stamp| stamp.size));
    let expected = wanted.end.min(size.unwrap_or(u64::MAX)).saturating_sub(wanted.start);
    let is_file = known.as_ref().is_none_or(|told| told.kind == Some(FILE));
    let file = |handle, stamp| File { tree: tree.clone(), path: path.clone(), handle, stamp, opened: Arc::default() };
    if expected == 0 || !is_file {
        // Nothing to read; what it is still has to be told, and an empty file may have grown.
        let told = match known {
            Some(told) => told,
            None => super::tree::getattr(&tree.client, &handle, asked).await?,
        };
        let piece = Piece { data: Bytes::new(), end: false, steady: true };
        return Ok(First { file: file(handle, entry::stamp(&told)), told, piece, wanted });
    }
    let count = u32::try_from(expected).unwrap_or(u32::MAX).min(tree.read_size);
    let mut file = file(handle, Stamp::default());
    if tree.opens.load(Ordering::Relaxed) {
        file.reopen(StateId::ANONYMOUS).await?;
    }
    let (told, piece) = file.first_read(wanted.start, count, asked).await?;
    file.stamp = entry::stamp(&told);
    Ok(First { file, told, piece, wanted })
}

/// The file that is being read, as the first answer described it.
struct File {
    tree: Shared,
    path: RelPath,
    handle: Bytes,
    stamp: Stamp,
    /// Where the server wants the file to be open.
    opened: Arc<tokio::sync::Mutex<Option<Arc<Opened>>>>,
}

impl File {
    /// Sends what `request` makes of the state under which we read; when the server does not take that state, once
    /// more under another.
    async fn call<T>(
        &self,
        request: impl Fn(StateId) -> Compound + Send + Sync,
        decode: impl Fn(Reply) -> Result<T, Failure> + Send + Sync,
    ) -> Result<T, Failure> {
        let client = &self.tree.client;
        let state = self.opened.lock().await.as_ref().map_or(StateId::ANONYMOUS, |opened| opened.state);
        match client.call(&request(state)).await.and_then(&decode) {
            Err(Failure::Status(status)) if status.wants_open() => {
                tracing::debug!(server = %client.party.server, %status, "the file is opened for reading");
                let state = self.reopen(state).await?;
                let answer = client.call(&request(state)).await.and_then(&decode);
                if answer.is_ok() {
                    self.tree.opens.store(true, Ordering::Relaxed);
                }
                answer
            }
            answer => answer,
        }
    }

    /// Attributes, one READ, and whether the file was still the same after it.
    async fn first_read(&self, at: u64, count: u32, asked: Bitmap) -> Result<(Attributes, Piece), Failure> {
        self.call(
            |state| Compound::new("READ").put(&self.handle).attributes(asked).read(state, at, count).attributes(STAMP),
            |mut reply| {
                reply.done(op::PUTFH)?;
                let told = reply.attributes()?;
                if told.kind != Some(FILE) {
                    return Ok((told, Piece { data: Bytes::new(), end: true, steady: true }));
                }
                let (mut data, end) = reply.content()?;
                data.truncate(usize::try_from(count).unwrap_or(usize::MAX));
                let steady = same_content(&entry::stamp(&told), &entry::stamp(&reply.attributes()?));
                Ok((told, Piece { data, end, steady }))
            },
        )
        .await
    }

    /// Opens the file, unless somebody did since `refused` was the state.
    async fn reopen(&self, refused: StateId) -> Result<StateId, Failure> {
        let mut opened = self.opened.lock().await;
        if let Some(other) = opened.as_ref().filter(|opened| opened.state != refused) {
            return Ok(other.state);
        }
        let fresh = Opened::new(&self.tree, &self.handle).await?;
        let state = fresh.state;
        *opened = Some(Arc::new(fresh));
        Ok(state)
    }

    /// Content of `wanted`, of which `first` is the beginning.
    fn body(self, wanted: Range<u64>, first: Piece) -> Result<Body> {
        let len = wanted.end - wanted.start.min(wanted.end);
        let Piece { mut data, end, .. } = first;
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
        let step = u64::from(self.tree.read_size);
        let end = wanted.end;
        let ahead = self.tree.client.party.manner.read_ahead;
        let file = Arc::new(self);
        let starts =
            std::iter::successors(Some(wanted.start), move |at| at.checked_add(step)).take_while(move |at| *at < end);
        stream::iter(starts)
            .map(move |at| {
                let file = file.clone();
                // A task of its own: what was read ahead does not wait until somebody asks for it.
                let task = tokio::spawn(async move { file.piece(at..end.min(at.saturating_add(step))).await });
                AbortOnDropHandle::new(task)
            })
            .buffered(ahead)
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
            let count = u32::try_from(wanted.end - at).unwrap_or(u32::MAX).min(self.tree.read_size);
            let answer = match self.read_once(&handle, at, count).await {
                Err(failure) if failure.is_stale() => match self.find_again().await {
                    Ok(found) => {
                        handle = found;
                        self.read_once(&handle, at, count).await
                    }
                    Err(failure) => Err(failure),
                },
                answer => answer,
            };
            let (data, end, told) = match answer {
                Ok(read) => read,
                Err(failure) => return Err(self.tree.error(failure, OP, &self.path).await),
            };
            if !same_content(&self.stamp, &entry::stamp(&told)) {
                return Err(changed(&self.path, "it was written while it was read"));
            }
            at += data.len() as u64;
            if at < wanted.end && (end || data.is_empty()) {
                return Err(changed(&self.path, "it ends before the size that the server states"));
            }
            parts.push(data);
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

    /// One READ, and what the file was after it.
    async fn read_once(&self, handle: &Bytes, at: u64, count: u32) -> Result<(Bytes, bool, Attributes), Failure> {
        self.call(
            |state| Compound::new("READ").put(handle).read(state, at, count).attributes(STAMP),
            |mut reply| {
                reply.done(op::PUTFH)?;
                let (mut data, end) = reply.content()?;
                data.truncate(usize::try_from(count).unwrap_or(usize::MAX));
                Ok((data, end, reply.attributes()?))
            },
        )
        .await
    }

    async fn find_again(&self) -> Result<Bytes, Failure> {
        self.tree.recover(&self.path).await?;
        Ok(self.tree.find(&self.path, STAMP).await?.0)
    }
}

fn changed(path: &RelPath, why: &'static str) -> Error {
    Error::new(ErrorKind::Changed, OP).at(path).because(why)
}
