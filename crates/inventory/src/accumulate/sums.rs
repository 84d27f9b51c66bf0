//! Files and bytes, together and by size.

use crate::SizeBucket;
use serde::{Deserialize, Serialize};

/// Files and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Sum {
    /// First, because sums are ordered by bytes.
    pub bytes: u64,
    pub files: u64,
}

impl Sum {
    pub(super) fn one(bytes: u64) -> Self {
        Self { bytes, files: 1 }
    }
    /// Sparse files can claim more bytes together than 64 bits count.
    pub(super) fn add(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.files += other.files;
    }
}

/// Files by size: index 0 empty, index n from 2^(n-1) to 2^n - 1 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sizes(Vec<Sum>);

impl Sizes {
    pub(super) fn add(&mut self, size: u64) {
        let bucket = usize::try_from(u64::BITS - size.leading_zeros()).expect("64 fits");
        if self.0.len() <= bucket {
            self.0.resize(bucket + 1, Sum::default());
        }
        self.0[bucket].add(Sum::one(size));
    }
    pub(super) fn merge(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), Sum::default());
        }
        for (ours, theirs) in self.0.iter_mut().zip(&other.0) {
            ours.add(*theirs);
        }
    }
    /// All buckets up to the largest that holds a file, empty ones among them.
    pub(super) fn to_profile(&self) -> Vec<SizeBucket> {
        let bound = |bucket: usize| match bucket {
            0 => 0,
            1..=64 => 1_u64 << (bucket - 1),
            _ => u64::MAX,
        };
        let one = |(bucket, sum): (usize, &Sum)| SizeBucket {
            from_bytes: bound(bucket),
            to_bytes: bound(bucket + 1),
            files: sum.files,
            size_bytes: sum.bytes,
        };
        self.0.iter().enumerate().map(one).collect()
    }
}

/// Bytes on disk with each inode counted once: every name of an inode counts its share. Shares are in 1/2^20
/// of a byte, so that the order of adding does not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shares {
    whole: u64,
    /// In 1/2^20 of a byte, less than a byte.
    rest: u64,
}

const UNIT: u64 = 1 << 20;

impl Shares {
    pub(super) fn add(&mut self, bytes: u64, names: u32) {
        let names = u64::from(names.max(1));
        let rest = (bytes % names) * UNIT / names;
        self.merge(Self { whole: bytes / names, rest });
    }
    pub(super) fn merge(&mut self, other: Self) {
        let rest = self.rest + other.rest;
        self.whole = self.whole.saturating_add(other.whole).saturating_add(rest / UNIT);
        self.rest = rest % UNIT;
    }
    pub(super) fn total(self) -> u64 {
        self.whole.saturating_add(u64::from(self.rest >= UNIT / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_falls_into_its_power_of_two() {
        let mut sizes = Sizes::default();
        for size in [0, 1, 2, 3, 4, 1023, 1024, u64::MAX] {
            sizes.add(size);
        }
        let filled: Vec<_> = sizes.to_profile().into_iter().filter(|bucket| bucket.files > 0).collect();
        let bounds: Vec<_> = filled.iter().map(|b| (b.from_bytes, b.to_bytes, b.files)).collect();
        assert_eq!(
            bounds,
            [(0, 1, 1), (1, 2, 1), (2, 4, 2), (4, 8, 1), (512, 1024, 1), (1024, 2048, 1), (1 << 63, u64::MAX, 1)]
        );
        assert_eq!(sizes.to_profile().len(), 65, "empty buckets are listed too");
    }

    #[test]
    fn the_names_of_one_inode_share_its_bytes() {
        let mut shares = Shares::default();
        for _ in 0..3 {
            shares.add(4096, 3);
        }
        shares.add(100, 1);
        assert_eq!(shares.total(), 4196);
    }
}
