//! Extended attributes and POSIX access control lists, as the kernel keeps them beside an inode.
//!
//! The kernel has no `listxattrat` before Linux 6.13, so a name in an open directory is reached through
//! `/proc/self/fd/N/NAME`, which never follows a link in its last component.

use bytes::Bytes;
use model::{Acl, Facets, Metadata};
use rustix::{
    fd::{AsFd, AsRawFd as _, BorrowedFd},
    fs::{fgetxattr, flistxattr, lgetxattr, llistxattr},
    io::{Errno, Result},
};
use std::{cell::RefCell, os::unix::ffi::OsStrExt as _, path::PathBuf};

/// `XATTR_LIST_MAX` and `XATTR_SIZE_MAX` of Linux (`include/uapi/linux/limits.h`): nothing is longer.
const LARGEST: usize = 64 << 10;
/// What the facets are called in [`Facets`].
pub(crate) const READS: Facets = Facets::XATTR.and(Facets::POSIX_ACL);

const ACCESS_ACL: &[u8] = b"system.posix_acl_access";
const DEFAULT_ACL: &[u8] = b"system.posix_acl_default";
/// Given to files by the policy of a host (SELinux, IMA), or by the file system below: not their owner's.
const OF_THE_HOST: [&[u8]; 3] = [b"security.selinux", b"security.ima", b"security.evm"];

thread_local! {
    /// For the names, and for a value: asking with room costs one call instead of two.
    static ROOM: RefCell<(Vec<u8>, Vec<u8>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// Where the attributes are.
pub(crate) enum Inode<'a> {
    Named(PathBuf),
    Open(BorrowedFd<'a>),
}

impl<'a> Inode<'a> {
    pub(crate) fn named(dir: &impl AsFd, name: &[u8]) -> Self {
        let mut path = PathBuf::from(format!("/proc/self/fd/{}", dir.as_fd().as_raw_fd()));
        path.push(std::ffi::OsStr::from_bytes(name));
        Self::Named(path)
    }
    pub(crate) fn open(file: &'a impl AsFd) -> Self {
        Self::Open(file.as_fd())
    }
    fn names(&self, room: &mut [u8]) -> Result<usize> {
        match self {
            Self::Named(path) => llistxattr(path.as_path(), room),
            Self::Open(file) => flistxattr(file, room),
        }
    }
    fn value(&self, name: &[u8], room: &mut [u8]) -> Result<usize> {
        match self {
            Self::Named(path) => lgetxattr(path.as_path(), name, room),
            Self::Open(file) => fgetxattr(file, name, room),
        }
    }
}

/// Can the attributes of what is below `root` be told? No without `/proc`, or where the file system keeps none.
pub(crate) fn told(root: &impl AsFd) -> bool {
    Inode::named(root, b".").names(&mut vec![0; LARGEST]).is_ok()
}

/// Adds what `want` asks for to `meta`. A value that only the owner may read stays empty, so that its name at
/// least is known.
pub(crate) fn add(inode: &Inode<'_>, want: Facets, meta: &mut Metadata) -> Result<()> {
    ROOM.with_borrow_mut(|(names, value)| {
        names.resize(LARGEST, 0);
        value.resize(LARGEST, 0);
        let length = match inode.names(names) {
            Ok(length) => length,
            Err(Errno::NOTSUP) => 0,
            Err(error) => return Err(error),
        };
        for name in names.get(..length).unwrap_or_default().split(|b| *b == 0).filter(|name| !name.is_empty()) {
            let acl = name == ACCESS_ACL;
            let wanted = if acl || name == DEFAULT_ACL { Facets::POSIX_ACL } else { Facets::XATTR };
            if !want.has(wanted) || OF_THE_HOST.contains(&name) || other_system(name) {
                continue;
            }
            let length = match inode.value(name, value) {
                Ok(length) => length,
                Err(Errno::NODATA | Errno::NOTSUP) => continue, // removed since its name was read
                Err(Errno::ACCESS | Errno::PERM) => 0,
                Err(error) => return Err(error),
            };
            let held = Bytes::copy_from_slice(value.get(..length).unwrap_or_default());
            if acl {
                meta.acl = Some(Acl::Posix1e(held));
            } else {
                meta.xattrs.push((Bytes::copy_from_slice(name), held));
            }
        }
        meta.xattrs.sort();
        Ok(())
    })
}

/// Other attributes of the system (`system.nfs4_acl` on an NFS mount) are what a driver of their own tells.
fn other_system(name: &[u8]) -> bool {
    name.starts_with(b"system.") && name != ACCESS_ACL && name != DEFAULT_ACL
}
