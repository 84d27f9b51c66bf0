//! The columns of a stripe, value by value.

use super::{
    integers::Integers,
    stream::{Codec, Stream},
    tail::Streams,
    truths::Truths as Bits,
};
use crate::row::{LONGEST, invalid, unsupported};
use std::{fs::File, io};

/// Kinds of streams.
const PRESENT: u64 = 0;
const DATA: u64 = 1;
const LENGTH: u64 = 2;
const DICTIONARY: u64 = 3;
const SECONDARY: u64 = 5;
/// 2015-01-01, from which times count.
const EPOCH: i64 = 1_420_070_400;
/// The most that a dictionary may hold: texts, and bytes of them all. Stripes have some 64 MiB.
const ENTRIES: u64 = 4 << 20;
const BYTES: usize = 128 << 20;

/// A column to be read.
pub(super) struct Wanted<'a> {
    pub file: &'a File,
    pub codec: Codec,
    pub streams: &'a Streams,
    pub name: &'a str,
    pub id: u64,
    pub kind: u64,
}

impl<'a> Wanted<'a> {
    fn stream(&self, kind: u64) -> Option<Stream<'a>> {
        self.streams.find(self.file, self.codec, self.id, kind)
    }
    /// A stream that may be missing when it would be empty.
    fn needed(&self, kind: u64) -> Stream<'a> {
        self.stream(kind).unwrap_or_else(|| Stream::new(self.file, self.codec, 0, 0))
    }
    fn present(&self) -> Option<Bits<'a>> {
        self.stream(PRESENT).map(Bits::new)
    }
    fn of_kind(&self, kinds: &[u64], meant: &str) -> io::Result<()> {
        if kinds.contains(&self.kind) {
            return Ok(());
        }
        Err(unsupported(format!("its column `{}` holds no {meant}, but is of ORC's kind {}", self.name, self.kind)))
    }
    /// Whether numbers are in version 2 of their encoding, and whether there is a dictionary.
    fn encoding(&self) -> io::Result<(bool, Option<u64>)> {
        match self.streams.encoding(self.id)? {
            (0, _) => Ok((false, None)),
            (1, size) => Ok((false, Some(size))),
            (2, _) => Ok((true, None)),
            (3, size) => Ok((true, Some(size))),
            (other, _) => Err(invalid(format!("its column `{}` has the encoding {other}", self.name))),
        }
    }

    pub(super) fn truths(&self) -> io::Result<Flags<'a>> {
        self.of_kind(&[0], "truths")?;
        Ok(Flags { present: self.present(), values: Bits::new(self.needed(DATA)) })
    }

    pub(super) fn numbers(&self) -> io::Result<Numbers<'a>> {
        self.of_kind(&[2, 3, 4], "whole numbers")?;
        let values = Integers::new(self.needed(DATA), true, self.encoding()?.0);
        Ok(Numbers { present: self.present(), values })
    }

    pub(super) fn times(&self) -> io::Result<Times<'a>> {
        self.of_kind(&[9, 18], "times")?;
        // Times count from the midnight of the writer's place. Amazon's is UTC.
        let zone = self.streams.zone.as_str();
        if self.kind == 9 && !["", "UTC", "GMT", "Z", "Etc/UTC", "Etc/GMT", "Etc/UCT", "UCT"].contains(&zone) {
            return Err(unsupported(format!("its times are told in the zone `{zone}`, and only UTC is read")));
        }
        let second = self.encoding()?.0;
        Ok(Times {
            present: self.present(),
            seconds: Integers::new(self.needed(DATA), true, second),
            nanos: Integers::new(self.needed(SECONDARY), false, second),
        })
    }

    pub(super) fn texts(&self) -> io::Result<Texts<'a>> {
        self.of_kind(&[7, 8, 16, 17], "text")?;
        let (second, size) = self.encoding()?;
        let lengths = Integers::new(self.needed(LENGTH), false, second);
        let values = match size {
            None => Values::Direct { lengths, data: self.needed(DATA) },
            Some(size) => Values::Indexed {
                places: Integers::new(self.needed(DATA), false, second),
                dictionary: Dictionary::read(size, lengths, self.needed(DICTIONARY))?,
            },
        };
        Ok(Texts { present: self.present(), values })
    }
}

