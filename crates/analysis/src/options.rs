//! What people want of a target, and what is assumed where nothing was measured.

use crate::Error;

/// How applications shall reach the data afterwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Whatever fits; an object store counts as fitting where nothing that only files have would be lost.
    #[default]
    Any,
    /// By path, mounted.
    File,
    /// By key.
    Object,
    /// Hardly ever: hours until it can be read are good enough.
    Archive,
}

/// What is asked for. `Options::default()` is what `longshore recommend` uses.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// AWS region.
    pub region: String,
    /// Growth in a year; 0.2 is 20 %.
    pub growth_per_year: f64,
    /// Months that the target shall hold without being enlarged; costs are those at its end.
    pub horizon_months: u32,
    /// Throughput that the target must carry, MiB/s; estimated where absent.
    pub throughput_mibps: Option<f64>,
    /// Operations per second that the target must carry; estimated where absent.
    pub iops: Option<f64>,
    /// How applications shall reach the data.
    pub access: Access,
    /// The target must survive the loss of an availability zone.
    pub multi_az: bool,
    /// The data can be made again, so that a store that may lose its only copy is good enough.
    pub reproducible: bool,
    /// Longest acceptable latency of a small operation, milliseconds.
    pub latency_ms: Option<f64>,
    /// Consider only these services or classes (`s3`, `fsx-ontap/multi-az-1`); all where empty.
    pub only: Vec<String>,
    /// Do not consider these services or classes.
    pub exclude: Vec<String>,
    /// How often a month data used in the last 30 days is read in full.
    pub hot_reads_per_month: f64,
    /// Share of data not used for 30 days that is read in a month.
    pub retrieval_share: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            growth_per_year: 0.2,
            horizon_months: 12,
            throughput_mibps: None,
            iops: None,
            access: Access::Any,
            multi_az: false,
            reproducible: false,
            latency_ms: None,
            only: Vec::new(),
            exclude: Vec::new(),
            hot_reads_per_month: 2.0,
            retrieval_share: 0.02,
        }
    }
}

impl Options {
    /// Refuses values that make no sense.
    pub fn check(&self) -> Result<(), Error> {
        let within = |option: &'static str, value: f64, low: f64, high: f64, wanted: &'static str| {
            if value.is_finite() && (low..=high).contains(&value) {
                return Ok(());
            }
            Err(Error::Option { option, value: value.to_string(), wanted })
        };
        within("the yearly growth", self.growth_per_year, -0.9, 10.0, "a share such as 0.2 for 20 %, at most 10")?;
        within("the horizon", f64::from(self.horizon_months), 1.0, 120.0, "from 1 to 120 months")?;
        within("the reads of hot data", self.hot_reads_per_month, 0.0, 1e6, "a count a month, 0 or more")?;
        within("the share of cold data read", self.retrieval_share, 0.0, 1.0, "a share from 0 to 1")?;
        let positive = "more than 0";
        let wanted = [
            ("the throughput", self.throughput_mibps),
            ("the operations per second", self.iops),
            ("the latency", self.latency_ms),
        ];
        for (option, value) in wanted {
            within(option, value.unwrap_or(1.0), f64::MIN_POSITIVE, 1e9, positive)?;
        }
        Ok(())
    }

    /// What sizes grow to at the end of the horizon.
    pub fn growth(&self) -> f64 {
        (1.0 + self.growth_per_year).powf(f64::from(self.horizon_months) / 12.0)
    }

    /// Was this service or class ruled out, or others ruled in? Says which word did it.
    pub(crate) fn ruled_out(&self, family: &str, id: &str) -> Option<String> {
        let names = |list: &[String]| list.iter().any(|word| word == family || word == id);
        if names(&self.exclude) {
            return Some(format!("{id} was ruled out by the options"));
        }
        (!self.only.is_empty() && !names(&self.only))
            .then(|| format!("only {} shall be considered", self.only.join(", ")))
    }
}
