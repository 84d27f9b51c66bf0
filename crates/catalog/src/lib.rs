//! Services as data: what each target can and cannot do, and what it costs where.
//!
//! Nothing here decides. Figures lie in `data/`, each with a source and a confidence; they are embedded,
//! and a directory with the same layout overrides them file by file. Money never stands in code.

mod error;
mod load;
mod price;
mod service;

pub use error::Error;
pub use load::{Catalog, SourceNote};
pub use price::{Price, PriceConfidence};
pub use service::{
    Assumptions, Band, CapacitySteps, Confidence, Copies, Figure, Interface, Kept, Limits, Names, Service,
    ThroughputStep, ThroughputSteps, Variant,
};
