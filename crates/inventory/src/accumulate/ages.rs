//! Files by time since something happened to them.

use super::sums::Sum;
use crate::AgeBucket;
use model::Timestamp;
use serde::{Deserialize, Serialize};

const DAY: i64 = 86_400;

/// Label, from, to (days). The bounds are those at which stores move or price data: 30 and 90 days for the
/// infrequent-access and archive classes of S3 and EFS, 180 for S3 Glacier Deep Archive's shortest stay.
const BUCKETS: [(&str, u32, Option<u32>); 9] = [
    ("under a day", 0, Some(1)),
    ("1 to 7 days", 1, Some(7)),
    ("7 to 30 days", 7, Some(30)),
    ("30 to 90 days", 30, Some(90)),
    ("90 to 180 days", 90, Some(180)),
    ("180 days to a year", 180, Some(365)),
    ("1 to 2 years", 365, Some(730)),
    ("2 to 5 years", 730, Some(1826)),
    ("over 5 years", 1826, None),
];
const FUTURE: usize = BUCKETS.len();
const UNKNOWN: usize = FUTURE + 1;

/// Counts by age before a fixed moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ages {
    reference: Timestamp,
    buckets: [Sum; UNKNOWN + 1],
}

impl Ages {
    pub(super) fn new(reference: Timestamp) -> Self {
        Self { reference, buckets: [Sum::default(); UNKNOWN + 1] }
    }

    pub(super) fn add(&mut self, time: Option<Timestamp>, bytes: u64) {
        self.buckets[time.map_or(UNKNOWN, |time| self.bucket(time))].add(Sum::one(bytes));
    }

    /// What was touched while we looked, or by a clock that is a little ahead, is new and not of the future.
    fn bucket(&self, time: Timestamp) -> usize {
        let seconds = self.reference.secs.saturating_sub(time.secs);
        if seconds < -DAY {
            return FUTURE;
        }
        let days = seconds.max(0) / DAY;
        let within = |(_, _, to): &(&str, u32, Option<u32>)| to.is_none_or(|to| days < i64::from(to));
        BUCKETS.iter().position(within).expect("the last bucket is open")
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            ours.add(*theirs);
        }
    }

    pub(super) fn to_profile(&self) -> Vec<AgeBucket> {
        let aged = BUCKETS.iter().map(|(label, from, to)| (*label, Some(*from), *to));
        let labels = aged.chain([("in the future", None, None), ("unknown", None, None)]);
        let one = |((label, from_days, to_days), sum): ((&str, _, _), &Sum)| AgeBucket {
            label: label.to_owned(),
            from_days,
            to_days,
            files: sum.files,
            size_bytes: sum.bytes,
        };
        labels.zip(&self.buckets).map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_falls_into_the_bucket_of_its_age() {
        let now = 1_800_000_000;
        let mut ages = Ages::new(Timestamp { secs: now, nanos: 0 });
        for age in [-2 * DAY, -10, 0, DAY - 1, DAY, 30 * DAY, 5 * 366 * DAY, now] {
            ages.add(Some(Timestamp { secs: now - age, nanos: 0 }), 1);
        }
        ages.add(None, 7);
        ages.add(Some(Timestamp { secs: i64::MIN, nanos: 0 }), 1);
        let counts: Vec<_> =
            ages.to_profile().into_iter().filter(|b| b.files > 0).map(|b| (b.label, b.files, b.from_days)).collect();
        let expected = [
            ("under a day", 3, Some(0)),
            ("1 to 7 days", 1, Some(1)),
            ("30 to 90 days", 1, Some(30)),
            ("over 5 years", 3, Some(1826)),
            ("in the future", 1, None),
            ("unknown", 1, None),
        ];
        assert_eq!(counts, expected.map(|(label, files, from)| (label.to_owned(), files, from)));
    }
}
