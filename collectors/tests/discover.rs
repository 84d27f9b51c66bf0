//! Discovery that is killed, stopped, refused and led astray.
#![allow(clippy::unwrap_used)]

mod common;

use common::{NOW, Odd, comparable, discovered, options, planted, rows};
use futures::FutureExt as _;
use inventory::{Finding, Inventory, Problem, SecondCount, Weight};
use longshore_collectors::{Error, Progress, discover};
use model::{Metadata, RelPath};
use proptest::prelude::*;
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use storage::{ErrorKind, MemoryStore, Node, Target as _, WriteSpec};

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn problems(out: &std::path::Path) -> Vec<Problem> {
    let inventory = Inventory::open(out).unwrap();
    inventory.problems(&inventory.systems()[0].name).unwrap().map(Result::unwrap).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn a_discovery_killed_anywhere_and_taken_up_finds_everything_once(
        dirs in proptest::collection::vec((0..20_usize, 0..9_usize), 0..20),
        page in 1..4_usize,
        concurrency in 1..5_usize,
        checkpoint in 1..15_u64,
        kills in proptest::collection::vec(1..12_usize, 0..5),
        forgets in 0..3_usize,
        keys in any::<bool>(),
    ) {
        run(async {
            let store = if keys { MemoryStore::keys(1) } else { MemoryStore::tree() }.with_page(page);
            let all = planted(&store, &dirs).await;
            let odd = Odd { failing: [(RelPath::from("d1"), ErrorKind::Denied)].into(), ..Odd::over(store) };
            let all: Vec<RelPath> = all.into_iter().filter(|path| keys || *path == "d1".into() || !path.starts_with(&"d1".into())).collect();

            let undisturbed = tempfile::tempdir().unwrap();
            let expected = discovered(&odd, undisturbed.path(), &options(concurrency, 1000)).await.unwrap();
            prop_assert_eq!(rows(undisturbed.path()), all.clone());
            if !keys {
                // Each directory that was found, and the root, but for the one that refuses.
                let refused = u64::from(all.contains(&"d1".into()));
                let listed: u64 = expected.shape.directories_by_width.iter().sum();
                prop_assert_eq!(listed, expected.counts.dirs + 1 - refused);
            }

            let out = tempfile::tempdir().unwrap();
            odd.forgets.store(forgets, Ordering::SeqCst);
            let mut profile = None;
            for pages in kills {
                odd.pages_left.store(pages, Ordering::SeqCst);
                let options = options(concurrency, checkpoint);
                tokio::select! {
                    done = discovered(&odd, out.path(), &options) => profile = Some(done.unwrap()),
                    () = odd.hung.notified() => {}
                }
                if profile.is_some() {
                    break;
                }
            }
            odd.pages_left.store(usize::MAX, Ordering::SeqCst);
            let profile = match profile {
                Some(profile) => profile,
                None => discovered(&odd, out.path(), &options(concurrency, checkpoint)).await.unwrap(),
            };
            prop_assert_eq!(rows(out.path()), all);
            prop_assert_eq!(comparable(profile), comparable(expected));
            let (mut ours, mut theirs) = (problems(out.path()), problems(undisturbed.path()));
            ours.sort_by(|a, b| a.path.cmp(&b.path));
            theirs.sort_by(|a, b| a.path.cmp(&b.path));
            prop_assert_eq!(ours, theirs);
            Ok(())
        })?;
    }
}

