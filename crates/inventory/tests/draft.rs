//! A discovery in progress, and how it becomes the inventory.
#![allow(clippy::unwrap_used)]

use longshore_inventory as inventory;
use longshore_inventory::{
    About, Accumulator, Error, Host, Inventory, Problem, System, Walk,
    rows::{EntryWriter, PartFile},
};
use model::{Entry, Facets, Kind, Location, Observed, Stamp, Timestamp};
use serde::{Deserialize, Serialize};
use std::fs;

const NOW: &str = "2026-01-02T03:04:05Z";

fn place() -> Location {
    "file:///data".parse().unwrap()
}

fn profile(files: u64) -> inventory::Profile {
    let mut all = Accumulator::new(Timestamp { secs: 0, nanos: 0 });
    let entries: Vec<Entry> =
        (0..files).map(|n| Entry::new(format!("f{n}").as_str().into(), Kind::File, Stamp::default())).collect();
    all.page(&model::RelPath::ROOT, &entries);
    all.into_profile(About {
        location: place(),
        system: System::default(),
        walk: Walk {
            started_at: NOW.into(),
            finished_at: NOW.into(),
            elapsed_ms: 0,
            resumed: 0,
            entries_per_second: Observed::measured(0.0),
            concurrency: 1,
            peak_memory_bytes: None,
            host: Host::default(),
        },
        capacity: None,
        latency: vec![],
        unreadable: vec![],
        unreadable_count: 0,
        told: Facets::NONE,
    })
}

/// Discovers `files` files, with one problem, as far as publishing.
fn discovered(inventory: &mut Inventory, files: u64) -> inventory::Draft {
    let draft = inventory.draft(&place(), true).unwrap();
    let mut writer = EntryWriter::resume(&draft.entries(), vec![]).unwrap();
    for n in 0..files {
        writer.write(&Entry::new(format!("f{n}").as_str().into(), Kind::File, Stamp::default())).unwrap();
    }
    writer.checkpoint().unwrap();
    let mut problems = draft.problems(0).unwrap();
    problems.add(&problem("first")).unwrap();
    problems.sync().unwrap();
    draft
}

fn problem(detail: &str) -> Problem {
    Problem { path: (&b"dir\n\xFF"[..]).into(), kind: "denied".into(), detail: detail.into() }
}

fn counted(inventory: &Inventory) -> (u64, usize, usize) {
    let rows = inventory.entries_files("file-data").unwrap();
    let rows = rows.iter().map(|part| inventory::rows::read_entries(part).unwrap().count()).sum();
    let problems = inventory.problems("file-data").unwrap().map(Result::unwrap).count();
    (inventory.profile("file-data").unwrap().counts.files, rows, problems)
}

#[test]
fn an_earlier_discovery_stays_until_the_next_is_published() {
    let directory = tempfile::tempdir().unwrap();
    let mut inventory = Inventory::create(directory.path(), NOW).unwrap();
    discovered(&mut inventory, 3).publish(&profile(3)).unwrap();
    let first = inventory.sha256().unwrap();
    let second = discovered(&mut inventory, 5);
    assert!(second.replaces());
    assert_eq!(counted(&inventory), (3, 3, 1), "the second discovery does not show yet");
    second.publish(&profile(5)).unwrap();
    assert_eq!(counted(&inventory), (5, 5, 1));
    assert_ne!(inventory.sha256().unwrap(), first);
    assert!(!directory.path().join("file-data/partial").exists());
}

#[test]
fn two_discoveries_of_one_system_exclude_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let mut inventory = Inventory::create(directory.path(), NOW).unwrap();
    let first = inventory.draft(&place(), false).unwrap();
    assert!(matches!(inventory.draft(&place(), false), Err(Error::Locked { .. })));
    inventory.draft(&"s3://another".parse().unwrap(), false).unwrap();
    drop(first);
    inventory.draft(&place(), false).unwrap();
}

#[test]
fn a_checkpoint_comes_back_and_problems_are_cut_to_what_it_knows() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct State {
        parts: Vec<PartFile>,
        problems: u64,
    }
    let directory = tempfile::tempdir().unwrap();
    let mut inventory = Inventory::create(directory.path(), NOW).unwrap();
    let draft = inventory.draft(&place(), false).unwrap();
    let mut problems = draft.problems(0).unwrap();
    problems.add(&problem("first")).unwrap();
    let state = State { parts: vec![], problems: problems.sync().unwrap() };
    draft.save(&state).unwrap();
    problems.add(&problem("after the checkpoint")).unwrap();
    problems.sync().unwrap();
    drop((problems, draft));

    let draft = inventory.draft(&place(), false).unwrap();
    assert_eq!(draft.checkpoint().unwrap().as_ref(), Some(&state));
    let mut problems = draft.problems(state.problems).unwrap();
    problems.add(&problem("second")).unwrap();
    let all: Vec<Problem> = problems.read().unwrap().map(Result::unwrap).collect();
    assert_eq!(all, [problem("first"), problem("second")]);
    drop(draft);

    let afresh = inventory.draft(&place(), true).unwrap();
    assert_eq!(afresh.checkpoint::<State>().unwrap(), None);
}

#[test]
fn a_checkpoint_of_another_version_is_refused_and_not_misread() {
    let directory = tempfile::tempdir().unwrap();
    let mut inventory = Inventory::create(directory.path(), NOW).unwrap();
    let draft = inventory.draft(&place(), false).unwrap();
    let path = directory.path().join("file-data/partial/checkpoint.json");
    fs::write(path, br#"{"schema":"longshore.checkpoint/v9","state":"x"}"#).unwrap();
    assert!(matches!(draft.checkpoint::<String>(), Err(Error::Schema { .. })));
}
