//! From a path to a handle, without leaving the root and without following a link.

use model::RelPath;
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2},
    io::Result,
};

/// Longest piece of a path that is resolved at once: below the kernel's `PATH_MAX` of 4096 with its NUL.
const PIECE: usize = 4000;

/// The directory under which everything lies.
pub(crate) struct Root {
    fd: OwnedFd,
    path: Vec<u8>,
    openat2: bool,
}

/// A directory: the root itself, or one below it.
pub(crate) enum Dir<'a> {
    Root(BorrowedFd<'a>),
    Below(OwnedFd),
}
impl AsFd for Dir<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(fd) => *fd,
            Self::Below(fd) => fd.as_fd(),
        }
    }
}
impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Opens a place, not its content.
const PLACE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Root {
    pub(crate) fn open(path: &[u8], want_openat2: bool) -> Result<Self> {
        let fd = openat(CWD, path, PLACE, Mode::empty())?;
        // Old kernels do not know it, and some sandboxes forbid what they do not know.
        let openat2 = want_openat2 && openat2(&fd, ".", PLACE, Mode::empty(), INSIDE).is_ok();
        Ok(Self { fd, path: path.to_vec(), openat2 })
    }
    pub(crate) fn path(&self) -> &[u8] {
        &self.path
    }

    /// Opens what is at `path`, whose components are known to be plain names.
    pub(crate) fn open_at(&self, path: &RelPath, flags: OFlags) -> Result<OwnedFd> {
        let flags = flags.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
        if path.is_root() {
            return openat(&self.fd, ".", flags, Mode::empty());
        }
        let mut rest = path.as_bytes();
        let mut at: Option<OwnedFd> = None;
        while rest.len() > self.piece() {
            let cut = rest[..self.piece()].iter().rposition(|b| *b == b'/');
            let cut = cut.or_else(|| rest.iter().position(|b| *b == b'/'));
            let Some(cut) = cut else { break };
            at = Some(self.step(at.as_ref(), &rest[..cut], PLACE)?);
            rest = &rest[cut + 1..];
        }
        self.step(at.as_ref(), rest, flags)
    }
    /// How much is resolved at once; one component where the kernel cannot keep us inside.
    fn piece(&self) -> usize {
        if self.openat2 { PIECE } else { 0 }
    }
    fn step(&self, at: Option<&OwnedFd>, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
        let at = at.unwrap_or(&self.fd);
        if self.openat2 {
            openat2(at, path, flags.union(OFlags::NOFOLLOW), Mode::empty(), INSIDE)
        } else {
            openat(at, path, flags.union(OFlags::NOFOLLOW), Mode::empty())
        }
    }

    /// The directory at `path`.
    pub(crate) fn dir(&self, path: &RelPath) -> Result<Dir<'_>> {
        if path.is_root() {
            return Ok(Dir::Root(self.fd.as_fd()));
        }
        self.open_at(path, PLACE).map(Dir::Below)
    }
    /// The directory that holds `path`, and the name in it; `.` for the root.
    pub(crate) fn parent<'a>(&self, path: &'a RelPath) -> Result<(Dir<'_>, &'a [u8])> {
        match path.parent() {
            None => Ok((Dir::Root(self.fd.as_fd()), b".")),
            Some(parent) => Ok((self.dir(&parent)?, path.file_name())),
        }
    }
}

/// Stay below the handle, follow nothing.
const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
