//! The stack of directories still to be listed: the newest in memory, the oldest in a temporary file.

use super::Place;
use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Seek as _, SeekFrom, Write as _},
};

/// Last in, first out.
pub(super) struct Pending {
    memory: Vec<Place>,
    limit: usize,
    /// Unnamed, so it is gone with the process.
    file: Option<File>,
    blocks: Vec<Block>,
    spilled: usize,
}

/// Places written together; read back together.
struct Block {
    start: u64,
    places: usize,
}

impl Pending {
    pub(super) fn new(limit: usize) -> Self {
        Self { memory: Vec::new(), limit: limit.max(2), file: None, blocks: Vec::new(), spilled: 0 }
    }
    pub(super) fn len(&self) -> usize {
        self.memory.len() + self.spilled
    }

    /// Puts places on the stack so that the first of them is taken first.
    pub(super) fn push_all(&mut self, places: Vec<Place>) {
        self.memory.extend(places.into_iter().rev());
        self.make_room();
    }

    /// Puts one place on the stack.
    pub(super) fn push(&mut self, place: Place) {
        self.memory.push(place);
        self.make_room();
    }

    fn make_room(&mut self) {
        if self.memory.len() > self.limit {
            // Without room on disk they stay in memory: more memory is better than a lost directory.
            if let Err(error) = self.spill() {
                tracing::warn!(%error, "cannot move pending directories to a temporary file");
                self.limit = self.limit.saturating_mul(2);
            }
        }
    }

    pub(super) fn pop(&mut self) -> io::Result<Option<Place>> {
        if self.memory.is_empty()
            && let (Some(block), Some(file)) = (self.blocks.last(), &mut self.file)
        {
            let mut memory = Vec::with_capacity(block.places);
            read_block(file, block, |place| {
                memory.push(place.clone());
                Ok(())
            })?;
            self.memory = memory;
            file.set_len(block.start)?;
            self.spilled -= block.places;
            self.blocks.pop();
        }
        Ok(self.memory.pop())
    }

    /// Shows all places, from the bottom of the stack to its top, without holding more than one in memory.
    pub(super) fn each(&mut self, mut show: impl FnMut(&Place) -> io::Result<()>) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            for block in &self.blocks {
                read_block(file, block, &mut show)?;
            }
        }
        self.memory.iter().try_for_each(show)
    }

    /// Moves the oldest half to the end of the file.
    fn spill(&mut self) -> io::Result<()> {
        let half = self.memory.len() / 2;
        if self.file.is_none() {
            self.file = Some(tempfile::tempfile()?);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let start = file.seek(SeekFrom::End(0))?;
        let written = write_places(file, &self.memory[..half]);
        if let Err(error) = written {
            file.set_len(start)?;
            return Err(error);
        }
        self.memory.drain(..half);
        self.blocks.push(Block { start, places: half });
        self.spilled += half;
        Ok(())
    }
}

fn write_places(file: &mut File, places: &[Place]) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    places.iter().try_for_each(|place| place.write_to(&mut out))?;
    out.flush()
}

fn read_block(file: &mut File, block: &Block, mut show: impl FnMut(&Place) -> io::Result<()>) -> io::Result<()> {
    file.seek(SeekFrom::Start(block.start))?;
    let mut from = BufReader::new(file);
    let mut before: Option<Place> = None;
    for _ in 0..block.places {
        let place = Place::read_from(&mut from, before.as_ref())?;
        let place = place.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        show(&place)?;
        before = Some(place);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cursor;
    use bytes::Bytes;
    use model::RelPath;

    #[test]
    fn a_stack_that_overflows_to_disk_gives_back_everything_in_order() {
        let places: Vec<Place> = (0..1000_u32)
            .map(|n| {
                let cursor = (n % 3 == 0).then(|| Cursor(Bytes::from(n.to_string())));
                Place::new(RelPath::from(format!("dir {n}\n").as_str()), cursor)
            })
            .collect();
        let mut stack = Pending::new(7);
        for place in places.iter().rev() {
            stack.push(place.clone());
        }
        assert!(stack.memory.len() <= 8 && stack.len() == 1000);
        let mut all = Vec::new();
        stack
            .each(|place| {
                all.push(place.clone());
                Ok(())
            })
            .unwrap();
        all.reverse();
        assert_eq!(all, places);
        let popped: Vec<Place> = std::iter::from_fn(|| stack.pop().unwrap()).collect();
        assert_eq!(popped, places);
        assert_eq!(stack.len(), 0);
    }
}
