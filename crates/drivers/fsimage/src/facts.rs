//! What an image tells about the cluster as a whole.

use model::{RelPath, Timestamp};
use std::collections::BTreeMap;

/// How many items the lists of [`ImageFacts`] hold at most; the counts beside them go on.
pub const LIST_MAX: usize = 10_000;

/// Facts about one image. Counts of files, directories and bytes are of the current tree, from the root of the
/// image (not of the part below which a store lists); what only snapshots hold is counted apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// Layout of the NameNode that wrote it, counted downwards (-63: Hadoop 2.10, -67: 3.4.3).
    pub layout_version: i32,
    /// Class of the compression codec; empty for none.
    pub codec: String,
    /// Bytes of the image.
    pub image_bytes: u64,
    /// When the image file was last written on this machine. On a NameNode that is when the checkpoint was
    /// made; after a copy it may be the time of the copy.
    pub image_mtime: Option<Timestamp>,
    /// The namespace's number, the same for as long as the cluster is not formatted.
    pub namespace_id: u32,
    /// The last transaction that is in the image. An image holds no time of its own: how far it is behind the
    /// live cluster tells `LastWrittenTransactionId` less this, and `LastCheckpointTime`, both over JMX.
    pub txid: u64,
    /// Latest modification time of any entry: the image is not older than this.
    pub newest_mtime: Option<Timestamp>,
    /// When a rolling upgrade began, if one is under way.
    pub rolling_upgrade_start: Option<Timestamp>,
    /// Inodes as the image states them, those that only snapshots hold included.
    pub inodes: u64,
    /// Files of the current tree.
    pub files: u64,
    /// Directories of the current tree, the root included.
    pub dirs: u64,
    /// Symbolic links of the current tree.
    pub symlinks: u64,
    /// Bytes in files, without replication and parity.
    pub bytes: u64,
    /// Bytes in replicated files times their replication, and in erasure coded files with their parity as
    /// their policy makes it (whole stripes): what they ask of the DataNodes.
    pub raw_bytes: u64,
    /// Blocks and block groups of the current tree.
    pub blocks: u64,
    /// Files that were being written. Their length is what the NameNode knew, which is less than what is there.
    pub open_files: u64,
    /// The first of them.
    pub open: Vec<OpenFile>,
    /// Entries in the NameNode's table of leases; differs from `open_files` by open files in snapshots.
    pub leases: u64,
    /// Snapshots.
    pub snapshots: u64,
    /// The first of them.
    pub snapshot_list: Vec<SnapshotFact>,
    /// Directories that may have snapshots.
    pub snapshottable: u64,
    /// The first of them.
    pub snapshottable_list: Vec<RelPath>,
    /// Inodes that are in snapshots only, and so in no listing.
    pub snapshot_only: u64,
    /// Directories with a quota.
    pub quotas: u64,
    /// The first of them.
    pub quota_list: Vec<QuotaFact>,
    /// Entries with an access control list.
    pub acls: u64,
    /// Entries with extended attributes that a client can see.
    pub xattrs: u64,
    /// Roots of encryption zones.
    pub encryption_zones: u64,
    /// Files that are encrypted.
    pub encrypted_files: u64,
    /// Erasure coding policies of the cluster, by number.
    pub ec_policies: BTreeMap<u32, EcPolicy>,
    /// Files for each erasure coding policy.
    pub ec_files: BTreeMap<u32, u64>,
    /// Files for each storage policy that is set on the file itself (7: hot, 2: cold, …; hdfs.proto and
    /// `BlockStoragePolicySuite`).
    pub policy_files: BTreeMap<u32, u64>,
    /// What was not as it should be.
    pub findings: Findings,
    /// Sections that this reader does not know, and skipped.
    pub unknown_sections: Vec<String>,
    /// Most bytes that lay in scratch files at one time.
    pub scratch_peak: u64,
}

/// A file that was being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFile {
    /// Where it is.
    pub path: RelPath,
    /// Name of the client that has the lease.
    pub client: String,
    /// The client's machine.
    pub machine: String,
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFact {
    /// Its directory; `None` when that is no longer in the tree.
    pub dir: Option<RelPath>,
    /// Its name.
    pub name: RelPath,
}

/// A directory with a quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaFact {
    /// The directory.
    pub path: RelPath,
    /// How many names it may hold, itself included.
    pub names: Option<u64>,
    /// How many bytes its files may take, replication included.
    pub bytes: Option<u64>,
    /// The same for each kind of storage (1 disk, 2 SSD, 3 archive, 4 memory, 5 provided, 6 NVDIMM).
    pub by_storage: Vec<(u32, u64)>,
}

/// An erasure coding policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EcPolicy {
    /// Its name, such as `RS-6-3-1024k`.
    pub name: String,
    /// Units of data in a stripe.
    pub data_units: u32,
    /// Units of parity in a stripe.
    pub parity_units: u32,
    /// Bytes of a unit.
    pub cell_size: u32,
}

/// What was not as it should be. All are 0 in a sound image; each inode counted here is in no listing, except
/// for `unknown_names`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Inodes that no directory and no snapshot holds, or whose directory is one of these.
    pub orphans: u64,
    /// Children of directories that are not there.
    pub missing: u64,
    /// Directories that lie within themselves.
    pub cycles: u64,
    /// Inodes whose number was there before.
    pub duplicate_inodes: u64,
    /// Further places of inodes that have a place already.
    pub duplicate_links: u64,
    /// Entries with the name of another entry of the same directory.
    pub duplicate_names: u64,
    /// Names that are empty, `.` or `..`, or hold a slash or a NUL.
    pub bad_names: u64,
    /// Entries (listed all the same) whose user or group has no name in the string table.
    pub unknown_names: u64,
    /// References to inodes by a number that the image does not have.
    pub bad_references: u64,
}

impl Findings {
    /// Is the image sound?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
    /// Each finding that is not 0, in words.
    pub fn lines(&self) -> Vec<String> {
        [
            (self.orphans, "inodes are held by no directory and no snapshot"),
            (self.missing, "children of directories are not in the image"),
            (self.cycles, "directories lie within themselves"),
            (self.duplicate_inodes, "inodes have the number of another"),
            (self.duplicate_links, "further places of inodes that have a place already"),
            (self.duplicate_names, "entries have the name of another in the same directory"),
            (self.bad_names, "entries have a name that no path can hold"),
            (self.unknown_names, "entries have a user or group without a name"),
            (self.bad_references, "references lead nowhere"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect()
    }
}
