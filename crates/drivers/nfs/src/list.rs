//! Listing a directory: READDIRPLUS, one answer a page.

use crate::{
    again::{Outdated as _, surely},
    attributes,
    decode::{self, Listed},
    failure::Failure,
    pages::{Circle, Looked, OP, Place, page, parted},
    rpc::RpcError,
    share::{Share, Shared},
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use model::{Entry, Facets, Kind, RelPath};
use nfs3_types::nfs3::{NFS3_FHSIZE, nfsstat3};
use std::sync::atomic::Ordering;
use storage::{
    Error, ErrorKind, ListSpec, Page, Result,
    pages::{Listing, pages},
};

/// Pages of `dir`.
pub(crate) fn list(share: Shared, dir: &RelPath, spec: &ListSpec) -> BoxStream<'static, Result<Page>> {
    let place = Place::start(dir, spec, NFS3_FHSIZE);
    pages(place.map(|place| Pages { share, dir: dir.clone(), want: spec.want, place, circle: Circle::default() }))
}

struct Pages {
    share: Shared,
    dir: RelPath,
    want: Facets,
    place: Place,
    circle: Circle,
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

impl Listing for Pages {
    async fn page(&mut self) -> Result<Page> {
        let (share, dir, before) = (self.share.clone(), self.dir.clone(), self.place.dir.clone());
        let mut again = false;
        let raw = surely!(&*share, &dir, {
            if std::mem::replace(&mut again, true) {
                // The server restarted, or the directory is another by now: the path decides.
                self.place.dir = Bytes::new();
            }
            self.raw_page().await
        });
        let raw = raw.map_err(|failure| share.error(failure, OP, &dir))?;
        self.place.still_in(&before, &dir)?;
        let broken = |why: &'static str| Error::new(ErrorKind::Unexpected, OP).at(&dir).because(why);
        let next = self.place.behind(raw.last, raw.verifier, raw.end).map_err(broken)?;
        let items = raw.items.ok_or_else(|| broken("the server sent a name that is empty or holds a slash or NUL"))?;
        let (entries, unread) = self.complete(items).await?;
        if let Some(place) = &next {
            self.circle.pass(place).map_err(broken)?;
            self.place = place.clone();
        }
        page(&dir, entries, unread, next.map(|place| place.cursor()))
    }
}

impl Pages {
    async fn raw_page(&mut self) -> Result<RawPage, Failure> {
        if self.place.dir.is_empty() {
            self.place.dir = self.share.directory(&self.dir).await?;
        }
        let (pool, size) = (&self.share.pool, self.share.dir_size);
        if !self.share.plain_readdir.load(Ordering::Relaxed) {
            let answer =
                pool.readdirplus(&self.place, size, |reply| Ok(self.raw(&decode::listing_plus(&reply)?))).await;
            match answer {
                // A cookie is good for either procedure.
                Err(Failure::Status(nfsstat3::NFS3ERR_NOTSUPP) | Failure::Rpc(RpcError::ProcUnavail)) => {
                    tracing::debug!(server = %pool.server(), "no READDIRPLUS, every entry is looked up");
                    self.share.plain_readdir.store(true, Ordering::Relaxed);
                }
                answer => return answer.map_err(Failure::of_handle),
            }
        }
        let answer = pool.readdir(&self.place, size, |reply| Ok(self.raw(&decode::listing_plain(&reply)?))).await;
        answer.map_err(Failure::of_handle)
    }

    fn raw(&self, listing: &decode::Listing<'_>) -> RawPage {
        let named = listing.entries.iter().filter(|entry| !matches!(entry.name, b"." | b".."));
        let good = |name: &[u8]| !name.is_empty() && !name.iter().any(|b| matches!(b, 0 | b'/'));
        let items = named.map(|entry| good(entry.name).then(|| self.item(entry))).collect();
        let last = listing.entries.last().map(|entry| entry.cookie);
        RawPage { items, last, verifier: listing.verifier, end: listing.end }
    }

    /// Entries with everything that the page left out: attributes and handles by LOOKUP, targets of links by
    /// READLINK, several at a time. What vanished meanwhile is left out.
    async fn complete(&self, items: Vec<Item>) -> Result<(Vec<Entry>, Vec<Error>)> {
        if items.iter().all(|item| matches!(item, Item::Whole(_))) {
            let whole =
                items.into_iter().filter_map(|item| if let Item::Whole(entry) = item { Some(entry) } else { None });
            return Ok((whole.collect(), Vec::new()));
        }
        let completed = stream::iter(items).map(|item| self.completed(item)).buffered(self.share.pool.width());
        completed.try_collect().await.map(parted)
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

    /// One entry with everything.
    async fn completed(&self, item: Item) -> Result<Looked> {
        let (path, entry) = match item {
            Item::Whole(entry) => return Ok(Looked::There(Box::new(entry))),
            Item::Link(entry) => (entry.path.clone(), self.with_target(entry).await),
            Item::Bare(path, handle) => (path.clone(), self.looked_up(path, handle).await),
        };
        let entry = match entry {
            // A handle that leads nowhere says nothing of the name: it may be that of something else by now.
            Err(failure) if failure.is_stale() || failure.is_missing() => {
                surely!(&*self.share, &path, stat(&self.share, &path, self.want).await)
            }
            answer => answer,
        };
        match entry {
            Ok(entry) => Ok(Looked::There(Box::new(entry))),
            Err(failure) if failure.is_stale() || failure.is_missing() => Ok(Looked::Gone),
            Err(failure @ (Failure::Status(_) | Failure::UnknownStatus(_))) => {
                Ok(Looked::Unread(self.share.error(failure, OP, &path)))
            }
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

/// The entry at `path`, with the target of a symbolic link.
pub(crate) async fn stat(share: &Share, path: &RelPath, want: Facets) -> Result<Entry, Failure> {
    let (handle, attributes) = share.find(path).await?;
    let mut entry = attributes::entry(path.clone(), handle, &attributes, want);
    add_link_target(share, &mut entry).await?;
    Ok(entry)
}

/// Asks where a symbolic link points; nothing to do for anything else.
async fn add_link_target(share: &Share, entry: &mut Entry) -> Result<(), Failure> {
    let (Kind::Symlink { target }, Some(handle)) = (&mut entry.kind, &entry.locator) else { return Ok(()) };
    *target = share.pool.readlink(handle).await?;
    Ok(())
}
