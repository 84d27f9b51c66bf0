//! A run: sorted entries in a file without a name. Each entry is what its key shares with the one before it, the
//! rest of the key, and the value.

use crate::{
    Error,
    codec::{put_varint, wide},
};
use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write},
    path::{Path, PathBuf},
};

#[derive(Debug)]
pub(super) struct RunWriter {
    dir: PathBuf,
    out: BufWriter<File>,
    last: Vec<u8>,
    head: Vec<u8>,
    entries: u64,
}

impl RunWriter {
    pub fn create(dir: &Path, buffer: usize) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        let file = tempfile::tempfile_in(dir).map_err(Error::io("sort in", dir))?;
        let out = BufWriter::with_capacity(buffer, file);
        Ok(Self { dir: dir.to_owned(), out, last: Vec::new(), head: Vec::new(), entries: 0 })
    }

    pub fn push(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let shared = self.last.iter().zip(key).take_while(|(a, b)| a == b).count();
        self.head.clear();
        put_varint(&mut self.head, wide(shared));
        put_varint(&mut self.head, wide(key.len() - shared));
        put_varint(&mut self.head, wide(value.len()));
        [&self.head[..], &key[shared..], value]
            .into_iter()
            .try_for_each(|piece| self.out.write_all(piece))
            .map_err(Error::io("sort in", &self.dir))?;
        self.last.truncate(shared);
        self.last.extend_from_slice(&key[shared..]);
        self.entries += 1;
        Ok(())
    }

    pub fn finish(self, level: u32) -> Result<Run, Error> {
        let file = self.out.into_inner().map_err(|error| Error::io("sort in", &self.dir)(error.into_error()))?;
        Ok(Run { dir: self.dir, file, entries: self.entries, level })
    }
}

/// A run that waits to be merged.
#[derive(Debug)]
pub(super) struct Run {
    dir: PathBuf,
    file: File,
    entries: u64,
    level: u32,
}

impl Run {
    /// How often its entries were merged.
    pub fn level(&self) -> u32 {
        self.level
    }

    pub fn read(mut self, buffer: usize) -> Result<RunReader, Error> {
        self.file.rewind().map_err(Error::io("sort in", &self.dir))?;
        Ok(RunReader {
            dir: self.dir,
            from: BufReader::with_capacity(buffer, self.file),
            left: self.entries,
            key: Vec::new(),
            value: Vec::new(),
        })
    }
}

/// A run that is being read; holds the entry it stands at.
#[derive(Debug)]
pub(super) struct RunReader {
    dir: PathBuf,
    from: BufReader<File>,
    left: u64,
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

impl RunReader {
    /// Goes to the next entry; false after the last.
    pub fn advance(&mut self) -> Result<bool, Error> {
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        self.read_entry().map_err(Error::io("read what was sorted in", &self.dir))?;
        Ok(true)
    }

    fn read_entry(&mut self) -> io::Result<()> {
        let shared = length(&mut self.from)?;
        let rest = length(&mut self.from)?;
        let value = length(&mut self.from)?;
        if shared > self.key.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.key.resize(shared + rest, 0);
        self.from.read_exact(&mut self.key[shared..])?;
        self.value.resize(value, 0);
        self.from.read_exact(&mut self.value)
    }
}

/// A varint of at most the largest entry.
fn length(from: &mut impl BufRead) -> io::Result<usize> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let mut byte = [0];
        from.read_exact(&mut byte)?;
        value |= usize::from(byte[0] & 0x7F) << shift;
        if byte[0] < 0x80 && value <= super::MOST_ENTRY {
            return Ok(value);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}
