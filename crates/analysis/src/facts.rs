//! What the rules look at: computed once from a profile and, where there are entries, from a scan of them.

use crate::Scan;
use crate::number::{real, share};
use inventory::{AgeBucket, Profile, SizeBucket};
use model::{ByteSize, Location, Method, RelPath, human_count};
use std::collections::BTreeMap;

/// Files below this decide how many requests a share costs, bytes.
pub(crate) const TINY_BYTES: u64 = 64 << 10;
/// Files below this are billed as if they had as many in infrequent-access classes, bytes.
pub(crate) const SMALL_BYTES: u64 = 128 << 10;
/// Files above this are uploaded in parts of this size (a plan's default), bytes.
pub(crate) const PART_BYTES: u64 = 16 << 20;

/// How clients reach the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// NFS of any version.
    Nfs,
    /// SMB.
    Smb,
    /// HDFS.
    Hdfs,
    /// A mounted or local file system.
    Local,
    /// An object store.
    Object,
}

impl Protocol {
    /// By the profile's own word (`nfs3`, `smb`, `s3`); what is unknown is taken for a file system.
    pub fn from_word(word: &str) -> Self {
        match word {
            w if w.starts_with("nfs") => Self::Nfs,
            w if w.starts_with("smb") || w.starts_with("cifs") => Self::Smb,
            w if w.starts_with("hdfs") => Self::Hdfs,
            "s3" | "gs" | "gcs" | "az" | "azure" => Self::Object,
            _ => Self::Local,
        }
    }
    /// In words.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nfs => "NFS",
            Self::Smb => "SMB",
            Self::Hdfs => "HDFS",
            Self::Local => "a local file system",
            Self::Object => "an object store",
        }
    }
    /// Is it a tree of files with POSIX modes?
    pub const fn is_posix(self) -> bool {
        matches!(self, Self::Nfs | Self::Local)
    }
}

/// Files that nobody touched for so many days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cold {
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many of them are below 128 KiB.
    pub small_files: u64,
    /// Bytes of those.
    pub small_bytes: u64,
}

impl Cold {
    /// The ages that are counted, days: where the classes of S3 and EFS move data, and a year.
    pub const DAYS: [u32; 3] = [30, 90, 365];

    /// Bytes that are billed where a file counts for at least 128 KiB.
    pub fn billable_bytes(&self) -> u64 {
        billable(self.bytes, self.small_files, self.small_bytes)
    }
}

/// Bytes of files, each counted for at least 128 KiB.
fn billable(bytes: u64, small_files: u64, small_bytes: u64) -> u64 {
    bytes.saturating_sub(small_bytes).saturating_add(small_files.saturating_mul(SMALL_BYTES))
}

/// What is known of one system. Bytes are logical.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Where it is.
    pub location: Location,
    /// How clients reach it.
    pub protocol: Protocol,
    /// The profile's own word for that: `nfs3`.
    pub protocol_word: String,
    /// Names of regular files.
    pub files: u64,
    /// Directories.
    pub dirs: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Pipes, sockets and devices.
    pub specials: u64,
    /// Bytes of the files, each name counted.
    pub bytes: u64,
    /// Bytes allocated for them, where known.
    pub allocated_bytes: Option<u64>,
    /// Bytes in use on the whole volume, where known.
    pub volume_used_bytes: Option<u64>,
    /// How the figures by file (sizes, ages, requests) were got.
    pub method: Method,
    /// Half of the files are at most this large.
    pub p50_bytes: u64,
    /// 90 % of the files are at most this large.
    pub p90_bytes: u64,
    /// 99 % of the files are at most this large.
    pub p99_bytes: u64,
    /// The largest file.
    pub largest_bytes: u64,
    /// Files below 64 KiB.
    pub tiny_files: u64,
    /// Files below 128 KiB.
    pub small_files: u64,
    /// Bytes of files below 128 KiB.
    pub small_bytes: u64,
    /// PUT-like requests that upload every file once, in parts of 16 MiB.
    pub put_requests: u64,
    /// Files not changed for [`Cold::DAYS`].
    pub unchanged: [Cold; 3],
    /// Files neither changed nor read for [`Cold::DAYS`].
    pub unused: [Cold; 3],
    /// The server keeps times of reading.
    pub knows_reads: bool,
    /// Bytes of the longest path.
    pub longest_path_bytes: u64,
    /// The longest path.
    pub longest_path: Option<RelPath>,
    /// Bytes of the longest component.
    pub longest_component_bytes: u64,
    /// Bytes of the longest target of a symbolic link.
    pub longest_link_target_bytes: u64,
    /// Paths over 1,024 bytes.
    pub over_1024_bytes: u64,
    /// Components that are not UTF-8.
    pub not_utf8: u64,
    /// Components with control characters.
    pub control_characters: u64,
    /// Components that Windows refuses.
    pub not_windows: u64,
    /// Names that differ from a sibling only in case.
    pub case_twins: u64,
    /// Names that differ from a sibling only in Unicode normal form.
    pub normal_form_twins: u64,
    /// Components of the deepest path.
    pub max_depth: u64,
    /// Most names of one inode.
    pub max_links: u64,
    /// Names of files that share their inode with another name.
    pub hard_linked_names: u64,
    /// Files whose allocation is less than half of their size.
    pub sparse_files: u64,
    /// Access control lists by kind; `None` where the source cannot tell.
    pub acls: Option<BTreeMap<String, u64>>,
    /// Entries with extended attributes; `None` where the source cannot tell.
    pub xattrs: Option<u64>,
    /// Files with alternate streams; `None` where the source cannot tell.
    pub streams: Option<u64>,
    /// Directories or entries that could not be read.
    pub unreadable: u64,
}

