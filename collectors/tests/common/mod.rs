//! A system to discover: a store in memory that misbehaves when told to.
#![allow(clippy::unwrap_used, dead_code, reason = "each test file uses its share")]

use async_trait::async_trait;
use futures::{StreamExt as _, stream::BoxStream};
use inventory::{Finding, Inventory, Profile, SecondCount, System, rows::read_entries};
use longshore_collectors::{Collector, DiscoverOptions, Error, Protocol};
use model::{Entry, Facets, Location, Metadata, RelPath, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use storage::{
    Capabilities, Error as StorageError, ErrorKind, ListSpec, MemoryStore, Node, Page, ReadSpec, Reading, Result,
    Source, Target as _, Usage, WriteSpec,
};
use tokio::sync::Notify;

pub const NOW: Timestamp = Timestamp { secs: 1_800_000_000, nanos: 0 };

/// A store in memory, and how it misbehaves. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Odd {
    pub inner: MemoryStore,
    /// Pages until it hangs; then `hung` is notified.
    pub pages_left: Arc<AtomicUsize>,
    pub hung: Arc<Notify>,
    /// Listings that go on, and are still to be refused with `Changed`.
    pub forgets: Arc<AtomicUsize>,
    /// Directories that answer with an error.
    pub failing: BTreeMap<RelPath, ErrorKind>,
    /// What cannot be read of a listing.
    pub unread: BTreeSet<RelPath>,
    /// Every listing breaks off after so many pages.
    pub breaks: Option<(usize, ErrorKind)>,
    /// Nothing can be looked at.
    pub shut: Option<ErrorKind>,
    /// It never tells its findings; `hung` is notified.
    pub keeps_findings: bool,
    /// Pages that were listed.
    pub pages: Arc<AtomicUsize>,
    /// Where it says that it is.
    pub place: Location,
    /// What it answers as a collector.
    pub findings: Result<Vec<Finding>, ErrorKind>,
    pub second_count: Result<Option<SecondCount>, ErrorKind>,
}

impl Odd {
    pub fn over(inner: MemoryStore) -> Self {
        Self {
            inner,
            pages_left: Arc::new(AtomicUsize::new(usize::MAX)),
            hung: Arc::default(),
            forgets: Arc::default(),
            failing: BTreeMap::new(),
            unread: BTreeSet::new(),
            breaks: None,
            shut: None,
            keeps_findings: false,
            pages: Arc::default(),
            place: "memory://store/x".parse().unwrap(),
            findings: Ok(Vec::new()),
            second_count: Ok(None),
        }
    }
    pub fn collector(&self) -> Collector {
        Collector::new(self.place.clone(), Arc::new(self.clone()), self.clone())
    }
}

fn take_one(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

#[async_trait]
impl Source for Odd {
    fn caps(&self) -> &Capabilities {
        self.inner.caps()
    }
    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        let refused = |kind| futures::stream::iter([Err(StorageError::new(kind, "list").at(dir))]).boxed();
        if let Some(kind) = self.failing.get(dir) {
            return refused(*kind);
        }
        if spec.from.is_some() && take_one(&self.forgets) {
            return refused(ErrorKind::Changed);
        }
        let (left, hung) = (Arc::clone(&self.pages_left), Arc::clone(&self.hung));
        let pages = Arc::clone(&self.pages);
        let hang = move |page| {
            let (left, hung, pages) = (Arc::clone(&left), Arc::clone(&hung), Arc::clone(&pages));
            async move {
                pages.fetch_add(1, Ordering::SeqCst);
                if !take_one(&left) {
                    hung.notify_one();
                    std::future::pending::<()>().await;
                }
                page
            }
        };
        let unread = self.unread.clone();
        let part = move |page: Result<Page>| {
            let mut page = page?;
            let Page { entries, unread: told, .. } = &mut page;
            entries.retain(|entry| {
                let good = !unread.contains(&entry.path);
                told.extend((!good).then(|| StorageError::new(ErrorKind::Unexpected, "look at").at(&entry.path)));
                good
            });
            Ok(page)
        };
        let pages = self.inner.list(dir, spec).then(hang).map(part);
        match self.breaks {
            None => pages.boxed(),
            Some((after, kind)) => {
                let broken = StorageError::new(kind, "list").at(dir);
                pages.take(after).chain(futures::stream::iter([Err(broken)])).boxed()
            }
        }
    }
    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        match self.shut {
            Some(kind) => Err(StorageError::new(kind, "look at").at(path)),
            None => self.inner.stat(path, want).await,
        }
    }
    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        self.inner.read(path, spec).await
    }
    async fn usage(&self) -> Result<Option<Usage>> {
        self.inner.usage().await
    }
}

