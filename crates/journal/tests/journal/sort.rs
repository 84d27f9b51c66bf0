use journal::sort::{Sorted, Sorter};
use proptest::prelude::*;

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

fn all(mut sorted: Sorted) -> Entries {
    let mut out = Vec::new();
    while let Some((key, value)) = sorted.next().unwrap() {
        out.push((key.to_vec(), value.to_vec()));
    }
    assert!(sorted.next().unwrap().is_none());
    out
}

/// Repeats and long common beginnings, and now and then an entry larger than a chunk or the whole memory.
fn entries() -> impl Strategy<Value = Entries> {
    let key = prop_oneof![
        4 => "dir/(sub/)?[a-c]{0,3}".prop_map(String::into_bytes),
        4 => proptest::collection::vec(any::<u8>(), 0..20),
        1 => (any::<u8>(), 0..9_000_usize).prop_map(|(byte, len)| vec![byte; len]),
    ];
    let value = prop_oneof![
        20 => proptest::collection::vec(any::<u8>(), 0..200),
        1 => (any::<u8>(), 0..100_000_usize).prop_map(|(byte, len)| vec![byte; len]),
    ];
    proptest::collection::vec((key, value), 0..600)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn entries_come_out_as_a_stable_sort_in_memory_has_them(mut entries in entries()) {
        let dir = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(dir.path(), 0);
        for (key, value) in &entries {
            sorter.push(key, value).unwrap();
        }
        let sorted = all(sorter.finish().unwrap());
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        prop_assert!(sorted == entries);
        prop_assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn many_runs_are_merged_in_levels_and_stay_stable() {
    let dir = tempfile::tempdir().unwrap();
    let mut sorter = Sorter::new(dir.path(), 64 << 10);
    let mut wanted = Vec::new();
    let mut open_files = 0;
    for n in 0..60_000_u32 {
        let key = format!("key-{:05}", n.wrapping_mul(2_654_435_761) % 20_000).into_bytes();
        let value = n.to_be_bytes().repeat(8);
        sorter.push(&key, &value).unwrap();
        wanted.push((key, value));
        if n % 1000 == 0 {
            let held = std::fs::read_dir("/proc/self/fd").unwrap().filter(|file| {
                let target = file.as_ref().ok().and_then(|file| std::fs::read_link(file.path()).ok());
                target.is_some_and(|target| target.starts_with(dir.path()))
            });
            open_files = open_files.max(held.count());
        }
    }
    // About 100 runs were written; eight of one level make one of the next.
    assert!((8..=24).contains(&open_files), "{open_files}");
    wanted.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(all(sorter.finish().unwrap()) == wanted);
}

#[test]
fn what_fits_in_memory_never_touches_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("not/there");
    let mut sorter = Sorter::new(&below, 1 << 20);
    for n in (0..5000_u32).rev() {
        sorter.push(&n.to_be_bytes(), b"value").unwrap();
    }
    let sorted = all(sorter.finish().unwrap());
    assert_eq!(sorted.len(), 5000);
    assert!(sorted.is_sorted());
    assert!(!below.exists());
}

#[test]
fn a_full_or_missing_disk_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a file");
    std::fs::write(&file, "").unwrap();
    let mut sorter = Sorter::new(&file, 0);
    let error = (0..10_000_u32).find_map(|n| sorter.push(&n.to_be_bytes(), &[0; 50]).err()).unwrap();
    assert_eq!(error.code(), "E1402");
}
