//! Subdirectories counted in a second way: on traditional file systems a directory has two names and one more
//! for each subdirectory (`..` in it), so its count of links tells how many a listing should show.

use serde::{Deserialize, Serialize};

/// How the counts of links compare with what was listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LinkCounts {
    /// Directories with listed subdirectories whose links are known.
    with_subdirectories: u64,
    /// Those of them whose links say the same.
    agreeing: u64,
    /// Directories whose links say fewer than were listed.
    fewer: u64,
    /// Subdirectories by links, all together.
    by_links: u64,
    /// Directories whose links are unknown or say nothing, or that were not listed to their end.
    unknown: u64,
    /// Subdirectories that the links promise and no listing showed.
    missing: u64,
}

impl LinkCounts {
    /// One directory that was listed to its end. True when its links promise more than was listed.
    pub(super) fn add(&mut self, links: Option<u32>, subdirectories: u64) -> bool {
        let Some(by_links) = links.and_then(|links| u64::from(links).checked_sub(2)) else {
            self.unknown += 1;
            return false;
        };
        self.by_links += by_links;
        self.with_subdirectories += u64::from(subdirectories > 0);
        self.agreeing += u64::from(subdirectories > 0 && by_links == subdirectories);
        self.fewer += u64::from(by_links < subdirectories);
        self.missing += by_links.saturating_sub(subdirectories);
        by_links > subdirectories
    }

    /// A directory that could not be listed to its end.
    pub(super) fn unlisted(&mut self) {
        self.unknown += 1;
    }

    /// Do the links count subdirectories here? At least one directory must prove it, hardly one may disprove it.
    pub(super) fn hold(&self) -> bool {
        self.agreeing > 0
            && self.agreeing.saturating_mul(10) >= self.with_subdirectories.saturating_mul(8)
            && self.fewer.saturating_mul(50) <= self.with_subdirectories
    }

    /// Directories by links, where every one of them told.
    pub(super) fn directories(&self) -> Option<u64> {
        (self.unknown == 0 && self.hold()).then_some(self.by_links)
    }
    pub(super) fn missing(&self) -> u64 {
        self.missing
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.with_subdirectories += other.with_subdirectories;
        self.agreeing += other.agreeing;
        self.fewer += other.fewer;
        self.by_links += other.by_links;
        self.unknown += other.unknown;
        self.missing += other.missing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_count_where_nearly_all_agree_and_nowhere_else() {
        let mut traditional = LinkCounts::default();
        for subdirectories in [0, 1, 3, 0, 2, 5, 7] {
            assert!(!traditional.add(u32::try_from(subdirectories + 2).ok(), subdirectories));
        }
        assert_eq!((traditional.hold(), traditional.directories()), (true, Some(18)));
        assert!(traditional.add(Some(4), 1), "one is hidden");
        assert_eq!((traditional.hold(), traditional.directories(), traditional.missing()), (true, Some(20), 1));

        let mut btrfs = LinkCounts::default();
        for subdirectories in [0, 1, 3] {
            btrfs.add(Some(1), subdirectories);
        }
        assert_eq!((btrfs.hold(), btrfs.directories()), (false, None));

        let mut constant = LinkCounts::default();
        for subdirectories in [0, 1, 3] {
            constant.add(Some(2), subdirectories);
        }
        assert!(!constant.hold(), "a server that says 2 of every directory");
        let mut only_more = LinkCounts::default();
        only_more.add(Some(9), 3);
        assert!(!only_more.hold(), "nothing proves the rule");
    }
}
