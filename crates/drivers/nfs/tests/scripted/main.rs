//! A server that says the wrong thing at the right time.
#![allow(clippy::unwrap_used)]

mod server;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use longshore_driver_nfs::{NfsOptions, NfsStore};
use model::{Facets, Kind, RelPath};
use nfs3_types::{
    mount::{mountres3, mountstat3},
    nfs3::{NFS_PROGRAM as P, nfsstat3},
    rpc::auth_stat,
};
use server::{Reply, Server, Tree, packed};
use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};
use storage::{Body, Error, ErrorKind, ListSpec, Probe, ReadSpec, Retry, Source, collect_body};

#[derive(Debug, Default)]
struct Counts(Mutex<BTreeMap<&'static str, usize>>);

impl Probe for Counts {
    fn observed(&self, op: &'static str, _took: Duration, _ok: bool) {
        *self.0.lock().unwrap().entry(op).or_default() += 1;
    }
}

impl Counts {
    fn take(&self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

async fn connect(server: &Server, connections: usize) -> storage::Result<(NfsStore, Arc<Counts>)> {
    connect_with(server, connections, Duration::from_secs(20)).await
}

/// Waits 300 ms for an answer, and 200 ms for a server that is away.
async fn connect_impatient(server: &Server, connections: usize) -> (NfsStore, Arc<Counts>) {
    connect_with(server, connections, Duration::from_millis(300)).await.unwrap()
}

async fn connect_with(
    server: &Server,
    connections: usize,
    patience: Duration,
) -> storage::Result<(NfsStore, Arc<Counts>)> {
    let probe = Arc::new(Counts::default());
    let options = NfsOptions {
        connections: NonZeroUsize::new(connections).unwrap(),
        request_timeout: patience,
        reconnect_for: patience * 2 / 3,
        probe: probe.clone(),
        ..NfsOptions::default()
    };
    let location = format!("nfs://127.0.0.1:{}/export?mountport={}", server.port, server.port);
    let store = NfsStore::connect(&location.parse().unwrap(), options).await?;
    probe.take();
    Ok((store, probe))
}

async fn listed(store: &NfsStore, dir: &str) -> storage::Result<Vec<model::Entry>> {
    let pages: Vec<_> =
        store.list(&dir.into(), ListSpec { want: Facets::POSIX, ..ListSpec::default() }).try_collect().await?;
    Ok(pages.into_iter().flat_map(|page| page.entries).collect())
}

async fn content(store: &NfsStore, path: &str) -> storage::Result<Vec<u8>> {
    let reading = store.read(&path.into(), ReadSpec::default()).await?;
    Ok(collect_body(reading.body, u64::MAX).await?.concat())
}

fn noise(len: usize) -> Vec<u8> {
    (0..len).map(|n| u8::try_from((n * 7 + n / 251) % 256).unwrap()).collect()
}

fn kind_of<T: std::fmt::Debug>(answer: Result<T, Error>) -> ErrorKind {
    answer.unwrap_err().kind()
}

#[tokio::test]
async fn a_listed_small_file_costs_one_read() {
    let server = Server::start(Tree::new().file("f", b"small")).await;
    let (store, probe) = connect(&server, 1).await.unwrap();
    let entry = listed(&store, "").await.unwrap().remove(0);
    assert_eq!(probe.take(), BTreeMap::from([("READDIRPLUS", 1)]));
    let spec = ReadSpec { locator: entry.locator, if_stamp: Some(entry.stamp), ..ReadSpec::default() };
    let reading = store.read(&entry.path, spec).await.unwrap();
    assert!(matches!(reading.body, Body::Whole(data) if data == "small"));
    assert_eq!(probe.take(), BTreeMap::from([("READ", 1)]));
}

#[tokio::test]
async fn replies_in_fragments_are_understood() {
    let server = Server::start(Tree::new().file("f", &noise(100_000))).await;
    server.hook(|_, _| Some(Reply::InFragments(7000)));
    let (store, _) = connect(&server, 2).await.unwrap();
    assert_eq!(listed(&store, "").await.unwrap().len(), 1);
    assert_eq!(content(&store, "f").await.unwrap(), noise(100_000));
}

#[tokio::test]
async fn entries_without_attributes_or_handles_are_looked_up() {
    let server = Server::start(Tree::new().file("f", b"12345").link("l", b"to\xFF").file("g", b"1")).await;
    server.tree.bare_entries.store(true, Ordering::Relaxed);
    let (store, probe) = connect(&server, 4).await.unwrap();
    let entries = listed(&store, "").await.unwrap();
    let found: Vec<_> = entries.iter().map(|e| (e.path.to_string(), e.kind.clone(), e.stamp.size)).collect();
    let link = Kind::Symlink { target: Bytes::from_static(b"to\xFF") };
    assert_eq!(found, [("f".into(), Kind::File, 5), ("g".into(), Kind::File, 1), ("l".into(), link, 0)]);
    assert!(entries.iter().all(|e| e.locator.is_some() && e.meta.is_some()));
    assert_eq!(probe.take(), BTreeMap::from([("READDIRPLUS", 1), ("LOOKUP", 3), ("READLINK", 1)]));
}

#[tokio::test]
async fn a_server_without_readdirplus_is_listed_with_readdir() {
    let server = Server::start(Tree::new().file("f", b"12345").file("g", b"")).await;
    server.hook(|procedure, _| {
        (procedure == P::NFSPROC3_READDIRPLUS).then_some(Reply::Status(nfsstat3::NFS3ERR_NOTSUPP))
    });
    let (store, probe) = connect(&server, 1).await.unwrap();
    for _ in 0..2 {
        let sizes: Vec<_> = listed(&store, "").await.unwrap().iter().map(|e| e.stamp.size).collect();
        assert_eq!(sizes, [5, 0]);
    }
    assert_eq!(probe.take()["READDIRPLUS"], 1);
}

#[tokio::test]
async fn a_listing_goes_on_without_readdirplus_in_another_process() {
    let server = Server::start((0..300).fold(Tree::new(), |tree, n| tree.file(&format!("f{n:03}"), b""))).await;
    server.hook(|procedure, _| {
        (procedure == P::NFSPROC3_READDIRPLUS).then_some(Reply::Status(nfsstat3::NFS3ERR_NOTSUPP))
    });
    let (store, _) = connect(&server, 1).await.unwrap();
    let from = store.list(&RelPath::ROOT, ListSpec::default()).next().await.unwrap().unwrap().next;
    assert!(from.is_some());
    let (store, _) = connect(&server, 1).await.unwrap();
    let pages = store.list(&RelPath::ROOT, ListSpec { from, ..ListSpec::default() });
    let rest: usize = pages.map(|page| page.unwrap().entries.len()).collect::<Vec<_>>().await.iter().sum();
    assert_eq!(rest, 200);
}

#[tokio::test]
async fn an_entry_that_cannot_be_looked_at_costs_only_itself() {
    let server = Server::start(Tree::new().file("f", b"12345").file("g", b"1").file("h", b"")).await;
    server.tree.bare_entries.store(true, Ordering::Relaxed);
    server.hook(|procedure, nth| {
        (procedure == P::NFSPROC3_LOOKUP && nth == 2).then_some(Reply::Status(nfsstat3::NFS3ERR_IO))
    });
    let (store, _) = connect(&server, 1).await.unwrap();
    let page = store.list(&RelPath::ROOT, ListSpec::default()).next().await.unwrap().unwrap();
    let names: Vec<_> = page.entries.iter().map(|entry| entry.path.to_string()).collect();
    let unread: Vec<_> = page.unread.iter().map(|error| (error.path().unwrap().to_string(), error.kind())).collect();
    assert_eq!((names, unread), (vec!["f".into(), "h".into()], vec![("g".into(), ErrorKind::Unexpected)]));
}

#[tokio::test]
async fn a_directory_where_nothing_may_be_looked_at_is_denied_as_a_whole() {
    let server = Server::start(Tree::new().file("f", b"12345").file("g", b"1")).await;
    server.tree.bare_entries.store(true, Ordering::Relaxed);
    server.hook(|procedure, _| (procedure == P::NFSPROC3_LOOKUP).then_some(Reply::Status(nfsstat3::NFS3ERR_ACCES)));
    let (store, _) = connect(&server, 1).await.unwrap();
    let error = listed(&store, "").await.unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Denied, Some(&RelPath::ROOT)));
    assert!(error.hint_text().unwrap().contains("`x` is missing"), "{error:?}");
}

#[tokio::test]
async fn a_name_whose_handle_leads_nowhere_is_found_by_its_path() {
    use nfsstat3::{NFS3ERR_NOENT, NFS3ERR_STALE};
    for (procedure, status) in [(P::NFSPROC3_READLINK, NFS3ERR_STALE), (P::NFSPROC3_LOOKUP, NFS3ERR_NOENT)] {
        let server = Server::start(Tree::new().link("l", b"to\xFF")).await;
        server.tree.bare_entries.store(procedure == P::NFSPROC3_LOOKUP, Ordering::Relaxed);
        server.hook(move |asked, nth| (asked == procedure && nth == 1).then_some(Reply::Status(status)));
        let (store, _) = connect(&server, 1).await.unwrap();
        let entries = listed(&store, "").await.unwrap();
        let link = Kind::Symlink { target: Bytes::from_static(b"to\xFF") };
        assert_eq!(entries.iter().map(|entry| entry.kind.clone()).collect::<Vec<_>>(), [link], "{procedure:?}");
    }
}

#[tokio::test]
async fn a_name_with_a_slash_is_never_passed_on() {
    for name in ["../../etc/passwd", "a/b", "", "nul\0"] {
        let server = Server::start(Tree::new().file(name, b"")).await;
        let (store, _) = connect(&server, 1).await.unwrap();
        assert_eq!(kind_of(listed(&store, "").await), ErrorKind::Unexpected, "{name:?}");
    }
}

#[tokio::test]
async fn a_cookie_that_the_server_forgot_means_the_directory_changed() {
    let server = Server::start((0..300).fold(Tree::new(), |tree, n| tree.file(&format!("f{n:03}"), b""))).await;
    let (store, _) = connect(&server, 1).await.unwrap();
    assert_eq!(listed(&store, "").await.unwrap().len(), 300);
    server.hook(|p, nth| {
        (p == P::NFSPROC3_READDIRPLUS && nth == 2).then_some(Reply::Status(nfsstat3::NFS3ERR_BAD_COOKIE))
    });
    let pages: Vec<_> = store.list(&RelPath::ROOT, ListSpec::default()).collect().await;
    assert_eq!(pages.len(), 2, "a page, an error, and the end");
    assert_eq!(pages[1].as_ref().unwrap_err().kind(), ErrorKind::Changed);
}

#[tokio::test]
async fn a_directory_that_is_another_while_it_is_listed_has_changed() {
    let tree = (0..300).fold(Tree::new().dir("d"), |tree, n| tree.file(&format!("d/f{n:03}"), b""));
    let server = Server::start(tree).await;
    let (store, _) = connect(&server, 1).await.unwrap();
    let mut pages = store.list(&"d".into(), ListSpec::default());
    let first = pages.next().await.unwrap().unwrap();
    server.tree.generation.fetch_add(1, Ordering::Relaxed);
    // Cookies of one directory mean nothing in another, whatever the server makes of them.
    let rest: Vec<_> = pages.collect().await;
    assert_eq!((first.entries.len(), rest.len()), (100, 1));
    assert_eq!(rest[0].as_ref().unwrap_err().kind(), ErrorKind::Changed);
    assert_eq!(listed(&store, "d").await.unwrap().len(), 300);
}

#[tokio::test]
async fn a_server_that_repeats_a_page_for_ever_is_found_out() {
    let server = Server::start((0..300).fold(Tree::new(), |tree, n| tree.file(&format!("f{n:03}"), b""))).await;
    server.tree.same_cookie.store(true, Ordering::Relaxed);
    let (store, _) = connect(&server, 1).await.unwrap();
    assert_eq!(kind_of(listed(&store, "").await), ErrorKind::Unexpected);
}

#[tokio::test]
async fn short_reads_are_completed() {
    let server = Server::start(Tree::new().file("f", &noise(3_000_000))).await;
    server.tree.most_per_read.store(70_001, Ordering::Relaxed);
    let (store, _) = connect(&server, 4).await.unwrap();
    assert_eq!(content(&store, "f").await.unwrap(), noise(3_000_000));
}

#[tokio::test]
async fn a_file_that_ends_early_is_changed_and_never_a_shorter_file() {
    for cut in [0, 100, 2_500_000] {
        let server = Server::start(Tree::new().file("f", &noise(3_000_000))).await;
        server.tree.end_at.store(cut, Ordering::Relaxed);
        let (store, _) = connect(&server, 4).await.unwrap();
        assert_eq!(kind_of(content(&store, "f").await), ErrorKind::Changed, "{cut}");
    }
}

#[tokio::test]
async fn a_file_written_while_it_is_read_is_changed() {
    let server = Server::start(Tree::new().file("f", &noise(12 << 20))).await;
    let (store, _) = connect(&server, 2).await.unwrap();
    let Body::Stream(mut pieces) = store.read(&"f".into(), ReadSpec::default()).await.unwrap().body else {
        panic!("not a stream")
    };
    pieces.next().await.unwrap().unwrap();
    server.tree.ctime.fetch_add(1, Ordering::Relaxed);
    let rest: Result<Vec<_>, _> = pieces.try_collect().await;
    assert_eq!(kind_of(rest), ErrorKind::Changed);
}

#[tokio::test]
async fn a_stamp_that_no_longer_holds_is_refused() {
    let server = Server::start(Tree::new().file("f", b"old")).await;
    let (store, _) = connect(&server, 1).await.unwrap();
    let entry = store.stat(&"f".into(), Facets::NONE).await.unwrap();
    server.tree.ctime.fetch_add(1, Ordering::Relaxed);
    for locator in [None, entry.locator] {
        let spec = ReadSpec { if_stamp: Some(entry.stamp.clone()), locator, ..ReadSpec::default() };
        assert_eq!(kind_of(store.read(&"f".into(), spec).await), ErrorKind::Changed);
    }
}

#[tokio::test]
async fn a_file_on_tape_asks_for_patience() {
    let server = Server::start(Tree::new().file("f", b"x")).await;
    server.hook(|p, _| (p == P::NFSPROC3_READ).then_some(Reply::Status(nfsstat3::NFS3ERR_JUKEBOX)));
    let (store, _) = connect(&server, 1).await.unwrap();
    let error = content(&store, "f").await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Throttled, Retry::After(Duration::from_secs(5))));
    assert_eq!(error.path(), Some(&"f".into()));
}

