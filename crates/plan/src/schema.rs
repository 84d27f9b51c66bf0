//! `plan.toml`: the file a human reviews, edits, signs off and hands to `migrate`.

use crate::ServiceId;
use model::{ByteSize, Location};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Schema name of a plan.
pub const PLAN_SCHEMA: &str = "longshore.plan/v1";

/// What shall be done. Versioned; unknown keys are refused with the nearest name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Plan {
    /// [`PLAN_SCHEMA`].
    pub schema: String,
    /// The plan says which inventory it was made from; empty for a plan made by hand.
    #[serde(default)]
    pub inventory_sha256: String,
    /// The as-of date of the catalog that it was made with; empty for a plan made by hand.
    #[serde(default)]
    pub catalog_as_of: String,
    /// What to move where.
    #[serde(rename = "move")]
    pub moves: Vec<Move>,
}

/// One source and one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Move {
    /// Name of the move: letters, digits and `-`; names its folder in the run.
    pub name: String,
    /// Where the data is.
    pub from: Location,
    /// Where it shall be.
    pub to: Location,
    /// The service that was chosen, for reports; empty for a plan made by hand.
    #[serde(default = "unnamed")]
    pub service: ServiceId,
    /// Configuration of the service, in the API's own words. `migrate` uses `StorageClass`.
    #[serde(default)]
    pub configuration: BTreeMap<String, String>,
    /// What to do with names that the target cannot hold.
    #[serde(default)]
    pub names: NamePolicy,
    /// How it is proved that the data arrived.
    #[serde(default)]
    pub verify: VerifyPolicy,
    /// Stop after this many failed items; 0 means never.
    #[serde(default = "default_max_failures")]
    pub max_failures: u64,
    /// Most memory for content in flight.
    #[serde(default = "default_memory")]
    pub memory: ByteSize,
    /// Most items in flight; adapted downwards while the run goes on.
    #[serde(default = "default_concurrency")]
    pub concurrency: u32,
    /// Preferred size of a part of a large object; larger where the target's limit on parts demands it.
    #[serde(default = "default_part")]
    pub part_size: ByteSize,
    /// What to do, in order.
    #[serde(default = "default_steps", rename = "step")]
    pub steps: Vec<Step>,
}

fn unnamed() -> ServiceId {
    ServiceId(String::new())
}
const fn default_max_failures() -> u64 {
    1000
}
const fn default_memory() -> ByteSize {
    ByteSize(128 << 20)
}
const fn default_concurrency() -> u32 {
    64
}
const fn default_part() -> ByteSize {
    ByteSize(16 << 20)
}
fn default_steps() -> Vec<Step> {
    vec![Step::Preflight {}, Step::Transfer {}, Step::Verify {}]
}

impl Move {
    /// A move with the defaults of the format.
    pub fn new(name: &str, from: Location, to: Location) -> Self {
        Self {
            name: name.to_owned(),
            from,
            to,
            service: unnamed(),
            configuration: BTreeMap::new(),
            names: NamePolicy::default(),
            verify: VerifyPolicy::default(),
            max_failures: default_max_failures(),
            memory: default_memory(),
            concurrency: default_concurrency(),
            part_size: default_part(),
            steps: default_steps(),
        }
    }
}

/// What to do with names that the target cannot hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NamePolicy {
    /// Such an item fails, with the reason.
    #[default]
    Refuse,
    /// Escape what the target cannot hold, reversibly (see `model::NameMap`).
    Escape,
    /// The source holds names that `escape` wrote: give them back their bytes.
    Restore,
}

/// How it is proved that the data arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyPolicy {
    /// What the target's listing says: size and entity tag as they were right after the write.
    Stamp,
    /// What the target says of each item when asked: size, checksum and metadata.
    #[default]
    Digest,
    /// Read everything back from both sides.
    ReadBack,
}

/// Closed on purpose: an enum, not a trait. A new step must be handled everywhere or not compile.
/// `Preflight {}` and not `Preflight`: serde lets a *unit* variant of a tagged enum swallow unknown
/// keys in spite of `deny_unknown_fields`, and people edit this file by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Reachability, space, names, permissions, estimates.
    Preflight {},
    /// Compare and copy what differs.
    Transfer {},
    /// Prove that it arrived.
    Verify {},
}
