//! Reading sorted runs as one.

use crate::{
    failure::{Broken, Outcome},
    scratch::{Lease, Writer},
    wire::put_varint,
};
use std::{
    cmp::Ordering,
    collections::{BinaryHeap, binary_heap::PeekMut},
    io::{self, BufRead as _, BufReader, Read, Write as _},
};

/// Bytes read ahead from each run.
const BUFFER: usize = 64 << 10;

/// Records in order, in a file that has no name any more.
#[derive(Debug)]
pub(super) struct Run(Lease);

impl Run {
    pub(super) fn of(out: Writer) -> Outcome<Self> {
        out.finish().map(Self)
    }
}

/// The records of several runs in order.
pub(crate) struct Sorted {
    heads: BinaryHeap<Head>,
}

/// A run with its first record taken out.
struct Head {
    key: Vec<u8>,
    value: Vec<u8>,
    /// Place of the run: of equal keys the one of the earlier run comes first.
    order: usize,
    rest: BufReader<Lease>,
}

impl Head {
    /// Takes the next record; `false` at the end of the run.
    fn advance(&mut self) -> io::Result<bool> {
        if self.rest.fill_buf()?.is_empty() {
            return Ok(false);
        }
        let (key, value) = (self.len()?, self.len()?);
        self.key.clear();
        self.value.clear();
        let taken = self.rest.by_ref().take(key).read_to_end(&mut self.key)?;
        let more = self.rest.by_ref().take(value).read_to_end(&mut self.value)?;
        let whole = u64::try_from(taken) == Ok(key) && u64::try_from(more) == Ok(value);
        if whole { Ok(true) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn len(&mut self) -> io::Result<u64> {
        let mut number = 0_u64;
        for place in 0..10_u32 {
            let mut byte = [0];
            self.rest.read_exact(&mut byte)?;
            number |= u64::from(byte[0] & 0x7F) << (7 * place);
            if byte[0] & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        // Turned round: the heap has its largest on top.
        other.key.cmp(&self.key).then_with(|| other.order.cmp(&self.order))
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

impl Sorted {
    pub(super) fn new(runs: Vec<Run>) -> Outcome<Self> {
        let mut heads = BinaryHeap::with_capacity(runs.len());
        for (order, Run(file)) in runs.into_iter().enumerate() {
            let rest = BufReader::with_capacity(BUFFER, file);
            let mut head = Head { key: Vec::new(), value: Vec::new(), order, rest };
            if head.advance().map_err(Broken::from_scratch)? {
                heads.push(head);
            }
        }
        Ok(Self { heads })
    }

    /// Hands the next record to `look`; `None` at the end.
    pub(crate) fn next<T>(&mut self, look: impl FnOnce(&[u8], &[u8]) -> Outcome<T>) -> Outcome<Option<T>> {
        let Some(mut head) = self.heads.peek_mut() else { return Ok(None) };
        let seen = look(&head.key, &head.value)?;
        if !head.advance().map_err(Broken::from_scratch)? {
            PeekMut::pop(head);
        }
        Ok(Some(seen))
    }
}

/// Merges runs into one.
pub(super) fn merge_into(runs: Vec<Run>, mut out: Writer) -> Outcome<Run> {
    let mut sorted = Sorted::new(runs)?;
    let mut frame = Vec::with_capacity(20);
    while sorted
        .next(|key, value| {
            frame.clear();
            let len = |part: &[u8]| u64::try_from(part.len()).expect("a length fits 64 bits");
            put_varint(&mut frame, len(key));
            put_varint(&mut frame, len(value));
            for piece in [&frame[..], key, value] {
                out.write_all(piece).map_err(Broken::from_scratch)?;
            }
            Ok(())
        })?
        .is_some()
    {}
    Run::of(out)
}
