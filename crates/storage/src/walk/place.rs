//! A directory that is still to be listed, and by which inodes it was reached.

use crate::Cursor;
use bytes::Bytes;
use model::{Entry, RelPath};
use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, Read, Write},
    sync::Arc,
};

/// Longest path or cursor that is read back, bytes; what claims more was not written by us.
const LONGEST: usize = 1 << 24;
/// Deepest chain of directories that is read back.
const DEEPEST: usize = 1 << 16;

/// A directory that is left to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which directory.
    pub dir: RelPath,
    /// Where to go on in it; `None` for its beginning.
    pub cursor: Option<Cursor>,
    /// It and the directories that hold it, as far as their inodes are known.
    pub line: Line,
    /// How many names its inode has, as the directory that holds it told: on traditional file systems 2 and one
    /// for each subdirectory.
    pub links: Option<u32>,
}

impl Place {
    /// A directory that was found in one whose line is `above`.
    pub fn of(entry: &Entry, above: &Line) -> Self {
        Self { dir: entry.path.clone(), cursor: None, line: above.down_to(entry), links: entry.nlink }
    }

    /// A directory to begin with, of whose ancestors nothing is known.
    pub fn new(dir: RelPath, cursor: Option<Cursor>) -> Self {
        Self { dir, cursor, line: Line::default(), links: None }
    }

    /// Writes it in a form of its own, for [`Place::read_from`].
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        write_bytes(out, self.dir.as_bytes())?;
        out.write_all(&[u8::from(self.cursor.is_some())])?;
        if let Some(Cursor(raw)) = &self.cursor {
            write_bytes(out, raw)?;
        }
        // No inode has 0 names, so 0 can say that it is not known.
        out.write_all(&self.links.unwrap_or(0).to_le_bytes())?;
        let marks: Vec<u64> = self.line.marks().collect();
        out.write_all(&length(marks.len())?.to_le_bytes())?;
        marks.iter().try_for_each(|mark| out.write_all(&mark.to_le_bytes()))
    }

    /// Reads what [`Place::write_to`] wrote; `None` at the end. Places that follow each other mostly have the
    /// same parent: `before` is the one read before, whose chain is shared.
    ///
    /// Errors: `UnexpectedEof` in the middle of a place, `InvalidData` for what cannot be one.
    pub fn read_from(from: &mut impl Read, before: Option<&Self>) -> io::Result<Option<Self>> {
        let Some(dir) = read_bytes_or_end(from)? else { return Ok(None) };
        let mut has_cursor = [0];
        from.read_exact(&mut has_cursor)?;
        let cursor = match has_cursor {
            [0] => None,
            [1] => Some(Cursor(read_bytes(from)?)),
            _ => return Err(strange()),
        };
        let mut links = [0; 4];
        from.read_exact(&mut links)?;
        let links = Some(u32::from_le_bytes(links)).filter(|links| *links > 0);
        let mut count = [0; 4];
        from.read_exact(&mut count)?;
        let count = usize::try_from(u32::from_le_bytes(count)).map_err(|_| strange())?;
        if count > DEEPEST {
            return Err(strange());
        }
        let mut marks = Vec::new();
        for _ in 0..count {
            let mut mark = [0; 8];
            from.read_exact(&mut mark)?;
            marks.push(u64::from_le_bytes(mark));
        }
        let line = Line::of_marks(&marks, before.map(|before| &before.line));
        Ok(Some(Self { dir: RelPath::from_bytes(dir), cursor, line, links }))
    }
}

/// The inodes of a directory and of those that hold it. Clones share it; siblings share all but the head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Option<Arc<Link>>);

#[derive(Debug, PartialEq, Eq)]
struct Link {
    mark: u64,
    above: Line,
}

impl Line {
    /// Of the directory `entry` in the directory whose line this is. An entry without an inode of its own adds
    /// nothing.
    #[must_use]
    pub fn down_to(&self, entry: &Entry) -> Self {
        mark(entry).map_or_else(|| self.clone(), |mark| Self(Some(Arc::new(Link { mark, above: self.clone() }))))
    }

    /// Is `entry` the directory itself, or one of those that hold it? Then what is below it was reached already.
    pub fn holds(&self, entry: &Entry) -> bool {
        mark(entry).is_some_and(|mark| self.marks().any(|known| known == mark))
    }

    /// From the directory upwards.
    fn marks(&self) -> impl Iterator<Item = u64> {
        std::iter::successors(self.0.as_deref(), |link| link.above.0.as_deref()).map(|link| link.mark)
    }

    fn of_marks(marks: &[u64], near: Option<&Self>) -> Self {
        let Some((first, above)) = marks.split_first() else { return Self::default() };
        if let Some(near) = near.filter(|near| near.marks().eq(marks.iter().copied())) {
            return near.clone();
        }
        let near = near.and_then(|near| near.0.as_deref()).map(|link| &link.above);
        if let Some(near) = near.filter(|near| near.marks().eq(above.iter().copied())) {
            return Self(Some(Arc::new(Link { mark: *first, above: near.clone() })));
        }
        // Built from the top, so that a long chain needs no deep recursion.
        let down = |above: Self, mark: &u64| Self(Some(Arc::new(Link { mark: *mark, above })));
        marks.iter().rev().fold(Self::default(), down)
    }
}

