//! Listing a directory: READDIR with attributes and handles, one answer a page.

use super::{
    attributes::{HANDLE_MAX, bit},
    compound::{Compound, DirectoryName, DirectoryPage, op},
    entry,
    failure::Failure,
    status::Status,
    tree::{Shared, Tree, check_names, lookup, readlink},
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use model::{Entry, Facets, Kind, RelPath, Stamp};
use storage::{Cursor, Error, ErrorKind, ListSpec, Page, Result};

const OP: &str = "list";

/// Targets of links, and entries that the page left out, asked for together.
const TOGETHER: usize = 16;

/// Pages of `dir`.
pub(crate) fn list(tree: Shared, dir: &RelPath, spec: &ListSpec) -> BoxStream<'static, Result<Page>> {
    let start = Listing::start(tree, dir, spec).map(Some);
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
    tree: Shared,
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

impl Listing {
    fn start(tree: Shared, dir: &RelPath, spec: &ListSpec) -> Result<Self> {
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
        Ok(Self { tree, dir: dir.clone(), want: spec.want, place })
    }

    async fn page(&mut self) -> Result<Page> {
        let raw = match self.raw_page().await {
            Err(failure) if failure.is_stale() => {
                // The server restarted, or the directory is another by now: the path decides.
                self.place.dir = Bytes::new();
                match self.tree.recover(&self.dir).await {
                    Ok(()) => self.raw_page().await,
                    Err(failure) => Err(failure),
                }
            }
            answer => answer,
        };
        let raw = match raw {
            Ok(raw) => raw,
            Err(failure) => return Err(self.tree.error(failure, OP, &self.dir).await),
        };
        let broken = |why: &'static str| Error::new(ErrorKind::Unexpected, OP).at(&self.dir).because(why);
        let next = match raw.names.last() {
            _ if raw.end => None,
            None => return Err(broken("the server sent a page without entries that is not the last")),
            Some(last) if last.cookie == self.place.cookie => {
                return Err(broken("the server sends the same page again and again"));
            }
            Some(last) => Some(Place { cookie: last.cookie, verifier: raw.verifier, dir: self.place.dir.clone() }),
        };
        if raw.names.iter().any(|entry| entry.name.is_empty() || entry.name.iter().any(|b| matches!(b, 0 | b'/'))) {
            return Err(broken("the server sent a name that is empty or holds a slash or NUL"));
        }
        let entries = self.complete(raw.names).await?;
        if let Some(place) = &next {
            self.place = place.clone();
        }
        Ok(Page { entries, next: next.map(|place| place.cursor()) })
    }

    async fn raw_page(&mut self) -> Result<DirectoryPage, Failure> {
        if self.place.dir.is_empty() {
            self.place.dir = self.tree.directory(&self.dir).await?;
        }
        let Place { cookie, verifier, dir } = &self.place;
        let asked = entry::asked(self.want).with(bit::RDATTR_ERROR);
        let ask = Compound::new("READDIR").put(dir).readdir(*cookie, *verifier, self.tree.dir_size, asked);
        let mut reply = self.tree.client.call(&ask).await?;
        reply.done(op::PUTFH)?;
        reply.directory()
    }

    /// Entries with everything that the page left out: attributes and handles by LOOKUP, targets of links by
    /// READLINK, several at a time. What vanished meanwhile is left out.
    async fn complete(&self, raw: Vec<DirectoryName>) -> Result<Vec<Entry>> {
        let listed = raw.into_iter().filter(|raw| !matches!(raw.name.as_slice(), b"." | b".."));
        let items: Vec<Item> = listed.map(|raw| self.item(raw)).collect();
        if items.iter().all(|item| matches!(item, Item::Whole(_))) {
            let whole = items.into_iter().filter_map(|item| match item {
                Item::Whole(entry) => Some(entry),
                Item::Link(_) | Item::Bare(_) => None,
            });
            return Ok(whole.collect());
        }
        let completed = stream::iter(items).map(|item| self.completed(item)).buffered(TOGETHER);
        completed.try_filter_map(|entry| std::future::ready(Ok(entry))).try_collect().await
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

    /// One entry with everything; `None` when it is gone.
    async fn completed(&self, item: Item) -> Result<Option<Entry>> {
        let (path, entry) = match item {
            Item::Whole(entry) => return Ok(Some(entry)),
            Item::Link(entry) => (entry.path.clone(), with_target(&self.tree, entry).await),
            Item::Bare(path) => (path.clone(), self.looked_up(path).await),
        };
        match entry {
            Ok(entry) => Ok(Some(entry)),
            Err(failure) if failure.is_gone() => Ok(None),
            // The root of another file system, which is elsewhere or not for us: a directory, and whoever lists it
            // hears why it cannot be.
            Err(Failure::Status(Status::MOVED | Status::WRONGSEC | Status::ACCESS | Status::PERM)) => {
                Ok(Some(Entry::new(path, Kind::Dir, Stamp::default())))
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
        let fits = dir.len() <= HANDLE_MAX;
        fits.then(|| Self { cookie: u64::from_be_bytes(*cookie), verifier: *verifier, dir: cursor.0.slice_ref(dir) })
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
        assert_eq!(Place::from_cursor(&Cursor(Bytes::from(vec![0; 16 + 129]))), None);
    }
}
