//! Sizing and pricing: each service in its own way, money only ever from the catalog.

mod bill;
mod efs;
mod ontap;
mod provisioned;
mod s3;
mod tiered;

use crate::{Facts, Workload};
use catalog::{Catalog, Service, Variant};
use plan::{Money, MonthlyCost};
use std::collections::BTreeMap;

pub(crate) use bill::Bill;

/// A variant sized and priced.
#[derive(Clone, Debug, PartialEq)]
pub struct Quote {
    /// The variant's configuration, completed with the sizes.
    pub configuration: BTreeMap<String, String>,
    /// What it costs each month at the end of the horizon.
    pub cost: MonthlyCost,
    /// What moving the data there costs once.
    pub transfer_usd: Money,
    /// Capacity that must be paid for, GiB; absent where only use is paid for.
    pub provisioned_gib: Option<u64>,
    /// Capacity that is needed, GiB.
    pub needed_gib: f64,
    /// Throughput that is provisioned, MB/s; absent where it is not bought.
    pub provisioned_mbps: Option<u64>,
    /// Bytes that are billed beyond those that are stored: minimum sizes and overhead.
    pub padding_bytes: f64,
}

/// Why a variant cannot be quoted.
#[derive(Debug)]
pub enum Unfit {
    /// It does not come in the size that is needed.
    TooSmall(String),
    /// The catalog has no such price.
    Price(catalog::Error),
}

impl From<catalog::Error> for Unfit {
    fn from(error: catalog::Error) -> Self {
        Self::Price(error)
    }
}

/// What every quote starts from.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub catalog: &'a Catalog,
    pub region: &'a str,
    pub service: &'a Service,
    pub variant: &'a Variant,
    pub facts: &'a Facts,
    pub workload: &'a Workload,
}

impl<'a> Ask<'a> {
    pub(crate) fn bill(&self) -> Bill<'a> {
        Bill::new(self.catalog, &self.service.id, self.variant, self.region)
    }
    pub(crate) fn configuration<const N: usize>(&self, sizes: [(&str, String); N]) -> BTreeMap<String, String> {
        let mut all = self.variant.configuration.clone();
        all.extend(sizes.map(|(key, value)| (key.to_owned(), value)));
        all
    }
}

/// Sizes and prices a variant.
pub(crate) fn quote(ask: &Ask<'_>) -> Result<Quote, Unfit> {
    match ask.service.id.as_str() {
        "s3" => s3::quote(ask),
        "efs" => efs::quote(ask),
        "fsx-ontap" => ontap::quote(ask),
        _ if ask.variant.elastic => tiered::quote(ask),
        _ => provisioned::quote(ask),
    }
}

#[cfg(test)]
mod tests;
