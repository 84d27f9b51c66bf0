//! How many items may be in flight: as many as help, no more.
//!
//! Hill climbing on throughput: the limit grows while growth pays, turns round when it does not, and
//! halves when the target or the source asks for patience. No model of the server, no figure to tune.

use crate::meter::Meter;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How long one limit is tried before the next.
const TRIAL: Duration = Duration::from_millis(500);
/// An item weighs as much as this many bytes, so that small and large files share one measure.
const ITEM_WEIGHT: u64 = 64 << 10;

/// The gate that workers pass for each item.
#[derive(Debug)]
pub(crate) struct Pace {
    gate: Semaphore,
    limit: AtomicU32,
    most: u32,
    pushed_back: AtomicBool,
}

impl Pace {
    pub(crate) fn new(most: u32) -> Arc<Self> {
        let start = most.clamp(1, 16);
        Arc::new(Self {
            gate: Semaphore::new(start as usize),
            limit: AtomicU32::new(start),
            most: most.max(1),
            pushed_back: AtomicBool::new(false),
        })
    }
    /// Waits for a place.
    pub(crate) async fn place(&self) -> SemaphorePermit<'_> {
        self.gate.acquire().await.expect("the gate is never closed")
    }
    /// Somebody was asked to slow down.
    pub(crate) fn push_back(&self) {
        self.pushed_back.store(true, Relaxed);
    }
    fn set(&self, wanted: u32) {
        let wanted = wanted.clamp(1, self.most);
        let now = self.limit.load(Relaxed);
        if wanted > now {
            self.gate.add_permits((wanted - now) as usize);
            self.limit.store(wanted, Relaxed);
        } else {
            // Places in use cannot be taken back; those that are free now are, the rest next time.
            let taken = self.gate.forget_permits((now - wanted) as usize);
            self.limit.store(now - u32::try_from(taken).unwrap_or(0), Relaxed);
        }
    }
    /// Adapts the limit until dropped.
    pub(crate) async fn adapt(self: Arc<Self>, meter: Arc<Meter>) {
        let mut climb = Climb { rate: 0, up: true };
        let mut before = meter.snapshot();
        meter.allow(u64::from(self.limit.load(Relaxed)));
        loop {
            tokio::time::sleep(TRIAL).await;
            let now = meter.snapshot();
            let work = now.done_items.saturating_sub(before.done_items) * ITEM_WEIGHT
                + now.done_bytes.saturating_sub(before.done_bytes);
            before = now;
            let limit = self.limit.load(Relaxed);
            if self.pushed_back.swap(false, Relaxed) {
                self.set(limit / 2);
                climb = Climb { rate: 0, up: true };
            } else {
                self.set(climb.next(limit, work));
            }
            meter.allow(u64::from(self.limit.load(Relaxed)));
        }
    }
}

/// The state of the climb.
#[derive(Debug)]
struct Climb {
    rate: u64,
    up: bool,
}

impl Climb {
    /// The limit to try next, after `work` was done under `limit`.
    fn next(&mut self, limit: u32, work: u64) -> u32 {
        // A tenth either way is noise.
        if work < self.rate - self.rate / 10 {
            self.up = !self.up;
        }
        self.rate = work;
        let step = (limit / 4).max(1);
        if self.up { limit + step } else { limit.saturating_sub(step).max(4) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_climb_finds_the_top_and_stays_near_it() {
        let mut climb = Climb { rate: 0, up: true };
        let mut limit = 8_u32;
        // A server that gives its best at 40 and gets worse beyond.
        let rate = |n: u32| u64::from(if n <= 40 { n * 1000 } else { 40_000_u32.saturating_sub((n - 40) * 2000) });
        let mut seen = Vec::new();
        for _ in 0..60 {
            limit = climb.next(limit, rate(limit)).min(200);
            seen.push(limit);
        }
        let tail = &seen[30..];
        assert!(tail.iter().all(|n| (16..=80).contains(n)), "{tail:?}");
    }

    #[tokio::test]
    async fn places_are_taken_back_only_when_free() {
        let pace = Pace::new(64);
        let held = pace.place().await;
        pace.set(1);
        assert_eq!(pace.limit.load(Relaxed), 1);
        drop(held);
        pace.set(4);
        assert_eq!(pace.gate.available_permits(), 4);
    }
}
