//! Directories, links, special files; metadata of what is there; removing.

use crate::{
    Tree,
    attributes::{self, Place, entry_at},
    errno::failed,
    paths::Dir,
    temporary,
    write::{parent_made, replaces_dir, sync_dir},
};
use model::{Facets, Kind, Metadata, RelPath, Special, Stamp};
use rustix::{
    fs::{AtFlags, FileType, Mode, linkat, mkdirat, mknodat, renameat, symlinkat, unlinkat},
    io::Errno,
};
use storage::{Error, ErrorKind, Node, Published, Result};

const MAKE: &str = "make";

pub(crate) fn make(tree: &Tree, path: &RelPath, node: &Node, meta: &Metadata) -> Result<Published> {
    let broken = |error| failed(error, MAKE, path);
    if path.is_root() && *node == Node::Dir {
        return described(tree, path, meta);
    }
    tree.check_new(path, MAKE)?;
    let (dir, name) = parent_made(tree, path).map_err(broken)?;
    match node {
        Node::Dir => make_dir(&dir, name, path)?,
        Node::Symlink { target } => {
            placed(tree, &dir, name, path, meta, |temporary| symlinkat(&target[..], &dir, temporary))?;
        }
        Node::HardLink { to } => {
            hard_link(tree, &dir, name, path, to)?;
            let found = entry_at(&dir, name, path, Facets::NONE).map_err(broken)?;
            return Ok(Published { stamp: found.stamp, ..Published::default() });
        }
        Node::Special(special) => {
            let (file_type, device) = match special {
                Special::Fifo => (FileType::Fifo, 0),
                Special::Socket => (FileType::Socket, 0),
                Special::Block { rdev } => (FileType::BlockDevice, *rdev),
                Special::Char { rdev } => (FileType::CharacterDevice, *rdev),
            };
            let mode = Mode::from_raw_mode(0o666);
            placed(tree, &dir, name, path, meta, |temporary| mknodat(&dir, temporary, file_type, mode, device))?;
        }
    }
    sync_dir(tree, &dir, None).map_err(broken)?;
    described(tree, path, meta)
}

/// A directory, unless it is there; another thing of that name makes way.
fn make_dir(dir: &Dir<'_>, name: &[u8], path: &RelPath) -> Result<()> {
    let broken = |error| failed(error, MAKE, path);
    let mode = Mode::from_raw_mode(0o777);
    match mkdirat(dir, name, mode) {
        Err(Errno::EXIST) => {
            if entry_at(dir, name, path, Facets::NONE).map_err(broken)?.kind.is_dir() {
                return Ok(());
            }
            unlinkat(dir, name, AtFlags::empty()).map_err(broken)?;
            mkdirat(dir, name, mode).map_err(broken)
        }
        done => done.map_err(broken),
    }
}

/// Makes something under a temporary name, gives it its metadata and then its own name.
fn placed(
    tree: &Tree,
    dir: &Dir<'_>,
    name: &[u8],
    path: &RelPath,
    meta: &Metadata,
    make: impl FnMut(&[u8]) -> Result<(), Errno>,
) -> Result<()> {
    let (temporary, ()) = temporary::first_free(name, path, MAKE, make)?;
    let shown = (|| {
        let kind = entry_at(dir, &temporary, path, Facets::NONE)?.kind;
        let which = meta.facets().shared(tree.caps.writes);
        attributes::write(&Place::Named(dir, &temporary), &kind, meta, which)?;
        renameat(dir, &temporary[..], dir, name)
    })();
    shown.map_err(|error| {
        unlinkat(dir, &temporary[..], AtFlags::empty()).ok(); // the first error is the one to tell
        match error {
            Errno::ISDIR | Errno::NOTEMPTY => replaces_dir(MAKE, path),
            error => failed(error, MAKE, path),
        }
    })
}

