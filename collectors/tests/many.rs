//! Many systems at once.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Odd, options, planted};
use inventory::Inventory;
use longshore_collectors::{DiscoverOptions, Error, Job, ProgressNumbers, Together, discover_all};
use model::RelPath;
use std::{num::NonZeroUsize, sync::atomic::Ordering, time::Duration};
use storage::{ErrorKind, MemoryStore};

async fn system(place: &str, files: usize) -> Odd {
    let store = MemoryStore::tree().with_page(10);
    planted(&store, &[(0, files)]).await;
    Odd { place: place.parse().unwrap(), ..Odd::over(store) }
}

#[tokio::test]
async fn one_that_fails_one_that_hangs_and_one_that_is_there_twice_stop_no_other() {
    let good = system("memory://a/good", 25).await;
    let denied = Odd { failing: [(RelPath::ROOT, ErrorKind::Denied)].into(), ..system("memory://a/denied", 3).await };
    let hung = system("memory://b/hung", 25).await;
    hung.pages_left.store(1, Ordering::SeqCst);
    let twice = system("memory://A/good/", 5).await;
    let other = system("memory://c/other", 7).await;
    let mut jobs = Vec::new();
    let mut progress = Vec::new();
    for odd in [good, denied, hung, twice, other] {
        let mut options = options(2, 1000);
        options.silence = Duration::from_millis(300);
        progress.push(std::sync::Arc::clone(&options.progress));
        jobs.push(Job { collector: odd.collector(), options });
    }
    let out = tempfile::tempdir().unwrap();
    let one = NonZeroUsize::new(1).unwrap();
    let answers = discover_all(jobs, out.path(), Together { servers: one, per_server: one }).await;
    let kind = |answer: &Result<_, Error>| match answer {
        Ok(_) => None,
        Err(Error::Source(error) | Error::Gone { last: error, .. }) => Some(error.kind()),
        Err(other) => panic!("{other}"),
    };
    let kinds: Vec<_> = answers.iter().map(|(place, answer)| (place.to_string(), kind(answer))).collect();
    let expected = [
        ("memory://a/good", None),
        ("memory://a/denied", Some(ErrorKind::Denied)),
        ("memory://b/hung", Some(ErrorKind::Timeout)),
        ("memory://A/good/", Some(ErrorKind::Invalid)),
        ("memory://c/other", None),
    ];
    assert_eq!(kinds, expected.map(|(place, kind)| (place.to_owned(), kind)));
    let inventory = Inventory::open(out.path()).unwrap();
    assert_eq!(inventory.systems().len(), 4, "what is there twice was not begun");
    assert_eq!(inventory.profile("memory-a-good").unwrap().counts.files, 25);
    let all = progress.iter().map(|one| one.numbers()).reduce(ProgressNumbers::and).unwrap();
    assert!(all.files >= 32, "{all:?}");
}

#[tokio::test]
async fn no_server_is_asked_for_more_systems_together_than_it_may() {
    const SILENCE: Duration = Duration::from_millis(300);
    let mut jobs = Vec::new();
    for place in ["memory://a/1", "memory://a/2", "memory://a/3"] {
        let hung = system(place, 3).await;
        hung.pages_left.store(0, Ordering::SeqCst);
        jobs.push(Job {
            collector: hung.collector(),
            options: DiscoverOptions { silence: SILENCE, ..options(1, 1000) },
        });
    }
    let out = tempfile::tempdir().unwrap();
    let two = NonZeroUsize::new(2).unwrap();
    let began = std::time::Instant::now();
    let answers = discover_all(jobs, out.path(), Together { servers: two, per_server: two }).await;
    assert!(answers.iter().all(|(_, answer)| answer.is_err()));
    assert!(began.elapsed() >= 2 * SILENCE, "the third did not wait: {:?}", began.elapsed());
}
