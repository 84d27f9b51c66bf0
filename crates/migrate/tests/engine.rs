//! Whole moves over in-memory stores: what is brought, what is left alone, what adds up.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test may fail where it stands")]

use bytes::Bytes;
use journal::{Answer, MoveResult, Outcome};
use longshore_migrate as migrate;
use migrate::{Ended, Error, Job, Meter, Options};
use model::{Facets, Kind, Metadata, NameRules, Posix, Principal, RelPath, Timestamp};
use plan::{Move, NamePolicy, VerifyPolicy};
use std::{path::Path, sync::Arc};
use storage::{Node, Source as _, Target, WriteSpec, collect_body, memory::MemoryStore};
use tokio_util::sync::CancellationToken;

const PART: u64 = 1 << 20;

fn meta(mode: u32, secs: i64) -> Metadata {
    Metadata {
        mtime: Some(Timestamp { secs, nanos: 123_456_789 }),
        atime: Some(Timestamp { secs, nanos: 5 }),
        posix: Some(Posix { mode, owner: Principal::Id(12345), group: Principal::Id(54321) }),
        ..Metadata::default()
    }
}

async fn write(store: &MemoryStore, path: &[u8], content: impl Into<Bytes>) {
    write_at(store, path, content, 1_700_000_000).await;
}
async fn write_at(store: &MemoryStore, path: &[u8], content: impl Into<Bytes>, secs: i64) {
    let content: Bytes = content.into();
    let spec = WriteSpec { meta: meta(0o640, secs), size: Some(content.len() as u64), ..WriteSpec::default() };
    store.put(&RelPath::from(path), spec, vec![content]).await.unwrap();
}

fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8 ^ seed).collect()
}

/// A tree with a bit of everything.
async fn tree() -> MemoryStore {
    let store = MemoryStore::tree();
    write(&store, b"a.txt", "hello").await;
    write(&store, b"dir/empty", "").await;
    write(&store, b"dir/sub/big.bin", pattern(3 * PART as usize + 17, 1)).await;
    write(&store, b"dir/new\nline-\xFF", "odd").await;
    for i in 0..50 {
        write(&store, format!("many/f{i:03}").as_bytes(), pattern(100 + i, i as u8)).await;
    }
    store.make(&"hollow".into(), Node::Dir, &meta(0o750, 1_600_000_000)).await.unwrap();
    let target = Bytes::from_static(b"../a\xFE.txt");
    store.make(&"dir/link".into(), Node::Symlink { target }, &meta(0o777, 1_600_000_000)).await.unwrap();
    store
}

fn spec() -> Move {
    let mut spec = Move::new("m", "mem://from/".parse().unwrap(), "mem://to/".parse().unwrap());
    spec.part_size = model::ByteSize(PART);
    spec
}

fn job(source: &MemoryStore, target: Arc<dyn Target>, spec: Move, folder: &Path) -> Job {
    let options = Options { dry_run: false, request_price: None, now: || Timestamp { secs: 1_750_000_000, nanos: 0 } };
    Job { source: Arc::new(source.clone()), target, spec, run_dir: folder.to_owned(), options }
}

async fn go(job: Job) -> MoveResult {
    let Ended { result, error } =
        migrate::run(job, Arc::new(Meter::default()), CancellationToken::new()).await.unwrap();
    assert!(error.is_none(), "{error:?}");
    assert!(result.tally.adds_up(), "{:#?}", result.tally);
    result
}

async fn bytes_of(store: &MemoryStore, path: &[u8]) -> Vec<u8> {
    let reading = store.read(&RelPath::from(path), storage::ReadSpec::default()).await.unwrap();
    collect_body(reading.body, 1 << 30).await.unwrap().concat()
}

#[tokio::test]
async fn everything_arrives_once_and_a_second_run_has_nothing_to_do() {
    let (source, target) = (tree().await, MemoryStore::keys(1024));
    let folder = tempfile::tempdir().unwrap();
    let result = go(job(&source, Arc::new(target.clone()), spec(), folder.path())).await;
    assert_eq!(result.outcome, Outcome::Done, "{result:#?}");
    assert_eq!(result.tally.copied.files, 54);
    assert_eq!(result.tally.copied.symlinks, 1);
    assert_eq!(result.tally.copied.dirs, 4);
    let verification = result.verification.unwrap();
    assert_eq!((verification.equal, verification.different, verification.by_size_only), (59, 0, 0));
    assert_eq!(bytes_of(&target, b"dir/new\nline-\xFF").await, b"odd");
    assert_eq!(bytes_of(&target, b"dir/sub/big.bin").await, pattern(3 * PART as usize + 17, 1));
    let again = go(job(&source, Arc::new(target), spec(), folder.path())).await;
    assert_eq!((again.tally.copied.items(), again.tally.unchanged.items()), (0, 59));
    assert_eq!(again.outcome, Outcome::Done);
}

