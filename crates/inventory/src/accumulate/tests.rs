use super::*;
use crate::{Host, Walk};
use model::{Metadata, Observed, Posix, Stamp};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp { secs: 1_800_000_000, nanos: 0 };

fn profile(accumulator: Accumulator) -> Profile {
    accumulator.into_profile(About {
        location: "file:///x".parse().unwrap(),
        system: System::default(),
        walk: Walk {
            started_at: String::new(),
            finished_at: String::new(),
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
        told: Facets::POSIX,
    })
}

fn file(path: impl Into<RelPath>, size: u64) -> Entry {
    Entry::new(path.into(), Kind::File, Stamp { size, ..Stamp::default() })
}
fn dir(path: impl Into<RelPath>) -> Entry {
    Entry::new(path.into(), Kind::Dir, Stamp::default())
}

/// Names that have something about them.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let odd: [&[u8]; 12] = [
        b"a",
        b"A",
        b"b.txt",
        b"B.TXT",
        b"con",
        b"\xFF",
        b"x\n",
        "é".as_bytes(),
        "e\u{301}".as_bytes(),
        b"q?",
        b"end.",
        b"c.tar.gz",
    ];
    prop_oneof![
        proptest::sample::select(odd.to_vec()).prop_map(<[u8]>::to_vec),
        "[a-c]{1,3}".prop_map(String::into_bytes)
    ]
}

fn one_entry() -> impl Strategy<Value = (Vec<u8>, Entry)> {
    let links = proptest::option::of(1..4_u32);
    (name(), 0..200_000_u64, any::<bool>(), links, proptest::option::of(0..3_u32), -2_000_000_000..2_000_000_000_i64)
        .prop_map(|(name, size, is_file, nlink, owner, age)| {
            let mut entry = if is_file { file("", size) } else { dir("") };
            entry.nlink = nlink;
            entry.allocated = nlink.map(|_| size / 3);
            entry.stamp.mtime = Some(Timestamp { secs: NOW.secs - age, nanos: 1 });
            let posix = |id| Posix { mode: 0o4777, owner: Principal::Id(id), group: Principal::Id(0) };
            entry.meta = Some(Box::new(Metadata { posix: owner.map(posix), ..Metadata::default() }));
            (name, entry)
        })
}

/// Pages of some directories: a directory may have several, and no name twice.
fn pages() -> impl Strategy<Value = Vec<(RelPath, Vec<Entry>)>> {
    let page = (0..4_usize, proptest::collection::vec(one_entry(), 0..8));
    proptest::collection::vec(page, 0..10).prop_map(|pages| {
        let mut taken = std::collections::HashSet::new();
        let place = |(dir, entries): (usize, Vec<(Vec<u8>, Entry)>)| {
            let dir = [RelPath::ROOT, "d".into(), "d/\u{e9}".into(), "other".into()][dir].clone();
            let mut placed = Vec::new();
            for (name, mut entry) in entries {
                entry.path = dir.join(&name);
                if taken.insert(entry.path.clone()) {
                    placed.push(entry);
                }
            }
            (dir, placed)
        };
        pages.into_iter().map(place).collect()
    })
}

/// A profile without the examples of twins: which of the twins is shown depends on which came last.
fn comparable(accumulator: Accumulator) -> Profile {
    let mut profile = profile(accumulator);
    profile.names.examples.retain(|what, _| !what.ends_with("_twins"));
    profile
        .findings
        .iter_mut()
        .filter(|finding| finding.kind.ends_with("-twins"))
        .for_each(|twins| twins.examples.clear());
    profile
}

fn gathered(pages: &[(RelPath, Vec<Entry>)]) -> Accumulator {
    let mut all = Accumulator::new(NOW);
    for (dir, entries) in pages {
        all.page(dir, entries);
    }
    all
}

