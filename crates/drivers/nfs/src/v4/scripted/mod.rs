//! What a well-behaved server never does at the right moment: against a small NFSv4.1 server of our own with quirks.

mod server;

use super::{Nfs4Store, compound::op, pseudo_exports};
use crate::NfsOptions;
use futures::TryStreamExt as _;
use model::{Facets, Kind, RelPath};
use server::{CONTENT, Quirks, Server, serve};
use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex},
    time::Duration,
};
use storage::{ErrorKind, ListSpec, ReadSpec, Retry, Source, collect_body};

fn usual() -> Quirks {
    Quirks { operations: 16, slots: 8, ..Quirks::default() }
}

fn options() -> NfsOptions {
    NfsOptions {
        connections: NonZeroUsize::MIN,
        request_timeout: Duration::from_secs(1),
        privileged_port: crate::PrivilegedPort::No,
        ..NfsOptions::default()
    }
}

async fn store(quirks: Quirks) -> (Nfs4Store, Arc<Mutex<Server>>) {
    let (at, server) = serve(quirks).await;
    (Nfs4Store::connect(&at, options()).await.unwrap(), server)
}

async fn content(store: &Nfs4Store) -> storage::Result<Vec<u8>> {
    let reading = store.read(&"file".into(), ReadSpec::default()).await?;
    Ok(collect_body(reading.body, 1000).await?.concat())
}

#[tokio::test]
async fn a_referral_is_an_entry_that_says_where_to_when_it_is_opened() {
    let (store, server) = store(usual()).await;
    let pages: Vec<_> = store.list(&RelPath::ROOT, ListSpec::default()).try_collect().await.unwrap();
    let kinds: BTreeMap<_, _> =
        pages.into_iter().flat_map(|page| page.entries).map(|entry| (entry.path, entry.kind)).collect();
    assert_eq!(kinds.len(), 4);
    assert_eq!(server.lock().unwrap().count(op::LOOKUP), 2, "only what the listing does not tell is looked up");
    assert_eq!((&kinds[&"away".into()], &kinds[&"file".into()]), (&Kind::Dir, &Kind::File));
    let elsewhere = |error: storage::Error| {
        assert_eq!((error.kind(), error.path()), (ErrorKind::Unsupported, Some(&"away".into())), "{error:?}");
        assert!(error.cause().unwrap().contains("other.example:/new"), "{error:?}");
        assert_eq!(error.hint_text(), Some("open it where it is: `nfs://other.example/new`"));
    };
    elsewhere(store.list(&"away".into(), ListSpec::default()).try_collect::<Vec<_>>().await.unwrap_err());
    elsewhere(store.stat(&"away".into(), Facets::NONE).await.unwrap_err());
    let error = store.list(&"guarded".into(), ListSpec::default()).try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.hint_text().unwrap().contains("sec=krb5"), "{error:?}");
}

#[tokio::test]
async fn a_location_that_is_elsewhere_says_where_to() {
    let (at, _) = serve(usual()).await;
    let error = Nfs4Store::connect(&at.below(&"away".into()), options()).await.unwrap_err();
    assert!(error.cause().unwrap().contains("other.example:/new"), "{error:?}");
}

#[tokio::test]
async fn exports_begin_where_the_file_system_changes() {
    let (at, _) = serve(usual()).await;
    let exports = pseudo_exports(&at, &options()).await.unwrap();
    assert_eq!(exports, ["/away", "/guarded", "/sub"]);
}

#[tokio::test]
async fn a_server_that_wants_an_open_gets_one_and_its_delegation_back() {
    let (store, server) = store(Quirks { insists_on_open: true, delegates: true, ..usual() }).await;
    for _ in 0..2 {
        assert_eq!(content(&store).await.unwrap(), CONTENT);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let server = server.lock().unwrap();
    assert_eq!((server.count(op::OPEN), server.count(op::DELEGRETURN), server.count(op::CLOSE)), (2, 2, 2));
    assert_eq!(server.count(op::READ), 3, "the second time nobody tries without");
}

#[tokio::test]
async fn a_path_is_looked_up_in_pieces_that_fit_the_session() {
    let (store, server) = store(Quirks { operations: 5, slots: 1, ..usual() }).await;
    let path = (0..40).fold(RelPath::ROOT, |path, n| path.join(format!("level{n}").as_bytes()));
    assert!(store.stat(&path, Facets::NONE).await.unwrap().kind.is_dir());
    assert_eq!(server.lock().unwrap().count(op::LOOKUP), 40);
    assert_eq!(content(&store).await.unwrap(), CONTENT);
}

#[tokio::test]
async fn a_lost_session_is_made_anew_and_the_request_repeated() {
    for status in [10_052, 10_078, 10_063, 10_055, 10_022] {
        let (store, server) = store(usual()).await;
        server.lock().unwrap().quirks.statuses.push((op::SEQUENCE, status));
        assert_eq!(content(&store).await.unwrap(), CONTENT, "{status}");
        assert_eq!(server.lock().unwrap().sessions, 2, "{status}");
    }
    // A server that never gets it right is not asked for ever.
    let (store, server) = store(usual()).await;
    server.lock().unwrap().quirks.statuses = vec![(op::SEQUENCE, 10_052); 1000];
    let error = content(&store).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Disconnected, Retry::Backoff), "{error:?}");
}

