//! Keeps what drivers tell of their server's latency.

use inventory::Latencies;
use std::{
    cell::Cell,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use storage::Probe;

/// As many as threads rarely collide on.
const SHARDS: usize = 8;

/// Counts latencies from many threads: hand one to a driver when it connects, and the same one to `discover`.
pub struct LatencyProbe {
    shards: [Mutex<Latencies>; SHARDS],
}

impl LatencyProbe {
    /// Nothing counted.
    pub fn new() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Everything counted so far.
    pub fn snapshot(&self) -> Latencies {
        let mut all = Latencies::default();
        for shard in &self.shards {
            all.merge(&shard.lock().unwrap_or_else(PoisonError::into_inner));
        }
        all
    }
}

impl Default for LatencyProbe {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LatencyProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LatencyProbe")
    }
}

impl Probe for LatencyProbe {
    fn observed(&self, op: &'static str, took: Duration, ok: bool) {
        // A lock of its own for nearly every thread, so nobody waits; a count takes well under a microsecond.
        let mut shard = self.shards[own_shard()].lock().unwrap_or_else(PoisonError::into_inner);
        shard.record(op, took, ok);
    }
}

fn own_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: Cell<Option<usize>> = const { Cell::new(None) };
    }
    OWN.with(|own| {
        let shard = own.get().unwrap_or_else(|| NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
        own.set(Some(shard));
        shard
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_threads_tell_is_counted_once_each() {
        let probe = LatencyProbe::new();
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| (1..=100).for_each(|us| probe.observed("READ", Duration::from_micros(us), us != 7)));
            }
        });
        let read = &probe.snapshot().to_profile()[0];
        assert_eq!((read.op.as_str(), read.count, read.errors, read.max_us), ("READ", 1200, 12, 100));
    }
}
