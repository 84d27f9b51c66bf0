//! What a store promises of listings, on images of our own making and on a real one. The contract suite fills a
//! store through its own door, which an image does not have.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // all of it is tests

mod synthetic;

use futures::{StreamExt as _, TryStreamExt as _};
use longshore_driver_fsimage::{FsimageOptions, FsimageStore};
use model::{Facets, Kind, Location, Principal, RelPath};
use std::{
    collections::BTreeSet,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use storage::{
    Cursor, ErrorKind, ListSpec, Probe, ReadSpec, Source,
    walk::{WalkEvent, WalkSpec, walk},
};
use synthetic::{Message, ROOT, children, directory, file, image};

fn small() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/small.fsimage")
}

/// An image with `count` files in `/many`, one file beside it, and an empty directory.
fn many(dir: &Path, count: u64) -> PathBuf {
    let path = dir.join("image");
    let mut inodes = vec![directory(ROOT, b""), directory(ROOT + 1, b"many"), file(ROOT + 2, b"file", 5)];
    inodes.push(directory(ROOT + 3, b"empty"));
    let ids = || (0..count).map(|n| ROOT + 10 + n);
    inodes.extend(ids().rev().map(|id| file(id, format!("entry-{:05}", id - ROOT - 10).as_bytes(), id)));
    let links = [children(ROOT + 1, ids()), children(ROOT, [ROOT + 2, ROOT + 1, ROOT + 3])];
    image(&path, &inodes, &links).unwrap();
    path
}

async fn names(store: &FsimageStore, dir: &str, from: Option<Cursor>) -> Vec<String> {
    let spec = ListSpec { from, ..ListSpec::default() };
    let pages: Vec<_> = store.list(&RelPath::from(dir), spec).try_collect().await.unwrap();
    pages.into_iter().flat_map(|page| page.entries).map(|entry| entry.path.to_string()).collect()
}

async fn refused(store: &FsimageStore, dir: &str, spec: ListSpec) -> ErrorKind {
    let mut pages = store.list(&RelPath::from(dir), spec);
    let error = pages.next().await.unwrap().unwrap_err();
    assert!(pages.next().await.is_none(), "the listing goes on after {error}");
    error.kind()
}

#[tokio::test]
async fn from_every_cursor_the_rest_comes_each_entry_once_even_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = many(dir.path(), 1203);
    let options = || FsimageOptions { page_entries: 100, memory: 1 << 16, ..FsimageOptions::default() };
    let store = FsimageStore::open(&path, options()).await.unwrap();
    let again = FsimageStore::open(&path, options()).await.unwrap();
    let all: Vec<String> = (0..1203).map(|n| format!("many/entry-{n:05}")).collect();
    let pages: Vec<_> = store.list(&"many".into(), ListSpec::default()).try_collect().await.unwrap();
    assert_eq!(pages.len(), 13);
    let mut before = Vec::new();
    for page in pages {
        before.extend(page.entries.into_iter().map(|entry| entry.path.to_string()));
        let Some(next) = page.next else { continue };
        for store in [&store, &again] {
            let rest = names(store, "many", Some(next.clone())).await;
            assert_eq!([&before[..], &rest].concat(), all);
        }
    }
    assert_eq!(before, all);
    assert_eq!(names(&store, "empty", None).await, [""; 0]);
    assert_eq!(names(&store, "", None).await, ["empty", "file", "many"]);
}

#[tokio::test]
async fn what_cannot_be_listed_or_read_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let store = FsimageStore::open(&many(dir.path(), 10), FsimageOptions::default()).await.unwrap();
    let plain = ListSpec::default;
    assert_eq!(refused(&store, "nothing", plain()).await, ErrorKind::NotFound);
    assert_eq!(refused(&store, "file/below", plain()).await, ErrorKind::NotFound);
    assert_eq!(refused(&store, "file", plain()).await, ErrorKind::Invalid);
    assert_eq!(refused(&store, "many/../file", plain()).await, ErrorKind::NameRefused);
    assert_eq!(refused(&store, "", ListSpec { recursive: true, ..plain() }).await, ErrorKind::Unsupported);
    let strange = Some(Cursor(bytes::Bytes::from_static(b"not ours")));
    assert_eq!(refused(&store, "many", ListSpec { from: strange, ..plain() }).await, ErrorKind::Changed);
    assert_eq!(store.stat(&"many/nothing".into(), Facets::NONE).await.unwrap_err().kind(), ErrorKind::NotFound);
    let read = store.read(&"file".into(), ReadSpec::default()).await.unwrap_err();
    assert_eq!(read.kind(), ErrorKind::Unsupported);
    assert!(read.hint_text().unwrap().contains("hdfs://"));
    assert!(store.usage().await.unwrap().is_none());
}

