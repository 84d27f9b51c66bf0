//! What a backend can do: facts, fixed when it is opened.

use model::{DigestKind, Facets, NameRules};
use std::num::NonZeroU32;

/// What a backend can do, printed by `longshore source test` and held to by the contract suite.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about a store")]
pub struct Capabilities {
    /// Metadata it can tell.
    pub reads: Facets,
    /// Metadata it can keep.
    pub writes: Facets,
    /// When metadata can be written.
    pub meta_write: MetaWrite,
    /// The order of its listings.
    pub list: ListOrder,
    /// `ListSpec::recursive` is honoured: one listing covers everything below.
    pub recursive_list: bool,
    /// A read can be limited to a range.
    pub ranged_read: bool,
    /// A read is refused with `Changed` when `if_stamp` no longer matches.
    pub conditional_read: bool,
    /// A write with `if_absent` fails with `AlreadyExists` when it loses the race.
    pub conditional_write: bool,
    /// How a finished write appears.
    pub publish: Publish,
    /// What parts it takes.
    pub parts: PartRules,
    /// Largest content that `put` takes in one piece, bytes.
    pub put_max: u64,
    /// What names it takes.
    pub names: NameRules,
    /// Bytes of the location's own prefix, which count towards the longest path.
    pub prefix_len: usize,
    /// Digests that the server keeps and tells.
    pub digests: &'static [DigestKind],
    /// Kinds of node besides files that can be made.
    pub nodes: NodeKinds,
}

impl Capabilities {
    /// Of a store that is only read, whose content can be read in ranges and is refused when it changed. Nothing can
    /// be written there, so no part is ever taken. What it tells and names are the driver's to add.
    pub const READ_ONLY: Self = Self {
        reads: Facets::NONE,
        writes: Facets::NONE,
        meta_write: MetaWrite::AnyTime,
        list: ListOrder::PerDirectory,
        recursive_list: false,
        ranged_read: true,
        conditional_read: true,
        conditional_write: false,
        publish: Publish::InPlace,
        parts: PartRules { min: 0, max: 0, max_count: 0, equal_sizes: false, in_flight: NonZeroU32::MIN },
        put_max: 0,
        names: NameRules::POSIX,
        prefix_len: 0,
        digests: &[],
        nodes: NodeKinds { dirs: false, symlinks: false, hard_links: false, specials: false },
    };
}

/// Which nodes besides files a target can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about a store")]
pub struct NodeKinds {
    /// Directories (or markers of them).
    pub dirs: bool,
    /// Symbolic links.
    pub symlinks: bool,
    /// Several names for one inode.
    pub hard_links: bool,
    /// Pipes, sockets, devices.
    pub specials: bool,
}

/// The order of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListOrder {
    /// Bytes of the whole key.
    ByteOrder,
    /// One directory at a time, names in any order.
    PerDirectory,
    /// None.
    None,
}

/// When metadata can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaWrite {
    /// Only together with the data; changing it later means writing the object anew on the server.
    WithData,
    /// At any time.
    AnyTime,
}

/// How a finished write appears: all at once, by renaming a temporary name, or in the open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publish {
    /// All at once, by the server.
    Atomic,
    /// By renaming a temporary name over it.
    Rename,
    /// Bytes show as they arrive.
    InPlace,
}

/// What parts an upload takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartRules {
    /// Smallest size of every part but the last, bytes.
    pub min: u64,
    /// Largest size of a part, bytes.
    pub max: u64,
    /// How many parts at most.
    pub max_count: u32,
    /// Every part but the last must have the same size.
    pub equal_sizes: bool,
    /// How many may be in flight together.
    pub in_flight: NonZeroU32,
}

impl PartRules {
    /// The part size to use for content of `size` bytes: `preferred`, or larger where the count of
    /// parts would run over; `None` when the store cannot take content of that size at all.
    pub fn part_size(&self, size: u64, preferred: u64) -> Option<u64> {
        let needed = size.div_ceil(u64::from(self.max_count)).next_multiple_of(1 << 20);
        let chosen = preferred.max(needed).max(self.min).min(self.max);
        (size.div_ceil(chosen) <= u64::from(self.max_count)).then_some(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_size_grows_with_the_object() {
        const MIB: u64 = 1 << 20;
        let s3 = PartRules {
            min: 5 * MIB,
            max: 5 << 30,
            max_count: 10_000,
            equal_sizes: false,
            in_flight: NonZeroU32::new(64).expect("64 is not 0"),
        };
        assert_eq!(s3.part_size(1 << 30, 16 * MIB), Some(16 * MIB));
        assert_eq!(s3.part_size(1, MIB), Some(5 * MIB));
        assert_eq!(s3.part_size(5 << 40, 16 * MIB), Some(525 * MIB));
        assert_eq!(s3.part_size(49 << 40, 16 * MIB), None);
    }
}