#[tokio::test]
async fn a_silent_server_times_out_and_its_late_answer_is_nobodys() {
    let server = Server::start(Tree::new().file("f", b"f's content").file("g", b"g's content")).await;
    let (store, _) = connect_impatient(&server, 1).await;
    server.hook(|p, nth| (p == P::NFSPROC3_READ && nth == 1).then_some(Reply::Late(Duration::from_millis(500))));
    let error = content(&store, "f").await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, Retry::Backoff));
    let before = server.connections();
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(content(&store, "g").await.unwrap(), b"g's content");
    assert_eq!(server.connections(), before + 1, "the connection in doubt was used again");
}

#[tokio::test]
async fn the_answer_of_a_dropped_request_is_nobodys() {
    let server = Server::start(Tree::new().file("f", b"f's content").file("g", b"g's content")).await;
    let (store, _) = connect(&server, 1).await.unwrap();
    server.hook(|p, nth| (p == P::NFSPROC3_READ && nth == 1).then_some(Reply::Late(Duration::from_millis(50))));
    tokio::time::timeout(Duration::from_millis(20), content(&store, "f")).await.unwrap_err();
    assert_eq!(content(&store, "g").await.unwrap(), b"g's content");
    assert_eq!(content(&store, "f").await.unwrap(), b"f's content");
}

