//! What each wrapper adds, on a paused clock and from a seed.

#![allow(clippy::unwrap_used)] // not only in the tests themselves, also in what they share

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, future::join_all, stream::BoxStream};
use longshore_storage::{
    Body, Capabilities, Deadline, Deadlines, Error, ErrorKind, FaultPlan, Faulty, Limited, Limits, ListOrder, ListSpec,
    MemoryStore, Page, Probe, ReadSpec, Reading, Result, RetryPolicy, Retrying, Source, Target, Timed, Usage,
    WriteSpec, checksum, collect_body,
    wrap::{Door, Fault, FaultRule, When},
};
use model::{Digests, Entry, Facets, RelPath};
use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

fn rule(door: Door, fault: Fault, when: When) -> FaultRule {
    FaultRule { door, under: RelPath::ROOT, fault, when }
}

fn faulty(store: MemoryStore, rules: Vec<FaultRule>) -> Arc<Faulty<MemoryStore>> {
    Arc::new(Faulty::new(Arc::new(store), FaultPlan { seed: 1, rules }))
}

async fn file(store: &MemoryStore, path: &str, len: usize) -> Vec<u8> {
    let content: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect();
    store.put(&path.into(), WriteSpec::default(), vec![content.clone().into()]).await.unwrap();
    content
}

async fn content(source: &dyn Source, path: &str) -> Result<Vec<u8>> {
    let body = source.read(&path.into(), ReadSpec::default()).await?.body;
    Ok(collect_body(body, u64::MAX).await?.concat())
}

const NTH_0: When = When::Nth { call: 0 };

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_goes_on_at_its_offset() {
    for fault in [
        Fault::Cut { at: 700_001, kind: ErrorKind::Disconnected },
        Fault::Cut { at: 0, kind: ErrorKind::Disconnected },
        Fault::Cut { at: 1_000_000, kind: ErrorKind::Disconnected }, // every byte came, only the end broke
        Fault::Truncate { at: 300_000 },
    ] {
        let store = MemoryStore::tree();
        let meant = file(&store, "file", 1_000_000).await;
        let source = faulty(store, vec![rule(Door::Read, fault, NTH_0)]);
        let retrying = Retrying::new(Arc::clone(&source), RetryPolicy::default(), 1);
        assert!(content(&retrying, "file").await.unwrap() == meant, "{fault:?}");
        assert_eq!(source.injected().len(), 1);
    }
}

