//! Listing by ranges: nothing lost, nothing twice, in order, whatever the keys are like and whatever the server does.

use crate::{
    options,
    server::{Reply, Seen, Standin, answer, parameter, percent_decoded, percent_encoded, refusal},
};
use futures::StreamExt as _;
use longshore_driver_s3::{ClassTally, S3Options, S3Store};
use model::RelPath;
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    num::NonZeroU32,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use storage::{Cursor, ErrorKind, ListSpec, Source as _};

/// Keys on a page of the stand-in: small, so that few keys make many pages.
const PAGE: usize = 20;

/// What a server gets wrong.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
struct Faults {
    /// `start-after` is not looked at.
    deaf: bool,
    /// `start-after` of a key that is not there is refused.
    strict: bool,
    /// Every so manieth request answers 503.
    slow_down: Option<usize>,
    /// No tokens: the client has to use `start-after`.
    tokenless: bool,
    /// Pages come in the reverse order.
    reversed: bool,
    /// How long an answer takes.
    slow: Option<Duration>,
    /// One request is answered after another.
    narrow: bool,
}

/// How long an answer takes where nothing else is said: streams are worth nothing to a server that answers at once.
const AWAY: Duration = Duration::from_millis(3);

/// A server that holds these keys.
async fn holding(keys: BTreeSet<Vec<u8>>, faults: Faults) -> Standin {
    let requests = AtomicUsize::new(0);
    let busy_until = Mutex::new(Instant::now());
    Standin::start(false, move |seen: &Seen| {
        let number = requests.fetch_add(1, Ordering::Relaxed);
        if faults.slow_down.is_some_and(|each| number % each == each - 1) {
            return refusal("503 Service Unavailable", "SlowDown", "");
        }
        let prefix = parameter(&seen.target, "prefix").unwrap_or_default();
        let token = parameter(&seen.target, "continuation-token");
        let start = parameter(&seen.target, "start-after").filter(|_| !faults.deaf);
        if faults.strict && start.as_ref().is_some_and(|start| !keys.contains(start)) {
            return refusal("400 Bad Request", "InvalidArgument", "");
        }
        // A token is opaque to the client: here it is the encoded key.
        let token = token.map(|token| percent_decoded(std::str::from_utf8(&token).unwrap()));
        let after = token.or(start).unwrap_or_default();
        let mut left = keys.iter().filter(|key| key.starts_with(&prefix) && **key > after);
        let mut page: Vec<&Vec<u8>> = left.by_ref().take(PAGE).collect();
        let more = left.next().is_some();
        let last = page.last().map(|key| percent_encoded(key)).unwrap_or_default();
        if faults.reversed {
            page.reverse();
        }
        let mut body = "<ListBucketResult><EncodingType>url</EncodingType>".to_owned();
        for key in page {
            let class = if key.len() % 2 == 0 { "STANDARD" } else { "COLD" };
            write!(
                body,
                "<Contents><Key>{}</Key><Size>3</Size><StorageClass>{class}</StorageClass></Contents>",
                percent_encoded(key)
            )
            .unwrap();
        }
        if more && !faults.tokenless {
            write!(body, "<NextContinuationToken>{last}</NextContinuationToken>").unwrap();
        }
        write!(body, "<IsTruncated>{more}</IsTruncated></ListBucketResult>").unwrap();
        let takes = faults.slow.unwrap_or(AWAY);
        let mut until = busy_until.lock().unwrap();
        let now = Instant::now();
        *until = if faults.narrow { now.max(*until) + takes } else { now + takes };
        Reply::Later(*until - now, answer("200 OK", &[], &body))
    })
    .await
}

async fn opened(server: &Standin, streams: u32, classes: Option<Arc<ClassTally>>) -> S3Store {
    let list_streams = NonZeroU32::new(streams).unwrap();
    let options = S3Options { list_streams, classes, ..options() };
    S3Store::open(&server.uri("&flavour=aws").parse().unwrap(), options).await.unwrap()
}

