//! From an inventory to advice: facts, rules, sized and priced candidates, a recommendation, a plan.
//!
//! ```text
//! profile.json ──────────────┐
//! entries/*.parquet ─ scan ──┴─> Facts ─┐
//! catalog ──────────────────────────────┼─> each variant: quote (size, price) ─> rules ─> ranked or excluded
//! Options ──────────────────────────────┘
//! ```
//!
//! Everything after [`Subject`] is pure: no clock, no I/O, and two runs agree to the byte. Only `scan`
//! touches polars.

mod error;
mod facts;
#[cfg(test)]
mod fixture;
mod number;
mod options;
mod price;
mod recommend;
mod rule;
mod rules;
mod scan;
mod select;
mod subject;
mod workload;

pub use error::Error;
pub use facts::{Cold, Facts, Protocol};
pub use options::{Access, Options};
pub use price::{Quote, Unfit};
pub use recommend::{recommend, recommend_inventory};
pub use rule::{Case, Rule, Verdict};
pub use rules::all as rules;
pub use scan::{Scan, scan};
pub use select::to_plan;
pub use subject::Subject;
pub use workload::Workload;
