//! The first sort's outcome: links meet inodes.

use super::{IN_SNAPSHOT, INODE, LINK, unkey};
use crate::{
    FsimageOptions,
    facts::ImageFacts,
    failure::{Outcome, corrupt},
    inode::{Node, ROOT, Shape, id_and_kind},
    scratch::Scratch,
    sort::{Sorted, Sorter},
    tree::{Dir, Place, own, position},
    wire::varint,
};

const _: () = assert!(LINK < INODE && IN_SNAPSHOT < INODE, "an inode comes after what is said of it");

/// Entries sorted by directory and name, and the directories by id.
pub(super) struct Joined {
    pub(super) entries: Sorted,
    pub(super) dirs: Vec<Dir>,
    pub(super) root: Node,
}

/// What is known of the inode at hand.
#[derive(Debug, Default)]
struct Current {
    id: Option<u64>,
    parent: Option<u64>,
    in_snapshot: bool,
    seen: bool,
}

pub(super) fn join(
    mut by_id: Sorted,
    scratch: &Scratch,
    options: &FsimageOptions,
    facts: &mut ImageFacts,
) -> Outcome<Joined> {
    let mut by_parent = Sorter::new(scratch.clone(), options.memory);
    let mut dirs = Vec::new();
    let mut root = None;
    let mut now = Current::default();
    let findings = &mut facts.findings;
    let mut key = Vec::new();
    while by_id
        .next(|raw, value| {
            let (id, mark) = unkey(raw);
            if now.id != Some(id) {
                findings.missing += u64::from(now.parent.is_some() && !now.seen);
                now = Current { id: Some(id), ..Current::default() };
            }
            match mark {
                LINK if id == ROOT || now.parent.is_some() => findings.duplicate_links += 1,
                LINK => now.parent = Some(varint(&mut &*value).map_err(own)?),
                IN_SNAPSHOT => now.in_snapshot = true,
                _ if now.seen => findings.duplicate_inodes += 1,
                _ => {
                    now.seen = true;
                    let mut rest = value;
                    let len = usize::try_from(varint(&mut rest).map_err(own)?).ok();
                    let (name, record) = len.and_then(|len| rest.split_at_checked(len)).unwrap_or((&[], rest));
                    let (_, shape) = id_and_kind(record).map_err(own)?;
                    if id == ROOT {
                        if shape != Shape::Dir {
                            return Err(corrupt("INODE", "the root is no directory"));
                        }
                        root = Some(Node::load(record).map_err(own)?);
                        dirs.push(Dir::new(id, 0, Place::Tree));
                        return Ok(());
                    }
                    let lost = if now.in_snapshot { Place::Snapshot } else { Place::Nowhere };
                    let parent = match now.parent {
                        Some(_) if !is_name(name) => {
                            findings.bad_names += 1;
                            None
                        }
                        parent => parent,
                    };
                    if shape == Shape::Dir {
                        let place = if parent.is_some() { Place::Unknown } else { lost };
                        dirs.push(Dir::new(id, parent.unwrap_or(0), place));
                    }
                    match parent {
                        Some(parent) => {
                            key.clear();
                            key.extend_from_slice(&parent.to_be_bytes());
                            key.extend_from_slice(name);
                            by_parent.push(&key, record)?;
                        }
                        None if now.parent.is_some() => {}
                        None if lost == Place::Snapshot => facts.snapshot_only += 1,
                        None => findings.orphans += 1,
                    }
                }
            }
            Ok(())
        })?
        .is_some()
    {}
    findings.missing += u64::from(now.parent.is_some() && !now.seen);
    let root = root.ok_or_else(|| corrupt("INODE", "the root is missing"))?;
    dirs.shrink_to_fit();
    findings.cycles += settle(&mut dirs);
    Ok(Joined { entries: by_parent.sorted()?, dirs, root })
}

/// Can it stand in a path?
fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, b'/' | 0))
}

impl Dir {
    fn new(id: u64, parent: u64, place: Place) -> Self {
        Self { id, parent, children_at: 0, index_at: 0, count: 0, record_at: 0, place }
    }
}

/// Finds out where each directory is, by way of its parents. Returns how many cycles there are.
fn settle(dirs: &mut [Dir]) -> u64 {
    let mut cycles = 0;
    let mut asked = Vec::new();
    for start in 0..dirs.len() {
        let mut at = Some(start);
        let place = loop {
            let Some(here) = at else { break Place::Nowhere };
            match dirs[here].place {
                Place::Unknown => {
                    dirs[here].place = Place::Asked;
                    asked.push(here);
                    at = position(dirs, dirs[here].parent);
                }
                Place::Asked => {
                    cycles += 1;
                    break Place::Nowhere;
                }
                known @ (Place::Tree | Place::Snapshot | Place::Nowhere) => break known,
            }
        };
        for here in asked.drain(..) {
            dirs[here].place = place;
        }
    }
    cycles
}