#[tokio::test]
async fn only_what_changed_is_sent_and_what_is_gone_is_reported() {
    let (source, target) = (tree().await, MemoryStore::keys(1024));
    let folder = tempfile::tempdir().unwrap();
    go(job(&source, Arc::new(target.clone()), spec(), folder.path())).await;
    write_at(&source, b"a.txt", "HELLO", 1_700_000_001).await;
    // Same size and same time: only the change time tells.
    write(&source, b"many/f001", pattern(101, 99)).await;
    write(&source, b"many/new", "new").await;
    source.remove(&"many/f002".into(), None).await.unwrap();
    let result = go(job(&source, Arc::new(target.clone()), spec(), folder.path())).await;
    assert_eq!(result.tally.copied.files, 3, "{:#?}", result.tally);
    assert_eq!((result.tally.extra, result.extra), (1, vec![RelPath::from("many/f002")]));
    assert_eq!(bytes_of(&target, b"many/f001").await, pattern(101, 99));
}

#[tokio::test]
async fn an_item_that_somebody_altered_or_removed_at_the_target_is_brought_again() {
    let (source, target) = (tree().await, MemoryStore::keys(1024));
    let folder = tempfile::tempdir().unwrap();
    go(job(&source, Arc::new(target.clone()), spec(), folder.path())).await;
    write(&target, b"a.txt", "jello").await;
    target.remove(&"many/f000".into(), None).await.unwrap();
    let result = go(job(&source, Arc::new(target.clone()), spec(), folder.path())).await;
    assert_eq!(result.tally.copied.files, 2);
    assert_eq!(bytes_of(&target, b"a.txt").await, b"hello");
}

#[tokio::test]
async fn without_a_journal_equal_items_are_adopted_and_unequal_ones_sent() {
    let (source, target) = (tree().await, MemoryStore::keys(1024));
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    go(job(&source, Arc::new(target.clone()), spec(), first.path())).await;
    write(&target, b"a.txt", "jello").await;
    let result = go(job(&source, Arc::new(target.clone()), spec(), second.path())).await;
    assert_eq!((result.tally.adopted.files, result.tally.copied.files), (53, 1), "{:#?}", result.tally);
    assert_eq!(result.sent_bytes, 5);
    assert_eq!(bytes_of(&target, b"a.txt").await, b"hello");
}

#[tokio::test]
async fn a_tree_comes_back_from_a_key_space_as_it_was() {
    let (source, keys, back) = (tree().await, MemoryStore::keys(1024), MemoryStore::tree());
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    go(job(&source, Arc::new(keys.clone()), spec(), first.path())).await;
    let result = go(job(&keys, Arc::new(back.clone()), spec(), second.path())).await;
    assert_eq!(result.outcome, Outcome::Done, "{result:#?}");
    for path in [&b"a.txt"[..], b"dir/empty", b"dir/new\nline-\xFF", b"hollow", b"dir", b"dir/link", b"many"] {
        let path = RelPath::from(path);
        let (was, is) =
            (source.stat(&path, Facets::POSIX).await.unwrap(), back.stat(&path, Facets::POSIX).await.unwrap());
        assert_eq!(was.kind, is.kind);
        let (was, is) = (was.meta.unwrap(), is.meta.unwrap());
        if path != RelPath::from("dir/link") {
            assert_eq!((was.posix, was.mtime), (is.posix, is.mtime), "{path}");
        }
    }
    let link = back.stat(&"dir/link".into(), Facets::NONE).await.unwrap();
    assert_eq!(link.kind, Kind::Symlink { target: Bytes::from_static(b"../a\xFE.txt") });
    let again = go(job(&keys, Arc::new(back.clone()), spec(), second.path())).await;
    assert_eq!((again.tally.copied.items(), again.tally.extra), (0, 0), "{:#?}", again.tally);
    let proof =
        migrate::verify(job(&keys, Arc::new(back), spec(), second.path()), Arc::default(), CancellationToken::new());
    let proof = proof.await.unwrap();
    assert_eq!((proof.different, proof.extra), (0, 0), "{proof:#?}");
}

