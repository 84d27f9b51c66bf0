//! Whole moves while things go wrong: seeded faults at every door, and runs that are cut off in the middle. Whatever
//! happens, the books add up, and running it again ends with everything at the target and nothing left behind.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test may fail where it stands")]

use bytes::Bytes;
use journal::{MoveResult, Outcome};
use longshore_migrate as migrate;
use migrate::{Ended, Error, Job, Meter, Options};
use model::{Metadata, RelPath, Timestamp};
use plan::Move;
use std::{path::Path, sync::Arc, time::Duration};
use storage::{
    ErrorKind, FaultPlan, Faulty, MemoryStore, RetryPolicy, Retrying, Source, Target, WriteSpec, collect_body,
    wrap::{Door, Fault, FaultRule, When},
};
use tokio_util::sync::CancellationToken;

const PART: u64 = 64 << 10;
const BIG: [&str; 3] = ["big-0", "dir/big-1", "dir/big-2"];

fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from((i * 31 + seed) % 251).unwrap()).collect()
}

async fn write(store: &MemoryStore, path: &str, content: Vec<u8>) {
    let mtime = Some(Timestamp { secs: 1_700_000_000, nanos: 42 });
    let spec = WriteSpec { meta: Metadata { mtime, ..Metadata::default() }, ..WriteSpec::default() };
    store.put(&path.into(), spec, vec![Bytes::from(content)]).await.unwrap();
}

async fn tree() -> MemoryStore {
    let store = MemoryStore::tree().with_page(7);
    for i in 0..60 {
        write(&store, &format!("dir/small-{i:02}"), pattern(i * 37, i)).await;
    }
    for (i, path) in BIG.iter().enumerate() {
        write(&store, path, pattern(10 * usize::try_from(PART).unwrap() + i, i)).await;
    }
    store
}

fn job(source: Arc<dyn Source>, target: Arc<dyn Target>, folder: &Path) -> Job {
    let mut spec = Move::new("m", "mem://from/".parse().unwrap(), "mem://to/".parse().unwrap());
    spec.part_size = model::ByteSize(PART);
    spec.memory = model::ByteSize(2 << 20);
    spec.concurrency = 8;
    let options = Options { dry_run: false, request_price: None, now: || Timestamp { secs: 1_750_000_000, nanos: 0 } };
    Job { source, target, spec, run_dir: folder.to_owned(), options }
}

async fn run(job: Job) -> Result<(MoveResult, Option<Error>), Error> {
    let Ended { result, error } = migrate::run(job, Arc::new(Meter::default()), CancellationToken::new()).await?;
    // A run that stopped in the middle has items without a fate; one that ended has none.
    if error.is_none() {
        assert!(result.tally.adds_up(), "{:#?}", result.tally);
    }
    Ok((result, error))
}

async fn content(store: &MemoryStore, path: &RelPath) -> Vec<u8> {
    let reading = store.read(path, storage::ReadSpec::default()).await.unwrap();
    collect_body(reading.body, 1 << 30).await.unwrap().concat()
}

/// Everything of the source is at the target, byte for byte, and no write is left open.
async fn all_there(source: &MemoryStore, target: &MemoryStore) {
    for i in 0..60 {
        let path = RelPath::from(format!("dir/small-{i:02}").as_str());
        assert_eq!(content(source, &path).await, content(target, &path).await, "{path}");
    }
    for path in BIG.map(RelPath::from) {
        assert_eq!(content(source, &path).await, content(target, &path).await, "{path}");
        assert!(target.abandoned(&path).await.unwrap().is_empty(), "a write of {path} is left open");
    }
}

