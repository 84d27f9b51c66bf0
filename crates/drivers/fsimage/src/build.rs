//! From an image to a tree, in bounded memory.
//!
//! Neither inodes nor directories stand in an order that helps, and the children of a directory stand apart from
//! the inodes. So both are sorted by inode first: where a link (`child is in parent`) and the inode with that id
//! meet, the entry is complete, and it is put into a second sort by directory and name, whose outcome is the
//! file of children. Directories are noted on the way. Time: two external sorts. Disk: up to twice the stored
//! inodes at a time (some 60 bytes and the name each). Memory: the two sorts' budget, the string table, and 56
//! bytes for each directory.

mod join;
mod lay;
mod sections;

use crate::{
    FsimageOptions, Progress, Stage,
    facts::ImageFacts,
    failure::{Outcome, corrupt, misread},
    inode,
    messages::{Messages, Streamed},
    scratch::Scratch,
    sort::Sorter,
    strings::Strings,
    summary::Image,
    tree::Tree,
    wire::{Fields, put_varint},
};
use sections::References;
pub(crate) use sections::timestamp;

/// Marks of the three kinds of record in the first sort: at each id the links come first, the inode last.
const LINK: u8 = 0;
const IN_SNAPSHOT: u8 = 1;
const INODE: u8 = 2;

/// What the passes share.
struct Build<'a> {
    image: &'a Image,
    scratch: &'a Scratch,
    options: &'a FsimageOptions,
    facts: ImageFacts,
    by_id: Sorter,
    references: References,
}

/// Reads the image: its tree and its facts.
pub(crate) fn build(image: &Image, scratch: &Scratch, options: &FsimageOptions) -> Outcome<(Tree, ImageFacts)> {
    let strings = Strings::read(image)?;
    let facts = sections::facts(image)?;
    let references = References::read(image, scratch)?;
    let by_id = Sorter::new(scratch.clone(), options.memory);
    let mut build = Build { image, scratch, options, facts, by_id, references };
    build.links()?;
    build.snapshot_diffs()?;
    build.inodes()?;

    let Build { mut facts, by_id, references, .. } = build;
    facts.findings.bad_references = references.missed;
    drop(references);
    let joined = join::join(by_id.sorted()?, scratch, options, &mut facts)?;
    let (tree, mut facts) = lay::lay(joined, scratch, options, strings, facts)?;
    sections::snapshots(image, &tree, &mut facts)?;
    facts.scratch_peak = scratch.peak();
    Ok((tree, facts))
}

impl Build<'_> {
    /// `INODE_DIR`: which inodes lie in which directory, by id or by a reference.
    fn links(&mut self) -> Outcome<()> {
        let Some(section) = self.image.section("INODE_DIR") else { return Ok(()) };
        let mut messages = Messages::open(self.image, section);
        let mut value = Vec::new();
        while let Some(mut within) = messages.enter()? {
            let mut parent = None;
            loop {
                match messages.field(&mut within, |field| (1..=3).contains(&field))? {
                    Streamed::End => break,
                    Streamed::Other => {}
                    Streamed::Number(1, id) => parent = Some(id),
                    Streamed::Number(field, number) => {
                        // Every writer of protobuf writes fields in the order of their numbers.
                        let parent = parent.ok_or_else(|| corrupt("INODE_DIR", "children without a directory"))?;
                        let child = if field == 2 { Some(number) } else { self.references.get(number)? };
                        if let Some(child) = child {
                            value.clear();
                            put_varint(&mut value, parent);
                            self.by_id.push(&key(child, LINK), &value)?;
                        }
                    }
                }
            }
            self.tell(Stage::Directories, messages.read)?;
        }
        Ok(())
    }

    /// `SNAPSHOT_DIFF`: which inodes were deleted or moved away and stay for the sake of snapshots.
    fn snapshot_diffs(&mut self) -> Outcome<()> {
        const SECTION: &str = "SNAPSHOT_DIFF";
        const DIRECTORY_DIFF: u64 = 2;
        let Some(section) = self.image.section(SECTION) else { return Ok(()) };
        let mut messages = Messages::open(self.image, section);
        let wrong = misread(SECTION);
        while let Some(entry) = messages.next()? {
            let mut fields = Fields(entry);
            let (mut kind, mut diffs) = (0, 0);
            while let Some((field, value)) = fields.next().map_err(&wrong)? {
                match field {
                    1 => kind = value.number().map_err(&wrong)?,
                    3 => diffs = value.number32().map_err(&wrong)?,
                    _ => {}
                }
            }
            if kind != DIRECTORY_DIFF {
                messages.skip(u64::from(diffs))?;
                continue;
            }
            for _ in 0..diffs {
                let mut within = messages.enter()?.ok_or_else(|| corrupt(SECTION, "it ends within a difference"))?;
                let mut created = 0;
                loop {
                    match messages.field(&mut within, |field| (6..=8).contains(&field))? {
                        Streamed::End => break,
                        Streamed::Other => {}
                        Streamed::Number(6, count) => created = count,
                        Streamed::Number(7, id) => self.by_id.push(&key(id, IN_SNAPSHOT), &[])?,
                        Streamed::Number(_, reference) => {
                            if let Some(id) = self.references.get(reference)? {
                                self.by_id.push(&key(id, IN_SNAPSHOT), &[])?;
                            }
                        }
                    }
                }
                messages.skip(created)?;
            }
            self.scratch.check()?;
        }
        Ok(())
    }

    /// `INODE`: a head with the count, then the inodes.
    fn inodes(&mut self) -> Outcome<()> {
        const SECTION: &str = "INODE";
        let section = self.image.section(SECTION).ok_or_else(|| corrupt(SECTION, "the section is missing"))?;
        let mut messages = Messages::open(self.image, section);
        let head = messages.next()?.ok_or_else(|| corrupt(SECTION, "it is empty"))?;
        let mut fields = Fields(head);
        while let Some((field, value)) = fields.next().map_err(misread(SECTION))? {
            if field == 2 {
                self.facts.inodes = value.number().map_err(misread(SECTION))?;
            }
        }
        let mut count = 0;
        let mut stored = Vec::new();
        while let Some(message) = messages.next()? {
            let (name, node) = inode::read(message)?;
            stored.clear();
            put_varint(&mut stored, u64::try_from(name.len()).expect("a length fits 64 bits"));
            stored.extend_from_slice(name);
            node.store(&mut stored);
            self.by_id.push(&key(node.id, INODE), &stored)?;
            count += 1;
            if count % 4096 == 0 {
                self.tell(Stage::Inodes, count)?;
            }
        }
        if count == self.facts.inodes {
            return Ok(());
        }
        Err(corrupt(SECTION, format!("it says that it holds {} inodes, and holds {count}", self.facts.inodes)))
    }

    fn tell(&self, stage: Stage, done: u64) -> Outcome<()> {
        self.scratch.check()?;
        if let Some(progress) = &self.options.progress {
            let total = if stage == Stage::Inodes { self.facts.inodes } else { 0 };
            progress.0(Progress { stage, done, total: (total > 0).then_some(total) });
        }
        Ok(())
    }
}

fn key(id: u64, mark: u8) -> [u8; 9] {
    let mut key = [mark; 9];
    key[..8].copy_from_slice(&id.to_be_bytes());
    key
}

/// The id and the mark of a key.
fn unkey(key: &[u8]) -> (u64, u8) {
    let (id, mark) = key.split_first_chunk().expect("a key of ours has nine bytes");
    (u64::from_be_bytes(*id), mark.first().copied().unwrap_or(INODE))
}
