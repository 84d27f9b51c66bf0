//! Intelligent-Tiering of FSx: storage as used in three tiers, throughput that is bought.

use super::{Ask, Quote, Unfit, provisioned};
use crate::number::{gib, real};
use plan::Money;

/// Bytes that one request carries: the default record of a file system on Intelligent-Tiering is 1 MiB.
const REQUEST_BYTES: f64 = 1_048_576.0;
/// Requests are priced by the thousand.
const THOUSAND: f64 = 1000.0;

pub(crate) fn quote(ask: &Ask<'_>) -> Result<Quote, Unfit> {
    let load = ask.workload;
    let mbps = provisioned::throughput(ask, load.sizing.iops)?;
    let needed_gib = gib(real(load.sizing.capacity_bytes));
    let mut bill = ask.bill();
    bill.add("throughput capacity", "throughput", real(mbps.unwrap_or(0)))?;
    bill.add("frequent access tier", "frequent", gib(load.hot_bytes))?;
    bill.add("infrequent access tier (not used for 30 days)", "infrequent", gib(load.cool_bytes))?;
    bill.add("archive instant access tier (not used for 90 days)", "archive", gib(load.cold_bytes))?;
    bill.add("monitoring", "monitoring", needed_gib)?;
    let requests = |bytes: f64, files: f64| (bytes / REQUEST_BYTES).max(files) / THOUSAND;
    bill.add("requests that read", "get", requests(load.read_bytes(), load.read_files))?;
    bill.add("requests that write", "put", requests(load.written_bytes, load.written_files))?;

    let mut once = ask.bill();
    once.add("requests that write", "put", requests(real(ask.facts.bytes), real(ask.facts.files)))?;
    let now = |grown: f64| gib(grown / load.growth);
    let frequent = ask.variant.price("frequent").unwrap_or_default();
    once.add_settling(frequent, now(load.cool_bytes), now(load.cold_bytes))?;
    let throughput = mbps.unwrap_or(0).to_string();
    Ok(Quote {
        configuration: ask.configuration([("ThroughputCapacity", throughput)]),
        cost: bill.finish(),
        transfer_usd: Money(once.total()),
        provisioned_gib: None,
        needed_gib,
        provisioned_mbps: mbps,
        padding_bytes: 0.0,
    })
}
