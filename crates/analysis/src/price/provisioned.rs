//! Volumes that are bought by size: FSx for Windows, FSx for OpenZFS on SSD, FSx for Lustre on SSD and HDD.

use super::{Ask, Bill, Quote, Unfit};
use crate::number::{gib, real, up};
use catalog::Figure;
use model::human_count;
use plan::Money;

/// GiB of a TiB.
const TIB: f64 = 1024.0;

pub(crate) fn quote(ask: &Ask<'_>) -> Result<Quote, Unfit> {
    let (load, variant) = (ask.workload, ask.variant);
    let fill = ask.service.assumptions.fill.as_ref().map_or(1.0, |f| f.value);
    let needed_gib = gib(real(load.sizing.capacity_bytes));
    let size = capacity(ask, needed_gib / fill)?;
    let mbps = throughput(ask, load.sizing.iops)?;

    let mut bill = ask.bill();
    let kind = variant.configuration.get("StorageType").map_or("SSD", String::as_str);
    bill.add(&format!("{kind} storage"), "storage", real(size))?;
    if let Some(mbps) = mbps {
        bill.add("throughput capacity", "throughput", real(mbps))?;
    }
    let iops = extra_iops(ask, &mut bill, size)?;

    let mut configuration = ask.configuration([("StorageCapacity", size.to_string())]);
    if let Some(mbps) = mbps {
        configuration.insert("ThroughputCapacity".to_owned(), mbps.to_string());
    }
    if let Some(iops) = iops {
        configuration.insert("DiskIopsConfiguration".to_owned(), format!("USER_PROVISIONED {iops}"));
    }
    Ok(Quote {
        configuration,
        cost: bill.finish(),
        transfer_usd: Money(0.0),
        provisioned_gib: Some(size),
        needed_gib,
        provisioned_mbps: mbps,
        padding_bytes: 0.0,
    })
}

/// The smallest volume that holds the data and, where disks bring throughput and operations, carries the load.
pub(super) fn capacity(ask: &Ask<'_>, data_gib: f64) -> Result<u64, Unfit> {
    let variant = ask.variant;
    let carried = |wanted: f64, per_tib: &Option<Figure<f64>>| per_tib.as_ref().map_or(0.0, |f| wanted / f.value * TIB);
    // An SSD's operations can be bought by themselves; a hard disk's only come with more disks.
    let iops_gib = if variant.price("iops").is_some() {
        variant.max_iops_per_gib.as_ref().map_or(0.0, |f| ask.workload.sizing.iops / real(f.value))
    } else {
        carried(ask.workload.sizing.iops, &variant.iops_per_tib)
    };
    let wanted = data_gib.max(carried(ask.workload.mbps(), &variant.mbps_per_tib)).max(iops_gib);
    let Some(steps) = &variant.capacity else {
        return Err(Unfit::TooSmall("the catalog has no sizes for it".to_owned()));
    };
    steps.at_least(up(wanted)).ok_or_else(|| {
        let most = steps.max_gib.map_or_else(String::new, human_count);
        Unfit::TooSmall(format!(
            "needs {} GiB, one file system has at most {most} ({})",
            human_count(up(wanted)),
            steps.source
        ))
    })
}

/// The smallest server that carries the load; `None` where throughput is not bought by itself.
pub(super) fn throughput(ask: &Ask<'_>, iops: f64) -> Result<Option<u64>, Unfit> {
    let Some(steps) = &ask.variant.throughput else { return Ok(None) };
    let mbps = ask.workload.mbps();
    let found = steps.at_least(mbps, iops);
    found.map(Some).ok_or_else(|| {
        let most = human_count(steps.largest());
        Unfit::TooSmall(format!(
            "needs {mbps:.0} MB/s and {iops:.0} operations per second, the largest server carries {most} MB/s ({})",
            steps.source
        ))
    })
}

/// Adds operations beyond those that come with the volume; answers how many are provisioned in all, if any are.
pub(super) fn extra_iops(ask: &Ask<'_>, bill: &mut Bill<'_>, size_gib: u64) -> Result<Option<u64>, Unfit> {
    let Some(included) = &ask.service.assumptions.included_iops_per_gib else { return Ok(None) };
    if ask.variant.price("iops").is_none() {
        return Ok(None);
    }
    let wanted = up(ask.workload.sizing.iops);
    let extra = wanted.saturating_sub(size_gib.saturating_mul(included.value));
    bill.add("operations per second beyond 3 per GiB", "iops", real(extra))?;
    Ok((extra > 0).then_some(wanted))
}
