//! What a NameNode's `/jmx` tells: counters as JSON, by bean.

use crate::{ClusterFacts, NameNodeFacts, attributes::timestamp};
use serde_json::{Map, Value};

pub(crate) const NAMESYSTEM: &str = "Hadoop:service=NameNode,name=FSNamesystem";
pub(crate) const STATUS: &str = "Hadoop:service=NameNode,name=NameNodeStatus";
pub(crate) const INFO: &str = "Hadoop:service=NameNode,name=NameNodeInfo";

/// The attributes of a bean; none when the server has no such bean.
pub(crate) struct Bean(Map<String, Value>);

impl Bean {
    /// From the answer to `/jmx?qry=NAME`: `{"beans": [{…}]}`.
    pub fn parse(body: &[u8], name: &str) -> Option<Self> {
        let value: Value = serde_json::from_slice(body).ok()?;
        let beans = value.get("beans")?.as_array()?;
        let bean = beans
            .iter()
            .filter_map(Value::as_object)
            .find(|bean| bean.get("name").and_then(Value::as_str) == Some(name))?;
        Some(Self(bean.clone()))
    }
    /// A counter; absent when it is negative or no whole number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }
    /// A text; absent when it is empty.
    pub fn text(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    }
}

/// Puts the counters of the active NameNode into the facts.
pub(crate) fn fill_cluster(facts: &mut ClusterFacts, system: &Bean, info: Option<&Bean>) {
    facts.capacity = system.number("CapacityTotal");
    facts.used = system.number("CapacityUsed");
    facts.remaining = system.number("CapacityRemaining");
    facts.non_dfs_used = system.number("CapacityUsedNonDFS");
    facts.inodes = system.number("FilesTotal");
    facts.blocks = system.number("BlocksTotal");
    facts.missing_blocks = system.number("MissingBlocks");
    facts.corrupt_blocks = system.number("CorruptBlocks");
    facts.under_replicated_blocks = system.number("UnderReplicatedBlocks");
    facts.live_data_nodes = system.number("NumLiveDataNodes");
    facts.dead_data_nodes = system.number("NumDeadDataNodes");
    facts.volume_failures = system.number("VolumeFailuresTotal");
    facts.open_files = system.number("NumFilesUnderConstruction");
    facts.snapshottable_dirs = system.number("SnapshottableDirectories");
    facts.snapshots = system.number("Snapshots");
    facts.encryption_zones = system.number("NumEncryptionZones");
    facts.erasure_coded_groups = system.number("TotalECBlockGroups");
    facts.replicated_blocks = system.number("TotalReplicatedBlocks");
    let policies = system.text("tag.EnabledEcPolicies").unwrap_or_default();
    facts.erasure_coding_policies =
        policies.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if let Some(info) = info {
        facts.cluster_id = info.text("ClusterId");
        facts.block_pool = info.text("BlockPoolId");
        facts.version = info.text("SoftwareVersion");
        facts.safe_mode = info.text("Safemode");
    }
}

/// Puts what one NameNode says of itself into the facts.
pub(crate) fn fill_node(facts: &mut NameNodeFacts, system: &Bean, status: Option<&Bean>, info: Option<&Bean>) {
    facts.state = status.and_then(|bean| bean.text("State")).or_else(|| system.text("tag.HAState"));
    facts.last_checkpoint = system.number("LastCheckpointTime").filter(|millis| *millis > 0).map(timestamp);
    facts.transactions_since_checkpoint = system.number("TransactionsSinceLastCheckpoint");
    facts.last_transaction = system.number("LastWrittenTransactionId");
    facts.started = info.and_then(|bean| bean.number("NNStartedTimeInMillis")).map(timestamp);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSTEM: &str = r#"{"beans":[{"name":"Hadoop:service=NameNode,name=FSNamesystem","modelerType":"FSNamesystem",
        "tag.EnabledEcPolicies":"RS-6-3-1024k, XOR-2-1-1024k","tag.HAState":"active","CapacityTotal":541104250880,"CapacityUsed":50542,
        "MissingBlocks":0,"TransactionsSinceLastCheckpoint":-7,"LastCheckpointTime":1795364951580,"CapacityUsedGB":0.0,"NumFilesUnderConstruction":3}]}"#;

    #[test]
    fn counters_are_read_and_what_cannot_be_is_absent() {
        let bean = Bean::parse(SYSTEM.as_bytes(), NAMESYSTEM).unwrap();
        let (mut facts, mut node) = (ClusterFacts::default(), NameNodeFacts::default());
        fill_cluster(&mut facts, &bean, None);
        fill_node(&mut node, &bean, None, None);
        assert_eq!(
            (facts.capacity, facts.missing_blocks, facts.open_files, facts.remaining),
            (Some(541_104_250_880), Some(0), Some(3), None)
        );
        assert_eq!(facts.erasure_coding_policies, ["RS-6-3-1024k", "XOR-2-1-1024k"]);
        // A standby says -1 and less here.
        assert_eq!((node.state.as_deref(), node.transactions_since_checkpoint), (Some("active"), None));
        assert_eq!(node.last_checkpoint.unwrap().secs, 1_795_364_951);
        assert!(Bean::parse(br#"{"beans":[]}"#, NAMESYSTEM).is_none());
    }
}