fn hard_link(tree: &Tree, dir: &Dir<'_>, name: &[u8], path: &RelPath, to: &RelPath) -> Result<()> {
    const LINK: &str = "link to";
    tree.check_new(to, LINK)?;
    let lost = |error| failed(error, LINK, to);
    let (from, existing) = tree.root.parent(to).map_err(lost)?;
    if entry_at(&from, existing, to, Facets::NONE).map_err(lost)?.kind.is_dir() {
        return Err(Error::new(ErrorKind::Invalid, LINK).at(to).because("it is a directory"));
    }
    let link = |temporary: &[u8]| linkat(&from, existing, dir, temporary, AtFlags::empty());
    let (temporary, ()) = temporary::first_free(name, path, MAKE, link)?;
    let renamed = renameat(dir, &temporary[..], dir, name);
    // A rename between two names of one file does nothing at all, and leaves both.
    unlinkat(dir, &temporary[..], AtFlags::empty()).ok();
    renamed.map_err(|error| match error {
        Errno::ISDIR | Errno::NOTEMPTY => replaces_dir(MAKE, path),
        error => failed(error, MAKE, path),
    })?;
    sync_dir(tree, dir, None).map_err(|error| failed(error, MAKE, path))
}

/// Writes metadata of what is at `path`, and tells what is there now.
fn described(tree: &Tree, path: &RelPath, meta: &Metadata) -> Result<Published> {
    let which = meta.facets().shared(tree.caps.writes);
    let (stamp, kept) = describe(tree, path, meta, which)?;
    Ok(Published { stamp, kept, ..Published::default() })
}

pub(crate) fn apply(tree: &Tree, path: &RelPath, meta: &Metadata, which: Facets) -> Result<Facets> {
    tree.check_name(path, APPLY)?;
    Ok(describe(tree, path, meta, which.shared(meta.facets()).shared(tree.caps.writes))?.1)
}

const APPLY: &str = "write the metadata of";

fn describe(tree: &Tree, path: &RelPath, meta: &Metadata, which: Facets) -> Result<(Stamp, Facets)> {
    let broken = |error| failed(error, APPLY, path);
    let (dir, name) = tree.root.parent(path).map_err(broken)?;
    let kind = entry_at(&dir, name, path, Facets::NONE).map_err(broken)?.kind;
    let mut which = which;
    if matches!(kind, Kind::Symlink { .. }) {
        which = which.minus(Facets::MODE);
    }
    // A change of owner clears the set-uid bits, so who gets an owner only gets its old mode back.
    let before = entry_at(&dir, name, path, Facets::MODE).map_err(broken)?;
    attributes::write(&Place::Named(&dir, name), &kind, meta, which).map_err(broken)?;
    if which.has(Facets::OWNER) && !which.has(Facets::MODE) && kind.is_file() {
        let old = before.meta.map(|meta| *meta).unwrap_or_default();
        attributes::write(&Place::Named(&dir, name), &kind, &old, Facets::MODE).map_err(broken)?;
    }
    let found = tree.observed("statx", || entry_at(&dir, name, path, which)).map_err(broken)?;
    let kept = attributes::kept(&found, meta, which);
    Ok((found.stamp, kept))
}

pub(crate) fn remove(tree: &Tree, path: &RelPath, if_stamp: Option<&Stamp>) -> Result<()> {
    const REMOVE: &str = "remove";
    let broken = |error| failed(error, REMOVE, path);
    tree.check_new(path, REMOVE)?;
    let (dir, name) = tree.root.parent(path).map_err(broken)?;
    let found = entry_at(&dir, name, path, Facets::NONE).map_err(broken)?;
    if if_stamp.is_some_and(|stamp| *stamp != found.stamp) {
        return Err(Error::new(ErrorKind::Changed, REMOVE).at(path));
    }
    let flags = if found.kind.is_dir() { AtFlags::REMOVEDIR } else { AtFlags::empty() };
    unlinkat(&dir, name, flags).map_err(|error| match error {
        Errno::NOTEMPTY | Errno::EXIST => {
            Error::new(ErrorKind::Invalid, REMOVE).at(path).because("the directory is not empty")
        }
        error => broken(error),
    })?;
    sync_dir(tree, &dir, None).map_err(broken)
}