#[test]
fn a_discovery_that_is_told_to_stop_goes_on_where_it_stopped() {
    run(async {
        let store = MemoryStore::tree().with_page(2);
        let all = planted(&store, &[(0, 9), (0, 9), (1, 9), (2, 9)]).await;
        let odd = Odd::over(store);
        odd.pages_left.store(7, Ordering::SeqCst);
        let out = tempfile::tempdir().unwrap();
        let first = options(2, 1_000_000);
        let stop = first.stop.clone();
        let collector = odd.collector();
        let (stopped, ()) = tokio::join!(discover(&collector, out.path(), first.clone()), async {
            odd.hung.notified().await;
            stop.cancel();
        });
        let error = stopped.unwrap_err();
        assert!(matches!(error, Error::Interrupted { entries } if entries > 0), "{error}");
        assert!(error.hint().unwrap().contains("again"));

        odd.pages_left.store(usize::MAX, Ordering::SeqCst);
        let second = options(2, 1_000_000);
        let profile = discovered(&odd, out.path(), &second).await.unwrap();
        assert_eq!(rows(out.path()), all.into_iter().collect::<Vec<_>>());
        assert_eq!(profile.walk.resumed, 1);
        let numbers = second.progress.numbers();
        assert!(numbers.inherited > 0 && numbers.inherited < numbers.entries, "{numbers:?}");
        assert_eq!(numbers.entries, 40);
    });
}

#[test]
fn a_directory_that_refuses_is_listed_and_the_rest_is_found() {
    run(async {
        let store = MemoryStore::tree();
        let all = planted(&store, &[(0, 2), (0, 2), (0, 2)]).await;
        let odd = Odd { failing: [(RelPath::from("d1"), ErrorKind::Denied)].into(), ..Odd::over(store) };
        let out = tempfile::tempdir().unwrap();
        let options = options(2, 1000);
        let profile = discovered(&odd, out.path(), &options).await.unwrap();
        assert_eq!(rows(out.path()).len(), all.len() - 2);
        assert_eq!((profile.unreadable_count, options.progress.numbers().unreadable), (1, 1));
        assert_eq!((profile.unreadable[0].path.clone(), profile.unreadable[0].kind.as_str()), ("d1".into(), "denied"));
        assert!(profile.unreadable[0].detail.contains("permission denied"), "{:?}", profile.unreadable);
        assert_eq!(profile.counts.files, 4);
        assert!(profile.capacity.is_some());
    });
}

#[test]
fn a_root_that_refuses_is_an_error_and_no_empty_inventory() {
    run(async {
        let odd = Odd { failing: [(RelPath::ROOT, ErrorKind::Denied)].into(), ..Odd::over(MemoryStore::tree()) };
        let out = tempfile::tempdir().unwrap();
        let error = discovered(&odd, out.path(), &options(2, 1000)).await.unwrap_err();
        assert!(matches!(&error, Error::Source(error) if error.kind() == ErrorKind::Denied), "{error}");
        assert!(matches!(Inventory::open(out.path()).unwrap().sha256(), Err(inventory::Error::Unfinished { .. })));
    });
}

#[test]
fn a_server_that_goes_away_is_waited_for_and_one_silent_directory_is_not() {
    run(async {
        let store = MemoryStore::tree().with_page(4);
        let dirs: Vec<(usize, usize)> = (0..30).map(|_| (0, 3)).collect();
        let all = planted(&store, &dirs).await;
        let gone = |names: std::ops::Range<usize>| {
            names.map(|n| (RelPath::from(format!("d{n}").as_str()), ErrorKind::Disconnected)).collect()
        };
        let odd = Odd { failing: gone(3..30), ..Odd::over(store.clone()) };
        let out = tempfile::tempdir().unwrap();
        let error = discovered(&odd, out.path(), &options(1, 1000)).await.unwrap_err();
        assert!(matches!(&error, Error::Gone { last, .. } if last.kind() == ErrorKind::Disconnected), "{error}");

        let odd = Odd { failing: gone(3..4), ..Odd::over(store) };
        let profile = discovered(&odd, out.path(), &options(1, 1000)).await.unwrap();
        assert_eq!(profile.unreadable_count, 1, "{:?}", profile.unreadable);
        assert_eq!(rows(out.path()).len(), all.len() - 3);
    });
}

