//! Listing a directory: READDIR with attributes and handles, one answer a page.

use super::{
    attributes::{HANDLE_MAX, bit},
    compound::{Compound, DirectoryName, DirectoryPage, op},
    entry,
    failure::Failure,
    status::Status,
    tree::{Shared, Tree, lookup, readlink},
};
use crate::{
    again::surely,
    pages::{Circle, Looked, OP, Place, page, parted},
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use model::{Entry, Facets, Kind, RelPath, Stamp};
use storage::{
    Error, ErrorKind, ListSpec, Page, Result,
    pages::{Listing, pages},
};

/// Targets of links, and entries that the page left out, asked for together.
const TOGETHER: usize = 16;

/// Pages of `dir`.
pub(crate) fn list(tree: Shared, dir: &RelPath, spec: &ListSpec) -> BoxStream<'static, Result<Page>> {
    let place = Place::start(dir, spec, HANDLE_MAX);
    pages(place.map(|place| Pages { tree, dir: dir.clone(), want: spec.want, place, circle: Circle::default() }))
}

struct Pages {
    tree: Shared,
    dir: RelPath,
    want: Facets,
    place: Place,
    circle: Circle,
}

impl Listing for Pages {
    async fn page(&mut self) -> Result<Page> {
        let (tree, dir, before) = (self.tree.clone(), self.dir.clone(), self.place.dir.clone());
        let mut again = false;
        let raw = surely!(&*tree, &dir, {
            if std::mem::replace(&mut again, true) {
                // The server restarted, or the directory is another by now: the path decides.
                self.place.dir = Bytes::new();
            }
            self.raw_page().await
        });
        let raw = match raw {
            Ok(raw) => raw,
            Err(failure) => return Err(tree.error(failure, OP, &dir).await),
        };
        self.place.still_in(&before, &dir)?;
        let broken = |why: &'static str| Error::new(ErrorKind::Unexpected, OP).at(&dir).because(why);
        let last = raw.names.last().map(|name| name.cookie);
        let next = self.place.behind(last, raw.verifier, raw.end).map_err(broken)?;
        if raw.names.iter().any(|entry| entry.name.is_empty() || entry.name.iter().any(|b| matches!(b, 0 | b'/'))) {
            return Err(broken("the server sent a name that is empty or holds a slash or NUL"));
        }
        let (entries, unread) = self.complete(raw.names).await?;
        if let Some(place) = &next {
            self.circle.pass(place).map_err(broken)?;
            self.place = place.clone();
        }
        page(&dir, entries, unread, next.map(|place| place.cursor()))
    }
}

impl Pages {
    async fn raw_page(&mut self) -> Result<DirectoryPage, Failure> {
        if self.place.dir.is_empty() {
            self.place.dir = self.tree.directory(&self.dir).await?;
        }
        let Place { cookie, verifier, dir } = &self.place;
        let asked = entry::asked(self.want).with(bit::RDATTR_ERROR);
        let ask = Compound::new("READDIR").put(dir).readdir(*cookie, *verifier, self.tree.dir_size, asked);
        let mut reply = self.tree.client.call(&ask).await?;
        reply.done(op::PUTFH)?;
        reply.directory().map_err(Failure::of_handle)
    }

    /// Entries with everything that the page left out: attributes and handles by LOOKUP, targets of links by
    /// READLINK, several at a time. What vanished meanwhile is left out.
    async fn complete(&self, raw: Vec<DirectoryName>) -> Result<(Vec<Entry>, Vec<Error>)> {
        let listed = raw.into_iter().filter(|raw| !matches!(raw.name.as_slice(), b"." | b".."));
        let items: Vec<Item> = listed.map(|raw| self.item(raw)).collect();
        if items.iter().all(|item| matches!(item, Item::Whole(_))) {
            let whole = items.into_iter().filter_map(|item| match item {
                Item::Whole(entry) => Some(entry),
                Item::Link(_) | Item::Bare(_) => None,
            });
            return Ok((whole.collect(), Vec::new()));
        }
        let completed = stream::iter(items).map(|item| self.completed(item)).buffered(TOGETHER);
        completed.try_collect().await.map(parted)
    }

