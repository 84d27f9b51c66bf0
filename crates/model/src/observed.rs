//! How a number was got.

use serde::{Deserialize, Serialize};

/// How a number was got. Every figure in an inventory carries one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// We counted or timed it.
    Measured,
    /// The system said so.
    Reported,
    /// Derived from other figures.
    Estimated,
}

/// A figure with its provenance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observed<T> {
    /// The figure.
    pub value: T,
    /// How it was got.
    pub method: Method,
}

impl<T> Observed<T> {
    /// A figure that we counted or timed.
    pub const fn measured(value: T) -> Self {
        Self { value, method: Method::Measured }
    }
    /// A figure that the system stated.
    pub const fn reported(value: T) -> Self {
        Self { value, method: Method::Reported }
    }
    /// A figure derived from others.
    pub const fn estimated(value: T) -> Self {
        Self { value, method: Method::Estimated }
    }
}
