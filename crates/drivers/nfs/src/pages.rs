//! The place in a directory where a page begins: the same in both versions.

use crate::names::check_names;
use bytes::Bytes;
use model::{Entry, RelPath};
use storage::{Cursor, Error, ErrorKind, ListSpec, Page, Result};

pub(crate) const OP: &str = "list";

/// What became of a listed name that had to be looked at by itself.
#[derive(Debug)]
pub(crate) enum Looked {
    There(Box<Entry>),
    Gone,
    /// It is there, and the server does not tell what it is.
    Unread(Error),
}

/// Parts what was read from what could not be.
pub(crate) fn parted(looked: Vec<Looked>) -> (Vec<Entry>, Vec<Error>) {
    let (mut entries, mut unread) = (Vec::with_capacity(looked.len()), Vec::new());
    for one in looked {
        match one {
            Looked::There(entry) => entries.push(*entry),
            Looked::Gone => {}
            Looked::Unread(error) => unread.push(error),
        }
    }
    (entries, unread)
}

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

/// Notices a server that leads round in a circle: cookies that come again after any number of pages (Brent's method,
/// which remembers one of them: the last of page 1, 2, 4, 8, …).
#[derive(Debug, Default)]
pub(crate) struct Circle {
    mark: Option<(u64, [u8; 8])>,
    pages: u64,
    again_at: u64,
}

impl Circle {
    /// Takes the place behind a page. The error is one of the server.
    pub fn pass(&mut self, place: &Place) -> Result<(), &'static str> {
        let here = (place.cookie, place.verifier);
        if self.mark == Some(here) {
            return Err("the server sends the same pages again and again");
        }
        if self.pages >= self.again_at {
            self.mark = Some(here);
            self.again_at = (self.pages * 2).max(1);
        }
        self.pages += 1;
        Ok(())
    }
}

/// A page of what was read and what could not be, all of `dir`. A directory in which nobody may look at anything is
/// one error, not one for each name.
///
/// Errors: `Denied`.
pub(crate) fn page(dir: &RelPath, entries: Vec<Entry>, unread: Vec<Error>, next: Option<Cursor>) -> Result<Page> {
    let shut = entries.is_empty() && unread.iter().all(|error| error.kind() == ErrorKind::Denied);
    if shut && let Some(first) = unread.first() {
        return Err(first.clone().at(dir).hint("names can be read here, but not what they are: `x` is missing"));
    }
    Ok(Page { entries, unread, next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_of_pages_is_noticed_and_a_long_way_is_none() {
        let walk = |mut cookies: Box<dyn Iterator<Item = u64>>| {
            let mut circle = Circle::default();
            let at = |cookie| Place { cookie, verifier: [0; 8], dir: Bytes::new() };
            cookies.position(|cookie| circle.pass(&at(cookie)).is_err())
        };
        assert_eq!(walk(Box::new(1..10_000)), None);
        for (lead, round) in [(0, 1), (0, 2), (3, 5), (100, 7), (1, 1000)] {
            let pages = (1..=lead).chain((lead + 1..=lead + round).cycle()).take(10_000);
            let noticed = walk(Box::new(pages)).unwrap_or_else(|| panic!("{lead} {round}"));
            assert!(noticed as u64 <= 4 * (lead + round), "{lead} {round} {noticed}");
        }
    }

    #[test]
    fn a_directory_where_nothing_may_be_looked_at_is_one_error() {
        let dir = RelPath::from("d");
        let refused = |kind| Error::new(kind, OP).at(&dir.join(b"x"));
        let denied = || vec![refused(ErrorKind::Denied), refused(ErrorKind::Denied)];
        let error = page(&dir, Vec::new(), denied(), None).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Denied, Some(&dir)));
        let told = vec![Entry::new(dir.join(b"y"), model::Kind::Dir, model::Stamp::default())];
        assert_eq!(page(&dir, told, denied(), None).unwrap().unread.len(), 2);
        let mixed = vec![refused(ErrorKind::Denied), refused(ErrorKind::Unexpected)];
        assert_eq!(page(&dir, Vec::new(), mixed, None).unwrap().unread.len(), 2);
        assert!(page(&dir, Vec::new(), Vec::new(), None).unwrap().unread.is_empty());
    }

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
