//! The small sections: what they tell about the cluster.

use crate::{
    facts::{EcPolicy, ImageFacts, LIST_MAX, SnapshotFact},
    failure::{Broken, Outcome, corrupt, misread},
    messages::Messages,
    scratch::{Lease, Scratch},
    summary::Image,
    tree::Tree,
    wire::Fields,
};
use model::{RelPath, Timestamp};
use std::{io::Write as _, os::unix::fs::FileExt as _};

/// Sections of fsimage.proto; what else an image holds is named in the facts.
const KNOWN: [&str; 12] = [
    "NS_INFO",
    "STRING_TABLE",
    "EXTENDED_ACL",
    "INODE",
    "INODE_REFERENCE",
    "SNAPSHOT",
    "INODE_DIR",
    "FILES_UNDERCONSTRUCTION",
    "SNAPSHOT_DIFF",
    "SECRET_MANAGER",
    "CACHE_MANAGER",
    "ERASURE_CODING",
];

/// Milliseconds since 1970, as HDFS counts.
pub(crate) fn timestamp(millis: u64) -> Option<Timestamp> {
    let secs = i64::try_from(millis / 1000).ok()?;
    let nanos = u32::try_from(millis % 1000).ok()? * 1_000_000;
    Some(Timestamp { secs, nanos })
}

/// What the head, `NS_INFO`, `ERASURE_CODING` and `FILES_UNDERCONSTRUCTION` tell.
pub(super) fn facts(image: &Image) -> Outcome<ImageFacts> {
    let unknown = image.sections.iter().filter(|s| !s.is_sub() && !KNOWN.contains(&&*s.name));
    let mut facts = ImageFacts {
        layout_version: image.layout_version,
        codec: image.codec_class.clone(),
        image_bytes: image.len,
        unknown_sections: unknown.map(|section| section.name.clone()).take(LIST_MAX).collect(),
        ..ImageFacts::default()
    };
    namespace(image, &mut facts)?;
    policies(image, &mut facts)?;
    if let Some(section) = image.section("FILES_UNDERCONSTRUCTION") {
        let mut messages = Messages::open(image, section);
        while messages.next()?.is_some() {
            facts.leases += 1;
        }
    }
    Ok(facts)
}

fn namespace(image: &Image, facts: &mut ImageFacts) -> Outcome<()> {
    const SECTION: &str = "NS_INFO";
    let section = image.section(SECTION).ok_or_else(|| corrupt(SECTION, "the section is missing"))?;
    let mut messages = Messages::open(image, section);
    let wrong = misread(SECTION);
    let mut fields = Fields(messages.next()?.ok_or_else(|| corrupt(SECTION, "it is empty"))?);
    while let Some((field, value)) = fields.next().map_err(&wrong)? {
        match field {
            1 => facts.namespace_id = value.number32().map_err(&wrong)?,
            6 => facts.txid = value.number().map_err(&wrong)?,
            7 => facts.rolling_upgrade_start = timestamp(value.number().map_err(&wrong)?).filter(|at| at.secs > 0),
            _ => {}
        }
    }
    Ok(())
}

fn policies(image: &Image, facts: &mut ImageFacts) -> Outcome<()> {
    const SECTION: &str = "ERASURE_CODING";
    let Some(section) = image.section(SECTION) else { return Ok(()) };
    let mut messages = Messages::open(image, section);
    let wrong = misread(SECTION);
    let Some(message) = messages.next()? else { return Ok(()) };
    let mut fields = Fields(message);
    while let Some((field, value)) = fields.next().map_err(&wrong)? {
        if field != 1 || facts.ec_policies.len() >= LIST_MAX {
            continue;
        }
        let (mut id, mut policy) = (0, EcPolicy::default());
        let mut entry = Fields(value.bytes().map_err(&wrong)?);
        while let Some((field, value)) = entry.next().map_err(&wrong)? {
            match field {
                1 => policy.name = String::from_utf8_lossy(value.bytes().map_err(&wrong)?).into_owned(),
                2 => {
                    let mut schema = Fields(value.bytes().map_err(&wrong)?);
                    while let Some((field, value)) = schema.next().map_err(&wrong)? {
                        match field {
                            2 => policy.data_units = value.number32().map_err(&wrong)?,
                            3 => policy.parity_units = value.number32().map_err(&wrong)?,
                            _ => {}
                        }
                    }
                }
                3 => policy.cell_size = value.number32().map_err(&wrong)?,
                4 => id = value.number32().map_err(&wrong)?,
                _ => {}
            }
        }
        if policy.name.is_empty() {
            // A built-in policy is written by its number only (`SystemErasureCodingPolicies`).
            policy = built_in(id);
        }
        facts.ec_policies.insert(id, policy);
    }
    Ok(())
}

