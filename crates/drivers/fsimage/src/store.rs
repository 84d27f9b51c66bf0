//! The image as a store.

mod list;

pub use list::DetailedPage;

use crate::{
    Details, FsimageOptions, ImageFacts,
    build::build,
    details::{READS, details, entry},
    failure::Broken,
    scratch::Scratch,
    summary::Image,
    tree::{Found, Tree},
};
use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt as _};
use model::{Entry, Facets, Location, NameMap, NameRules, RelPath, Timestamp};
use std::{
    ffi::OsStr,
    fmt,
    os::unix::ffi::OsStrExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};
use storage::{Capabilities, Error, ErrorKind, ListSpec, NodeKinds, Page, ReadSpec, Reading, Result, Source, Usage};

/// An image, open for listing. Clones share it.
#[derive(Clone)]
pub struct FsimageStore(Arc<Inner>);

struct Inner {
    tree: Tree,
    facts: ImageFacts,
    options: FsimageOptions,
    caps: Capabilities,
}

/// Tells the thread that reads an image that nobody waits for it any more.
struct Abandon(Arc<AtomicBool>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl FsimageStore {
    /// Reads the image at `path` into scratch files; minutes for one of many gigabytes. Dropping the future ends
    /// the reading soon.
    ///
    /// Errors: `NotFound`, `Denied`; `Unsupported` (no fsimage, an older format, a codec that is not read here);
    /// `Corrupt` (cut off, or not what the format says); `NoSpace` (for the scratch files); `NotFound` or
    /// `Invalid` when `options.below` is not there or is no directory.
    pub async fn open(path: &Path, options: FsimageOptions) -> Result<Self> {
        const OP: &str = "read the image";
        let shown = RelPath::from(path.as_os_str().as_bytes());
        let cancelled = Arc::new(AtomicBool::new(false));
        let _abandon = Abandon(Arc::clone(&cancelled));
        let path = path.to_owned();
        let work = tokio::task::spawn_blocking(move || {
            let image = Image::open(&path)?;
            let scratch = Scratch::new(&options.scratch, options.scratch_limit, cancelled)?;
            let (tree, mut facts) = build(&image, &scratch, &options)?;
            facts.image_mtime = std::fs::metadata(&path).and_then(|meta| meta.modified()).ok().and_then(timestamp);
            Ok::<_, Broken>((tree, facts, options))
        });
        let (tree, facts, options) = match work.await {
            Ok(read) => read.map_err(|broken| broken.told(OP, &shown))?,
            Err(lost) => return Err(Error::new(ErrorKind::Unexpected, OP).at(&shown).because(lost)),
        };
        for finding in facts.findings.lines() {
            tracing::warn!(image = %shown, finding, "the image is not sound");
        }
        let caps = capabilities(options.below.len());
        let store = Self(Arc::new(Inner { tree, facts, options, caps }));
        let root = store.look(RelPath::ROOT, "list").await?;
        if root.dir.is_none() {
            return Err(Error::new(ErrorKind::Invalid, "list")
                .at(&store.0.options.below)
                .because("it is no directory"));
        }
        Ok(store)
    }

    /// Opens `fsimage:///path/to/fsimage_…`, with `?below=/dir` only the part of the tree below that directory.
    ///
    /// Errors: those of [`FsimageStore::open`]; `Invalid` for a location with a host or other parameters.
    pub async fn open_location(location: &Location, mut options: FsimageOptions) -> Result<Self> {
        let wrong = |why: String| Err(Error::new(ErrorKind::Invalid, "read the image").because(why));
        if !location.host().is_empty() {
            return wrong(format!("`{location}` names a host; write `fsimage:///path` for a file on this machine"));
        }
        for (key, value) in location.params() {
            match key {
                "below" => options.below = RelPath::from(value.trim_matches('/')),
                _ => return wrong(format!("`{key}` is not a parameter of `fsimage://`; `below` is")),
            }
        }
        Self::open(Path::new(OsStr::from_bytes(location.path())), options).await
    }

    /// What the image tells about the cluster.
    pub fn facts(&self) -> &ImageFacts {
        &self.0.facts
    }

    /// What HDFS knows of one entry beyond what `stat` tells. Errors: as for `stat`.
    pub async fn details(&self, path: &RelPath) -> Result<Details> {
        let found = self.look(path.clone(), "look at").await?;
        Ok(details(&found.node, &self.0.tree.strings))
    }

    /// A listing like `Source::list`, each entry with its details.
    pub fn list_detailed(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<DetailedPage>> {
        list::pages(self, dir, spec)
    }

    /// Finds what stands at `path`, on a blocking thread.
    async fn look(&self, path: RelPath, op: &'static str) -> Result<Found> {
        let at = path.clone();
        self.blocking(op, &path, move |inner| inner.find(&at, op)).await
    }

    /// Runs `work` on a blocking thread and tells the probe.
    async fn blocking<T: Send + 'static>(
        &self,
        op: &'static str,
        path: &RelPath,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.0);
        let word = if op == "list" { "list" } else { "stat" };
        let done = tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            let done = work(&inner);
            inner.options.probe.observed(word, started.elapsed(), done.is_ok());
            done
        });
        match done.await {
            Ok(done) => done,
            Err(lost) => Err(Error::new(ErrorKind::Unexpected, op).at(path).because(lost)),
        }
    }
}

