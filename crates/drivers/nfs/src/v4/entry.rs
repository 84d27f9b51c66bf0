//! From attributes of NFSv4 to the words of `model`.

use super::attributes::{Attributes, Bitmap, bit};
use bytes::Bytes;
use model::{Acl, Entry, Facets, FileId, Kind, Metadata, Posix, RelPath, Special, Stamp};

/// `nfs_ftype4`: a regular file.
pub(crate) const FILE: u32 = 1;
/// A directory.
pub(crate) const DIR: u32 = 2;

/// What an entry needs.
pub(crate) const ENTRY: Bitmap = Bitmap::of(&[
    bit::TYPE,
    bit::CHANGE,
    bit::SIZE,
    bit::FSID,
    bit::FILEHANDLE,
    bit::FILEID,
    bit::MODE,
    bit::NUM_LINKS,
    bit::OWNER,
    bit::OWNER_GROUP,
    bit::RAW_DEV,
    bit::SPACE_USED,
    bit::TIME_ACCESS,
    bit::TIME_CREATE,
    bit::TIME_METADATA,
    bit::TIME_MODIFY,
]);

/// What tells whether content is still the same.
pub(crate) const STAMP: Bitmap = Bitmap::of(&[bit::CHANGE, bit::SIZE, bit::FSID, bit::FILEID, bit::TIME_MODIFY]);

/// What to ask for so that an entry has what `want` says. A server leaves out what it does not support.
pub(crate) fn asked(want: Facets) -> Bitmap {
    if want.has(Facets::NFS4_ACL) { ENTRY.with(bit::ACL) } else { ENTRY }
}

/// Facets that a server tells which supports these attributes.
pub(crate) fn reads(supported: Bitmap, acl_support: Option<u32>) -> Facets {
    let mut reads = Facets::NONE;
    let mut add = |bits: &[u32], facet| {
        if bits.iter().all(|bit| supported.has(*bit)) {
            reads = reads.and(facet);
        }
    };
    add(&[bit::TIME_MODIFY], Facets::MTIME);
    add(&[bit::TIME_ACCESS], Facets::ATIME);
    add(&[bit::TIME_CREATE], Facets::BIRTH);
    add(&[bit::MODE, bit::OWNER, bit::OWNER_GROUP], Facets::MODE.and(Facets::OWNER));
    add(&[bit::NUM_LINKS, bit::FILEID], Facets::HARD_LINKS);
    if acl_support != Some(0) {
        add(&[bit::ACL], Facets::NFS4_ACL);
    }
    reads
}

/// The entry at `path`; `None` when the server does not tell what it is, or of a file how long. A symbolic link gets its target
/// later: attributes do not tell it.
pub(crate) fn entry(path: RelPath, handle: Bytes, attributes: Attributes, want: Facets) -> Option<Entry> {
    let kind = kind(&attributes)?;
    if kind.is_file() {
        attributes.size?;
    }
    let mut entry = Entry::new(path, kind, stamp(&attributes));
    entry.nlink = attributes.links;
    entry.allocated = attributes.space_used;
    entry.locator = Some(handle);
    entry.meta = (!want.shared(MEANT).is_empty()).then(|| Box::new(metadata(attributes, want)));
    Some(entry)
}

/// Facets that stand in an entry's metadata.
const MEANT: Facets = Facets::POSIX.and(Facets::BIRTH).and(Facets::NFS4_ACL);

/// What decides whether it changed.
pub(crate) fn stamp(attributes: &Attributes) -> Stamp {
    Stamp {
        size: attributes.size.unwrap_or(0),
        mtime: attributes.modified,
        change: attributes.change,
        etag: None,
        file_id: attributes.fsid.zip(attributes.fileid).map(|(fsid, inode)| FileId { volume: volume(fsid), inode }),
    }
}

/// One number for the two of an `fsid4`. Servers put device numbers there, or the halves of a UUID.
pub(crate) fn volume((major, minor): (u64, u64)) -> u64 {
    major ^ minor.rotate_left(32)
}

fn kind(attributes: &Attributes) -> Option<Kind> {
    let rdev = || attributes.device.map_or(0, device);
    Some(match attributes.kind? {
        FILE => Kind::File,
        DIR => Kind::Dir,
        3 => Kind::Special(Special::Block { rdev: rdev() }),
        4 => Kind::Special(Special::Char { rdev: rdev() }),
        5 => Kind::Symlink { target: Bytes::new() },
        6 => Kind::Special(Special::Socket),
        7 => Kind::Special(Special::Fifo),
        // Named attributes and their directories are never in a listing.
        _ => return None,
    })
}

fn metadata(told: Attributes, want: Facets) -> Metadata {
    let posix = match (told.mode, told.owner, told.group) {
        (Some(mode), Some(owner), Some(group)) => Some(Posix { mode: mode & 0o7777, owner, group }),
        _ => None,
    };
    Metadata {
        mtime: told.modified,
        atime: told.accessed,
        birth: told.created.filter(|_| want.has(Facets::BIRTH)),
        posix,
        acl: told.acl.map(Acl::Nfs4),
        ..Metadata::default()
    }
}

/// As glibc's `makedev` packs it: the wire has major and minor apart.
fn device((major, minor): (u32, u32)) -> u64 {
    let (major, minor) = (u64::from(major), u64::from(minor));
    (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & !0xff) << 12) | ((major & !0xfff) << 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_number_is_packed_as_linux_does() {
        assert_eq!(device((1, 3)), 0x103);
        // makedev(259, 70000) of glibc
        assert_eq!(device((259, 70000)), 0x1111_0370);
    }

    #[test]
    fn volumes_of_one_server_stay_apart() {
        let fsids = [(0, 0), (0, 1), (1, 0), (1, 1), (254, 3), (3, 254), (152, 152)];
        let numbers: std::collections::BTreeSet<u64> = fsids.into_iter().map(volume).collect();
        assert_eq!(numbers.len(), fsids.len());
    }

    #[test]
    fn what_a_server_does_not_tell_stays_unknown() {
        let told = Attributes { kind: Some(FILE), size: Some(3), mode: Some(0o644), ..Attributes::default() };
        let entry = entry("a".into(), Bytes::new(), told, Facets::POSIX).unwrap();
        assert_eq!((entry.stamp.mtime, entry.stamp.change, entry.stamp.file_id), (None, None, None));
        assert_eq!(entry.meta.unwrap().posix, None);
    }
}
