//! The place in a directory where a page begins: the same in both versions.

use crate::names::check_names;
use bytes::Bytes;
use model::RelPath;
use storage::{Cursor, Error, ErrorKind, ListSpec, Result};

pub(crate) const OP: &str = "list";

/// Where in a directory a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub cookie: u64,
    pub verifier: [u8; 8],
    /// Handle of the directory; looked up when empty.
    pub dir: Bytes,
}

impl Place {
    /// The place that `spec` names, or the beginning. `handle_max` is the length of the longest handle.
    ///
    /// Errors: `NameRefused`, `Unsupported` (a recursive list), `Changed` (the cursor is not one of ours).
    pub fn start(dir: &RelPath, spec: &ListSpec, handle_max: usize) -> Result<Self> {
        check_names(dir, OP)?;
        if spec.recursive {
            return Err(Error::new(ErrorKind::Unsupported, OP).at(dir).because("NFS lists one directory at a time"));
        }
        match &spec.from {
            None => Ok(Self { cookie: 0, verifier: [0; 8], dir: Bytes::new() }),
            Some(cursor) => Self::from_cursor(cursor, handle_max).ok_or_else(|| {
                Error::new(ErrorKind::Changed, OP).at(dir).because("the cursor is not one of this driver")
            }),
        }
    }

    /// The place behind a page that the server sent for this one: `last` is the cookie of its last entry. None when
    /// the directory ends there; an error is one of the server.
    pub fn behind(&self, last: Option<u64>, verifier: [u8; 8], end: bool) -> Result<Option<Self>, &'static str> {
        match last {
            _ if end => Ok(None),
            None => Err("the server sent a page without entries that is not the last"),
            Some(last) if last == self.cookie => Err("the server sends the same page again and again"),
            Some(last) => Ok(Some(Self { cookie: last, verifier, dir: self.dir.clone() })),
        }
    }

    /// Cookie, verifier, handle.
    pub fn cursor(&self) -> Cursor {
        let mut raw = Vec::with_capacity(16 + self.dir.len());
        raw.extend_from_slice(&self.cookie.to_be_bytes());
        raw.extend_from_slice(&self.verifier);
        raw.extend_from_slice(&self.dir);
        Cursor(raw.into())
    }

    fn from_cursor(cursor: &Cursor, handle_max: usize) -> Option<Self> {
        let (cookie, rest) = cursor.0.split_first_chunk::<8>()?;
        let (verifier, dir) = rest.split_first_chunk::<8>()?;
        let fits = dir.len() <= handle_max;
        fits.then(|| Self { cookie: u64::from_be_bytes(*cookie), verifier: *verifier, dir: cursor.0.slice_ref(dir) })
    }

    /// After the directory was looked up anew, which had the handle `before` when the list began: is this place
    /// still one of that directory? Cookies of one mean nothing in another.
    pub fn still_in(&self, before: &Bytes, dir: &RelPath) -> Result<()> {
        if self.cookie == 0 || before.is_empty() || *before == self.dir {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Changed, OP).at(dir).because("it was made anew while it was listed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_holds_the_place_in_a_directory() {
        let at = Place { cookie: u64::MAX - 1, verifier: *b"verifier", dir: Bytes::from_static(b"handle") };
        assert_eq!(Place::from_cursor(&at.cursor(), 6), Some(at.clone()));
        assert_eq!(Place::from_cursor(&at.cursor(), 5), None);
        assert_eq!(Place::from_cursor(&Cursor(Bytes::from_static(b"short")), 64), None);
    }

    #[test]
    fn a_place_means_nothing_in_a_directory_that_was_made_anew() {
        let at = |cookie| Place { cookie, verifier: [0; 8], dir: Bytes::from_static(b"new") };
        let dir = RelPath::from("d");
        assert!(at(0).still_in(&Bytes::from_static(b"old"), &dir).is_ok());
        assert!(at(7).still_in(&Bytes::from_static(b"new"), &dir).is_ok());
        assert!(at(7).still_in(&Bytes::new(), &dir).is_ok());
        assert_eq!(at(7).still_in(&Bytes::from_static(b"old"), &dir).unwrap_err().kind(), ErrorKind::Changed);
    }
}
