use super::*;
use crate::wrap::{Door, Fault, FaultRule, When};
use crate::{
    Body, Capabilities, FaultPlan, Faulty, MemoryStore, Node, ReadSpec, Reading, Target as _, Usage, WriteSpec,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use model::Metadata;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A store that misbehaves in chosen directories.
#[derive(Debug)]
struct Odd {
    inner: MemoryStore,
    panics_in: RelPath,
    denies: RelPath,
    /// Resumed listings that are still to be refused.
    forgets: AtomicUsize,
    pages: Arc<AtomicUsize>,
}

impl Odd {
    fn over(inner: MemoryStore) -> Self {
        let nowhere = RelPath::from("nowhere");
        Self { inner, panics_in: nowhere.clone(), denies: nowhere, forgets: AtomicUsize::new(0), pages: Arc::default() }
    }
}

#[async_trait]
impl Source for Odd {
    fn caps(&self) -> &Capabilities {
        self.inner.caps()
    }
    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        assert!(*dir != self.panics_in, "a bug in a client");
        let refused = |kind| futures::stream::iter([Err(Error::new(kind, "list"))]).boxed();
        if *dir == self.denies {
            return refused(ErrorKind::Denied);
        }
        let taken = self.forgets.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if spec.from.is_some() && taken.is_ok() {
            return refused(ErrorKind::Changed);
        }
        let pages = Arc::clone(&self.pages);
        let count = move |_: &Result<Page>| {
            pages.fetch_add(1, Ordering::SeqCst);
        };
        self.inner.list(dir, spec).inspect(count).boxed()
    }
    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        self.inner.stat(path, want).await
    }
    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        let reading = self.inner.read(path, spec).await?;
        Ok(Reading { body: Body::Whole(Bytes::new()), ..reading })
    }
    async fn usage(&self) -> Result<Option<Usage>> {
        self.inner.usage().await
    }
}

/// `dirs` directories in a chain or a bush, each with some files.
async fn planted(store: &MemoryStore, dirs: &[(usize, usize)]) -> BTreeSet<RelPath> {
    let mut made = vec![RelPath::ROOT];
    let mut all = BTreeSet::new();
    for (i, (parent, files)) in dirs.iter().enumerate() {
        let dir = made[parent % made.len()].join(format!("d{i}").as_bytes());
        store.make(&dir, Node::Dir, &Metadata::default()).await.unwrap();
        all.insert(dir.clone());
        for file in 0..*files {
            let path = dir.join(format!("f{file}").as_bytes());
            store.put(&path, WriteSpec::default(), vec![]).await.unwrap();
            all.insert(path);
        }
        made.push(dir);
    }
    all
}

fn spec(concurrency: usize) -> WalkSpec {
    let concurrency = NonZeroUsize::new(concurrency).unwrap();
    WalkSpec { concurrency, pending_in_memory: 3, ..WalkSpec::default() }
}

async fn events(source: impl Source, spec: WalkSpec) -> Vec<WalkEvent> {
    walk(Arc::new(source), spec).into_stream().map(Result::unwrap).collect().await
}

