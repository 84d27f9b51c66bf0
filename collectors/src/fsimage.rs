//! The image of a NameNode: the namespace of a cluster at one transaction, and how old that is.

use crate::{Collector, Protocol};
use async_trait::async_trait;
use driver_fsimage::{FsimageStore, ImageFacts};
use inventory::{Finding, SecondCount, System, Weight};
use model::{Facets, Location, Timestamp};
use std::{collections::BTreeMap, sync::Arc};

/// A directory of an image.
#[derive(Debug)]
struct Fsimage {
    store: FsimageStore,
    fetched: BTreeMap<String, String>,
    /// The image is shown from its root, so its own totals are those of the location.
    whole: bool,
}

/// Of an image that was read; `location` is how it was called. `whole` when it is shown from its root. `fetched` is what
/// whoever fetched the image knows of it (from where, when the checkpoint was made, what it lacks).
pub fn collector(
    store: FsimageStore,
    location: &Location,
    whole: bool,
    fetched: BTreeMap<String, String>,
) -> Collector {
    Collector::new(location.clone(), Arc::new(store.clone()), Fsimage { store, fetched, whole })
}

#[async_trait]
impl Protocol for Fsimage {
    fn told(&self, reads: Facets) -> Facets {
        reads
    }
    async fn identify(&self) -> storage::Result<System> {
        let facts = self.store.facts();
        let mut details = self.fetched.clone();
        let told = [
            ("txid", Some(facts.txid.to_string())),
            ("namespace-id", Some(facts.namespace_id.to_string())),
            ("codec", Some(facts.codec.clone()).filter(|codec| !codec.is_empty())),
            ("image-bytes", Some(facts.image_bytes.to_string())),
            ("image-file-written", facts.image_mtime.map(rfc3339)),
            ("newest-change-in-image", facts.newest_mtime.map(rfc3339)),
            ("cluster-inodes", Some(facts.inodes.to_string())),
            ("cluster-blocks", Some(facts.blocks.to_string())),
            ("cluster-logical-bytes", Some(facts.bytes.to_string())),
            ("bytes-with-replicas", Some(facts.raw_bytes.to_string())),
            ("snapshots", Some(facts.snapshots.to_string())),
        ];
        details.extend(told.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        Ok(System {
            protocol: "hdfs".to_owned(),
            product: Some("Apache Hadoop HDFS, by its fsimage".to_owned()),
            version: Some(format!("layout {}", facts.layout_version)),
            details,
        })
    }

    async fn findings(&self) -> storage::Result<Vec<Finding>> {
        let facts = self.store.facts();
        let mut findings = vec![age(facts, &self.fetched)];
        let mut add = |kind: &str, weight, count: u64, detail: &str| {
            if count > 0 {
                findings.push(Finding::new(kind, weight, detail).counted(count));
            }
        };
        add(
            "open-for-write",
            Weight::Warning,
            facts.open_files,
            "files were being written when the image was made; \
            they are larger than it says",
        );
        add(
            "snapshot-directories",
            Weight::Note,
            facts.snapshots,
            "there are snapshots; they are not walked and not \
            counted. A snapshot is a consistent source: give `DIR/.snapshot/NAME` of the live cluster as the location",
        );
        add(
            "encryption-zones",
            Weight::Warning,
            facts.encryption_zones,
            "files in encryption zones are refused when \
            `hdfs://` reads them: the key server is not asked here",
        );
        add(
            "quotas",
            Weight::Note,
            facts.quotas,
            "directories have quotas of names or space, which no target has in \
            this form",
        );
        add(
            "erasure-coding",
            Weight::Note,
            facts.ec_files.values().sum(),
            "files are erasure coded; they are read as \
            usual",
        );
        add("access-control-lists", Weight::Warning, facts.acls, "entries have access control lists beyond their mode");
        add("extended-attributes", Weight::Note, facts.xattrs, "entries have extended attributes");
        for line in facts.findings.lines() {
            findings.push(Finding::new("image-not-sound", Weight::Warning, format!("the image is not sound: {line}")));
        }
        if !facts.unknown_sections.is_empty() {
            let names = facts.unknown_sections.join(", ");
            let detail = format!("sections that this version does not know were skipped: {names}");
            findings.push(Finding::new("unknown-sections", Weight::Note, detail));
        }
        for (finding, paths) in [
            ("open-for-write", facts.open.iter().map(|open| open.path.clone()).collect::<Vec<_>>()),
            ("snapshot-directories", facts.snapshottable_list.clone()),
            ("quotas", facts.quota_list.iter().map(|quota| quota.path.clone()).collect()),
        ] {
            if let Some(found) = findings.iter_mut().find(|found| found.kind == finding) {
                *found = found.clone().with_examples(paths);
            }
        }
        Ok(findings)
    }

    /// The totals that the reader kept while it laid down the tree, apart from the walk.
    async fn second_count(&self) -> storage::Result<Option<SecondCount>> {
        let facts = self.store.facts();
        Ok(self.whole.then(|| SecondCount {
            method: "totals of the image".to_owned(),
            files: Some(facts.files),
            dirs: facts.dirs.checked_sub(1),
            size_bytes: Some(facts.bytes),
        }))
    }
}

/// An image is never of now: how old it is must always be said.
fn age(facts: &ImageFacts, fetched: &BTreeMap<String, String>) -> Finding {
    let of = |name: &str| fetched.get(name).map(String::as_str);
    let made = match (of("checkpoint-made"), facts.image_mtime) {
        (Some(made), _) => format!("its checkpoint was made {made}"),
        (None, Some(written)) => format!("its file was written {}", rfc3339(written)),
        (None, None) => "when it was made is not known".to_owned(),
    };
    let lacks = of("transactions-since").map(|count| format!(", and lacks {count} changes since")).unwrap_or_default();
    let detail = format!(
        "this is the namespace at transaction {}: {made}{lacks}. Discover `hdfs://` before the last pass of a move",
        facts.txid
    );
    Finding::new("age-of-image", Weight::Note, detail)
}

fn rfc3339(time: Timestamp) -> String {
    jiff::Timestamp::from_second(time.secs).unwrap_or_default().to_string()
}
