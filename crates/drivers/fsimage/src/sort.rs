//! Sorting more records than fit in memory.
//!
//! Records are collected up to a budget, sorted, and written out as a run; runs are merged 64 at a time, so that
//! the number of open files and buffers stays small however much there is. Equal keys keep the order in which
//! they were put in. Every file is unlinked from the start: nothing is left behind, whatever happens.

mod merge;

pub(crate) use merge::Sorted;

use crate::{
    failure::{Broken, Outcome},
    scratch::Scratch,
    wire::put_varint,
};
use merge::{Run, merge_into};
use std::io::Write as _;

/// Runs merged at once.
const FAN_IN: usize = 64;

/// Collects records: a key that decides the order, byte by byte, and a value.
pub(crate) struct Sorter {
    scratch: Scratch,
    budget: usize,
    /// Keys and values of the records in memory, one after the other.
    bytes: Vec<u8>,
    index: Vec<Place>,
    /// Runs on disk, each with how often it was merged; those of one level stand together, higher levels first.
    runs: Vec<(u32, Run)>,
}

/// Where a record lies in memory.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The first eight bytes of the key, which settle most comparisons.
    head: u64,
    at: u32,
    key: u32,
    value: u32,
}

impl Sorter {
    /// A sorter that holds about `budget` bytes in memory.
    pub(crate) fn new(scratch: Scratch, budget: usize) -> Self {
        let budget = budget.clamp(1 << 16, 1 << 30);
        Self { scratch, budget, bytes: Vec::new(), index: Vec::new(), runs: Vec::new() }
    }

    /// Puts a record in.
    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) -> Outcome<()> {
        let used = self.bytes.len() + self.index.len() * size_of::<Place>();
        if used + key.len() + value.len() > self.budget && !self.index.is_empty() {
            self.spill()?;
        }
        let fits = |len: usize| u32::try_from(len).map_err(|_| Broken::ScratchFull(u64::from(u32::MAX)));
        let mut head = [0; 8];
        let shared = key.len().min(8);
        head[..shared].copy_from_slice(&key[..shared]);
        self.index.push(Place {
            head: u64::from_be_bytes(head),
            at: fits(self.bytes.len())?,
            key: fits(key.len())?,
            value: fits(value.len())?,
        });
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        Ok(())
    }

    /// The records in order. What is still in memory is written out first, so that only buffers stay.
    pub(crate) fn sorted(mut self) -> Outcome<Sorted> {
        if !self.index.is_empty() {
            self.spill()?;
        }
        (self.bytes, self.index) = (Vec::new(), Vec::new());
        Sorted::new(self.runs.into_iter().map(|(_, run)| run).collect())
    }

    fn spill(&mut self) -> Outcome<()> {
        let bytes = &self.bytes;
        let whole = |p: &Place| {
            let at = usize::try_from(p.at).expect("it was a usize");
            let key = usize::try_from(p.key).expect("it was a usize");
            let value = usize::try_from(p.value).expect("it was a usize");
            (&bytes[at..at + key], &bytes[at + key..at + key + value])
        };
        self.index.sort_unstable_by(|a, b| {
            a.head.cmp(&b.head).then_with(|| whole(a).0.cmp(whole(b).0)).then_with(|| a.at.cmp(&b.at))
        });
        let mut out = self.scratch.writer()?;
        let mut frame = Vec::with_capacity(20);
        for place in &self.index {
            let (key, value) = whole(place);
            frame.clear();
            put_varint(&mut frame, u64::from(place.key));
            put_varint(&mut frame, u64::from(place.value));
            for piece in [&frame[..], key, value] {
                out.write_all(piece).map_err(Broken::from_scratch)?;
            }
        }
        self.runs.push((0, Run::of(out)?));
        self.bytes.clear();
        self.index.clear();
        self.bytes.shrink_to(self.budget);
        self.collapse()
    }

    /// Merges the newest runs while there are too many of one level.
    fn collapse(&mut self) -> Outcome<()> {
        while let Some(&(level, _)) = self.runs.last() {
            let same = self.runs.iter().rev().take_while(|(other, _)| *other == level).count();
            if same < FAN_IN {
                break;
            }
            let merged = self.runs.split_off(self.runs.len() - same);
            let out = self.scratch.writer()?;
            let run = merge_into(merged.into_iter().map(|(_, run)| run).collect(), out)?;
            self.runs.push((level + 1, run));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, atomic::AtomicBool};

    #[test]
    fn many_runs_come_out_in_order_and_equal_keys_in_the_order_they_went_in() {
        let dir = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(dir.path(), None, Arc::new(AtomicBool::new(false))).unwrap();
        let mut sorter = Sorter::new(scratch.clone(), 0);
        let count = 200_000_u32;
        for at in 0..count {
            let key = at.wrapping_mul(2_654_435_761) % 50_000;
            sorter.push(format!("{key:06}").as_bytes(), &at.to_be_bytes()).unwrap();
        }
        assert!(sorter.runs.len() < FAN_IN && sorter.runs.iter().any(|(level, _)| *level > 0), "it was merged");
        let mut sorted = sorter.sorted().unwrap();
        let (mut before, mut seen) = (None, 0);
        while let Some(now) = sorted.next(|key, value| Ok((key.to_vec(), value.to_vec()))).unwrap() {
            assert!(before.as_ref().is_none_or(|before| *before < now), "{before:?} {now:?}");
            before = Some(now);
            seen += 1;
        }
        assert_eq!(seen, count);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing has a name");
    }
}