/// Lists to the end, going on at the last cursor after every error that may be tried again.
async fn listed(store: &S3Store, from: Option<Cursor>) -> storage::Result<Vec<Vec<u8>>> {
    let (mut all, mut from) = (Vec::new(), from);
    'again: loop {
        let spec = ListSpec { recursive: true, from: from.clone(), ..ListSpec::default() };
        let mut pages = store.list(&RelPath::ROOT, spec);
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => {
                    all.extend(page.entries.iter().map(|entry| entry.path.as_bytes().to_vec()));
                    match page.next {
                        Some(cursor) => from = Some(cursor),
                        None => return Ok(all),
                    }
                }
                Err(error) if error.kind() == ErrorKind::Throttled => continue 'again,
                Err(error) => return Err(error),
            }
        }
        panic!("the listing ended without its last page");
    }
}

fn keys(layout: &str, count: u32) -> BTreeSet<Vec<u8>> {
    (0..count)
        .map(|i| {
            let mixed = i.wrapping_mul(2_654_435_761);
            match layout {
                "hex" => format!("pre/common/long/prefix/{mixed:08x}-{i}"),
                "date" => format!("pre/logs/2025/{:02}/{:02}/{:06}.gz", 1 + i % 12, 1 + i % 28, i),
                "skew" if i % 20 == 0 => format!("pre/cold/{mixed:x}/{i}"),
                "skew" => format!("pre/hot/tenant/{:03}/part-{i:07}", i % 100),
                "hangul" => format!("pre/{}{i}", char::from_u32(0xAC00 + mixed % 11_000).unwrap()),
                "raw" => {
                    return [b"pre/".to_vec(), mixed.to_be_bytes().map(|b| b.max(1)).to_vec(), vec![b'x']].concat();
                }
                _ => format!("pre/{i}"),
            }
            .into_bytes()
        })
        .collect()
}

fn below(keys: &BTreeSet<Vec<u8>>) -> Vec<Vec<u8>> {
    keys.iter().map(|key| key[4..].to_vec()).collect()
}

#[tokio::test]
async fn every_layout_comes_whole_and_in_order_and_by_several_streams() {
    for layout in ["hex", "date", "skew", "hangul", "raw", "plain"] {
        let all = keys(layout, 8000);
        let server = holding(all.clone(), Faults::default()).await;
        let tally = Arc::new(ClassTally::default());
        let store = opened(&server, 12, Some(Arc::clone(&tally))).await;
        let found = listed(&store, None).await.unwrap();
        assert_eq!(found.len(), all.len(), "{layout}");
        assert!(found == below(&all), "{layout}");
        let requests = server.seen().len();
        let pages = all.len().div_ceil(PAGE);
        assert!(requests <= pages + pages / 3, "{layout}: {requests} requests for {pages} pages");
        let connections = server.seen().iter().map(|seen| seen.connection).max().unwrap();
        // Keys that are no text are not cut, because a request must be text.
        assert!(layout == "raw" || connections >= 6, "{layout} used {connections} connections");
        let counted: u64 = tally.counts().values().map(|count| count.objects).sum();
        assert_eq!((counted, tally.counts()["COLD"].bytes % 3), (all.len() as u64, 0));
    }
}

#[tokio::test]
async fn a_server_far_away_is_asked_by_many_streams_and_a_narrow_one_by_few() {
    let all = keys("hex", 6000);
    let far = Faults { slow: Some(Duration::from_millis(20)), ..Faults::default() };
    let mut took = Vec::new();
    for streams in [1, 12] {
        let server = holding(all.clone(), far).await;
        let begun = Instant::now();
        assert!(listed(&opened(&server, streams, None).await, None).await.unwrap() == below(&all));
        took.push(begun.elapsed());
    }
    assert!(took[1] * 2 < took[0], "12 streams took {:?}, one took {:?}", took[1], took[0]);
    let narrow = Faults { slow: Some(Duration::from_millis(5)), narrow: true, ..Faults::default() };
    let server = holding(all.clone(), narrow).await;
    assert!(listed(&opened(&server, 12, None).await, None).await.unwrap() == below(&all));
    let connections = 1 + server.seen().iter().map(|seen| seen.connection).max().unwrap();
    assert!(connections <= 4, "{connections} connections");
}

