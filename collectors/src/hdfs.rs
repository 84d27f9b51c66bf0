//! HDFS: what NameNodes say of themselves and of the directory, over RPC and HTTP.

use crate::{Collector, Protocol};
use async_trait::async_trait;
use driver_hdfs::{ClusterFacts, HdfsStore, HeldBySnapshots, NameNodeFacts, SnapshottableDir};
use inventory::{Finding, SecondCount, System, Weight};
use model::{ByteSize, Facets, RelPath, Timestamp, human_count};
use std::{collections::BTreeMap, sync::Arc};

/// A directory of a cluster.
#[derive(Debug)]
struct Hdfs {
    store: HdfsStore,
}

/// Of a connected store.
pub fn collector(store: HdfsStore) -> Collector {
    Collector::new(store.location().clone(), Arc::new(store.clone()), Hdfs { store })
}

#[async_trait]
impl Protocol for Hdfs {
    fn told(&self, reads: Facets) -> Facets {
        reads
    }
    async fn identify(&self) -> storage::Result<System> {
        let facts = self.store.identify().await;
        let mut details = cluster(&facts);
        for node in &facts.name_nodes {
            name_node(node, &mut details);
        }
        if let Ok(policies) = self.store.policies(&RelPath::ROOT).await {
            let told = [("storage-policy", policies.storage), ("erasure-coding-policy", policies.erasure_coding)];
            details.extend(told.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
            details.insert("in-encryption-zone".to_owned(), policies.encrypted.to_string());
        }
        if let Ok(summary) = self.store.content_summary(&RelPath::ROOT).await {
            let mut put = |name: &str, value: Option<String>| {
                details.extend(value.map(|value| (name.to_owned(), value)));
            };
            put("quota-names", summary.quota.map(|quota| quota.to_string()));
            put("quota-bytes-with-replicas", summary.space_quota.map(|quota| quota.to_string()));
            put("bytes-with-replicas", Some(summary.space_consumed.to_string()));
            if summary.bytes > 0 {
                put("replication-on-average", Some(ratio(summary.space_consumed, summary.bytes)));
            }
        }
        let product = Some("Apache Hadoop HDFS".to_owned());
        Ok(System { protocol: "hdfs".to_owned(), product, version: facts.version, details })
    }

    async fn findings(&self) -> storage::Result<Vec<Finding>> {
        let mut findings: Vec<Finding> = self.store.findings().await?.into_iter().map(finding).collect();
        let summary = self.store.content_summary(&RelPath::ROOT).await?;
        if let Some(quota) = summary.quota {
            let used = human_count(summary.files + summary.dirs);
            let detail = format!("the directory has a quota of {} names, {used} are in use", human_count(quota));
            findings.push(Finding::new("quota-of-names", Weight::Note, detail));
        }
        if let Some(quota) = summary.space_quota {
            let (quota, used) = (ByteSize(quota), ByteSize(summary.space_consumed));
            let detail = format!("the directory has a quota of {quota} with replicas, {used} are in use");
            findings.push(Finding::new("quota-of-space", Weight::Note, detail));
        }
        Ok(findings)
    }

    /// What the NameNode counts below the directory; it counts the directory too.
    async fn second_count(&self) -> storage::Result<Option<SecondCount>> {
        let summary = self.store.content_summary(&RelPath::ROOT).await?;
        // It counts what only snapshots hold, which no walk meets.
        let (held, method) = match self.store.held_by_snapshots(&RelPath::ROOT).await? {
            Some(held) => (held, "getContentSummary"),
            None => (HeldBySnapshots::default(), "getContentSummary, with what only snapshots hold"),
        };
        Ok(Some(SecondCount {
            method: method.to_owned(),
            files: summary.files.checked_sub(held.files),
            dirs: summary.dirs.checked_sub(held.dirs + 1),
            size_bytes: summary.bytes.checked_sub(held.bytes),
        }))
    }
}

fn cluster(facts: &ClusterFacts) -> BTreeMap<String, String> {
    let number = |value: Option<u64>| value.map(|value| value.to_string());
    let told = [
        ("cluster-id", facts.cluster_id.clone()),
        ("block-pool", facts.block_pool.clone()),
        ("security", Some(if facts.security { "kerberos" } else { "simple" }.to_owned())),
        ("capacity-raw-bytes", number(facts.capacity)),
        ("used-raw-bytes", number(facts.used)),
        ("remaining-raw-bytes", number(facts.remaining)),
        ("non-dfs-used-bytes", number(facts.non_dfs_used)),
        ("cluster-logical-bytes", number(facts.logical_used)),
        ("cluster-inodes", number(facts.inodes)),
        ("cluster-blocks", number(facts.blocks)),
        ("replicated-blocks", number(facts.replicated_blocks)),
        ("erasure-coded-block-groups", number(facts.erasure_coded_groups)),
        ("default-block-bytes", number(facts.default_block_bytes)),
        ("default-replication", number(facts.default_replication)),
        ("live-datanodes", number(facts.live_data_nodes)),
        ("dead-datanodes", number(facts.dead_data_nodes)),
        ("under-replicated-blocks", number(facts.under_replicated_blocks)),
        ("corrupt-blocks", number(facts.corrupt_blocks)),
        ("volume-failures", number(facts.volume_failures)),
        ("snapshots", number(facts.snapshots)),
        ("facts-over-http", facts.http_silent.clone().map(|why| format!("none: {why}"))),
    ];
    told.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn name_node(node: &NameNodeFacts, details: &mut BTreeMap<String, String>) {
    let prefix = if node.id.is_empty() { "namenode".to_owned() } else { format!("namenode-{}", node.id) };
    let told = [
        ("rpc", Some(node.rpc.clone()).filter(|rpc| !rpc.is_empty())),
        ("state", node.state.clone()),
        ("last-checkpoint", node.last_checkpoint.map(rfc3339)),
        ("transactions-since-checkpoint", node.transactions_since_checkpoint.map(|count| count.to_string())),
        ("silent", node.silent.clone()),
    ];
    details.extend(told.into_iter().filter_map(|(name, value)| Some((format!("{prefix}-{name}"), value?))));
}

fn rfc3339(time: Timestamp) -> String {
    jiff::Timestamp::from_second(time.secs).unwrap_or_default().to_string()
}

#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
fn ratio(of: u64, to: u64) -> String {
    format!("{:.2}", of as f64 / to as f64)
}

/// The driver's facts as findings, with what to do.
fn finding(told: driver_hdfs::Finding) -> Finding {
    use driver_hdfs::Finding as F;
    match told {
        F::OpenFiles { count } => Finding::new(
            "open-for-write",
            Weight::Warning,
            "files of the cluster are being written; what a writer has not closed is refused by a move and comes with \
             a later pass",
        )
        .counted(count),
        F::OpenFilesUnknown { why } => Finding::new(
            "open-for-write",
            Weight::Note,
            format!("whether files are being written could not be told: {why}"),
        ),
        F::Snapshots { dirs } => snapshots(&dirs),
        F::EncryptionZones { count, dirs } => Finding::new(
            "encryption-zones",
            Weight::Warning,
            "files in encryption zones are listed, and refused when they are read: the key server is not asked here. \
             Move them with `hadoop distcp`, or copy them within the cluster to a directory outside every zone first",
        )
        .counted(count)
        .with_examples(dirs.iter().map(|dir| RelPath::from(dir.trim_start_matches('/').as_bytes()))),
        F::ErasureCoding { policies, groups } => Finding::new(
            "erasure-coding",
            Weight::Note,
            format!("content is erasure coded ({}); it is read as usual", policies.join(", ")),
        )
        .counted(groups),
        F::MissingBlocks { count } => Finding::new(
            "missing-blocks",
            Weight::Warning,
            "blocks have no replica left: their files cannot be read; `hdfs fsck / -list-corruptfileblocks` names them",
        )
        .counted(count),
        F::DeadDataNodes { count } => Finding::new(
            "dead-datanodes",
            Weight::Warning,
            "DataNodes do not report; blocks with all replicas on them cannot be read",
        )
        .counted(count),
        F::SafeMode { why } => Finding::new("safe-mode", Weight::Warning, format!("a NameNode is in safe mode: {why}")),
    }
}

fn snapshots(dirs: &[SnapshottableDir]) -> Finding {
    let count = dirs.iter().map(|dir| dir.snapshots).sum();
    Finding::new(
        "snapshot-directories",
        Weight::Note,
        "directories can have snapshots; they are not walked and not counted. A snapshot is a consistent source: give \
         `DIR/.snapshot/NAME` as the location",
    )
    .counted(count)
    .with_examples(dirs.iter().map(|dir| RelPath::from(dir.path.trim_start_matches('/').as_bytes())))
}