fn patient<S: ?Sized>(inner: Arc<S>, seed: u64) -> Arc<Retrying<S>> {
    let base = Duration::from_millis(1);
    let policy = RetryPolicy { tries: 4, base, longest: base, patience: Duration::from_secs(1) };
    Arc::new(Retrying::new(inner, policy, seed))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_network_delays_a_move_and_changes_nothing_else() {
    for seed in 0..25 {
        let (source, target) = (tree().await, MemoryStore::keys(1024));
        let folder = tempfile::tempdir().unwrap();
        let mut done = false;
        for again in 0..12 {
            let plan = FaultPlan::transient(seed * 100 + again, 25);
            let from = patient(Arc::new(Faulty::new(Arc::new(source.clone()), plan.clone())), seed);
            let to = patient(Arc::new(Faulty::new(Arc::new(target.clone()), plan)), seed);
            let (result, error) = run(job(from, to, folder.path())).await.unwrap();
            if error.is_none() && result.outcome == Outcome::Done {
                done = true;
                break;
            }
        }
        assert!(done, "seed {seed} never came to an end");
        // One calm run settles what was left open by the last failure.
        let (calm, error) = run(job(Arc::new(source.clone()), Arc::new(target.clone()), folder.path())).await.unwrap();
        assert!(error.is_none() && calm.tally.copied.items() == 0, "seed {seed}: {calm:#?}");
        all_there(&source, &target).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_cut_off_anywhere_is_taken_up_where_it_stopped() {
    for seed in 0..12_u64 {
        let (source, target) = (tree().await, MemoryStore::keys(1024));
        let folder = tempfile::tempdir().unwrap();
        // Slow parts, so that the knife falls into open writes.
        let slow = |pause| FaultPlan {
            seed,
            rules: vec![FaultRule {
                door: Door::Part,
                under: RelPath::ROOT,
                fault: Fault::Stall(pause),
                when: When::Always,
            }],
        };
        for cut in 0..6_u64 {
            let to = Arc::new(Faulty::new(Arc::new(target.clone()), slow(Duration::from_millis(4))));
            let running = run(job(Arc::new(source.clone()), to, folder.path()));
            let moment = Duration::from_millis(15 + (seed * 7 + cut * 13) % 60);
            // Dropping the run is the unkind end: nobody tidies up.
            if let Ok(ended) = tokio::time::timeout(moment, running).await {
                ended.unwrap();
                break;
            }
            unlocked(&folder.path().join("m/journal")).await;
        }
        let (result, error) =
            run(job(Arc::new(source.clone()), Arc::new(target.clone()), folder.path())).await.unwrap();
        assert!(error.is_none(), "seed {seed}: {error:?}");
        assert_eq!(result.outcome, Outcome::Done, "seed {seed}: {result:#?}");
        all_there(&source, &target).await;
    }
}

/// Tasks that were dropped with their run let go of the journal's lock only when they are gone.
async fn unlocked(journal: &Path) {
    for _ in 0..400 {
        match journal::Journal::open(journal, Arc::new(journal::RealDisk)) {
            Err(journal::Error::Locked { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
            _ => return,
        }
    }
    panic!("the journal stays locked");
}

fn always(door: Door, under: &str, fault: Fault) -> FaultPlan {
    FaultPlan { seed: 1, rules: vec![FaultRule { door, under: under.into(), fault, when: When::Always }] }
}

#[tokio::test]
async fn one_item_that_fails_is_booked_and_the_rest_arrives() {
    for (door, fault, kind) in [
        (Door::Entry, Fault::Before(ErrorKind::Denied), "denied"),
        (Door::Read, Fault::Before(ErrorKind::Denied), "denied"),
        (Door::Read, Fault::Truncate { at: 10 }, "changed"),
        (Door::Put, Fault::Before(ErrorKind::Unexpected), "unexpected"),
        (Door::Put, Fault::Before(ErrorKind::Corrupt), "corrupt"),
    ] {
        let (source, target) = (tree().await, MemoryStore::keys(1024));
        let folder = tempfile::tempdir().unwrap();
        let plan = always(door, "dir/small-50", fault);
        let from = Arc::new(Faulty::new(Arc::new(source), plan.clone()));
        let to = Arc::new(Faulty::new(Arc::new(target), plan));
        let (result, error) = run(job(from, to, folder.path())).await.unwrap();
        assert!(error.is_none(), "{error:?}");
        assert_eq!(result.outcome, Outcome::LeftOver);
        assert_eq!(result.tally.failed.get(kind), Some(&1), "{door:?} {fault:?}: {:#?}", result.tally);
        assert_eq!(result.failures[0].path, RelPath::from("dir/small-50"));
        assert_eq!(result.tally.copied.files, 62);
    }
}

#[tokio::test]
async fn a_door_that_shuts_stops_the_run_at_once_and_says_which() {
    for (kind, side_is_source) in
        [(ErrorKind::Unauthenticated, true), (ErrorKind::NoSpace, false), (ErrorKind::Disconnected, false)]
    {
        let (source, target) = (tree().await, MemoryStore::keys(1024));
        let folder = tempfile::tempdir().unwrap();
        let door = if side_is_source { Door::Read } else { Door::Put };
        let plan = always(door, "dir", Fault::Before(kind));
        let from: Arc<dyn Source> =
            if side_is_source { Arc::new(Faulty::new(Arc::new(source), plan.clone())) } else { Arc::new(source) };
        let to: Arc<dyn Target> =
            if side_is_source { Arc::new(target) } else { Arc::new(Faulty::new(Arc::new(target), plan)) };
        let (result, error) = run(job(from, to, folder.path())).await.unwrap();
        assert_eq!(result.outcome, Outcome::Stopped);
        let Some(Error::Location { side, source }) = error else { panic!("{error:?}") };
        assert_eq!((side, source.kind()), (if side_is_source { "source" } else { "target" }, kind));
    }
}

#[tokio::test]
async fn too_many_failures_stop_the_run() {
    let (source, target) = (tree().await, MemoryStore::keys(1024));
    let folder = tempfile::tempdir().unwrap();
    let from = Arc::new(Faulty::new(Arc::new(source), always(Door::Read, "dir", Fault::Before(ErrorKind::Denied))));
    let mut limited = job(from, Arc::new(target), folder.path());
    limited.spec.max_failures = 5;
    let (result, error) = run(limited).await.unwrap();
    assert!(matches!(error, Some(Error::TooManyFailures { limit: 5, .. })), "{error:?}");
    assert_eq!(result.outcome, Outcome::Stopped);
}

#[tokio::test]
async fn what_is_unreadable_costs_itself_and_hides_nothing_as_extra() {
    let (source, target) = (tree().await, MemoryStore::keys(1024));
    let folder = tempfile::tempdir().unwrap();
    run(job(Arc::new(source.clone()), Arc::new(target.clone()), folder.path())).await.unwrap();
    for (door, at) in [(Door::List, "dir"), (Door::Entry, "dir/small-50")] {
        let denied = always(door, at, Fault::Before(ErrorKind::Denied));
        let from = Arc::new(Faulty::new(Arc::new(source.clone()), denied));
        let (result, error) = run(job(from, Arc::new(target.clone()), folder.path())).await.unwrap();
        assert!(error.is_none(), "{error:?}");
        assert_eq!((result.tally.failed.get("denied"), result.tally.extra), (Some(&1), 0), "{:#?}", result.tally);
    }
}
