//! Directories of which not every entry was seen yet: their width, their bytes, and names among them that
//! other systems cannot tell apart.

use super::pairs;
use crate::names;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::RelPath;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::{HashMap, HashSet};

/// Keys of names that are held for all open directories together: 16 MiB. A directory that would need more
/// is not searched for twins any further.
const MOST_KEYS: usize = 1 << 20;

/// The directories that are open.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct OpenDirectories {
    #[serde(with = "pairs")]
    open: HashMap<Vec<u8>, OpenDirectory>,
    keys: usize,
}

/// One directory that is open.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct OpenDirectory {
    entries: u64,
    bytes: u64,
    by_case: Keys,
    by_normal_form: Keys,
    /// There was no room for the keys of its names.
    unsearched: bool,
    /// Directories among its entries.
    subdirectories: u64,
    /// How many names its inode has, where its parent told.
    links: Option<u32>,
    /// It could not be listed to its end.
    cut: bool,
}

/// Keys of names, and how often one came again.
#[derive(Clone, Debug, Default)]
struct Keys {
    seen: HashSet<u64>,
    again: HashMap<u64, u64>,
}

/// Whether a name has a twin among the siblings that came before it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Twins {
    pub case: bool,
    pub normal_form: bool,
    /// From this name on, the directory is not searched.
    pub given_up: bool,
}

/// What is known of a directory when it is complete.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Complete {
    pub entries: u64,
    pub bytes: u64,
    pub case_twins: u64,
    pub normal_twins: u64,
    pub subdirectories: u64,
    pub links: Option<u32>,
    pub cut: bool,
}

impl OpenDirectories {
    /// Opens a directory that may have no entries.
    pub(super) fn touch(&mut self, dir: &RelPath) {
        self.of(dir);
    }
    /// Opens a directory whose inode has so many names.
    pub(super) fn linked(&mut self, dir: &RelPath, links: Option<u32>) {
        self.of(dir).links = links;
    }
    /// Directories among the entries of an open one.
    pub(super) fn subdirectories(&mut self, dir: &RelPath, more: u64) {
        self.of(dir).subdirectories += more;
    }
    /// An open directory cannot be listed further.
    pub(super) fn cut(&mut self, dir: &RelPath) {
        if let Some(directory) = self.open.get_mut(dir.as_bytes()) {
            directory.cut = true;
        }
    }
    pub(super) fn contains(&self, dir: &RelPath) -> bool {
        self.open.contains_key(dir.as_bytes())
    }
    /// All that are open.
    pub(super) fn paths(&self) -> Vec<RelPath> {
        self.open.keys().map(|key| RelPath::from(&key[..])).collect()
    }

    /// Adds an entry. A `prefix` of keys is no twin of a key of the same name: both can be there.
    pub(super) fn add(&mut self, dir: &RelPath, name: &[u8], bytes: u64, prefix: bool) -> Twins {
        let full = self.keys >= MOST_KEYS;
        let directory = self.of(dir);
        directory.entries += 1;
        directory.bytes = directory.bytes.saturating_add(bytes);
        if directory.unsearched {
            return Twins::default();
        }
        if full {
            directory.unsearched = true;
            let freed = directory.by_case.take() + directory.by_normal_form.take();
            self.keys -= freed;
            return Twins { given_up: true, ..Twins::default() };
        }
        // A key is 64 bits of a hash, so a bit turned over makes another set of keys.
        let kind = u64::from(prefix);
        let case = directory.by_case.add(names::case_key(name) ^ kind);
        let normal_form = names::normal_key(name).map(|key| directory.by_normal_form.add(key ^ kind));
        self.keys += usize::from(!case) + usize::from(normal_form == Some(false));
        Twins { case, normal_form: normal_form.unwrap_or(false), given_up: false }
    }

