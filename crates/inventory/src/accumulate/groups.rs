//! Files by extension, owner and top directory: exact up to a bound, then approximate.

use super::{pairs, sums::Sum};
use crate::{Group, Groups};
use model::{Principal, RelPath};
use serde::{Deserialize, Serialize};
use std::{cmp::Reverse, collections::HashMap};

/// Groups that survive when there are too many.
const KEPT: usize = 10_000;
/// Groups that are held before the smallest are dropped; so dropping costs little on average.
const HELD: usize = 2 * KEPT;
/// Groups that a profile lists.
const LISTED: usize = 100;

/// Sums by key. When more than [`HELD`] keys come, the smallest are dropped into one remainder: totals stay
/// exact, a group that was dropped and comes back is counted too low.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Bag {
    #[serde(with = "pairs")]
    groups: HashMap<Vec<u8>, Sum>,
    dropped: Sum,
    exact: bool,
    /// The id seen last, as a key: neighbours mostly have one owner.
    #[serde(skip)]
    printed: Option<(u32, String)>,
}

impl Default for Bag {
    fn default() -> Self {
        Self { groups: HashMap::new(), dropped: Sum::default(), exact: true, printed: None }
    }
}

impl Bag {
    pub(super) fn add(&mut self, key: &[u8], sum: Sum) {
        if let Some(group) = self.groups.get_mut(key) {
            group.add(sum);
            return;
        }
        self.groups.insert(key.to_vec(), sum);
        if self.groups.len() > HELD {
            self.drop_smallest();
        }
    }

    /// Adds a file of an owner; the empty key is nobody.
    pub(super) fn add_owner(&mut self, owner: Option<&Principal>, sum: Sum) {
        match owner {
            None => self.add(b"", sum),
            Some(Principal::Id(id)) => {
                let printed = self.printed.take().filter(|(last, _)| last == id);
                let printed = printed.unwrap_or_else(|| (*id, id.to_string()));
                self.add(printed.1.as_bytes(), sum);
                self.printed = Some(printed);
            }
            Some(Principal::Name(name)) => self.add(name.as_bytes(), sum),
            Some(sid @ Principal::Sid(_)) => self.add(sid.to_string().as_bytes(), sum),
        }
    }

    /// Remembers an owner who has something, though no file.
    pub(super) fn touch_owner(&mut self, owner: Option<&Principal>) {
        if owner.is_some() {
            self.add_owner(owner, Sum::default());
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (key, sum) in other.groups {
            self.groups.entry(key).or_default().add(sum);
        }
        self.dropped.add(other.dropped);
        self.exact &= other.exact;
        if self.groups.len() > HELD {
            self.drop_smallest();
        }
    }

    /// Different keys with a name, at least.
    pub(super) fn distinct(&self) -> u64 {
        let named = self.groups.len() - usize::from(self.groups.contains_key(&b""[..]));
        u64::try_from(named).expect("the number of groups is bounded")
    }

    fn drop_smallest(&mut self) {
        let mut all: Vec<(Vec<u8>, Sum)> = self.groups.drain().collect();
        sort(&mut all);
        for (_, sum) in all.drain(KEPT..) {
            self.dropped.add(sum);
        }
        self.groups.extend(all);
        self.exact = false;
    }

    /// `nameless` is the name of the empty key; `escaped` prints keys as paths, which may hold any byte.
    pub(super) fn into_profile(self, nameless: &str, escaped: bool) -> Groups {
        let mut all: Vec<(Vec<u8>, Sum)> = self.groups.into_iter().filter(|(_, sum)| sum.files > 0).collect();
        sort(&mut all);
        let mut rest = self.dropped;
        for (_, sum) in all.drain(LISTED.min(all.len())..) {
            rest.add(sum);
        }
        let name = |key: &[u8]| match (key.is_empty(), escaped) {
            (true, _) => nameless.to_owned(),
            (false, true) => RelPath::from(key).to_string(),
            (false, false) => String::from_utf8_lossy(key).into_owned(),
        };
        let group = |name: String, sum: Sum| Group { name, files: sum.files, size_bytes: sum.bytes };
        Groups {
            top: all.into_iter().map(|(key, sum)| group(name(&key), sum)).collect(),
            other: (rest.files > 0).then(|| group("other".to_owned(), rest)),
            exact: self.exact,
        }
    }
}

/// Largest first; equal ones by key, so that the order is total.
fn sort(groups: &mut [(Vec<u8>, Sum)]) {
    groups.sort_unstable_by(|(a, x), (b, y)| (Reverse(x), a).cmp(&(Reverse(y), b)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_groups_are_approximate_but_the_totals_and_the_large_ones_are_exact() {
        let mut bag = Bag::default();
        for n in 0..50_000_u64 {
            bag.add(format!("{n}").as_bytes(), Sum::one(1));
            bag.add(b"large", Sum::one(1000));
        }
        assert!(bag.groups.len() <= HELD);
        let groups = bag.into_profile("(none)", false);
        assert!(!groups.exact);
        assert_eq!(groups.top[0], Group { name: "large".into(), files: 50_000, size_bytes: 50_000_000 });
        let listed: u64 = groups.top.iter().map(|group| group.files).sum();
        assert_eq!(listed + groups.other.unwrap().files, 100_000);
    }

    #[test]
    fn few_groups_are_exact_and_sorted() {
        let mut bag = Bag::default();
        bag.add(b"", Sum::one(5));
        bag.add(b"a\n", Sum::one(5));
        bag.add(b"b", Sum::one(9));
        bag.touch_owner(Some(&Principal::Id(7)));
        assert_eq!(bag.distinct(), 3);
        let groups = bag.into_profile(".", true);
        let names: Vec<&str> = groups.top.iter().map(|group| group.name.as_str()).collect();
        assert_eq!((names, groups.other, groups.exact), (vec!["b", ".", "a\\x0A"], None, true));
    }
}
