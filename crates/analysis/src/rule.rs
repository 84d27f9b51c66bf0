//! What a rule is: pure, with a stable id, and with reasons for what it says.

use crate::{Facts, Options, Quote, Workload};
use catalog::{Catalog, Service, Variant};
use plan::{Finding, Reason, Severity};

/// Everything that a rule may look at.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// What is known of the source.
    pub facts: &'a Facts,
    /// What the target must hold and carry.
    pub workload: &'a Workload,
    /// What is asked for.
    pub options: &'a Options,
    /// The service in question.
    pub service: &'a Service,
    /// Its class or deployment type in question.
    pub variant: &'a Variant,
    /// How it was sized and what it costs; absent where it does not fit or is not offered.
    pub quote: Option<&'a Quote>,
    /// Limits and prices of everything else.
    pub catalog: &'a Catalog,
}

impl Case<'_> {
    /// `s3/standard`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.service.id, self.variant.id)
    }
    /// Is it this service?
    pub fn is(&self, service: &str) -> bool {
        self.service.id == service
    }
}

/// Pure: no clock, no I/O, no order. Two runs on one inventory and one catalog agree to the byte.
pub trait Rule: Send + Sync {
    /// Stable for ever; people cite and look up rules by it: `efs/no-acls`.
    fn id(&self) -> &'static str;
    /// What the rule says of one candidate.
    fn judge(&self, case: &Case<'_>) -> Verdict;
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Nothing.
    Silent,
    /// It does not fit.
    Exclude(Reason),
    /// It fits better (or worse) for this reason.
    Score(Reason),
    /// It fits, but people must know this.
    Find(Finding),
}

/// A rule that is a function.
pub(crate) struct Check {
    pub id: &'static str,
    pub judge: fn(&Case<'_>) -> Says,
}

/// What a [`Check`] says, without its own id.
pub(crate) enum Says {
    Nothing,
    Exclude(String, Cited),
    Score(i32, String, Cited),
    Find(Severity, String, String),
}

/// Facts with their values.
pub(crate) type Cited = Vec<(String, String)>;

/// Cites one fact.
#[expect(clippy::needless_pass_by_value, reason = "rules read better without a borrow")]
pub(crate) fn cite(name: &str, value: impl ToString) -> Cited {
    vec![(name.to_owned(), value.to_string())]
}

impl Rule for Check {
    fn id(&self) -> &'static str {
        self.id
    }
    fn judge(&self, case: &Case<'_>) -> Verdict {
        let reason = |text, points, facts| Reason { rule: self.id.to_owned(), text, points, facts };
        match (self.judge)(case) {
            Says::Nothing => Verdict::Silent,
            Says::Exclude(text, facts) => Verdict::Exclude(reason(text, 0, facts)),
            Says::Score(points, text, facts) => Verdict::Score(reason(text, points, facts)),
            Says::Find(severity, text, remedy) => {
                Verdict::Find(Finding { id: self.id.to_owned(), severity, text, remedy })
            }
        }
    }
}