#[tokio::test]
async fn a_small_listing_costs_its_pages_and_few_requests_more() {
    for pages in [1_u32, 2, 7, 12, 19] {
        let all = keys("hex", pages * u32::try_from(PAGE).unwrap());
        let server = holding(all.clone(), Faults::default()).await;
        let found = listed(&opened(&server, 12, None).await, None).await.unwrap();
        assert!(found == below(&all));
        let requests = u32::try_from(server.seen().len()).unwrap();
        assert!(requests <= pages + if pages < 9 { 0 } else { 4 }, "{requests} requests for {pages} pages");
    }
}

#[tokio::test]
async fn a_listing_resumed_after_any_page_goes_on_with_the_next_key() {
    let all = below(&keys("date", 3000));
    let server = holding(keys("date", 3000), Faults::default()).await;
    let store = opened(&server, 12, None).await;
    for at in [0, 1, 19, 20, 777, 2998, 2999] {
        let found = listed(&store, Some(Cursor(all[at].clone().into()))).await.unwrap();
        assert!(found == all[at + 1..], "after {at}");
    }
}

#[tokio::test]
async fn a_server_that_fails_now_and_then_loses_nothing() {
    for each in [2, 3, 7, 23] {
        let all = keys("hex", 4000);
        let server = holding(all.clone(), Faults { slow_down: Some(each), ..Faults::default() }).await;
        let found = listed(&opened(&server, 12, None).await, None).await.unwrap();
        assert!(found == below(&all), "every {each}th request failed");
    }
}

#[tokio::test]
async fn a_server_that_ignores_or_refuses_start_after_is_listed_by_one_stream() {
    for faults in [Faults { deaf: true, ..Faults::default() }, Faults { strict: true, ..Faults::default() }] {
        let all = keys("hex", 4000);
        let server = holding(all.clone(), faults).await;
        let found = listed(&opened(&server, 12, None).await, None).await.unwrap();
        assert!(found == below(&all), "{faults:?}");
        let pages = all.len().div_ceil(PAGE);
        assert!(server.seen().len() <= pages + pages / 4 + 4, "{faults:?}: {} requests", server.seen().len());
    }
}

#[tokio::test]
async fn a_server_without_tokens_is_listed_by_keys() {
    let all = keys("skew", 4000);
    let server = holding(all.clone(), Faults { tokenless: true, ..Faults::default() }).await;
    assert!(listed(&opened(&server, 12, None).await, None).await.unwrap() == below(&all));
}

#[tokio::test]
async fn a_listing_out_of_order_is_an_error_unless_it_was_said_to_have_none() {
    let server = holding(keys("hex", 100), Faults { reversed: true, ..Faults::default() }).await;
    let error = listed(&opened(&server, 12, None).await, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unexpected);
    assert!(error.hint_text().unwrap().contains("?order=none"));
    let store = S3Store::open(&server.uri("&flavour=aws&order=none").parse().unwrap(), options()).await.unwrap();
    assert_eq!(store.caps().list, storage::ListOrder::None);
    let mut found = listed(&store, None).await.unwrap();
    found.sort();
    assert!(found == below(&keys("hex", 100)));
}

#[tokio::test]
async fn a_slow_consumer_slows_the_requests() {
    let server = holding(keys("hex", 20_000), Faults::default()).await;
    let store = opened(&server, 12, None).await;
    let mut pages = store.list(&RelPath::ROOT, ListSpec { recursive: true, ..ListSpec::default() });
    for _ in 0..100 {
        pages.next().await.unwrap().unwrap();
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let fetched = server.seen().len();
    assert!(fetched < 100 + 140, "{fetched} requests for 100 pages taken");
    drop(pages);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let then = server.seen().len();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!(server.seen().len(), then, "a dropped listing goes on");
}