#[tokio::test]
async fn a_read_back_sees_every_kind_of_difference() {
    let (source, target) = (tree().await, MemoryStore::keys(1024));
    let folder = tempfile::tempdir().unwrap();
    go(job(&source, Arc::new(target.clone()), spec(), folder.path())).await;
    write(&target, b"a.txt", "jello").await;
    write(&target, b"dir/empty", "x").await;
    target.remove(&"many/f000".into(), None).await.unwrap();
    target.apply(&"many/f001".into(), &meta(0o600, 1_700_000_000), Facets::POSIX).await.unwrap();
    write(&target, b"stranger", "x").await;
    let found = migrate::verify(
        job(&source, Arc::new(target), spec(), folder.path()),
        Arc::default(),
        CancellationToken::new(),
    );
    let found = found.await.unwrap();
    let mut kinds: Vec<_> = found.differences.iter().map(|d| (d.path.to_string(), d.what.as_str())).collect();
    kinds.sort();
    let expected = [("a.txt", "content"), ("dir/empty", "size"), ("many/f000", "missing"), ("many/f001", "metadata")];
    assert_eq!(kinds, expected.map(|(path, what)| (path.to_owned(), what)));
    assert_eq!((found.different, found.extra, found.compared), (4, 1, 59));
}

#[tokio::test]
async fn names_the_target_cannot_hold_fail_or_are_escaped_and_come_back() {
    let rules = NameRules { utf8_only: true, forbidden: b"\n", ..NameRules::ANY };
    let (source, keys, back) = (tree().await, MemoryStore::keys(1024).with_names(rules), MemoryStore::tree());
    let folder = tempfile::tempdir().unwrap();
    let refused = go(job(&source, Arc::new(keys.clone()), spec(), folder.path())).await;
    assert_eq!(refused.tally.failed.get("name-refused"), Some(&1));
    assert_eq!(refused.outcome, Outcome::LeftOver);
    assert_eq!(refused.failures[0].path, RelPath::from(&b"dir/new\nline-\xFF"[..]));
    assert!(refused.preflight.iter().any(|check| check.answer == Answer::Warn && check.name.contains("names")));

    let (out, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let escape = Move { names: NamePolicy::Escape, ..spec() };
    let escaped = go(job(&source, Arc::new(keys.clone()), escape, out.path())).await;
    assert_eq!((escaped.outcome, escaped.mapped_names), (Outcome::Done, 1));
    let restore = Move { names: NamePolicy::Restore, ..spec() };
    assert_eq!(go(job(&keys, Arc::new(back.clone()), restore, home.path())).await.outcome, Outcome::Done);
    assert_eq!(bytes_of(&back, b"dir/new\nline-\xFF").await, b"odd");
}

#[tokio::test]
async fn a_dry_run_writes_nothing_and_says_what_it_would_do() {
    let (source, target) = (tree().await, MemoryStore::keys(1024));
    let folder = tempfile::tempdir().unwrap();
    let mut dry = job(&source, Arc::new(target.clone()), spec(), folder.path());
    dry.options.dry_run = true;
    let result = go(dry).await;
    assert_eq!(result.tally.copied.items(), 59);
    assert_eq!(target.stat(&"a.txt".into(), Facets::NONE).await.unwrap_err().kind(), storage::ErrorKind::NotFound);
}

#[tokio::test]
async fn a_run_folder_of_another_move_is_refused() {
    let (source, target) = (tree().await, MemoryStore::keys(1024));
    let folder = tempfile::tempdir().unwrap();
    go(job(&source, Arc::new(target.clone()), spec(), folder.path())).await;
    let other = Move { to: "mem://elsewhere/".parse().unwrap(), ..spec() };
    let refused =
        migrate::run(job(&source, Arc::new(target), other, folder.path()), Arc::default(), CancellationToken::new());
    assert!(matches!(refused.await.unwrap_err(), Error::OtherMove { .. }));
}

#[tokio::test]
async fn an_object_too_large_for_the_memory_fails_with_figures() {
    let (source, target) = (tree().await, MemoryStore::keys(8 << 20));
    let folder = tempfile::tempdir().unwrap();
    let small = Move { memory: model::ByteSize(2 << 20), verify: VerifyPolicy::Stamp, ..spec() };
    let result = go(job(&source, Arc::new(target), small, folder.path())).await;
    assert_eq!(result.tally.failed.get("unsupported"), Some(&1), "{:#?}", result.failures);
    assert!(result.failures[0].detail.contains("needs parts of 8.0 MiB"), "{}", result.failures[0].detail);
}
