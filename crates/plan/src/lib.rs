//! What was recommended and what shall be done: files that people read, edit and sign. Nothing executes here.

mod price;
mod recommendation;
mod schema;

pub use price::{CostLine, Money, MonthlyCost};
pub use recommendation::{
    Candidate, Exclusion, Finding, RECOMMENDATION_SCHEMA, Reason, Recommendation, ServiceId, Severity, Sizing,
    SystemAdvice,
};
pub use schema::{Move, NamePolicy, PLAN_SCHEMA, Plan, Step, VerifyPolicy};
