//! From `fattr3` to the words of `model`.

use bytes::Bytes;
use model::{Entry, Facets, FileId, Kind, Metadata, Posix, Principal, RelPath, Special, Stamp, Timestamp};
use nfs3_types::nfs3::{fattr3, ftype3, nfstime3, specdata3};

/// Facets that every `fattr3` carries, at no request of their own.
pub(crate) const READS: Facets = Facets::POSIX.and(Facets::HARD_LINKS);

/// The entry at `path`. A symbolic link gets its target later: a `fattr3` does not tell it.
pub(crate) fn entry(path: RelPath, handle: Bytes, attributes: &fattr3, want: Facets) -> Entry {
    let mut entry = Entry::new(path, kind(attributes), stamp(attributes));
    entry.meta = (!want.shared(Facets::POSIX).is_empty()).then(|| Box::new(metadata(attributes)));
    entry.nlink = Some(attributes.nlink);
    entry.allocated = Some(attributes.used);
    entry.locator = Some(handle);
    entry
}

/// What decides whether it changed. NFSv3 has no change counter: the time of the last change of the inode is
/// the nearest thing to it, as fine as the server's clock.
pub(crate) fn stamp(attributes: &fattr3) -> Stamp {
    let changed = attributes.ctime;
    Stamp {
        size: attributes.size,
        mtime: Some(timestamp(attributes.mtime)),
        change: Some(u64::from(changed.seconds) * 1_000_000_000 + u64::from(changed.nseconds)),
        etag: None,
        file_id: Some(FileId { volume: attributes.fsid, inode: attributes.fileid }),
    }
}

fn kind(attributes: &fattr3) -> Kind {
    match attributes.type_ {
        ftype3::NF3REG => Kind::File,
        ftype3::NF3DIR => Kind::Dir,
        ftype3::NF3LNK => Kind::Symlink { target: Bytes::new() },
        ftype3::NF3FIFO => Kind::Special(Special::Fifo),
        ftype3::NF3SOCK => Kind::Special(Special::Socket),
        ftype3::NF3BLK => Kind::Special(Special::Block { rdev: device(&attributes.rdev) }),
        ftype3::NF3CHR => Kind::Special(Special::Char { rdev: device(&attributes.rdev) }),
    }
}

fn metadata(attributes: &fattr3) -> Metadata {
    Metadata {
        mtime: Some(timestamp(attributes.mtime)),
        atime: Some(timestamp(attributes.atime)),
        posix: Some(Posix {
            mode: attributes.mode & 0o7777,
            owner: Principal::Id(attributes.uid),
            group: Principal::Id(attributes.gid),
        }),
        ..Metadata::default()
    }
}

/// NFSv3 counts seconds in an *unsigned* 32-bit number (RFC 1813, section 2.6): 1970 to 2106. What a server
/// holds from before 1970 wraps round and arrives 136 years late (1960 as 2096), and nothing on the wire
/// tells the two apart.
pub(crate) fn timestamp(time: nfstime3) -> Timestamp {
    Timestamp { secs: i64::from(time.seconds), nanos: time.nseconds.min(999_999_999) }
}

/// As glibc's `makedev` packs it: the wire has major and minor apart.
fn device(spec: &specdata3) -> u64 {
    let (major, minor) = (u64::from(spec.specdata1), u64::from(spec.specdata2));
    (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & !0xff) << 12) | ((major & !0xfff) << 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_number_is_packed_as_linux_does() {
        assert_eq!(device(&specdata3 { specdata1: 1, specdata2: 3 }), 0x103);
        // makedev(259, 70000) of glibc
        assert_eq!(device(&specdata3 { specdata1: 259, specdata2: 70000 }), 0x1111_0370);
        assert_eq!(device(&specdata3 { specdata1: 0x1234_5678, specdata2: 0x9abc_def0 }), 0x1234_59ab_cde6_78f0);
    }

    #[test]
    fn a_time_before_1970_arrives_136_years_late() {
        let wire = nfstime3 { seconds: 3_979_348_096, nseconds: 5 };
        assert_eq!(timestamp(wire), Timestamp { secs: (1_i64 << 32) - 315_619_200, nanos: 5 });
    }
}
