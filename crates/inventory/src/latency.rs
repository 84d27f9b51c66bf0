//! Latency of a server's operations as histograms that can be merged, stored and read by other tools.

use crate::OperationLatency;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer, Serializer as _, V2Serializer},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// Figures are exact to three significant digits.
const DIGITS: u8 = 3;
/// An hour: longer than any timeout, and what bounds a histogram to about 200 KiB.
const LONGEST_US: u64 = 3_600_000_000;

/// Histograms of latency in microseconds, one for each operation.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(into = "Vec<OperationLatency>", try_from = "Vec<OperationLatency>")]
pub struct Latencies {
    operations: BTreeMap<String, Operation>,
}

#[derive(Clone, Debug)]
struct Operation {
    histogram: Histogram<u64>,
    errors: u64,
}

impl Operation {
    fn new() -> Self {
        Self { histogram: Histogram::new(DIGITS).expect("three significant digits are allowed"), errors: 0 }
    }
}

/// Why a stored histogram could not be read back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the histogram of `{op}` is not an hdrhistogram V2 in base64: {problem}")]
pub struct HistogramError {
    /// Which operation.
    pub op: String,
    /// What is wrong.
    pub problem: String,
}

impl Latencies {
    /// Counts one answer of the server. Times under a microsecond count as one.
    pub fn record(&mut self, op: &str, took: Duration, ok: bool) {
        if !self.operations.contains_key(op) {
            self.operations.insert(op.to_owned(), Operation::new());
        }
        let Some(operation) = self.operations.get_mut(op) else { return };
        let micros = u64::try_from(took.as_micros()).unwrap_or(LONGEST_US).clamp(1, LONGEST_US);
        // Not `saturating_record`: that one never grows the histogram.
        operation.histogram.record(micros).expect("a histogram that resizes itself takes an hour");
        operation.errors += u64::from(!ok);
    }

    /// Adds everything that `other` counted.
    pub fn merge(&mut self, other: &Self) {
        for (op, theirs) in &other.operations {
            let ours = self.operations.entry(op.clone()).or_insert_with(Operation::new);
            ours.histogram.add(&theirs.histogram).expect("histograms that resize themselves take every value");
            ours.errors += theirs.errors;
        }
    }

    /// Was nothing counted?
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// As `profile.json` has it, sorted by operation.
    pub fn to_profile(&self) -> Vec<OperationLatency> {
        let one = |(op, operation): (&String, &Operation)| {
            let histogram = &operation.histogram;
            OperationLatency {
                op: op.clone(),
                count: histogram.len(),
                errors: operation.errors,
                p50_us: histogram.value_at_quantile(0.5),
                p95_us: histogram.value_at_quantile(0.95),
                p99_us: histogram.value_at_quantile(0.99),
                max_us: histogram.max(),
                histogram: encoded(histogram),
            }
        };
        self.operations.iter().map(one).collect()
    }

    /// Reads back what [`Latencies::to_profile`] gave, to merge it with others.
    pub fn from_profile(operations: &[OperationLatency]) -> Result<Self, HistogramError> {
        let mut read = Self::default();
        for stored in operations {
            let operation = Operation { histogram: decoded(stored)?, errors: stored.errors };
            read.operations.insert(stored.op.clone(), operation);
        }
        Ok(read)
    }
}

impl From<Latencies> for Vec<OperationLatency> {
    fn from(latencies: Latencies) -> Self {
        latencies.to_profile()
    }
}
impl TryFrom<Vec<OperationLatency>> for Latencies {
    type Error = HistogramError;
    fn try_from(operations: Vec<OperationLatency>) -> Result<Self, HistogramError> {
        Self::from_profile(&operations)
    }
}

fn encoded(histogram: &Histogram<u64>) -> String {
    let mut raw = Vec::new();
    V2Serializer::new().serialize(histogram, &mut raw).expect("a vector takes what is written, and counts fit");
    STANDARD.encode(raw)
}

fn decoded(stored: &OperationLatency) -> Result<Histogram<u64>, HistogramError> {
    let wrong = |problem: String| HistogramError { op: stored.op.clone(), problem };
    let raw = STANDARD.decode(&stored.histogram).map_err(|error| wrong(error.to_string()))?;
    let mut histogram: Histogram<u64> =
        Deserializer::new().deserialize(&mut &raw[..]).map_err(|error| wrong(error.to_string()))?;
    histogram.auto(true);
    Ok(histogram)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(micros: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        for us in micros {
            latencies.record("READDIRPLUS", Duration::from_micros(us), us % 10 != 0);
        }
        latencies
    }

    #[test]
    fn a_histogram_comes_back_from_its_stored_form_and_merges() {
        let whole = counted(1..=1000);
        let stored = counted(1..=500).to_profile();
        let mut merged = Latencies::from_profile(&stored).unwrap();
        merged.merge(&counted(501..=1000));
        assert_eq!(merged.to_profile(), whole.to_profile());
        let listing = &merged.to_profile()[0];
        assert_eq!((listing.count, listing.errors, listing.p50_us), (1000, 100, 500));
        assert_eq!((listing.p95_us, listing.p99_us, listing.max_us), (950, 990, 1000));
    }

    #[test]
    fn an_hour_and_a_nanosecond_are_both_counted() {
        let mut latencies = Latencies::default();
        latencies.record("READ", Duration::from_hours(1), true);
        latencies.record("READ", Duration::from_nanos(1), true);
        let read = &latencies.to_profile()[0];
        assert!(read.max_us >= 3_600_000_000 && read.p50_us == 1, "{read:?}");
    }

    #[test]
    fn a_broken_histogram_is_refused_with_the_name_of_its_operation() {
        let mut stored = counted([5]).to_profile();
        stored[0].histogram = "AAAA".into();
        assert!(Latencies::from_profile(&stored).unwrap_err().to_string().contains("READDIRPLUS"));
    }
}
