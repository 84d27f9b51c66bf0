//! Lists a directory from its beginning again, when the server no longer knows where we were in it, and
//! delivers only what was not delivered before. It is rare (the directory changed, or the server restarted),
//! so it may cost a look at every row written; the ordinary walk pays nothing for it.

use crate::snapshots;
use futures::StreamExt as _;
use inventory::rows::read_entries;
use model::{Entry, Facets, RelPath};
use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
    path::PathBuf,
    sync::Arc,
};
use storage::{Error, ErrorKind, ListSpec, Source};

/// How often one listing may lose its place.
const TRIES: u32 = 3;

/// Names that were delivered, as 128 bits of two hashes: ten million take 300 MB, and two names that collide
/// do not exist.
pub(crate) struct Known {
    names: HashSet<(u64, u64)>,
    hashers: [RandomState; 2],
}

impl Known {
    /// Reads the names of all entries directly in `dir` from the parts written so far. Blocks.
    pub(crate) fn read(dir: &RelPath, parts: &[PathBuf]) -> Result<Self, inventory::Error> {
        let mut known = Self { names: HashSet::new(), hashers: [RandomState::new(), RandomState::new()] };
        for part in parts {
            for row in read_entries(part)? {
                let path = row?.path;
                if path.parent().as_ref() == Some(dir) {
                    known.is_new(path.file_name());
                }
            }
        }
        Ok(known)
    }

    /// Remembers a name; true when it was not known.
    fn is_new(&mut self, name: &[u8]) -> bool {
        let [first, second] = &self.hashers;
        self.names.insert((first.hash_one(name), second.hash_one(name)))
    }
}

/// What a listing showed beside entries, before an error too.
pub(crate) struct Found<'a> {
    /// New directories that are to be walked.
    pub(crate) children: &'a mut Vec<Entry>,
    /// Entries that could not be read.
    pub(crate) unread: &'a mut Vec<Error>,
}

/// Lists `dir`, hands new entries to `deliver`, and adds what else was `found`. `deliver` answers false when nobody
/// wants more.
///
/// Errors: as the listing's; `Changed` when it lost its place again and again.
pub(crate) async fn relist(
    source: &Arc<dyn Source>,
    dir: &RelPath,
    want: Facets,
    mut known: Known,
    found: Found<'_>,
    mut deliver: impl AsyncFnMut(Vec<Entry>) -> bool,
) -> Result<(), Error> {
    let mut tries = 0;
    'again: loop {
        found.unread.clear();
        let mut pages = source.list(dir, ListSpec { recursive: false, want, from: None });
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => {
                    let mut entries = page.entries;
                    entries.retain(|entry| known.is_new(entry.path.file_name()));
                    let walked = |entry: &&Entry| entry.kind.is_dir() && !snapshots::is_snapshot(entry);
                    found.unread.extend(page.unread);
                    found.children.extend(entries.iter().filter(walked).cloned());
                    if !deliver(entries).await {
                        return Ok(());
                    }
                }
                Err(lost) if lost.kind() == ErrorKind::Changed && tries < TRIES => {
                    tries += 1;
                    continue 'again;
                }
                Err(error) => return Err(error),
            }
        }
        return Ok(());
    }
}
