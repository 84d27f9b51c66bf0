//! The host we run on.

use inventory::{Disk, Host, Network};
use std::{collections::BTreeMap, fs};
use sysinfo::{CpuRefreshKind, DiskKind, Disks, MemoryRefreshKind, Networks, RefreshKind, System};

/// Counters of the network interfaces at one moment: received, sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic(BTreeMap<String, (u64, u64)>);

impl Traffic {
    /// The counters now; empty where the system does not tell them.
    ///
    /// On Linux they are those of our own network namespace (proc_pid_net(5)). `/sys/class/net`, where sysinfo
    /// looks, is the namespace in which it was mounted: within a container or `ip netns exec` its counters stand
    /// still.
    pub(crate) fn now() -> Self {
        if let Ok(text) = fs::read_to_string("/proc/self/net/dev") {
            return Self::of_proc(&text);
        }
        let Ok(networks) = Networks::new_with_refreshed_list() else { return Self::default() };
        let one = |name: &std::ffi::OsString| name.to_string_lossy().into_owned();
        Self(
            networks
                .iter()
                .map(|(name, network)| (one(name), (network.total_received(), network.total_transmitted())))
                .collect(),
        )
    }

    /// Two lines of headings, then `name: received` and seven more figures, `sent` and seven more.
    fn of_proc(text: &str) -> Self {
        let line = |line: &str| {
            let (name, figures) = line.split_once(':')?;
            let figures: Vec<u64> = figures.split_whitespace().map_while(|figure| figure.parse().ok()).collect();
            Some((name.trim().to_owned(), (*figures.first()?, *figures.get(8)?)))
        };
        Self(text.lines().filter_map(line).collect())
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
                sums.push(Network { name: name.clone(), received_bytes, sent_bytes, link_mbps: link_mbps(name) });
            }
        }
    }
}

/// The speed that the driver of an interface tells, Mbit/s; virtual ones tell none or -1
/// (sysfs-class-net in the kernel's documentation).
fn link_mbps(name: &str) -> Option<u64> {
    let told = fs::read_to_string(format!("/sys/class/net/{name}/speed")).ok()?;
    told.trim().parse().ok().filter(|speed| *speed > 0)
}

/// The file systems that are mounted on this host, by mount point. Of those that the system makes up itself
/// (`proc`, `sysfs`) there are none.
pub fn disks() -> Vec<Disk> {
    let Ok(found) = Disks::new_with_refreshed_list() else { return Vec::new() };
    let medium = |kind: DiskKind| match kind {
        DiskKind::SSD => "ssd",
        DiskKind::HDD => "hdd",
        DiskKind::Unknown(_) => "unknown",
    };
    let mut disks: Vec<Disk> = found
        .iter()
        .map(|disk| Disk {
            mount_point: disk.mount_point().to_string_lossy().into_owned(),
            device: disk.name().to_string_lossy().into_owned(),
            file_system: disk.file_system().to_string_lossy().into_owned(),
            total_bytes: disk.total_space(),
            available_bytes: disk.available_space(),
            medium: medium(disk.kind()).to_owned(),
            removable: disk.is_removable(),
            read_only: disk.is_read_only(),
        })
        .collect();
    disks.sort_by(|a, b| a.mount_point.cmp(&b.mount_point));
    disks.dedup_by(|a, b| a.mount_point == b.mount_point);
    disks
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
        disks: disks(),
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
    fn the_counters_of_our_own_network_namespace_are_read() {
        let text = "Inter-|   Receive        |  Transmit\n face |bytes packets |bytes\n    lo: 5082 98 0 0 0 0 0 0 5082 98 0 0 0 0 0 0\n\
                    eth0:1209 555 0 0 0 0 0 0 4311 361 0 0 0 0 0 0\n broken: x\n";
        let traffic = Traffic::of_proc(text);
        assert_eq!(traffic.0, [("eth0".to_owned(), (1209, 4311)), ("lo".to_owned(), (5082, 5082))].into());
        if cfg!(target_os = "linux") {
            assert!(Traffic::now().0.contains_key("lo"));
        }
    }

    #[test]
    fn mounted_file_systems_are_told_once_each() {
        let disks = disks();
        assert!(disks.is_sorted_by(|a, b| a.mount_point < b.mount_point), "{disks:?}");
        assert!(disks.iter().all(|disk| disk.available_bytes <= disk.total_bytes), "{disks:?}");
    }

    #[test]
    fn traffic_is_summed_over_runs() {
        let at = |received, sent| Traffic([("eth0".to_owned(), (received, sent))].into());
        let mut sums = Vec::new();
        at(10, 5).add_since(&at(10, 5), &mut sums);
        assert_eq!(sums, []);
        at(30, 6).add_since(&at(10, 5), &mut sums);
        at(7, 7).add_since(&at(0, 0), &mut sums);
        assert_eq!(
            sums,
            [Network { name: "eth0".into(), received_bytes: 27, sent_bytes: 8, link_mbps: sums[0].link_mbps }]
        );
        at(3, 3).add_since(&Traffic::default(), &mut sums);
        assert_eq!(sums[0].received_bytes, 27, "an interface that is new has no before");
    }
}
