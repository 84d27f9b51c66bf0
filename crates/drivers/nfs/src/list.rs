//! Listing a directory: READDIRPLUS, one answer a page.

use crate::{
    attributes,
    failure::Failure,
    handles::{Share, Shared, check_names, getattr, lookup, wire_handle},
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use model::{Entry, Facets, Kind, RelPath};
use nfs3_types::nfs3::{
    NFS_PROGRAM, Nfs3Option, READDIR3args, READDIR3res, READDIRPLUS3args, READDIRPLUS3res, READLINK3args, READLINK3res,
    cookieverf3, fattr3, nfsstat3,
};
use std::sync::atomic::Ordering;
use storage::{Cursor, Error, ErrorKind, ListSpec, Page, Result};

const OP: &str = "list";

/// Pages of `dir`.
pub(crate) fn list(share: Shared, dir: &RelPath, spec: &ListSpec) -> BoxStream<'static, Result<Page>> {
    let start = Listing::start(share, dir, spec).map(Some);
    stream::unfold(start, |state| async move {
        match state {
            Ok(None) => None,
            Err(refused) => Some((Err(refused), Ok(None))),
            Ok(Some(mut listing)) => match listing.page().await {
                Ok(page) => {
                    let more = page.next.is_some().then_some(listing);
                    Some((Ok(page), Ok(more)))
                }
                Err(error) => Some((Err(error), Ok(None))),
            },
        }
    })
    .boxed()
}

struct Listing {
    share: Shared,
    dir: RelPath,
    want: Facets,
    place: Place,
}

/// Where in a directory the next page starts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    cookie: u64,
    verifier: [u8; 8],
    /// Handle of the directory; looked up when empty.
    dir: Bytes,
}

/// One name as a READDIR or READDIRPLUS tells it.
struct Raw {
    name: Vec<u8>,
    cookie: u64,
    handle: Option<Bytes>,
    attributes: Option<fattr3>,
}

struct RawPage {
    entries: Vec<Raw>,
    verifier: [u8; 8],
    end: bool,
}

impl Listing {
    fn start(share: Shared, dir: &RelPath, spec: &ListSpec) -> Result<Self> {
        check_names(dir, OP)?;
        if spec.recursive {
            return Err(Error::new(ErrorKind::Unsupported, OP).at(dir).because("NFS lists one directory at a time"));
        }
        let place = match &spec.from {
            None => Place { cookie: 0, verifier: [0; 8], dir: Bytes::new() },
            Some(cursor) => Place::from_cursor(cursor).ok_or_else(|| {
                Error::new(ErrorKind::Changed, OP).at(dir).because("the cursor is not one of this driver")
            })?,
        };
        Ok(Self { share, dir: dir.clone(), want: spec.want, place })
    }

    async fn page(&mut self) -> Result<Page> {
        let raw = match self.raw_page().await {
            Err(failure) if failure.is_stale() => {
                // The server restarted, or the directory is another by now: the path decides.
                self.place.dir = Bytes::new();
                match self.share.recover(&self.dir).await {
                    Ok(()) => self.raw_page().await,
                    Err(failure) => Err(failure),
                }
            }
            answer => answer,
        };
        let raw = raw.map_err(|failure| self.share.error(failure, OP, &self.dir))?;
        let broken = |why: &'static str| Error::new(ErrorKind::Unexpected, OP).at(&self.dir).because(why);
        let next = match raw.entries.last() {
            _ if raw.end => None,
            None => return Err(broken("the server sent a page without entries that is not the last")),
            Some(last) if last.cookie == self.place.cookie => {
                return Err(broken("the server sends the same page again and again"));
            }
            Some(last) => Some(Place { cookie: last.cookie, verifier: raw.verifier, dir: self.place.dir.clone() }),
        };
        if raw.entries.iter().any(|entry| entry.name.is_empty() || entry.name.iter().any(|b| matches!(b, 0 | b'/'))) {
            return Err(broken("the server sent a name that is empty or holds a slash or NUL"));
        }
        let entries = self.complete(raw.entries).await?;
        if let Some(place) = &next {
            self.place = place.clone();
        }
        Ok(Page { entries, next: next.map(|place| place.cursor()) })
    }

    async fn raw_page(&mut self) -> Result<RawPage, Failure> {
        if self.place.dir.is_empty() {
            self.place.dir = self.share.directory(&self.dir).await?;
        }
        if !self.share.plain_readdir.load(Ordering::Relaxed) {
            match readdirplus(&self.share, &self.place).await {
                Err(Failure::Status(nfsstat3::NFS3ERR_NOTSUPP)) if self.place.cookie == 0 => {
                    tracing::debug!(server = %self.share.pool.server(), "no READDIRPLUS, every entry is looked up");
                    self.share.plain_readdir.store(true, Ordering::Relaxed);
                }
                answer => return answer,
            }
        }
        readdir(&self.share, &self.place).await
    }

    /// Entries with everything that the page left out: attributes and handles by LOOKUP, targets of links by
    /// READLINK, several at a time. What vanished meanwhile is left out.
    async fn complete(&self, raw: Vec<Raw>) -> Result<Vec<Entry>> {
        let listed = raw.into_iter().filter(|raw| !matches!(raw.name.as_slice(), b"." | b".."));
        let items: Vec<Item> = listed.map(|raw| self.item(raw)).collect();
        if items.iter().all(|item| matches!(item, Item::Whole(_))) {
            let whole =
                items.into_iter().filter_map(|item| if let Item::Whole(entry) = item { Some(entry) } else { None });
            return Ok(whole.collect());
        }
        let completed = stream::iter(items).map(|item| self.completed(item)).buffered(self.share.pool.width());
        completed.try_filter_map(|entry| std::future::ready(Ok(entry))).try_collect().await
    }