#[tokio::test]
async fn a_server_that_hangs_up_while_a_session_is_made_anew_is_waited_for() {
    let (store, server) = store(usual()).await;
    {
        let quirks = &mut server.lock().unwrap().quirks;
        quirks.statuses.push((op::SEQUENCE, 10_052));
        quirks.hangups = vec![op::EXCHANGE_ID; 3];
    }
    assert_eq!(content(&store).await.unwrap(), CONTENT);
    assert_eq!(server.lock().unwrap().quirks.hangups, []);
}

#[tokio::test]
async fn an_idle_client_renews_its_lease_and_a_closed_one_no_longer() {
    let (store, server) = store(Quirks { lease: Some(3), ..usual() }).await;
    let renewals = |since: usize| server.lock().unwrap().count(op::SEQUENCE) - since;
    let before = renewals(0);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!((1..=6).contains(&renewals(before)), "{} renewals", renewals(before));
    assert_eq!(content(&store).await.unwrap(), CONTENT);
    assert_eq!(server.lock().unwrap().sessions, 1);
    drop(store);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let before = renewals(0);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(renewals(before), 0, "nobody is left to renew it");
}

#[tokio::test]
async fn patience_is_asked_of_whoever_retries() {
    for (number, status) in [(op::SEQUENCE, 10_008), (op::READ, 10_008), (op::READ, 10_013), (op::LOOKUP, 10_008)] {
        let (store, server) = store(usual()).await;
        server.lock().unwrap().quirks.statuses.push((number, status));
        let error = content(&store).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Throttled, "{error:?}");
        assert!(matches!(error.retry(), Retry::After(_)));
        assert_eq!(content(&store).await.unwrap(), CONTENT);
    }
}

#[tokio::test]
async fn a_listing_goes_on_with_the_verifier_of_its_cookie() {
    // This server refuses a cookie without it, as one that another directory was made for.
    let (store, server) = store(usual()).await;
    let pages: Vec<_> = store.list(&RelPath::ROOT, ListSpec::default()).try_collect().await.unwrap();
    assert_eq!((pages.len(), server.lock().unwrap().count(op::READDIR)), (2, 2));
    let spec = ListSpec { from: pages[0].next.clone(), ..ListSpec::default() };
    let rest: Vec<_> = store.list(&RelPath::ROOT, spec).try_collect().await.unwrap();
    assert_eq!(rest[0].entries, pages[1].entries);
}

#[tokio::test]
async fn a_directory_that_is_another_while_it_is_listed_has_changed() {
    let (store, server) = store(usual()).await;
    let mut pages = store.list(&RelPath::ROOT, ListSpec::default());
    assert_eq!(pages.try_next().await.unwrap().unwrap().entries.len(), 2);
    server.lock().unwrap().generation += 1;
    // Cookies of one directory mean nothing in another, whatever the server makes of them.
    let error = pages.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Changed, "{error:?}");
    let again: Vec<_> = store.list(&RelPath::ROOT, ListSpec::default()).try_collect().await.unwrap();
    assert_eq!(again.len(), 2);
}

#[tokio::test]
async fn a_cursor_that_the_server_forgot_has_changed() {
    for status in [10_003, 10_027] {
        let (store, server) = store(usual()).await;
        server.lock().unwrap().quirks.statuses.push((op::READDIR, status));
        let error = store.list(&RelPath::ROOT, ListSpec::default()).try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Changed, "{error:?}");
    }
}

#[tokio::test]
async fn a_server_of_another_minor_version_is_told_as_such() {
    let (at, _) = serve(Quirks { old: true, ..usual() }).await;
    let error = Nfs4Store::connect(&at, options()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.hint_text().unwrap().contains("version=3"), "{error:?}");
}

#[tokio::test]
async fn a_session_too_small_for_any_work_is_refused() {
    let (at, _) = serve(Quirks { operations: 3, ..usual() }).await;
    let error = Nfs4Store::connect(&at, options()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unexpected);
    assert!(error.cause().unwrap().contains("5 operations"), "{error:?}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_a_timeout() {
    let (at, _) = serve(Quirks { silent: true, ..usual() }).await;
    let error = Nfs4Store::connect(&at, options()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
}
