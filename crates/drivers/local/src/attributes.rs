//! What the kernel tells of an inode, and writing it.

use crate::{paths::Root, xattrs};
use bytes::Bytes;
use model::{Entry, Facets, FileId, Kind, Metadata, Posix, Principal, RelPath, Special, Stamp, Timestamp};
use rustix::{
    fd::AsFd,
    fs::{
        AtFlags, CWD, FileType, Gid, Mode, OFlags, Statx, StatxFlags, StatxTimestamp, Timespec, Timestamps, UTIME_OMIT,
        Uid, chmodat, chownat, fchmod, fchown, futimens, makedev, openat, readlinkat, statx, utimensat,
    },
    io::{Errno, Result},
};
use std::os::fd::AsRawFd as _;

const ALL: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

/// Does the file system of the root keep times of creation?
pub(crate) fn tells_birth(root: &Root) -> Result<bool> {
    let told = statx(root, "", AtFlags::EMPTY_PATH, ALL)?;
    Ok(told.stx_mask & StatxFlags::BTIME.bits() != 0)
}

/// The entry of `name` in `dir`, with the target of a link.
pub(crate) fn entry_at(dir: impl AsFd, name: &[u8], path: &RelPath, want: Facets) -> Result<Entry> {
    let told = statx(&dir, name, AtFlags::SYMLINK_NOFOLLOW, ALL)?;
    let target = if FileType::from_raw_mode(told.stx_mode.into()) == FileType::Symlink {
        readlinkat(&dir, name, Vec::new())?.into_bytes().into()
    } else {
        Bytes::new()
    };
    entry(&told, path, want, target, || xattrs::Inode::named(&dir, name))
}

/// The entry of an open file.
pub(crate) fn entry_of(file: impl AsFd, path: &RelPath, want: Facets) -> Result<Entry> {
    let told = statx(&file, "", AtFlags::EMPTY_PATH, ALL)?;
    entry(&told, path, want, Bytes::new(), || xattrs::Inode::open(&file))
}

fn entry<'a>(
    told: &Statx,
    path: &RelPath,
    want: Facets,
    target: Bytes,
    inode: impl FnOnce() -> xattrs::Inode<'a>,
) -> Result<Entry> {
    let kind = match FileType::from_raw_mode(told.stx_mode.into()) {
        FileType::Directory => Kind::Dir,
        FileType::Symlink => Kind::Symlink { target },
        FileType::Fifo => Kind::Special(Special::Fifo),
        FileType::Socket => Kind::Special(Special::Socket),
        FileType::BlockDevice => Kind::Special(Special::Block { rdev: device(told) }),
        FileType::CharacterDevice => Kind::Special(Special::Char { rdev: device(told) }),
        FileType::RegularFile | FileType::Unknown => Kind::File,
    };
    let ctime = time(told.stx_ctime).total_nanos();
    let stamp = Stamp {
        size: told.stx_size,
        mtime: Some(time(told.stx_mtime)),
        change: u64::try_from(ctime).ok(),
        etag: None,
        file_id: Some(FileId { volume: makedev(told.stx_dev_major, told.stx_dev_minor), inode: told.stx_ino }),
    };
    let mut entry = Entry::new(path.clone(), kind, stamp);
    entry.nlink = Some(told.stx_nlink);
    entry.allocated = Some(told.stx_blocks.saturating_mul(512));
    if !want.is_empty() {
        let mut meta = metadata(told, want);
        if !want.shared(xattrs::READS).is_empty() {
            xattrs::add(&inode(), want, &mut meta)?;
        }
        entry.meta = Some(Box::new(meta));
    }
    Ok(entry)
}

fn device(told: &Statx) -> u64 {
    makedev(told.stx_rdev_major, told.stx_rdev_minor)
}

fn metadata(told: &Statx, want: Facets) -> Metadata {
    let birth = want.has(Facets::BIRTH) && told.stx_mask & StatxFlags::BTIME.bits() != 0;
    let posix = !want.shared(Facets::MODE.and(Facets::OWNER)).is_empty();
    Metadata {
        mtime: want.has(Facets::MTIME).then(|| time(told.stx_mtime)),
        atime: want.has(Facets::ATIME).then(|| time(told.stx_atime)),
        birth: birth.then(|| time(told.stx_btime)),
        posix: posix.then(|| Posix {
            mode: u32::from(told.stx_mode) & 0o7777,
            owner: Principal::Id(told.stx_uid),
            group: Principal::Id(told.stx_gid),
        }),
        ..Metadata::default()
    }
}

fn time(told: StatxTimestamp) -> Timestamp {
    Timestamp { secs: told.tv_sec, nanos: told.tv_nsec }
}

/// An inode whose metadata is to be written: an open file, or a name in a directory.
pub(crate) enum Place<'a> {
    Open(&'a dyn HasFd),
    Named(&'a dyn HasFd, &'a [u8]),
}

