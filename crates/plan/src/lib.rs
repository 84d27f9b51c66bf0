//! What was recommended and what shall be done: files that people read, edit and sign. Nothing executes here.

mod check;
mod error;
mod price;
mod read;
mod recommendation;
mod schema;
mod write;

pub use check::PLACEHOLDER;
pub use error::{Error, Place};
pub use price::{CostLine, Money, MonthlyCost};
pub use recommendation::{
    Candidate, Exclusion, Finding, RECOMMENDATION_SCHEMA, Reason, Recommendation, ServiceId, Severity, Sizing,
    SystemAdvice,
};
pub use schema::{Move, NamePolicy, PLAN_SCHEMA, Plan, Step, VerifyPolicy};