#[test]
fn a_server_that_goes_away_at_the_end_of_a_walk_is_waited_for() {
    run(async {
        let store = MemoryStore::tree().with_page(4);
        let dirs: Vec<(usize, usize)> = (0..7).map(|_| (0, 3)).collect();
        let all = planted(&store, &dirs).await;
        let kinds = [ErrorKind::Timeout, ErrorKind::Throttled, ErrorKind::Disconnected];
        let failing = (0..7).map(|n| (RelPath::from(format!("d{n}").as_str()), kinds[n % 3])).collect();
        let odd = Odd { failing, shut: Some(ErrorKind::Disconnected), ..Odd::over(store.clone()) };
        let out = tempfile::tempdir().unwrap();
        let error = discovered(&odd, out.path(), &options(1, 1000)).await.unwrap_err();
        assert!(matches!(&error, Error::Gone { .. }), "{error}");
        let odd = Odd::over(store);
        let profile = discovered(&odd, out.path(), &options(1, 1000)).await.unwrap();
        assert_eq!((profile.unreadable_count, rows(out.path()).len()), (0, all.len()));
        assert_eq!(odd.pages.load(Ordering::SeqCst), 7, "only what gave no answer is listed");
    });
}

#[test]
fn a_bucket_whose_listing_breaks_off_is_not_at_its_end() {
    run(async {
        for kind in [ErrorKind::Disconnected, ErrorKind::Throttled, ErrorKind::Denied, ErrorKind::Unexpected] {
            let store = MemoryStore::keys(1).with_page(4);
            for n in 0..30 {
                let path = format!("key-{n:02}");
                store.put(&path.as_str().into(), WriteSpec::default(), vec![]).await.unwrap();
            }
            let out = tempfile::tempdir().unwrap();
            let odd = Odd { breaks: Some((3, kind)), ..Odd::over(store.clone()) };
            let error = discovered(&odd, out.path(), &options(1, 1000)).await.unwrap_err();
            assert!(matches!(&error, Error::Gone { last, .. } if last.kind() == kind), "{error}");
            let odd = Odd::over(store);
            let profile = discovered(&odd, out.path(), &options(1, 1000)).await.unwrap();
            assert_eq!((profile.unreadable_count, rows(out.path()).len()), (0, 30));
            assert_eq!(odd.pages.load(Ordering::SeqCst), 5, "it goes on behind its third page");
        }
    });
}

#[test]
fn an_entry_that_cannot_be_read_is_listed_and_the_rest_is_found() {
    run(async {
        let store = MemoryStore::tree().with_page(4);
        let all = planted(&store, &[(0, 3), (1, 3)]).await;
        let unread: BTreeSet<RelPath> = ["d0/f1.txt", "d0/d1"].map(RelPath::from).into();
        let odd = Odd { unread: unread.clone(), ..Odd::over(store) };
        let out = tempfile::tempdir().unwrap();
        let profile = discovered(&odd, out.path(), &options(1, 1)).await.unwrap();
        assert_eq!(profile.unreadable_count, 2);
        let said: BTreeSet<RelPath> = problems(out.path()).into_iter().map(|problem| problem.path).collect();
        assert_eq!(said, unread);
        assert_eq!(rows(out.path()).len(), all.len() - 2 - 3, "nothing of the directory is known");
    });
}

#[test]
fn who_stops_while_findings_are_awaited_is_asked_only_for_them_again() {
    run(async {
        let store = MemoryStore::tree().with_page(4);
        let all = planted(&store, &[(0, 3), (1, 3)]).await;
        let odd = Odd { keeps_findings: true, ..Odd::over(store) };
        let out = tempfile::tempdir().unwrap();
        let first = options(1, 1000);
        let collector = odd.collector();
        let (stopped, ()) = tokio::join!(discover(&collector, out.path(), first.clone()), async {
            odd.hung.notified().await;
            first.stop.cancel();
        });
        assert!(matches!(stopped, Err(Error::Interrupted { .. })), "{stopped:?}");
        let odd = Odd { keeps_findings: false, pages: Arc::default(), ..odd };
        discovered(&odd, out.path(), &options(1, 1000)).await.unwrap();
        assert_eq!((rows(out.path()).len(), odd.pages.load(Ordering::SeqCst)), (all.len(), 0));
    });
}