#[async_trait]
impl Protocol for Odd {
    fn told(&self, _reads: Facets) -> Facets {
        Facets::POSIX
    }
    async fn identify(&self) -> Result<System> {
        Ok(System { protocol: "memory".into(), ..System::default() })
    }
    async fn findings(&self) -> Result<Vec<Finding>> {
        if self.keeps_findings {
            self.hung.notify_one();
            std::future::pending::<()>().await;
        }
        self.findings.clone().map_err(|kind| StorageError::new(kind, "ask for findings"))
    }
    async fn second_count(&self) -> Result<Option<SecondCount>> {
        self.second_count.clone().map_err(|kind| StorageError::new(kind, "count again"))
    }
}

/// `dirs` directories in a chain or a bush, each with some files of growing size.
pub async fn planted(store: &MemoryStore, dirs: &[(usize, usize)]) -> BTreeSet<RelPath> {
    let mut made = vec![RelPath::ROOT];
    let mut all = BTreeSet::new();
    for (i, (parent, files)) in dirs.iter().enumerate() {
        let dir = made[parent % made.len()].join(format!("d{i}").as_bytes());
        store.make(&dir, Node::Dir, &Metadata::default()).await.unwrap();
        all.insert(dir.clone());
        for file in 0..*files {
            let name = if file == 3 { b"\xFF\n".to_vec() } else { format!("f{file}.txt").into_bytes() };
            let path = dir.join(&name);
            store.put(&path, WriteSpec::default(), vec![vec![0; file].into()]).await.unwrap();
            all.insert(path);
        }
        made.push(dir);
    }
    all
}

pub fn options(concurrency: usize, entries: u64) -> DiscoverOptions {
    let mut options = DiscoverOptions::new(NOW);
    options.concurrency = NonZeroUsize::new(concurrency).unwrap();
    options.checkpoint.entries = entries;
    options
}

/// Discovers; a run that was just abandoned may hold its lock for another moment.
pub async fn discovered(odd: &Odd, out: &Path, options: &DiscoverOptions) -> std::result::Result<Profile, Error> {
    loop {
        match longshore_collectors::discover(&odd.collector(), out, options.clone()).await {
            Err(Error::Inventory(inventory::Error::Locked { .. })) => {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            other => return other,
        }
    }
}

/// The paths of all rows, in order.
pub fn rows(out: &Path) -> Vec<RelPath> {
    let inventory = Inventory::open(out).unwrap();
    let name = &inventory.systems()[0].name;
    let parts = inventory.entries_files(name).unwrap();
    let mut rows: Vec<RelPath> =
        parts.iter().flat_map(|part| read_entries(part).unwrap()).map(|row| row.unwrap().path).collect();
    rows.sort();
    rows
}

/// A profile without what differs from run to run.
pub fn comparable(mut profile: Profile) -> Profile {
    profile.walk.elapsed_ms = 0;
    profile.walk.resumed = 0;
    profile.walk.entries_per_second.value = 0.0;
    profile.walk.finished_at.clear();
    profile.walk.peak_memory_bytes = None;
    profile.walk.host.networks.clear();
    profile.walk.host.disks.clear();
    profile.names.examples.retain(|what, _| !what.ends_with("_twins"));
    let twins = profile.findings.iter_mut().filter(|finding| finding.kind.ends_with("-twins"));
    twins.for_each(|twins| twins.examples.clear());
    profile
}
