//! Reading a file, with a watch on whether it stays the same.

use crate::{
    LocalStore, Tree,
    attributes::{entry_at, entry_of},
    errno::failed,
};
use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use model::{Entry, Facets, RelPath, Stamp};
use rustix::{
    buffer::spare_capacity,
    fd::OwnedFd,
    fs::{Advice, OFlags, fadvise},
    io::{Errno, pread},
};
use std::{
    ops::Range,
    sync::{Arc, atomic::Ordering},
};
use storage::{Body, Error, ErrorKind, ReadSpec, Reading, Result};

/// Content up to this many bytes comes in one piece, with one hop to a blocking thread.
const WHOLE: u64 = 256 * 1024;
/// Larger content comes in pieces of this many bytes.
const PIECE: u64 = 1024 * 1024;

pub(crate) async fn read(store: &LocalStore, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
    let at = path.clone();
    let (entry, opened) = store.blocking("read", path, move |tree| open(tree, &at, &spec)).await?;
    let body = match opened {
        Opened::Whole(data) => Body::Whole(data),
        Opened::Pieces(content) => {
            let store = store.clone();
            let next = |state: Option<(LocalStore, Content)>| async {
                let (store, content) = state.filter(|(_, content)| !content.rest.is_empty())?;
                let path = content.path.clone();
                match store.blocking("read", &path, |tree| content.piece(tree)).await {
                    Ok((piece, content)) => Some((Ok(piece), Some((store, content)))),
                    Err(error) => Some((Err(error), None)),
                }
            };
            Body::Stream(stream::unfold(Some((store, content)), next).boxed())
        }
    };
    Ok(Reading { entry, body })
}

enum Opened {
    Whole(Bytes),
    Pieces(Content),
}

/// A file that is being read.
struct Content {
    file: Arc<OwnedFd>,
    path: RelPath,
    rest: Range<u64>,
    if_stamp: Option<Stamp>,
}

fn open(tree: &Tree, path: &RelPath, spec: &ReadSpec) -> Result<(Entry, Opened)> {
    let broken = |error| failed(error, "read", path);
    tree.check_name(path, "read")?;
    // Looked at first: to open a device or a pipe can have effects.
    let (dir, name) = tree.root.parent(path).map_err(broken)?;
    let named = entry_at(&dir, name, path, Facets::NONE).map_err(broken)?;
    if !named.kind.is_file() {
        let cause = format!("it is a {}", named.kind.word());
        return Err(Error::new(ErrorKind::Invalid, "read").at(path).because(cause));
    }
    let file = open_quietly(tree, path).map_err(broken)?;
    let entry = entry_of(&file, path, spec.want.shared(tree.caps.reads)).map_err(broken)?;
    if !entry.kind.is_file() {
        return Err(Error::new(ErrorKind::Changed, "read").at(path));
    }
    unchanged(spec.if_stamp.as_ref(), &entry.stamp, path)?;
    let size = entry.stamp.size;
    let range = spec.range.clone().unwrap_or(0..size);
    if range.start > size {
        return Err(Error::new(ErrorKind::Invalid, "read").at(path).because("the range starts beyond the end"));
    }
    let rest = range.start..range.end.clamp(range.start, size);
    let content = Content { file: Arc::new(file), path: path.clone(), rest, if_stamp: spec.if_stamp.clone() };
    if content.rest.end - content.rest.start > WHOLE {
        fadvise(&*content.file, content.rest.start, None, Advice::Sequential).ok(); // only advice
        return Ok((entry, Opened::Pieces(content)));
    }
    let (data, _) = content.piece(tree)?;
    Ok((entry, Opened::Whole(data)))
}

/// Opens for reading without a change of the access time, where we may.
fn open_quietly(tree: &Tree, path: &RelPath) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY.union(OFlags::NONBLOCK);
    if tree.quiet_reads.load(Ordering::Relaxed) {
        match tree.root.open_at(path, flags.union(OFlags::NOATIME)) {
            Err(Errno::PERM) => {}
            opened => return opened,
        }
        // Another's file. Root may do it with any, so this user will hardly ever; do not ask again.
        tree.quiet_reads.store(false, Ordering::Relaxed);
    }
    tree.root.open_at(path, flags)
}

fn unchanged(if_stamp: Option<&Stamp>, stamp: &Stamp, path: &RelPath) -> Result<()> {
    match if_stamp {
        Some(meant) if meant != stamp => Err(Error::new(ErrorKind::Changed, "read").at(path)),
        _ => Ok(()),
    }
}

impl Content {
    /// The next piece. With the last one, checks that the file is still what it was.
    fn piece(mut self, tree: &Tree) -> Result<(Bytes, Self)> {
        let broken = |error| failed(error, "read", &self.path);
        let len = (self.rest.end - self.rest.start).min(PIECE);
        let want = usize::try_from(len).map_err(|_| broken(Errno::FBIG))?;
        let mut data: Vec<u8> = Vec::with_capacity(want);
        while data.len() < want {
            let at = self.rest.start + data.len() as u64;
            let got = tree.observed("pread", || pread(&*self.file, spare_capacity(&mut data), at));
            match got {
                Ok(0) => {
                    let cause = format!("it ends at byte {at}, before {}", self.rest.end);
                    return Err(Error::new(ErrorKind::Changed, "read").at(&self.path).because(cause));
                }
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(broken(error)),
            }
        }
        data.truncate(want); // the allocator may have given more room than was asked for
        self.rest.start += len;
        if self.rest.is_empty() && self.if_stamp.is_some() {
            let now = entry_of(&*self.file, &self.path, Facets::NONE).map_err(broken)?;
            unchanged(self.if_stamp.as_ref(), &now.stamp, &self.path)?;
        }
        Ok((data.into(), self))
    }
}
