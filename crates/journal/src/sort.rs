//! An external merge sort: any number of keys and values in bounded memory.
//!
//! What fits in memory stays there. What does not goes to runs, front-coded, in files that have no name, so that
//! nothing is left over however the process ends. Runs are kept oldest first and merged with their neighbours only,
//! which keeps the sort stable.

use crate::Error;
use std::path::{Path, PathBuf};

mod arena;
mod merge;
mod run;

use arena::Arena;
use merge::Merger;
use run::{Run, RunWriter};

/// Most runs that are merged at once: more would need more file handles and smaller buffers than pay off.
const MOST_RUNS: usize = 64;
/// Smallest buffer of a run that is being merged, in bytes.
const LEAST_BUFFER: usize = 4 << 10;
/// Largest buffer of a run that is being merged, in bytes.
const MOST_BUFFER: usize = 256 << 10;
/// Least memory that a sorter works with, in bytes.
const LEAST_MEMORY: usize = 64 << 10;
/// Largest key or value, in bytes: lengths in memory have 32 bits, and one entry must not decide how much is held.
const MOST_ENTRY: usize = 64 << 20;

/// A key and its value, lent out until the next one is asked for.
pub type Entry<'a> = (&'a [u8], &'a [u8]);

/// Takes keys and values in any order.
#[derive(Debug)]
pub struct Sorter {
    dir: PathBuf,
    memory: usize,
    arena: Arena,
    /// Oldest first; levels never rise.
    runs: Vec<Run>,
}

impl Sorter {
    /// A sorter that works with about `memory` bytes (at least 64 KiB, and always enough for the largest entry)
    /// and writes to unnamed files in `dir` when that is not enough. `dir` is created when it is needed.
    pub fn new(dir: &Path, memory: usize) -> Self {
        let memory = memory.max(LEAST_MEMORY);
        Self { dir: dir.to_owned(), memory, arena: Arena::new(memory), runs: Vec::new() }
    }

    /// Adds an entry. Of equal keys, the one that was pushed first comes first.
    pub fn push(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        for (what, bytes) in [("key", key.len()), ("value", value.len())] {
            if bytes > MOST_ENTRY {
                return Err(Error::TooLarge { what, bytes, most: MOST_ENTRY });
            }
        }
        if !self.arena.has_room(key, value) && !self.arena.is_empty() {
            self.spill()?;
        }
        self.arena.push(key, value);
        Ok(())
    }

    /// Sorts; the answer reads the entries in order.
    pub fn finish(mut self) -> Result<Sorted, Error> {
        if self.runs.is_empty() {
            self.arena.sort();
            return Ok(Sorted(Entries::Memory { arena: self.arena, at: 0 }));
        }
        if !self.arena.is_empty() {
            self.spill()?;
        }
        self.arena = Arena::new(0);
        // The newest runs are the smallest: merging them costs least.
        while self.runs.len() > self.fan_in() {
            let excess = self.runs.len() - self.fan_in() + 1;
            self.merge_newest(excess.min(self.fan_in()))?;
        }
        let runs = std::mem::take(&mut self.runs);
        Ok(Sorted(Entries::Disk(Merger::new(runs, self.buffer())?)))
    }

    /// How many runs the memory allows to merge at once.
    fn fan_in(&self) -> usize {
        (self.memory / LEAST_BUFFER / 2).clamp(2, MOST_RUNS)
    }

    /// Size of one buffer when `fan_in` runs are merged into another.
    fn buffer(&self) -> usize {
        (self.memory / (self.fan_in() + 1)).clamp(LEAST_BUFFER, MOST_BUFFER)
    }

    /// Writes what is in memory as a run.
    fn spill(&mut self) -> Result<(), Error> {
        self.arena.sort();
        let mut out = RunWriter::create(&self.dir, MOST_BUFFER.min(self.memory / 8).max(LEAST_BUFFER))?;
        for (key, value) in self.arena.iter() {
            out.push(key, value)?;
        }
        self.arena.clear();
        self.runs.push(out.finish(0)?);
        // As soon as enough neighbours of one level are there they become one of the next: open files stay few.
        let fan_in = self.fan_in();
        while let Some(level) = self.runs.last().map(Run::level)
            && self.runs.iter().rev().take_while(|run| run.level() == level).count() >= fan_in
        {
            self.arena = Arena::new(0);
            self.merge_newest(fan_in)?;
            self.arena = Arena::new(self.memory);
        }
        Ok(())
    }

    /// Makes one run of the newest `count`.
    fn merge_newest(&mut self, count: usize) -> Result<(), Error> {
        let runs = self.runs.split_off(self.runs.len() - count);
        let level = runs.first().map_or(0, Run::level) + 1;
        let buffer = self.buffer();
        let mut out = RunWriter::create(&self.dir, buffer)?;
        let mut merger = Merger::new(runs, buffer)?;
        while let Some((key, value)) = merger.next()? {
            out.push(key, value)?;
        }
        self.runs.push(out.finish(level)?);
        Ok(())
    }
}

/// Reads sorted entries, once, from the first to the last.
#[derive(Debug)]
pub struct Sorted(Entries);

#[derive(Debug)]
enum Entries {
    Memory { arena: Arena, at: usize },
    Disk(Merger),
}

impl Sorted {
    /// The next key and value; `None` after the last.
    #[expect(clippy::should_implement_trait, reason = "it lends out its buffer, which an Iterator cannot")]
    pub fn next(&mut self) -> Result<Option<Entry<'_>>, Error> {
        match &mut self.0 {
            Entries::Memory { arena, at } => {
                *at += 1;
                Ok(arena.get(*at - 1))
            }
            Entries::Disk(merger) => merger.next(),
        }
    }
}