impl Facts {
    /// From a profile, and a scan of its entries where there is one.
    pub fn new(profile: &Profile, scan: Option<&Scan>) -> Self {
        let (counts, names, metadata) = (&profile.counts, &profile.names, &profile.metadata);
        let by_file = scan.cloned().unwrap_or_else(|| from_histograms(profile));
        let protocol = Protocol::from_word(&profile.system.protocol);
        Self {
            location: profile.location.clone(),
            protocol,
            protocol_word: profile.system.protocol.clone(),
            files: counts.files,
            dirs: counts.dirs,
            symlinks: counts.symlinks,
            specials: counts.specials,
            bytes: counts.size_bytes,
            allocated_bytes: counts.allocated_bytes,
            volume_used_bytes: profile.capacity.as_ref().map(|c| c.used_bytes.value),
            method: if scan.is_some() { Method::Measured } else { Method::Estimated },
            p50_bytes: by_file.p50_bytes,
            p90_bytes: by_file.p90_bytes,
            p99_bytes: by_file.p99_bytes,
            largest_bytes: by_file.largest_bytes,
            tiny_files: by_file.tiny_files,
            small_files: by_file.small_files,
            small_bytes: by_file.small_bytes,
            put_requests: by_file.put_requests,
            unchanged: by_file.unchanged,
            unused: by_file.unused,
            knows_reads: knows_reads(profile),
            longest_path_bytes: u64::from(names.longest_path_bytes),
            longest_path: names.longest_path.clone(),
            longest_component_bytes: u64::from(names.longest_component_bytes),
            longest_link_target_bytes: u64::from(names.longest_link_target_bytes),
            over_1024_bytes: names.over_1024_bytes,
            not_utf8: names.not_utf8,
            control_characters: names.control_characters,
            not_windows: names.not_windows,
            case_twins: names.case_twins,
            normal_form_twins: names.normal_form_twins,
            max_depth: u64::from(profile.shape.max_depth),
            max_links: u64::from(metadata.max_links),
            hard_linked_names: counts.hard_linked_names,
            sparse_files: counts.sparse_files,
            acls: metadata.acls.clone(),
            xattrs: metadata.xattrs,
            streams: metadata.streams,
            unreadable: profile.unreadable_count,
        }
    }

    /// Access control lists of one kind that were found.
    pub fn acls_of(&self, kind: &str) -> u64 {
        self.acls.as_ref().and_then(|found| found.get(kind)).copied().unwrap_or(0)
    }
    /// Are there NTFS access control lists? An SMB share has them unless a look at it showed none.
    pub fn has_ntfs_acls(&self) -> bool {
        self.acls_of("ntfs") > 0 || (self.protocol == Protocol::Smb && self.acls.is_none())
    }
    /// Bytes of all files, each counted for at least 128 KiB.
    pub fn billable_bytes(&self) -> u64 {
        billable(self.bytes, self.small_files, self.small_bytes)
    }
    /// Mean size of a file, at least 1.
    pub fn mean_bytes(&self) -> f64 {
        (real(self.bytes) / real(self.files.max(1))).max(1.0)
    }

    /// The facts by name, printable.
    pub fn printable(&self) -> BTreeMap<String, String> {
        let size = |bytes: u64| ByteSize(bytes).to_string();
        let percent = |part: u64, whole: u64| format!("{:.1} %", 100.0 * share(part, whole));
        let mut out: BTreeMap<String, String> = BTreeMap::new();
        let mut put = |name: &str, value: String| {
            out.insert(name.to_owned(), value);
        };
        put("protocol", self.protocol_word.clone());
        put("files", human_count(self.files));
        put("directories", human_count(self.dirs));
        put("symlinks", human_count(self.symlinks));
        put("specials", human_count(self.specials));
        put("bytes", size(self.bytes));
        if let Some(allocated) = self.allocated_bytes {
            put("allocated", size(allocated));
        }
        put("figures by file", method_word(self.method).to_owned());
        put("p50 size", size(self.p50_bytes));
        put("p90 size", size(self.p90_bytes));
        put("p99 size", size(self.p99_bytes));
        put("largest file", size(self.largest_bytes));
        put("files under 64 KiB", percent(self.tiny_files, self.files));
        put("files under 128 KiB", percent(self.small_files, self.files));
        put("bytes billed at 128 KiB a file", size(self.billable_bytes()));
        put("bytes billed with 40 KiB a file", size(self.bytes.saturating_add(self.files.saturating_mul(40 << 10))));
        put("requests to upload", human_count(self.put_requests));
        for (i, days) in Cold::DAYS.into_iter().enumerate() {
            put(&format!("not changed for {days:>3} days"), percent(self.unchanged[i].bytes, self.bytes));
            put(&format!("not used for {days:>3} days"), percent(self.unused[i].bytes, self.bytes));
        }
        put("times of reading", if self.knows_reads { "kept" } else { "not kept" }.to_owned());
        put("longest path", format!("{} bytes", human_count(self.longest_path_bytes)));
        put("longest component", format!("{} bytes", human_count(self.longest_component_bytes)));
        put("names not UTF-8", human_count(self.not_utf8));
        put("case twins", human_count(self.case_twins));
        put("depth", human_count(self.max_depth));
        put("names of one inode at most", human_count(self.max_links));
        put("access control lists", self.printable_acls());
        put("unreadable", human_count(self.unreadable));
        out
    }

