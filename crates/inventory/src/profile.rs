//! `profile.json`: what one system holds, in figures that say how they were got.

use crate::{ComparedCount, Finding, SecondCount};
use model::{Location, Observed, RelPath};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Schema name of `profile.json`. Fields are only added within a version.
pub const PROFILE_SCHEMA: &str = "longshore.profile/v1";

/// What one system (an export, a share, a bucket, a directory) holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// [`PROFILE_SCHEMA`].
    pub schema: String,
    /// Where it is.
    pub location: Location,
    /// What serves it.
    pub system: System,
    /// How it was read.
    pub walk: Walk,
    /// What the volume can hold, as the server states it.
    pub capacity: Option<Capacity>,
    /// How many of what.
    pub counts: Counts,
    /// Files by size, one bucket a power of two.
    pub sizes: Vec<SizeBucket>,
    /// Files by time since their last change.
    pub age_modified: Vec<AgeBucket>,
    /// Files by time since they were last read; meaningless where the server does not keep atime.
    pub age_accessed: Vec<AgeBucket>,
    /// Files by extension in lower case, largest first; the rest under `other`.
    pub by_extension: Groups,
    /// Files by owner (uid, name or SID as text), largest first.
    pub by_owner: Groups,
    /// Files by first component of their path, largest first.
    pub by_top_directory: Groups,
    /// The directories with the most bytes directly in them, largest first.
    pub largest_directories: Vec<DirectoryUse>,
    /// The largest files, largest first.
    pub largest_files: Vec<FileUse>,
    /// How deep the tree is and how wide its directories are.
    pub shape: Shape,
    /// What about its names matters to other stores.
    pub names: NameFacts,
    /// What about its metadata matters to other stores.
    pub metadata: MetadataFacts,
    /// Latency of each operation of the server, as this host saw it.
    pub latency: Vec<OperationLatency>,
    /// Directories that could not be read (all of them are in `problems.ndjson`; at most 10,000 here).
    pub unreadable: Vec<Problem>,
    /// How many directories or entries could not be read.
    pub unreadable_count: u64,
    /// What else was found that matters to whoever moves it, warnings first. Absent in older files.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// What was counted in a second way, beside what the walk found. Absent in older files.
    #[serde(default)]
    pub second_counts: Vec<ComparedCount>,
}

impl Profile {
    /// Adds what was found besides the walk; the order stays warnings first.
    pub fn add_findings(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
        crate::finding::sort(&mut self.findings);
    }

    /// Adds a second count, compared with [`Profile::counts`].
    pub fn add_second_count(&mut self, count: SecondCount) {
        self.second_counts.push(count.compared(&self.counts));
    }
}

/// What serves the location.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct System {
    /// `nfs3`, `local`, `s3`, later `nfs4`, `smb`, `hdfs`.
    pub protocol: String,
    /// What the server calls itself, where it does.
    pub product: Option<String>,
    /// Its version, where it says so.
    pub version: Option<String>,
    /// Further facts as the protocol tells them (`rtmax`, `fsid`, `region`, …).
    pub details: BTreeMap<String, String>,
}

/// How and when it was read, and on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Walk {
    /// Start, RFC 3339 in UTC.
    pub started_at: String,
    /// End, RFC 3339 in UTC.
    pub finished_at: String,
    /// Time spent reading, over all runs if it was interrupted, milliseconds.
    pub elapsed_ms: u64,
    /// How often it was interrupted and taken up again.
    pub resumed: u32,
    /// Entries per second while it ran.
    pub entries_per_second: Observed<f64>,
    /// Listings in flight together.
    pub concurrency: u32,
    /// Largest resident memory of the process, bytes.
    pub peak_memory_bytes: Option<u64>,
    /// The host that read it.
    pub host: Host,
}

/// The host that discovery ran on; its figures size our own work.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Host {
    /// Host name.
    pub name: String,
    /// Operating system and version.
    pub os: String,
    /// Logical processors.
    pub cores: u32,
    /// Physical memory, bytes.
    pub memory_bytes: u64,
    /// Network interfaces with bytes received and sent during the walk.
    pub networks: Vec<Network>,
    /// Its mounted file systems. Absent in older files.
    #[serde(default)]
    pub disks: Vec<Disk>,
}