fn paths(events: &[WalkEvent]) -> Vec<RelPath> {
    let pages = events.iter().filter_map(|event| match event {
        WalkEvent::Page { entries, .. } => Some(entries),
        _ => None,
    });
    pages.flatten().map(|entry| entry.path.clone()).collect()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn a_walk_killed_anywhere_and_resumed_yields_every_entry_once(
        dirs in proptest::collection::vec((0..20_usize, 0..9_usize), 0..20),
        page in 1..4_usize,
        concurrency in 1..5_usize,
        kills in proptest::collection::vec(0..12_usize, 0..4),
        keys in any::<bool>(),
    ) {
        run(async {
            let store = if keys { MemoryStore::keys(1) } else { MemoryStore::tree() }.with_page(page);
            let all = planted(&store, &dirs).await;
            let source: Arc<dyn Source> = Arc::new(store);
            let mut seen = Vec::new();
            let mut roots = spec(1).roots;
            for events in kills.into_iter().chain([usize::MAX]) {
                let mut walk = walk(Arc::clone(&source), WalkSpec { roots, ..spec(concurrency) });
                for _ in 0..events {
                    let Some(event) = walk.next().await.unwrap() else { break };
                    seen.append(&mut paths(&[event]));
                }
                roots = walk.frontier().unwrap();
            }
            prop_assert!(roots.is_empty());
            prop_assert_eq!(seen.len(), all.len(), "an entry came twice or never");
            prop_assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), all);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_panic_or_a_refusal_in_one_directory_costs_that_directory_only() {
    let store = MemoryStore::tree().with_page(2);
    let all = planted(&store, &[(0, 3), (0, 3), (0, 3), (0, 0)]).await;
    let odd = Odd { panics_in: "d1".into(), denies: "d2".into(), ..Odd::over(store) };
    let events = events(odd, spec(2)).await;
    let mut unreadable: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            WalkEvent::Unreadable { dir, error } => Some((dir.to_string(), error.kind(), error.cause())),
            _ => None,
        })
        .collect();
    unreadable.sort();
    let panicked = Some("the driver panicked: a bug in a client".to_owned());
    assert_eq!(
        unreadable,
        [("d1".to_owned(), ErrorKind::Unexpected, panicked), ("d2".to_owned(), ErrorKind::Denied, None)]
    );
    assert_eq!(paths(&events).len(), all.len() - 6);
    let done = events.iter().filter(|event| matches!(event, WalkEvent::Done { .. })).count();
    assert_eq!(done, 3, "the root, d0 and the empty d3");
}

#[tokio::test]
async fn a_directory_whose_cursor_is_refused_is_listed_again_and_that_is_said() {
    let store = MemoryStore::tree().with_page(2);
    planted(&store, &[(0, 5)]).await;
    let odd = Odd { forgets: AtomicUsize::new(1), ..Odd::over(store) };
    let roots = vec![("d0".into(), Some(Cursor(Bytes::from_static(b"d0/f2"))))];
    let events = events(odd, WalkSpec { roots, ..spec(1) }).await;
    assert!(matches!(&events[0], WalkEvent::Restarted { dir } if *dir == "d0".into()));
    assert_eq!(paths(&events).len(), 5);

    let store = MemoryStore::tree().with_page(2);
    planted(&store, &[(0, 5)]).await;
    let roots = vec![("d0".into(), Some(Cursor(Bytes::from_static(b"d0/f2"))))];
    let odd = Odd { denies: "d0".into(), ..Odd::over(store) };
    let events = super::tests::events(odd, WalkSpec { roots, ..spec(1) }).await;
    assert!(matches!(&events[..], [WalkEvent::Unreadable { .. }]), "only a stale cursor starts again: {events:?}");
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_told_and_the_walk_goes_on() {
    let store = MemoryStore::tree();
    planted(&store, &[(0, 2), (1, 2)]).await;
    let fault = Fault::Before(ErrorKind::Denied);
    let rule = |path: &str| FaultRule { door: Door::Entry, under: path.into(), fault, when: When::Always };
    let rules = vec![rule("d0/f1"), rule("d0/d1/f0")];
    let events = events(Faulty::new(Arc::new(store), FaultPlan { seed: 1, rules }), spec(2)).await;
    let unread = events.iter().filter_map(|event| match event {
        WalkEvent::UnreadableEntry { path, error } => Some((path.to_string(), error.kind())),
        _ => None,
    });
    let unread: Vec<_> = unread.collect();
    assert_eq!(unread, [("d0/f1".into(), ErrorKind::Denied), ("d0/d1/f0".into(), ErrorKind::Denied)]);
    let expected: Vec<RelPath> = ["d0", "d0/d1", "d0/f0", "d0/d1/f1"].map(RelPath::from).into();
    assert_eq!(paths(&events), expected);
}

#[tokio::test]
async fn an_excluded_directory_is_reported_and_not_listed() {
    let store = MemoryStore::tree();
    planted(&store, &[(0, 2), (0, 2), (1, 1)]).await;
    let exclude: Exclude = Arc::new(|entry| (entry.path.file_name() == b"d0").then(|| "a snapshot".into()));
    let events = events(store, WalkSpec { exclude: Some(exclude), ..spec(2) }).await;
    let skipped = |event: &WalkEvent| matches!(event, WalkEvent::Skipped { dir, reason } if *dir == "d0".into() && reason == "a snapshot");
    assert_eq!(events.iter().filter(|event| skipped(event)).count(), 1);
    let expected: Vec<RelPath> = ["d0", "d1", "d1/f0", "d1/f1"].map(RelPath::from).into();
    assert_eq!(paths(&events), expected, "the directory itself is an entry, what is below is not");
}

#[tokio::test]
async fn listing_stops_when_nobody_pulls() {
    let store = MemoryStore::tree().with_page(1);
    planted(&store, &[(0, 500)]).await;
    let odd = Odd::over(store);
    let pages = Arc::clone(&odd.pages);
    let mut walk = walk(Arc::new(odd), WalkSpec { roots: vec![("d0".into(), None)], ..spec(2) });
    walk.next().await.unwrap();
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert!(pages.load(Ordering::SeqCst) <= 5, "{pages:?} pages were listed for one that was pulled");
}

/// A tree in which the directory `loop` of every directory is the root itself.
#[derive(Debug)]
struct Looped(MemoryStore);

impl Looped {
    /// What lies at `path` in truth, and the inode that a server tells of `entry`.
    fn truth(path: &RelPath) -> RelPath {
        let names: Vec<&[u8]> = path.components().collect();
        let after = names.iter().rposition(|name| *name == b"loop").map_or(0, |at| at + 1);
        names[after..].iter().fold(RelPath::ROOT, |path, name| path.join(name))
    }
}

#[async_trait]
impl Source for Looped {
    fn caps(&self) -> &Capabilities {
        self.0.caps()
    }
    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        let at = dir.clone();
        let renamed = move |page: Result<Page>| {
            page.map(|mut page| {
                for entry in &mut page.entries {
                    let name = entry.path.file_name().to_vec();
                    let inode = if name == b"loop" { 1 } else { 1000 + u64::from(name[0]) };
                    entry.stamp.file_id = Some(model::FileId { volume: 1, inode });
                    entry.stamp.change = Some(7);
                    entry.stamp.mtime = None;
                    entry.path = at.join(&name);
                }
                page
            })
        };
        self.0.list(&Self::truth(dir), spec).map(renamed).boxed()
    }
    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        self.0.stat(path, want).await
    }
    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        self.0.read(path, spec).await
    }
    async fn usage(&self) -> Result<Option<Usage>> {
        self.0.usage().await
    }
}