    fn item(&self, raw: DirectoryName) -> Item {
        let path = self.dir.join(&raw.name);
        let mut told = raw.attributes;
        let (None, Some(handle)) = (told.error, told.handle.take()) else { return Item::Bare(path) };
        let Some(entry) = entry::entry(path.clone(), handle, told, self.want) else { return Item::Bare(path) };
        match (&entry.kind, &entry.locator) {
            (Kind::Symlink { .. }, _) => return Item::Link(entry),
            (Kind::Dir, Some(handle)) => self.tree.remember(entry.path.clone(), handle.clone()),
            _ => {}
        }
        Item::Whole(entry)
    }

    /// One entry with everything.
    async fn completed(&self, item: Item) -> Result<Looked> {
        let (path, bare, entry) = match item {
            Item::Whole(entry) => return Ok(Looked::There(Box::new(entry))),
            Item::Link(entry) => (entry.path.clone(), false, with_target(&self.tree, entry).await),
            Item::Bare(path) => (path.clone(), true, self.looked_up(path).await),
        };
        let entry = match entry {
            // A handle that leads nowhere says nothing of the name: it may be that of something else by now.
            Err(failure) if failure.is_gone() => surely!(&*self.tree, &path, stat(&self.tree, &path, self.want).await),
            answer => answer,
        };
        match entry {
            Ok(entry) => Ok(Looked::There(Box::new(entry))),
            Err(failure) if failure.is_gone() => Ok(Looked::Gone),
            // The root of another file system, which is elsewhere or not for us: a directory, and whoever lists it
            // hears why it cannot be.
            Err(Failure::Status(Status::MOVED | Status::WRONGSEC)) if bare => {
                Ok(Looked::There(Box::new(Entry::new(path, Kind::Dir, Stamp::default()))))
            }
            Err(failure @ Failure::Status(status)) if !status.wants_new_session() => {
                Ok(Looked::Unread(self.tree.error(failure, OP, &path).await))
            }
            Err(failure) => Err(self.tree.error(failure, OP, &path).await),
        }
    }

    async fn looked_up(&self, path: RelPath) -> Result<Entry, Failure> {
        let name = RelPath::from(path.file_name());
        let asked = entry::asked(self.want);
        let (handle, told) = lookup(&self.tree.client, Some(&self.place.dir), &name, asked).await?;
        let entry = entry::entry(path, handle, told, self.want).ok_or(UNTOLD)?;
        with_target(&self.tree, entry).await
    }
}

/// A listed name and what is still to be asked.
enum Item {
    Whole(Entry),
    /// A symbolic link without its target.
    Link(Entry),
    /// A name without attributes, or without a handle.
    Bare(RelPath),
}

/// An answer that does not even say what kind of thing it is about.
const UNTOLD: Failure =
    Failure::Malformed(crate::xdr::Malformed("the server does not tell what it is, or of a file how long"));

/// The entry at `path`, with the target of a symbolic link.
pub(crate) async fn stat(tree: &Tree, path: &RelPath, want: Facets) -> Result<Entry, Failure> {
    let (handle, told) = tree.find(path, entry::asked(want)).await?;
    let entry = entry::entry(path.clone(), handle, told, want).ok_or(UNTOLD)?;
    with_target(tree, entry).await
}

/// Asks where a symbolic link points; nothing to do for anything else.
async fn with_target(tree: &Tree, mut entry: Entry) -> Result<Entry, Failure> {
    if let (Kind::Symlink { target }, Some(handle)) = (&mut entry.kind, &entry.locator) {
        *target = readlink(&tree.client, handle).await?;
    }
    Ok(entry)
}
