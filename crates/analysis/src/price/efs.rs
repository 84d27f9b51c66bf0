//! EFS: storage by class, and throughput either as used (elastic) or provisioned, whichever is cheaper.

use super::{Ask, Bill, Quote, Unfit};
use crate::number::{gib, real};
use plan::Money;

pub(crate) fn quote(ask: &Ask<'_>) -> Result<Quote, Unfit> {
    within_limits(ask)?;
    if ask.variant.price("infrequent").is_some() { with_lifecycle(ask) } else { standard_only(ask) }
}

fn within_limits(ask: &Ask<'_>) -> Result<(), Unfit> {
    let (limits, sizing) = (&ask.service.limits, &ask.workload.sizing);
    let beyond = |wanted: f64, limit: &Option<catalog::Figure<u64>>, what: &str| match limit {
        Some(most) if wanted > real(most.value) => Err(Unfit::TooSmall(format!(
            "needs {wanted:.0} {what}, one file system carries {} ({})",
            model::human_count(most.value),
            most.source
        ))),
        _ => Ok(()),
    };
    beyond(sizing.throughput_mibps, &limits.max_throughput_mibps, "MiB/s")?;
    beyond(sizing.iops, &limits.max_iops, "operations per second")
}

fn elastic_reads_and_writes(ask: &Ask<'_>, bill: &mut Bill<'_>) -> Result<(), Unfit> {
    bill.add("elastic throughput, reads", "read", gib(ask.workload.read_bytes()))?;
    bill.add("elastic throughput, writes", "write", gib(ask.workload.written_bytes))?;
    Ok(())
}

/// All data in the Standard class.
fn standard_only(ask: &Ask<'_>) -> Result<Quote, Unfit> {
    let stored = gib(real(ask.workload.sizing.capacity_bytes));
    let mut elastic = ask.bill();
    elastic.add("Standard storage", "storage", stored)?;
    elastic_reads_and_writes(ask, &mut elastic)?;

    let wanted = ask.workload.sizing.throughput_mibps;
    let included = ask.service.assumptions.included_gib_per_mibps.as_ref().map_or(0.0, |f| stored / real(f.value));
    let mut provisioned = ask.bill();
    provisioned.add("Standard storage", "storage", stored)?;
    provisioned.add("provisioned throughput beyond what is included", "throughput", wanted - included)?;

    let possible = ask.service.limits.max_provisioned_mibps.as_ref().is_none_or(|most| wanted <= real(most.value));
    if possible && provisioned.total() < elastic.total() {
        let mibps = format!("{:.1}", wanted.max(1.0));
        let sizes = [("ThroughputMode", "provisioned".to_owned()), ("ProvisionedThroughputInMibps", mibps)];
        return Ok(done(ask, provisioned, ask.configuration(sizes), 0.0, 0.0));
    }
    let mut once = ask.bill();
    once.add("elastic throughput, writes", "write", gib(real(ask.facts.bytes)))?;
    let configuration = ask.configuration([("ThroughputMode", "elastic".to_owned())]);
    Ok(done(ask, elastic, configuration, once.total(), 0.0))
}

/// Files that were not used for 30 (and 90) days in cheaper classes; there, a file counts for 128 KiB.
/// Reading one there costs its own price on top of the elastic one, and so does moving it there.
fn with_lifecycle(ask: &Ask<'_>) -> Result<Quote, Unfit> {
    let (facts, load) = (ask.facts, ask.workload);
    let [month, quarter, _] = load.unused;
    let grown = |bytes: u64| gib(real(bytes) * load.growth);
    let archives = ask.variant.price("archive").is_some();
    let archived = if archives { quarter.billable_bytes() } else { 0 };
    let infrequent = month.billable_bytes() - archived;
    let padding = real((infrequent + archived).saturating_sub(month.bytes)) * load.growth;

    let mut bill = ask.bill();
    bill.add("Standard storage", "storage", gib(load.hot_bytes))?;
    bill.add("Infrequent Access storage (not used for 30 days)", "infrequent", grown(infrequent))?;
    if archives {
        bill.add("Archive storage (not used for 90 days)", "archive", grown(archived))?;
    }
    elastic_reads_and_writes(ask, &mut bill)?;
    // What is written in a month cools down in a later one.
    let cools = gib(load.written_bytes);
    let (cool_reads, cold_reads) = (gib(load.cool_read_bytes), gib(load.cold_read_bytes));
    if archives {
        bill.add("reads from Infrequent Access", "infrequent-read", cool_reads)?;
        bill.add("reads from Archive", "archive-read", cold_reads)?;
    } else {
        bill.add("reads from Infrequent Access", "infrequent-read", cool_reads + cold_reads)?;
    }
    bill.add("moves to Infrequent Access", "infrequent-tiering", cools)?;
    if archives {
        bill.add("moves to Archive", "archive-tiering", cools)?;
    }

    let mut once = ask.bill();
    once.add("elastic throughput, writes", "write", gib(real(facts.bytes)))?;
    once.add("moves to Infrequent Access", "infrequent-tiering", gib(real(month.bytes)))?;
    if archives {
        once.add("moves to Archive", "archive-tiering", gib(real(quarter.bytes)))?;
    }
    let standard = ask.variant.price("storage").unwrap_or_default();
    once.add_settling(standard, gib(real(month.bytes - quarter.bytes)), gib(real(quarter.bytes)))?;
    let once = once.total();
    Ok(done(ask, bill, ask.configuration([]), once, padding))
}

fn done(
    ask: &Ask<'_>,
    bill: Bill<'_>,
    configuration: std::collections::BTreeMap<String, String>,
    once: f64,
    padding_bytes: f64,
) -> Quote {
    Quote {
        configuration,
        cost: bill.finish(),
        transfer_usd: Money(once),
        provisioned_gib: None,
        needed_gib: gib(real(ask.workload.sizing.capacity_bytes)),
        provisioned_mbps: None,
        padding_bytes,
    }
}
