//! What a run is doing, in numbers that anybody may look at while it runs.

use model::Kind;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

/// Counters of a run. Written by the engine, read by whoever shows progress.
#[derive(Debug, Default)]
pub struct Meter {
    phase: AtomicU8,
    listed_source: AtomicU64,
    listed_target: AtomicU64,
    work_items: AtomicU64,
    work_bytes: AtomicU64,
    done_items: AtomicU64,
    done_bytes: AtomicU64,
    failed_items: AtomicU64,
    in_flight: AtomicU64,
    allowed: AtomicU64,
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Phase {
    /// Opening doors and the journal.
    #[default]
    Opening = 0,
    /// Listing both sides.
    Listing = 1,
    /// Comparing them.
    Comparing = 2,
    /// Sending.
    Transferring = 3,
    /// Proving that it arrived.
    Verifying = 4,
    /// Nothing any more.
    Finished = 5,
}

impl Phase {
    const ALL: [Self; 6] =
        [Self::Opening, Self::Listing, Self::Comparing, Self::Transferring, Self::Verifying, Self::Finished];

    /// One word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Listing => "listing",
            Self::Comparing => "comparing",
            Self::Transferring => "transferring",
            Self::Verifying => "verifying",
            Self::Finished => "finished",
        }
    }
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeterSnapshot {
    /// What the run is doing.
    pub phase: Phase,
    /// Entries of the source listed so far.
    pub listed_source: u64,
    /// Entries of the target listed so far.
    pub listed_target: u64,
    /// Items that this phase has to do; 0 while it is not known.
    pub work_items: u64,
    /// Bytes that this phase has to do.
    pub work_bytes: u64,
    /// Items done in this phase, failed ones included.
    pub done_items: u64,
    /// Bytes done in this phase, those of unfinished items included.
    pub done_bytes: u64,
    /// Items that failed in this phase.
    pub failed_items: u64,
    /// Items in flight.
    pub in_flight: u64,
    /// Items that may be in flight, as adapted.
    pub allowed: u64,
}

impl Meter {
    /// The counters now.
    pub fn snapshot(&self) -> MeterSnapshot {
        MeterSnapshot {
            phase: Phase::ALL[usize::from(self.phase.load(Relaxed))],
            listed_source: self.listed_source.load(Relaxed),
            listed_target: self.listed_target.load(Relaxed),
            work_items: self.work_items.load(Relaxed),
            work_bytes: self.work_bytes.load(Relaxed),
            done_items: self.done_items.load(Relaxed),
            done_bytes: self.done_bytes.load(Relaxed),
            failed_items: self.failed_items.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
            allowed: self.allowed.load(Relaxed),
        }
    }

    /// Enters a phase; its work may not be known yet.
    pub(crate) fn enter(&self, phase: Phase) {
        for counter in [&self.work_items, &self.work_bytes, &self.done_items, &self.done_bytes, &self.failed_items] {
            counter.store(0, Relaxed);
        }
        self.phase.store(phase as u8, Relaxed);
    }
    pub(crate) fn work(&self, items: u64, bytes: u64) {
        self.work_items.store(items, Relaxed);
        self.work_bytes.store(bytes, Relaxed);
    }
    pub(crate) fn listed(&self, side: Side, entries: u64) {
        match side {
            Side::Source => &self.listed_source,
            Side::Target => &self.listed_target,
        }
        .fetch_add(entries, Relaxed);
    }
    pub(crate) fn bytes(&self, bytes: u64) {
        self.done_bytes.fetch_add(bytes, Relaxed);
    }
    pub(crate) fn item(&self) {
        self.done_items.fetch_add(1, Relaxed);
    }
    pub(crate) fn failed(&self) {
        self.failed_items.fetch_add(1, Relaxed);
        self.done_items.fetch_add(1, Relaxed);
    }
    pub(crate) fn allow(&self, limit: u64) {
        self.allowed.store(limit, Relaxed);
    }
    pub(crate) fn start_one(&self) {
        self.in_flight.fetch_add(1, Relaxed);
    }
    pub(crate) fn end_one(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }
}

/// Which side of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Where the data is.
    Source,
    /// Where it shall be.
    Target,
}

impl Side {
    /// `source` or `target`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

/// Adds an item to a count.
pub(crate) fn count(into: &mut journal::Count, kind: &Kind, size: u64) {
    match kind {
        Kind::File => {
            into.files += 1;
            into.bytes += size;
        }
        Kind::Dir => into.dirs += 1,
        Kind::Symlink { .. } => into.symlinks += 1,
        Kind::Special(_) => into.others += 1,
    }
}
