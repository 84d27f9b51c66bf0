//! The local driver: a directory tree on this machine, or one that it has mounted.
//!
//! Everything happens relative to a handle of the root directory and never through a symbolic link, so no
//! link in the tree leads out of it. Calls of the kernel block, so each operation (a page of a listing, a
//! small file) is one hop to tokio's blocking threads, not one for each call.
//!
//! A write goes to `.longshore-<hash>.partial` beside its final name and is renamed at the end. Such
//! files are never listed as entries.

mod attributes;
mod errno;
mod list;
mod nodes;
mod paths;
mod read;
mod receipts;
mod temporary;
mod upload;
mod write;
mod xattrs;

use async_trait::async_trait;
use attributes::entry_at;
use bytes::Bytes;
use errno::failed;
use futures::stream::BoxStream;
use model::{Entry, Facets, Metadata, NameMap, NameRules, RelPath, Stamp};
use paths::Root;
use std::{
    fmt,
    num::NonZeroU32,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};
use storage::{
    Abandoned, Capabilities, Error, ErrorKind, ListOrder, ListSpec, MetaWrite, NoProbe, Node, NodeKinds, Page,
    PartRules, Probe, Publish, Published, ReadSpec, Reading, Receipt, Result, ResumeToken, Source, Target, Upload,
    Usage, WriteSpec,
};

/// How the driver works.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// What is finished is on disk (`fsync` of the file and its directory) before that is said. On at first.
    pub durable: bool,
    /// Entries in a page of a listing, 1000 at first.
    pub page_entries: usize,
    /// Resolve paths with `openat2` where the kernel has it (Linux 5.6), else one component after the
    /// other. On at first; off gives the older way everywhere, which is slower and equally safe.
    pub openat2: bool,
    /// Told what each call of the kernel cost: `getdents` (a page with the metadata of its entries),
    /// `statx`, `pread`, `pwrite`, `fsync`, `rename`.
    pub probe: Arc<dyn Probe>,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self { durable: true, page_entries: 1000, openat2: true, probe: Arc::new(NoProbe) }
    }
}

/// A directory tree. Clones share its handle.
#[derive(Clone)]
pub struct LocalStore(Arc<Tree>);

/// What every operation needs.
struct Tree {
    root: Root,
    caps: Capabilities,
    options: LocalOptions,
    /// Permission bits that new files and directories do not get.
    umask: u32,
    /// Reads may leave access times alone (`O_NOATIME`); off after the first refusal.
    quiet_reads: AtomicBool,
}

impl LocalStore {
    /// Opens the directory at `path`, which may be reached through symbolic links itself.
    ///
    /// Errors: `NotFound`, `Denied`, `Invalid` (not a directory).
    pub fn open(path: &[u8], options: LocalOptions) -> Result<Self> {
        let broken = |error| failed(error, "open the directory", &RelPath::from(path));
        let root = Root::open(path, options.openat2).map_err(broken)?;
        let birth = attributes::tells_birth(&root).map_err(broken)?;
        let owner = if rustix::process::geteuid().is_root() { Facets::OWNER } else { Facets::NONE };
        let told = |told: bool, facets: Facets| if told { facets } else { Facets::NONE };
        let reads = Facets::POSIX.and(Facets::HARD_LINKS).and(told(birth, Facets::BIRTH));
        let caps = Capabilities {
            reads: reads.and(told(xattrs::told(&root), xattrs::READS)),
            writes: Facets::MTIME.and(Facets::ATIME).and(Facets::MODE).and(Facets::HARD_LINKS).and(owner),
            meta_write: MetaWrite::AnyTime,
            list: ListOrder::PerDirectory,
            recursive_list: false,
            ranged_read: true,
            conditional_read: true,
            conditional_write: true,
            publish: Publish::Rename,
            parts: PartRules {
                min: 1,
                max: 1 << 40,
                max_count: u32::MAX,
                equal_sizes: false,
                in_flight: NonZeroU32::new(16).expect("16 is not 0"),
            },
            put_max: 64 << 20,
            names: NameRules::POSIX,
            prefix_len: 0,
            digests: &[],
            nodes: NodeKinds { dirs: true, symlinks: true, hard_links: true, specials: true },
        };
        let (umask, quiet_reads) = (write::umask(), AtomicBool::new(true));
        Ok(Self(Arc::new(Tree { root, caps, options, umask, quiet_reads })))
    }

