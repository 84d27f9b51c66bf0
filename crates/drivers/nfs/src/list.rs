//! Listing a directory: READDIRPLUS, one answer a page.

use crate::{
    attributes,
    calls::Place,
    decode::{self, Listed, Listing},
    failure::Failure,
    handles::{Share, Shared, check_names},
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use model::{Entry, Facets, Kind, RelPath};
use nfs3_types::nfs3::nfsstat3;
use std::sync::atomic::Ordering;
use storage::{Cursor, Error, ErrorKind, ListSpec, Page, Result};

const OP: &str = "list";

/// Pages of `dir`.
pub(crate) fn list(share: Shared, dir: &RelPath, spec: &ListSpec) -> BoxStream<'static, Result<Page>> {
    let start = Pages::start(share, dir, spec).map(Some);
    stream::unfold(start, |state| async move {
        match state {
            Ok(None) => None,
            Err(refused) => Some((Err(refused), Ok(None))),
            Ok(Some(mut pages)) => match pages.page().await {
                Ok(page) => {
                    let more = page.next.is_some().then_some(pages);
                    Some((Ok(page), Ok(more)))
                }
                Err(error) => Some((Err(error), Ok(None))),
            },
        }
    })
    .boxed()
}

struct Pages {
    share: Shared,
    dir: RelPath,
    want: Facets,
    place: Place,
}

/// A page as the server sent it, without `.` and `..`.
struct RawPage {
    /// None when a name is one that nobody can have.
    items: Option<Vec<Item>>,
    /// Cookie of its last entry, `.` and `..` included; none when it has no entries at all.
    last: Option<u64>,
    verifier: [u8; 8],
    end: bool,
}

impl Pages {
    fn start(share: Shared, dir: &RelPath, spec: &ListSpec) -> Result<Self> {
        check_names(dir, OP)?;
        if spec.recursive {
            return Err(Error::new(ErrorKind::Unsupported, OP).at(dir).because("NFS lists one directory at a time"));
        }
        let place = match &spec.from {
            None => Place { cookie: 0, verifier: [0; 8], dir: Bytes::new() },
            Some(cursor) => place(cursor).ok_or_else(|| {
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
        let next = match raw.last {
            _ if raw.end => None,
            None => return Err(broken("the server sent a page without entries that is not the last")),
            Some(last) if last == self.place.cookie => {
                return Err(broken("the server sends the same page again and again"));
            }
            Some(last) => Some(Place { cookie: last, verifier: raw.verifier, dir: self.place.dir.clone() }),
        };
        let Some(items) = raw.items else {
            return Err(broken("the server sent a name that is empty or holds a slash or NUL"));
        };
        let entries = self.complete(items).await?;
        if let Some(place) = &next {
            self.place = place.clone();
        }
        Ok(Page { entries, next: next.map(|place| cursor(&place)) })
    }

    async fn raw_page(&mut self) -> Result<RawPage, Failure> {
        if self.place.dir.is_empty() {
            self.place.dir = self.share.directory(&self.dir).await?;
        }
        let (pool, size) = (&self.share.pool, self.share.dir_size);
        if !self.share.plain_readdir.load(Ordering::Relaxed) {
            let answer =
                pool.readdirplus(&self.place, size, |reply| Ok(self.raw(&decode::listing_plus(&reply)?))).await;
            match answer {
                Err(Failure::Status(nfsstat3::NFS3ERR_NOTSUPP)) if self.place.cookie == 0 => {
                    tracing::debug!(server = %pool.server(), "no READDIRPLUS, every entry is looked up");
                    self.share.plain_readdir.store(true, Ordering::Relaxed);
                }
                answer => return answer,
            }
        }
        pool.readdir(&self.place, size, |reply| Ok(self.raw(&decode::listing_plain(&reply)?))).await
    }

    fn raw(&self, listing: &Listing<'_>) -> RawPage {
        let named = listing.entries.iter().filter(|entry| !matches!(entry.name, b"." | b".."));
        let good = |name: &[u8]| !name.is_empty() && !name.iter().any(|b| matches!(b, 0 | b'/'));
        let items = named.map(|entry| good(entry.name).then(|| self.item(entry))).collect();
        let last = listing.entries.last().map(|entry| entry.cookie);
        RawPage { items, last, verifier: listing.verifier, end: listing.end }
    }

    /// Entries with everything that the page left out: attributes and handles by LOOKUP, targets of links by
    /// READLINK, several at a time. What vanished meanwhile is left out.
    async fn complete(&self, items: Vec<Item>) -> Result<Vec<Entry>> {
        if items.iter().all(|item| matches!(item, Item::Whole(_))) {
            let whole =
                items.into_iter().filter_map(|item| if let Item::Whole(entry) = item { Some(entry) } else { None });
            return Ok(whole.collect());
        }
        let completed = stream::iter(items).map(|item| self.completed(item)).buffered(self.share.pool.width());
        completed.try_filter_map(|entry| std::future::ready(Ok(entry))).try_collect().await
    }

    fn item(&self, listed: &Listed<'_>) -> Item {
        let path = self.dir.join(listed.name);
        let handle = listed.handle.map(Bytes::copy_from_slice);
        let (Some(handle), Some(attributes)) = (&handle, &listed.attributes) else { return Item::Bare(path, handle) };
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
            Some(handle) => (handle.clone(), self.share.pool.getattr(&handle).await?),
            None => self.share.pool.lookup(&self.place.dir, path.file_name()).await?,
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
    *target = share.pool.readlink(handle).await?;
    Ok(())
}

/// Cookie, verifier, handle.
fn cursor(place: &Place) -> Cursor {
    let mut raw = Vec::with_capacity(16 + place.dir.len());
    raw.extend_from_slice(&place.cookie.to_be_bytes());
    raw.extend_from_slice(&place.verifier);
    raw.extend_from_slice(&place.dir);
    Cursor(raw.into())
}

fn place(cursor: &Cursor) -> Option<Place> {
    let (cookie, rest) = cursor.0.split_first_chunk::<8>()?;
    let (verifier, dir) = rest.split_first_chunk::<8>()?;
    Some(Place { cookie: u64::from_be_bytes(*cookie), verifier: *verifier, dir: cursor.0.slice_ref(dir) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_holds_the_place_in_a_directory() {
        let at = Place { cookie: u64::MAX - 1, verifier: *b"verifier", dir: Bytes::from_static(b"handle") };
        assert_eq!(place(&cursor(&at)), Some(at));
        assert_eq!(place(&Cursor(Bytes::from_static(b"short"))), None);
    }
}
