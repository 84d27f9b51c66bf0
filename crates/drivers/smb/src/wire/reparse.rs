//! Reparse points: links, mount points, and what Unix keeps in them ([MS-FSCC] 2.1.2).

use super::cursor::{Malformed, Reader, part};
use crate::names;
use bytes::Bytes;
use model::{Kind, Special};

/// `IO_REPARSE_TAG_*` that are links or special files ([MS-FSCC] 2.1.2.1).
pub(crate) mod tag {
    pub const MOUNT_POINT: u32 = 0xA000_0003;
    pub const SYMLINK: u32 = 0xA000_000C;
    pub const LX_SYMLINK: u32 = 0xA000_001D;
    pub const LX_FIFO: u32 = 0x8000_0024;
    pub const AF_UNIX: u32 = 0x8000_0023;
    pub const NFS: u32 = 0x8000_0014;
}

/// What NFS for Windows keeps in its reparse points ([MS-FSCC] 2.1.2.6).
mod nfs {
    pub const LINK: u64 = 0x0000_0000_014B_4E4C;
    pub const CHAR: u64 = 0x0000_0000_0052_4843;
    pub const BLOCK: u64 = 0x0000_0000_004B_4C42;
    pub const FIFO: u64 = 0x0000_0000_4F46_4946;
    pub const SOCKET: u64 = 0x0000_0000_4B43_4F53;
}

/// What the tag alone tells: a link (its target not yet known) or a special file; `None` for what stays a file or
/// directory (placeholders of clouds, deduplication, tape).
///
/// Where the data must decide ([`needs_data`]) it is a link here: whoever wants to have it must then ask where it
/// leads, and hears why that cannot be told. As anything else it would be taken for what it may not be.
pub(crate) fn kind_of_tag(reparse: u32) -> Option<Kind> {
    match reparse {
        tag::MOUNT_POINT | tag::SYMLINK | tag::LX_SYMLINK | tag::NFS => Some(Kind::Symlink { target: Bytes::new() }),
        tag::LX_FIFO => Some(Kind::Special(Special::Fifo)),
        tag::AF_UNIX => Some(Kind::Special(Special::Socket)),
        _ => None,
    }
}

/// Must the data be asked for to know what it is, beyond the target of a link?
pub(crate) fn needs_data(reparse: u32) -> bool {
    matches!(reparse, tag::NFS | tag::MOUNT_POINT)
}

/// What a `REPARSE_DATA_BUFFER` says it is; `None` for what stays a file or directory.
pub(crate) fn kind_of_data(raw: &[u8]) -> Result<Option<Kind>, Malformed> {
    let mut at = Reader::new(raw);
    let reparse = at.u32()?;
    let len = usize::from(at.u16()?);
    at.skip(2)?;
    let data = at.bytes(len)?;
    let link = |target: Vec<u8>| Some(Kind::Symlink { target: target.into() });
    Ok(match reparse {
        tag::SYMLINK => link(substitute(data, 12)?),
        tag::MOUNT_POINT => match substitute(data, 8)? {
            // The content is reached by this path alone, so it is a directory of the share. Loops are for a walk to see.
            target if is_volume(&target) => Some(Kind::Dir),
            target => link(target),
        },
        // A version, then UTF-8.
        tag::LX_SYMLINK => link(data.get(4..).ok_or(Malformed("a link of Linux is too short"))?.to_vec()),
        tag::NFS => of_nfs(data)?,
        other => kind_of_tag(other),
    })
}

/// The substitute name: where the link leads, in the words of NT (`\??\C:\dir`, or relative).
fn substitute(data: &[u8], names_at: usize) -> Result<Vec<u8>, Malformed> {
    let mut at = Reader::new(data);
    let (offset, len) = (at.u16()?, at.u16()?);
    let names = data.get(names_at..).ok_or(Malformed("a link is too short"))?;
    Ok(names::from_wire(part(names, offset.into(), len.into())?))
}

/// Is what is mounted there a whole volume, not another directory?
fn is_volume(target: &[u8]) -> bool {
    const VOLUME: &[u8] = br"\??\Volume{";
    target.get(..VOLUME.len()).is_some_and(|start| start.eq_ignore_ascii_case(VOLUME))
}

