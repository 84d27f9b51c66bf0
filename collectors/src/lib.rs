//! Discovery: what a system is, what it holds, and how fast it answers, into an inventory.
//!
//! The walk is `storage::walk`, the format is `inventory`; a [`Collector`] adds what its protocol alone can
//! tell. Nothing here can write to what it looks at: a collector hands out a [`storage::Source`].

mod collector;
mod discover;
mod error;
mod follow;
mod gather;
mod host;
mod latency;
mod local;
mod nfs;
mod object;
mod progress;
mod relist;
mod snapshots;
mod standing;

pub use collector::Collector;
pub use discover::{CheckpointRule, DiscoverOptions, discover};
pub use error::Error;
pub use latency::LatencyProbe;
pub use local::LocalCollector;
pub use nfs::NfsCollector;
pub use object::ObjectCollector;
pub use progress::{Progress, ProgressNumbers};
