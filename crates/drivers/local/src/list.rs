//! Listing a directory in pages, however large it is.
//!
//! A cursor is the kernel's own place in the directory (`d_off`), which stays good while entries come and
//! go and after a restart of this program.

use crate::{LocalStore, Tree, attributes::entry_at, errno::failed, temporary};
use bytes::Bytes;
use futures::stream::BoxStream;
use model::{Facets, RelPath};
use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, OFlags, RawDir, SeekFrom, seek},
    io::Errno,
};
use std::sync::Arc;
use storage::{
    Cursor, Error, ErrorKind, ListSpec, Page, Result,
    pages::{Listing, pages},
};

/// Bytes of directory entries taken from the kernel at once.
const BUFFER: usize = 32 * 1024;

/// Pages of `dir`.
pub(crate) fn list(store: &LocalStore, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
    pages(Ok(Pages { store: store.clone(), dir: dir.clone(), spec, open: None }))
}

struct Pages {
    store: LocalStore,
    dir: RelPath,
    spec: ListSpec,
    open: Option<Arc<OwnedFd>>,
}

impl Listing for Pages {
    async fn page(&mut self) -> Result<Page> {
        let (dir, spec, open) = (self.dir.clone(), self.spec.clone(), self.open.take());
        let (page, open) = self.store.blocking("list", &self.dir, move |tree| tree.page(&dir, &spec, open)).await?;
        self.open = Some(open);
        self.spec.from.clone_from(&page.next);
        Ok(page)
    }
}

impl Tree {
    fn page(&self, dir: &RelPath, spec: &ListSpec, open: Option<Arc<OwnedFd>>) -> Result<(Page, Arc<OwnedFd>)> {
        let broken = |error| failed(error, "list", dir);
        if spec.recursive {
            return Err(Error::new(ErrorKind::Unsupported, "list").at(dir).because("directories are listed singly"));
        }
        self.check_name(dir, "list")?;
        let from = spec.from.as_ref().map(|cursor| place_of(cursor, dir)).transpose()?;
        let open = match open {
            Some(open) => open,
            None => Arc::new(self.root.open_at(dir, OFlags::RDONLY.union(OFlags::DIRECTORY)).map_err(broken)?),
        };
        if let Some(place) = from {
            seek(&*open, SeekFrom::Start(place)).map_err(|error| match error {
                Errno::INVAL => Error::new(ErrorKind::Changed, "list").at(dir).because(error),
                error => broken(error),
            })?;
        }
        let page = self.observed("getdents", || self.entries(&open, dir, spec.want))?;
        Ok((page, open))
    }

    fn entries(&self, open: &OwnedFd, dir: &RelPath, want: Facets) -> Result<Page> {
        let broken = |error| failed(error, "list", dir);
        let mut buffer = Vec::with_capacity(BUFFER);
        let mut names = RawDir::new(open, buffer.spare_capacity_mut());
        let (mut entries, mut unread) = (Vec::new(), Vec::new());
        let mut last = None;
        while entries.len() < self.options.page_entries {
            let Some(found) = names.next() else {
                return Ok(Page { entries, unread, next: None });
            };
            let found = found.map_err(broken)?;
            last = Some(found.next_entry_cookie());
            let name = found.file_name().to_bytes();
            if matches!(name, b"." | b"..") || temporary::is_ours(name) {
                continue;
            }
            let path = dir.join(name);
            match entry_at(open, name, &path, want) {
                Ok(entry) => entries.push(entry),
                Err(Errno::NOENT) => {} // removed since the name was read
                Err(Errno::ACCESS) if !may_search(open) => {
                    let error = failed(Errno::ACCESS, "list", dir);
                    return Err(error.hint("names can be read here, but not what they are: `x` is missing"));
                }
                // A damaged inode, or somebody else's mount: of this entry alone.
                Err(error) => unread.push(failed(error, "list", &path)),
            }
        }
        let next = last.map(|place| Cursor(Bytes::copy_from_slice(&place.to_be_bytes())));
        Ok(Page { entries, unread, next })
    }
}

/// May we look at what is in the directory? `.` needs the same right as any other name.
fn may_search(open: &OwnedFd) -> bool {
    rustix::fs::statat(open, ".", AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

fn place_of(cursor: &Cursor, dir: &RelPath) -> Result<u64> {
    let strange = |_| Error::new(ErrorKind::Changed, "list").at(dir).because("the cursor is not one of ours");
    cursor.0[..].try_into().map(u64::from_be_bytes).map_err(strange)
}
