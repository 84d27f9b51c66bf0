//! What a person reads at the end: one [`Report`] value, shown on a terminal, as one self-contained HTML
//! page, as Markdown, as JSON or as CSV.
//!
//! A report computes nothing. Every figure in it was counted, timed, sized or priced by an earlier stage and
//! is only formatted here (units, shares of a whole, sums of a column), so two renderings of one value cannot
//! disagree. Text that came from a server, a file name or a person is never trusted: control and
//! reordering characters are made visible everywhere, and markup is escaped where there is markup.

pub mod csv;
mod figures;
pub mod html;
pub mod json;
pub mod markdown;
pub mod terminal;
mod visible;
mod wording;

use inventory::Profile;
use journal::RunResult;
use plan::{Plan, Recommendation};
use serde::{Deserialize, Serialize};

/// What is to be shown. Each part may be absent; what is absent is left out, not shown as empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Headline, chosen by the caller.
    pub title: String,
    /// When the report was made, RFC 3339 in UTC. Handed in: a report reads no clock.
    pub generated_at: String,
    /// Version of the tool that made it.
    pub version: String,
    /// What discovery found, one profile for each system.
    pub profiles: Vec<Profile>,
    /// Which targets were ranked and which were excluded.
    pub recommendation: Option<Recommendation>,
    /// What was, or is to be, done.
    pub plan: Option<Plan>,
    /// What a run did.
    pub run: Option<RunResult>,
}
