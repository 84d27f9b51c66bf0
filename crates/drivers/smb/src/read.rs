//! Reading a file: opening, looking, reading and closing in one round trip where it fits; else several READs in
//! flight, in order.

use crate::{
    attributes::{self, same_content},
    client::{self, Client, Place},
    connection::Request,
    failure::Failure,
    look,
    open::{self, Handle},
    wire::{
        file::{self, RELATED, access, option},
        header::Command,
        query::{self, All, What},
        status::Status,
    },
};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream, stream::BoxStream};
use model::RelPath;
use std::{ops::Range, sync::Arc};
use storage::{Body, Error, ErrorKind, ReadSpec, Reading, Result};
use tokio_util::task::AbortOnDropHandle;

const OP: &str = "read";

/// READs in flight for one file. A stream holds as many pieces, taken or not.
const IN_FLIGHT: usize = 4;
/// Largest READ, bytes, if the server grants it.
const PIECE: u32 = 1 << 20;
/// Read at once from a file whose size is not known.
const FIRST: u32 = 64 << 10;

const RIGHTS: u32 = access::READ_DATA | access::READ_ATTRIBUTES | access::SYNCHRONIZE;
const OPTIONS: u32 = option::NOT_DIRECTORY | option::BACKUP;

/// Content of the file at `path`.
pub(crate) async fn read(client: &Client, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
    let units = client::units(path, OP)?;
    let begun = client.at(&units, |place| begin(place, &spec)).await;
    let First { all, volume, piece, wanted, handle } = begun.map_err(|failure| failure.at(OP, path))?;
    let entry = attributes::told(path.clone(), &all, volume, spec.want);
    if !look::is_file(&entry) {
        return Err(Error::new(ErrorKind::Invalid, OP).at(path).because("it is a directory"));
    }
    if spec.if_stamp.as_ref().is_some_and(|stamp| !same_content(stamp, &entry.stamp)) {
        return Err(changed(path, "it is no longer what was listed"));
    }
    let size = all.size;
    if wanted.start > size {
        let why = format!("the range starts at {}, the file ends at {size}", wanted.start);
        return Err(Error::new(ErrorKind::Invalid, OP).at(path).because(why));
    }
    let wanted = wanted.start..wanted.end.min(size).max(wanted.start);
    let body = body(path, all, handle, wanted, piece).await?;
    Ok(Reading { entry, body })
}

/// What the first round trip gave.
struct First {
    all: All,
    volume: u32,
    /// Content from the start of `wanted`.
    piece: Bytes,
    /// The range that was asked for, not yet cut at the end of the file.
    wanted: Range<u64>,
    /// Open, when there may be more.
    handle: Option<Handle>,
}

async fn begin(place: Place, spec: &ReadSpec) -> Result<First, Failure> {
    let wanted = spec.range.clone().unwrap_or(0..u64::MAX);
    let asked = wanted.end.saturating_sub(wanted.start);
    let known = spec.if_stamp.as_ref().map(|stamp| stamp.size.saturating_sub(wanted.start).min(asked));
    let room = place.session.read_room().min(PIECE);
    // All of it in one piece, as far as one can know.
    let whole = known.or(spec.range.is_some().then_some(asked)).and_then(|len| u32::try_from(len).ok());
    let whole = whole.filter(|len| *len <= room);
    let len = whole.unwrap_or(FIRST.min(room));
    let mut middle = vec![look::info(What::All)];
    if len > 0 {
        middle.push(Request::bringing(Command::Read, file::read(&RELATED, wanted.start, len), len));
    }
    if whole.is_some() {
        let visit = open::visit(&place, "CREATE+QUERY_INFO+READ+CLOSE", RIGHTS, OPTIONS, middle).await?;
        let all = All::decode(&query::output(visit.replies[0].good_or_cut()?)?)?;
        let piece = visit.replies.get(1).map_or(Ok(Bytes::new()), content)?;
        if let Some(after) = file::closed(visit.closed.good()?)?
            && !attributes::unchanged(&all, &after)
        {
            return Err(Failure::Changed);
        }
        // More than one piece when the file is longer than was thought.
        let needs = all.size.min(wanted.end).saturating_sub(wanted.start);
        let handle = if needs > piece.len() as u64 {
            Some(Handle::open(&place, "CREATE", RIGHTS, OPTIONS, Vec::new()).await?.0)
        } else {
            None
        };
        return Ok(First { all, volume: place.tree.volume, piece, wanted, handle });
    }
    let (handle, _, replies) = Handle::open(&place, "CREATE+QUERY_INFO+READ", RIGHTS, OPTIONS, middle).await?;
    let all = All::decode(&query::output(replies[0].good_or_cut()?)?)?;
    let piece = replies.get(1).map_or(Ok(Bytes::new()), content)?;
    Ok(First { all, volume: place.tree.volume, piece, wanted, handle: Some(handle) })
}

/// What READ brought; nothing at the end.
fn content(reply: &crate::connection::Reply) -> Result<Bytes, Failure> {
    match reply.status() {
        Status::END_OF_FILE => Ok(Bytes::new()),
        _ => Ok(file::content(reply.good()?)?),
    }
}

