//! Discovery: what a system is, what it holds, and how fast it answers, into an inventory.
//!
//! The walk is `storage::walk`, the format is `inventory`; a [`Protocol`] adds what it alone can
//! tell. Nothing here can write to what it looks at: a collector hands out a [`storage::Source`].

mod collector;
mod discover;
mod error;
mod follow;
pub mod fsimage;
mod gather;
pub mod hdfs;
mod host;
mod journal;
mod latency;
pub mod local;
mod many;
pub mod nfs;
pub mod nfs4;
pub mod object;
mod progress;
mod relist;
mod replay;
pub mod report;
pub mod smb;
mod snapshots;
mod standing;
pub mod systems;

pub use collector::{Collector, Protocol};
pub use discover::{CheckpointRule, DiscoverOptions, discover};
pub use error::Error;
pub use host::disks;
pub use latency::LatencyProbe;
pub use many::{Job, Together, discover_all, gates, same, server, twice};
pub use progress::{Progress, ProgressClock, ProgressNumbers};
