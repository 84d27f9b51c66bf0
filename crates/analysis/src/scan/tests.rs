//! The scan against entries that the inventory's own writer wrote.

#![allow(clippy::unwrap_used)]

use super::{Scan, scan};
use crate::{Cold, Error, Facts, Options, Subject, fixture, recommend_inventory};
use catalog::Catalog;
use inventory::{Inventory, rows::EntryWriter};
use model::{Entry, Kind, Metadata, RelPath, Stamp, Timestamp};
use std::path::PathBuf;

/// The moment that ages count from.
const NOW: i64 = 1_700_000_000;
const DAY: i64 = 86_400;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// A file of a size, changed and (if that is kept) read so many days ago.
fn file(n: usize, size: u64, changed: i64, read: Option<i64>) -> Entry {
    let at = |days: i64| Some(Timestamp { secs: NOW - days * DAY, nanos: 999 });
    let stamp = Stamp { size, mtime: at(changed), ..Stamp::default() };
    let mut entry = Entry::new(RelPath::from(format!("f{n}").as_str()), Kind::File, stamp);
    if let Some(read) = read {
        entry.meta = Some(Box::new(Metadata { atime: at(read), ..Metadata::default() }));
    }
    entry
}

/// Writes entries in parts of `rows` rows.
fn written(dir: &std::path::Path, entries: &[Entry], rows: usize) -> Vec<PathBuf> {
    let mut writer = EntryWriter::resume(dir, Vec::new()).unwrap();
    for part in entries.chunks(rows) {
        for entry in part {
            writer.write(entry).unwrap();
        }
        writer.checkpoint().unwrap();
    }
    writer.complete().iter().map(|part| dir.join(&part.name)).collect()
}

#[test]
fn sums_ages_and_requests_are_those_of_the_entries() {
    let dir = tempfile::tempdir().unwrap();
    let mut entries = vec![
        file(1, 0, 0, None),
        file(2, 64 * KIB - 1, 29, None),
        file(3, 64 * KIB, 30, None),
        file(4, 128 * KIB, 100, Some(10)),
        file(5, 16 * MIB, 400, Some(89)),
        file(6, 16 * MIB + 1, 400, Some(365)),
        file(7, 400_000 * MIB, 10, Some(400)),
    ];
    entries.push(Entry::new(RelPath::from("d"), Kind::Dir, Stamp { size: 4096, ..Stamp::default() }));
    entries.push(Entry::new(RelPath::from("untimed"), Kind::File, Stamp { size: 5, ..Stamp::default() }));
    let found = scan(&written(dir.path(), &entries, 4), NOW).unwrap();

    assert_eq!(found.files, 8);
    assert_eq!(found.bytes, 64 * KIB - 1 + 64 * KIB + 128 * KIB + 32 * MIB + 1 + 400_000 * MIB + 5);
    assert_eq!(found.largest_bytes, 400_000 * MIB);
    assert_eq!((found.tiny_files, found.small_files), (3, 4));
    assert_eq!(found.small_bytes, 128 * KIB - 1 + 5);
    // Six in one request, one in two parts, one in 10,000 larger parts, each of the last with a beginning and an end.
    assert_eq!(found.put_requests, 6 + (2 + 2) + (10_000 + 2));

    let cold = |files, bytes, small_files, small_bytes| Cold { files, bytes, small_files, small_bytes };
    let old = 32 * MIB + 1;
    assert_eq!(found.unchanged[0], cold(4, 192 * KIB + old, 1, 64 * KIB));
    assert_eq!(found.unchanged[1], cold(3, 128 * KIB + old, 0, 0));
    assert_eq!(found.unchanged[2], cold(2, old, 0, 0));
    // The later of change and reading decides; where no reading is kept, the change alone.
    assert_eq!(found.unused[0], cold(3, 64 * KIB + old, 1, 64 * KIB));
    assert_eq!(found.unused[1], cold(1, 16 * MIB + 1, 0, 0));
    assert_eq!(found.unused[2], cold(1, 16 * MIB + 1, 0, 0));
}

#[test]
fn percentiles_are_exact_to_four_in_a_thousand() {
    let dir = tempfile::tempdir().unwrap();
    let sizes: Vec<u64> = (1..=10_000_u64).map(|n| n * n * 37 % 9_999_991).collect();
    let entries: Vec<Entry> = sizes.iter().enumerate().map(|(n, size)| file(n, *size, 1, None)).collect();
    let found = scan(&written(dir.path(), &entries, 3000), NOW).unwrap();
    let mut sorted = sizes;
    sorted.sort_unstable();
    for (percent, size) in [(50, found.p50_bytes), (90, found.p90_bytes), (99, found.p99_bytes)] {
        let exact = sorted[percent * 100 - 1];
        assert!(size.abs_diff(exact) * 1000 <= exact * 4, "p{percent}: {size} is not {exact}");
    }
    assert_eq!(found.largest_bytes, *sorted.last().unwrap());
}

#[test]
fn no_entries_and_no_files_give_zeros_and_what_is_no_parquet_an_error() {
    assert_eq!(scan(&[], NOW).unwrap(), Scan::default());
    let dir = tempfile::tempdir().unwrap();
    let only = Entry::new(RelPath::from("d"), Kind::Dir, Stamp::default());
    assert_eq!(scan(&written(dir.path(), &[only], 1), NOW).unwrap(), Scan::default());
    let broken = dir.path().join("broken.parquet");
    std::fs::write(&broken, b"not parquet").unwrap();
    assert!(matches!(scan(&[broken], NOW), Err(Error::Entries { .. })));
}

#[test]
fn an_inventory_on_disk_gets_advice_from_its_entries() {
    let dir = tempfile::tempdir().unwrap();
    let mut profile = fixture::share("nfs3", 3, MIB);
    profile.walk.started_at = "2023-11-14T22:13:20Z".to_owned();
    let mut inventory = Inventory::create(dir.path(), "2023-11-14T22:13:20Z").unwrap();
    let draft = inventory.draft(&profile.location, false).unwrap();
    let entries: Vec<Entry> = (0..3).map(|n| file(n, MIB, 40, None)).collect();
    written(&draft.entries(), &entries, 3);
    draft.publish(&profile).unwrap();

    let inventory = Inventory::open(dir.path()).unwrap();
    let subjects = Subject::read_all(&inventory).unwrap();
    let facts: Facts = subjects[0].facts();
    assert_eq!((facts.method, facts.p50_bytes, facts.put_requests), (model::Method::Measured, MIB, 3));
    assert_eq!((facts.unused[0].files, facts.unused[1].files), (3, 0));
    let advice = recommend_inventory(&inventory, &Catalog::embedded().unwrap(), &Options::default()).unwrap();
    assert_eq!(advice.inventory_sha256, inventory.sha256().unwrap());
    assert!(!advice.systems[0].ranking.is_empty());
    assert!(advice.systems[0].findings.iter().all(|f| f.id != "source/no-entries"));
}
