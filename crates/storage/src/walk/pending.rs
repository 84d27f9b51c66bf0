//! The stack of directories still to be listed: the newest in memory, the oldest in a temporary file.

use crate::Cursor;
use bytes::Bytes;
use model::RelPath;
use std::{
    fs::File,
    io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
};

pub(super) type Place = (RelPath, Option<Cursor>);

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
            self.memory = read_block(file, block)?;
            file.set_len(block.start)?;
            self.spilled -= block.places;
            self.blocks.pop();
        }
        Ok(self.memory.pop())
    }

    /// All places, from the bottom of the stack to its top.
    pub(super) fn all(&mut self) -> io::Result<Vec<Place>> {
        let mut all = Vec::with_capacity(self.len());
        if let Some(file) = &mut self.file {
            for block in &self.blocks {
                all.append(&mut read_block(file, block)?);
            }
        }
        all.extend(self.memory.iter().cloned());
        Ok(all)
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
    for (dir, cursor) in places {
        write_bytes(&mut out, dir.as_bytes())?;
        out.write_all(&[u8::from(cursor.is_some())])?;
        if let Some(Cursor(raw)) = cursor {
            write_bytes(&mut out, raw)?;
        }
    }
    out.flush()
}

fn read_block(file: &mut File, block: &Block) -> io::Result<Vec<Place>> {
    file.seek(SeekFrom::Start(block.start))?;
    let mut from = io::BufReader::new(file);
    let mut places = Vec::with_capacity(block.places);
    for _ in 0..block.places {
        let dir = RelPath::from_bytes(read_bytes(&mut from)?);
        let mut has_cursor = [0];
        from.read_exact(&mut has_cursor)?;
        let cursor = if has_cursor == [0] { None } else { Some(Cursor(read_bytes(&mut from)?)) };
        places.push((dir, cursor));
    }
    Ok(places)
}

fn write_bytes(out: &mut impl io::Write, raw: &[u8]) -> io::Result<()> {
    out.write_all(&(raw.len() as u64).to_le_bytes())?;
    out.write_all(raw)
}

fn read_bytes(from: &mut impl io::Read) -> io::Result<Bytes> {
    let mut len = [0; 8];
    from.read_exact(&mut len)?;
    let len = usize::try_from(u64::from_le_bytes(len)).map_err(io::Error::other)?;
    let mut raw = vec![0; len];
    from.read_exact(&mut raw)?;
    Ok(raw.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_that_overflows_to_disk_gives_back_everything_in_order() {
        let places: Vec<Place> = (0..1000_u32)
            .map(|n| {
                let cursor = (n % 3 == 0).then(|| Cursor(Bytes::from(n.to_string())));
                (RelPath::from(format!("dir {n}\n").as_str()), cursor)
            })
            .collect();
        let mut stack = Pending::new(7);
        for place in places.iter().rev() {
            stack.push_all(vec![place.clone()]);
        }
        assert!(stack.memory.len() <= 8 && stack.len() == 1000);
        let mut all = stack.all().unwrap();
        all.reverse();
        assert_eq!(all, places);
        let popped: Vec<Place> = std::iter::from_fn(|| stack.pop().unwrap()).collect();
        assert_eq!(popped, places);
        assert_eq!(stack.len(), 0);
    }
}
