//! The messages of a section, one after the other, each with its length in front.
//!
//! A length is never trusted: a message is taken in as its bytes come, and a cap stands above what any NameNode
//! writes. Messages that may be long for good (the children of a directory) are read field by field.

use crate::{
    failure::{Outcome, corrupt, misread},
    summary::{Image, Section},
    wire::split_tag,
};
use std::io::{self, BufRead, BufReader, Read};

/// Largest message that is held in memory, bytes. A file of 1,048,576 blocks (the largest that
/// `dfs.namenode.fs-limits.max-blocks-per-file` allowed by default before Hadoop 3) makes some 20 MiB.
const MAX_MESSAGE: u64 = 64 << 20;
/// What a buffer for messages is allowed to keep between two of them, bytes.
const KEPT: usize = 1 << 20;
const BUFFER: usize = 64 << 10;

/// A section being read.
pub(crate) struct Messages {
    content: BufReader<Box<dyn Read + Send>>,
    section: String,
    message: Vec<u8>,
    /// Bytes read so far, uncompressed.
    pub(crate) read: u64,
}

/// What a field that is read while it comes holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Streamed {
    /// A number of a varint field, alone or one of a packed list.
    Number(u32, u64),
    /// A field of another kind, skipped.
    Other,
    /// The end of the message.
    End,
}

/// Where in a message that is read field by field we are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Within {
    /// Bytes of the message that are left.
    left: u64,
    /// The packed list under way: its field and the bytes that are left of it.
    packed: Option<(u32, u64)>,
}

impl Messages {
    pub(crate) fn open(image: &Image, section: &Section) -> Self {
        Self {
            content: BufReader::with_capacity(BUFFER, image.content(section)),
            section: section.name.clone(),
            message: Vec::new(),
            read: 0,
        }
    }

    fn broken(&self, error: &io::Error) -> crate::failure::Broken {
        let problem = match error.kind() {
            io::ErrorKind::UnexpectedEof => "it ends within a message".to_owned(),
            _ => error.to_string(),
        };
        corrupt(&self.section, problem)
    }

    /// The next message; `None` at the end of the section.
    pub(crate) fn next(&mut self) -> Outcome<Option<&[u8]>> {
        let Some(len) = self.next_len()? else { return Ok(None) };
        if len > MAX_MESSAGE {
            return Err(corrupt(&self.section, format!("a message of {len} bytes")));
        }
        if self.message.capacity() > KEPT {
            self.message = Vec::new();
        }
        self.message.clear();
        let taken = self.content.by_ref().take(len).read_to_end(&mut self.message).map_err(|e| self.broken(&e))?;
        if u64::try_from(taken) != Ok(len) {
            return Err(self.broken(&io::ErrorKind::UnexpectedEof.into()));
        }
        self.read += len;
        Ok(Some(&self.message))
    }

    /// Skips `count` messages.
    pub(crate) fn skip(&mut self, count: u64) -> Outcome<()> {
        for _ in 0..count {
            let len = self.next_len()?.ok_or_else(|| self.broken(&io::ErrorKind::UnexpectedEof.into()))?;
            self.skip_bytes(len)?;
        }
        Ok(())
    }

    /// Starts on the next message, to be read field by field with [`Messages::field`].
    pub(crate) fn enter(&mut self) -> Outcome<Option<Within>> {
        Ok(self.next_len()?.map(|left| Within { left, packed: None }))
    }

    /// The next number of the message. `numbers` says which fields are numbers, alone or packed.
    pub(crate) fn field(&mut self, within: &mut Within, numbers: impl Fn(u32) -> bool) -> Outcome<Streamed> {
        loop {
            if let Some((field, left)) = &mut within.packed {
                if *left == 0 {
                    within.packed = None;
                    continue;
                }
                let field = *field;
                let number = self.bounded(left)?;
                return Ok(Streamed::Number(field, number));
            }
            if within.left == 0 {
                return Ok(Streamed::End);
            }
            let tag = self.bounded(&mut within.left)?;
            let (field, kind) = split_tag(tag).map_err(misread(&self.section))?;
            let skipped = match kind {
                0 => {
                    let number = self.bounded(&mut within.left)?;
                    return Ok(if numbers(field) { Streamed::Number(field, number) } else { Streamed::Other });
                }
                1 => 8,
                2 => self.bounded(&mut within.left)?,
                5 => 4,
                _ => return Err(misread(&self.section)(crate::wire::WireError::Tag)),
            };
            let beyond = || misread(&self.section)(crate::wire::WireError::Length);
            within.left = within.left.checked_sub(skipped).ok_or_else(beyond)?;
            if kind == 2 && numbers(field) {
                within.packed = Some((field, skipped));
                continue;
            }
            self.skip_bytes(skipped)?;
            return Ok(Streamed::Other);
        }
    }

    fn skip_bytes(&mut self, len: u64) -> Outcome<()> {
        let skipped = io::copy(&mut self.content.by_ref().take(len), &mut io::sink()).map_err(|e| self.broken(&e))?;
        self.read += skipped;
        if skipped == len { Ok(()) } else { Err(self.broken(&io::ErrorKind::UnexpectedEof.into())) }
    }

    /// The length in front of the next message; `None` where the section ends.
    fn next_len(&mut self) -> Outcome<Option<u64>> {
        let empty = self.content.fill_buf().map(<[u8]>::is_empty);
        if empty.map_err(|e| self.broken(&e))? {
            return Ok(None);
        }
        let mut longest = 10;
        self.bounded(&mut longest).map(Some)
    }

    /// A varint that takes its bytes from `left`.
    fn bounded(&mut self, left: &mut u64) -> Outcome<u64> {
        let mut number = 0_u64;
        for place in 0..10_u32 {
            *left = left.checked_sub(1).ok_or_else(|| misread(&self.section)(crate::wire::WireError::Varint))?;
            let mut byte = [0];
            self.content.read_exact(&mut byte).map_err(|e| self.broken(&e))?;
            self.read += 1;
            number |= u64::from(byte[0] & 0x7F) << (7 * place);
            if byte[0] & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(misread(&self.section)(crate::wire::WireError::Varint))
    }
}
