//! What a cluster says of itself. Absent means that it was not told, never that it is zero.

use model::Timestamp;

/// The cluster as its NameNodes describe it over RPC and HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterFacts {
    /// The identity that was given at formatting (`NameNodeInfo.ClusterId`).
    pub cluster_id: Option<String>,
    /// The block pool, one for each namespace of the cluster.
    pub block_pool: Option<String>,
    /// Version of the active NameNode, such as `3.4.3`.
    pub version: Option<String>,
    /// Kerberos is in use.
    pub security: bool,
    /// Each NameNode that the location means.
    pub name_nodes: Vec<NameNodeFacts>,
    /// Raw bytes of all DataNodes (`FSNamesystem.CapacityTotal`): every replica counts.
    pub capacity: Option<u64>,
    /// Raw bytes in blocks, with all replicas and checksums (`CapacityUsed`).
    pub used: Option<u64>,
    /// Raw bytes that are free (`CapacityRemaining`).
    pub remaining: Option<u64>,
    /// Raw bytes on the same disks that are not HDFS's (`CapacityUsedNonDFS`).
    pub non_dfs_used: Option<u64>,
    /// Bytes of content without replicas, below the root (getContentSummary of `/`), where we may ask.
    pub logical_used: Option<u64>,
    /// Bytes with replicas, below the root (getContentSummary of `/`).
    pub space_consumed: Option<u64>,
    /// Files and directories (`FilesTotal`).
    pub inodes: Option<u64>,
    /// Blocks (`BlocksTotal`).
    pub blocks: Option<u64>,
    /// Blocks without any replica (`MissingBlocks`): content that is lost or unreachable.
    pub missing_blocks: Option<u64>,
    /// Blocks with a damaged replica (`CorruptBlocks`).
    pub corrupt_blocks: Option<u64>,
    /// Blocks with too few replicas (`UnderReplicatedBlocks`).
    pub under_replicated_blocks: Option<u64>,
    /// DataNodes that report (`NumLiveDataNodes`).
    pub live_data_nodes: Option<u64>,
    /// DataNodes that do not (`NumDeadDataNodes`).
    pub dead_data_nodes: Option<u64>,
    /// Disks that failed (`VolumeFailuresTotal`).
    pub volume_failures: Option<u64>,
    /// Files that somebody writes at this moment (`NumFilesUnderConstruction`).
    pub open_files: Option<u64>,
    /// Directories that can have snapshots (`SnapshottableDirectories`).
    pub snapshottable_dirs: Option<u64>,
    /// Snapshots in all (`Snapshots`).
    pub snapshots: Option<u64>,
    /// Encryption zones (`NumEncryptionZones`).
    pub encryption_zones: Option<u64>,
    /// Groups of erasure-coded blocks (`TotalECBlockGroups`).
    pub erasure_coded_groups: Option<u64>,
    /// Blocks that are kept as replicas (`TotalReplicatedBlocks`).
    pub replicated_blocks: Option<u64>,
    /// Bytes of a block where a writer does not say (WebHDFS, GETSERVERDEFAULTS).
    pub default_block_bytes: Option<u64>,
    /// Replicas of a block where a writer does not say.
    pub default_replication: Option<u64>,
    /// Policies for erasure coding that are enabled (`EnabledEcPolicies`).
    pub erasure_coding_policies: Vec<String>,
    /// Why the NameNode is in safe mode; absent when it is not.
    pub safe_mode: Option<String>,
    /// Why HTTP told nothing, where it did not.
    pub http_silent: Option<String>,
}

/// One NameNode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameNodeFacts {
    /// Its name in the configuration; empty where a host was named.
    pub id: String,
    /// `host:port` of its RPC.
    pub rpc: String,
    /// Where it serves HTTP.
    pub http: String,
    /// `active`, `standby` or `observer` (`NameNodeStatus.State`).
    pub state: Option<String>,
    /// When the last image of the namespace was made (`LastCheckpointTime`).
    pub last_checkpoint: Option<Timestamp>,
    /// Changes since then (`TransactionsSinceLastCheckpoint`): what an image would lack.
    pub transactions_since_checkpoint: Option<u64>,
    /// The number of the last change (`LastWrittenTransactionId`, of a standby the last it has read).
    pub last_transaction: Option<u64>,
    /// When it started.
    pub started: Option<Timestamp>,
    /// Why it told nothing, where it did not.
    pub silent: Option<String>,
}

