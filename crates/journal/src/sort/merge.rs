//! Merging runs: a heap of readers, the one with the smallest key on top.

use super::{
    Entry,
    run::{Run, RunReader},
};
use crate::Error;
use std::{
    cmp::Ordering,
    collections::{BinaryHeap, binary_heap::PeekMut},
};

#[derive(Debug)]
pub(super) struct Merger {
    heads: BinaryHeap<Box<Head>>,
    /// The entry on top was handed out: go on from it first.
    lent: bool,
}

#[derive(Debug)]
struct Head {
    reader: RunReader,
    /// Place of its run among the runs: of equal keys, the older run's come first.
    age: usize,
}

impl Ord for Head {
    /// Reversed, as the heap has its largest on top.
    fn cmp(&self, other: &Self) -> Ordering {
        other.reader.key.cmp(&self.reader.key).then_with(|| other.age.cmp(&self.age))
    }
}
impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Head {}

impl Merger {
    /// Merges `runs`, oldest first, with a buffer of that many bytes for each.
    pub fn new(runs: Vec<Run>, buffer: usize) -> Result<Self, Error> {
        let mut heads = BinaryHeap::with_capacity(runs.len());
        for (age, run) in runs.into_iter().enumerate() {
            let mut reader = run.read(buffer)?;
            if reader.advance()? {
                heads.push(Box::new(Head { reader, age }));
            }
        }
        Ok(Self { heads, lent: false })
    }

    pub fn next(&mut self) -> Result<Option<Entry<'_>>, Error> {
        if self.lent
            && let Some(mut top) = self.heads.peek_mut()
            && !top.reader.advance()?
        {
            PeekMut::pop(top);
        }
        let top = self.heads.peek();
        self.lent = top.is_some();
        Ok(top.map(|head| (&head.reader.key[..], &head.reader.value[..])))
    }
}
