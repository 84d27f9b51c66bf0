//! The store: [`Source`] over a cluster.

use crate::{
    AclEntry, AclFacts, AclWho, ClusterFacts, ContentSummary, DirectoryPolicies, Finding, HdfsOptions, HeldBySnapshots,
    ImageFetched, NameNodeFacts, SnapshottableDir,
    address::Address,
    attributes::{self, READS},
    cluster::{Cluster, Shared},
    handshake::Greeting,
    list, read,
};
use async_trait::async_trait;
use futures::stream::BoxStream;
use hdfs_native::acl::{AclEntryScope, AclEntryType};
use model::{Entry, Facets, Kind, Location, NameRules, RelPath};
use std::{fmt, path::Path};
use storage::{Capabilities, Error, ErrorKind, ListSpec, Page, ReadSpec, Reading, Result, Source, Usage};

/// A directory of a cluster, read only. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct HdfsStore {
    cluster: Shared,
    location: Location,
    caps: Capabilities,
}

impl fmt::Debug for HdfsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HdfsStore").field("location", &self.location).finish_non_exhaustive()
    }
}

impl HdfsStore {
    /// Talks to the NameNodes of the location and looks at its directory.
    ///
    /// Errors: `Invalid` (the URI, the configuration, or not a directory), `Disconnected` or `Timeout` (no NameNode
    /// can be reached, or none is active), `Unsupported` (what listens is no NameNode), `NotFound` (no such
    /// directory), `Denied`, `Unauthenticated` (Kerberos).
    pub async fn connect(location: &Location, options: HdfsOptions) -> Result<Self> {
        let address = Address::new(location, &options)?;
        let prefix_len = address.root.trim_start_matches('/').len();
        let cluster = Cluster::connect(address, options).await?;
        let store = Self { cluster, location: location.clone(), caps: capabilities(prefix_len) };
        let root = match store.stat(&RelPath::ROOT, Facets::NONE).await {
            Err(refused) if refused.kind() == ErrorKind::Unauthenticated => return Err(store.told_why(refused).await),
            root => root?,
        };
        if !root.kind.is_dir() {
            return Err(Error::new(ErrorKind::Invalid, "open the location").because("it is a file, not a directory"));
        }
        Ok(store)
    }

    /// Over RPC a NameNode does not say why it refuses a ticket, over HTTP it does.
    async fn told_why(&self, refused: Error) -> Error {
        match self.cluster.web.why_refused().await {
            Some((why, hint)) => refused.hint(hint).because(why),
            None => refused,
        }
    }

    /// The location that was opened.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// What the cluster says of itself, over HTTP mostly. What cannot be asked is absent and says why.
    pub async fn identify(&self) -> ClusterFacts {
        let mut facts = self.cluster.web.cluster_facts().await;
        for (told, (node, greeting)) in
            facts.name_nodes.iter_mut().zip(self.cluster.address.name_nodes.iter().zip(&self.cluster.greetings))
        {
            *told = NameNodeFacts { id: node.id.clone(), rpc: node.rpc.clone(), ..told.clone() };
            if let (None, Err(why)) = (&told.silent, greeting) {
                told.silent = Some(why.clone());
            }
        }
        facts.security = self.cluster.greetings.iter().flatten().any(Greeting::wants_kerberos);
        if let Ok((block, replicas)) = self.cluster.web.defaults().await {
            (facts.default_block_bytes, facts.default_replication) = (Some(block), Some(replicas));
        }
        if let Ok(whole) = self.summary("/", &RelPath::ROOT).await {
            facts.logical_used = Some(whole.bytes);
            facts.space_consumed = Some(whole.space_consumed);
        }
        facts
    }

