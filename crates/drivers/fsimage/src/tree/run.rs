//! Entries that lie one after the other in the file of children.

use super::{Tree, own};
use crate::{
    failure::{Broken, Outcome},
    wire::varint,
};
use std::{io, os::unix::fs::FileExt as _};

/// Largest piece read at once.
const MAX_READ: usize = 256 << 10;

/// Entries still to come.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Where `buffer` starts in the file.
    at: u64,
    left: u64,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that were used.
    used: usize,
    /// Bytes to read next time; doubled, so that a lookup reads little and a listing reads much.
    ahead: usize,
}

impl Run {
    pub(crate) fn new(at: u64, left: u64, ahead: usize) -> Self {
        Self { at, left, buffer: Vec::new(), used: 0, ahead }
    }

    /// Are there no more entries?
    pub(crate) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// The next entry: its name and its record.
    pub(crate) fn next(&mut self, tree: &Tree) -> Outcome<Option<(&[u8], &[u8])>> {
        if self.left == 0 {
            return Ok(None);
        }
        let (name, record) = self.load(tree)?;
        self.used = record.1;
        self.left -= 1;
        Ok(Some((&self.buffer[name.0..name.1], &self.buffer[record.0..record.1])))
    }

    /// Passes over entries whose name is before `name`.
    pub(crate) fn skip_before(&mut self, tree: &Tree, name: &[u8]) -> Outcome<()> {
        while self.left > 0 {
            let (found, record) = self.load(tree)?;
            if &self.buffer[found.0..found.1] >= name {
                break;
            }
            self.used = record.1;
            self.left -= 1;
        }
        Ok(())
    }

    /// Gets the next entry into the buffer: where its name and its record lie there.
    fn load(&mut self, tree: &Tree) -> Outcome<((usize, usize), (usize, usize))> {
        loop {
            if let Some(places) = self.places() {
                return Ok(places);
            }
            self.buffer.drain(..self.used);
            self.at += u64::try_from(self.used).map_err(|error| Broken::Scratch(io::Error::other(error)))?;
            self.used = 0;
            let held = self.buffer.len();
            self.buffer.resize(held + self.ahead, 0);
            let from = self.at + u64::try_from(held).map_err(|error| Broken::Scratch(io::Error::other(error)))?;
            let count = tree.children.file.read_at(&mut self.buffer[held..], from).map_err(Broken::Scratch)?;
            self.buffer.truncate(held + count);
            self.ahead = (self.ahead * 2).min(MAX_READ);
            if count == 0 {
                return Err(own(crate::wire::WireError::Length));
            }
        }
    }

    fn places(&self) -> Option<((usize, usize), (usize, usize))> {
        let mut at = self.used;
        let mut part = || {
            let mut rest = self.buffer.get(at..)?;
            let len = usize::try_from(varint(&mut rest).ok()?).ok()?;
            let start = self.buffer.len() - rest.len();
            let end = start.checked_add(len).filter(|end| *end <= self.buffer.len())?;
            at = end;
            Some((start, end))
        };
        Some((part()?, part()?))
    }
}
