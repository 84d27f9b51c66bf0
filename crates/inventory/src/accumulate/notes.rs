//! What was met on the walk that somebody should know of: counted, with bytes and examples, in bounded memory.

use super::{largest::Examples, links::LinkCounts};
use crate::{Finding, Weight, finding};
use model::{Acl, Entry, Kind, RelPath};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `FILE_ATTRIBUTE_*` of [MS-FSCC] 2.6.
mod attribute {
    pub(super) const REPARSE_POINT: u32 = 0x400;
    pub(super) const COMPRESSED: u32 = 0x800;
    pub(super) const OFFLINE: u32 = 0x1000;
    pub(super) const ENCRYPTED: u32 = 0x4000;
    pub(super) const RECALL_ON_OPEN: u32 = 0x4_0000;
    pub(super) const RECALL_ON_DATA_ACCESS: u32 = 0x40_0000;
}

/// Longest name that common file systems take, bytes.
const LONGEST_NAME: usize = 255;

/// What a walk meets besides entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// A directory that could not be read.
    Unreadable,
    /// A directory that is one of those that hold it.
    Loop,
    /// A directory where another volume begins.
    OtherVolume,
    /// A directory of snapshots that was left out.
    SnapshotDirectory,
    /// A snapshot in such a directory; named as an example, not counted.
    Snapshot,
}

impl Noted {
    const fn word(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Loop => "loops",
            Self::OtherVolume => "other-volumes",
            Self::SnapshotDirectory => "snapshot-directories",
            Self::Snapshot => SNAPSHOTS,
        }
    }
}

const SNAPSHOTS: &str = "snapshots";
/// Kind of the finding that a server does not list everything.
pub(super) const HIDDEN: &str = "hidden-entries";

/// Of each kind, how many, how large, and a few.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Notes(BTreeMap<String, Tally>);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Tally {
    count: u64,
    bytes: u64,
    examples: Examples,
}

impl Notes {
    pub(super) fn add(&mut self, kind: &str, path: &RelPath, bytes: u64) {
        if !self.0.contains_key(kind) {
            self.0.insert(kind.to_owned(), Tally::default());
        }
        if let Some(tally) = self.0.get_mut(kind) {
            tally.count += 1;
            tally.bytes = tally.bytes.saturating_add(bytes);
            tally.examples.offer(path);
        }
    }

    pub(super) fn noted(&mut self, what: Noted, path: &RelPath) {
        self.add(what.word(), path, 0);
    }

    /// Whatever one entry has about it.
    pub(super) fn entry(&mut self, entry: &Entry, sparse: bool) {
        let path = &entry.path;
        let file = entry.kind.is_file();
        let size = if file { entry.stamp.size } else { 0 };
        if matches!(entry.kind, Kind::Special(_)) {
            self.add("special-files", path, 0);
        }
        if file && entry.nlink.is_some_and(|links| links > 1) {
            self.add("hard-links", path, size);
        }
        if sparse {
            self.add("sparse-files", path, size);
        }
        let Some(meta) = entry.meta.as_deref() else { return };
        match &meta.acl {
            Some(Acl::Posix1e(_)) => self.add("posix-acls", path, size),
            Some(Acl::Nfs4(_)) => self.add("nfs4-acls", path, size),
            Some(Acl::NtfsDescriptor(_)) => self.add("ntfs-acls", path, size),
            None => {}
        }
        if !meta.xattrs.is_empty() {
            self.add("extended-attributes", path, size);
        }
        if !meta.streams.is_empty() {
            self.add("alternate-streams", path, size);
        }
        let Some(bits) = meta.ntfs_attributes else { return };
        let has = |bit: u32| bits & bit != 0;
        if has(attribute::REPARSE_POINT) && !matches!(entry.kind, Kind::Symlink { .. }) {
            self.add("reparse-points", path, size);
        }
        if file && (has(attribute::OFFLINE) || has(attribute::RECALL_ON_OPEN) || has(attribute::RECALL_ON_DATA_ACCESS))
        {
            self.add("offline-files", path, size);
        }
        if file && has(attribute::ENCRYPTED) {
            self.add("encrypted-files", path, size);
        }
        if file && has(attribute::COMPRESSED) {
            self.add("compressed-files", path, size);
        }
    }

