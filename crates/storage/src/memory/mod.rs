//! A store in memory, for tests and simulations: a file tree or a flat key space.
//!
//! It is deterministic: its clock counts changes and its inode numbers count up, so the same calls give
//! the same entries. Both flavours run on one map from names to inodes; what differs is what a name means
//! ([`tree`] makes and demands parents, [`keys`] takes anything) and what a listing shows.

mod content;
mod keys;
mod namespace;
mod tree;
mod upload;

use crate::{
    Abandoned, Body, Capabilities, Error, ErrorKind, ListOrder, ListSpec, MetaWrite, Node, NodeKinds, Page, PartRules,
    Publish, Published, ReadSpec, Reading, Receipt, Result, ResumeToken, Source, Target, Upload, Usage, WriteSpec,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use model::{DigestKind, Entry, Facets, Metadata, NameMap, NameRules, RelPath, Stamp};
use namespace::Namespace;
use std::{
    fmt,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Content up to this many bytes is read in one piece.
const WHOLE: usize = 256 * 1024;
/// Larger content comes in pieces of this size.
const PIECE: usize = 256 * 1024;

/// A store in memory. Clones share the content.
#[derive(Clone)]
pub struct MemoryStore {
    shape: Shape,
    caps: Arc<Capabilities>,
    page_entries: usize,
    names: Arc<Mutex<Namespace>>,
}

/// What a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// A POSIX file tree.
    Tree,
    /// A flat key space.
    Keys,
}

impl MemoryStore {
    /// A POSIX file tree: directories, links, all POSIX metadata at any time, names as `NameRules::POSIX`.
    pub fn tree() -> Self {
        let nodes = NodeKinds { dirs: true, symlinks: true, hard_links: true, specials: true };
        let facets = Facets::POSIX.and(Facets::HARD_LINKS);
        Self::with(
            Shape::Tree,
            Capabilities {
                reads: facets,
                writes: facets,
                meta_write: MetaWrite::AnyTime,
                list: ListOrder::PerDirectory,
                recursive_list: false,
                ranged_read: true,
                conditional_read: true,
                conditional_write: true,
                publish: Publish::Rename,
                parts: part_rules(1),
                put_max: u64::MAX,
                names: NameRules::POSIX,
                prefix_len: 0,
                digests: &[],
                nodes,
            },
        )
    }

    /// A flat key space that takes any name and lists in byte order, with the part rules of S3 except
    /// that the smallest part has `part_min` bytes. Keeps CRC-64/NVME, POSIX and user metadata.
    pub fn keys(part_min: u64) -> Self {
        let facets = Facets::POSIX.and(Facets::USER_META);
        Self::with(
            Shape::Keys,
            Capabilities {
                reads: facets.and(Facets::DIGESTS),
                writes: facets,
                meta_write: MetaWrite::WithData,
                list: ListOrder::ByteOrder,
                recursive_list: true,
                ranged_read: true,
                conditional_read: true,
                conditional_write: true,
                publish: Publish::Atomic,
                parts: part_rules(part_min),
                put_max: 5 << 30,
                names: NameRules::ANY,
                prefix_len: 0,
                digests: &[DigestKind::Crc64Nvme],
                nodes: NodeKinds { dirs: true, symlinks: true, hard_links: false, specials: false },
            },
        )
    }

    /// The same store with listings in pages of `entries` (1000 at first).
    #[must_use]
    pub fn with_page(mut self, entries: usize) -> Self {
        self.page_entries = entries.max(1);
        self
    }

    /// The same store with other rules for names, to test what meets a stricter store.
    #[must_use]
    pub fn with_names(mut self, names: NameRules) -> Self {
        Arc::make_mut(&mut self.caps).names = names;
        self
    }

    fn with(shape: Shape, caps: Capabilities) -> Self {
        let names = Arc::new(Mutex::new(Namespace::new(shape)));
        Self { shape, caps: Arc::new(caps), page_entries: 1000, names }
    }

    /// No operation leaves the namespace half changed, so a panic elsewhere does not spoil it.
    fn names(&self) -> MutexGuard<'_, Namespace> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_name(&self, path: &RelPath, op: &'static str) -> Result<()> {
        if path.is_root() {
            return Err(Error::new(ErrorKind::Invalid, op).at(path).because("the root cannot be written"));
        }
        match NameMap::refusing(self.caps.names).to(path) {
            Ok(_) => Ok(()),
            Err(refusal) => Err(Error::new(ErrorKind::NameRefused, op).at(path).because(refusal)),
        }
    }
}

