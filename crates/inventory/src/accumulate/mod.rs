//! Figures of a system, gathered entry by entry in bounded memory.
//!
//! An accumulator does not care in which order directories come, can be written to a checkpoint at any
//! moment, and two of them that saw different entries merge into what one would have gathered. Groups are
//! the exception: beyond 20,000 of a kind they are approximate, and say so.

mod ages;
mod groups;
mod largest;
mod links;
mod name_counts;
mod notes;
mod pairs;
mod siblings;
mod sums;

use crate::{
    Capacity, Counts, DirectoryUse, FileUse, MetadataFacts, OperationLatency, PROFILE_SCHEMA, Problem, Profile,
    SecondCount, Shape, System, Walk, names,
};
use ages::Ages;
use groups::Bag;
use largest::Largest;
use links::LinkCounts;
use model::{Acl, Entry, Facets, Kind, Location, Principal, RelPath, Special, Timestamp};
use name_counts::NameCounts;
pub use notes::Noted;
use notes::{HIDDEN, Notes};
use serde::{Deserialize, Serialize};
use siblings::OpenDirectories;
use std::collections::BTreeMap;
use sums::{Shares, Sizes, Sum};

/// Largest directories, widest directories and largest files that are kept.
const LARGEST: usize = 50;
/// Longest path whose entries are counted by depth one by one; deeper ones count at this depth.
const DEEPEST: usize = 4096;
/// Longest key of S3, bytes (docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html).
const LONGEST_KEY: usize = 1024;
/// A smaller file may lie in its inode: no blocks, and no hole either.
const SPARSE_FROM: u64 = 64 * 1024;
/// 2038-01-19T03:14:07Z, the last second of signed 32 bits.
const LAST_SIGNED_SECOND: i64 = 0x7FFF_FFFF;

/// Gathers the figures of a [`Profile`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Accumulator {
    ages_modified: Ages,
    ages_accessed: Ages,
    counts: Counts,
    allocated: Option<Shares>,
    sizes: Sizes,
    by_extension: Bag,
    by_owner: Bag,
    by_top: Bag,
    largest_files: Largest,
    /// By bytes; the second figure is the number of entries.
    largest_directories: Largest,
    /// By entries; the second figure is the number of bytes.
    widest: Largest,
    entries_by_depth: Vec<u64>,
    directories_by_width: Vec<u64>,
    names: NameCounts,
    seen: Facets,
    max_links: u32,
    setuid_or_setgid: u64,
    world_writable: u64,
    acls: BTreeMap<String, u64>,
    xattrs: u64,
    streams: u64,
    doubtful_times: u64,
    notes: Notes,
    /// Inodes with several names, each name counting its share.
    link_groups: Shares,
    links: LinkCounts,
    open: OpenDirectories,
    /// Prefixes that contain the last key of a recursive listing, outermost first.
    prefixes: Vec<RelPath>,
}

/// What a profile says besides what was gathered.
#[derive(Clone, Debug)]
pub struct About {
    /// Where it is.
    pub location: Location,
    /// What serves it.
    pub system: System,
    /// How it was read.
    pub walk: Walk,
    /// Size of the volume.
    pub capacity: Option<Capacity>,
    /// Latency of the server's operations.
    pub latency: Vec<OperationLatency>,
    /// Directories that could not be read, at most 10,000.
    pub unreadable: Vec<Problem>,
    /// How many could not be read.
    pub unreadable_count: u64,
    /// Facets of which the listing told every instance, so that none found means none there.
    pub told: Facets,
}