#[tokio::test]
async fn a_directory_that_holds_itself_is_said_and_not_walked_again() {
    let store = MemoryStore::tree();
    for dir in ["a", "a/b", "a/b/loop"] {
        store.make(&dir.into(), Node::Dir, &Metadata::default()).await.unwrap();
    }
    let source: Arc<dyn Source> = Arc::new(Looped(store));
    let mut walking = walk(Arc::clone(&source), spec(2));
    let mut skipped = Vec::new();
    let mut found = Vec::new();
    // Each place goes through its stored form, as when the walk is interrupted after every event.
    while let Some(event) = walking.next().await.unwrap() {
        match event {
            WalkEvent::Page { entries, .. } => found.extend(entries.into_iter().map(|entry| entry.path)),
            WalkEvent::Skipped { dir, reason } => {
                assert_eq!(reason, LOOP);
                skipped.push(dir);
                continue; // its page comes next
            }
            _ => {}
        }
        let mut stored = Vec::new();
        walking.each_place(|place| place.write_to(&mut stored)).unwrap();
        let mut from = &stored[..];
        walking = walk(Arc::clone(&source), WalkSpec { roots: vec![], ..spec(2) });
        while let Some(place) = Place::read_from(&mut from, None).unwrap() {
            walking.push(place);
        }
    }
    // The root's inode is not known to the walk, so the first round ends where `loop` holds itself.
    assert_eq!(skipped, [RelPath::from("a/b/loop/a")]);
    let expected = ["a", "a/b", "a/b/loop", "a/b/loop/a"].map(RelPath::from);
    assert_eq!(found, expected);
}