/// A long chain is taken apart link by link, not by recursion.
impl Drop for Link {
    fn drop(&mut self) {
        let mut next = self.above.0.take();
        while let Some(mut link) = next.and_then(Arc::into_inner) {
            next = link.above.0.take();
        }
    }
}

/// What tells a directory from every other. The times are in it because some servers give several directories
/// one number: a directory that was left out for that would be lost, one that is walked twice is not.
fn mark(entry: &Entry) -> Option<u64> {
    let id = entry.stamp.file_id.filter(|id| id.inode != 0)?;
    if entry.stamp.change.is_none() && entry.stamp.mtime.is_none() {
        return None;
    }
    let mut hash = DefaultHasher::new();
    (id, entry.stamp.change, entry.stamp.mtime).hash(&mut hash);
    Some(hash.finish())
}

fn write_bytes(out: &mut impl Write, raw: &[u8]) -> io::Result<()> {
    out.write_all(&length(raw.len())?.to_le_bytes())?;
    out.write_all(raw)
}

fn length(of: usize) -> io::Result<u32> {
    u32::try_from(of).map_err(io::Error::other)
}

fn read_bytes(from: &mut impl Read) -> io::Result<Bytes> {
    read_bytes_or_end(from)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn read_bytes_or_end(from: &mut impl Read) -> io::Result<Option<Bytes>> {
    let mut len = [0; 4];
    let first = loop {
        match from.read(&mut len[..1]) {
            Err(again) if again.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    if first == 0 {
        return Ok(None);
    }
    from.read_exact(&mut len[1..])?;
    let len = usize::try_from(u32::from_le_bytes(len)).map_err(|_| strange())?;
    if len > LONGEST {
        return Err(strange());
    }
    let mut raw = Vec::new();
    if from.take(len as u64).read_to_end(&mut raw)? < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(raw.into()))
}

fn strange() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "this is no place of a walk")
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{FileId, Kind, Stamp};
    use proptest::prelude::*;

    fn dir(inode: u64, change: u64) -> Entry {
        let file_id = Some(FileId { volume: 1, inode });
        let stamp = Stamp { file_id, change: Some(change), ..Stamp::default() };
        Entry::new("d".into(), Kind::Dir, stamp)
    }

    #[test]
    fn a_line_knows_the_directories_above_and_no_others() {
        let line = Line::default().down_to(&dir(1, 10)).down_to(&dir(2, 20));
        assert!(line.holds(&dir(1, 10)) && line.holds(&dir(2, 20)));
        assert!(!line.holds(&dir(3, 10)), "another inode");
        assert!(!line.holds(&dir(1, 11)), "the same number with other times is another directory");
        let unknown = Entry::new("d".into(), Kind::Dir, Stamp::default());
        assert!(!line.down_to(&unknown).holds(&unknown), "nothing is known, so nothing is said");
        let zero = dir(0, 10);
        assert!(!line.down_to(&zero).holds(&zero), "a server that numbers everything 0 tells nothing");
    }

    #[test]
    fn a_very_long_line_is_dropped_without_overflowing_the_stack() {
        let line = (0..1_000_000).fold(Line::default(), |line, n| line.down_to(&dir(n + 1, 1)));
        drop(line);
    }

    #[test]
    fn siblings_read_back_share_their_line() {
        let parent = Line::default().down_to(&dir(1, 1)).down_to(&dir(2, 2));
        let place = |n| Place { links: Some(3), line: parent.down_to(&dir(n, n)), ..Place::new("x".into(), None) };
        let mut raw = Vec::new();
        place(5).write_to(&mut raw).unwrap();
        place(6).write_to(&mut raw).unwrap();
        let mut from = &raw[..];
        let first = Place::read_from(&mut from, None).unwrap().unwrap();
        let second = Place::read_from(&mut from, Some(&first)).unwrap().unwrap();
        assert_eq!((first.clone(), second.clone()), (place(5), place(6)));
        let above = |place: &Place| Arc::clone(place.line.0.as_ref().unwrap().above.0.as_ref().unwrap());
        assert!(Arc::ptr_eq(&above(&first), &above(&second)));
        assert_eq!(Place::read_from(&mut from, Some(&second)).unwrap(), None);
    }

    proptest! {
        #[test]
        fn whatever_is_read_back_does_not_panic_and_allocates_no_more_than_it_is(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut from = &raw[..];
            while let Ok(Some(place)) = Place::read_from(&mut from, None) {
                prop_assert!(place.dir.len() <= raw.len());
            }
        }
        #[test]
        fn a_place_that_is_cut_off_is_an_error(cut in 1..60_usize) {
            let line = Line::default().down_to(&dir(1, 1)).down_to(&dir(2, 2));
            let place = Place { line, ..Place::new("some/dir".into(), Some(Cursor("abc".into()))) };
            let mut raw = Vec::new();
            place.write_to(&mut raw).unwrap();
            let cut = cut.min(raw.len() - 1);
            prop_assert!(Place::read_from(&mut &raw[..cut], None).is_err());
        }
    }
}
