//! The inventory: an open format for what a site's storage holds.
//!
//! ```text
//! site.inv/
//!   inventory.json               schema, version of the tool, the systems in it
//!   <system>/profile.json        figures of one system (see `Profile`)
//!   <system>/entries/*.parquet   one row per entry (see `rows`)
//!   <system>/problems.ndjson     everything that could not be read
//!   <system>/partial/            a discovery that is not finished (see `Draft`)
//! ```
//!
//! Any tool that reads JSON and Parquet can open it; `longshore` reads nothing else.

mod accumulate;
mod draft;
mod durable;
mod error;
mod finding;
mod frames;
mod latency;
mod names;
mod profile;
pub mod rows;
mod site;

pub use accumulate::{About, Accumulator, Noted};
pub use draft::{CHECKPOINT_SCHEMA, Draft, ProblemLog};
pub use error::Error;
pub use finding::{ComparedCount, Finding, MOST_EXAMPLES, SecondCount, Weight};
pub use frames::FrameLog;
pub use latency::{HistogramError, Latencies};
pub use names::extension;
pub use profile::{
    AgeBucket, Capacity, Counts, DirectoryUse, Disk, FileUse, Group, Groups, Host, MetadataFacts, NameFacts, Network,
    OperationLatency, PROFILE_SCHEMA, Problem, Profile, Shape, SizeBucket, System, Walk,
};
pub use site::{INVENTORY_SCHEMA, Inventory, Member};