#[tokio::test]
async fn a_request_that_lost_its_connection_is_sent_again_over_another() {
    for cut in [Reply::Hangup, Reply::CutAfter(2), Reply::CutAfter(20)] {
        let server = Server::start(Tree::new().file("f", b"content")).await;
        let (store, probe) = connect(&server, 2).await.unwrap();
        let before = server.connections();
        server.hook(move |p, nth| (p == P::NFSPROC3_READ && nth <= 2).then(|| cut.clone()));
        assert_eq!(content(&store, "f").await.unwrap(), b"content");
        assert_eq!(server.connections(), before + 2);
        assert_eq!(probe.take()["READ"], 3);
    }
}

#[tokio::test]
async fn a_request_that_breaks_every_connection_is_given_up() {
    let server = Server::start(Tree::new().file("f", b"content")).await;
    let (store, probe) = connect(&server, 2).await.unwrap();
    server.hook(move |p, _| (p == P::NFSPROC3_READ).then_some(Reply::Hangup));
    let error = content(&store, "f").await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Disconnected, Retry::Backoff));
    assert_eq!(probe.take()["READ"], 4);
    assert_eq!(listed(&store, "").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_that_is_away_is_waited_for_and_then_given_up() {
    let server = Server::start(Tree::new().file("f", b"content")).await;
    let (store, _) = connect_impatient(&server, 2).await;
    let (port, tree) = (server.port, server.tree.clone());
    drop(server);
    let since = std::time::Instant::now();
    let error = content(&store, "f").await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Disconnected, Retry::Backoff));
    assert!((150..2000).contains(&since.elapsed().as_millis()), "{:?}", since.elapsed());
    let back = async {
        tokio::time::sleep(Duration::from_millis(120)).await;
        Server::start_at(port, tree).await
    };
    let (found, _server) = tokio::join!(content(&store, "f"), back);
    assert_eq!(found.unwrap(), b"content");
}