#[test]
fn snapshots_are_left_out_and_said() {
    run(async {
        let store = MemoryStore::tree().with_page(1);
        planted(&store, &[(0, 2)]).await;
        for path in [".snapshot", "d0/~snapshot", "d0/not.snapshot"] {
            store.make(&path.into(), Node::Dir, &Metadata::default()).await.unwrap();
            store.put(&RelPath::from(path).join(b"old"), WriteSpec::default(), vec![]).await.unwrap();
        }
        let out = tempfile::tempdir().unwrap();
        let profile = discovered(&Odd::over(store), out.path(), &options(2, 1)).await.unwrap();
        assert_eq!(profile.counts.files, 3, "two files and the one below `not.snapshot`");
        assert_eq!(profile.system.details["snapshot-directories-left-out"], "2");
        assert_eq!(profile.unreadable_count, 0);
        assert_eq!(profile.unreadable, [], "a snapshot that was left out is no failure");
        let mut said: Vec<_> = problems(out.path()).into_iter().map(|problem| (problem.kind, problem.path)).collect();
        said.sort();
        assert_eq!(said, [("snapshot".into(), ".snapshot".into()), ("snapshot".into(), "d0/~snapshot".into())]);
    });
}

#[test]
fn a_second_discovery_replaces_the_first_and_a_fresh_one_forgets_an_interrupted_one() {
    run(async {
        let store = MemoryStore::tree().with_page(1);
        planted(&store, &[(0, 3)]).await;
        let odd = Odd::over(store.clone());
        let out = tempfile::tempdir().unwrap();
        discovered(&odd, out.path(), &options(1, 1)).await.unwrap();
        store.put(&"new".into(), WriteSpec::default(), vec![]).await.unwrap();
        let profile = discovered(&odd, out.path(), &options(1, 1)).await.unwrap();
        assert_eq!((profile.counts.files, profile.walk.resumed), (4, 0));

        odd.pages_left.store(2, Ordering::SeqCst);
        let first = options(1, 1);
        tokio::select! {
            done = discovered(&odd, out.path(), &first) => panic!("{done:?}"),
            () = odd.hung.notified() => {}
        }
        odd.pages_left.store(usize::MAX, Ordering::SeqCst);
        let mut fresh = options(1, 1);
        fresh.fresh = true;
        let profile = discovered(&odd, out.path(), &fresh).await.unwrap();
        assert_eq!((profile.counts.files, profile.walk.resumed), (4, 0));
        assert_eq!(Inventory::open(out.path()).unwrap().profile("memory-store-x").unwrap(), profile);
        assert_eq!(profile.walk.started_at, "2027-01-15T08:00:00Z");
        assert_eq!(NOW.secs, 1_800_000_000);
    });
}

