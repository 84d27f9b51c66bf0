//! From what SMB tells of a file to the words of `model`.

use crate::wire::{
    directory::Item,
    file::{ATTRIBUTE_DIRECTORY, ATTRIBUTE_REPARSE, Network},
    query::All,
    reparse,
};
use model::{Entry, Facets, FileId, Kind, Metadata, RelPath, Stamp, Timestamp};

/// Facets that come with every entry at no request of their own.
pub(crate) const FREE: Facets = Facets::MTIME.and(Facets::ATIME).and(Facets::BIRTH).and(Facets::NTFS_ATTR);
/// Facets that can be asked for.
pub(crate) const READS: Facets = FREE.and(Facets::NTFS_SD).and(Facets::STREAMS).and(Facets::HARD_LINKS);

/// 100 ns from 1601 to 1970.
const EPOCH: i64 = 116_444_736_000_000_000;

/// A time of the wire: 100 ns since 1601. 0 means that the file system keeps none ([MS-FSCC] 2.1.1).
pub(crate) fn timestamp(ticks: u64) -> Option<Timestamp> {
    let ticks = i64::try_from(ticks).ok().filter(|ticks| *ticks > 0)? - EPOCH;
    let nanos = u32::try_from(ticks.rem_euclid(10_000_000)).ok()? * 100;
    Some(Timestamp { secs: ticks.div_euclid(10_000_000), nanos })
}

/// An inode; `None` where the file system has no number that fits into 64 bits ([MS-FSCC] 2.1.9).
fn file_id(volume: u32, id: u64) -> Option<FileId> {
    (id != 0 && id != u64::MAX).then_some(FileId { volume: volume.into(), inode: id })
}

/// What a kind is by its attributes and the tag of its reparse point.
fn kind(attributes: u32, tag: u32) -> Kind {
    let reparse = attributes & ATTRIBUTE_REPARSE != 0;
    let special = if reparse { reparse::kind_of_tag(tag) } else { None };
    special.unwrap_or(if attributes & ATTRIBUTE_DIRECTORY != 0 { Kind::Dir } else { Kind::File })
}

/// The entry of a listing.
pub(crate) fn listed(path: RelPath, item: &Item<'_>, volume: u32, want: Facets) -> Entry {
    let stamp = Stamp {
        size: item.size,
        mtime: timestamp(item.written),
        change: (item.changed != 0).then_some(item.changed),
        etag: None,
        file_id: file_id(volume, item.file_id),
    };
    let mut entry = Entry::new(path, kind(item.attributes, item.ea_or_tag), stamp);
    entry.allocated = Some(item.allocated);
    entry.meta = metadata([item.created, item.accessed, item.written], item.attributes, want);
    entry
}

/// The entry that `FileAllInformation` tells. What a reparse point is must be asked for.
pub(crate) fn told(path: RelPath, all: &All, volume: u32, want: Facets) -> Entry {
    let mut entry = Entry::new(path, if all.directory { Kind::Dir } else { Kind::File }, stamp(all, volume));
    entry.allocated = Some(all.allocated);
    entry.nlink = Some(all.links);
    entry.meta = metadata([all.created, all.accessed, all.written], all.attributes, want);
    entry
}

fn stamp(all: &All, volume: u32) -> Stamp {
    Stamp {
        size: all.size,
        mtime: timestamp(all.written),
        change: (all.changed != 0).then_some(all.changed),
        etag: None,
        file_id: file_id(volume, all.file_id),
    }
}

fn metadata(times: [u64; 3], attributes: u32, want: Facets) -> Option<Box<Metadata>> {
    let [created, accessed, written] = times.map(timestamp);
    (!want.shared(READS).is_empty()).then(|| {
        Box::new(Metadata {
            mtime: written,
            atime: accessed,
            birth: created,
            ntfs_attributes: Some(attributes),
            ..Metadata::default()
        })
    })
}

/// Is the content that these describe the same? The volume's number is left out: it may be another after a restart.
pub(crate) fn same_content(a: &Stamp, b: &Stamp) -> bool {
    let inode = |stamp: &Stamp| stamp.file_id.map(|id| id.inode);
    a.size == b.size && a.mtime == b.mtime && a.change == b.change && inode(a) == inode(b)
}

/// Is it at the end still what it was?
pub(crate) fn unchanged(before: &All, after: &Network) -> bool {
    before.size == after.size && before.written == after.written && before.changed == after.changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_from_1601_on() {
        let at = |secs, nanos| Some(Timestamp { secs, nanos });
        assert_eq!(timestamp(116_444_736_000_000_000), at(0, 0));
        assert_eq!(timestamp(116_444_735_999_999_999), at(-1, 999_999_900));
        assert_eq!(timestamp(1), at(-11_644_473_600, 100));
        assert_eq!(timestamp(0), None);
        assert_eq!(timestamp(u64::MAX), None);
        assert_eq!(timestamp(116_444_736_000_000_000 + 4_102_444_800 * 10_000_000 + 7), at(4_102_444_800, 700));
    }
}
