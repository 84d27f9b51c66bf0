//! `run.json`: what a run did, in figures that add up. Written at the end of every run, read by reports.

use model::{Location, RelPath};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Schema name of `run.json`.
pub const RUN_SCHEMA: &str = "longshore.run/v1";

/// What a run of a plan did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// [`RUN_SCHEMA`].
    pub schema: String,
    /// Version of the tool.
    pub version: String,
    /// Nothing was written.
    pub dry_run: bool,
    /// Start, RFC 3339 in UTC.
    pub started_at: String,
    /// End, RFC 3339 in UTC.
    pub finished_at: String,
    /// Largest resident memory of the process, bytes.
    pub peak_memory_bytes: Option<u64>,
    /// One for each move, in the plan's order.
    pub moves: Vec<MoveResult>,
}

/// What a run did for one move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MoveResult {
    /// Name in the plan.
    pub name: String,
    /// Source.
    pub from: Location,
    /// Target.
    pub to: Location,
    /// Service that was chosen, empty for a plan made by hand.
    pub service: String,
    /// How it ended: `done`, `left-over` (some items failed or were skipped), `stopped`, `interrupted`.
    pub outcome: Outcome,
    /// Why it stopped, where it did.
    pub stopped_because: Option<String>,
    /// What preflight found.
    pub preflight: Vec<PreflightCheck>,
    /// Every item of the source ends in exactly one of these.
    pub tally: Tally,
    /// Bytes of content sent to the target in this run.
    pub sent_bytes: u64,
    /// Time of the transfer, milliseconds.
    pub elapsed_ms: u64,
    /// Metadata that the target does not keep, by facet: how many items lost it.
    pub lost_facets: BTreeMap<String, u64>,
    /// Names that were escaped for the target.
    pub mapped_names: u64,
    /// Items of the target that the source does not have (at most 1,000; `tally.extra` counts all).
    pub extra: Vec<RelPath>,
    /// Items that failed or were skipped (at most 1,000; all are in `failures.ndjson`).
    pub failures: Vec<ItemProblem>,
    /// What verification found, where it ran.
    pub verification: Option<Verification>,
    /// Writes in parts found open from an earlier run: resumed, and discarded.
    pub resumed_uploads: u64,
    /// See `resumed_uploads`.
    pub discarded_uploads: u64,
}

/// How a move ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every item is at the target.
    Done,
    /// It ran to the end, but some items failed or were skipped.
    LeftOver,
    /// Verification found differences.
    Different,
    /// Preflight said no; nothing was written.
    Refused,
    /// It could not finish.
    Stopped,
    /// It was interrupted and can be taken up again.
    Interrupted,
}

/// `found` = `copied + adopted + unchanged + skipped + failed + pending`, always; `extra` are the target's own.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Items that the source has.
    pub found: Count,
    /// Sent in this run.
    pub copied: Count,
    /// There already and found equal, without a record of ours.
    pub adopted: Count,
    /// There already by our own record.
    pub unchanged: Count,
    /// Left out on purpose, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Failed, by `storage::ErrorKind::word`.
    pub failed: BTreeMap<String, u64>,
    /// Not reached, because the run stopped or was refused; running it again goes on with them.
    #[serde(default)]
    pub pending: u64,
    /// Items that only the target has.
    pub extra: u64,
}

/// Items by kind, and the bytes of the files among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Count {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub dirs: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Anything else.
    pub others: u64,
    /// Bytes of the files.
    pub bytes: u64,
}

impl Count {
    /// All items, of whatever kind.
    pub const fn items(&self) -> u64 {
        self.files + self.dirs + self.symlinks + self.others
    }
}

impl Tally {
    /// Items left out on purpose.
    pub fn skipped_items(&self) -> u64 {
        self.skipped.values().sum()
    }
    /// Items that failed.
    pub fn failed_items(&self) -> u64 {
        self.failed.values().sum()
    }
    /// Does it add up?
    pub fn adds_up(&self) -> bool {
        self.found.items() == self.settled_items() + self.pending
    }
    /// Items whose fate is known.
    pub fn settled_items(&self) -> u64 {
        let there = self.copied.items() + self.adopted.items() + self.unchanged.items();
        there + self.skipped_items() + self.failed_items()
    }
}

/// One question of preflight and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreflightCheck {
    /// What was asked: `source is reachable`, `space at the target`, …
    pub name: String,
    /// The answer.
    pub answer: Answer,
    /// In words, with figures.
    pub detail: String,
    /// What to do, where something must be done.
    pub hint: Option<String>,
}

/// An answer of preflight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Fine.
    Yes,
    /// Go on, but know this.
    Warn,
    /// The run must not start.
    No,
}

/// An item that failed or was skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemProblem {
    /// Which, as the source names it.
    pub path: RelPath,
    /// `failed` or `skipped`.
    pub outcome: String,
    /// `storage::ErrorKind::word`, or the reason for skipping.
    pub kind: String,
    /// In words, with the server's own.
    pub detail: String,
    /// What to do, where we know.
    pub hint: Option<String>,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Verification {
    /// `stamp`, `digest` or `read-back`.
    pub method: String,
    /// Items compared.
    pub compared: u64,
    /// Bytes of content whose digest was compared.
    pub compared_bytes: u64,
    /// Items that are equal.
    pub equal: u64,
    /// Items whose content is proved by size and entity tag only, because the target keeps no digest of them.
    pub by_size_only: u64,
    /// Differences (at most 1,000; `different` counts all).
    pub differences: Vec<Difference>,
    /// Items that differ, are missing at the target, or could not be read.
    pub different: u64,
    /// Items that only the target has.
    pub extra: u64,
    /// Time it took, milliseconds.
    pub elapsed_ms: u64,
}

/// One difference between source and target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Which, as the source names it.
    pub path: RelPath,
    /// `missing`, `extra`, `kind`, `size`, `content`, `metadata`, `unreadable`, `changed-at-source`.
    pub what: String,
    /// In words.
    pub detail: String,
}