/// `SystemErasureCodingPolicies` of Hadoop 3: numbers 1 to 5.
fn built_in(id: u32) -> EcPolicy {
    let (name, data_units, parity_units) = match id {
        1 => ("RS-6-3-1024k", 6, 3),
        2 => ("RS-3-2-1024k", 3, 2),
        3 => ("RS-LEGACY-6-3-1024k", 6, 3),
        4 => ("XOR-2-1-1024k", 2, 1),
        5 => ("RS-10-4-1024k", 10, 4),
        _ => ("", 0, 0),
    };
    EcPolicy { name: name.to_owned(), data_units, parity_units, cell_size: 1 << 20 }
}

/// `SNAPSHOT`: the snapshots and the directories that may have some. Needs the tree for their paths.
pub(super) fn snapshots(image: &Image, tree: &Tree, facts: &mut ImageFacts) -> Outcome<()> {
    const SECTION: &str = "SNAPSHOT";
    let Some(section) = image.section(SECTION) else { return Ok(()) };
    let mut messages = Messages::open(image, section);
    let wrong = misread(SECTION);
    let Some(head) = messages.next()? else { return Ok(()) };
    let mut fields = Fields(head);
    let mut dirs = Vec::new();
    while let Some((field, value)) = fields.next().map_err(&wrong)? {
        if field != 2 {
            continue;
        }
        match value.bytes() {
            Ok(mut packed) => {
                while !packed.is_empty() {
                    dirs.push(crate::wire::varint(&mut packed).map_err(&wrong)?);
                }
            }
            Err(_) => dirs.push(value.number().map_err(&wrong)?),
        }
    }
    facts.snapshottable = u64::try_from(dirs.len()).expect("a length fits 64 bits");
    for id in dirs.into_iter().take(LIST_MAX) {
        facts.snapshottable_list.extend(tree.path_of(id)?);
    }
    while let Some(message) = messages.next()? {
        facts.snapshots += 1;
        if facts.snapshot_list.len() >= LIST_MAX {
            continue;
        }
        let mut fields = Fields(message);
        while let Some((field, value)) = fields.next().map_err(&wrong)? {
            if field == 2 {
                // The snapshot's root: an inode with the id of its directory and the name of the snapshot.
                let (name, root) = crate::inode::read(value.bytes().map_err(&wrong)?)?;
                facts.snapshot_list.push(SnapshotFact { dir: tree.path_of(root.id)?, name: RelPath::from(name) });
            }
        }
    }
    Ok(())
}

/// `INODE_REFERENCE`: the inodes behind the numbers that directories use for what was renamed under snapshots.
/// Kept on disk, eight bytes each: there may be as many as files.
pub(super) struct References {
    file: Lease,
    count: u64,
    /// References that were asked for and are not there.
    pub(super) missed: u64,
}

impl References {
    pub(super) fn read(image: &Image, scratch: &Scratch) -> Outcome<Self> {
        const SECTION: &str = "INODE_REFERENCE";
        let mut out = scratch.writer()?;
        let mut count = 0;
        if let Some(section) = image.section(SECTION) {
            let mut messages = Messages::open(image, section);
            let wrong = misread(SECTION);
            while let Some(message) = messages.next()? {
                let mut fields = Fields(message);
                let mut id = 0;
                while let Some((field, value)) = fields.next().map_err(&wrong)? {
                    if field == 1 {
                        id = value.number().map_err(&wrong)?;
                    }
                }
                out.write_all(&id.to_le_bytes()).map_err(Broken::from_scratch)?;
                count += 1;
            }
        }
        Ok(Self { file: out.finish()?, count, missed: 0 })
    }

    /// The inode behind a reference; counted when there is no such reference.
    pub(super) fn get(&mut self, number: u64) -> Outcome<Option<u64>> {
        if number >= self.count {
            self.missed += 1;
            return Ok(None);
        }
        let mut raw = [0; 8];
        self.file.file.read_exact_at(&mut raw, number * 8).map_err(Broken::Scratch)?;
        Ok(Some(u64::from_le_bytes(raw)))
    }
}