#[tokio::test]
async fn an_entry_looked_at_is_the_entry_listed() {
    let store = FsimageStore::open(&small(), FsimageOptions::default()).await.unwrap();
    let want = Facets::POSIX.and(Facets::XATTR);
    let mut waiting = vec![RelPath::ROOT];
    let mut seen = 0;
    while let Some(dir) = waiting.pop() {
        let spec = ListSpec { want, ..ListSpec::default() };
        let pages: Vec<_> = store.list(&dir, spec).try_collect().await.unwrap();
        for entry in pages.into_iter().flat_map(|page| page.entries) {
            assert_eq!(store.stat(&entry.path, want).await.unwrap(), entry);
            seen += 1;
            if entry.kind.is_dir() {
                waiting.push(entry.path);
            }
        }
    }
    assert_eq!(seen, 839);
    let link = store.stat(&"links/dangling".into(), Facets::NONE).await.unwrap();
    assert_eq!(link.kind, Kind::Symlink { target: "../relative/é nowhere".into() });
    assert!(link.meta.is_none());
    let owned = store.stat(&"big/d0/sub0/file-0".into(), Facets::POSIX).await.unwrap().meta.unwrap().posix.unwrap();
    assert_eq!(owned.owner, Principal::Name("user0".into()));
}

#[tokio::test]
async fn a_part_of_the_tree_is_a_store_of_its_own() {
    let location: Location = format!("fsimage://{}?below=/snap/a", small().display()).parse().unwrap();
    let store = FsimageStore::open_location(&location, FsimageOptions::default()).await.unwrap();
    let inside = names(&store, "", None).await;
    assert!(inside.contains(&"from-plain-f4".to_owned()), "{inside:?}");
    assert!(!inside.contains(&"f1".to_owned()), "moved away: {inside:?}");
    assert!(store.stat(&"dir/f3 again".into(), Facets::NONE).await.is_ok());
    for (below, kind) in [("/nothing", ErrorKind::NotFound), ("/data/one", ErrorKind::Invalid)] {
        let location: Location = format!("fsimage://{}?below={below}", small().display()).parse().unwrap();
        let error = FsimageStore::open_location(&location, FsimageOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{below}");
    }
    for wrong in ["fsimage://host/image", "fsimage:///image?belo=/x"] {
        let error = FsimageStore::open_location(&wrong.parse().unwrap(), FsimageOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{wrong}");
    }
}

#[derive(Debug, Default)]
struct Counting(AtomicUsize, Mutex<BTreeSet<&'static str>>);

impl Probe for Counting {
    fn observed(&self, op: &'static str, _took: Duration, _ok: bool) {
        self.0.fetch_add(1, Ordering::Relaxed);
        self.1.lock().unwrap().insert(op);
    }
}

#[tokio::test]
async fn discovery_walks_it_like_any_store() {
    let probe = Arc::new(Counting::default());
    let options = FsimageOptions { probe: probe.clone(), page_entries: 7, ..FsimageOptions::default() };
    let store = Arc::new(FsimageStore::open(&small(), options).await.unwrap());
    let spec = WalkSpec { concurrency: NonZeroUsize::new(8).unwrap(), want: Facets::POSIX, ..WalkSpec::default() };
    let mut events = walk(store.clone(), spec);
    let mut seen = BTreeSet::new();
    while let Some(event) = events.next().await.unwrap() {
        match event {
            WalkEvent::Page { entries, .. } => {
                for entry in entries {
                    assert!(seen.insert(entry.path.clone()), "{} came twice", entry.path);
                }
            }
            WalkEvent::Unreadable { error, .. } | WalkEvent::UnreadableEntry { error, .. } => panic!("{error:?}"),
            WalkEvent::Done { .. } | WalkEvent::Skipped { .. } | WalkEvent::Restarted { .. } => {}
        }
    }
    assert_eq!(seen.len(), 839);
    assert!(probe.0.load(Ordering::Relaxed) > 200);
    assert!(store.stat(&RelPath::ROOT, Facets::NONE).await.unwrap().kind.is_dir());
    assert_eq!(*probe.1.lock().unwrap(), BTreeSet::from(["list", "stat"]));
}

#[tokio::test]
async fn the_facts_of_the_image_are_told() {
    let store = FsimageStore::open(&small(), FsimageOptions::default()).await.unwrap();
    let facts = store.facts();
    assert_eq!((facts.layout_version, facts.namespace_id, facts.txid), (-67, 412_298_004, 2109));
    assert_eq!((facts.inodes, facts.files, facts.dirs, facts.symlinks, facts.snapshot_only), (893, 623, 215, 2, 53));
    assert_eq!((facts.open_files, facts.leases, facts.snapshots, facts.snapshottable), (6, 6, 7, 3));
    assert!(facts.open.iter().any(|open| open.path == RelPath::from("open/o4") && open.machine == "127.0.0.1"));
    assert_eq!(facts.quotas, 4);
    let both = facts.quota_list.iter().find(|quota| quota.path == RelPath::from("quota/both")).unwrap();
    assert_eq!((both.names, both.bytes), (Some(77), Some(1 << 40)));
    assert_eq!(facts.ec_policies[&4].name, "XOR-2-1-1024k");
    assert_eq!(facts.ec_files[&4], 3);
    assert!(facts.snapshottable_list.contains(&"snap/none".into()));
    let large = store.details(&"ec/xor/large".into()).await.unwrap();
    assert!(large.striped && large.ec_policy == Some(4) && large.open.is_none());
    let open = store.details(&"open/o4".into()).await.unwrap();
    assert_eq!(open.open.unwrap().machine, "127.0.0.1");
    let cold = store.details(&"policy/COLD".into()).await.unwrap();
    assert_eq!((cold.storage_policy, cold.hidden_xattrs), (Some(2), true));
}

#[tokio::test]
async fn what_does_not_fit_together_is_counted_and_the_rest_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    let inodes = [
        directory(ROOT, b""),
        file(1, b"good", 1),
        file(2, b"orphan", 1),
        directory(3, b"round"),
        directory(4, b"and round"),
        file(5, b"in the circle", 1),
        file(6, b"twice", 1),
        file(6, b"again", 1),
        file(7, b"good", 1),
        file(8, b"with/slash", 1),
        file(9, b"..", 1),
        directory(10, b"orphaned"),
        file(11, b"below an orphan", 1),
        file(12, b"two places", 1),
        directory(13, b"dir"),
    ];
    let links = [
        children(ROOT, [1, 6, 7, 8, 9, 12, 13, 4040]),
        children(3, [4, 5]),
        children(4, [3]),
        children(10, [11]),
        children(13, [12]),
        children(4041, [14]),
        Message::default().number(1, 13).packed(3, [99]),
    ];
    image(&path, &inodes, &links).unwrap();
    let store = FsimageStore::open(&path, FsimageOptions::default()).await.unwrap();
    assert_eq!(names(&store, "", None).await, ["dir", "good", "twice", "two places"]);
    assert!(names(&store, "dir", None).await.is_empty());
    let found = store.facts().findings;
    assert_eq!((found.cycles, found.missing, found.bad_names, found.bad_references), (1, 2, 2, 1));
    assert_eq!((found.duplicate_inodes, found.duplicate_links, found.duplicate_names), (1, 1, 1));
    // The orphan, the orphaned directory, what lies below it, and all three of the circle.
    assert_eq!(found.orphans, 6);
    assert_eq!(found.lines().len(), 8);
}