    /// What should be known before a migration.
    ///
    /// Errors: only when what HTTP answers makes no sense; silence is a finding itself.
    pub async fn findings(&self) -> Result<Vec<Finding>> {
        let facts = self.cluster.web.cluster_facts().await;
        let mut findings = Vec::new();
        match (facts.open_files, facts.http_silent) {
            (Some(count @ 1..), _) => findings.push(Finding::OpenFiles { count }),
            (Some(0), _) => {}
            (None, why) => {
                let why = why.unwrap_or_else(|| "the NameNode does not count them".to_owned());
                findings.push(Finding::OpenFilesUnknown { why });
            }
        }
        // The counter lags behind by the metrics' interval, so the list is asked for whatever it says.
        match self.snapshottable_dirs().await {
            Ok(dirs) if dirs.is_empty() => {}
            Ok(dirs) => findings.push(Finding::Snapshots { dirs }),
            Err(refused) if facts.snapshottable_dirs.is_some_and(|count| count > 0) => return Err(refused),
            Err(_) => {}
        }
        if let Some(count @ 1..) = facts.encryption_zones {
            let root = self.cluster.absolute(&RelPath::ROOT, "look for encryption zones")?;
            // To name them is a courtesy; that they are there is said whatever becomes of it.
            let dirs = self.cluster.web.encryption_zones(&root, count).await.unwrap_or_default();
            findings.push(Finding::EncryptionZones { count, dirs });
        }
        if let Some(groups @ 1..) = facts.erasure_coded_groups {
            findings.push(Finding::ErasureCoding { policies: facts.erasure_coding_policies, groups });
        }
        if let Some(count @ 1..) = facts.missing_blocks {
            findings.push(Finding::MissingBlocks { count });
        }
        if let Some(count @ 1..) = facts.dead_data_nodes {
            findings.push(Finding::DeadDataNodes { count });
        }
        if let Some(why) = facts.safe_mode {
            findings.push(Finding::SafeMode { why });
        }
        Ok(findings)
    }

    /// Fetches the newest image of the namespace; see [`crate::fetch_fsimage`].
    pub async fn fetch_fsimage(&self, into: &Path) -> Result<ImageFetched> {
        self.cluster.web.fetch_image(&self.cluster.options, into).await
    }

    /// What the NameNode counts below a directory. It holds a lock while it counts, so ask for a whole cluster once.
    pub async fn content_summary(&self, path: &RelPath) -> Result<ContentSummary> {
        let absolute = self.cluster.absolute(path, "count")?;
        self.summary(&absolute, path).await
    }

    /// What of [`HdfsStore::content_summary`] only snapshots hold, over WebHDFS; `None` where HTTP is not served or the
    /// server does not tell. It costs the NameNode a count of its own.
    pub async fn held_by_snapshots(&self, path: &RelPath) -> Result<Option<HeldBySnapshots>> {
        const OP: &str = "count the snapshots of";
        let absolute = self.cluster.absolute(path, OP)?;
        match self.cluster.web.held_by_snapshots(&absolute).await {
            Ok(held) => Ok(held),
            Err(failure) if failure.is_elsewhere() => Ok(None),
            Err(failure) => Err(failure.at(OP, path)),
        }
    }

    async fn summary(&self, absolute: &str, path: &RelPath) -> Result<ContentSummary> {
        let name = absolute.to_owned();
        let asked =
            self.cluster.call("getContentSummary", |client| async move { client.get_content_summary(&name).await });
        let told = asked.await.map_err(|failure| failure.at("count", path))?;
        // -1 where there is no quota, and the crate has it unsigned. The root has the largest number for none.
        let quota = |value: u64| Some(value).filter(|value| *value < i64::MAX.cast_unsigned());
        Ok(ContentSummary {
            files: told.file_count,
            dirs: told.directory_count,
            bytes: told.length,
            space_consumed: told.space_consumed,
            quota: quota(told.quota),
            space_quota: quota(told.space_quota),
        })
    }

