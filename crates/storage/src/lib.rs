//! The doors to every store: [`Source`] reads, [`Target`] can also write.
//!
//! A driver answers three questions where the status code is still in hand: what happened ([`ErrorKind`]),
//! may it be tried again ([`Retry`]), how far does it reach ([`Reach`]). Lists come in pages, so that the
//! boxed poll is paid once a page and a page is a resume point; small objects have a door of their own
//! ([`Target::put`], [`Body::Whole`]) without a stream or a task for each.

mod caps;
pub mod checksum;
#[cfg(feature = "contract")]
pub mod contract;
mod error;
pub mod memory;
mod observe;
pub mod pages;
pub mod pieces;
mod source;
mod target;
pub mod walk;
pub mod wrap;

pub use caps::{Capabilities, ListOrder, MetaWrite, NodeKinds, PartRules, Publish};
pub use error::{Error, ErrorKind, Reach, Retry};
pub use observe::{NoProbe, Probe};
pub use source::{Body, Cursor, ListSpec, Page, ReadSpec, Reading, Source, Usage, collect_body};
pub use target::{Abandoned, Node, Published, Receipt, ResumeToken, Target, Upload, WriteSpec};

pub use memory::MemoryStore;
pub use wrap::{
    Considerate, Deadline, Deadlines, FaultPlan, Faulty, Gate, Limited, Limits, Patience, RetryPolicy, Retrying, Timed,
    Windowed, Windows,
};

/// What a door answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;