    pub(super) fn close(&mut self, dir: &RelPath) -> Complete {
        let Some(directory) = self.open.remove(dir.as_bytes()) else { return Complete::default() };
        self.keys -= directory.by_case.seen.len() + directory.by_normal_form.seen.len();
        Complete {
            entries: directory.entries,
            bytes: directory.bytes,
            case_twins: directory.by_case.twins(),
            normal_twins: directory.by_normal_form.twins(),
            subdirectories: directory.subdirectories,
            links: directory.links,
            cut: directory.cut,
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (path, theirs) in other.open {
            let ours = self.open.entry(path).or_default();
            ours.entries += theirs.entries;
            ours.bytes = ours.bytes.saturating_add(theirs.bytes);
            ours.unsearched |= theirs.unsearched;
            ours.subdirectories += theirs.subdirectories;
            ours.links = ours.links.or(theirs.links);
            ours.cut |= theirs.cut;
            self.keys -= ours.by_case.seen.len() + ours.by_normal_form.seen.len();
            if ours.unsearched || self.keys >= MOST_KEYS {
                ours.unsearched = true;
                ours.by_case.take();
                ours.by_normal_form.take();
            } else {
                ours.by_case.merge(theirs.by_case);
                ours.by_normal_form.merge(theirs.by_normal_form);
            }
            self.keys += ours.by_case.seen.len() + ours.by_normal_form.seen.len();
        }
    }

    fn of(&mut self, dir: &RelPath) -> &mut OpenDirectory {
        if !self.open.contains_key(dir.as_bytes()) {
            self.open.insert(dir.as_bytes().to_vec(), OpenDirectory::default());
        }
        self.open.get_mut(dir.as_bytes()).expect("inserted right above")
    }
}

impl Keys {
    /// True when the key was there already.
    fn add(&mut self, key: u64) -> bool {
        let again = !self.seen.insert(key);
        if again {
            *self.again.entry(key).or_default() += 1;
        }
        again
    }
    /// Names that have at least one twin.
    fn twins(&self) -> u64 {
        self.again.values().map(|again| again + 1).sum()
    }
    /// Forgets everything; returns how many keys that were.
    fn take(&mut self) -> usize {
        std::mem::take(self).seen.len()
    }
    fn merge(&mut self, other: Self) {
        for key in other.seen {
            self.add(key);
        }
        for (key, again) in other.again {
            *self.again.entry(key).or_default() += again;
        }
    }
}

/// A million keys as decimal numbers would be a checkpoint of 20 MB; these are 11.
impl Serialize for Keys {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let packed: Vec<u8> = self.seen.iter().flat_map(|key| key.to_le_bytes()).collect();
        let again: Vec<(u64, u64)> = self.again.iter().map(|(key, count)| (*key, *count)).collect();
        (STANDARD.encode(packed), again).serialize(out)
    }
}
impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (packed, again) = <(String, Vec<(u64, u64)>)>::deserialize(from)?;
        let packed = STANDARD.decode(packed).map_err(de::Error::custom)?;
        let (keys, rest) = packed.as_chunks();
        if !rest.is_empty() {
            return Err(de::Error::custom("keys are 8 bytes each"));
        }
        Ok(Self { seen: keys.iter().map(|key| u64::from_le_bytes(*key)).collect(), again: again.into_iter().collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_beyond_the_bound_is_counted_but_not_searched() {
        let mut open = OpenDirectories::default();
        let small = RelPath::from("small");
        open.add(&small, b"A", 1, false);
        let dir = RelPath::from("huge");
        let mut given_up = 0;
        for n in 0..MOST_KEYS + 10 {
            given_up += u32::from(open.add(&dir, format!("{n}").as_bytes(), 1, false).given_up);
        }
        assert_eq!(given_up, 1, "it is said once");
        assert!(open.keys < 10, "the keys of the huge directory were given back: {}", open.keys);
        assert!(open.add(&small, b"a", 1, false).case, "others are still searched");
        let complete = open.close(&dir);
        assert_eq!((complete.entries, complete.bytes), (1_048_586, 1_048_586));
        assert_eq!(open.close(&small).case_twins, 2);
        assert_eq!(open.keys, 0);
    }

    #[test]
    fn open_directories_come_back_from_their_stored_form() {
        let mut open = OpenDirectories::default();
        let dir = RelPath::from(&b"d\xFF"[..]);
        for name in ["a", "A", "é", "e\u{301}"] {
            open.add(&dir, name.as_bytes(), 1, false);
        }
        let stored = serde_json::to_string(&open).unwrap();
        let mut read: OpenDirectories = serde_json::from_str(&stored).unwrap();
        assert_eq!(read.keys, open.keys);
        assert!(read.add(&dir, b"a", 1, false).case);
        let complete = read.close(&dir);
        assert_eq!((complete.entries, complete.case_twins, complete.normal_twins, read.keys), (5, 3, 2, 0));
    }
}
