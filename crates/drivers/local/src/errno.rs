//! What the kernel's error numbers mean.

use model::RelPath;
use rustix::io::Errno;
use storage::{Error, ErrorKind, Retry};

/// The error for `errno`, with a hint where there is one.
pub(crate) fn failed(errno: Errno, op: &'static str, path: &RelPath) -> Error {
    let (kind, hint) = meaning(errno);
    let error = Error::new(kind, op).at(path).because(errno);
    let error = if matches!(errno, Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::BUSY | Errno::TXTBSY) {
        error.with_retry(Retry::Backoff)
    } else {
        error
    };
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn meaning(errno: Errno) -> (ErrorKind, Option<&'static str>) {
    let (kind, hint) = match errno {
        Errno::NOENT => (ErrorKind::NotFound, ""),
        Errno::EXIST => (ErrorKind::AlreadyExists, ""),
        Errno::ACCESS => (ErrorKind::Denied, "run as a user who may do this, or as root"),
        Errno::PERM => (ErrorKind::Denied, "only the owner or root may do this"),
        Errno::ROFS => (ErrorKind::Denied, "the file system is mounted read-only"),
        Errno::NAMETOOLONG | Errno::ILSEQ => (ErrorKind::NameRefused, ""),
        Errno::NOSPC => (ErrorKind::NoSpace, "free some space or inodes on this file system"),
        Errno::DQUOT => (ErrorKind::NoSpace, "the quota of this user, group or project is used up"),
        Errno::NOTDIR => (ErrorKind::Invalid, "something on the way is a file or a symbolic link, not a directory"),
        Errno::LOOP => (ErrorKind::Invalid, "a symbolic link is on the way; links are not followed"),
        Errno::ISDIR | Errno::NOTEMPTY | Errno::INVAL | Errno::NXIO => (ErrorKind::Invalid, ""),
        Errno::NOTSUP | Errno::NOSYS | Errno::XDEV | Errno::MLINK | Errno::FBIG => (ErrorKind::Unsupported, ""),
        Errno::MFILE | Errno::NFILE => (ErrorKind::Throttled, "raise the limit of open files (`ulimit -n`)"),
        Errno::NOMEM | Errno::BUSY | Errno::TXTBSY => (ErrorKind::Throttled, ""),
        Errno::TIMEDOUT => (ErrorKind::Timeout, ""),
        Errno::STALE | Errno::HOSTDOWN | Errno::HOSTUNREACH | Errno::NOTCONN | Errno::SHUTDOWN => {
            (ErrorKind::Disconnected, "this directory is mounted from a server that does not answer as before")
        }
        _ => (ErrorKind::Unexpected, ""),
    };
    (kind, Some(hint).filter(|hint| !hint.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_kernel_say_what_to_do() {
        let path = RelPath::from("a/b");
        let full = failed(Errno::DQUOT, "write", &path);
        assert_eq!(full.kind(), ErrorKind::NoSpace);
        assert!(full.hint_text().unwrap().contains("quota"));
        assert_eq!(failed(Errno::ROFS, "write", &path).kind(), ErrorKind::Denied);
        assert_eq!(failed(Errno::MFILE, "read", &path).retry(), Retry::Backoff);
        assert_eq!(failed(Errno::IO, "read", &path).kind(), ErrorKind::Unexpected);
    }
}
