//! Records sorted by key in bounded memory: runs on disk, merged when they are read.

use bytes::Bytes;
use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    path::PathBuf,
};
use tempfile::TempDir;

/// Bytes of records in memory before they are written as a run.
const RUN: usize = 64 << 20;
/// Runs that are read at once; more are merged into one first.
const FAN_IN: usize = 64;
/// What a record costs beside its key and tag.
const FIXED: usize = 80;

/// One object of a report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    pub key: Bytes,
    pub size: u64,
    /// Seconds since 1970.
    pub modified: Option<i64>,
    /// Empty when there is none.
    pub etag: Bytes,
}

/// Takes records in any order.
#[derive(Debug)]
pub(crate) struct Spool {
    place: TempDir,
    held: Vec<Record>,
    bytes: usize,
    limit: usize,
    runs: Vec<PathBuf>,
    named: usize,
}

impl Spool {
    pub(crate) fn new() -> io::Result<Self> {
        let place = tempfile::Builder::new().prefix("longshore-report-").tempdir()?;
        Ok(Self { place, held: Vec::new(), bytes: 0, limit: RUN, runs: Vec::new(), named: 0 })
    }

    pub(crate) fn add(&mut self, record: Record) -> io::Result<()> {
        self.bytes += record.key.len() + record.etag.len() + FIXED;
        self.held.push(record);
        if self.bytes >= self.limit { self.run() } else { Ok(()) }
    }

    fn run(&mut self) -> io::Result<()> {
        let mut held = std::mem::take(&mut self.held);
        self.bytes = 0;
        held.sort_unstable();
        let path = self.name();
        let mut out = BufWriter::new(File::create(&path)?);
        for record in &held {
            write(&mut out, record)?;
        }
        out.flush()?;
        self.runs.push(path);
        if self.runs.len() >= FAN_IN { self.join() } else { Ok(()) }
    }

    /// Merges all runs into one.
    fn join(&mut self) -> io::Result<()> {
        let path = self.name();
        let mut out = BufWriter::new(File::create(&path)?);
        for record in Merged::of(&self.runs, None)? {
            write(&mut out, &record?)?;
        }
        out.flush()?;
        for run in self.runs.drain(..) {
            std::fs::remove_file(run)?;
        }
        self.runs.push(path);
        Ok(())
    }

    fn name(&mut self) -> PathBuf {
        self.named += 1;
        self.place.path().join(format!("run-{}", self.named))
    }

    /// No more come.
    pub(crate) fn finish(mut self) -> io::Result<Sorted> {
        if !self.held.is_empty() {
            self.run()?;
        }
        Ok(Sorted { _place: self.place, runs: self.runs })
    }
}

/// Records in byte order of their keys. Its files go away with it.
#[derive(Debug)]
pub(crate) struct Sorted {
    _place: TempDir,
    runs: Vec<PathBuf>,
}

impl Sorted {
    /// From the first key after `after` on.
    pub(crate) fn records(&self, after: Option<Bytes>) -> io::Result<Merged> {
        Merged::of(&self.runs, after)
    }
}

/// Runs read together.
pub(crate) struct Merged {
    inputs: Vec<BufReader<File>>,
    heads: BinaryHeap<Reverse<(Record, usize)>>,
    after: Option<Bytes>,
}

impl Merged {
    fn of(runs: &[PathBuf], after: Option<Bytes>) -> io::Result<Self> {
        let inputs: io::Result<Vec<_>> = runs.iter().map(|run| Ok(BufReader::new(File::open(run)?))).collect();
        let mut merged = Self { inputs: inputs?, heads: BinaryHeap::new(), after };
        for place in 0..merged.inputs.len() {
            merged.refill(place)?;
        }
        Ok(merged)
    }

    fn refill(&mut self, place: usize) -> io::Result<()> {
        while let Some(record) = read(&mut self.inputs[place])? {
            if self.after.as_ref().is_none_or(|after| record.key > *after) {
                self.heads.push(Reverse((record, place)));
                break;
            }
        }
        Ok(())
    }
}

impl Iterator for Merged {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((record, place)) = self.heads.pop()?;
        Some(self.refill(place).map(|()| record))
    }
}

fn write(out: &mut impl Write, record: &Record) -> io::Result<()> {
    let len = |bytes: &Bytes| u32::try_from(bytes.len()).map_err(io::Error::other);
    out.write_all(&len(&record.key)?.to_le_bytes())?;
    out.write_all(&len(&record.etag)?.to_le_bytes())?;
    out.write_all(&record.size.to_le_bytes())?;
    out.write_all(&record.modified.unwrap_or(i64::MIN).to_le_bytes())?;
    out.write_all(&record.key)?;
    out.write_all(&record.etag)
}

/// What [`write`] wrote; the file is our own.
fn read(from: &mut impl Read) -> io::Result<Option<Record>> {
    let mut head = [0; 24];
    let first = from.read(&mut head[..1])?;
    if first == 0 {
        return Ok(None);
    }
    from.read_exact(&mut head[1..])?;
    let (lens, rest) = head.split_at(8);
    let len = |at: usize| u32::from_le_bytes([lens[at], lens[at + 1], lens[at + 2], lens[at + 3]]);
    let number = |at: usize| {
        let mut raw = [0; 8];
        raw.copy_from_slice(&rest[at..at + 8]);
        raw
    };
    let mut take = |len: u32| {
        let mut raw = vec![0; usize::try_from(len).map_err(io::Error::other)?];
        from.read_exact(&mut raw)?;
        io::Result::Ok(Bytes::from(raw))
    };
    let (key, etag) = (take(len(0))?, take(len(4))?);
    let modified = Some(i64::from_le_bytes(number(8))).filter(|secs| *secs != i64::MIN);
    Ok(Some(Record { key, size: u64::from_le_bytes(number(0)), modified, etag }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_sorted_whatever_memory_there_is() {
        for limit in [1, 500, 1 << 20] {
            let mut spool = Spool { limit, ..Spool::new().unwrap() };
            let mut all: Vec<Record> = (0..300_u32)
                .map(|i| Record {
                    key: i.wrapping_mul(2_654_435_761).to_be_bytes().to_vec().into(),
                    size: u64::from(i),
                    modified: (i % 2 == 0).then_some(i64::from(i) - 100),
                    etag: Bytes::from(format!("{i}")),
                })
                .collect();
            for record in &all {
                spool.add(record.clone()).unwrap();
            }
            all.sort();
            let sorted = spool.finish().unwrap();
            let found: Vec<Record> = sorted.records(None).unwrap().map(Result::unwrap).collect();
            assert!(found == all, "with {limit} bytes");
            let rest: Vec<Record> = sorted.records(Some(all[99].key.clone())).unwrap().map(Result::unwrap).collect();
            assert!(rest == all[100..]);
        }
    }
}