impl Accumulator {
    /// Nothing gathered. Ages are counted back from `reference`, the start of the discovery.
    pub fn new(reference: Timestamp) -> Self {
        Self {
            ages_modified: Ages::new(reference),
            ages_accessed: Ages::new(reference),
            counts: Counts::default(),
            allocated: None,
            sizes: Sizes::default(),
            by_extension: Bag::default(),
            by_owner: Bag::default(),
            by_top: Bag::default(),
            largest_files: Largest::new(LARGEST),
            largest_directories: Largest::new(LARGEST),
            widest: Largest::new(LARGEST),
            entries_by_depth: Vec::new(),
            directories_by_width: Vec::new(),
            names: NameCounts::default(),
            seen: Facets::NONE,
            max_links: 0,
            setuid_or_setgid: 0,
            world_writable: 0,
            acls: BTreeMap::new(),
            xattrs: 0,
            streams: 0,
            doubtful_times: 0,
            notes: Notes::default(),
            link_groups: Shares::default(),
            links: LinkCounts::default(),
            open: OpenDirectories::default(),
            prefixes: Vec::new(),
        }
    }

    /// Entries gathered so far.
    pub fn entries(&self) -> u64 {
        self.counts.files + self.counts.dirs + self.counts.symlinks + self.counts.specials
    }
    /// Files, directories and so on so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Adds entries that lie directly in `dir`.
    pub fn page(&mut self, dir: &RelPath, entries: &[Entry]) {
        for entry in entries {
            self.add(entry);
            let bytes = if entry.kind.is_file() { entry.stamp.size } else { 0 };
            self.sibling(dir, &entry.path, entry.path.file_name(), bytes, false);
        }
        let subdirectories = entries.iter().filter(|entry| entry.kind.is_dir()).count();
        self.open.subdirectories(dir, u64::try_from(subdirectories).expect("a page is far smaller"));
    }

    /// A directory is listed whose inode has so many names, as the directory that holds it told.
    pub fn begin(&mut self, dir: &RelPath, links: Option<u32>) {
        self.open.linked(dir, links);
    }

    /// Something that the walk met besides entries.
    pub fn note(&mut self, what: Noted, path: &RelPath) {
        self.notes.noted(what, path);
        if what == Noted::Unreadable {
            self.links.unlisted();
            self.open.cut(path);
        }
    }

    /// A directory came to its end, or cannot be read further.
    pub fn directory_done(&mut self, dir: &RelPath) {
        let done = self.open.close(dir);
        self.names.case_twins += done.case_twins;
        self.names.normal_form_twins += done.normal_twins;
        self.largest_directories.offer(done.bytes, done.entries, dir);
        self.widest.offer(done.entries, done.bytes, dir);
        let width = usize::try_from(u64::BITS - done.entries.leading_zeros()).expect("64 fits");
        count_at(&mut self.directories_by_width, width);
        // One that was cut off counted when it was.
        if !done.cut && self.links.add(done.links, done.subdirectories) {
            self.notes.add(HIDDEN, dir, 0);
        }
    }

    /// Is this directory open: some of its entries were added, and its end was not?
    pub fn is_open(&self, dir: &RelPath) -> bool {
        self.open.contains(dir)
    }

    /// Adds entries of a recursive listing in byte order, where directories are prefixes that nobody lists:
    /// they are opened and closed as keys go by, and are part of the shape, but not of the counts.
    pub fn keys(&mut self, entries: &[Entry]) {
        for entry in entries {
            let is_dir = entry.kind.is_dir();
            let parent = entry.path.parent().unwrap_or(RelPath::ROOT);
            self.enter(&parent);
            self.add(entry);
            let bytes = if entry.kind.is_file() { entry.stamp.size } else { 0 };
            self.sibling(&parent, &entry.path, entry.path.file_name(), bytes, is_dir);
            if is_dir {
                self.open.touch(&entry.path);
                self.prefixes.push(entry.path.clone());
            }
        }
    }

    /// The last key of a recursive listing was added.
    pub fn keys_done(&mut self) {
        if self.prefixes.is_empty() {
            self.open.touch(&RelPath::ROOT);
            self.prefixes.push(RelPath::ROOT);
        }
        while let Some(prefix) = self.prefixes.pop() {
            self.directory_done(&prefix);
        }
    }