    fn item(&self, raw: Raw) -> Item {
        let path = self.dir.join(&raw.name);
        let (Some(handle), Some(attributes)) = (&raw.handle, &raw.attributes) else {
            return Item::Bare(path, raw.handle);
        };
        let entry = attributes::entry(path, handle.clone(), attributes, self.want);
        match entry.kind {
            Kind::Symlink { .. } => return Item::Link(entry),
            Kind::Dir => self.share.remember(entry.path.clone(), handle.clone()),
            Kind::File | Kind::Special(_) => {}
        }
        Item::Whole(entry)
    }

    /// One entry with everything; `None` when it is gone.
    async fn completed(&self, item: Item) -> Result<Option<Entry>> {
        let (path, entry) = match item {
            Item::Whole(entry) => return Ok(Some(entry)),
            Item::Link(entry) => (entry.path.clone(), self.with_target(entry).await),
            Item::Bare(path, handle) => (path.clone(), self.looked_up(path, handle).await),
        };
        match entry {
            Ok(entry) => Ok(Some(entry)),
            Err(failure) if failure.is_stale() => Ok(None),
            Err(Failure::Status(nfsstat3::NFS3ERR_NOENT)) => Ok(None),
            Err(failure) => Err(self.share.error(failure, OP, &path)),
        }
    }

    async fn with_target(&self, mut entry: Entry) -> Result<Entry, Failure> {
        add_link_target(&self.share, &mut entry).await?;
        Ok(entry)
    }

    async fn looked_up(&self, path: RelPath, handle: Option<Bytes>) -> Result<Entry, Failure> {
        let (handle, attributes) = match handle {
            Some(handle) => (handle.clone(), getattr(&self.share.pool, &handle).await?),
            None => lookup(&self.share.pool, self.place.dir.clone(), path.file_name()).await?,
        };
        self.with_target(attributes::entry(path, handle, &attributes, self.want)).await
    }
}

/// A listed name and what is still to be asked.
enum Item {
    Whole(Entry),
    /// A symbolic link without its target.
    Link(Entry),
    /// A name without attributes, or without a handle.
    Bare(RelPath, Option<Bytes>),
}

/// Asks where a symbolic link points; nothing to do for anything else.
pub(crate) async fn add_link_target(share: &Share, entry: &mut Entry) -> Result<(), Failure> {
    let (Kind::Symlink { target }, Some(handle)) = (&mut entry.kind, &entry.locator) else { return Ok(()) };
    let args = READLINK3args { symlink: wire_handle(handle) };
    let answer = share.pool.nfs::<READLINK3res>(NFS_PROGRAM::NFSPROC3_READLINK, &args).await?;
    *target = answer.data.0.into_owned().into();
    Ok(())
}

async fn readdirplus(share: &Share, place: &Place) -> Result<RawPage, Failure> {
    let args = READDIRPLUS3args {
        dir: wire_handle(&place.dir),
        cookie: place.cookie,
        cookieverf: cookieverf3(place.verifier),
        dircount: share.dir_size,
        maxcount: share.dir_size,
    };
    let answer = share.pool.nfs::<READDIRPLUS3res>(NFS_PROGRAM::NFSPROC3_READDIRPLUS, &args).await?;
    let entries = answer.reply.entries.into_inner().into_iter().map(|entry| Raw {
        name: entry.name.0.into_owned(),
        cookie: entry.cookie,
        handle: match entry.name_handle {
            Nfs3Option::Some(handle) => Some(handle.data.into_owned().into()),
            Nfs3Option::None => None,
        },
        attributes: match entry.name_attributes {
            Nfs3Option::Some(attributes) => Some(attributes),
            Nfs3Option::None => None,
        },
    });
    Ok(RawPage { entries: entries.collect(), verifier: answer.cookieverf.0, end: answer.reply.eof })
}

async fn readdir(share: &Share, place: &Place) -> Result<RawPage, Failure> {
    let args = READDIR3args {
        dir: wire_handle(&place.dir),
        cookie: place.cookie,
        cookieverf: cookieverf3(place.verifier),
        count: share.dir_size,
    };
    let answer = share.pool.nfs::<READDIR3res>(NFS_PROGRAM::NFSPROC3_READDIR, &args).await?;
    let entries = answer.reply.entries.into_inner().into_iter();
    let raw = entries.map(|e| Raw { name: e.name.0.into_owned(), cookie: e.cookie, handle: None, attributes: None });
    Ok(RawPage { entries: raw.collect(), verifier: answer.cookieverf.0, end: answer.reply.eof })
}

impl Place {
    /// Cookie, verifier, handle.
    fn cursor(&self) -> Cursor {
        let mut raw = Vec::with_capacity(16 + self.dir.len());
        raw.extend_from_slice(&self.cookie.to_be_bytes());
        raw.extend_from_slice(&self.verifier);
        raw.extend_from_slice(&self.dir);
        Cursor(raw.into())
    }

    fn from_cursor(cursor: &Cursor) -> Option<Self> {
        let (cookie, rest) = cursor.0.split_first_chunk::<8>()?;
        let (verifier, dir) = rest.split_first_chunk::<8>()?;
        Some(Self { cookie: u64::from_be_bytes(*cookie), verifier: *verifier, dir: cursor.0.slice_ref(dir) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_holds_the_place_in_a_directory() {
        let place = Place { cookie: u64::MAX - 1, verifier: *b"verifier", dir: Bytes::from_static(b"handle") };
        assert_eq!(Place::from_cursor(&place.cursor()), Some(place));
        assert_eq!(Place::from_cursor(&Cursor(Bytes::from_static(b"short"))), None);
    }
}
