//! The second sort's outcome is laid down: the entries of each directory together, with what they add up to.

use super::join::Joined;
use crate::{
    FsimageOptions, Progress, Stage,
    facts::{ImageFacts, LIST_MAX, OpenFile, QuotaFact},
    failure::{Broken, Outcome},
    inode::{Node, Shape},
    scratch::{Scratch, Writer},
    strings::Strings,
    tree::{Dir, Place, STEP, Tree, own, position},
    wire::put_varint,
};
use crate::{build::sections::timestamp, details::visible_xattr};
use std::io::Write as _;

struct Lay<'a> {
    dirs: &'a mut [Dir],
    facts: &'a mut ImageFacts,
    strings: &'a Strings,
    children: Writer,
    index: Writer,
    /// Bytes of children, and of index, so far.
    at: u64,
    index_at: u64,
    /// The directory at hand: its id, and its place when it is in the tree.
    parent: Option<(u64, Option<usize>)>,
    last_name: Vec<u8>,
    /// The permission that was looked up last, and whether its names are known.
    permission: Option<(u64, bool)>,
    /// Open files and quotas: the directory with the name in it, or the directory itself.
    open: Vec<(u64, Vec<u8>, OpenFile)>,
    quotas: Vec<(u64, QuotaFact)>,
}

pub(super) fn lay(
    mut joined: Joined,
    scratch: &Scratch,
    options: &FsimageOptions,
    strings: Strings,
    mut facts: ImageFacts,
) -> Outcome<(Tree, ImageFacts)> {
    let mut lay = Lay {
        dirs: &mut joined.dirs,
        facts: &mut facts,
        strings: &strings,
        children: scratch.writer()?,
        index: scratch.writer()?,
        at: 0,
        index_at: 0,
        parent: None,
        last_name: Vec::new(),
        permission: None,
        open: Vec::new(),
        quotas: Vec::new(),
    };
    lay.count(&joined.root, None);
    let mut done = 0_u64;
    while joined.entries.next(|key, record| lay.entry(key, record))?.is_some() {
        done += 1;
        if done.is_multiple_of(4096) {
            scratch.check()?;
            if let Some(progress) = &options.progress {
                progress.0(Progress { stage: Stage::Tree, done, total: Some(lay.facts.inodes) });
            }
        }
    }
    let Lay { children, index, open, quotas, .. } = lay;
    let (children, index) = (children.finish()?, index.finish()?);
    let tree = Tree { dirs: joined.dirs, children, index, root: joined.root, strings };
    for (dir, name, mut file) in open {
        let Some(path) = tree.path_of(dir)? else { continue };
        file.path = path.join(&name);
        facts.open.push(file);
    }
    for (dir, mut quota) in quotas {
        let Some(path) = tree.path_of(dir)? else { continue };
        quota.path = path;
        facts.quota_list.push(quota);
    }
    Ok((tree, facts))
}