    /// Closes the prefixes that do not hold `parent`, opens those that do.
    fn enter(&mut self, parent: &RelPath) {
        while let Some(prefix) = self.prefixes.pop_if(|prefix| !parent.starts_with(prefix)) {
            self.directory_done(&prefix);
        }
        if self.prefixes.is_empty() {
            self.open.touch(&RelPath::ROOT);
            self.prefixes.push(RelPath::ROOT);
        }
        let mut missing = Vec::new();
        let mut next = parent.clone();
        while self.prefixes.last() != Some(&next) {
            let above = next.parent().unwrap_or(RelPath::ROOT);
            missing.push(std::mem::replace(&mut next, above));
        }
        for prefix in missing.into_iter().rev() {
            let above = prefix.parent().unwrap_or(RelPath::ROOT);
            self.name(&prefix, prefix.file_name());
            self.sibling(&above, &prefix, prefix.file_name(), 0, true);
            self.open.touch(&prefix);
            self.prefixes.push(prefix);
        }
    }

    fn sibling(&mut self, dir: &RelPath, path: &RelPath, name: &[u8], bytes: u64, prefix: bool) {
        let twins = self.open.add(dir, name, bytes, prefix);
        if twins.case {
            self.names.example("case_twins", path);
            self.notes.add("case-twins", path, 0);
        }
        if twins.normal_form {
            self.names.example("normal_form_twins", path);
            self.notes.add("normal-form-twins", path, 0);
        }
        if twins.given_up {
            self.notes.add("twins-not-searched", dir, 0);
        }
    }

    fn add(&mut self, entry: &Entry) {
        let depth = entry.path.depth();
        count_at(&mut self.entries_by_depth, depth.clamp(1, DEEPEST) - 1);
        let name = entry.path.file_name();
        self.name(&entry.path, name);
        self.longest(&entry.path);
        let size = if entry.kind.is_file() { entry.stamp.size } else { 0 };
        self.notes.lengths(&entry.path, size, LONGEST_KEY);
        self.notes.entry(entry, is_sparse(entry));
        self.metadata(entry);
        let owner = entry.meta.as_deref().and_then(|meta| meta.posix.as_ref()).map(|posix| &posix.owner);
        match &entry.kind {
            Kind::File => self.file(entry, name, depth, owner),
            Kind::Dir => {
                self.counts.dirs += 1;
                self.by_owner.touch_owner(owner);
            }
            Kind::Symlink { target } => {
                self.counts.symlinks += 1;
                self.by_owner.touch_owner(owner);
                self.names.longest_link_target = self.names.longest_link_target.max(length(target.len()));
            }
            Kind::Special(Special::Fifo | Special::Socket | Special::Block { .. } | Special::Char { .. }) => {
                self.counts.specials += 1;
                self.by_owner.touch_owner(owner);
            }
        }
    }

    fn file(&mut self, entry: &Entry, name: &[u8], depth: usize, owner: Option<&Principal>) {
        let size = entry.stamp.size;
        let sum = Sum::one(size);
        let counts = &mut self.counts;
        counts.files += 1;
        counts.size_bytes = counts.size_bytes.saturating_add(size);
        counts.empty_files += u64::from(size == 0);
        let links = entry.nlink.unwrap_or(1).max(1);
        counts.hard_linked_names += u64::from(links > 1);
        counts.sparse_files += u64::from(is_sparse(entry));
        if links > 1 {
            self.link_groups.add(1, links);
        }
        self.max_links = self.max_links.max(links);
        if let Some(allocated) = entry.allocated {
            self.allocated.get_or_insert_default().add(allocated, links);
        }
        self.sizes.add(size);
        let meta = entry.meta.as_deref();
        self.ages_modified.add(entry.stamp.mtime.or_else(|| meta?.mtime), size);
        self.ages_accessed.add(meta.and_then(|meta| meta.atime), size);
        let extension = names::extension(name);
        self.by_extension.add(extension.as_deref().unwrap_or_default().as_bytes(), sum);
        self.by_owner.add_owner(owner, sum);
        let top = entry.path.components().next().filter(|_| depth > 1);
        self.by_top.add(top.unwrap_or_default(), sum);
        self.largest_files.offer(size, 0, &entry.path);
    }

