//! What the journal changes in what is left to do.
//!
//! A checkpoint writes down every directory that is left to list; the journal holds what was delivered since.
//! Both together are where a run stopped. Memory is bounded by the journal, not by what is left to do: the
//! directories of the checkpoint go through one by one.

use crate::{
    journal::{Next, Step},
    snapshots,
};
use bytes::Bytes;
use model::{Entry, Kind, RelPath};
use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, BufReader},
    path::Path,
};
use storage::{
    Cursor,
    walk::{Line, Place, Walk},
};

/// The effect of a journal.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    /// Directories of which pages came.
    touched: HashMap<RelPath, Touch>,
    /// Directories that were found, with the one that holds them and what its listing said.
    born: HashMap<RelPath, (RelPath, Entry)>,
    /// Left out; their page has not come yet.
    skipped: HashSet<RelPath>,
    /// Directories that were listed from their beginning again and did not come to their end.
    again: HashSet<RelPath>,
    /// Directories whose last page came and whose end was not written down.
    unended: HashSet<RelPath>,
    /// The sort key delivered last.
    pub last_key: Option<Bytes>,
    /// The keys of a recursive listing came to their last page, but not to their end.
    pub keys_unended: bool,
}

#[derive(Debug)]
enum Touch {
    At(Bytes),
    Done,
}

impl Replayed {
    pub(crate) fn step(&mut self, step: &Step) {
        match step {
            Step::Page { dir, entries, next, .. } => {
                for entry in entries.iter().filter(|entry| entry.kind.is_dir() && !snapshots::is_snapshot(entry)) {
                    if !self.skipped.remove(&entry.path) {
                        let mut bare = Entry::new(entry.path.clone(), Kind::Dir, entry.stamp.clone());
                        bare.nlink = entry.nlink;
                        self.born.insert(entry.path.clone(), (dir.clone(), bare));
                    }
                }
                if self.place(dir, next) {
                    self.unended.insert(dir.clone());
                }
            }
            Step::Keys { entries, next } => {
                self.last_key = entries.last().map(Entry::sort_key).or(self.last_key.take());
                self.keys_unended = self.place(&RelPath::ROOT, next);
            }
            Step::End { dir } => {
                self.touched.insert(dir.clone(), Touch::Done);
                self.unended.remove(dir);
            }
            Step::KeysEnd => {
                self.touched.insert(RelPath::ROOT, Touch::Done);
                self.keys_unended = false;
            }
            Step::Unreadable(problem) => {
                self.touched.insert(problem.path.clone(), Touch::Done);
            }
            Step::Loop(problem) => {
                self.skipped.insert(problem.path.clone());
            }
            Step::Snapshot { .. } | Step::Ran { .. } | Step::UnreadableEntry(_) => {}
        }
    }

    /// Was nothing delivered?
    pub(crate) fn is_empty(&self) -> bool {
        self.touched.is_empty() && self.born.is_empty()
    }

    /// True when the directory is complete now.
    fn place(&mut self, dir: &RelPath, next: &Next) -> bool {
        match next {
            Next::At(cursor) => drop(self.touched.insert(dir.clone(), Touch::At(cursor.clone()))),
            Next::End => drop(self.touched.insert(dir.clone(), Touch::Done)),
            Next::Same => drop(self.again.insert(dir.clone())),
        }
        *next == Next::End
    }

    /// Directories whose end is still to be said.
    pub(crate) fn take_unended(&mut self) -> Vec<RelPath> {
        self.unended.drain().collect()
    }

