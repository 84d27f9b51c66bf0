//! Does somebody write the file?
//!
//! The NameNode says so over HTTP (see [`crate::http`]). Where that is silent, two things over RPC tell nearly as much:
//!
//! - The content summary of a single file counts the space of an unfinished block as that of a full one, for every
//!   replica (`INodeFile.storagespaceConsumedContiguous`), while its length counts what was flushed to it, mostly
//!   nothing. So a file that takes a block more than its length explains is refused. (With erasure coding parity takes
//!   space, too: a finished file of more than about two blocks is refused with the others, for want of a better rule.)
//! - A file without an unfinished block may still be open: nobody has written a byte yet, or a block that failed was
//!   just given back. Then its length is a whole number of blocks, 0 mostly. Opening a new file sets its time. So such
//!   a file is refused until its time is a day old; an older one is what it has been for a day, and closing it after
//!   any write sets its time, by which the next look finds it.

use crate::cluster::Shared;
use hdfs_native::client::FileStatus;
use model::{RelPath, Stamp, Timestamp};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use storage::{Error, ErrorKind, Result};

const OP: &str = "ask whether somebody writes";

const LATER: &str =
    "it is open for writing; come back when its writer has closed it (`hdfs fsck PATH -openforwrite` shows by whom)";
const ASK_OR_WAIT: &str = "the NameNode tells over HTTP: say where it serves it with `?http=http://HOST:9870`, or come \
     back when it is a day old";
const ASK_OR_CLOSE: &str = "the NameNode tells over HTTP: say where it serves it with `?http=http://HOST:9870`. Without \
     it come back when its writer has closed it (`hdfs fsck PATH -openforwrite` shows by whom); its age does not matter. \
     A closed file looks so, too, when it is erasure coded or when a snapshot keeps what was cut off it: then only HTTP helps";

/// How long a file of whole blocks may be one that was just opened.
const FRESH: Duration = Duration::from_hours(24);

/// What RPC tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    Finished,
    /// It takes the space of a block more than its content explains.
    Unfinished,
    /// Nothing was written since it was opened, or nothing ever.
    Unknown,
}

/// `Changed` when somebody writes the file, or may do so.
pub(crate) async fn refuse_if_written(
    cluster: &Shared,
    path: &RelPath,
    absolute: &str,
    status: &FileStatus,
    stamp: &Stamp,
) -> Result<()> {
    let open = cluster.web.is_open_for_write(absolute, stamp.mtime).await.map_err(|failure| failure.at(OP, path))?;
    match open {
        Some(false) => return Ok(()),
        Some(true) => return Err(open_for_write(path, "the NameNode says that somebody writes it")),
        None => {}
    }
    let name = absolute.to_owned();
    let asked = cluster.call("getContentSummary", |client| async move { client.get_content_summary(&name).await });
    let space = asked.await.map_err(|failure| failure.at(OP, path))?.space_consumed;
    let unclear = |why: &str, hint| {
        let why = format!("cannot tell whether it is open for writing: HTTP is silent, and {why}");
        Error::new(ErrorKind::Changed, OP).at(path).because(why).hint(hint)
    };
    match told(status, stamp, space, now()) {
        Told::Finished => Ok(()),
        Told::Unfinished => {
            let why = format!("its {} bytes take the space of {space}, as with an unfinished block", stamp.size);
            Err(unclear(&why, ASK_OR_CLOSE))
        }
        Told::Unknown => {
            Err(unclear("its length is a whole number of blocks, and it is younger than a day", ASK_OR_WAIT))
        }
    }
}

/// The error for a file that somebody writes.
pub(crate) fn open_for_write(path: &RelPath, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Changed, "read").at(path).because(format!("open for write: {why}")).hint(LATER)
}

/// `space` is what the content summary says, replicas counted; `now` in seconds since 1970.
fn told(status: &FileStatus, stamp: &Stamp, space: u64, now: i64) -> Told {
    let block = status.blocksize.unwrap_or(0);
    let replicas = u128::from(status.replication.unwrap_or(1).max(1));
    if u128::from(space) >= (u128::from(stamp.size) + u128::from(block)) * replicas {
        return Told::Unfinished;
    }
    let fresh = i64::try_from(FRESH.as_secs()).expect("a day is short");
    let old = stamp.mtime.is_some_and(|Timestamp { secs, .. }| secs < now.saturating_sub(fresh));
    if !old && stamp.size.checked_rem(block).is_none_or(|rest| rest == 0) { Told::Unknown } else { Told::Finished }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes;

    const BLOCK: u64 = 1 << 20;
    const NOW: i64 = 1_700_000_000;

    fn case(size: u64, space: u64, age: i64) -> Told {
        let status = FileStatus {
            path: "/file".into(),
            length: usize::try_from(size).unwrap(),
            isdir: false,
            permission: 0o644,
            owner: "anna".into(),
            group: "staff".into(),
            modification_time: u64::try_from((NOW - age) * 1000).unwrap(),
            access_time: 0,
            replication: Some(2),
            blocksize: Some(BLOCK),
        };
        let stamp = attributes::entry("file".into(), &status, model::Facets::NONE).stamp;
        told(&status, &stamp, space, NOW)
    }

    #[test]
    fn an_unfinished_block_shows_in_the_space_it_takes() {
        for size in [0, 5, BLOCK, 3 * BLOCK, 3 * BLOCK + 7] {
            for age in [0, 100_000] {
                assert_eq!(case(size, (size + BLOCK) * 2, age), Told::Unfinished, "{size}, {age}");
            }
            assert_eq!(case(size, size * 2, 100_000), Told::Finished, "{size}");
        }
        assert_eq!(case(5, u64::MAX, 0), Told::Unfinished);
    }

    #[test]
    fn a_young_file_of_whole_blocks_may_be_one_that_was_just_opened() {
        for size in [0, BLOCK, 4 * BLOCK] {
            assert_eq!(case(size, size * 2, 3600), Told::Unknown);
            // The clock of the cluster may be ahead of ours.
            assert_eq!(case(size, size * 2, -3600), Told::Unknown);
        }
        assert_eq!(case(BLOCK - 1, (BLOCK - 1) * 2, 1), Told::Finished);
    }
}