#[tokio::test]
async fn replies_come_in_any_order() {
    let tree = (0..64).fold(Tree::new(), |tree, n| tree.file(&format!("f{n}"), &noise(3000 + n)));
    let server = Server::start(tree).await;
    let (store, _) = connect(&server, 1).await.unwrap();
    let files = listed(&store, "").await.unwrap();
    server.hook(|p, _| (p == P::NFSPROC3_READ).then_some(Reply::Together(64)));
    let reads = files.iter().map(|file| {
        let spec =
            ReadSpec { locator: file.locator.clone(), if_stamp: Some(file.stamp.clone()), ..ReadSpec::default() };
        async { collect_body(store.read(&file.path, spec).await.unwrap().body, u64::MAX).await.unwrap().concat() }
    });
    let read = futures::future::join_all(reads).await;
    assert_eq!(read.len(), 64);
    for (file, content) in files.iter().zip(read) {
        assert_eq!(content, noise(usize::try_from(file.stamp.size).unwrap()), "{}", file.path);
    }
    assert_eq!(server.connections(), 2, "one for MOUNT, one for all 64 READs");
}

#[tokio::test]
async fn a_reply_that_nobody_waits_for_is_ignored() {
    let server = Server::start(Tree::new().file("f", &noise(100_000))).await;
    let (store, _) = connect(&server, 1).await.unwrap();
    let before = server.connections();
    server.hook(|_, _| Some(Reply::AfterStrays));
    assert_eq!(listed(&store, "").await.unwrap().len(), 1);
    assert_eq!(content(&store, "f").await.unwrap(), noise(100_000));
    assert_eq!(server.connections(), before);
}

