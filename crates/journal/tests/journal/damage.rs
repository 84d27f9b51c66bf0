//! Cut, flipped and missing bytes.

use crate::samples::{append, arrived, items};
use journal::{Error, Journal, Layout, Lsn, MemoryDisk};
use std::{path::Path, sync::Arc};

const DIR: &str = "/journal";

fn first_segment() -> std::path::PathBuf {
    Path::new(DIR).join(format!("log-{:020}", 1))
}

fn open(disk: &MemoryDisk) -> Result<Journal, Error> {
    Journal::open(Path::new(DIR), Arc::new(disk.clone()))
}

/// A segment of `batches` frames with three records each, every one synced; and where each frame ends.
fn segment(batches: u64, synced: bool) -> (Vec<u8>, Vec<usize>) {
    let disk = MemoryDisk::new();
    // Frames are written when they are full, which with a limit of 1 byte is at each record.
    let layout = Layout { frame_bytes: if synced { 1 << 20 } else { 1 }, ..Layout::default() };
    let mut journal = Journal::open_with(Path::new(DIR), Arc::new(disk.clone()), layout).unwrap();
    let mut ends = vec![24];
    for n in 0..batches * 3 {
        journal.append(&arrived(n + 1)).unwrap();
        if synced && n % 3 == 2 {
            journal.sync().unwrap();
        }
        let len = disk.content(&first_segment()).map_or(0, |content| content.len());
        if len > 24 && len != *ends.last().unwrap() {
            ends.push(len);
        }
    }
    journal.sync().unwrap();
    (disk.content(&first_segment()).unwrap(), ends)
}

fn with(content: &[u8]) -> MemoryDisk {
    let disk = MemoryDisk::new();
    disk.put(&first_segment(), content);
    disk
}

#[test]
fn every_beginning_of_a_segment_opens_with_its_whole_frames_and_goes_on() {
    let (content, ends) = segment(4, true);
    assert_eq!(ends.len(), 5);
    for cut in 0..=content.len() {
        let disk = with(&content[..cut]);
        let mut journal = open(&disk).unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        let frames = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1);
        let kept = u64::try_from(frames * 3).unwrap();
        assert_eq!(journal.recovery().records, kept, "cut at {cut}");
        assert_eq!(journal.append(&arrived(99)).unwrap(), Lsn(kept + 1));
        journal.sync().unwrap();
        drop(journal);
        let mut journal = open(&disk).unwrap();
        assert_eq!(journal.recovery().records, kept + 1);
        journal.compact(1 << 20).unwrap();
        assert_eq!(items(&journal).unwrap().len(), frames * 3 + 1, "cut at {cut}");
    }
}