/// `AsFd` without its type.
pub(crate) trait HasFd {
    fn fd(&self) -> rustix::fd::BorrowedFd<'_>;
}
impl<T: AsFd> HasFd for T {
    fn fd(&self) -> rustix::fd::BorrowedFd<'_> {
        self.as_fd()
    }
}

/// Writes the facets `which` of `meta`: owner, then mode, then times, because a change of owner clears
/// the set-uid bits. What the kernel refuses to us (an owner without root) or cannot express is left;
/// compare with what [`kept`] tells afterwards.
pub(crate) fn write(place: &Place<'_>, kind: &Kind, meta: &Metadata, which: Facets) -> Result<()> {
    let posix = meta.posix.as_ref();
    if let Some((owner, group)) = posix.filter(|_| which.has(Facets::OWNER)).and_then(ids) {
        let done = match place {
            Place::Open(file) => fchown(file.fd(), Some(owner), Some(group)),
            Place::Named(dir, name) => chownat(dir.fd(), *name, Some(owner), Some(group), AtFlags::SYMLINK_NOFOLLOW),
        };
        forgiven(done)?;
    }
    let is_link = matches!(kind, Kind::Symlink { .. });
    if let Some(posix) = posix.filter(|_| which.has(Facets::MODE) && !is_link) {
        let mode = Mode::from_raw_mode(posix.mode & 0o7777);
        let done = match place {
            Place::Open(file) => fchmod(file.fd(), mode),
            Place::Named(dir, name) => chmod_named(*dir, name, mode),
        };
        forgiven(done)?;
    }
    let times = Timestamps {
        last_access: timespec(meta.atime.filter(|_| which.has(Facets::ATIME) && !is_link)),
        last_modification: timespec(meta.mtime.filter(|_| which.has(Facets::MTIME))),
    };
    if times.last_access.tv_nsec != UTIME_OMIT || times.last_modification.tv_nsec != UTIME_OMIT {
        let done = match place {
            Place::Open(file) => futimens(file.fd(), &times),
            Place::Named(dir, name) => utimensat(dir.fd(), *name, &times, AtFlags::SYMLINK_NOFOLLOW),
        };
        forgiven(done)?;
    }
    Ok(())
}

/// There is no chmod that never follows a link on every kernel, so it goes through a handle of the inode.
fn chmod_named(dir: &dyn HasFd, name: &[u8], mode: Mode) -> Result<()> {
    let flags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
    let inode = openat(dir.fd(), name, flags, Mode::empty())?;
    let link = format!("/proc/self/fd/{}", inode.as_raw_fd());
    match chmodat(CWD, link, mode, AtFlags::empty()) {
        // Without /proc it takes a handle that can read.
        Err(Errno::NOENT) => {
            let flags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
            fchmod(openat(dir.fd(), name, flags, Mode::empty())?, mode)
        }
        done => done,
    }
}

/// Refusals that only mean that a facet is not kept.
fn forgiven(done: Result<()>) -> Result<()> {
    match done {
        Err(Errno::PERM | Errno::INVAL | Errno::NOTSUP | Errno::OVERFLOW) => Ok(()),
        done => done,
    }
}

/// Numeric ids; names and SIDs are not ours to translate, and -1 means "leave it" to the kernel.
fn ids(posix: &Posix) -> Option<(Uid, Gid)> {
    match (&posix.owner, &posix.group) {
        (Principal::Id(owner), Principal::Id(group)) if *owner != u32::MAX && *group != u32::MAX => {
            Some((Uid::from_raw(*owner), Gid::from_raw(*group)))
        }
        _ => None,
    }
}

fn timespec(at: Option<Timestamp>) -> Timespec {
    match at {
        Some(at) => Timespec { tv_sec: at.secs, tv_nsec: at.nanos.into() },
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
    }
}

/// The facets of `meant` that `found` has exactly. A symbolic link has no mode of its own, and each look
/// at where it points moves its time of access.
pub(crate) fn kept(found: &Entry, meant: &Metadata, which: Facets) -> Facets {
    let Some(told) = &found.meta else { return Facets::NONE };
    let same = |same: bool, facet: Facets| if same { facet.shared(which) } else { Facets::NONE };
    let posix = told.posix.as_ref().zip(meant.posix.as_ref());
    let is_link = matches!(found.kind, Kind::Symlink { .. });
    same(meant.mtime.is_some() && told.mtime == meant.mtime, Facets::MTIME)
        .and(same(!is_link && meant.atime.is_some() && told.atime == meant.atime, Facets::ATIME))
        .and(same(!is_link && posix.is_some_and(|(a, b)| a.mode == b.mode & 0o7777), Facets::MODE))
        .and(same(posix.is_some_and(|(a, b)| (&a.owner, &a.group) == (&b.owner, &b.group)), Facets::OWNER))
}