proptest! {
    #[test]
    fn merging_is_associative_and_equals_gathering_in_one_go(pages in pages(), cuts in any::<[prop::sample::Index; 2]>()) {
        let mut cuts = cuts.map(|cut| cut.index(pages.len() + 1));
        cuts.sort_unstable();
        let [a, b, c] = [&pages[..cuts[0]], &pages[cuts[0]..cuts[1]], &pages[cuts[1]..]].map(gathered);
        let mut left = a.clone();
        left.merge(b.clone());
        left.merge(c.clone());
        let mut right = b;
        right.merge(c);
        let mut outer = a;
        outer.merge(right);
        let whole = comparable(gathered(&pages));
        prop_assert_eq!(&comparable(left), &whole);
        prop_assert_eq!(&comparable(outer), &whole);
    }

    #[test]
    fn the_order_of_pages_and_a_checkpoint_between_them_do_not_show(
        pages in pages(), seed in any::<u64>(), cut in any::<prop::sample::Index>()
    ) {
        let mut shuffled = pages.clone();
        shuffled.sort_by_key(|(dir, entries)| (entries.len() as u64 ^ seed, dir.clone()));
        let cut = cut.index(pages.len() + 1);
        let stored = serde_json::to_string(&gathered(&shuffled[..cut])).unwrap();
        let mut resumed: Accumulator = serde_json::from_str(&stored).unwrap();
        for (dir, entries) in &shuffled[cut..] {
            resumed.page(dir, entries);
        }
        prop_assert_eq!(comparable(resumed), comparable(gathered(&pages)));
    }

    #[test]
    fn totals_add_up(pages in pages()) {
        let profile = profile(gathered(&pages));
        let counts = &profile.counts;
        let files = (counts.files, counts.size_bytes);
        let sum = |groups: &crate::Groups| {
            groups.top.iter().chain(&groups.other).fold((0, 0), |(f, b), g| (f + g.files, b + g.size_bytes))
        };
        prop_assert_eq!(profile.sizes.iter().fold((0, 0), |(f, b), s| (f + s.files, b + s.size_bytes)), files);
        prop_assert_eq!(profile.age_modified.iter().fold((0, 0), |(f, b), s| (f + s.files, b + s.size_bytes)), files);
        prop_assert_eq!(sum(&profile.by_extension), files);
        prop_assert_eq!(sum(&profile.by_owner), files);
        prop_assert_eq!(sum(&profile.by_top_directory), files);
        prop_assert_eq!(profile.shape.entries_by_depth.iter().sum::<u64>(), counts.files + counts.dirs);
    }
}

#[test]
fn the_facts_of_a_small_tree_are_right() {
    let mut all = Accumulator::new(NOW);
    let old = Timestamp { secs: -5, nanos: 0 };
    let linked = |name: &str| Entry { nlink: Some(2), allocated: Some(4096), ..file(name, 4000) };
    let hole = Entry { allocated: Some(4096), nlink: Some(1), ..file("d/hole.img", 1 << 30) };
    let mut ancient = file("d/ancient", 0);
    ancient.stamp.mtime = Some(old);
    all.page(&RelPath::ROOT, &[dir("d"), linked("one"), linked("two")]);
    all.directory_done(&RelPath::ROOT);
    all.page(&"d".into(), &[hole, ancient, dir("d/empty"), file("d/ReadMe", 1), file("d/README", 1)]);
    all.directory_done(&"d".into());
    all.page(&"d/empty".into(), &[]);
    all.directory_done(&"d/empty".into());
    let link = Entry::new("d/link".into(), Kind::Symlink { target: "../x".into() }, Stamp::default());
    all.page(&"d".into(), &[link]);

    let profile = profile(all);
    let expected = Counts {
        files: 6,
        dirs: 2,
        symlinks: 1,
        specials: 0,
        size_bytes: 8002 + (1 << 30),
        allocated_bytes: Some(8192),
        hard_linked_names: 2,
        sparse_files: 1,
        empty_files: 1,
    };
    assert_eq!(profile.counts, expected);
    assert_eq!((profile.names.case_twins, profile.names.normal_form_twins), (2, 0));
    assert_eq!(profile.names.examples["case_twins"], [RelPath::from("d/README")]);
    assert_eq!(profile.names.longest_link_target_bytes, 4);
    assert_eq!((profile.metadata.max_links, profile.metadata.doubtful_times), (2, 1));
    assert_eq!(profile.metadata.acls, None, "a store that cannot tell says nothing");
    assert_eq!((profile.shape.max_depth, profile.shape.max_width), (2, 5));
    assert_eq!(profile.largest_files[0].path, "d/hole.img".into());
    assert_eq!(profile.largest_directories[0].path, "d".into());
    let tops: Vec<_> = profile.by_top_directory.top.iter().map(|g| (g.name.as_str(), g.files)).collect();
    assert_eq!(tops, [("d", 4), (".", 2)]);
}

#[test]
fn prefixes_of_keys_have_a_shape_and_names_but_are_not_counted() {
    let mut all = Accumulator::new(NOW);
    let mut keys = vec![file("a", 1), file("a/b", 2), file("a/b/c/CON/x", 4), file("a/b-", 8), dir("m")];
    keys.extend([file("m/1", 16), file("m/2", 32), file("m//", 1)]);
    keys.sort_by_key(Entry::sort_key);
    for page in keys.chunks(3) {
        let stored = serde_json::to_string(&all).unwrap();
        all = serde_json::from_str(&stored).unwrap();
        all.keys(page);
    }
    all.keys_done();
    let profile = profile(all);
    assert_eq!((profile.counts.files, profile.counts.dirs), (7, 1));
    assert_eq!(profile.names.not_windows, 1, "CON is a prefix: {:?}", profile.names.examples);
    assert_eq!(profile.names.case_twins, 0, "`a` and `a/` are a key and a prefix");
    let widths: u64 = profile.shape.directories_by_width.iter().sum();
    assert_eq!(widths, 7, "the root, a, a/b, a/b/c, a/b/c/CON, m, m/: {:?}", profile.shape);
    let root = profile.shape.widest.iter().find(|dir| dir.path.is_root()).unwrap();
    assert_eq!(root.entries, 3, "a, a/ and m");
    assert_eq!(profile.largest_directories[0].path, "m".into());
    assert_eq!(profile.largest_directories[0].size_bytes, 48);
}