impl Inner {
    fn find(&self, path: &RelPath, op: &'static str) -> Result<Found> {
        let refused = |refusal| Error::new(ErrorKind::NameRefused, op).at(path).because(refusal);
        NameMap::refusing(self.caps.names).to(path).map_err(refused)?;
        let below = &self.options.below;
        let whole = if path.is_root() { below.clone() } else { below.join(path.as_bytes()) };
        let found = self.tree.find(&whole).map_err(|broken| broken.told(op, path))?;
        found.ok_or_else(|| {
            let error = Error::new(ErrorKind::NotFound, op).at(path);
            if path.is_root() { error.because(format!("`{whole}` is not in the image")) } else { error }
        })
    }
}

fn timestamp(time: SystemTime) -> Option<Timestamp> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp { secs: i64::try_from(since.as_secs()).ok()?, nanos: since.subsec_nanos() })
}

fn capabilities(prefix_len: usize) -> Capabilities {
    Capabilities {
        reads: READS,
        ranged_read: false,
        conditional_read: false,
        // Components may be as long as the NameNode's `dfs.namenode.fs-limits.max-component-length` lets them.
        names: NameRules { max_component: 0, ..NameRules::POSIX },
        prefix_len,
        nodes: NodeKinds { dirs: true, symlinks: true, hard_links: false, specials: false },
        ..Capabilities::READ_ONLY
    }
}

impl fmt::Debug for FsimageStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FsimageStore(transaction {}, below `/{}`)", self.0.facts.txid, self.0.options.below)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Source for FsimageStore {
    fn caps(&self) -> &Capabilities {
        &self.0.caps
    }

    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        let plain =
            |page: DetailedPage| Page::new(page.entries.into_iter().map(|(entry, _)| entry).collect(), page.next);
        list::pages(self, dir, spec).map(move |page| page.map(plain)).boxed()
    }

    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        let found = self.look(path.clone(), "look at").await?;
        Ok(entry(&found.node, path.clone(), want, &self.0.tree.strings, self.0.facts.namespace_id))
    }

    async fn read(&self, path: &RelPath, _spec: ReadSpec) -> Result<Reading> {
        let error = Error::new(ErrorKind::Unsupported, "read").at(path);
        Err(error
            .because("an fsimage holds names and metadata, not the content of files")
            .hint("read the content from the cluster: give its `hdfs://` location as the source"))
    }

    async fn usage(&self) -> Result<Option<Usage>> {
        // The size of the cluster is known to the live NameNode only.
        Ok(None)
    }
}
