//! The journal: intent, effect, result, in that order, on disk.
//!
//! An append-only log of framed, checksummed records with group commit; folding it gives the state of a
//! move, which is kept as a sorted snapshot. `run.json` is its sum for people.
//!
//! ```text
//! Writer (async, group commit) -> Journal (frames in segments) -> compact -> Snapshot (sorted states of items)
//! ```

mod codec;
mod commit;
mod compact;
mod disk;
mod error;
mod frame;
mod log;
mod memory;
mod record;
mod result;
mod run_file;
mod snapshot;
pub mod sort;
mod state;

pub use codec::{Flaw, decode, encode};
pub use commit::{CommitPolicy, Writer};
pub use disk::{Disk, DiskFile, LockAttempt, RealDisk};
pub use error::Error;
pub use frame::Version;
pub use log::{Journal, Layout, Lsn, Recovery};
pub use memory::{Loss, MemoryDisk};
pub use record::{Done, Part, Record};
pub use result::{
    Answer, Count, Difference, ItemProblem, MoveResult, Outcome, PreflightCheck, RUN_SCHEMA, RunResult, Tally,
    Verification,
};
pub use run_file::FailuresWriter;
pub use snapshot::Snapshot;
pub use state::{About, ItemState, OpenWrite};