/// Content of `wanted`, of which `first` is the beginning.
async fn body(path: &RelPath, all: All, handle: Option<Handle>, wanted: Range<u64>, mut first: Bytes) -> Result<Body> {
    let len = wanted.end - wanted.start;
    if first.len() as u64 >= len {
        first.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        if let Some(handle) = handle {
            let open = Opened { path: path.clone(), all, handle };
            open.finish().await?;
        }
        return Ok(Body::Whole(first));
    }
    let Some(handle) = handle else {
        return Err(changed(path, "it ends before the size that the server states"));
    };
    let from = wanted.start + first.len() as u64;
    let rest = Opened { path: path.clone(), all, handle }.pieces(from..wanted.end);
    Ok(Body::Stream(if first.is_empty() { rest } else { stream::iter([Ok(first)]).chain(rest).boxed() }))
}

/// The file that is being read, as the first answer described it.
struct Opened {
    path: RelPath,
    all: All,
    handle: Handle,
}

impl Opened {
    fn pieces(self, wanted: Range<u64>) -> BoxStream<'static, Result<Bytes>> {
        let step = u64::from(self.handle.session().read_room().min(PIECE));
        let end = wanted.end;
        let file = Arc::new(self);
        let last = Arc::clone(&file);
        let starts =
            std::iter::successors(Some(wanted.start), move |at| at.checked_add(step)).take_while(move |at| *at < end);
        let pieces = stream::iter(starts)
            .map(move |at| {
                let file = Arc::clone(&file);
                // A task of its own, so that READs go on while the reader pauses.
                let task = tokio::spawn(async move { file.piece(at..end.min(at.saturating_add(step))).await });
                AbortOnDropHandle::new(task)
            })
            .buffered(IN_FLIGHT)
            .map(|done| done.unwrap_or_else(|e| Err(Error::new(ErrorKind::Unexpected, OP).because(e))));
        // Every piece waits for the one behind it, so that the last is given only after the file was looked at again.
        stream::unfold(Some((pieces.boxed(), None, last)), |state| async move {
            let (mut pieces, mut held, file) = state?;
            loop {
                match (pieces.next().await, held.take()) {
                    (Some(Err(error)), _) => return Some((Err(error), None)),
                    (Some(Ok(piece)), None) => held = Some(piece),
                    (Some(Ok(piece)), Some(ready)) => return Some((Ok(ready), Some((pieces, Some(piece), file)))),
                    (None, None) => return None,
                    (None, Some(ready)) => {
                        drop(pieces);
                        return Some((last_look(file).await.map(|()| ready), None));
                    }
                }
            }
        })
        .boxed()
    }

    /// All of `wanted`, in as many READs as the server makes of it.
    async fn piece(&self, wanted: Range<u64>) -> Result<Bytes> {
        let mut parts: Vec<Bytes> = Vec::new();
        let mut at = wanted.start;
        while at < wanted.end {
            let room = self.handle.session().read_room().min(PIECE);
            let len = u32::try_from(wanted.end - at).unwrap_or(u32::MAX).min(room);
            let request = Request::bringing(Command::Read, file::read(self.handle.id(), at, len), len);
            let answer = match self.handle.request("READ", request).await {
                Ok(reply) => content(&reply),
                Err(failure) => Err(failure),
            };
            let piece = answer.map_err(|failure| failure.at(OP, &self.path))?;
            if piece.is_empty() || piece.len() as u64 > wanted.end - at {
                return Err(changed(&self.path, "it ends before the size that the server states"));
            }
            at += piece.len() as u64;
            parts.push(piece);
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

    /// Looks whether the file is still what it was, as the server tells it of the open file.
    async fn finished(&self) -> Result<()> {
        let body = query::info(self.handle.id(), What::All, look::INFO_ROOM);
        let request = Request::bringing(Command::QueryInfo, body, look::INFO_ROOM);
        let now = match self.handle.request("QUERY_INFO", request).await {
            Ok(reply) => reply.good_or_cut().and_then(|message| Ok(All::decode(&query::output(message)?)?)),
            Err(failure) => Err(failure),
        };
        let now = now.map_err(|failure| failure.at(OP, &self.path))?;
        let same = (now.size, now.written, now.changed) == (self.all.size, self.all.written, self.all.changed);
        if same { Ok(()) } else { Err(changed(&self.path, "it was written while it was read")) }
    }

    /// Closes the file, and looks at the same time whether it is still what it was.
    async fn finish(self) -> Result<()> {
        let closed = match self.handle.close().await {
            Ok(reply) => reply.good().and_then(|message| Ok(file::closed(message)?)),
            Err(failure) => Err(failure),
        };
        match closed.map_err(|failure| failure.at(OP, &self.path))? {
            Some(after) if !attributes::unchanged(&self.all, &after) => {
                Err(changed(&self.path, "it was written while it was read"))
            }
            _ => Ok(()),
        }
    }
}

/// Looks whether the file is still what it was, after every piece came.
///
/// By closing it: of a file that is open, Samba tells the times it had when it was opened, unless SMB itself wrote it.
async fn last_look(file: Arc<Opened>) -> Result<()> {
    match Arc::try_unwrap(file) {
        Ok(file) => file.finish().await,
        Err(file) => file.finished().await,
    }
}

fn changed(path: &RelPath, why: &'static str) -> Error {
    Error::new(ErrorKind::Changed, OP).at(path).because(why)
}