/// The names of a listing, and of what could not be read.
async fn names(source: &dyn Source) -> Result<(Vec<String>, Vec<String>)> {
    let pages: Vec<Page> = source.list(&RelPath::ROOT, ListSpec::default()).try_collect().await?;
    let named = |path: &RelPath| path.to_string();
    let mut entries: Vec<_> = pages.iter().flat_map(|page| &page.entries).map(|entry| named(&entry.path)).collect();
    if source.caps().list != ListOrder::ByteOrder {
        entries.sort();
    }
    let unread = pages.iter().flat_map(|page| &page.unread).map(|error| named(error.path().unwrap())).collect();
    Ok((entries, unread))
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_could_not_be_read_is_looked_at_again() {
    for store in [MemoryStore::tree(), MemoryStore::keys(1)] {
        for name in ["a", "b", "c"] {
            file(&store, name, 1).await;
        }
        let at_b = |door, kind, when| FaultRule { under: "b".into(), ..rule(door, Fault::Before(kind), when) };
        let listed = |rules| {
            let retrying = Retrying::new(faulty(store.clone(), rules), RetryPolicy::default(), 1);
            async move { names(&retrying).await }
        };
        let lost = at_b(Door::Entry, ErrorKind::Timeout, NTH_0);
        let all = (["a", "b", "c"].map(str::to_owned).to_vec(), Vec::new());
        assert_eq!(listed(vec![lost.clone()]).await.unwrap(), all);
        assert_eq!(listed(vec![lost.clone(), at_b(Door::Stat, ErrorKind::Timeout, NTH_0)]).await.unwrap(), all);
        // What no second look mends, or what cannot be mended, is told; what is gone by then is not.
        let but_b =
            |unread: &[&str]| (vec!["a".to_owned(), "c".to_owned()], unread.iter().map(|b| (*b).to_owned()).collect());
        let again = |kind| vec![lost.clone(), at_b(Door::Stat, kind, When::Always)];
        assert_eq!(listed(again(ErrorKind::Timeout)).await.unwrap(), but_b(&["b"]));
        assert_eq!(listed(vec![at_b(Door::Entry, ErrorKind::Denied, NTH_0)]).await.unwrap(), but_b(&["b"]));
        assert_eq!(listed(again(ErrorKind::NotFound)).await.unwrap(), but_b(&[]));
        // A server that is gone is no fault of the entry.
        let gone = listed(again(ErrorKind::Disconnected)).await.unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::Disconnected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_ends_at_once_after_it_was_opened_again_is_no_end() {
    let store = MemoryStore::tree();
    let meant = file(&store, "file", 1_000_000).await;
    let cut = rule(Door::Read, Fault::Cut { at: 700_001, kind: ErrorKind::Disconnected }, NTH_0);
    let empty = rule(Door::Read, Fault::Truncate { at: 0 }, When::Nth { call: 1 });
    let source = faulty(store, vec![cut, empty]);
    let retrying = Retrying::new(Arc::clone(&source), RetryPolicy::default(), 1);
    assert!(content(&retrying, "file").await.unwrap() == meant);
    assert_eq!(source.injected().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_breaks_goes_on_behind_its_last_page() {
    let store = MemoryStore::tree().with_page(10);
    for number in 0..50 {
        file(&store, &format!("f{number:02}"), 0).await;
    }
    let broken = rule(Door::List, Fault::Before(ErrorKind::Disconnected), When::Nth { call: 3 });
    let source = faulty(store, vec![broken]);
    let retrying = Retrying::new(Arc::clone(&source), RetryPolicy::default(), 1);
    // No more pages than there may be, so that one that comes again and again is told as such.
    let pages = retrying.list(&RelPath::ROOT, ListSpec::default()).take(6).try_collect::<Vec<_>>().await.unwrap();
    let names: Vec<_> = pages.iter().flat_map(|page| &page.entries).map(|entry| entry.path.to_string()).collect();
    assert_eq!(names, (0..50).map(|number| format!("f{number:02}")).collect::<Vec<_>>());
    assert_eq!((pages.len(), source.injected().len()), (5, 1));
}

#[tokio::test(start_paused = true)]
async fn a_body_whose_file_changed_meanwhile_is_never_spliced() {
    let store = MemoryStore::tree();
    file(&store, "file", 1_000_000).await;
    let cut = Fault::Cut { at: 600_000, kind: ErrorKind::Disconnected };
    let source = faulty(store.clone(), vec![rule(Door::Read, cut, NTH_0)]);
    let retrying = Retrying::new(source, RetryPolicy::default(), 1);
    let reading = retrying.read(&"file".into(), ReadSpec::default()).await.unwrap();
    file(&store, "file", 1_000_000).await;
    let Body::Stream(pieces) = reading.body else { panic!("a large file comes in pieces") };
    let error = pieces.try_collect::<Vec<Bytes>>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Changed);
}

/// Answers one `stat` after another with what is on its list, then succeeds.
#[derive(Debug)]
struct Scripted(MemoryStore, Mutex<Vec<Error>>);

#[async_trait]
impl Source for Scripted {
    fn caps(&self) -> &Capabilities {
        self.0.caps()
    }
    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        self.0.list(dir, spec)
    }
    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        let next = self.1.lock().unwrap().pop();
        match next {
            Some(error) => Err(error),
            None => self.0.stat(path, want).await,
        }
    }
    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        self.0.read(path, spec).await
    }
    async fn usage(&self) -> Result<Option<Usage>> {
        self.0.usage().await
    }
}

#[tokio::test(start_paused = true)]
async fn pauses_that_the_server_asks_for_use_up_no_tries_but_patience() {
    let pause = Duration::from_mins(1);
    let asks = |n: usize| (0..n).map(|_| Error::new(ErrorKind::Throttled, "look at").retry_after(pause)).collect();
    let policy = RetryPolicy { tries: 2, patience: pause * 10, ..RetryPolicy::default() };
    let source = Arc::new(Scripted(MemoryStore::tree(), Mutex::new(asks(10))));
    let retrying = Retrying::new(Arc::clone(&source) as Arc<dyn Source>, policy.clone(), 1);
    let started = Instant::now();
    retrying.stat(&RelPath::ROOT, Facets::NONE).await.unwrap();
    assert_eq!(started.elapsed(), pause * 10, "each pause is as long as the server asked");
    *source.1.lock().unwrap() = asks(11);
    assert_eq!(retrying.stat(&RelPath::ROOT, Facets::NONE).await.unwrap_err().kind(), ErrorKind::Throttled);
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_within_their_bound_and_are_the_same_for_a_seed() {
    let run = |seed| async move {
        let policy = RetryPolicy { tries: 8, ..RetryPolicy::default() };
        let down = rule(Door::Stat, Fault::Before(ErrorKind::Disconnected), When::Always);
        let source = faulty(MemoryStore::tree(), vec![down]);
        let retrying = Retrying::new(Arc::clone(&source), policy.clone(), seed);
        let started = Instant::now();
        retrying.stat(&RelPath::ROOT, Facets::NONE).await.unwrap_err();
        assert_eq!(source.injected().len(), 8, "so many tries as the policy says");
        let longest = (0..7).map(|n| (policy.base * (1 << n)).min(policy.longest)).sum();
        assert!(started.elapsed() <= longest, "{:?} is more than {longest:?}", started.elapsed());
        started.elapsed()
    };
    assert_eq!(run(1).await, run(1).await);
    assert_ne!(run(1).await, run(2).await);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_succeed_is_tried_once() {
    let denied = rule(Door::List, Fault::Before(ErrorKind::Denied), When::Always);
    let source = faulty(MemoryStore::tree(), vec![denied]);
    let retrying = Retrying::new(Arc::clone(&source), RetryPolicy::default(), 1);
    let pages: Vec<_> = retrying.list(&RelPath::ROOT, ListSpec::default()).collect().await;
    assert_eq!(pages.len(), 1, "a listing ends after its error");
    assert_eq!(source.injected().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_holds_its_place_until_it_is_dropped() {
    let store = MemoryStore::tree();
    file(&store, "file", 1_000_000).await;
    let limits = Limits { in_flight: NonZeroUsize::new(1).unwrap(), bytes_per_second: None, requests_per_second: None };
    let limited = Limited::new(Arc::new(store), &limits);
    let held = limited.read(&"file".into(), ReadSpec::default()).await.unwrap();
    let root = RelPath::ROOT;
    let wait = tokio::time::timeout(Duration::from_secs(1), limited.stat(&root, Facets::NONE));
    assert!(wait.await.is_err(), "a second request went through");
    drop(held);
    limited.stat(&RelPath::ROOT, Facets::NONE).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_call_gives_its_place_back_however_it_ends() {
    let limits = Limits { in_flight: NonZeroUsize::MIN, bytes_per_second: None, requests_per_second: None };
    let store = Limited::new(Arc::new(MemoryStore::tree()), &limits);
    let (path, missing, spec) = (&"file".into(), &"missing".into(), WriteSpec::default);
    let calls = async {
        for len in [3, 1_000_000] {
            store.put(path, spec(), vec![vec![7; len].into()]).await.unwrap();
            assert_eq!(content(&store, "file").await.unwrap().len(), len);
            assert!(content(&store, "missing").await.is_err());
            store.stat(path, Facets::NONE).await.unwrap();
            store.stat(missing, Facets::NONE).await.unwrap_err();
            assert_eq!(store.list(&RelPath::ROOT, ListSpec::default()).collect::<Vec<_>>().await.len(), 1);
            assert!(store.list(missing, ListSpec::default()).next().await.unwrap().is_err());
            store.usage().await.unwrap();
            let (whole, part) = (Digests::default(), vec![Bytes::from(vec![1; 10])]);
            let sum = checksum::crc64nvme(&part);
            let upload = store.create(path, spec()).await.unwrap();
            let receipts = vec![upload.part(0, 0, part.clone(), sum).await.unwrap()];
            upload.finish(receipts, whole).await.unwrap();
            let upload = store.create(path, spec()).await.unwrap();
            upload.part(0, 0, part, sum + 1).await.unwrap_err();
            upload.abort().await.unwrap();
            store.abandoned(path).await.unwrap();
            store.remove(path, None).await.unwrap();
            store.remove(path, None).await.unwrap_err();
        }
    };
    let waited = tokio::time::timeout(Duration::from_mins(1), calls).await;
    waited.expect("a request waits for a place that nobody holds");
}

#[derive(Debug, Default)]
struct Seen {
    calls: Mutex<Vec<(&'static str, bool)>>,
    together: AtomicUsize,
    most: AtomicUsize,
}
impl Probe for Seen {
    fn observed(&self, op: &'static str, _took: Duration, ok: bool) {
        self.calls.lock().unwrap().push((op, ok));
    }
}

/// Counts how many calls are in flight together.
#[derive(Debug)]
struct Counting(Arc<Seen>, MemoryStore);

#[async_trait]
impl Source for Counting {
    fn caps(&self) -> &Capabilities {
        self.1.caps()
    }
    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        self.1.list(dir, spec)
    }
    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        let now = self.0.together.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.0.together.fetch_sub(1, Ordering::SeqCst);
        self.1.stat(path, want).await
    }
    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        self.1.read(path, spec).await
    }
    async fn usage(&self) -> Result<Option<Usage>> {
        self.1.usage().await
    }
}

#[tokio::test(start_paused = true)]
async fn limits_of_requests_are_kept() {
    // Together as many as allowed, 10 ms each; or one every 10 ms, after a burst of a tenth of a second.
    for (requests_per_second, most, least_ms) in [(None, 3, 660), (NonZeroU32::new(100), 2, 1890)] {
        let seen = Arc::new(Seen::default());
        let source = Arc::new(Counting(Arc::clone(&seen), MemoryStore::tree()));
        let in_flight = NonZeroUsize::new(3).unwrap();
        let limited = Limited::new(source, &Limits { in_flight, bytes_per_second: None, requests_per_second });
        let started = Instant::now();
        let root = RelPath::ROOT;
        join_all((0..200).map(|_| limited.stat(&root, Facets::NONE))).await;
        assert_eq!(seen.most.load(Ordering::SeqCst), most);
        let took = started.elapsed().as_millis();
        assert!((least_ms..least_ms + 200).contains(&took), "200 requests took {took} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_bytes_is_kept_both_ways() {
    let limits = Limits {
        in_flight: NonZeroUsize::new(8).unwrap(),
        bytes_per_second: NonZeroU64::new(1 << 20),
        requests_per_second: None,
    };
    let store = Limited::new(Arc::new(MemoryStore::tree()), &limits);
    let started = Instant::now();
    let data = || vec![Bytes::from(vec![0; 1 << 20])];
    join_all((0..4).map(|n| {
        let path = RelPath::from(format!("file-{n}").as_str());
        let (store, data) = (&store, data());
        async move { store.put(&path, WriteSpec::default(), data).await.unwrap() }
    }))
    .await;
    for n in 0..4 {
        content(&store, &format!("file-{n}")).await.unwrap();
    }
    let took = started.elapsed().as_secs_f64();
    assert!((6.5..8.5).contains(&took), "8 MiB at 1 MiB/s took {took} s");
}

#[tokio::test(start_paused = true)]
async fn what_stalls_ends_in_a_timeout_everywhere() {
    let stall = Fault::Stall(Duration::from_hours(1));
    let stalled = faulty(MemoryStore::tree(), Door::ALL.map(|door| rule(door, stall, When::Always)).into());
    let deadlines = Deadlines { operation: Duration::from_secs(5), ..Deadlines::default() };
    let store = Deadline::new(stalled, deadlines);
    let path = RelPath::from("file");
    let started = Instant::now();
    let mut errors = vec![
        store.stat(&path, Facets::NONE).await.unwrap_err(),
        store.read(&path, ReadSpec::default()).await.unwrap_err(),
        store.put(&path, WriteSpec::default(), vec![]).await.unwrap_err(),
        store.create(&path, WriteSpec::default()).await.map(|_| ()).unwrap_err(),
        store.abandoned(&path).await.unwrap_err(),
        store.remove(&path, None).await.unwrap_err(),
        store.usage().await.unwrap_err(),
    ];
    let pages: Vec<_> = store.list(&RelPath::ROOT, ListSpec::default()).collect().await;
    errors.extend(pages.into_iter().map(Result::unwrap_err));
    assert_eq!(errors.len(), 8);
    assert!(errors.iter().all(|error| error.kind() == ErrorKind::Timeout), "{errors:?}");
    assert_eq!(started.elapsed(), Duration::from_secs(40));
}

#[tokio::test(start_paused = true)]
async fn a_slow_write_has_time_for_its_bytes() {
    let stall = Fault::Stall(Duration::from_secs(8));
    let slow = faulty(MemoryStore::tree(), vec![rule(Door::Put, stall, When::Always)]);
    let deadlines =
        Deadlines { operation: Duration::from_secs(5), per_mib: Duration::from_secs(1), ..Deadlines::default() };
    let store = Deadline::new(slow, deadlines);
    let data = |mib: usize| vec![Bytes::from(vec![0; mib << 20])];
    let small = store.put(&"file".into(), WriteSpec::default(), data(1)).await;
    assert_eq!(small.unwrap_err().kind(), ErrorKind::Timeout);
    store.put(&"file".into(), WriteSpec::default(), data(4)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_silent_body_ends_in_a_timeout() {
    #[derive(Debug)]
    struct Silent(MemoryStore);
    #[async_trait]
    impl Source for Silent {
        fn caps(&self) -> &Capabilities {
            self.0.caps()
        }
        fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
            self.0.list(dir, spec)
        }
        async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
            self.0.stat(path, want).await
        }
        async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
            let entry = self.0.read(path, spec).await?.entry;
            let first = futures::stream::iter([Ok(Bytes::from_static(b"first"))]);
            Ok(Reading { entry, body: Body::Stream(first.chain(futures::stream::pending()).boxed()) })
        }
        async fn usage(&self) -> Result<Option<Usage>> {
            self.0.usage().await
        }
    }
    let store = MemoryStore::tree();
    file(&store, "file", 10).await;
    let source = Deadline::new(Arc::new(Silent(store)), Deadlines::default());
    let error = content(&source, "file").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_fails_the_same_calls_in_whatever_order_they_come() {
    let run = |seed, backwards: bool| async move {
        let source = Faulty::new(Arc::new(MemoryStore::tree()), FaultPlan::transient(seed, 100));
        let mut paths: Vec<RelPath> = (0..100).map(|n| RelPath::from(format!("file-{n}").as_str())).collect();
        if backwards {
            paths.reverse();
        }
        for path in &paths {
            source.put(path, WriteSpec::default(), vec![]).await.ok();
            source.stat(path, Facets::NONE).await.ok();
        }
        let mut injected: Vec<String> = source.injected().iter().map(|fault| format!("{fault:?}")).collect();
        injected.sort();
        injected
    };
    let first = run(4211, false).await;
    assert!(first.len() > 20, "only {} faults", first.len());
    assert_eq!(first, run(4211, true).await);
    assert_ne!(first, run(4212, false).await);
}

#[tokio::test]
async fn faults_after_the_effect_leave_the_effect() {
    let store = MemoryStore::tree();
    let after = rule(Door::Put, Fault::After(ErrorKind::Disconnected), NTH_0);
    let lie = rule(Door::Stat, Fault::SizeLie(5), NTH_0);
    let target = faulty(store.clone(), vec![after, lie]);
    target.put(&"file".into(), WriteSpec::default(), vec![Bytes::from_static(b"abc")]).await.unwrap_err();
    assert_eq!(content(&store, "file").await.unwrap(), b"abc");
    assert_eq!(target.stat(&"file".into(), Facets::NONE).await.unwrap().stamp.size, 8);
    assert_eq!(target.stat(&"file".into(), Facets::NONE).await.unwrap().stamp.size, 3);
}

#[tokio::test]
async fn every_call_is_told_to_the_probe() {
    let store = MemoryStore::tree();
    file(&store, "large", 600_000).await;
    let seen = Arc::new(Seen::default());
    let timed = Timed::new(Arc::new(store) as Arc<dyn Target>, Arc::clone(&seen) as Arc<dyn Probe>);
    content(&timed, "large").await.unwrap();
    timed.stat(&"nothing".into(), Facets::NONE).await.unwrap_err();
    let _pages: Vec<_> = timed.list(&RelPath::ROOT, ListSpec::default()).collect().await;
    let upload = timed.create(&"new".into(), WriteSpec::default()).await.unwrap();
    upload.abort().await.unwrap();
    let body = ("body", true);
    let meant = [("read", true), body, body, body, ("stat", false), ("list", true), ("create", true), ("abort", true)];
    assert_eq!(*seen.calls.lock().unwrap(), meant);
}