fn part_rules(min: u64) -> PartRules {
    let in_flight = NonZeroU32::new(64).expect("64 is not 0");
    PartRules { min, max: 5 << 30, max_count: 10_000, equal_sizes: false, in_flight }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryStore({:?}, {} names)", self.shape, self.names().len())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Source for MemoryStore {
    fn caps(&self) -> &Capabilities {
        &self.caps
    }

    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        let (store, dir) = (self.clone(), dir.clone());
        let want = spec.want.shared(self.caps.reads).minus(Facets::DIGESTS.and(Facets::USER_META));
        let first = Some(spec.from);
        Box::pin(futures::stream::unfold(first, move |from| {
            let from = from.map(|from| match store.shape {
                Shape::Tree if spec.recursive => Err(Error::new(ErrorKind::Unsupported, "list").at(&dir)),
                Shape::Tree => tree::page(&store.names(), &dir, from.as_ref(), want, store.page_entries),
                Shape::Keys => {
                    Ok(keys::page(&store.names(), &dir, spec.recursive, from.as_ref(), want, store.page_entries))
                }
            });
            std::future::ready(from.map(|page| {
                let next = page.as_ref().ok().and_then(|page| page.next.clone()).map(Some);
                (page, next)
            }))
        }))
    }

    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        self.names().find(path, want.shared(self.caps.reads), "look at")
    }

    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        let (entry, data) = self.names().open(path, spec.want.shared(self.caps.reads))?;
        if spec.if_stamp.as_ref().is_some_and(|stamp| *stamp != entry.stamp) {
            return Err(Error::new(ErrorKind::Changed, "read").at(path));
        }
        let data = content::cut(&data, spec.range, path)?;
        if data.len() <= WHOLE {
            return Ok(Reading { entry, body: Body::Whole(data) });
        }
        let pieces: Vec<Result<Bytes>> =
            (0..data.len()).step_by(PIECE).map(|at| Ok(data.slice(at..data.len().min(at + PIECE)))).collect();
        Ok(Reading { entry, body: Body::Stream(Box::pin(futures::stream::iter(pieces))) })
    }

    async fn usage(&self) -> Result<Option<Usage>> {
        const CAPACITY: u64 = 1 << 40;
        Ok(match self.shape {
            Shape::Keys => None,
            Shape::Tree => {
                let (used, files) = self.names().used();
                let available = CAPACITY.saturating_sub(used);
                Some(Usage { capacity: CAPACITY, used, available, files: Some(files) })
            }
        })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Target for MemoryStore {
    async fn put(&self, path: &RelPath, spec: WriteSpec, data: Vec<Bytes>) -> Result<Published> {
        self.check_name(path, "write")?;
        content::verify(&spec.digests, &data, path)?;
        self.names().publish(path, &spec, self.caps.writes, content::joined(data))
    }

    async fn create(&self, path: &RelPath, spec: WriteSpec) -> Result<Box<dyn Upload>> {
        self.check_name(path, "write")?;
        let id = self.names().open_upload(path)?;
        Ok(Box::new(upload::MemoryUpload { store: self.clone(), path: path.clone(), spec, id }))
    }

    async fn resume(
        &self,
        path: &RelPath,
        spec: WriteSpec,
        token: &ResumeToken,
    ) -> Result<(Box<dyn Upload>, Vec<Receipt>)> {
        let gone = || Error::new(ErrorKind::NotFound, "resume the write of").at(path);
        let id = upload::id_of(token).ok_or_else(gone)?;
        let receipts = self.names().receipts(path, id).ok_or_else(gone)?;
        Ok((Box::new(upload::MemoryUpload { store: self.clone(), path: path.clone(), spec, id }), receipts))
    }

    async fn abandoned(&self, path: &RelPath) -> Result<Vec<Abandoned>> {
        Ok(self.names().abandoned(path))
    }

    async fn discard(&self, path: &RelPath, token: &ResumeToken) -> Result<()> {
        if let Some(id) = upload::id_of(token) {
            self.names().drop_upload(path, id);
        }
        Ok(())
    }

    async fn apply(&self, path: &RelPath, meta: &Metadata, which: Facets) -> Result<Facets> {
        self.names().apply(path, meta, which.shared(self.caps.writes))
    }

    async fn make(&self, path: &RelPath, node: Node, meta: &Metadata) -> Result<Published> {
        self.check_name(path, "make")?;
        let able = match node {
            Node::Dir => self.caps.nodes.dirs,
            Node::Symlink { .. } => self.caps.nodes.symlinks,
            Node::HardLink { .. } => self.caps.nodes.hard_links,
            Node::Special(_) => self.caps.nodes.specials,
        };
        if !able {
            return Err(Error::new(ErrorKind::Unsupported, "make").at(path));
        }
        self.names().make(path, &node, meta, self.caps.writes)
    }

    async fn remove(&self, path: &RelPath, if_stamp: Option<&Stamp>) -> Result<()> {
        self.names().remove(path, if_stamp)
    }
}
