//! How many streams a listing gets: more only while that brings more keys a second.
//!
//! A store far away answers many requests at once as fast as one. A server that has much to do for each place to begin
//! at is slower with each of them. So a listing begins with one stream, tries more, and goes back when that was no
//! gain. What was measured is at [`S3Options::list_streams`](crate::S3Options::list_streams).

use std::time::Instant;

/// Pages for each stream before its worth is judged.
const WINDOW: u32 = 8;
/// Windows until the next trial after one that failed; each failure doubles them.
const PATIENCE: u32 = 16;

/// The number of streams, told by what came.
#[derive(Debug)]
pub(super) struct Streams {
    most: u32,
    now: u32,
    /// What there was before the trial that is under way: streams, and keys a second.
    before: Option<(u32, f64)>,
    pages: u32,
    keys: usize,
    since: Option<Instant>,
    wait: u32,
    patience: u32,
}

impl Streams {
    pub(super) fn new(most: u32) -> Self {
        Self { most, now: 1, before: None, pages: 0, keys: 0, since: None, wait: 0, patience: PATIENCE }
    }

    /// How many there may be now.
    pub(super) fn now(&self) -> u32 {
        self.now
    }

    /// A page came, with so many keys that count. The first one ever is not counted: its wait was for the connection.
    pub(super) fn came(&mut self, keys: usize, at: Instant) {
        let Some(since) = self.since else {
            self.since = Some(at);
            return;
        };
        self.pages += 1;
        self.keys += keys;
        if self.pages < WINDOW * self.now {
            return;
        }
        let rate = at.duration_since(since).as_secs_f64().max(1e-6).recip() * float(self.keys);
        self.judge(rate);
        (self.pages, self.keys, self.since) = (0, 0, Some(at));
    }

    fn judge(&mut self, rate: f64) {
        if let Some((streams, before)) = self.before.take() {
            // A quarter of what they could bring at best.
            let gain = f64::from(self.now) / f64::from(streams) - 1.0;
            if rate < before * (1.0 + gain / 4.0) {
                tracing::debug!(streams = self.now, rate, before, "more streams list no faster");
                (self.now, self.wait) = (streams, self.patience);
                self.patience = self.patience.saturating_mul(2);
                return;
            }
        }
        if self.wait > 0 {
            self.wait -= 1;
        } else if self.now < self.most {
            self.before = Some((self.now, rate));
            self.now = (self.now * 2).min(self.most);
        }
    }
}

fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Windows at a rate that depends on the number of streams; what there was in each.
    fn run(most: u32, windows: usize, rate: impl Fn(u32) -> f64) -> Vec<u32> {
        let (mut streams, mut seen, mut at) = (Streams::new(most), Vec::new(), Instant::now());
        streams.came(1000, at);
        for _ in 0..windows {
            let now = streams.now();
            seen.push(now);
            for _ in 0..WINDOW * now {
                at += Duration::from_secs_f64(1000.0 / rate(now));
                streams.came(1000, at);
            }
        }
        seen
    }

    #[test]
    fn streams_are_added_while_they_bring_something() {
        assert_eq!(run(12, 6, |streams| 20_000.0 * f64::from(streams)), [1, 2, 4, 8, 12, 12]);
        let four = run(12, 24, |streams| 20_000.0 * f64::from(streams.min(4)));
        assert_eq!(four[..5], [1, 2, 4, 8, 4]);
        assert_eq!(
            (four[5..20].iter().max(), four[21..].iter().max()),
            (Some(&4), Some(&8)),
            "one trial more: {four:?}"
        );
    }

    #[test]
    fn where_they_cost_something_there_is_one_and_trials_grow_rare() {
        let seen = run(12, 200, |streams| 10_000.0 / f64::from(streams));
        assert_eq!(seen.iter().filter(|streams| **streams > 1).count(), 4, "{seen:?}");
        assert!(seen.iter().all(|streams| *streams <= 2));
        assert!(run(1, 50, |_| 5.0).iter().all(|streams| *streams == 1));
    }
}
