//! How to read an image.

use model::RelPath;
use std::{fmt, path::PathBuf, sync::Arc};
use storage::{NoProbe, Probe};

/// How to read an image.
#[derive(Clone, Debug)]
pub struct FsimageOptions {
    /// Directory for temporary files; the system's by default. Reading takes up to twice the inodes' stored form
    /// there (some 60 bytes and the name for each inode), and keeps half of that while the store is open. The
    /// files have no names, so nothing is left behind.
    pub scratch: PathBuf,
    /// Most bytes of temporary files; nine tenths of what is free in `scratch` when absent.
    pub scratch_limit: Option<u64>,
    /// Bytes of memory for each of two sorts, of which one is filled at a time. 32 MiB at first.
    pub memory: usize,
    /// The directory of the image to show as the root; all of it by default.
    pub below: RelPath,
    /// Entries in a page of a listing, 1000 at first.
    pub page_entries: usize,
    /// Told now and then how far reading is.
    pub progress: Option<ProgressFn>,
    /// Told what each page (`list`) and each look at one entry (`stat`) cost.
    pub probe: Arc<dyn Probe>,
}

/// Told how far reading is, on the thread that reads: it must not block.
#[derive(Clone)]
pub struct ProgressFn(pub Arc<dyn Fn(Progress) + Send + Sync>);

impl fmt::Debug for ProgressFn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProgressFn")
    }
}

/// How far reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// How much of it is done: bytes of the directories' section, else inodes.
    pub done: u64,
    /// How much there is, where that is known.
    pub total: Option<u64>,
}

/// What is being done, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The children of directories are read.
    Directories,
    /// The inodes are read.
    Inodes,
    /// The tree is laid down.
    Tree,
}

impl Default for FsimageOptions {
    fn default() -> Self {
        Self {
            scratch: std::env::temp_dir(),
            scratch_limit: None,
            memory: 32 << 20,
            below: RelPath::ROOT,
            page_entries: 1000,
            progress: None,
            probe: Arc::new(NoProbe),
        }
    }
}
