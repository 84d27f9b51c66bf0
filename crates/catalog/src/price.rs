//! Prices: read from data files, never written in code.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One list price, with all that is needed to trust or doubt it.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// Id of the service: `s3`, `efs`, `fsx-windows`, ….
    pub service: String,
    /// What is paid for: `standard_storage_first_50tb`.
    pub dimension: String,
    /// AWS region: `us-east-1`.
    pub region: String,
    /// Price of one `unit`, in `currency`, without tax or discount.
    pub amount: f64,
    /// `USD`.
    pub currency: String,
    /// What is counted: `GB-month` (a GB is 2^30 bytes on AWS bills), `1k requests`, `MBps-month`, ….
    pub unit: String,
    /// Date of the price list, `YYYY-MM-DD`.
    pub as_of: String,
    /// Where it was read.
    pub source: String,
    /// How far it can be trusted.
    pub confidence: PriceConfidence,
    /// The amount is the provider's, but the name of what it is for is our reading of a hashed meter.
    pub dimension_inferred: bool,
}

/// How far a price can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PriceConfidence {
    /// From the provider's own price list or the feed of its pricing pages.
    PriceList,
    /// Read on a page of the provider.
    VendorPage,
    /// Read in somebody else's document.
    ThirdParty,
    /// Derived by analogy; check it before money depends on it.
    Unverified,
}

impl Price {
    /// Is it from a price list, with a name that is the provider's own?
    pub fn is_verified(&self) -> bool {
        self.confidence == PriceConfidence::PriceList && !self.dimension_inferred
    }
    /// Source and date in one line, for people.
    pub fn cited(&self) -> String {
        let trust = match (self.confidence, self.dimension_inferred) {
            (PriceConfidence::PriceList, false) => "",
            (PriceConfidence::PriceList, true) => " (which meter this is was inferred)",
            (PriceConfidence::VendorPage, _) => " (vendor page)",
            (PriceConfidence::ThirdParty, _) => " (third party)",
            (PriceConfidence::Unverified, _) => " (unverified)",
        };
        format!("{}, as of {}{trust}", self.source, self.as_of)
    }
}

/// `prices/*.json` as it lies on disk: prices that share everything but the region stand together.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriceFile {
    pub schema: String,
    pub currency: String,
    pub prices: Vec<PriceGroup>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriceGroup {
    pub service: String,
    pub dimension: String,
    pub unit: String,
    pub as_of: String,
    pub source: String,
    pub confidence: PriceConfidence,
    #[serde(default)]
    pub dimension_is: Option<Inferred>,
    pub usd: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Inferred {
    Inferred,
}