    fn name(&mut self, path: &RelPath, name: &[u8]) {
        self.names.longest_component = self.names.longest_component.max(length(name.len()));
        let refusals = names::refusals(name);
        if refusals.not_utf8 {
            self.names.not_utf8 += 1;
            self.names.example("not_utf8", path);
        }
        if refusals.control {
            self.names.control_characters += 1;
            self.names.example("control_characters", path);
        }
        if refusals.not_windows {
            self.names.not_windows += 1;
            self.names.example("not_windows", path);
        }
    }

    fn longest(&mut self, path: &RelPath) {
        if path.len() > LONGEST_KEY {
            self.names.over_1024_bytes += 1;
            self.names.example("over_1024_bytes", path);
        }
        self.names.offer_longest(path);
    }

    fn metadata(&mut self, entry: &Entry) {
        let meta = entry.meta.as_deref();
        if let Some(meta) = meta {
            self.seen = self.seen.and(meta.facets());
        }
        if entry.stamp.mtime.is_some() {
            self.seen = self.seen.and(Facets::MTIME);
        }
        if entry.nlink.is_some() {
            self.seen = self.seen.and(Facets::HARD_LINKS);
        }
        if entry.digests.is_some() {
            self.seen = self.seen.and(Facets::DIGESTS);
        }
        let times = [entry.stamp.mtime, meta.and_then(|meta| meta.mtime), meta.and_then(|meta| meta.atime)];
        let doubtful = |time: Timestamp| time.secs < 0 || time.secs > LAST_SIGNED_SECOND;
        if entry.kind.is_file() && times.into_iter().flatten().any(doubtful) {
            self.doubtful_times += 1;
            self.notes.add("doubtful-times", &entry.path, entry.stamp.size);
        }
        let Some(meta) = meta else { return };
        if let (Some(posix), true) = (&meta.posix, entry.kind.is_file()) {
            self.setuid_or_setgid += u64::from(posix.mode & 0o6000 != 0);
            self.world_writable += u64::from(posix.mode & 0o002 != 0);
        }
        if let Some(acl) = &meta.acl {
            *self.acls.entry(acl_word(acl).to_owned()).or_default() += 1;
        }
        self.xattrs += u64::from(!meta.xattrs.is_empty());
        self.streams += u64::from(!meta.streams.is_empty());
    }

    /// Adds everything that `other` gathered of other entries.
    pub fn merge(&mut self, other: Self) {
        self.ages_modified.merge(&other.ages_modified);
        self.ages_accessed.merge(&other.ages_accessed);
        let (ours, theirs) = (&mut self.counts, &other.counts);
        ours.files += theirs.files;
        ours.dirs += theirs.dirs;
        ours.symlinks += theirs.symlinks;
        ours.specials += theirs.specials;
        ours.size_bytes = ours.size_bytes.saturating_add(theirs.size_bytes);
        ours.hard_linked_names += theirs.hard_linked_names;
        ours.sparse_files += theirs.sparse_files;
        ours.empty_files += theirs.empty_files;
        if let Some(allocated) = other.allocated {
            self.allocated.get_or_insert_default().merge(allocated);
        }
        self.sizes.merge(&other.sizes);
        self.by_extension.merge(other.by_extension);
        self.by_owner.merge(other.by_owner);
        self.by_top.merge(other.by_top);
        self.largest_files.merge(&other.largest_files);
        self.largest_directories.merge(&other.largest_directories);
        self.widest.merge(&other.widest);
        add_each(&mut self.entries_by_depth, &other.entries_by_depth);
        add_each(&mut self.directories_by_width, &other.directories_by_width);
        self.names.merge(other.names);
        self.seen = self.seen.and(other.seen);
        self.max_links = self.max_links.max(other.max_links);
        self.setuid_or_setgid += other.setuid_or_setgid;
        self.world_writable += other.world_writable;
        for (kind, count) in other.acls {
            *self.acls.entry(kind).or_default() += count;
        }
        self.xattrs += other.xattrs;
        self.streams += other.streams;
        self.doubtful_times += other.doubtful_times;
        self.notes.merge(other.notes);
        self.link_groups.merge(other.link_groups);
        self.links.merge(&other.links);
        self.open.merge(other.open);
    }

