//! From a NameNode's file status to an entry.

use hdfs_native::client::FileStatus;
use model::{Entry, Facets, Kind, Metadata, Posix, Principal, RelPath, Stamp, Timestamp};

/// What a file status tells.
pub(crate) const READS: Facets = Facets::POSIX;

/// An entry at `path`.
pub(crate) fn entry(path: RelPath, status: &FileStatus, want: Facets) -> Entry {
    let mtime = timestamp(status.modification_time);
    let stamp = Stamp { size: size(status), mtime: Some(mtime), ..Stamp::default() };
    let mut entry = Entry::new(path, kind(status), stamp);
    if !want.shared(READS).is_empty() {
        let posix = Posix {
            mode: u32::from(status.permission) & 0o7777,
            owner: Principal::Name(status.owner.clone()),
            group: Principal::Name(status.group.clone()),
        };
        entry.meta = Some(Box::new(Metadata {
            mtime: Some(mtime),
            // 0 where the cluster does not keep it (dfs.namenode.accesstime.precision = 0), and for directories.
            atime: (status.access_time > 0).then(|| timestamp(status.access_time)),
            posix: Some(posix),
            ..Metadata::default()
        }));
    }
    entry
}

/// The length that the NameNode states; 0 for a directory.
pub(crate) fn size(status: &FileStatus) -> u64 {
    if status.isdir { 0 } else { u64::try_from(status.length).unwrap_or(u64::MAX) }
}

fn kind(status: &FileStatus) -> Kind {
    match status.blocksize {
        _ if status.isdir => Kind::Dir,
        // The crate does not tell links from files, but a file has a block size.
        None | Some(0) => Kind::Symlink { target: bytes::Bytes::new() },
        Some(_) => Kind::File,
    }
}

/// Milliseconds since 1970. Java's are signed; times before 1970 come as huge numbers.
pub(crate) fn timestamp(millis: u64) -> Timestamp {
    let millis = millis.cast_signed();
    let nanos = u32::try_from(millis.rem_euclid(1000)).expect("a remainder of 1000 fits") * 1_000_000;
    Timestamp { secs: millis.div_euclid(1000), nanos }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_are_before_1970() {
        assert_eq!(timestamp(1500), Timestamp { secs: 1, nanos: 500_000_000 });
        assert_eq!(timestamp((-1500_i64).cast_unsigned()), Timestamp { secs: -2, nanos: 500_000_000 });
    }
}
