//! Paths that may be sent to a server.

use model::RelPath;
use storage::{Error, ErrorKind, Result};

/// Refuses a path that no NFS server can hold, before it is sent: `..` would leave the location.
pub(crate) fn check_names(path: &RelPath, op: &'static str) -> Result<()> {
    let bad = path.components().any(|name| matches!(name, b"" | b"." | b"..") || name.contains(&0));
    if bad { Err(Error::new(ErrorKind::NameRefused, op).at(path)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_leave_the_location() {
        for path in ["..", "a/../b", "a//b", "a/.", "/a", "a/", "a\0b"] {
            assert_eq!(check_names(&path.into(), "stat").unwrap_err().kind(), ErrorKind::NameRefused, "{path:?}");
        }
        for path in ["", "...", "a/..b", ".hidden"] {
            assert!(check_names(&path.into(), "stat").is_ok(), "{path:?}");
        }
    }
}
