//! Writing a file under a temporary name and letting it show at the end.

use crate::{
    Tree,
    attributes::{self, HasFd, Place, entry_of},
    errno::failed,
    paths::Dir,
    temporary,
};
use bytes::Bytes;
use model::{Facets, Kind, RelPath};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{
        AtFlags, Mode, OFlags, RenameFlags, fchmod, fsync, linkat, mkdirat, openat, renameat, renameat_with, syncfs,
        unlinkat,
    },
    io::{Errno, pwrite},
};
use storage::{Error, ErrorKind, Published, Result, WriteSpec, checksum};

/// The bits that new files do not get, as the kernel tells them; 022 where there is no `/proc`.
pub(crate) fn umask() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let told = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    told.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok()).unwrap_or(0o022)
}

/// The directory that holds `path`, made with those above it where it is missing, and the name in it.
pub(crate) fn parent_made<'a>(tree: &'a Tree, path: &'a RelPath) -> Result<(Dir<'a>, &'a [u8]), Errno> {
    match tree.root.parent(path) {
        Err(Errno::NOENT) => {}
        found => return found,
    }
    let above: Vec<RelPath> = std::iter::successors(path.parent(), RelPath::parent).collect();
    for missing in above.iter().rev().filter(|dir| !dir.is_root()) {
        let (holder, name) = tree.root.parent(missing)?;
        match mkdirat(&holder, name, Mode::from_raw_mode(0o777)) {
            Ok(()) => sync_dir(tree, &holder, None)?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    tree.root.parent(path)
}

/// How a temporary file is opened.
pub(crate) const PARTIAL: OFlags = OFlags::RDWR.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a new temporary file for `path`. Only its owner can read it until it is complete.
pub(crate) fn open_partial<'a>(tree: &'a Tree, path: &'a RelPath) -> Result<(Dir<'a>, Vec<u8>, OwnedFd)> {
    tree.check_new(path, "write")?;
    let (dir, name) = parent_made(tree, path).map_err(|error| failed(error, "write", path))?;
    let new = PARTIAL.union(OFlags::CREATE).union(OFlags::EXCL);
    let (temporary, file) = temporary::first_free(name, path, "write", |temporary| {
        openat(&dir, temporary, new, Mode::from_raw_mode(0o600))
    })?;
    Ok((dir, temporary, file))
}

/// Writes all of it, in one hop.
pub(crate) fn put(tree: &Tree, path: &RelPath, spec: &WriteSpec, data: &[Bytes]) -> Result<Published> {
    let size: u64 = data.iter().map(|piece| piece.len() as u64).sum();
    if spec.size.is_some_and(|meant| meant != size) {
        return Err(Error::new(ErrorKind::Invalid, "write").at(path).because("the content has another size"));
    }
    if spec.digests.crc64nvme.is_some_and(|meant| meant != checksum::crc64nvme(data)) {
        return Err(Error::new(ErrorKind::Corrupt, "write").at(path));
    }
    let (dir, temporary, file) = open_partial(tree, path)?;
    let done = write_at(tree, &file, 0, data)
        .map_err(|error| failed(error, "write", path))
        .and_then(|()| publish(tree, path, spec, &dir, &temporary, &file));
    if done.is_err() {
        unlinkat(&dir, &temporary[..], AtFlags::empty()).ok(); // the first error is the one to tell
    }
    done
}

pub(crate) fn write_at(tree: &Tree, file: &OwnedFd, offset: u64, data: &[Bytes]) -> Result<(), Errno> {
    let mut at = offset;
    for piece in data {
        let mut rest = &piece[..];
        while !rest.is_empty() {
            match tree.observed("pwrite", || pwrite(file, rest, at)) {
                Ok(0) => return Err(Errno::IO),
                Ok(wrote) => {
                    at += wrote as u64;
                    rest = &rest[wrote..];
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Writes the metadata, makes it durable, and gives the file its name.
pub(crate) fn publish(
    tree: &Tree,
    path: &RelPath,
    spec: &WriteSpec,
    dir: &impl AsFd,
    temporary: &[u8],
    file: &OwnedFd,
) -> Result<Published> {
    let broken = |error| failed(error, "write", path);
    let which = spec.meta.facets().shared(tree.caps.writes);
    if !which.has(Facets::MODE) {
        fchmod(file, Mode::from_raw_mode(0o666 & !tree.umask)).map_err(broken)?;
    }
    attributes::write(&Place::Open(file), &Kind::File, &spec.meta, which).map_err(broken)?;
    if tree.options.durable {
        tree.observed("fsync", || fsync(file)).map_err(broken)?;
    }
    let name = path.file_name();
    let renamed = tree.observed("rename", || {
        if spec.if_absent { rename_if_absent(dir, temporary, name) } else { renameat(dir, temporary, dir, name) }
    });
    renamed.map_err(|error| match error {
        Errno::ISDIR | Errno::NOTEMPTY => replaces_dir("write", path),
        error => broken(error),
    })?;
    sync_dir(tree, dir, Some(file)).map_err(broken)?;
    let entry = entry_of(file, path, which).map_err(broken)?;
    let kept = attributes::kept(&entry, &spec.meta, which);
    Ok(Published { stamp: entry.stamp, kept, ..Published::default() })
}

pub(crate) fn replaces_dir(op: &'static str, path: &RelPath) -> Error {
    Error::new(ErrorKind::AlreadyExists, op).at(path).because("a directory of this name is there")
}

/// Some file systems know no exclusive rename, but an exclusive link all know.
fn rename_if_absent(dir: &impl AsFd, from: &[u8], to: &[u8]) -> Result<(), Errno> {
    match renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            linkat(dir, from, dir, to, AtFlags::empty())?;
            unlinkat(dir, from, AtFlags::empty())
        }
        done => done,
    }
}

/// Makes the names in a directory durable. `file` is something in it.
pub(crate) fn sync_dir(tree: &Tree, dir: &impl AsFd, file: Option<&dyn HasFd>) -> Result<(), Errno> {
    if !tree.options.durable {
        return Ok(());
    }
    let flags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
    tree.observed("fsync", || match (openat(dir, ".", flags, Mode::empty()), file) {
        (Ok(readable), _) => fsync(readable),
        // A directory that we may write but not read: only the whole file system can be synced.
        (Err(Errno::ACCESS), Some(file)) => syncfs(file.fd()),
        (Err(error), _) => Err(error),
    })
}