    /// A name or a path that is longer than others take.
    pub(super) fn lengths(&mut self, path: &RelPath, size: u64, longest_path: usize) {
        if path.file_name().len() > LONGEST_NAME {
            self.add("long-names", path, size);
        }
        if path.len() > longest_path {
            self.add("long-paths", path, size);
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (kind, theirs) in other.0 {
            let ours = self.0.entry(kind).or_default();
            ours.count += theirs.count;
            ours.bytes = ours.bytes.saturating_add(theirs.bytes);
            ours.examples.merge(&theirs.examples);
        }
    }

    /// The findings. Of hard links, `groups` says to how many inodes they belong; of twins, how many names have one
    /// in case and in normal form; of links, what they say of hidden entries.
    pub(super) fn into_findings(mut self, groups: u64, twins: [u64; 2], links: &LinkCounts) -> Vec<Finding> {
        // Twins of which each was in another of two that were merged have a count and no note.
        for (kind, count) in [("case-twins", twins[0]), ("normal-form-twins", twins[1])] {
            if count > 0 {
                self.0.entry(kind.to_owned()).or_default();
            }
        }
        let snapshots = self.0.remove(SNAPSHOTS);
        if !links.hold() {
            self.0.remove(HIDDEN);
        }
        let mut findings = Vec::new();
        for (kind, tally) in self.0 {
            let Some((_, weight, sized, words)) = WORDS.iter().find(|(known, ..)| *known == kind) else { continue };
            let mut finding = Finding::new(&kind, *weight, *words).counted(tally.count);
            finding.examples = tally.examples.into_paths();
            if *sized {
                finding = finding.sized(tally.bytes);
            }
            match kind.as_str() {
                "hard-links" => {
                    finding.detail =
                        format!("these names belong to {groups} inodes (as their counts of links say): {words}");
                }
                // Twins are counted when a directory is complete, each name of a pair once.
                "case-twins" => finding.count = twins[0],
                "normal-form-twins" => finding.count = twins[1],
                HIDDEN => finding.detail = format!("{} subdirectories are missing: {words}", links.missing()),
                "snapshot-directories" => {
                    let newest = snapshots.clone().unwrap_or_default().examples.into_paths();
                    if !newest.is_empty() {
                        finding.examples = newest;
                        finding.detail += "; the newest are named here";
                    }
                }
                _ => {}
            }
            findings.push(finding);
        }
        finding::sort(&mut findings);
        findings
    }
}

/// Kind, weight, are its bytes worth saying, what it means and what to do.
const WORDS: [(&str, Weight, bool, &str); 23] = [
    (
        "unreadable",
        Weight::Warning,
        false,
        "could not be read, and what lies below is in no figure: give the reading account the right to read them \
         and discover again, or leave them out on purpose",
    ),
    (
        "loops",
        Weight::Warning,
        false,
        "directories that are one of those that hold them (bind mounts, junctions): they were not walked again; \
         leave them out of a move, or it would never end elsewhere",
    ),
    (
        "other-volumes",
        Weight::Note,
        false,
        "other volumes begin here; they were walked too, but size and free space are those of the root's volume: \
         discover them as systems of their own where that matters",
    ),
    (
        "snapshot-directories",
        Weight::Note,
        false,
        "directories of snapshots were found and not walked; a snapshot does not change while it is read, so it is \
         the better source for a move",
    ),
    (
        HIDDEN,
        Weight::Warning,
        false,
        "directories have more subdirectories by their count of links than the server lists: it hides or garbles \
         names (or some were removed while we looked); look at these on the server itself",
    ),
    (
        "special-files",
        Weight::Note,
        false,
        "pipes, sockets and devices: only file systems can hold them, and only root can make devices; whatever \
         uses them makes them again",
    ),
    (
        "hard-links",
        Weight::Note,
        true,
        "object stores and some file services keep each name as a copy of its own, so more bytes may be needed \
         there",
    ),
    (
        "sparse-files",
        Weight::Note,
        true,
        "less is allocated than they are long; at a target without holes they take their full length",
    ),
    (
        "posix-acls",
        Weight::Note,
        true,
        "POSIX access control lists: only targets that keep them can be as strict as the source; see the plan's \
         fidelity",
    ),
    (
        "nfs4-acls",
        Weight::Note,
        true,
        "NFSv4 access control lists: only targets that keep them can be as strict as the source; see the plan's \
         fidelity",
    ),
    (
        "ntfs-acls",
        Weight::Note,
        true,
        "Windows security descriptors: only targets that speak SMB keep them, and their accounts must be known there",
    ),
    (
        "extended-attributes",
        Weight::Note,
        true,
        "extended attributes: targets that do not keep them lose them; see the plan's fidelity",
    ),
    (
        "alternate-streams",
        Weight::Warning,
        true,
        "alternate data streams: content beside the content, which only Windows file services keep; most is the mark \
         of a download, some is not",
    ),
    (
        "reparse-points",
        Weight::Warning,
        true,
        "reparse points (junctions, deduplicated or tiered files): what is read through them may lie elsewhere or \
         be called back; look at what made them before a move",
    ),
    (
        "offline-files",
        Weight::Warning,
        true,
        "content that lies on tape or in a cloud tier: reading it calls it back, which is slow, may cost money, and \
         may fill the volume; recall in batches or move it in its tier",
    ),
    (
        "encrypted-files",
        Weight::Warning,
        true,
        "encrypted by Windows (EFS): only holders of the keys can read them, so export the keys or decrypt before a \
         move",
    ),
    (
        "compressed-files",
        Weight::Note,
        true,
        "compressed by Windows: they take their full length at a target that does not compress",
    ),
    (
        "doubtful-times",
        Weight::Note,
        true,
        "times before 1970 or after 2038-01-19, which some protocols cannot hold; lifecycle rules by age will treat \
         them wrongly",
    ),
    (
        "long-names",
        Weight::Warning,
        true,
        "names over 255 bytes, which most file systems refuse; shorten them or let the plan map them",
    ),
    (
        "long-paths",
        Weight::Warning,
        true,
        "paths over 1,024 bytes, the longest key of S3; shorten them or choose a file service",
    ),
    (
        "case-twins",
        Weight::Warning,
        false,
        "names that differ from a neighbour only in case: targets that do not tell case apart (SMB) hold only one of \
         them; rename them or let the plan map them",
    ),
    (
        "normal-form-twins",
        Weight::Warning,
        false,
        "names that differ from a neighbour only in Unicode normal form: some targets hold only one of them; rename \
         them or let the plan map them",
    ),
    (
        "twins-not-searched",
        Weight::Note,
        false,
        "directories with more names than are compared: names in them that differ only in case or Unicode form are \
         not counted; case-insensitive targets may refuse some",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_words_once() {
        let mut kinds: Vec<&str> = WORDS.iter().map(|(kind, ..)| *kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), WORDS.len());
        for what in [Noted::Unreadable, Noted::Loop, Noted::OtherVolume, Noted::SnapshotDirectory] {
            assert!(kinds.contains(&what.word()));
        }
    }
}