/// What a NameNode counts below a directory: a second opinion on a walk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentSummary {
    /// Files, and links.
    pub files: u64,
    /// Directories, with the one that was asked for.
    pub dirs: u64,
    /// Bytes of content. A file that is open for writing counts with what its NameNode knows.
    pub bytes: u64,
    /// Bytes with all replicas.
    pub space_consumed: u64,
    /// Most names below it; none when there is no quota.
    pub quota: Option<u64>,
    /// Most bytes below it, replicas counted; none when there is no quota.
    pub space_quota: Option<u64>,
}

/// What below a directory only its snapshots still hold. [`ContentSummary`] counts it, a walk does not meet it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldBySnapshots {
    /// Files.
    pub files: u64,
    /// Directories.
    pub dirs: u64,
    /// Bytes of content.
    pub bytes: u64,
}

/// A directory that can have snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshottableDir {
    /// Its absolute path.
    pub path: String,
    /// Snapshots it has now; they are below `PATH/.snapshot`, which no listing shows.
    pub snapshots: u64,
    /// Snapshots it may have.
    pub limit: Option<u64>,
}

/// How content below a directory is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryPolicies {
    /// The storage policy, such as `HOT` or `COLD`.
    pub storage: Option<String>,
    /// The policy of erasure coding; absent when content is replicated.
    pub erasure_coding: Option<String>,
    /// It lies in an encryption zone.
    pub encrypted: bool,
}

/// Who an entry of an access control list is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AclWho {
    /// This user.
    User(String),
    /// This group.
    Group(String),
    /// The owning user (only in default lists; the mode says it elsewhere).
    Owner,
    /// The owning group.
    OwningGroup,
    /// The most that named users and groups get.
    Mask,
    /// Everybody else.
    Other,
}

/// One entry of an access control list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclEntry {
    /// Inherited by what is made below, not for the directory itself.
    pub default: bool,
    /// Who.
    pub who: AclWho,
    /// Read 4, write 2, execute 1.
    pub permissions: u8,
}

/// An access control list with names: HDFS knows no numbers, so it cannot be put as Linux keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AclFacts {
    /// The entries besides the mode. None when there is only the mode.
    pub entries: Vec<AclEntry>,
}

/// What whoever migrates should know before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Files are being written; they are refused until they are closed.
    OpenFiles {
        /// How many, at the moment of asking.
        count: u64,
    },
    /// Whether a file is being written cannot be told, because HTTP is silent. Of such a file only finished blocks
    /// are seen.
    OpenFilesUnknown {
        /// Why.
        why: String,
    },
    /// Directories with snapshots, which no walk sees.
    Snapshots {
        /// Which.
        dirs: Vec<SnapshottableDir>,
    },
    /// Encryption zones: their content is readable only with the keys, and refused here.
    EncryptionZones {
        /// How many the cluster has.
        count: u64,
        /// Those at or below the location that were found, as absolute paths.
        dirs: Vec<String>,
    },
    /// Content is erasure coded.
    ErasureCoding {
        /// Enabled policies.
        policies: Vec<String>,
        /// Groups of blocks.
        groups: u64,
    },
    /// Blocks without a replica: their files cannot be read.
    MissingBlocks {
        /// How many.
        count: u64,
    },
    /// DataNodes that do not report.
    DeadDataNodes {
        /// How many.
        count: u64,
    },
    /// A NameNode in safe mode.
    SafeMode {
        /// Its words.
        why: String,
    },
}

/// Which NameNode gave an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandbyChoice {
    /// A standby: the active one did no work for it.
    Standby,
    /// The active one, because there is no standby.
    Active,
}

/// An image of the namespace that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFetched {
    /// The last change that is in it.
    pub txid: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// The file's MD5 is the one that the NameNode stated. False only when it stated none.
    pub md5_checked: bool,
    /// When the image was made (the NameNode's last checkpoint); absent when it was not told.
    pub taken_at: Option<Timestamp>,
    /// Changes since then, which the image lacks.
    pub transactions_since: Option<u64>,
    /// Who gave it.
    pub from: StandbyChoice,
    /// Where it came from.
    pub source: String,
}
