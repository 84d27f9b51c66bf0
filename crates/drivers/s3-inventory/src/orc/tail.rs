//! What stands at the end of an ORC file, and of each stripe in it ("ORC Specification v1", orc.apache.org, read
//! 2026-11).

use super::{
    proto::fields,
    stream::{Codec, Stream},
};
use crate::row::{invalid, unsupported};
use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
};

/// The longest footer that is read, of the file and of a stripe, decompressed. One tells some hundred bytes for each
/// stripe.
const FOOTER: u64 = 64 << 20;
/// Lengths of compressed pieces have 23 bits.
const BLOCK: u64 = 1 << 23;

/// The file as its footer describes it.
#[derive(Debug)]
pub(super) struct Tail {
    pub codec: Codec,
    pub stripes: Vec<Stripe>,
    /// The columns of the row, with the number and the kind of their type.
    pub columns: Vec<(String, u64, u64)>,
}

/// Where a stripe stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stripe {
    offset: u64,
    index: u64,
    data: u64,
    footer: u64,
    pub rows: u64,
}

/// The streams of a stripe.
#[derive(Debug)]
pub(super) struct Streams {
    /// Kind, column, where it begins and ends.
    all: Vec<(u64, u64, u64, u64)>,
    /// Kind of encoding and size of the dictionary, by column.
    encodings: Vec<(u64, u64)>,
    /// What times count from; empty where there is none.
    pub zone: String,
}

pub(super) fn read(file: &File) -> io::Result<Tail> {
    let len = file.metadata()?.len();
    let mut last = vec![0; usize::try_from(len.min(256)).map_err(io::Error::other)?];
    let mut at = file;
    at.seek(SeekFrom::Start(len - last.len() as u64))?;
    at.read_exact(&mut last)?;
    let script = last.pop().map(usize::from).filter(|script| *script <= last.len());
    let script = &last[last.len() - script.ok_or_else(|| invalid("it is too short for ORC"))?..];
    let (mut footer, mut kind, mut block, mut magic) = (0, 0, 256 << 10, &b""[..]);
    for field in fields(script) {
        match field? {
            (1, value) => footer = value.number()?,
            (2, value) => kind = value.number()?,
            (3, value) => block = value.number()?,
            (8000, value) => magic = value.bytes()?,
            _ => {}
        }
    }
    if magic != b"ORC" {
        return Err(invalid("it does not end as ORC does"));
    }
    if block > BLOCK {
        return Err(invalid(format!("its compressed pieces are said to have up to {block} bytes")));
    }
    let codec = Codec::new(kind, usize::try_from(block).map_err(io::Error::other)?)?;
    let end = len - 1 - script.len() as u64;
    let begin = end.checked_sub(footer).ok_or_else(|| invalid("its footer is longer than the file"))?;
    let text = whole(file, codec, begin, end)?;
    let (mut stripes, mut types) = (Vec::new(), Vec::new());
    for field in fields(&text) {
        match field? {
            (3, value) => stripes.push(Stripe::of(value.bytes()?, begin)?),
            (4, value) => types.push(value.bytes()?),
            (10, _) => return Err(unsupported("its columns are encrypted")),
            _ => {}
        }
    }
    Ok(Tail { codec, stripes, columns: columns(&types)? })
}

/// The columns of the row, which is the first type.
fn columns(types: &[&[u8]]) -> io::Result<Vec<(String, u64, u64)>> {
    let kind_of = |text: &[u8]| -> io::Result<u64> {
        let mut kind = 0;
        for field in fields(text) {
            if let (1, value) = field? {
                kind = value.number()?;
            }
        }
        Ok(kind)
    };
    let (mut places, mut names) = (Vec::new(), Vec::new());
    for field in fields(types.first().ok_or_else(|| invalid("it has no columns"))?) {
        match field? {
            (2, value) => value.numbers(&mut places)?,
            (3, value) => names.push(String::from_utf8_lossy(value.bytes()?).into_owned()),
            _ => {}
        }
    }
    if places.len() != names.len() {
        return Err(invalid("its columns are not as many as their names"));
    }
    let kind_at = |place: u64| usize::try_from(place).ok().and_then(|place| types.get(place));
    names
        .into_iter()
        .zip(places)
        .map(|(name, place)| {
            let kind = kind_of(kind_at(place).ok_or_else(|| invalid("a column has a type that is not there"))?)?;
            Ok((name, place, kind))
        })
        .collect()
}

impl Stripe {
    fn of(text: &[u8], footer_begins: u64) -> io::Result<Self> {
        let mut stripe = Self::default();
        for field in fields(text) {
            match field? {
                (1, value) => stripe.offset = value.number()?,
                (2, value) => stripe.index = value.number()?,
                (3, value) => stripe.data = value.number()?,
                (4, value) => stripe.footer = value.number()?,
                (5, value) => stripe.rows = value.number()?,
                _ => {}
            }
        }
        let parts = [stripe.index, stripe.data, stripe.footer];
        let end = parts.into_iter().try_fold(stripe.offset, u64::checked_add);
        match end {
            Some(end) if end <= footer_begins => Ok(stripe),
            _ => Err(invalid("a stripe reaches beyond the file")),
        }
    }

    pub(super) fn streams(&self, file: &File, codec: Codec) -> io::Result<Streams> {
        let end = self.offset + self.index + self.data;
        let text = whole(file, codec, end, end + self.footer)?;
        let mut streams = Streams { all: Vec::new(), encodings: Vec::new(), zone: String::new() };
        let mut at = self.offset;
        for field in fields(&text) {
            match field? {
                (1, value) => {
                    let (mut kind, mut column, mut len) = (0, 0, 0);
                    for field in fields(value.bytes()?) {
                        match field? {
                            (1, value) => kind = value.number()?,
                            (2, value) => column = value.number()?,
                            (3, value) => len = value.number()?,
                            _ => {}
                        }
                    }
                    let next = at.checked_add(len).filter(|next| *next <= end);
                    let next = next.ok_or_else(|| invalid("a stream reaches beyond its stripe"))?;
                    streams.all.push((kind, column, at, next));
                    at = next;
                }
                (2, value) => {
                    let (mut kind, mut size) = (0, 0);
                    for field in fields(value.bytes()?) {
                        match field? {
                            (1, value) => kind = value.number()?,
                            (2, value) => size = value.number()?,
                            _ => {}
                        }
                    }
                    streams.encodings.push((kind, size));
                }
                (3, value) => streams.zone = String::from_utf8_lossy(value.bytes()?).into_owned(),
                _ => {}
            }
        }
        Ok(streams)
    }
}

impl Streams {
    /// The stream of a kind that a column has, if it has one.
    pub(super) fn find<'a>(&self, file: &'a File, codec: Codec, column: u64, kind: u64) -> Option<Stream<'a>> {
        let found = self.all.iter().find(|(k, c, _, _)| (*k, *c) == (kind, column))?;
        Some(Stream::new(file, codec, found.2, found.3))
    }
    pub(super) fn encoding(&self, column: u64) -> io::Result<(u64, u64)> {
        let place = usize::try_from(column).ok();
        let found = place.and_then(|place| self.encodings.get(place));
        found.copied().ok_or_else(|| invalid("a column has no encoding"))
    }
}

fn whole(file: &File, codec: Codec, begin: u64, end: u64) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let read = Stream::new(file, codec, begin, end).take(FOOTER + 1).read_to_end(&mut text)?;
    if read as u64 > FOOTER {
        return Err(invalid("a footer is longer than 64 MiB"));
    }
    Ok(text)
}