/// A file system that is mounted on the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Where.
    pub mount_point: String,
    /// What the system calls the device, or the server and its export.
    pub device: String,
    /// `ext4`, `nfs4`, `NTFS`, …
    pub file_system: String,
    /// Bytes it can hold.
    pub total_bytes: u64,
    /// Bytes that we could still write.
    pub available_bytes: u64,
    /// `ssd`, `hdd`, or `unknown`.
    pub medium: String,
    /// Can it be taken out?
    pub removable: bool,
    /// Is it mounted read-only?
    pub read_only: bool,
}

/// Traffic of one network interface during the walk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Interface name.
    pub name: String,
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Speed of its link in Mbit/s, where the system tells. Absent in older files.
    #[serde(default)]
    pub link_mbps: Option<u64>,
}

/// Size of the volume (`FSSTAT`, `statvfs`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// Bytes it can hold.
    pub total_bytes: Observed<u64>,
    /// Bytes in use, by everything on the volume.
    pub used_bytes: Observed<u64>,
    /// Bytes that we could still write.
    pub available_bytes: Observed<u64>,
    /// Inodes in use.
    pub files: Option<Observed<u64>>,
}

/// How many of what.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Names of regular files (each hard link counts).
    pub files: u64,
    /// Directories, the root not counted.
    pub dirs: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Pipes, sockets and devices.
    pub specials: u64,
    /// Logical bytes of the files, each name counted.
    pub size_bytes: u64,
    /// Bytes that the server says are allocated for them. Each inode counts once: every one of its names has its
    /// share, so names outside of the location take theirs with them.
    pub allocated_bytes: Option<u64>,
    /// Names of regular files that share their inode with another name.
    pub hard_linked_names: u64,
    /// Files of at least 64 KiB whose allocation is less than half of their size (smaller ones may lie in their inode).
    pub sparse_files: u64,
    /// Files of 0 bytes.
    pub empty_files: u64,
}

/// Files of at least `from_bytes` and less than `to_bytes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeBucket {
    /// Lower bound, inclusive: 0, 1, 2, 4, …
    pub from_bytes: u64,
    /// Upper bound, exclusive.
    pub to_bytes: u64,
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub size_bytes: u64,
}

/// Files whose time lies at least `from_days` and less than `to_days` before the walk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgeBucket {
    /// `under a day`, `1 to 7 days`, …, `over 5 years`, `in the future`, `unknown`.
    pub label: String,
    /// Lower bound, inclusive; `None` for `in the future` and `unknown`.
    pub from_days: Option<u32>,
    /// Upper bound, exclusive; `None` where it is open.
    pub to_days: Option<u32>,
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub size_bytes: u64,
}

/// Files grouped by something; a bounded number of groups and the rest.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Groups {
    /// The groups with the most bytes, largest first.
    pub top: Vec<Group>,
    /// Everything that is not in `top`.
    pub other: Option<Group>,
    /// False when there were too many groups to count each exactly; then `top` is approximate.
    pub exact: bool,
}

/// One group of files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name, printable.
    pub name: String,
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub size_bytes: u64,
}

/// A directory and what lies directly in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryUse {
    /// Which.
    pub path: RelPath,
    /// Entries directly in it.
    pub entries: u64,
    /// Bytes of files directly in it.
    pub size_bytes: u64,
}

/// A file and its size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileUse {
    /// Which.
    pub path: RelPath,
    /// Its bytes.
    pub size_bytes: u64,
}

/// How deep and how wide.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Shape {
    /// Components of the deepest path.
    pub max_depth: u32,
    /// Entries by number of components; index 0 is depth 1.
    pub entries_by_depth: Vec<u64>,
    /// Entries of the widest directory.
    pub max_width: u64,
    /// Directories by number of entries: index 0 empty, index n from 2^(n-1) to 2^n - 1.
    pub directories_by_width: Vec<u64>,
    /// The widest directories, widest first.
    pub widest: Vec<DirectoryUse>,
}

