//! Reading a file: opening and looking in one round trip, then one READ, or several in flight and in order, then
//! closing, which looks again.
//!
//! READ never goes in a chain. Samba answers a READ alone from a pool of threads, but one in a chain from the only
//! thread that the connection has (`schedule_smb2_aio_read`), which then waits for the disk while every other request
//! stands still: with disks that take 10 ms, 4 connections read 370 small files a second in chains, and 2500 without.

use crate::{
    attributes::{self, same_content},
    client::{self, Client, Place},
    connection::Request,
    failure::Failure,
    look,
    open::{self, Handle},
    wire::{
        file::{self, access, option},
        header::Command,
        query::{self, All, What},
        status::Status,
    },
};
use bytes::Bytes;
use futures::{StreamExt as _, stream, stream::BoxStream};
use model::RelPath;
use std::{ops::Range, sync::Arc};
use storage::{
    Body, Error, ErrorKind, ReadSpec, Reading, Result,
    pieces::{in_order, joined},
};

const OP: &str = "read";

/// READs in flight for one file. A stream holds as many pieces, taken or not.
const IN_FLIGHT: usize = 4;
/// Largest READ, bytes, if the server grants it.
const PIECE: u32 = 1 << 20;

const RIGHTS: u32 = access::READ_DATA | access::READ_ATTRIBUTES | access::SYNCHRONIZE;
const OPTIONS: u32 = option::NOT_DIRECTORY | option::BACKUP;

/// Content of the file at `path`.
pub(crate) async fn read(client: &Client, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
    let units = client::units(path, OP)?;
    let file = client.at(&units, opened).await;
    let (place, handle, all) = file.map_err(|failure| failure.at(OP, path))?;
    let entry = attributes::told(path.clone(), &all, place.volume, spec.want);
    if !look::is_file(&entry) {
        return Err(Error::new(ErrorKind::Invalid, OP).at(path).because("it is a directory"));
    }
    if spec.if_stamp.as_ref().is_some_and(|stamp| !same_content(stamp, &entry.stamp)) {
        return Err(changed(path, "it is no longer what was listed"));
    }
    let size = all.size;
    let wanted = spec.range.unwrap_or(0..size);
    if wanted.start > size {
        let why = format!("the range starts at {}, the file ends at {size}", wanted.start);
        return Err(Error::new(ErrorKind::Invalid, OP).at(path).because(why));
    }
    let wanted = wanted.start..wanted.end.min(size).max(wanted.start);
    let file = Opened { path: path.clone(), place, all, handle };
    let body = if wanted.end - wanted.start > u64::from(file.room()) {
        Body::Stream(file.pieces(wanted))
    } else {
        let content = file.piece(wanted).await?;
        file.finish().await?;
        Body::Whole(content)
    };
    Ok(Reading { entry, body })
}

async fn opened(place: Place) -> Result<(Place, Handle, All), Failure> {
    let look = vec![look::info(What::All)];
    let (handle, _, replies) = Handle::open(&place, "CREATE+QUERY_INFO", RIGHTS, OPTIONS, look).await?;
    let all = All::decode(&query::output(replies[0].good_or_cut()?)?)?;
    Ok((place, handle, all))
}

/// What READ brought; nothing at the end.
fn content(reply: &crate::connection::Reply) -> Result<Bytes, Failure> {
    match reply.status() {
        Status::END_OF_FILE => Ok(Bytes::new()),
        _ => Ok(file::content(reply.good()?)?),
    }
}

/// The file that is being read, as the first answer described it.
struct Opened {
    path: RelPath,
    place: Place,
    all: All,
    handle: Handle,
}

impl Opened {
    /// Most bytes that one READ may bring just now.
    fn room(&self) -> u32 {
        self.handle.session().read_room().min(PIECE)
    }

    fn pieces(self, wanted: Range<u64>) -> BoxStream<'static, Result<Bytes>> {
        let step = u64::from(self.room());
        let file = Arc::new(self);
        let last = Arc::clone(&file);
        let pieces = in_order(wanted, step, IN_FLIGHT, move |range| {
            let file = Arc::clone(&file);
            async move { file.piece(range).await }
        });
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
            let len = u32::try_from(wanted.end - at).unwrap_or(u32::MAX).min(self.room());
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
        Ok(joined(parts))
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
        self.compared(&now)
    }

    /// Is it now what it was?
    fn compared(&self, now: &All) -> Result<()> {
        let told = |all: &All| (all.size, all.written, all.changed, all.file_id);
        if told(now) == told(&self.all) { Ok(()) } else { Err(changed(&self.path, "it was written while it was read")) }
    }

    /// Closes the file, and looks at the same time whether it is still what it was; by its path where the server
    /// does not tell at closing.
    async fn finish(mut self) -> Result<()> {
        let closed = match self.handle.close().await {
            Ok(reply) => reply.good().and_then(|message| Ok(file::closed(message)?)),
            Err(failure) => Err(failure),
        };
        match closed.map_err(|failure| failure.at(OP, &self.path))? {
            Some(after) if attributes::unchanged(&self.all, &after) => Ok(()),
            Some(_) => Err(changed(&self.path, "it was written while it was read")),
            None => self.compared(&self.looked().await.map_err(|failure| failure.at(OP, &self.path))?),
        }
    }

    /// What the path tells now.
    async fn looked(&self) -> Result<All, Failure> {
        let (op, rights, middle) = ("CREATE+QUERY_INFO+CLOSE", access::READ_ATTRIBUTES, vec![look::info(What::All)]);
        let replies = open::visit(&self.place, op, rights, OPTIONS, middle).await?;
        Ok(All::decode(&query::output(replies[0].good_or_cut()?)?)?)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::Base,
        names::utf16,
        scripted::{Say, Scripted, all, content, created, guest},
    };
    use std::sync::atomic::{AtomicU32, Ordering};

    const FILE: All = All {
        created: 1,
        accessed: 2,
        written: 3,
        changed: 4,
        attributes: 0x80,
        allocated: 4096,
        size: 5,
        links: 1,
        directory: false,
        file_id: 6,
    };

    /// Reads from a server that says nothing at CLOSE, and where the file is `after` by then.
    async fn read_until(after: All) -> Result<Reading> {
        let opened = AtomicU32::new(0);
        let scripted = Scripted::start(move |asked| match asked.info() {
            Some((1, 18)) => all(if opened.load(Ordering::Relaxed) > 1 { &after } else { &FILE }),
            _ if asked.is(Command::Create) && !asked.name().is_empty() => {
                opened.fetch_add(1, Ordering::Relaxed);
                created()
            }
            _ if asked.is(Command::Read) => content(b"bytes"),
            _ => Say::Usual,
        });
        let scripted = scripted.await;
        let base = Base { host: "127.0.0.1".into(), port: scripted.port, share: utf16("share"), dir: Vec::new() };
        read(&Client::new(base, guest()), &"file".into(), ReadSpec::default()).await
    }

    #[tokio::test]
    async fn a_file_is_looked_at_by_its_path_where_closing_tells_nothing() {
        let reading = read_until(All { accessed: 9, allocated: 0, ..FILE }).await.unwrap();
        assert_eq!(reading.entry.stamp.size, 5);
        let others = [
            All { size: 6, ..FILE },
            All { written: 9, ..FILE },
            All { changed: 9, ..FILE },
            All { file_id: 9, ..FILE },
        ];
        for after in others {
            assert_eq!(read_until(after).await.unwrap_err().kind(), ErrorKind::Changed, "{after:?}");
        }
    }
}