#[tokio::test]
async fn a_record_of_absurd_length_is_refused() {
    for mark in [u32::MAX, 0x8040_0001, 0x7fff_ffff] {
        let server = Server::start(Tree::new().file("f", b"content")).await;
        let (store, _) = connect(&server, 1).await.unwrap();
        server.hook(move |p, nth| (p == P::NFSPROC3_READ && nth == 1).then(|| Reply::Raw(mark.to_be_bytes().to_vec())));
        assert_eq!(kind_of(content(&store, "f").await), ErrorKind::Unexpected, "{mark:#x}");
        assert_eq!(content(&store, "f").await.unwrap(), b"content");
    }
}

#[tokio::test]
async fn a_field_that_is_longer_than_its_record_is_refused() {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    for length in [8, 0x0010_0000, u32::MAX - 3, u32::MAX] {
        // READ: success, no attributes, count, no end, the length of the data and four bytes of it.
        let read = words(&[0, 0, length, 0, length, 0x6162_6364]);
        // READDIRPLUS: success, no attributes, verifier, an entry with its inode and the length of its name.
        let page = words(&[0, 0, 1, 2, 1, 0, 5, length, 0x6162_6364]);
        // LOOKUP: success, the length of the handle.
        let found = words(&[0, length, 0x6162_6364]);
        let server = Server::start(Tree::new().file("f", b"content")).await;
        let (store, _) = connect(&server, 1).await.unwrap();
        server.hook(move |p, _| match p {
            P::NFSPROC3_READ => Some(Reply::Message(read.clone())),
            P::NFSPROC3_READDIRPLUS => Some(Reply::Message(page.clone())),
            _ => None,
        });
        assert_eq!(kind_of(content(&store, "f").await), ErrorKind::Unexpected, "{length:#x}");
        assert_eq!(kind_of(listed(&store, "").await), ErrorKind::Unexpected, "{length:#x}");
        server.hook(move |p, _| (p == P::NFSPROC3_LOOKUP).then(|| Reply::Message(found.clone())));
        assert_eq!(kind_of(store.stat(&"f".into(), Facets::NONE).await), ErrorKind::Unexpected, "{length:#x}");
    }
}

