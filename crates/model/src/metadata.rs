//! Metadata as its owner had it. Nothing here converts one system's idea into another's.

use crate::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Facets of metadata. A set of these says what a caller wants, what a backend can read, and what it
/// can write; the difference of two sets *is* the fidelity report.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub struct Facets(pub u32);

impl Facets {
    /// Time of last change of the data.
    pub const MTIME: Self = Self(1);
    /// Time of last read.
    pub const ATIME: Self = Self(1 << 1);
    /// Time of creation.
    pub const BIRTH: Self = Self(1 << 2);
    /// Permission bits with setuid, setgid, sticky.
    pub const MODE: Self = Self(1 << 3);
    /// Owner and group.
    pub const OWNER: Self = Self(1 << 4);
    /// POSIX.1e access control lists.
    pub const POSIX_ACL: Self = Self(1 << 5);
    /// NFSv4 access control lists.
    pub const NFS4_ACL: Self = Self(1 << 6);
    /// NTFS security descriptors.
    pub const NTFS_SD: Self = Self(1 << 7);
    /// NTFS file attributes.
    pub const NTFS_ATTR: Self = Self(1 << 8);
    /// NTFS alternate data streams.
    pub const STREAMS: Self = Self(1 << 9);
    /// Extended attributes.
    pub const XATTR: Self = Self(1 << 10);
    /// User metadata of an object.
    pub const USER_META: Self = Self(1 << 11);
    /// Tags of an object.
    pub const TAGS: Self = Self(1 << 12);
    /// Several names for one inode.
    pub const HARD_LINKS: Self = Self(1 << 13);
    /// Digests that the server keeps of the content.
    pub const DIGESTS: Self = Self(1 << 14);
    /// What a POSIX tree has at least: times, mode, owner.
    pub const POSIX: Self = Self(1 | 1 << 1 | 1 << 3 | 1 << 4);
    /// No facet.
    pub const NONE: Self = Self(0);

    const NAMES: [(Self, &'static str); 15] = [
        (Self::MTIME, "mtime"),
        (Self::ATIME, "atime"),
        (Self::BIRTH, "birth"),
        (Self::MODE, "mode"),
        (Self::OWNER, "owner"),
        (Self::POSIX_ACL, "posix-acl"),
        (Self::NFS4_ACL, "nfs4-acl"),
        (Self::NTFS_SD, "ntfs-sd"),
        (Self::NTFS_ATTR, "ntfs-attributes"),
        (Self::STREAMS, "streams"),
        (Self::XATTR, "xattr"),
        (Self::USER_META, "user-metadata"),
        (Self::TAGS, "tags"),
        (Self::HARD_LINKS, "hard-links"),
        (Self::DIGESTS, "digests"),
    ];

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// What this set has and the other has not.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    /// What both sets have.
    #[must_use]
    pub const fn shared(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    /// Is every facet of `other` in this set?
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// Is the set empty?
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// The names of the facets in the set, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(f, _)| self.has(*f)).map(|(_, name)| name)
    }
}

impl fmt::Display for Facets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.names().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}
impl fmt::Debug for Facets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

/// POSIX and NTFS ride side by side; no backend converts one into the other on its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Time of last change of the data.
    pub mtime: Option<Timestamp>,
    /// Time of last read.
    pub atime: Option<Timestamp>,
    /// Time of creation.
    pub birth: Option<Timestamp>,
    /// Mode, owner, group.
    pub posix: Option<Posix>,
    /// Access control list, as found.
    pub acl: Option<Acl>,
    /// `FILE_ATTRIBUTE_*` bits.
    pub ntfs_attributes: Option<u32>,
    /// Names of alternate data streams.
    pub streams: Vec<Bytes>,
    /// Extended attributes: name, value.
    pub xattrs: Vec<(Bytes, Bytes)>,
    /// User metadata of an object that is not one of the POSIX keys: name, value.
    pub user: Vec<(String, String)>,
    /// Tags of an object: key, value.
    pub tags: Vec<(String, String)>,
}

/// Who may do what, the POSIX way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posix {
    /// The permission bits only: `0o7777` at most, no file type.
    pub mode: u32,
    /// Who owns it.
    pub owner: Principal,
    /// Which group owns it.
    pub group: Principal,
}

/// Who, as the source knows them. Mapping to the target's who is a plan's business, not a driver's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Principal {
    /// A numeric uid or gid.
    Id(u32),
    /// A name, as HDFS and NFSv4 have it.
    Name(String),
    /// A binary Windows SID.
    Sid(Bytes),
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Name(name) => f.write_str(name),
            Self::Sid(raw) => raw.iter().try_for_each(|b| write!(f, "{b:02x}")),
        }
    }
}

/// An access control list in the form its system keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Acl {
    /// `system.posix_acl_access` as Linux stores it.
    Posix1e(Bytes),
    /// An NFSv4 ACL in XDR.
    Nfs4(Bytes),
    /// A self-relative security descriptor.
    NtfsDescriptor(Bytes),
}

impl Metadata {
    /// Which facets are present here.
    pub fn facets(&self) -> Facets {
        let mut set = Facets::NONE;
        let mut add = |there: bool, facet: Facets| {
            if there {
                set = set.and(facet);
            }
        };
        add(self.mtime.is_some(), Facets::MTIME);
        add(self.atime.is_some(), Facets::ATIME);
        add(self.birth.is_some(), Facets::BIRTH);
        add(self.posix.is_some(), Facets::MODE.and(Facets::OWNER));
        add(matches!(self.acl, Some(Acl::Posix1e(_))), Facets::POSIX_ACL);
        add(matches!(self.acl, Some(Acl::Nfs4(_))), Facets::NFS4_ACL);
        add(matches!(self.acl, Some(Acl::NtfsDescriptor(_))), Facets::NTFS_SD);
        add(self.ntfs_attributes.is_some(), Facets::NTFS_ATTR);
        add(!self.streams.is_empty(), Facets::STREAMS);
        add(!self.xattrs.is_empty(), Facets::XATTR);
        add(!self.user.is_empty(), Facets::USER_META);
        add(!self.tags.is_empty(), Facets::TAGS);
        set
    }
}