fn is_there(present: &mut Option<Bits<'_>>) -> io::Result<bool> {
    present.as_mut().map_or(Ok(true), Bits::next)
}

#[derive(Debug)]
pub(super) struct Flags<'a> {
    present: Option<Bits<'a>>,
    values: Bits<'a>,
}

impl Flags<'_> {
    /// Nothing is not true, as in CSV.
    pub(super) fn next(&mut self) -> io::Result<bool> {
        Ok(is_there(&mut self.present)? && self.values.next()?)
    }
}

#[derive(Debug)]
pub(super) struct Numbers<'a> {
    present: Option<Bits<'a>>,
    values: Integers<'a>,
}

impl Numbers<'_> {
    pub(super) fn next(&mut self) -> io::Result<Option<i64>> {
        if is_there(&mut self.present)? { self.values.next().map(Some) } else { Ok(None) }
    }
}

#[derive(Debug)]
pub(super) struct Times<'a> {
    present: Option<Bits<'a>>,
    seconds: Integers<'a>,
    nanos: Integers<'a>,
}

impl Times<'_> {
    /// Whole seconds since 1970.
    pub(super) fn next(&mut self) -> io::Result<Option<i64>> {
        if !is_there(&mut self.present)? {
            return Ok(None);
        }
        let seconds = self.seconds.next()?.wrapping_add(EPOCH);
        // The low three bits tell how many zeros were taken from the end.
        let nanos = self.nanos.next_size()? >> 3;
        // Before 1970 seconds were cut towards it.
        Ok(Some(if seconds < 0 && nanos != 0 { seconds.wrapping_sub(1) } else { seconds }))
    }
}

#[derive(Debug)]
pub(super) struct Texts<'a> {
    present: Option<Bits<'a>>,
    values: Values<'a>,
}

#[derive(Debug)]
enum Values<'a> {
    Direct { lengths: Integers<'a>, data: Stream<'a> },
    Indexed { places: Integers<'a>, dictionary: Dictionary },
}

impl Texts<'_> {
    /// Puts the next text into `into`, and nothing where there is none.
    pub(super) fn next(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        into.clear();
        if !is_there(&mut self.present)? {
            return Ok(());
        }
        match &mut self.values {
            Values::Direct { lengths, data } => data.append(length(lengths.next_size()?)?, into),
            Values::Indexed { places, dictionary } => {
                into.extend_from_slice(dictionary.text(places.next_size()?)?);
                Ok(())
            }
        }
    }
}

fn length(len: u64) -> io::Result<u64> {
    if len > LONGEST as u64 { Err(invalid("a text is longer than 64 KiB")) } else { Ok(len) }
}

/// Texts that are told by number.
#[derive(Debug)]
pub(super) struct Dictionary {
    text: Vec<u8>,
    ends: Vec<u32>,
}

impl Dictionary {
    /// Grows as it comes, so that a size that is only claimed costs nothing.
    fn read(size: u64, mut lengths: Integers<'_>, mut data: Stream<'_>) -> io::Result<Self> {
        if size > ENTRIES {
            return Err(invalid(format!("a dictionary is said to hold {size} texts")));
        }
        let (mut text, mut ends) = (Vec::new(), Vec::new());
        for _ in 0..size {
            data.append(length(lengths.next_size()?)?, &mut text)?;
            if text.len() > BYTES {
                return Err(invalid("a dictionary is longer than 128 MiB"));
            }
            ends.push(u32::try_from(text.len()).map_err(invalid)?);
        }
        Ok(Self { text, ends })
    }

    fn text(&self, place: u64) -> io::Result<&[u8]> {
        let place = usize::try_from(place).ok().filter(|place| *place < self.ends.len());
        let place = place.ok_or_else(|| invalid("a text has a number that its dictionary does not hold"))?;
        let begin = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        let (Ok(begin), Ok(end)) = (usize::try_from(begin), usize::try_from(self.ends[place])) else {
            return Err(invalid("a dictionary is too long for this machine"));
        };
        Ok(&self.text[begin..end])
    }
}
