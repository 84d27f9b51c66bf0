//! Where in a directory a listing goes on, when the handle it was read with is gone.
//!
//! SMB knows no place in a directory that outlives the handle: the scan starts again, and what was delivered before
//! is left out. That is certain in two cases. Either the entries before the place are, one by one, what they were
//! then (a hash over their names in order says so). Or the server lists in the order of the names, as NTFS does, so
//! that everything after the last name that was delivered is new, whatever came or went before it.

use bytes::Bytes;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use storage::Cursor;

/// What was delivered up to a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// How many entries.
    pub count: u64,
    /// A hash over their names, in order.
    chain: u64,
    /// Some name came before a name that sorts before it.
    unsorted: bool,
    /// The last name as it came, little-endian 16-bit units.
    last: Vec<u8>,
}

/// First byte of a cursor; another form gets another.
const FORM: u8 = 1;

impl Mark {
    /// Goes behind a name.
    pub fn add(&mut self, name: &[u8]) {
        self.unsorted |= self.count > 0 && !sorts_before(&self.last, name);
        self.count += 1;
        // The hasher is the same in every process as long as the standard library is; a cursor that outlives that
        // does not fit, and the directory is listed again.
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        self.chain = hasher.hash_one((self.chain, name));
        self.last.clear();
        self.last.extend_from_slice(name);
    }

    /// Were all names in order?
    pub fn sorted(&self) -> bool {
        !self.unsorted
    }

    /// Was `name` delivered before this mark? `now` is the mark of the new scan, behind `name`. `None` when that
    /// can no longer be told.
    pub fn compare(&self, now: &Self, name: &[u8]) -> Option<bool> {
        if self.sorted() {
            if now.unsorted {
                return None;
            }
            return Some(name == self.last || sorts_before(name, &self.last));
        }
        if now.count < self.count {
            return Some(true);
        }
        (now.count == self.count && now.chain == self.chain).then_some(true)
    }

    pub fn cursor(&self) -> Cursor {
        let mut raw = Vec::with_capacity(18 + self.last.len());
        raw.push(FORM);
        raw.push(u8::from(self.unsorted));
        raw.extend_from_slice(&self.count.to_be_bytes());
        raw.extend_from_slice(&self.chain.to_be_bytes());
        raw.extend_from_slice(&self.last);
        Cursor(Bytes::from(raw))
    }

    pub fn from_cursor(cursor: &Cursor) -> Option<Self> {
        let ([FORM, unsorted @ (0 | 1)], rest) = cursor.0.split_first_chunk::<2>()? else { return None };
        let (count, rest) = rest.split_first_chunk::<8>()?;
        let (chain, last) = rest.split_first_chunk::<8>()?;
        Some(Self {
            count: u64::from_be_bytes(*count),
            chain: u64::from_be_bytes(*chain),
            unsorted: *unsorted == 1,
            last: last.to_vec(),
        })
    }
}

/// Does `a` stand before `b` in the order of NTFS: unit by unit, in upper case?
fn sorts_before(a: &[u8], b: &[u8]) -> bool {
    folded(a).lt(folded(b))
}

fn folded(raw: &[u8]) -> impl Iterator<Item = u16> {
    raw.chunks_exact(2).map(|unit| {
        let unit = u16::from_le_bytes([unit[0], unit[1]]);
        let Some(c) = char::from_u32(unit.into()) else { return unit };
        let mut upper = c.to_uppercase();
        match (upper.next().map(u32::from).map(u16::try_from), upper.next()) {
            (Some(Ok(upper)), None) => upper,
            // NTFS folds one unit to one unit.
            _ => unit,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{le_bytes, utf16};

    fn name(text: &str) -> Vec<u8> {
        le_bytes(&utf16(text))
    }

    /// What a new scan delivers behind the mark; `None` when it cannot be told.
    fn rest(mark: &Mark, scan: &[&str]) -> Option<Vec<String>> {
        let mut now = Mark::default();
        let mut found = Vec::new();
        let mut resume = Some(mark.clone());
        for text in scan {
            let name = name(text);
            now.add(&name);
            if let Some(mark) = &resume {
                if mark.compare(&now, &name)? {
                    if now.count >= mark.count && !mark.sorted() {
                        resume = None;
                    }
                    continue;
                }
                resume = None;
            }
            found.push((*text).to_owned());
        }
        Some(found)
    }

    fn mark(names: &[&str]) -> Mark {
        let mut mark = Mark::default();
        for text in names {
            mark.add(&name(text));
        }
        let back = Mark::from_cursor(&mark.cursor()).unwrap();
        assert_eq!(back, mark);
        back
    }

    #[test]
    fn a_scan_that_is_the_same_goes_on_behind_the_mark() {
        let unsorted = mark(&["c", "a", "b"]);
        assert_eq!(rest(&unsorted, &["c", "a", "b", "z", "d"]).unwrap(), ["z", "d"]);
        assert_eq!(rest(&mark(&["a", "B", "c"]), &["a", "B", "c", "d"]).unwrap(), ["d"]);
    }

    #[test]
    fn an_unsorted_directory_that_changed_is_not_guessed_at() {
        let unsorted = mark(&["c", "a", "b"]);
        assert_eq!(rest(&unsorted, &["c", "b", "z", "d"]), None);
        assert_eq!(rest(&unsorted, &["c", "a", "x", "b"]), None);
    }

    #[test]
    fn a_sorted_directory_goes_on_behind_the_last_name() {
        let sorted = mark(&["a", "B", "c"]);
        assert_eq!(rest(&sorted, &["a", "d", "e"]).unwrap(), ["d", "e"]);
        assert_eq!(rest(&sorted, &["a", "aa", "B", "ca"]).unwrap(), ["ca"]);
        // Now the server lists in another order: nothing is certain.
        assert_eq!(rest(&sorted, &["b", "a"]), None);
    }
}
