//! Numbers that somebody else may look at while discovery runs.

use model::Timestamp;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use storage::wrap::WallClock;

/// Filled by `discover`, read by whoever shows progress. An interrupted discovery that is taken up starts
/// with what it had.
#[derive(Debug, Default)]
pub struct Progress {
    entries: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
    directories: AtomicU64,
    unreadable: AtomicU64,
    inherited: AtomicU64,
    expected: AtomicU64,
    /// Seconds since 1970 until which no request is started; 0: nothing is waited for.
    waiting_until: AtomicU64,
}

/// One look at [`Progress`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgressNumbers {
    /// Entries found.
    pub entries: u64,
    /// Files among them.
    pub files: u64,
    /// Bytes of those files.
    pub bytes: u64,
    /// Directories that were listed to their end by this process.
    pub directories: u64,
    /// Directories that could not be read.
    pub unreadable: u64,
    /// Entries that an earlier, interrupted run had found: leave them out of a rate.
    pub inherited: u64,
    /// Entries that are to be expected, by the last inventory of the system or by what its server says; `None`
    /// where nobody knows.
    pub expected: Option<u64>,
    /// No request is started before this moment, seconds since 1970 (UTC), because the window is closed.
    pub waiting_until: Option<u64>,
}

impl ProgressNumbers {
    /// Entries per second of this run, which took so long.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits than a float has")]
    pub fn rate(&self, elapsed: Duration) -> Option<f64> {
        let own = self.entries.saturating_sub(self.inherited);
        (own > 0 && !elapsed.is_zero()).then(|| own as f64 / elapsed.as_secs_f64())
    }

    /// How long it will still take at this rate; `None` where it is not known how much is left.
    #[expect(clippy::cast_precision_loss, reason = "an estimate needs no more digits than a float has")]
    pub fn time_left(&self, elapsed: Duration) -> Option<Duration> {
        let left = self.expected?.checked_sub(self.entries)?;
        Duration::try_from_secs_f64(left as f64 / self.rate(elapsed)?).ok()
    }

    /// Several systems together. What is expected is known only where it is of each.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            entries: self.entries + other.entries,
            files: self.files + other.files,
            bytes: self.bytes.saturating_add(other.bytes),
            directories: self.directories + other.directories,
            unreadable: self.unreadable + other.unreadable,
            inherited: self.inherited + other.inherited,
            expected: self.expected.zip(other.expected).map(|(a, b)| a.saturating_add(b)),
            waiting_until: self.waiting_until.max(other.waiting_until),
        }
    }
}

impl Progress {
    /// The numbers now. Each is right by itself; together they may be a page apart.
    pub fn numbers(&self) -> ProgressNumbers {
        ProgressNumbers {
            entries: self.entries.load(Ordering::Relaxed),
            files: self.files.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            directories: self.directories.load(Ordering::Relaxed),
            unreadable: self.unreadable.load(Ordering::Relaxed),
            inherited: self.inherited.load(Ordering::Relaxed),
            expected: Some(self.expected.load(Ordering::Relaxed)).filter(|expected| *expected > 0),
            waiting_until: Some(self.waiting_until.load(Ordering::Relaxed)).filter(|until| *until > 0),
        }
    }
    /// Says that no request is started before this moment (seconds since 1970), or that they are again.
    pub fn waits(&self, until: Option<u64>) {
        self.waiting_until.store(until.unwrap_or(0), Ordering::Relaxed);
    }
    pub(crate) fn expect(&self, entries: u64) {
        self.expected.store(entries, Ordering::Relaxed);
    }
    pub(crate) fn start(&self, inherited: u64) {
        self.inherited.store(inherited, Ordering::Relaxed);
    }
    pub(crate) fn found(&self, entries: u64, counts: &inventory::Counts, unreadable: u64) {
        self.entries.store(entries, Ordering::Relaxed);
        self.files.store(counts.files, Ordering::Relaxed);
        self.bytes.store(counts.size_bytes, Ordering::Relaxed);
        self.unreadable.store(unreadable, Ordering::Relaxed);
    }
    pub(crate) fn directory_done(&self) {
        self.directories.fetch_add(1, Ordering::Relaxed);
    }
}

/// The clock that windows look at (`storage::Windowed`); what is waited for shows in a progress.
pub struct ProgressClock {
    /// Tells the time in UTC.
    pub now: fn() -> Timestamp,
    /// Tells how many seconds the clock on the wall is ahead of UTC; asked again and again, because that changes
    /// with the season.
    pub offset: fn() -> i64,
    /// Of the system.
    pub progress: Arc<Progress>,
}

impl WallClock for ProgressClock {
    fn now(&self) -> Timestamp {
        (self.now)()
    }
    fn offset(&self) -> i64 {
        (self.offset)()
    }
    fn waiting(&self, until: Option<Timestamp>) {
        self.progress.waits(until.map(|until| u64::try_from(until.secs).unwrap_or(1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_told_where_it_is_known_how_much_is_left() {
        let numbers = ProgressNumbers { entries: 600, inherited: 100, expected: Some(1100), ..Default::default() };
        assert_eq!(numbers.time_left(Duration::from_secs(5)), Some(Duration::from_secs(5)));
        assert_eq!(ProgressNumbers { expected: None, ..numbers }.time_left(Duration::from_secs(5)), None);
        assert_eq!(ProgressNumbers { expected: Some(10), ..numbers }.time_left(Duration::from_secs(5)), None);
        assert_eq!(numbers.time_left(Duration::ZERO), None);
        assert_eq!(numbers.and(ProgressNumbers::default()).expected, None);
        let both = numbers.and(numbers);
        assert_eq!((both.entries, both.expected), (1200, Some(2200)));
    }
}