#[test]
fn a_flipped_bit_before_the_last_frame_is_an_error_with_its_place() {
    let (content, ends) = segment(4, true);
    let last = ends[ends.len() - 2];
    for at in 0..last {
        for bit in 0..8 {
            let mut content = content.clone();
            content[at] ^= 1 << bit;
            let begin = ends.iter().rev().find(|end| **end <= at).copied().unwrap_or(0);
            match open(&with(&content)) {
                Err(Error::Damaged { offset, file, .. }) => {
                    assert_eq!((offset, file), (u64::try_from(begin).unwrap(), first_segment()), "byte {at}");
                }
                Err(Error::NotOurs { .. }) => assert!(at < 8, "byte {at}"),
                Err(Error::NewerFormat { .. }) => assert!((8..10).contains(&at), "byte {at}"),
                other => panic!("bit {bit} of byte {at}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_hole_in_a_header_with_nothing_behind_it_is_torn_and_with_records_behind_it_is_damage() {
    let (content, _) = segment(1, true);
    for from in 0..24 {
        for to in from + 1..=24 {
            let mut content = content.clone();
            content[from..to].fill(0);
            if content[..24] == segment(1, true).0[..24] {
                continue;
            }
            assert!(open(&with(&content)).is_err(), "{from}..{to} with records behind it");
            let journal = open(&with(&content[..24])).unwrap();
            assert_eq!((journal.recovery().records, journal.recovery().cut_bytes), (0, 24), "{from}..{to}");
        }
    }
}

#[test]
fn a_flipped_bit_in_the_last_frame_of_all_costs_that_frame_only() {
    let (content, ends) = segment(3, true);
    for at in ends[2]..content.len() {
        let mut content = content.clone();
        content[at] ^= 0x10;
        let journal = open(&with(&content)).unwrap();
        assert_eq!(journal.recovery().records, 6, "byte {at}");
        assert!(journal.recovery().cut_bytes > 0);
    }
}

#[test]
fn a_hole_among_frames_that_were_never_synced_is_a_torn_tail() {
    let (content, ends) = segment(4, false);
    assert_eq!(ends.len(), 13);
    let mut content = content;
    content[ends[4]..ends[5]].fill(0);
    let journal = open(&with(&content)).unwrap();
    assert_eq!(journal.recovery().records, 4);
}

#[test]
fn damage_in_a_segment_that_is_not_the_last_is_an_error_wherever_it_is() {
    let disk = MemoryDisk::new();
    let layout = Layout { segment_bytes: 500, frame_bytes: 1 };
    let mut journal = Journal::open_with(Path::new(DIR), Arc::new(disk.clone()), layout).unwrap();
    for n in 0..30 {
        journal.append(&arrived(n)).unwrap();
    }
    journal.sync().unwrap();
    drop(journal);
    let segments: Vec<_> = disk.paths().into_iter().filter(|path| path.to_string_lossy().contains("log-")).collect();
    assert!(segments.len() > 3);
    assert_eq!(open(&disk).unwrap().recovery().records, 30);
    let content = disk.content(&segments[1]).unwrap();
    for len in [0, 10, 24, content.len() - 1] {
        disk.put(&segments[1], &content[..len]);
        let error = open(&disk).unwrap_err();
        let cut = matches!(error, Error::Damaged { .. } | Error::Gap { .. });
        assert!(cut, "{len} bytes left: {error}");
    }
}

#[test]
fn a_missing_segment_is_noticed() {
    let disk = MemoryDisk::new();
    let layout = Layout { segment_bytes: 1, frame_bytes: 1 };
    let mut journal = Journal::open_with(Path::new(DIR), Arc::new(disk.clone()), layout).unwrap();
    append(&mut journal, 0..5);
    journal.sync().unwrap();
    drop(journal);
    let without = MemoryDisk::new();
    for path in disk.paths().iter().filter(|path| !path.ends_with(format!("log-{:020}", 3))) {
        without.put(path, &disk.content(path).unwrap());
    }
    let error = open(&without).unwrap_err();
    assert!(matches!(error, Error::Gap { missing: 3, .. }), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn a_newer_format_and_a_foreign_file_are_told_apart() {
    let (content, _) = segment(1, true);
    let mut newer = content.clone();
    newer[8..10].copy_from_slice(&7_u16.to_le_bytes());
    let error = open(&with(&newer)).unwrap_err();
    assert!(matches!(error, Error::NewerFormat { found: 7, known: 1, .. }), "{error}");
    assert_eq!(error.code(), "E1404");
    let error = open(&with(b"#!/bin/sh\necho this is somebody's script\n")).unwrap_err();
    assert!(matches!(error, Error::NotOurs { .. }), "{error}");
}

#[test]
fn a_damaged_snapshot_is_an_error_with_its_place() {
    let disk = MemoryDisk::new();
    let mut journal = open(&disk).unwrap();
    append(&mut journal, 0..2000);
    journal.compact(1 << 20).unwrap();
    drop(journal);
    let path = Path::new(DIR).join("snapshot");
    let content = disk.content(&path).unwrap();
    for at in (0..content.len()).step_by(97) {
        let mut flipped = content.clone();
        flipped[at] ^= 4;
        disk.put(&path, &flipped);
        let error = open(&disk).and_then(|journal| items(&journal)).unwrap_err();
        assert!(
            matches!(error, Error::Damaged { .. } | Error::NotOurs { .. } | Error::NewerFormat { .. }),
            "{at}: {error}"
        );
    }
    for len in 0..content.len() {
        // Every length of the last 100 bytes, and some of the others.
        if len % 89 == 0 || len + 100 > content.len() {
            disk.put(&path, &content[..len]);
            assert!(open(&disk).and_then(|journal| items(&journal)).is_err(), "{len} bytes left");
        }
    }
}
