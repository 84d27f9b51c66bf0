//! The few largest of many, and the first few of many.

use model::RelPath;
use serde::{Deserialize, Serialize};
use std::{cmp::Ordering, collections::BTreeSet};

/// Examples that are kept of one kind.
const EXAMPLES: usize = 20;

/// The paths with the largest figures. Equal figures are ordered by path, so that the result does not depend
/// on the order in which they came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Largest {
    limit: usize,
    /// Figure, companion figure, path; largest first.
    kept: Vec<(u64, u64, RelPath)>,
}

impl Largest {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, kept: Vec::new() }
    }

    pub(super) fn offer(&mut self, figure: u64, companion: u64, path: &RelPath) {
        let before = |(other, _, at): &(u64, u64, RelPath)| match other.cmp(&figure) {
            Ordering::Greater => true,
            Ordering::Equal => at < path,
            Ordering::Less => false,
        };
        let full = self.kept.len() == self.limit;
        if figure == 0 || (full && self.kept.last().is_some_and(before)) {
            return;
        }
        let place = self.kept.partition_point(before);
        self.kept.insert(place, (figure, companion, path.clone()));
        self.kept.truncate(self.limit);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (figure, companion, path) in &other.kept {
            self.offer(*figure, *companion, path);
        }
    }

    /// The largest figure, 0 when nothing was offered.
    pub(super) fn greatest(&self) -> u64 {
        self.kept.first().map_or(0, |(figure, _, _)| *figure)
    }

    pub(super) fn into_sorted(self) -> impl Iterator<Item = (u64, u64, RelPath)> {
        self.kept.into_iter()
    }
}

/// The examples that sort first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Examples(BTreeSet<RelPath>);

impl Examples {
    pub(super) fn offer(&mut self, path: &RelPath) {
        if self.0.len() < EXAMPLES || self.0.last().is_some_and(|last| path < last) {
            self.0.insert(path.clone());
            if self.0.len() > EXAMPLES {
                self.0.pop_last();
            }
        }
    }
    pub(super) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|path| self.offer(path));
    }
    pub(super) fn into_paths(self) -> Vec<RelPath> {
        self.0.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_largest_stay_in_whatever_order_they_come() {
        let offers = [(3, "c"), (9, "z"), (9, "a"), (1, "x"), (0, "empty"), (5, "m")];
        let mut kept = Largest::new(3);
        let mut backwards = Largest::new(3);
        for (offer, back) in offers.iter().zip(offers.iter().rev()) {
            kept.offer(offer.0, 0, &offer.1.into());
            backwards.offer(back.0, 0, &back.1.into());
        }
        assert_eq!(kept, backwards);
        let paths: Vec<String> = kept.into_sorted().map(|(_, _, path)| path.to_string()).collect();
        assert_eq!(paths, ["a", "z", "m"]);
    }
}