/// What about names matters to other stores. Counts are of entries.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NameFacts {
    /// Bytes of the longest path below the root.
    pub longest_path_bytes: u32,
    /// That path.
    pub longest_path: Option<RelPath>,
    /// Bytes of the longest component.
    pub longest_component_bytes: u32,
    /// Bytes of the longest target of a symbolic link.
    pub longest_link_target_bytes: u32,
    /// Paths over 1,024 bytes (the longest key of S3).
    pub over_1024_bytes: u64,
    /// Components that are not valid UTF-8.
    pub not_utf8: u64,
    /// Components with control characters (0x00 to 0x1F, 0x7F).
    pub control_characters: u64,
    /// Components that Windows refuses: `< > : " | ? * \`, control characters, trailing dot or space, `CON`, `NUL`,
    /// `COM1`, ….
    pub not_windows: u64,
    /// Names that differ from a sibling only in case. Not searched beyond a million names in the directories that are
    /// being listed at one time.
    pub case_twins: u64,
    /// Names that differ from a sibling only in Unicode normal form.
    pub normal_form_twins: u64,
    /// A few of the paths behind these counts, at most 20 each, by the name of the field. Of twins, it is those that
    /// were listed later.
    pub examples: BTreeMap<String, Vec<RelPath>>,
}

/// What about metadata matters to other stores. Counts are of entries.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MetadataFacts {
    /// Which facets the source told at all, by the names of `model::Facets`.
    pub facets_read: Vec<String>,
    /// Largest number of names that one inode has.
    pub max_links: u32,
    /// Distinct owners (0 when unknown).
    pub owners: u64,
    /// Files with setuid or setgid.
    pub setuid_or_setgid: u64,
    /// Files that others may write.
    pub world_writable: u64,
    /// Access control lists found, by kind (`posix1e`, `nfs4`, `ntfs`); `None`: the source cannot tell.
    pub acls: Option<BTreeMap<String, u64>>,
    /// Entries with extended attributes; `None`: the source cannot tell.
    pub xattrs: Option<u64>,
    /// Files with alternate data streams; `None`: the source cannot tell.
    pub streams: Option<u64>,
    /// Files with a time before 1970 or after 2038-01-19, which NFSv3 cannot tell apart.
    pub doubtful_times: u64,
}

/// Latency of one operation of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationLatency {
    /// The protocol's own word (`READDIRPLUS`).
    pub op: String,
    /// How many were measured.
    pub count: u64,
    /// How many the server refused.
    pub errors: u64,
    /// Median, microseconds.
    pub p50_us: u64,
    /// 95th percentile, microseconds.
    pub p95_us: u64,
    /// 99th percentile, microseconds.
    pub p99_us: u64,
    /// Largest, microseconds.
    pub max_us: u64,
    /// The whole histogram: hdrhistogram V2, deflate off, base64; merges with others.
    pub histogram: String,
}

/// Something that could not be read, or looked wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Where.
    pub path: RelPath,
    /// `storage::ErrorKind::word`, or the name of a finding.
    pub kind: String,
    /// In words, with the server's own.
    pub detail: String,
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::{About, Accumulator, Host, Profile, System, Walk};
    use model::{Facets, Location, Observed, Timestamp};

    /// The profile of a system that holds nothing.
    pub(crate) fn empty(location: &Location) -> Profile {
        Accumulator::new(Timestamp { secs: 1_800_000_000, nanos: 0 }).into_profile(About {
            location: location.clone(),
            system: System::default(),
            walk: Walk {
                started_at: String::new(),
                finished_at: String::new(),
                elapsed_ms: 0,
                resumed: 0,
                entries_per_second: Observed::measured(0.0),
                concurrency: 1,
                peak_memory_bytes: None,
                host: Host::default(),
            },
            capacity: None,
            latency: vec![],
            unreadable: vec![],
            unreadable_count: 0,
            told: Facets::POSIX,
        })
    }

    #[test]
    fn a_profile_comes_back_from_its_file_and_forgives_fields_of_later_versions() {
        let profile = empty(&"s3://bucket".parse().unwrap());
        let mut value = serde_json::to_value(&profile).unwrap();
        value["added_later"] = 1.into();
        assert_eq!(serde_json::from_value::<Profile>(value.clone()).unwrap(), profile);
        // Fields that files of earlier versions have not.
        for field in ["findings", "second_counts"] {
            value.as_object_mut().unwrap().remove(field).unwrap();
        }
        assert_eq!(serde_json::from_value::<Profile>(value).unwrap(), profile);
    }
}
