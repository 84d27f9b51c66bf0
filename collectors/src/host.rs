//! The host we run on.

use inventory::{Host, Network};
use std::collections::BTreeMap;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, Networks, RefreshKind, System};

/// Counters of the network interfaces at one moment: received, sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic(BTreeMap<String, (u64, u64)>);

impl Traffic {
    /// The counters now; empty where the system does not tell them.
    pub(crate) fn now() -> Self {
        let Ok(networks) = Networks::new_with_refreshed_list() else { return Self::default() };
        let one = |name: &std::ffi::OsString| name.to_string_lossy().into_owned();
        Self(
            networks
                .iter()
                .map(|(name, network)| (one(name), (network.total_received(), network.total_transmitted())))
                .collect(),
        )
    }

    /// Adds what came and went since `earlier` to `sums`. Interfaces without traffic are left out.
    pub(crate) fn add_since(&self, earlier: &Self, sums: &mut Vec<Network>) {
        for (name, (received, sent)) in &self.0 {
            let before = earlier.0.get(name).copied().unwrap_or((*received, *sent));
            let (received_bytes, sent_bytes) = (received.saturating_sub(before.0), sent.saturating_sub(before.1));
            if let Some(sum) = sums.iter_mut().find(|sum| sum.name == *name) {
                sum.received_bytes += received_bytes;
                sum.sent_bytes += sent_bytes;
            } else if received_bytes + sent_bytes > 0 {
                sums.push(Network { name: name.clone(), received_bytes, sent_bytes });
            }
        }
    }
}

/// Name, system, processors and memory. What the system does not tell is empty or 0.
pub(crate) fn host(networks: Vec<Network>) -> Host {
    let wanted =
        RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()).with_memory(MemoryRefreshKind::nothing().with_ram());
    let (cores, memory_bytes) = System::new_with_specifics(wanted).map_or((0, 0), |system| {
        // In a container, the limit is what counts.
        let limit = system.cgroup_limits().map_or(u64::MAX, |limits| limits.total_memory);
        (system.cpus().len(), system.total_memory().min(limit))
    });
    Host {
        name: System::host_name().unwrap_or_default(),
        os: System::long_os_version().unwrap_or_default(),
        cores: u32::try_from(cores).unwrap_or(u32::MAX),
        memory_bytes,
        networks,
    }
}

/// The largest resident memory that this process ever had, bytes; `None` where the system does not tell.
pub(crate) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_tells_its_cores_and_memory() {
        let host = host(vec![]);
        assert!(host.cores > 0 && host.memory_bytes > 1 << 20, "{host:?}");
        if cfg!(target_os = "linux") {
            assert!(peak_memory().unwrap() > 1 << 20);
        }
    }

    #[test]
    fn traffic_is_summed_over_runs() {
        let at = |received, sent| Traffic([("eth0".to_owned(), (received, sent))].into());
        let mut sums = Vec::new();
        at(10, 5).add_since(&at(10, 5), &mut sums);
        assert_eq!(sums, []);
        at(30, 6).add_since(&at(10, 5), &mut sums);
        at(7, 7).add_since(&at(0, 0), &mut sums);
        assert_eq!(sums, [Network { name: "eth0".into(), received_bytes: 27, sent_bytes: 8 }]);
        at(3, 3).add_since(&Traffic::default(), &mut sums);
        assert_eq!(sums[0].received_bytes, 27, "an interface that is new has no before");
    }
}