    fn printable_acls(&self) -> String {
        let Some(found) = &self.acls else { return "not known".to_owned() };
        let counted: Vec<String> =
            found.iter().filter(|(_, n)| **n > 0).map(|(kind, n)| format!("{} {kind}", human_count(*n))).collect();
        if counted.is_empty() { "none".to_owned() } else { counted.join(", ") }
    }
}

/// `measured`, `reported`, `estimated`.
pub(crate) const fn method_word(method: Method) -> &'static str {
    match method {
        Method::Measured => "measured",
        Method::Reported => "reported",
        Method::Estimated => "estimated",
    }
}

/// Times of reading mean something where they differ from times of change and are there at all.
fn knows_reads(profile: &Profile) -> bool {
    let known = |buckets: &[AgeBucket]| buckets.iter().any(|b| b.from_days.is_some() && b.files > 0);
    known(&profile.age_accessed) && profile.age_accessed != profile.age_modified
}

/// The same figures from the histograms of a profile, where there are no entries.
fn from_histograms(profile: &Profile) -> Scan {
    let sizes = &profile.sizes;
    let largest = profile.largest_files.first().map(|f| f.size_bytes);
    let below = |limit: u64| sizes.iter().filter(move |b| b.to_bytes <= limit);
    let largest_bytes =
        largest.unwrap_or_else(|| sizes.iter().rev().find(|b| b.files > 0).map_or(0, |b| b.to_bytes - 1));
    let puts = |b: &SizeBucket| match b.files {
        0 => 0,
        files if b.to_bytes <= PART_BYTES => files,
        files => b.size_bytes.div_ceil(PART_BYTES) + 2 * files,
    };
    let small_files: u64 = below(SMALL_BYTES).map(|b| b.files).sum();
    let small_bytes: u64 = below(SMALL_BYTES).map(|b| b.size_bytes).sum();
    let counts = &profile.counts;
    // Without single entries nobody knows how small and cold overlap: as if they did not depend on each other.
    let cold = |buckets: &[AgeBucket], days: u32| {
        let old = || buckets.iter().filter(|b| b.from_days.is_some_and(|from| from >= days));
        let (files, bytes) = (old().map(|b| b.files).sum(), old().map(|b| b.size_bytes).sum());
        let part = |of: u64, n: u64, all: u64| {
            u64::try_from(u128::from(of) * u128::from(n) / u128::from(all.max(1))).unwrap_or(u64::MAX)
        };
        let small_files = part(small_files, files, counts.files);
        let small_bytes = part(small_bytes, bytes, counts.size_bytes);
        Cold { files, bytes, small_files, small_bytes }
    };
    let unchanged = Cold::DAYS.map(|days| cold(&profile.age_modified, days));
    let mut unused = unchanged;
    if knows_reads(profile) {
        for (unused, days) in unused.iter_mut().zip(Cold::DAYS) {
            let unread = cold(&profile.age_accessed, days);
            // Both must be old; the smaller of the two is the most that can be.
            if unread.bytes < unused.bytes {
                *unused = unread;
            }
        }
    }
    Scan {
        files: counts.files,
        bytes: counts.size_bytes,
        p50_bytes: percentile(sizes, 50).min(largest_bytes),
        p90_bytes: percentile(sizes, 90).min(largest_bytes),
        p99_bytes: percentile(sizes, 99).min(largest_bytes),
        largest_bytes,
        tiny_files: below(TINY_BYTES).map(|b| b.files).sum(),
        small_files,
        small_bytes,
        put_requests: sizes.iter().map(puts).sum(),
        unchanged,
        unused,
    }
}

/// The upper end of the bucket that holds the percentile.
fn percentile(sizes: &[SizeBucket], percent: u128) -> u64 {
    let all: u128 = sizes.iter().map(|b| u128::from(b.files)).sum();
    let wanted = (all * percent).div_ceil(100);
    let mut seen = 0_u128;
    let reached = sizes.iter().find(|b| {
        seen += u128::from(b.files);
        seen >= wanted && b.files > 0
    });
    reached.map_or(0, |b| b.to_bytes.saturating_sub(1))
}
