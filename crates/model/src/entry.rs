//! What a listing yields, and what decides whether a thing has changed.

use crate::{Digests, Metadata, RelPath};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What sits at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Bytes under a name.
    File,
    /// A directory, or the object that marks one.
    Dir,
    /// A symbolic link. Its target is raw bytes; empty where a listing does not tell it (`stat` does).
    Symlink {
        /// Where it points, as the server said it.
        target: Bytes,
    },
    /// Anything else that a file system can hold.
    Special(Special),
}

/// Inodes that are neither data nor directories nor links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Special {
    /// A named pipe.
    Fifo,
    /// A Unix socket.
    Socket,
    /// A block device.
    Block {
        /// Device number as `makedev` packs it on Linux.
        rdev: u64,
    },
    /// A character device.
    Char {
        /// Device number as `makedev` packs it on Linux.
        rdev: u64,
    },
}

impl Kind {
    /// Is it a directory?
    pub const fn is_dir(&self) -> bool {
        matches!(self, Self::Dir)
    }
    /// Is it a regular file?
    pub const fn is_file(&self) -> bool {
        matches!(self, Self::File)
    }
    /// One lower-case word: `file`, `dir`, `symlink`, `fifo`, `socket`, `block`, `char`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Dir => "dir",
            Self::Symlink { .. } => "symlink",
            Self::Special(Special::Fifo) => "fifo",
            Self::Special(Special::Socket) => "socket",
            Self::Special(Special::Block { .. }) => "block",
            Self::Special(Special::Char { .. }) => "char",
        }
    }
}

/// What decides "has this changed?". Compared whole; an absent part never matches a present one.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stamp {
    /// Length in bytes.
    pub size: u64,
    /// Time of last change of the data, as the server has it.
    pub mtime: Option<Timestamp>,
    /// A counter or time that moves with every change (ctime in nanoseconds for POSIX and NFSv3, the
    /// change attribute for NFSv4, the USN for NTFS).
    pub change: Option<u64>,
    /// The entity tag of an object, without quotes.
    pub etag: Option<Bytes>,
    /// Which inode this is; also finds hard links.
    pub file_id: Option<FileId>,
}

/// A point in time: seconds since 1970-01-01T00:00:00Z, negative before, plus nanoseconds 0..1e9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp {
    /// Whole seconds since the epoch, rounded towards minus infinity.
    pub secs: i64,
    /// Nanoseconds within the second, 0 to 999,999,999.
    pub nanos: u32,
}

impl Timestamp {
    /// Nanoseconds since the epoch.
    pub const fn total_nanos(self) -> i128 {
        self.secs as i128 * 1_000_000_000 + self.nanos as i128
    }
    /// From nanoseconds since the epoch; `None` beyond what 64-bit seconds can hold.
    pub fn from_total_nanos(nanos: i128) -> Option<Self> {
        let secs = i64::try_from(nanos.div_euclid(1_000_000_000)).ok()?;
        let nanos = u32::try_from(nanos.rem_euclid(1_000_000_000)).ok()?;
        Some(Self { secs, nanos })
    }
}

/// An inode on a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileId {
    /// `st_dev`, `fsid` or volume serial.
    pub volume: u64,
    /// `st_ino`, `fileid` or file reference.
    pub inode: u64,
}

/// One thing in a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it is, relative to the location's root.
    pub path: RelPath,
    /// What it is.
    pub kind: Kind,
    /// What decides whether it changed.
    pub stamp: Stamp,
    /// Metadata as far as it was asked for and the server told it.
    pub meta: Option<Box<Metadata>>,
    /// Digests that the *server* keeps, when `Facets::DIGESTS` was asked for.
    pub digests: Option<Box<Digests>>,
    /// How many names the inode has, where the server says so.
    pub nlink: Option<u32>,
    /// Bytes that the server says are allocated; less than `size` for sparse files.
    pub allocated: Option<u64>,
    /// What the driver needs to open this again without resolving the path (an NFS file handle).
    /// Opaque, and only a hint: a driver that finds it stale falls back to the path.
    pub locator: Option<Bytes>,
}

impl Stamp {
    /// Does what was recorded right after a write describe what is seen now? Every part that both have must
    /// be equal, and besides the size they must share an entity tag or a time.
    pub fn describes(&self, seen: &Self) -> bool {
        fn same<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> Option<bool> {
            a.zip(b).map(|(a, b)| a == b)
        }
        let etag = same(self.etag.as_ref(), seen.etag.as_ref());
        let times = [same(self.mtime.as_ref(), seen.mtime.as_ref()), same(self.change.as_ref(), seen.change.as_ref())];
        if self.size != seen.size {
            return false;
        }
        // An entity tag settles it: the times of an object are told in whole seconds here and in
        // milliseconds there.
        match etag {
            Some(equal) => equal,
            None => times.iter().flatten().count() > 0 && times.iter().flatten().all(|equal| *equal),
        }
    }
}

impl Entry {
    /// An entry of which only kind and stamp are known.
    pub fn new(path: RelPath, kind: Kind, stamp: Stamp) -> Self {
        Self { path, kind, stamp, meta: None, digests: None, nlink: None, allocated: None, locator: None }
    }
    /// The bytes this entry sorts by: its path, with `/` after a directory, so that a file tree and a
    /// key space list in one order.
    pub fn sort_key(&self) -> Bytes {
        if !self.kind.is_dir() || self.path.is_root() {
            return self.path.to_bytes();
        }
        let mut key = self.path.as_bytes().to_vec();
        key.push(b'/');
        key.into()
    }
}
