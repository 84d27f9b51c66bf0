//! FSx for NetApp ONTAP: SSD that is bought, and a capacity pool for what cooled down.

use super::{Ask, Quote, Unfit, provisioned};
use crate::number::{gib, real, up};
use catalog::Figure;
use model::human_count;
use plan::Money;

/// Requests are priced by the thousand.
const THOUSAND: f64 = 1000.0;
/// GiB of a TiB.
const TIB: f64 = 1024.0;

pub(crate) fn quote(ask: &Ask<'_>) -> Result<Quote, Unfit> {
    let (load, variant, assumptions) = (ask.workload, ask.variant, &ask.service.assumptions);
    let share = |figure: &Option<Figure<f64>>, default: f64| figure.as_ref().map_or(default, |f| f.value);
    // Blocks cool after 31 days by default; the catalog's ages have 30, which is near enough for an estimate.
    let pool = load.cool_bytes + load.cold_bytes;
    let on_ssd = load.hot_bytes + pool * share(&assumptions.pool_metadata_share, 0.0);
    let wanted_gib = gib(on_ssd) / share(&assumptions.fill, 1.0);

    let pairs = pairs(ask, wanted_gib)?;
    let per_pair = |n: f64| n / real(pairs);
    let Some(steps) = &variant.throughput else {
        return Err(Unfit::TooSmall("the catalog has no throughput for it".to_owned()));
    };
    let Some(mbps) = steps.at_least(per_pair(load.mbps()), per_pair(load.sizing.iops)) else {
        return Err(Unfit::TooSmall(format!(
            "needs {:.0} MB/s and {:.0} operations per second, {pairs} pair(s) of servers carry {} MB/s each ({})",
            load.mbps(),
            load.sizing.iops,
            human_count(steps.largest()),
            steps.source
        )));
    };
    let disks = variant.mbps_per_tib.as_ref().map_or(0.0, |f| load.mbps() / f.value * TIB);
    let least = variant.capacity.as_ref().map_or(0, |steps| steps.min_gib * pairs);
    let size = up(wanted_gib.max(disks)).max(least);

    let mut bill = ask.bill();
    bill.add("SSD storage", "storage", real(size))?;
    bill.add("throughput capacity", "throughput", real(mbps * pairs))?;
    let iops = provisioned::extra_iops(ask, &mut bill, size)?;
    bill.add("capacity pool (not used for 31 days)", "pool", gib(pool))?;
    let object = assumptions.pool_object_kib.as_ref().map_or(4096.0, |f| real(f.value)) * 1024.0;
    let pool_reads = load.cool_read_bytes + load.cold_read_bytes;
    bill.add("capacity pool, requests that read", "get", pool_reads / object / THOUSAND)?;
    bill.add("capacity pool, requests that write", "put", load.written_bytes / object / THOUSAND)?;

    let mut once = ask.bill();
    once.add("capacity pool, requests that write", "put", real(load.unused[0].bytes) / object / THOUSAND)?;
    let mut configuration = ask.configuration([
        ("StorageCapacity", size.to_string()),
        ("ThroughputCapacityPerHAPair", mbps.to_string()),
        ("HAPairs", pairs.to_string()),
    ]);
    if let Some(iops) = iops {
        configuration.insert("DiskIopsConfiguration".to_owned(), format!("USER_PROVISIONED {iops}"));
    }
    Ok(Quote {
        configuration,
        cost: bill.finish(),
        transfer_usd: Money(once.total()),
        provisioned_gib: Some(size),
        needed_gib: gib(on_ssd),
        provisioned_mbps: Some(mbps * pairs),
        padding_bytes: 0.0,
    })
}

/// Pairs of servers that are needed for the SSD, the throughput and the operations.
fn pairs(ask: &Ask<'_>, wanted_gib: f64) -> Result<u64, Unfit> {
    let most = ask.variant.max_pairs.as_ref().map_or(1, |f| f.value);
    let largest = ask.variant.throughput.as_ref().map_or(1, catalog::ThroughputSteps::largest).max(1);
    let capacity = ask.variant.capacity.as_ref().and_then(|c| c.max_gib).map_or(f64::INFINITY, real);
    let wanted = up(wanted_gib / capacity).max(up(ask.workload.mbps() / real(largest))).max(1);
    if wanted > most {
        return Err(Unfit::TooSmall(format!("needs {wanted} pairs of servers, a file system has at most {most}")));
    }
    Ok(wanted)
}