    /// The profile. Directories that are still open count as they are.
    pub fn into_profile(mut self, about: About) -> Profile {
        for dir in self.open.paths() {
            self.directory_done(&dir);
        }
        let twins = [self.names.case_twins, self.names.normal_form_twins];
        let findings = self.notes.into_findings(self.link_groups.total(), twins, &self.links);
        let second_counts: Vec<_> = self
            .links
            .directories()
            .map(|dirs| SecondCount { method: "link counts".to_owned(), dirs: Some(dirs), ..SecondCount::default() })
            .map(|count| count.compared(&self.counts))
            .into_iter()
            .collect();
        let counted = |facet: Facets, count: u64| about.told.has(facet).then_some(count);
        let acl_facets = Facets::POSIX_ACL.and(Facets::NFS4_ACL).and(Facets::NTFS_SD);
        let owners = self.by_owner.distinct();
        let used = |(entries, size_bytes, path): (u64, u64, RelPath)| DirectoryUse { path, entries, size_bytes };
        Profile {
            schema: PROFILE_SCHEMA.to_owned(),
            location: about.location,
            system: about.system,
            walk: about.walk,
            capacity: about.capacity,
            counts: Counts { allocated_bytes: self.allocated.map(Shares::total), ..self.counts },
            sizes: self.sizes.to_profile(),
            age_modified: self.ages_modified.to_profile(),
            age_accessed: self.ages_accessed.to_profile(),
            by_extension: self.by_extension.into_profile("(none)", false),
            by_owner: self.by_owner.into_profile("(unknown)", false),
            by_top_directory: self.by_top.into_profile(".", true),
            largest_directories: self
                .largest_directories
                .into_sorted()
                .map(|(bytes, entries, path)| used((entries, bytes, path)))
                .collect(),
            largest_files: self
                .largest_files
                .into_sorted()
                .map(|(size_bytes, _, path)| FileUse { path, size_bytes })
                .collect(),
            shape: Shape {
                max_depth: length(self.entries_by_depth.len()),
                entries_by_depth: self.entries_by_depth,
                max_width: self.widest.greatest(),
                directories_by_width: self.directories_by_width,
                widest: self.widest.into_sorted().map(used).collect(),
            },
            names: self.names.into_profile(),
            metadata: MetadataFacts {
                facets_read: self.seen.and(about.told).names().map(str::to_owned).collect(),
                max_links: self.max_links,
                owners,
                setuid_or_setgid: self.setuid_or_setgid,
                world_writable: self.world_writable,
                acls: (!about.told.shared(acl_facets).is_empty()).then_some(self.acls),
                xattrs: counted(Facets::XATTR, self.xattrs),
                streams: counted(Facets::STREAMS, self.streams),
                doubtful_times: self.doubtful_times,
            },
            latency: about.latency,
            unreadable: about.unreadable,
            unreadable_count: about.unreadable_count,
            findings,
            second_counts,
        }
    }
}

fn is_sparse(entry: &Entry) -> bool {
    let size = entry.stamp.size;
    let holes = |allocated: u64| size >= SPARSE_FROM && allocated < size / 2;
    entry.kind.is_file() && entry.allocated.is_some_and(holes)
}

fn acl_word(acl: &Acl) -> &'static str {
    match acl {
        Acl::Posix1e(_) => "posix1e",
        Acl::Nfs4(_) => "nfs4",
        Acl::NtfsDescriptor(_) => "ntfs",
    }
}

fn count_at(counts: &mut Vec<u64>, at: usize) {
    if counts.len() <= at {
        counts.resize(at + 1, 0);
    }
    counts[at] += 1;
}

fn add_each(ours: &mut Vec<u64>, theirs: &[u64]) {
    if ours.len() < theirs.len() {
        ours.resize(theirs.len(), 0);
    }
    for (our, their) in ours.iter_mut().zip(theirs) {
        *our += their;
    }
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
