//! Runs a move: lists and compares both sides, brings what differs, proves that it arrived.
//!
//! ```text
//! listing(source) --+
//!                   +-- compare (with the journal's state) --> spool --> crew --> bring --> journal
//! listing(target) --+                                                    verify <-----------+
//! ```
//!
//! Every stage is pulled by the next and holds a bounded amount of memory; what does not fit is on disk.
//! Nothing here names a protocol: what a store can do is asked of its capabilities.

mod bring;
mod budget;
mod compare;
mod crew;
mod digest;
mod error;
mod folder;
mod ledger;
mod listing;
mod meter;
mod names;
mod pace;
mod parts;
mod preflight;
mod run;
mod shop;
mod verify;

pub use error::{Error, Result};
pub use meter::{Meter, MeterSnapshot, Phase, Side};
pub use preflight::RequestPrice;
pub use run::{Ended, Job, Options, run, verify};
