//! Discovery: what a system is, what it holds, and how fast it answers, into an inventory.
//!
//! The walk is `storage::walk`, the format is `inventory`; a [`Collector`] adds what its protocol alone can
//! tell. Nothing here can write to what it looks at: a collector hands out a [`storage::Source`].

mod collector;
mod discover;
mod error;
mod follow;
mod fsimage;
mod gather;
mod hdfs;
mod host;
mod journal;
mod latency;
mod local;
mod many;
mod nfs;
mod nfs4;
mod object;
mod progress;
mod relist;
mod replay;
mod report;
mod smb;
mod snapshots;
mod standing;
pub mod systems;

pub use collector::Collector;
pub use discover::{CheckpointRule, DiscoverOptions, discover};
pub use error::Error;
pub use fsimage::FsimageCollector;
pub use hdfs::HdfsCollector;
pub use host::disks;
pub use latency::LatencyProbe;
pub use local::LocalCollector;
pub use many::{Job, Together, discover_all, gates, server, twice};
pub use nfs::NfsCollector;
pub use nfs4::Nfs4Collector;
pub use object::ObjectCollector;
pub use progress::{Progress, ProgressClock, ProgressNumbers};
pub use report::ReportCollector;
pub use smb::SmbCollector;