/// A listing hangs, and what came before has been gathered: what a slow machine still has to write down when the
/// knife falls is lost, as it should be, but says nothing about what was written.
async fn written_down(odd: &Odd, progress: &Progress) {
    odd.hung.notified().await;
    let mut before = None;
    loop {
        let now = progress.numbers().entries;
        if before.replace(now) == Some(now) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

#[test]
fn a_discovery_killed_at_twenty_moments_lists_hardly_anything_twice() {
    run(async {
        let store = MemoryStore::tree().with_page(50);
        let dirs: Vec<(usize, usize)> = (0..500).map(|n| (n / 3, 99)).collect();
        let all = planted(&store, &dirs).await;
        assert_eq!(all.len(), 50_000);
        let odd = Odd::over(store);
        let undisturbed = tempfile::tempdir().unwrap();
        let expected = discovered(&odd, undisturbed.path(), &options(8, 1_000_000)).await.unwrap();
        let once = odd.pages.swap(0, Ordering::SeqCst);

        let out = tempfile::tempdir().unwrap();
        let mut rng = 4211_u64;
        let (mut kills, mut last) = (0, 0);
        for _ in 0..20 {
            rng = rng.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            odd.pages_left.store(10 + usize::try_from(rng >> 33).unwrap() % 80, Ordering::SeqCst);
            let options = options(8, 10_000);
            let progress = Arc::clone(&options.progress);
            // Another listing of the run before may have hung too, and must not end this one before it starts.
            odd.hung.notified().now_or_never();
            tokio::select! {
                done = discovered(&odd, out.path(), &options) => panic!("{done:?}"),
                () = written_down(&odd, &progress) => kills += 1,
            }
            assert!(progress.numbers().inherited >= last, "nothing that was found is found again");
            last = progress.numbers().inherited;
        }
        odd.pages_left.store(usize::MAX, Ordering::SeqCst);
        let profile = discovered(&odd, out.path(), &options(8, 10_000)).await.unwrap();
        assert_eq!((kills, profile.walk.resumed), (20, 20));
        assert_eq!(rows(out.path()), all.into_iter().collect::<Vec<_>>());
        assert_eq!(comparable(profile), comparable(expected));
        let pages = odd.pages.load(Ordering::SeqCst);
        // Per kill: eight listings in flight, and what they had sent and the walk had not taken.
        assert!(pages <= once + 20 * 25, "{pages} pages for {once}");
    });
}

#[test]
fn what_the_collector_tells_is_in_the_profile_and_what_it_cannot_tell_too() {
    run(async {
        let store = MemoryStore::tree();
        planted(&store, &[(0, 2)]).await;
        let quota = Finding::new("quota", Weight::Note, "a quota of 10 holds here");
        let count = SecondCount { method: "getContentSummary".into(), files: Some(3), ..SecondCount::default() };
        let mut odd = Odd { findings: Ok(vec![quota.clone()]), second_count: Ok(Some(count)), ..Odd::over(store) };
        let out = tempfile::tempdir().unwrap();
        let profile = discovered(&odd, out.path(), &options(2, 1000)).await.unwrap();
        assert_eq!(profile.findings, [quota]);
        let [compared] = &profile.second_counts[..] else { panic!("{:?}", profile.second_counts) };
        assert!(!compared.agrees && compared.difference.contains("1 files more"), "{compared:?}");

        odd.findings = Err(ErrorKind::Denied);
        odd.second_count = Err(ErrorKind::Timeout);
        let profile = discovered(&odd, out.path(), &options(2, 1000)).await.unwrap();
        let told: Vec<_> = profile.findings.iter().map(|finding| (finding.kind.as_str(), &finding.detail)).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().all(|(kind, detail)| *kind == "not-told" && detail.contains("could not be told: ")));
        assert_eq!(profile.second_counts, []);
    });
}

#[test]
fn the_walk_finds_what_it_leaves_out() {
    run(async {
        let store = MemoryStore::tree().with_page(1);
        planted(&store, &[(0, 2), (0, 1)]).await;
        for path in [".snapshot", ".snapshot/daily.1", ".snapshot/daily.2"] {
            store.make(&path.into(), Node::Dir, &Metadata::default()).await.unwrap();
        }
        let odd = Odd { failing: [(RelPath::from("d1"), ErrorKind::Denied)].into(), ..Odd::over(store) };
        let out = tempfile::tempdir().unwrap();
        let profile = discovered(&odd, out.path(), &options(1, 1)).await.unwrap();
        let of = |kind: &str| profile.findings.iter().find(|finding| finding.kind == kind).unwrap();
        assert_eq!(of("unreadable").examples, [RelPath::from("d1")]);
        let snapshots = of("snapshot-directories");
        assert_eq!(snapshots.count, 1);
        assert!(snapshots.examples.iter().all(|path| path.starts_with(&".snapshot".into())), "{snapshots:?}");
    });
}
