//! The journal: intent, effect, result, in that order, on disk.
//!
//! An append-only log of framed, checksummed records with group commit; folding it gives the state of a
//! move, which is kept as a sorted snapshot. `run.json` is its sum for people.

mod record;
mod result;

pub use record::{Done, Part, Record};
pub use result::{
    Answer, Count, Difference, ItemProblem, MoveResult, Outcome, PreflightCheck, RUN_SCHEMA, RunResult, Tally,
    Verification,
};