    /// Puts what is left to do into `walk`: the directories of the checkpoint's `frontier` (`root` where there was
    /// no checkpoint), changed by the journal. `places` is how many the checkpoint counted. Returned are directories
    /// of which some was delivered out of turn: they are to be listed from their beginning, without what is known.
    pub(crate) fn into_walk(
        self,
        frontier: Option<&Path>,
        places: u64,
        root: Place,
        walk: &mut Walk,
    ) -> io::Result<Vec<Place>> {
        let (mut lines, mut again) = (HashMap::new(), Vec::new());
        if let Some(path) = frontier {
            let mut from = BufReader::new(File::open(path)?);
            let (mut before, mut count) = (None, 0);
            while let Some(place) = Place::read_from(&mut from, before.as_ref())? {
                again.extend(self.put(place.clone(), &mut lines, walk));
                (before, count) = (Some(place), count + 1);
            }
            if count != places {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than the checkpoint says"));
            }
        } else {
            again.extend(self.put(root, &mut lines, walk));
        }
        let mut born: Vec<&RelPath> = self.born.keys().collect();
        born.sort_unstable();
        for dir in born.into_iter().rev() {
            let above = self.line_of(&self.born[dir].0, &mut lines);
            let place = Place::of(&self.born[dir].1, &above);
            again.extend(self.put(place, &mut lines, walk));
        }
        Ok(again)
    }

    fn put(&self, mut place: Place, lines: &mut HashMap<RelPath, Line>, walk: &mut Walk) -> Option<Place> {
        let touch = self.touched.get(&place.dir);
        if touch.is_some() {
            lines.insert(place.dir.clone(), place.line.clone());
        }
        match touch {
            Some(Touch::Done) => return None,
            Some(Touch::At(cursor)) => place.cursor = Some(Cursor(cursor.clone())),
            None => {}
        }
        if self.again.contains(&place.dir) {
            lines.insert(place.dir.clone(), place.line.clone());
            return Some(place);
        }
        walk.push(place);
        None
    }

    /// The line of a directory that was found or touched since the checkpoint.
    fn line_of(&self, dir: &RelPath, lines: &mut HashMap<RelPath, Line>) -> Line {
        let mut way = Vec::new();
        let mut at = dir.clone();
        let mut line = loop {
            if let Some(line) = lines.get(&at) {
                break line.clone();
            }
            // A directory that is neither was not delivered by us; then nothing is known.
            let Some((parent, entry)) = self.born.get(&at) else { break Line::default() };
            way.push((at, entry));
            at = parent.clone();
        };
        for (dir, entry) in way.into_iter().rev() {
            line = line.down_to(entry);
            lines.insert(dir, line.clone());
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inventory::Problem;
    use model::{Metadata, Stamp};
    use std::sync::Arc;
    use storage::{MemoryStore, Node, Target as _, walk};

    /// What is still listed after these steps.
    async fn left(steps: &[Step]) -> Vec<RelPath> {
        let store = MemoryStore::tree();
        for dir in ["loop", "other"] {
            store.make(&dir.into(), Node::Dir, &Metadata::default()).await.unwrap();
        }
        let mut replayed = Replayed::default();
        for step in steps {
            replayed.step(step);
        }
        let spec = walk::WalkSpec { roots: Vec::new(), ..walk::WalkSpec::default() };
        let mut walk = walk::walk(Arc::new(store), spec);
        replayed.into_walk(None, 0, Place::new(RelPath::ROOT, None), &mut walk).unwrap();
        let mut listed = Vec::new();
        while let Some(event) = walk.next().await.unwrap() {
            if let walk::WalkEvent::Page { dir, .. } = event {
                listed.push(dir);
            }
        }
        listed
    }

    #[tokio::test]
    async fn a_loop_that_was_left_out_stays_so() {
        let dir = |name: &str| Entry::new(name.into(), Kind::Dir, Stamp::default());
        let problem = Problem { path: "loop".into(), kind: snapshots::LOOP.to_owned(), detail: String::new() };
        let entries = vec![dir("loop"), dir("other")];
        let page = Step::Page { dir: RelPath::ROOT, entries, next: Next::End, links: None };
        assert_eq!(left(&[Step::Loop(problem), page]).await, [RelPath::from("other")]);
    }
}
