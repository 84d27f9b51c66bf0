//! The recommendation: every candidate ranked or excluded, each with its reasons.

use crate::{Error, Money, MonthlyCost, Place};
use model::Location;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// Schema name of a recommendation document.
pub const RECOMMENDATION_SCHEMA: &str = "longshore.recommendation/v1";

/// Advice for every system of an inventory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    /// [`RECOMMENDATION_SCHEMA`].
    pub schema: String,
    /// AWS region that was asked for.
    pub region: String,
    /// The oldest as-of date in the catalog, `YYYY-MM-DD`.
    pub catalog_as_of: String,
    /// SHA-256 of the inventory's profiles, hexadecimal.
    pub inventory_sha256: String,
    /// Advice, one for each system, in the inventory's order.
    pub systems: Vec<SystemAdvice>,
}

/// Advice for one system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SystemAdvice {
    /// The system.
    pub location: Location,
    /// The facts that the rules looked at, printable, by name.
    pub facts: BTreeMap<String, String>,
    /// Candidates that fit, best first.
    pub ranking: Vec<Candidate>,
    /// Candidates that do not fit, and why.
    pub excluded: Vec<Exclusion>,
    /// Findings that hold whatever the target.
    pub findings: Vec<Finding>,
}

/// A service in one configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Which.
    pub service: ServiceId,
    /// What people call it.
    pub title: String,
    /// The configuration, in the API's own words (`StorageClass = "INTELLIGENT_TIERING"`).
    pub configuration: BTreeMap<String, String>,
    /// What it was sized for.
    pub sizing: Sizing,
    /// What it costs.
    pub cost: MonthlyCost,
    /// What moving the data there costs once (requests), USD.
    pub transfer_usd: Money,
    /// Sum of the points of its rules.
    pub points: i32,
    /// Why it ranks where it does.
    pub reasons: Vec<Reason>,
    /// What this target would lose or needs care with.
    pub findings: Vec<Finding>,
}

/// What a candidate was sized for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sizing {
    /// Bytes now.
    pub now_bytes: u64,
    /// Bytes with growth over the horizon.
    pub capacity_bytes: u64,
    /// Yearly growth assumed, 0.2 is 20 %.
    pub growth_per_year: f64,
    /// Horizon of the growth, months.
    pub horizon_months: u32,
    /// Throughput that it must carry, MiB/s.
    pub throughput_mibps: f64,
    /// Operations per second that it must carry.
    pub iops: f64,
    /// How throughput and IOPS were got: measured, reported or estimated, in words.
    pub basis: String,
}

/// A candidate that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// Which.
    pub service: ServiceId,
    /// What people call it.
    pub title: String,
    /// The reasons, at least one.
    pub reasons: Vec<Reason>,
}

/// Why a rule decided as it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable id of the rule: `efs/no-acls`.
    pub rule: String,
    /// In words.
    pub text: String,
    /// Points given (0 for an exclusion).
    pub points: i32,
    /// The facts it looked at: name, value.
    pub facts: Vec<(String, String)>,
}

/// Something that people must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable id: `s3/key-too-long`.
    pub id: String,
    /// How bad.
    pub severity: Severity,
    /// In words, with figures.
    pub text: String,
    /// What can be done.
    pub remedy: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Something changes or is lost unless one acts.
    Warning,
    /// Part of the data cannot go there as it is.
    Blocking,
}

/// A service and class, stable: `s3/standard`, `efs/regional`, `fsx-windows/multi-az-ssd`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServiceId(pub String);

impl ServiceId {
    /// The service without its class: `s3` of `s3/standard`.
    pub fn family(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(family, _)| family)
    }
}

impl Recommendation {
    /// Reads a recommendation document; refuses other schemas.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let wrong = |e: serde_json::Error| Error::Syntax {
            format: "JSON",
            place: Place { line: Some(e.line()), ..Place::default() },
            message: e.to_string(),
        };
        let document: serde_json::Value = serde_json::from_str(text).map_err(wrong)?;
        let schema = document.get("schema").and_then(serde_json::Value::as_str).unwrap_or_default();
        if schema != RECOMMENDATION_SCHEMA {
            return Err(Error::Schema { found: schema.to_owned(), wanted: RECOMMENDATION_SCHEMA });
        }
        serde_json::from_str(text).map_err(wrong)
    }

    /// The document as indented JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings and finite numbers have a JSON form")
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
