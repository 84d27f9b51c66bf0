//! What the journal remembers.

use bytes::Bytes;
use model::{Digests, Kind, RelPath, Stamp, Timestamp};

/// One thing that happened, or is about to. Paths are the *target's*, relative to its root, because that is
/// what both listings are joined by; the source's path stands beside it only where it differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A run begins.
    Started {
        /// When.
        at: Timestamp,
        /// SHA-256 of the move as the plan has it: a journal belongs to one move.
        move_sha256: [u8; 32],
    },
    /// A write in parts is about to be opened. Durable before the target hears of it, so that a write that
    /// was opened but not recorded can be looked for by name.
    Intent {
        /// Target path.
        path: RelPath,
        /// What the source was.
        source: Stamp,
    },
    /// A write in parts was opened. Durable before its first part is sent.
    Opened {
        /// Target path.
        path: RelPath,
        /// What the source was.
        source: Stamp,
        /// Bytes of every part but the last.
        part_size: u64,
        /// How the driver finds it again.
        token: Bytes,
    },
    /// A part was taken by the target.
    Part {
        /// Target path.
        path: RelPath,
        /// The part.
        part: Part,
    },
    /// A write in parts was aborted or found gone.
    Dropped {
        /// Target path.
        path: RelPath,
    },
    /// An item is at the target.
    Done(Box<Done>),
    /// An item is not at the target.
    Failed {
        /// Target path, or the source's where no target path exists.
        path: RelPath,
        /// `storage::ErrorKind::word`.
        kind: String,
        /// In words.
        detail: String,
    },
    /// An item was removed from the target by us.
    Removed {
        /// Target path.
        path: RelPath,
    },
    /// A run ended by itself.
    Finished {
        /// When.
        at: Timestamp,
    },
}

/// An item that is at the target, as source and target described it at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Target path.
    pub path: RelPath,
    /// Source path, where it differs.
    pub source_path: Option<RelPath>,
    /// What it is.
    pub kind: Kind,
    /// What the source was.
    pub source: Stamp,
    /// A fingerprint of the metadata that was written (mode, owner, times): changes of metadata alone show here.
    pub meta_hash: u64,
    /// What the target said.
    pub target: Stamp,
    /// Digests of the bytes that we read from the source; empty when it was adopted.
    pub digests: Digests,
    /// True: the bytes were there already and were found equal; nothing was sent.
    pub adopted: bool,
    /// True: checked at the target after the write.
    pub verified: bool,
}

/// A part of a write in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which, from 0.
    pub index: u32,
    /// Bytes in it.
    pub len: u64,
    /// Our CRC-64/NVME of it.
    pub crc64nvme: u64,
    /// What the target wants back at the end.
    pub tag: Bytes,
}