    /// Runs `work` on a blocking thread. A panic there costs this operation only.
    async fn blocking<T: Send + 'static>(
        &self,
        op: &'static str,
        path: &RelPath,
        work: impl FnOnce(&Tree) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let tree = Arc::clone(&self.0);
        match tokio::task::spawn_blocking(move || work(&tree)).await {
            Ok(done) => done,
            Err(lost) => Err(Error::new(ErrorKind::Unexpected, op).at(path).because(lost)),
        }
    }
}

impl Tree {
    /// Does `call` and tells the probe.
    fn observed<T, E>(&self, op: &'static str, call: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let started = Instant::now();
        let done = call();
        self.options.probe.observed(op, started.elapsed(), done.is_ok());
        done
    }
    /// Refuses names that a file system cannot hold, `..` before all.
    fn check_name(&self, path: &RelPath, op: &'static str) -> Result<()> {
        let refused = |refusal| Error::new(ErrorKind::NameRefused, op).at(path).because(refusal);
        NameMap::refusing(self.caps.names).to(path).map(|_| ()).map_err(refused)
    }
    /// The same for what is about to be written: the root cannot be.
    fn check_new(&self, path: &RelPath, op: &'static str) -> Result<()> {
        if path.is_root() {
            return Err(Error::new(ErrorKind::Invalid, op).at(path).because("it is the root of the location"));
        }
        self.check_name(path, op)
    }
}

impl fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalStore(`{}`)", RelPath::from(self.0.root.path()))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Source for LocalStore {
    fn caps(&self) -> &Capabilities {
        &self.0.caps
    }

    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        list::list(self, dir, spec)
    }

    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        let at = path.clone();
        self.blocking("look at", path, move |tree| {
            tree.check_name(&at, "look at")?;
            let broken = |error| failed(error, "look at", &at);
            let (dir, name) = tree.root.parent(&at).map_err(broken)?;
            tree.observed("statx", || entry_at(&dir, name, &at, want)).map_err(broken)
        })
        .await
    }

    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        read::read(self, path, spec).await
    }

    async fn usage(&self) -> Result<Option<Usage>> {
        self.blocking("ask for the size of", &RelPath::ROOT, |tree| {
            let volume = rustix::fs::fstatvfs(&tree.root)
                .map_err(|error| failed(error, "ask for the size of", &RelPath::ROOT))?;
            let bytes = |blocks: u64| blocks.saturating_mul(volume.f_frsize);
            Ok(Some(Usage {
                capacity: bytes(volume.f_blocks),
                used: bytes(volume.f_blocks.saturating_sub(volume.f_bfree)),
                available: bytes(volume.f_bavail),
                files: (volume.f_files > 0).then(|| volume.f_files.saturating_sub(volume.f_ffree)),
            }))
        })
        .await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Target for LocalStore {
    async fn put(&self, path: &RelPath, spec: WriteSpec, data: Vec<Bytes>) -> Result<Published> {
        let at = path.clone();
        self.blocking("write", path, move |tree| write::put(tree, &at, &spec, &data)).await
    }

    async fn create(&self, path: &RelPath, spec: WriteSpec) -> Result<Box<dyn Upload>> {
        upload::create(self, path, spec).await
    }

    async fn resume(
        &self,
        path: &RelPath,
        spec: WriteSpec,
        token: &ResumeToken,
    ) -> Result<(Box<dyn Upload>, Vec<Receipt>)> {
        upload::resume(self, path, spec, token).await
    }

    async fn abandoned(&self, path: &RelPath) -> Result<Vec<Abandoned>> {
        let at = path.clone();
        self.blocking("look for unfinished writes of", path, move |tree| temporary::abandoned(tree, &at)).await
    }

    async fn discard(&self, path: &RelPath, token: &ResumeToken) -> Result<()> {
        let (at, token) = (path.clone(), token.clone());
        self.blocking("drop the unfinished write of", path, move |tree| temporary::discard(tree, &at, &token)).await
    }

    async fn apply(&self, path: &RelPath, meta: &Metadata, which: Facets) -> Result<Facets> {
        let (at, meta) = (path.clone(), meta.clone());
        self.blocking("write the metadata of", path, move |tree| nodes::apply(tree, &at, &meta, which)).await
    }

    async fn make(&self, path: &RelPath, node: Node, meta: &Metadata) -> Result<Published> {
        let (at, meta) = (path.clone(), meta.clone());
        self.blocking("make", path, move |tree| nodes::make(tree, &at, &node, &meta)).await
    }

    async fn remove(&self, path: &RelPath, if_stamp: Option<&Stamp>) -> Result<()> {
        let (at, if_stamp) = (path.clone(), if_stamp.cloned());
        self.blocking("remove", path, move |tree| nodes::remove(tree, &at, if_stamp.as_ref())).await
    }
}
