//! The current tree: directories in memory, their entries on disk, sorted by name.
//!
//! A directory takes 56 bytes of memory, a file none. The entries of a directory lie one after the other in one
//! file, and the place of every 128th stands in a second one, so that a name is found with some small reads
//! however large the directory is.

mod run;

pub(crate) use run::Run;

use crate::{
    failure::{Broken, Outcome},
    inode::{Node, ROOT, Shape, id_and_kind},
    scratch::Lease,
    strings::Strings,
    wire::WireError,
};
use model::RelPath;
use std::{io, os::unix::fs::FileExt as _};

/// Entries between two that the index knows.
pub(crate) const STEP: u64 = 128;
/// No path of HDFS is deeper (`DFSUtil`: 1000 components, `HdfsServerConstants.MAX_PATH_DEPTH`).
const MAX_DEPTH: usize = 4096;

/// A directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dir {
    pub(crate) id: u64,
    /// Its directory; 0 for the root and for what has none.
    pub(crate) parent: u64,
    /// Where the first of its entries lies.
    pub(crate) children_at: u64,
    /// Where its part of the index starts.
    pub(crate) index_at: u64,
    pub(crate) count: u64,
    /// Where it lies as an entry itself.
    pub(crate) record_at: u64,
    pub(crate) place: Place,
}

/// Where a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Unknown,
    /// On the way up from another one; meeting it again is a cycle.
    Asked,
    /// In the current tree.
    Tree,
    /// In snapshots only.
    Snapshot,
    /// Nowhere.
    Nowhere,
}

/// The tree of an image.
#[derive(Debug)]
pub(crate) struct Tree {
    /// By id.
    pub(crate) dirs: Vec<Dir>,
    pub(crate) children: Lease,
    pub(crate) index: Lease,
    pub(crate) root: Node,
    pub(crate) strings: Strings,
}

/// What stands at a path.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) node: Node,
    /// Its place in `Tree::dirs`, when it is a directory.
    pub(crate) dir: Option<usize>,
}

/// A stored record that does not read is our own mistake, not the image's.
pub(crate) fn own(error: WireError) -> Broken {
    Broken::Scratch(io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The place of a directory by its id.
pub(crate) fn position(dirs: &[Dir], id: u64) -> Option<usize> {
    dirs.binary_search_by_key(&id, |dir| dir.id).ok()
}

impl Tree {
    /// What stands at `path`; `None` when there is nothing.
    pub(crate) fn find(&self, path: &RelPath) -> Outcome<Option<Found>> {
        let mut found = Found { node: self.root.clone(), dir: position(&self.dirs, ROOT) };
        for name in path.components() {
            let Some(dir) = found.dir else { return Ok(None) };
            let Some(node) = self.child(&self.dirs[dir], name)? else { return Ok(None) };
            let dir = if node.shape == Shape::Dir { position(&self.dirs, node.id) } else { None };
            found = Found { node, dir };
        }
        Ok(Some(found))
    }

    /// The entry of that name in a directory.
    fn child(&self, dir: &Dir, name: &[u8]) -> Outcome<Option<Node>> {
        let mut run = self.seek(dir, name)?;
        match run.next(self)? {
            Some((found, record)) if found == name => Node::load(record).map(Some).map_err(own),
            Some(_) | None => Ok(None),
        }
    }

    /// The entries of a directory from the first that is not before `name`.
    pub(crate) fn seek(&self, dir: &Dir, name: &[u8]) -> Outcome<Run> {
        // The last step whose first name is not after `name`.
        let (mut low, mut high) = (0, dir.count.div_ceil(STEP));
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let mut run = Run::new(self.step(dir, middle)?, 1, 512);
            let after = run.next(self)?.is_none_or(|(first, _)| first > name);
            if after {
                high = middle;
            } else {
                low = middle;
            }
        }
        let mut run = Run::new(self.step(dir, low)?, dir.count.saturating_sub(low * STEP), 16 << 10);
        run.skip_before(self, name)?;
        Ok(run)
    }

    /// All entries of a directory.
    pub(crate) fn entries(dir: &Dir) -> Run {
        Run::new(dir.children_at, dir.count, 16 << 10)
    }

    fn step(&self, dir: &Dir, step: u64) -> Outcome<u64> {
        if step == 0 {
            return Ok(dir.children_at);
        }
        let mut raw = [0; 8];
        self.index.file.read_exact_at(&mut raw, dir.index_at + step * 8).map_err(Broken::Scratch)?;
        Ok(u64::from_le_bytes(raw))
    }

    /// Where a directory is, from the root; `None` when it is not in the tree.
    pub(crate) fn path_of(&self, id: u64) -> Outcome<Option<RelPath>> {
        let mut names = Vec::new();
        let mut at = id;
        while at != ROOT {
            let dir = position(&self.dirs, at).map(|place| &self.dirs[place]);
            let Some(dir) = dir.filter(|dir| dir.place == Place::Tree && names.len() < MAX_DEPTH) else {
                return Ok(None);
            };
            let mut run = Run::new(dir.record_at, 1, 512);
            let Some((name, record)) = run.next(self)? else { return Ok(None) };
            if id_and_kind(record).map_err(own)?.0 != at {
                return Ok(None);
            }
            names.push(name.to_vec());
            at = dir.parent;
        }
        Ok(Some(names.iter().rev().fold(RelPath::ROOT, |path, name| path.join(name))))
    }
}
