//! What the target must carry: measured if somebody says so, else estimated from what the files show.

use crate::number::{real, share, up};
use crate::{Access, Cold, Facts, Options};
use plan::Sizing;

/// Seconds in which a month's work is done: 22 days of 8 hours.
const BUSY_SECONDS: f64 = 22.0 * 8.0 * 3600.0;
/// Peaks over the mean of the busy hours.
const PEAK: f64 = 5.0;
/// Size of one operation where nobody measured it, KiB.
const OPERATION_KIB: f64 = 64.0;
/// Least that is asked of any file system, MiB/s.
const LEAST_MIBPS: f64 = 1.0;
/// Least that is asked of any file system, operations per second.
const LEAST_IOPS: f64 = 50.0;

/// What a target must hold and carry, at the end of the horizon.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Sizes in the form that a recommendation carries.
    pub sizing: Sizing,
    /// What counts and sizes grow to over the horizon.
    pub growth: f64,
    /// Files that will not be used at the target for [`Cold::DAYS`], as they are today (without growth).
    pub unused: [Cold; 3],
    /// Bytes used within 30 days.
    pub hot_bytes: f64,
    /// Bytes not used for 30 but for less than 90 days.
    pub cool_bytes: f64,
    /// Bytes not used for 90 days.
    pub cold_bytes: f64,
    /// Bytes read in a month out of what was used within 30 days.
    pub hot_read_bytes: f64,
    /// Bytes read in a month out of what was not used for 30 but for less than 90 days.
    pub cool_read_bytes: f64,
    /// Bytes read in a month out of what was not used for 90 days.
    pub cold_read_bytes: f64,
    /// Files read in a month.
    pub read_files: f64,
    /// Bytes written in a month.
    pub written_bytes: f64,
    /// Files written in a month.
    pub written_files: f64,
}

impl Workload {
    /// From facts and options.
    pub fn new(facts: &Facts, options: &Options) -> Self {
        let growth = options.growth();
        let grown = |n: u64| real(n) * growth;
        // An archive is written once and then left alone, whatever happens to its source.
        let archive = options.access == Access::Archive;
        let unused = if archive { [everything(facts); 3] } else { facts.unused };
        let changed = if archive { everything(facts) } else { facts.unchanged[0] };
        let [month, quarter, _] = unused;
        let hot_bytes = grown(facts.bytes.saturating_sub(month.bytes));
        let cool_bytes = grown(month.bytes.saturating_sub(quarter.bytes));
        let cold_bytes = grown(quarter.bytes);
        let read_files = grown(facts.files.saturating_sub(month.files)) * options.hot_reads_per_month
            + grown(month.files) * options.retrieval_share;
        let hot_read_bytes = hot_bytes * options.hot_reads_per_month;
        let cool_read_bytes = cool_bytes * options.retrieval_share;
        let cold_read_bytes = cold_bytes * options.retrieval_share;
        let written_bytes = grown(facts.bytes.saturating_sub(changed.bytes));
        let written_files = grown(facts.files.saturating_sub(changed.files));

        let moved = hot_read_bytes + cool_read_bytes + cold_read_bytes + written_bytes;
        let guess_mibps = (moved / BUSY_SECONDS * PEAK / real(1 << 20)).max(LEAST_MIBPS);
        let throughput_mibps = options.throughput_mibps.unwrap_or(guess_mibps);
        let guess_iops = (throughput_mibps * 1024.0 / OPERATION_KIB).max(LEAST_IOPS);
        let iops = options.iops.unwrap_or(guess_iops);
        let sizing = Sizing {
            now_bytes: facts.bytes,
            capacity_bytes: up(grown(facts.bytes)),
            growth_per_year: options.growth_per_year,
            horizon_months: options.horizon_months,
            throughput_mibps,
            iops,
            basis: basis(facts, options),
        };
        Self {
            sizing,
            growth,
            unused,
            hot_bytes,
            cool_bytes,
            cold_bytes,
            hot_read_bytes,
            cool_read_bytes,
            cold_read_bytes,
            read_files,
            written_bytes,
            written_files,
        }
    }

    /// Bytes read in a month.
    pub fn read_bytes(&self) -> f64 {
        self.hot_read_bytes + self.cool_read_bytes + self.cold_read_bytes
    }
    /// Throughput in MB/s, as AWS provisions it.
    pub fn mbps(&self) -> f64 {
        self.sizing.throughput_mibps * 1.048_576
    }
}

/// All files, as if nobody touched them.
fn everything(facts: &Facts) -> Cold {
    Cold { files: facts.files, bytes: facts.bytes, small_files: facts.small_files, small_bytes: facts.small_bytes }
}

fn basis(facts: &Facts, options: &Options) -> String {
    let guess = || {
        if options.access == Access::Archive {
            return format!(
                "estimated: nothing is changed and {:.0} % are read in a month, in 22 days of 8 hours with peaks of \
                 {PEAK} times the mean",
                100.0 * options.retrieval_share
            );
        }
        format!(
            "estimated: {:.0} % of the bytes changed within 30 days, {:.0} % were used and are read {} times a month, \
             the rest to {:.0} %; done in 22 days of 8 hours with peaks of {PEAK} times the mean",
            100.0 - 100.0 * share(facts.unchanged[0].bytes, facts.bytes),
            100.0 - 100.0 * share(facts.unused[0].bytes, facts.bytes),
            options.hot_reads_per_month,
            100.0 * options.retrieval_share,
        )
    };
    match (options.throughput_mibps, options.iops) {
        (Some(_), Some(_)) => "throughput and operations per second as given".to_owned(),
        (Some(_), None) => {
            format!("throughput as given; operations per second estimated at {OPERATION_KIB} KiB each")
        }
        (None, Some(_)) => format!("operations per second as given; throughput {}", guess()),
        (None, None) => format!("{}; operations of {OPERATION_KIB} KiB", guess()),
    }
}