#[tokio::test]
async fn one_unanswered_call_fails_alone_while_others_are_answered() {
    let server = Server::start(Tree::new().file("f", b"f's content").file("g", b"g's content")).await;
    let (store, _) = connect_impatient(&server, 1).await;
    let before = server.connections();
    server.hook(|p, nth| (p == P::NFSPROC3_READ && nth == 1).then_some(Reply::Nothing));
    let others = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        for _ in 0..8 {
            assert_eq!(content(&store, "g").await.unwrap(), b"g's content");
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    };
    let (lost, ()) = tokio::join!(content(&store, "f"), others);
    assert_eq!(kind_of(lost), ErrorKind::Timeout);
    assert_eq!(content(&store, "f").await.unwrap(), b"f's content");
    assert_eq!(server.connections(), before, "the connection works and is kept");
}

#[tokio::test]
async fn further_connections_are_opened_only_when_those_there_are_busy() {
    let tree = (0..64).fold(Tree::new(), |tree, n| tree.file(&format!("f{n}"), &noise(3000 + n)));
    let server = Server::start(tree).await;
    let (store, _) = connect(&server, 3).await.unwrap();
    for n in 0..20 {
        content(&store, &format!("f{n}")).await.unwrap();
    }
    assert_eq!(server.connections(), 2, "one for MOUNT, one for NFS");
    server.hook(|p, _| (p == P::NFSPROC3_READ).then_some(Reply::Late(Duration::from_millis(2))));
    let paths: Vec<String> = (0..64).map(|n| format!("f{n}")).collect();
    let read = futures::future::join_all(paths.iter().map(|path| content(&store, path))).await;
    assert!(read.iter().all(Result::is_ok));
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn connections_that_the_server_closed_while_idle_cost_nothing() {
    let server = Server::start(Tree::new().file("f", b"content")).await;
    let (store, _) = connect(&server, 2).await.unwrap();
    content(&store, "f").await.unwrap();
    server.close_all();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(content(&store, "f").await.unwrap(), b"content");
}

#[tokio::test]
async fn a_stale_locator_is_replaced_by_way_of_the_path() {
    let server = Server::start(Tree::new().file("f", b"content")).await;
    let (store, _) = connect(&server, 1).await.unwrap();
    for locator in [&b"no such handle"[..], &[7; 64], &[7; 65], b""] {
        let spec = ReadSpec { locator: Some(Bytes::from_static(locator)), ..ReadSpec::default() };
        let reading = store.read(&"f".into(), spec).await.unwrap();
        assert_eq!(collect_body(reading.body, 99).await.unwrap().concat(), b"content");
    }
}

#[tokio::test]
async fn a_server_that_forgot_every_handle_is_mounted_again() {
    let server = Server::start(Tree::new().dir("d").file("d/f", b"content").dir("e")).await;
    let (store, probe) = connect(&server, 2).await.unwrap();
    assert_eq!(listed(&store, "d").await.unwrap().len(), 1);
    server.tree.generation.fetch_add(1, Ordering::Relaxed);
    assert_eq!(content(&store, "d/f").await.unwrap(), b"content");
    assert_eq!(probe.take()["MNT"], 1);
    server.tree.generation.fetch_add(1, Ordering::Relaxed);
    assert_eq!(listed(&store, "d").await.unwrap().len(), 1);
    server.tree.generation.fetch_add(1, Ordering::Relaxed);
    assert!(store.stat(&"d".into(), Facets::NONE).await.unwrap().kind.is_dir());
    server.tree.generation.fetch_add(1, Ordering::Relaxed);
    assert!(store.usage().await.unwrap().is_some());
    assert_eq!(probe.take()["MNT"], 3);
}

#[tokio::test]
async fn a_stream_goes_on_when_the_server_forgets_every_handle() {
    let server = Server::start(Tree::new().file("f", &noise(12 << 20))).await;
    let (store, _) = connect(&server, 2).await.unwrap();
    let Body::Stream(mut pieces) = store.read(&"f".into(), ReadSpec::default()).await.unwrap().body else {
        panic!("not a stream")
    };
    let mut back = pieces.next().await.unwrap().unwrap().to_vec();
    server.tree.generation.fetch_add(1, Ordering::Relaxed);
    while let Some(piece) = pieces.next().await {
        back.extend_from_slice(&piece.unwrap());
    }
    assert!(back == noise(12 << 20));
}

#[tokio::test]
async fn a_paused_stream_keeps_no_connection_from_others() {
    let server = Server::start(Tree::new().file("big", &noise(12 << 20)).file("f", b"content")).await;
    let (store, _) = connect(&server, 1).await.unwrap();
    let Body::Stream(mut pieces) = store.read(&"big".into(), ReadSpec::default()).await.unwrap().body else {
        panic!("not a stream")
    };
    for _ in 0..3 {
        pieces.next().await.unwrap().unwrap();
        let read = tokio::time::timeout(Duration::from_secs(20), content(&store, "f"));
        assert_eq!(read.await.expect("the paused stream holds the connection").unwrap(), b"content");
    }
}

#[tokio::test]
async fn what_vanishes_while_it_is_listed_is_left_out() {
    let server = Server::start(Tree::new().file("a", b"").link("gone", b"x").file("z", b"")).await;
    server.hook(|p, _| (p == P::NFSPROC3_READLINK).then_some(Reply::Status(nfsstat3::NFS3ERR_STALE)));
    let (store, _) = connect(&server, 1).await.unwrap();
    let names: Vec<_> = listed(&store, "").await.unwrap().iter().map(|e| e.path.to_string()).collect();
    assert_eq!(names, ["a", "z"]);
}

#[tokio::test]
async fn a_server_that_refuses_auth_sys_is_said_to_do_so() {
    let server = Server::start(Tree::new()).await;
    server.hook(|p, _| (p == P::NFSPROC3_FSINFO).then_some(Reply::Auth(auth_stat::AUTH_TOOWEAK)));
    let error = connect(&server, 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.hint_text().unwrap().contains("Kerberos"));

    let server = Server::start(Tree::new()).await;
    server.tree.kerberos_only.store(true, Ordering::Relaxed);
    assert_eq!(kind_of(connect(&server, 1).await), ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn a_path_that_is_not_exported_is_not_found_and_the_hint_lists_what_is() {
    let server = Server::start(Tree::new()).await;
    server.mount_hook(|_| Some(Reply::Message(packed(&mountres3::Err(mountstat3::MNT3ERR_NOENT)))));
    let location = format!("nfs://127.0.0.1:{0}/else/where?mountport={0}", server.port);
    let error = NfsStore::connect(&location.parse().unwrap(), NfsOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.hint_text(), Some("it is none of what the server exports to this host: `/export`"));
}

#[tokio::test]
async fn a_directory_below_an_export_is_looked_up() {
    let server = Server::start(Tree::new().dir("d").dir("d/e").file("d/e/f", b"content")).await;
    server.mount_hook(|path| {
        (path != b"/export").then(|| Reply::Message(packed(&mountres3::Err(mountstat3::MNT3ERR_ACCES))))
    });
    let at = |path: &str| format!("nfs://127.0.0.1:{0}/export/{path}?mountport={0}", server.port).parse().unwrap();
    let store = NfsStore::connect(&at("d/e"), NfsOptions::default()).await.unwrap();
    assert_eq!(content(&store, "f").await.unwrap(), b"content");
    for (path, kind) in [("d/e/f", ErrorKind::Invalid), ("d/x", ErrorKind::NotFound)] {
        assert_eq!(kind_of(NfsStore::connect(&at(path), NfsOptions::default()).await), kind, "{path}");
    }
}

#[tokio::test]
async fn a_reply_that_makes_no_sense_is_unexpected_and_no_panic() {
    for nonsense in [&b""[..], &[0xff; 40], &[0; 3], &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xf0]] {
        let server = Server::start(Tree::new().file("f", b"content")).await;
        let (store, _) = connect(&server, 1).await.unwrap();
        server.hook(move |p, nth| (p != P::NFSPROC3_NULL && nth == 1).then(|| Reply::Message(nonsense.to_vec())));
        assert_eq!(kind_of(content(&store, "f").await), ErrorKind::Unexpected, "{nonsense:?}");
        assert_eq!(kind_of(listed(&store, "").await), ErrorKind::Unexpected, "{nonsense:?}");
    }
}