    /// The access control list of a path.
    pub async fn acl(&self, path: &RelPath) -> Result<AclFacts> {
        let name = self.cluster.absolute(path, "read the ACL of")?;
        let asked = self.cluster.call("getAclStatus", |client| async move { client.get_acl_status(&name).await });
        let status = asked.await.map_err(|failure| failure.at("read the ACL of", path))?;
        let entries = status.entries.into_iter().map(|entry| AclEntry {
            default: entry.scope == AclEntryScope::Default,
            who: match (entry.r#type, entry.name.filter(|name| !name.is_empty())) {
                (AclEntryType::User, Some(name)) => AclWho::User(name),
                (AclEntryType::User, None) => AclWho::Owner,
                (AclEntryType::Group, Some(name)) => AclWho::Group(name),
                (AclEntryType::Group, None) => AclWho::OwningGroup,
                (AclEntryType::Mask, _) => AclWho::Mask,
                (AclEntryType::Other, _) => AclWho::Other,
            },
            permissions: permissions(&entry.permissions),
        });
        Ok(AclFacts { entries: entries.collect() })
    }

    /// Extended attributes (`user.name` and the like) with their values, over WebHDFS.
    pub async fn xattrs(&self, path: &RelPath) -> Result<Vec<(String, Vec<u8>)>> {
        const OP: &str = "read the extended attributes of";
        let absolute = self.cluster.absolute(path, OP)?;
        self.cluster.web.xattrs(&absolute).await.map_err(|failure| failure.at(OP, path))
    }

    /// How content below a directory is kept, over WebHDFS.
    pub async fn policies(&self, path: &RelPath) -> Result<DirectoryPolicies> {
        const OP: &str = "read the policies of";
        let absolute = self.cluster.absolute(path, OP)?;
        self.cluster.web.policies(&absolute).await.map_err(|failure| failure.at(OP, path))
    }

    /// Directories that can have snapshots: all that we own, or all of the cluster for its superuser. Over WebHDFS.
    pub async fn snapshottable_dirs(&self) -> Result<Vec<SnapshottableDir>> {
        self.cluster
            .web
            .snapshottable_dirs()
            .await
            .map_err(|failure| failure.error("list the directories with snapshots"))
    }
}

fn permissions(action: &hdfs_native::acl::FsAction) -> u8 {
    use hdfs_native::acl::FsAction as a;
    match action {
        a::None => 0,
        a::Execute => 1,
        a::Write => 2,
        a::WriteExecute => 3,
        a::Read => 4,
        a::ReadExecute => 5,
        a::ReadWrite => 6,
        a::PermAll => 7,
    }
}

#[async_trait]
impl Source for HdfsStore {
    fn caps(&self) -> &Capabilities {
        &self.caps
    }

    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        list::list(self.cluster.clone(), dir, &spec)
    }

    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        const OP: &str = "stat";
        let absolute = self.cluster.absolute(path, OP)?;
        let status = read::status(&self.cluster, &absolute).await.map_err(|failure| failure.at(OP, path))?;
        let entry = attributes::entry(path.clone(), &status, want);
        if let Kind::Symlink { .. } = entry.kind {
            let why = "it is a symbolic link, and its target is not told";
            return Err(Error::new(ErrorKind::Unsupported, OP).at(path).because(why));
        }
        Ok(entry)
    }

    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        read::read(&self.cluster, path, spec).await
    }

    /// Raw bytes, replicas counted; by WebHDFS. `None` where HTTP is not served.
    async fn usage(&self) -> Result<Option<Usage>> {
        match self.cluster.web.usage().await {
            Ok(usage) => Ok(Some(usage)),
            Err(failure) if failure.is_elsewhere() => Ok(None),
            Err(failure) => Err(failure.error("ask for the size of")),
        }
    }
}

/// `dfs.namenode.fs-limits.max-component-length`, `HdfsConstants.MAX_PATH_LENGTH` (8000, with the slash in front),
/// `DFSUtilClient.isValidName`.
fn capabilities(prefix_len: usize) -> Capabilities {
    Capabilities {
        reads: READS,
        names: NameRules { max_path: 7999, utf8_only: true, forbidden: b"\0:", ..NameRules::POSIX },
        prefix_len,
        ..Capabilities::READ_ONLY
    }
}