fn of_nfs(data: &[u8]) -> Result<Option<Kind>, Malformed> {
    let mut at = Reader::new(data);
    let kind = at.u64()?;
    let mut device = || -> Result<u64, Malformed> {
        let (major, minor) = (u64::from(at.u32()?), u64::from(at.u32()?));
        // As glibc's `makedev` packs it.
        Ok((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & !0xff) << 12) | ((major & !0xfff) << 32))
    };
    Ok(match kind {
        nfs::LINK => Some(Kind::Symlink { target: names::from_wire(at.rest()).into() }),
        nfs::CHAR => Some(Kind::Special(Special::Char { rdev: device()? })),
        nfs::BLOCK => Some(Kind::Special(Special::Block { rdev: device()? })),
        nfs::FIFO => Some(Kind::Special(Special::Fifo)),
        nfs::SOCKET => Some(Kind::Special(Special::Socket)),
        _ => return Err(Malformed("what NFS keeps in a reparse point is of an unknown kind")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(reparse: u32, data: &[u8]) -> Vec<u8> {
        let mut raw = reparse.to_le_bytes().to_vec();
        raw.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
        raw.extend([0, 0]);
        raw.extend(data);
        raw
    }

    #[test]
    fn links_of_every_sort_tell_their_target() {
        let target = |kind: &[u8]| Some(Kind::Symlink { target: Bytes::copy_from_slice(kind) });
        // The print name first, then the substitute name.
        let names = names::le_bytes(&names::utf16(r"C:\dir\??\C:\dir"));
        let ranges = [12_u16, 20, 0, 12];
        let head: Vec<u8> = ranges.iter().flat_map(|n| n.to_le_bytes()).collect();
        let link = [&head[..], &[0; 4], &names].concat();
        assert_eq!(kind_of_data(&buffer(tag::SYMLINK, &link)).unwrap(), target(br"\??\C:\dir"));
        let mount = [&head[..], &names].concat();
        assert_eq!(kind_of_data(&buffer(tag::MOUNT_POINT, &mount)).unwrap(), target(br"\??\C:\dir"));
        assert_eq!(kind_of_data(&buffer(tag::LX_SYMLINK, b"\x02\0\0\0../x")).unwrap(), target(b"../x"));
        let device = [nfs::CHAR.to_le_bytes().to_vec(), vec![1, 0, 0, 0, 3, 0, 0, 0]].concat();
        let found = kind_of_data(&buffer(tag::NFS, &device)).unwrap();
        assert_eq!(found, Some(Kind::Special(Special::Char { rdev: 0x103 })));
        assert_eq!(kind_of_data(&buffer(0x8000_0013, b"dedup")).unwrap(), None);
        assert!(kind_of_data(&buffer(tag::SYMLINK, &[0, 0, 255, 255])).is_err());
        assert!(kind_of_data(&buffer(tag::NFS, b"no kind!")).is_err());
    }
    /// [MS-FSCC] 2.1.2.5: the ranges of substitute and print name, each in bytes, then both with a NUL behind.
    fn mount_point(substitute: &str, print: &str) -> Vec<u8> {
        let (substitute, print) = (names::le_bytes(&names::utf16(substitute)), names::le_bytes(&names::utf16(print)));
        let ranges = [0, substitute.len(), substitute.len() + 2, print.len()];
        let head = ranges.iter().flat_map(|n| u16::try_from(*n).unwrap().to_le_bytes()).collect::<Vec<_>>();
        buffer(tag::MOUNT_POINT, &[&head[..], &substitute, &[0; 2], &print, &[0; 2]].concat())
    }

    #[test]
    fn a_volume_in_a_folder_is_a_directory_and_a_junction_is_a_link() {
        for volume in [r"\??\Volume{2eca078d-5cbc-43d3-aff8-7e8511f60d0e}\", r"\??\volume{0}\"] {
            assert_eq!(kind_of_data(&mount_point(volume, "")).unwrap(), Some(Kind::Dir));
        }
        for junction in [r"\??\C:\Volume{0}\", r"\??\Volume", r"\??\C:\dir"] {
            let target = Kind::Symlink { target: junction.as_bytes().to_vec().into() };
            assert_eq!(kind_of_data(&mount_point(junction, r"C:\dir")).unwrap(), Some(target));
        }
        assert!(needs_data(tag::MOUNT_POINT) && !needs_data(tag::SYMLINK));
    }
}
