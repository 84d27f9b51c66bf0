//! Money, always with currency, region and as-of date.

use serde::{Deserialize, Serialize};

/// An amount of US dollars.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(pub f64);

/// What a candidate costs each month (730 hours), by component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MonthlyCost {
    /// Sum of the lines, USD per month.
    pub total_usd: Money,
    /// Currency; `USD`.
    pub currency: String,
    /// AWS region of the prices.
    pub region: String,
    /// The oldest as-of date of the prices used, `YYYY-MM-DD`.
    pub as_of: String,
    /// True when a price is not from a price list.
    pub has_unverified: bool,
    /// What makes up the sum, in a fixed order.
    pub lines: Vec<CostLine>,
}

/// One component of a monthly cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CostLine {
    /// What is paid for (`Standard storage`, `throughput capacity`, `requests (GET)`).
    pub what: String,
    /// How much of it, in `unit`.
    pub quantity: f64,
    /// Unit of the price, as the catalog has it (`GB-month`, `MBps-month`, `1k requests`).
    pub unit: String,
    /// Price of one unit, USD.
    pub unit_usd: f64,
    /// The line's amount, USD per month.
    pub usd: Money,
    /// Source and date of the price.
    pub source: String,
}
