//! Classes of S3: storage by class, requests, retrieval, minimum sizes and durations.

use super::{Ask, Quote, Unfit};
use crate::number::{gib, real};
use plan::Money;

/// Requests are priced by the thousand.
const THOUSAND: f64 = 1000.0;

pub(crate) fn quote(ask: &Ask<'_>) -> Result<Quote, Unfit> {
    let (facts, load, variant) = (ask.facts, ask.workload, ask.variant);
    let mut bill = ask.bill();
    let bytes = real(load.sizing.capacity_bytes);
    let objects = real(facts.files + facts.symlinks) * load.growth;

    let padding_bytes = if variant.tiering_min_bytes.is_some() {
        tiered_storage(ask, &mut bill)?;
        0.0
    } else {
        bill.add_bands("storage", gib(bytes))?;
        let short = real(facts.billable_bytes() - facts.bytes) * load.growth;
        let short = if variant.min_billable_bytes.is_some() { short } else { 0.0 };
        bill.add_bands("objects under 128 KB, billed as 128 KB", gib(short))?;
        let overhead = |figure: &Option<catalog::Figure<u64>>| figure.as_ref().map_or(0.0, |f| objects * real(f.value));
        let own = overhead(&variant.overhead_bytes);
        let standard = overhead(&variant.overhead_standard_bytes);
        bill.add_bands("32 KB of index for each object", gib(own))?;
        if standard > 0.0 {
            bill.add("8 KB of name for each object, at Standard", "overhead", gib(standard))?;
        }
        short + own + standard
    };

    let puts_per_file = real(facts.put_requests.max(facts.files)) / real(facts.files.max(1));
    bill.add("requests that read (GET)", "get", load.read_files / THOUSAND)?;
    bill.add("requests that write (PUT)", "put", load.written_files * puts_per_file / THOUSAND)?;
    if variant.price("retrieval").is_some() {
        bill.add("retrieval", "retrieval", gib(load.read_bytes()))?;
    }
    if variant.price("restore").is_some() {
        bill.add("requests that restore", "restore", load.read_files / THOUSAND)?;
    }
    if variant.price("upload").is_some() {
        bill.add("upload", "upload", gib(load.written_bytes))?;
    }
    if let Some(days) = &variant.min_days {
        // What is written every month replaces itself after a month but is billed for the shortest stay.
        let months = real(days.value) / 30.0 - 1.0;
        let what = format!("data replaced before {} days, billed to the end", days.value);
        bill.add_bands(&what, gib(load.written_bytes * months.max(0.0)))?;
    }

    let mut once = ask.bill();
    let uploads = real(facts.put_requests.max(facts.files) + facts.symlinks);
    once.add("upload requests", "put", uploads / THOUSAND)?;
    if variant.price("upload").is_some() {
        once.add("upload", "upload", gib(real(facts.bytes)))?;
    }
    if variant.tiering_min_bytes.is_some() {
        let (cool, cold) = tierable(ask);
        let frequent = variant.bands.first().map_or("", |band| band.price.as_str());
        once.add_settling(frequent, gib(real(cool)), gib(real(cold)))?;
    }
    Ok(Quote {
        configuration: ask.configuration([]),
        cost: bill.finish(),
        transfer_usd: Money(once.total()),
        provisioned_gib: None,
        needed_gib: gib(bytes),
        provisioned_mbps: None,
        padding_bytes,
    })
}

/// Storage of Intelligent-Tiering once its tiers have settled: 30 days unread moves an object to infrequent
/// access, 90 to archive instant access; small objects never move and are not monitored.
fn tiered_storage(ask: &Ask<'_>, bill: &mut super::Bill<'_>) -> Result<(), Unfit> {
    let (facts, growth) = (ask.facts, ask.workload.growth);
    let grown = |n: u64| gib(real(n) * growth);
    let (cool, cold) = tierable(ask);
    bill.add_bands("frequent access", grown(facts.bytes.saturating_sub(cool).saturating_sub(cold)))?;
    bill.add("infrequent access (not used for 30 days)", "infrequent", grown(cool))?;
    bill.add("archive instant access (not used for 90 days)", "archive", grown(cold))?;
    let monitored = real(facts.files.saturating_sub(facts.small_files)) * growth;
    bill.add("monitoring", "monitoring", monitored / THOUSAND)?;
    Ok(())
}

/// Bytes of objects that will be in the infrequent and in the archive instant tier, without growth.
fn tierable(ask: &Ask<'_>) -> (u64, u64) {
    let large = |cold: &crate::Cold| cold.bytes.saturating_sub(cold.small_bytes);
    let [month, quarter, _] = &ask.workload.unused;
    (large(month).saturating_sub(large(quarter)), large(quarter))
}