fn bits(bits: u32) -> impl Fn(&mut Entry) {
    move |entry| entry.meta.as_mut().unwrap().ntfs_attributes = Some(bits)
}

#[test]
fn what_matters_to_a_move_is_found_with_its_bytes_and_examples() {
    let with = |path: &str, size, change: &dyn Fn(&mut Entry)| {
        let mut entry = file(path, size);
        entry.meta = Some(Box::new(Metadata::default()));
        change(&mut entry);
        entry
    };
    let long = "n".repeat(300);
    let entries = [
        with("tape", 100, &bits(0x1000)),
        with("cloud", 50, &bits(0x40_0400)),
        with("efs", 7, &bits(0x4000)),
        with("squeezed", 9, &bits(0x800)),
        with("stream", 3, &|entry| entry.meta.as_mut().unwrap().streams = vec!["x".into()]),
        with("acl", 2, &|entry| entry.meta.as_mut().unwrap().acl = Some(Acl::Nfs4("x".into()))),
        with("old", 1, &|entry| entry.stamp.mtime = Some(Timestamp { secs: -1, nanos: 0 })),
        with("holes", 1 << 20, &|entry| entry.allocated = Some(0)),
        with("one", 5, &|entry| entry.nlink = Some(2)),
        with("two", 5, &|entry| entry.nlink = Some(2)),
        with(&long, 4, &|_| ()),
        with("readme", 0, &|_| ()),
        with("README", 0, &|_| ()),
        Entry::new("pipe".into(), Kind::Special(Special::Fifo), Stamp::default()),
    ];
    let mut accumulator = Accumulator::new(NOW);
    accumulator.page(&RelPath::ROOT, &entries);
    accumulator.directory_done(&RelPath::ROOT);
    accumulator.note(Noted::Unreadable, &"locked".into());
    accumulator.note(Noted::Loop, &"a/loop".into());
    accumulator.note(Noted::SnapshotDirectory, &".snapshot".into());
    accumulator.note(Noted::Snapshot, &".snapshot/hourly.0".into());
    let profile = profile(accumulator);
    let found: Vec<_> = profile.findings.iter().map(|one| (one.kind.as_str(), one.count, one.size_bytes)).collect();
    assert_eq!(
        found,
        [
            ("alternate-streams", 1, Some(3)),
            ("case-twins", 2, None),
            ("encrypted-files", 1, Some(7)),
            ("long-names", 1, Some(4)),
            ("loops", 1, None),
            ("offline-files", 2, Some(150)),
            ("reparse-points", 1, Some(50)),
            ("unreadable", 1, None),
            ("compressed-files", 1, Some(9)),
            ("doubtful-times", 1, Some(1)),
            ("hard-links", 2, Some(10)),
            ("nfs4-acls", 1, Some(2)),
            ("snapshot-directories", 1, None),
            ("sparse-files", 1, Some(1 << 20)),
            ("special-files", 1, None),
        ]
    );
    let of = |kind: &str| profile.findings.iter().find(|finding| finding.kind == kind).unwrap();
    assert_eq!(of("offline-files").examples, [RelPath::from("cloud"), "tape".into()]);
    assert!(of("hard-links").detail.contains("belong to 1 inodes"), "{}", of("hard-links").detail);
    assert_eq!(of("snapshot-directories").examples, [RelPath::from(".snapshot/hourly.0")]);
}

#[test]
fn a_directory_that_hides_entries_is_found_by_its_links() {
    let mut accumulator = Accumulator::new(NOW);
    let names = ["a", "b", "c", "d", "e"];
    accumulator.begin(&RelPath::ROOT, Some(7));
    accumulator.page(&RelPath::ROOT, &names.map(dir));
    accumulator.directory_done(&RelPath::ROOT);
    for name in names {
        let path = RelPath::from(name);
        accumulator.begin(&path, Some(if name == "c" { 5 } else { 3 }));
        accumulator.page(&path, &[dir(path.join(b"x"))]);
        accumulator.directory_done(&path);
        accumulator.begin(&path.join(b"x"), Some(2));
        accumulator.page(&path.join(b"x"), &[]);
        accumulator.directory_done(&path.join(b"x"));
    }
    let profile = profile(accumulator);
    let [hidden] = &profile.findings[..] else { panic!("{:?}", profile.findings) };
    assert_eq!((hidden.kind.as_str(), hidden.count, &hidden.examples[..]), ("hidden-entries", 1, &["c".into()][..]));
    assert!(hidden.detail.starts_with("2 subdirectories are missing"), "{}", hidden.detail);
    let [links] = &profile.second_counts[..] else { panic!("{:?}", profile.second_counts) };
    assert_eq!((links.count.method.as_str(), links.count.dirs, links.agrees), ("link counts", Some(12), false));
}
