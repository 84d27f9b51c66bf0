//! Heads of pages, read before the pages are: how long are they, and how are they made?
//!
//! The `parquet` crate allocates what a page's head says it unpacks to, and what a delta encoding says it holds: up to
//! 2 GiB and more for a file of some bytes. So sizes have a limit here, and encodings are those that Parquet's first
//! version has, in which the reports of Amazon come. ("Parquet Format", parquet.apache.org, and Thrift's compact
//! protocol, read 2026-11.)

use crate::row::{invalid, unsupported};
use parquet::{
    basic::Compression,
    file::metadata::{ColumnChunkMetaData, ParquetMetaData},
};
use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
};

/// The most that a page may unpack to; writers aim at 1 MiB.
const UNPACKED: i64 = 32 << 20;
/// The longest head of a page. It may hold the least and the greatest value.
const HEAD: u64 = 64 << 10;
/// Encodings by their numbers: plain, by dictionary (two of them), and runs for truths.
const ENCODINGS: [i64; 4] = [0, 2, 3, 8];

/// Holds every page of the columns to the limits.
pub(super) fn check(file: &File, metadata: &ParquetMetaData, columns: &[usize]) -> io::Result<()> {
    let len = file.metadata()?.len();
    for group in metadata.row_groups() {
        for column in columns {
            let chunk = group.columns().get(*column).ok_or_else(|| invalid("a row group has too few columns"))?;
            chunk_pages(file, len, chunk).map_err(|why| {
                io::Error::new(why.kind(), format!("column `{}`: {why}", chunk.column_path().string()))
            })?;
        }
    }
    Ok(())
}

fn chunk_pages(file: &File, len: u64, chunk: &ColumnChunkMetaData) -> io::Result<()> {
    match chunk.compression() {
        Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_) => {}
        other => {
            return Err(unsupported(format!(
                "it is compressed by {other}; Amazon writes Snappy, and that, ZSTD and nothing are read"
            )));
        }
    }
    let begin = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
    let bounds = u64::try_from(begin).ok().zip(u64::try_from(chunk.compressed_size()).ok());
    let bounds = bounds.and_then(|(begin, size)| Some((begin, begin.checked_add(size)?)));
    let Some((mut at, end)) = bounds.filter(|(_, end)| *end <= len) else {
        return Err(invalid("its pages reach beyond the file"));
    };
    let mut buffer = Vec::new();
    while at < end {
        buffer.clear();
        let mut file = file;
        file.seek(SeekFrom::Start(at))?;
        file.take(HEAD.min(end - at)).read_to_end(&mut buffer)?;
        let mut head = Thrift { rest: &buffer };
        let page = Page::read(&mut head)?;
        page.check()?;
        let head = (buffer.len() - head.rest.len()) as u64;
        let packed = u64::try_from(page.packed).map_err(|_| invalid("a page has a negative length"))?;
        at = at.saturating_add(head).saturating_add(packed);
        if at > end {
            return Err(invalid("a page reaches beyond its column"));
        }
    }
    Ok(())
}

/// What the head of a page says.
#[derive(Debug, Default)]
struct Page {
    unpacked: i64,
    packed: i64,
    values: i64,
    encoding: i64,
    dictionary: bool,
}

impl Page {
    fn read(head: &mut Thrift<'_>) -> io::Result<Self> {
        let mut page = Self::default();
        head.fields(&mut |head, id, kind| {
            match (id, kind) {
                (2, 5) => page.unpacked = head.number()?,
                (3, 5) => page.packed = head.number()?,
                // The heads of data pages of both versions, and of dictionaries.
                (5 | 7 | 8, 12) => {
                    page.dictionary = id == 7;
                    let encoding = if id == 8 { 4 } else { 2 };
                    head.fields(&mut |head, id, kind| {
                        match (id, kind) {
                            (1, 5) => page.values = head.number()?,
                            (id, 5) if id == encoding => page.encoding = head.number()?,
                            (_, kind) => head.skip(kind, 0)?,
                        }
                        Ok(())
                    })?;
                }
                (_, kind) => head.skip(kind, 0)?,
            }
            Ok(())
        })?;
        Ok(page)
    }

    fn check(&self) -> io::Result<()> {
        if !(0..=UNPACKED).contains(&self.unpacked) {
            return Err(invalid(format!("a page is said to unpack to {} bytes", self.unpacked)));
        }
        // Four bytes is the least that a value takes in a dictionary. For bytes without values the crate divides by
        // zero.
        let most = if self.dictionary { self.unpacked / 4 } else { i64::MAX };
        let least = i64::from(self.unpacked > 0);
        if !(least..=most).contains(&self.values) {
            return Err(invalid(format!("a page of {} bytes is said to hold {} values", self.unpacked, self.values)));
        }
        if !ENCODINGS.contains(&self.encoding) {
            return Err(unsupported(format!(
                "a page is encoded in Parquet's way {}; those of its first version are read",
                self.encoding
            )));
        }
        Ok(())
    }
}

/// Thrift's compact protocol.
struct Thrift<'a> {
    rest: &'a [u8],
}

impl Thrift<'_> {
    /// Calls for each field of a struct with its number and its kind; the call takes the value.
    fn fields(&mut self, each: &mut dyn FnMut(&mut Self, i64, u8) -> io::Result<()>) -> io::Result<()> {
        let mut id = 0_i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            id = if head >> 4 == 0 { self.number()? } else { id.wrapping_add(i64::from(head >> 4)) };
            each(self, id, head & 15)?;
        }
    }

    /// Passes over a value. Those in a list that are truths have a byte, and those of a field have none.
    fn skip(&mut self, kind: u8, depth: u8) -> io::Result<()> {
        if depth > 8 {
            return Err(invalid("the head of a page is nested too deep"));
        }
        match kind {
            1 | 2 => Ok(()),
            3 => self.byte().map(drop),
            4..=6 => self.varint().map(drop),
            7 => self.pass(8),
            8 => {
                let len = self.varint()?;
                self.pass(len)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                for _ in 0..count {
                    if matches!(head & 15, 1 | 2) { self.byte().map(drop)? } else { self.skip(head & 15, depth + 1)? }
                }
                Ok(())
            }
            12 => {
                let mut inner = |head: &mut Self, _: i64, kind: u8| head.skip(kind, depth + 1);
                self.fields(&mut inner)
            }
            other => Err(invalid(format!("the head of a page has a field of the kind {other}"))),
        }
    }

    fn byte(&mut self) -> io::Result<u8> {
        let (byte, rest) = self.rest.split_first().ok_or_else(|| invalid("the head of a page has no end"))?;
        self.rest = rest;
        Ok(*byte)
    }
    fn pass(&mut self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        self.rest = self.rest.get(len..).ok_or_else(|| invalid("the head of a page has no end"))?;
        Ok(())
    }
    fn varint(&mut self) -> io::Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(invalid("a number in the head of a page has no end"))
    }
    fn number(&mut self) -> io::Result<i64> {
        let number = self.varint()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }
}