impl Lay<'_> {
    fn entry(&mut self, key: &[u8], record: &[u8]) -> Outcome<()> {
        let (parent, name) = key.split_first_chunk().expect("a key of ours starts with eight bytes");
        let parent = u64::from_be_bytes(*parent);
        let node = Node::load(record).map_err(own)?;
        let again = self.parent.is_some_and(|(id, _)| id == parent);
        if !again {
            let place = position(self.dirs, parent);
            match place.map(|at| self.dirs[at].place) {
                Some(Place::Tree) => {}
                Some(Place::Snapshot) => {
                    self.facts.snapshot_only += 1;
                    return Ok(());
                }
                Some(Place::Unknown | Place::Asked | Place::Nowhere) | None => {
                    self.facts.findings.orphans += 1;
                    return Ok(());
                }
            }
            self.parent = Some((parent, place));
            if let Some(at) = place {
                (self.dirs[at].children_at, self.dirs[at].index_at) = (self.at, self.index_at);
            }
        } else if self.last_name == name {
            self.facts.findings.duplicate_names += 1;
            return Ok(());
        }
        self.last_name.clear();
        self.last_name.extend_from_slice(name);
        self.write(name, record, &node)?;
        self.count(&node, Some((parent, name)));
        Ok(())
    }

    fn write(&mut self, name: &[u8], record: &[u8], node: &Node) -> Outcome<()> {
        let Some((_, Some(parent))) = self.parent else { return Ok(()) };
        if self.dirs[parent].count.is_multiple_of(STEP) {
            self.index.write_all(&self.at.to_le_bytes()).map_err(Broken::from_scratch)?;
            self.index_at += 8;
        }
        self.dirs[parent].count += 1;
        if let (Shape::Dir, Some(place)) = (node.shape, position(self.dirs, node.id)) {
            self.dirs[place].record_at = self.at;
        }
        for part in [name, record] {
            let mut frame = Vec::with_capacity(10);
            let len = u64::try_from(part.len()).expect("a length fits 64 bits");
            put_varint(&mut frame, len);
            self.children.write_all(&frame).map_err(Broken::from_scratch)?;
            self.children.write_all(part).map_err(Broken::from_scratch)?;
            self.at += u64::try_from(frame.len()).expect("a length fits 64 bits") + len;
        }
        Ok(())
    }

    /// Adds an entry of the tree to the facts; `at` is its directory and name, absent for the root.
    fn count(&mut self, node: &Node, at: Option<(u64, &[u8])>) {
        let facts = &mut *self.facts;
        facts.newest_mtime = facts.newest_mtime.max(timestamp(node.mtime));
        facts.acls += u64::from(!node.acl.is_empty());
        let mut names = node.xattrs.iter();
        facts.xattrs += u64::from(names.any(|(name, _)| visible_xattr(self.strings, *name).is_some()));
        if self.permission.is_none_or(|(permission, _)| permission != node.permission) {
            let (user, group, _) = self.strings.permission(node.permission);
            self.permission = Some((node.permission, user.is_some() && group.is_some()));
        }
        facts.findings.unknown_names += u64::from(self.permission.is_some_and(|(_, known)| !known));
        match node.shape {
            Shape::File => {
                facts.files += 1;
                facts.bytes = facts.bytes.saturating_add(node.size);
                facts.blocks += node.blocks;
                facts.raw_bytes = facts.raw_bytes.saturating_add(raw_bytes(node, facts));
                if node.policy != 0 {
                    *facts.policy_files.entry(node.policy).or_default() += 1;
                }
                if let (true, Some(policy)) = (node.striped, node.ec_policy) {
                    *facts.ec_files.entry(policy).or_default() += 1;
                }
                let encrypted = crate::details::has_raw_xattr(node, self.strings, "hdfs.crypto.file.encryption.info");
                facts.encrypted_files += u64::from(encrypted);
            }
            Shape::Dir => {
                facts.dirs += 1;
                let zone = crate::details::has_raw_xattr(node, self.strings, "hdfs.crypto.encryption.zone");
                facts.encryption_zones += u64::from(zone);
                self.quota(node);
            }
            Shape::Symlink => facts.symlinks += 1,
        }
        if let (Some((client, machine)), Some((parent, name))) = (&node.open, at) {
            self.facts.open_files += 1;
            if self.open.len() < LIST_MAX {
                let text = |raw: &[u8]| String::from_utf8_lossy(raw).into_owned();
                let file = OpenFile { path: model::RelPath::ROOT, client: text(client), machine: text(machine) };
                self.open.push((parent, name.to_vec(), file));
            }
        }
    }

    fn quota(&mut self, node: &Node) {
        if node.name_quota.is_none() && node.space_quota.is_none() && node.type_quotas.is_empty() {
            return;
        }
        self.facts.quotas += 1;
        if self.quotas.len() < LIST_MAX {
            let quota = QuotaFact {
                path: model::RelPath::ROOT,
                names: node.name_quota,
                bytes: node.space_quota,
                by_storage: node.type_quotas.clone(),
            };
            self.quotas.push((node.id, quota));
        }
    }
}

/// Bytes on DataNodes. A striped file has, besides its data, the parity of each stripe; the cells of the last
/// stripe's parity are as long as its longest data cell (`StripedBlockUtil.spaceConsumedByStripedBlock`).
fn raw_bytes(node: &Node, facts: &ImageFacts) -> u64 {
    if !node.striped {
        return node.size.saturating_mul(u64::from(node.replication));
    }
    let policy = node.ec_policy.and_then(|id| facts.ec_policies.get(&id));
    let Some(policy) = policy.filter(|policy| policy.data_units > 0 && policy.cell_size > 0) else { return node.size };
    let cell = u64::from(policy.cell_size);
    let stripe = cell.saturating_mul(u64::from(policy.data_units));
    let parity_cells = (node.size / stripe).saturating_mul(cell).saturating_add((node.size % stripe).min(cell));
    node.size.saturating_add(parity_cells.saturating_mul(u64::from(policy.parity_units)))
}
