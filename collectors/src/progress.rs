//! Numbers that somebody else may look at while discovery runs.

use std::sync::atomic::{AtomicU64, Ordering};

/// Filled by `discover`, read by whoever shows progress. An interrupted discovery that is taken up starts
/// with what it had.
#[derive(Debug, Default)]
pub struct Progress {
    entries: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
    directories: AtomicU64,
    unreadable: AtomicU64,
    inherited: AtomicU64,
}

/// One look at [`Progress`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgressNumbers {
    /// Entries found.
    pub entries: u64,
    /// Files among them.
    pub files: u64,
    /// Bytes of those files.
    pub bytes: u64,
    /// Directories that were listed to their end by this process.
    pub directories: u64,
    /// Directories that could not be read.
    pub unreadable: u64,
    /// Entries that an earlier, interrupted run had found: leave them out of a rate.
    pub inherited: u64,
}

impl Progress {
    /// The numbers now. Each is right by itself; together they may be a page apart.
    pub fn numbers(&self) -> ProgressNumbers {
        ProgressNumbers {
            entries: self.entries.load(Ordering::Relaxed),
            files: self.files.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            directories: self.directories.load(Ordering::Relaxed),
            unreadable: self.unreadable.load(Ordering::Relaxed),
            inherited: self.inherited.load(Ordering::Relaxed),
        }
    }
    pub(crate) fn start(&self, inherited: u64) {
        self.inherited.store(inherited, Ordering::Relaxed);
    }
    pub(crate) fn found(&self, entries: u64, counts: &inventory::Counts, unreadable: u64) {
        self.entries.store(entries, Ordering::Relaxed);
        self.files.store(counts.files, Ordering::Relaxed);
        self.bytes.store(counts.size_bytes, Ordering::Relaxed);
        self.unreadable.store(unreadable, Ordering::Relaxed);
    }
    pub(crate) fn directory_done(&self) {
        self.directories.fetch_add(1, Ordering::Relaxed);
    }
}
