//! Images that were cut off or changed: an error or a finding, never a panic, a hang or a huge allocation.
//!
//! Runs for about a second for each image; `LONGSHORE_FUZZ_SECONDS` says otherwise.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // all of it is tests

mod synthetic;

use futures::TryStreamExt as _;
use longshore_driver_fsimage::{FsimageOptions, FsimageStore};
use model::{Facets, RelPath};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use storage::{ErrorKind, ListSpec};
use synthetic::{ImageWriter, Message, ROOT, directory};

fn images() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut all: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.extension().is_some_and(|extension| extension == "fsimage"));
    all.sort();
    assert_eq!(all.len(), 8);
    all
}

fn budget() -> Duration {
    let seconds = std::env::var("LONGSHORE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1))
}

/// A generator of our own (SplitMix64), so that a failure comes again.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }
}

/// Opens it and lists all of it: what was found, or the kind of the error.
async fn taken(path: &Path) -> Result<usize, ErrorKind> {
    let store = FsimageStore::open(path, FsimageOptions::default()).await.map_err(|error| error.kind())?;
    let mut waiting = vec![RelPath::ROOT];
    let mut seen = BTreeSet::new();
    while let Some(dir) = waiting.pop() {
        let spec = ListSpec { want: Facets::POSIX.and(Facets::XATTR), ..ListSpec::default() };
        let pages: Vec<_> = store.list_detailed(&dir, spec).try_collect().await.map_err(|error| error.kind())?;
        for (entry, _) in pages.into_iter().flat_map(|page| page.entries) {
            assert!(seen.insert(entry.path.clone()), "{} came twice", entry.path);
            if entry.kind.is_dir() {
                waiting.push(entry.path);
            }
        }
    }
    Ok(seen.len())
}

fn expected(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Corrupt | ErrorKind::Unsupported)
}

#[tokio::test]
async fn an_image_that_is_cut_off_is_refused_wherever_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    for image in images() {
        let whole = fs::read(&image).unwrap();
        let mut chance = Chance(1);
        let started = Instant::now();
        let mut ends: Vec<usize> = (0..16).chain((1..64).map(|back| whole.len() - back)).collect();
        while started.elapsed() < budget() {
            let end = ends.pop().unwrap_or_else(|| chance.below(whole.len()));
            fs::write(&path, &whole[..end]).unwrap();
            let taken = taken(&path).await;
            assert!(taken.is_err_and(expected), "{} of {} bytes: {taken:?}", end, image.display());
        }
    }
}

#[tokio::test]
async fn an_image_with_changed_bytes_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    for image in images() {
        let whole = fs::read(&image).unwrap();
        let mut chance = Chance(2);
        let started = Instant::now();
        let (mut tried, mut opened) = (0, 0);
        while started.elapsed() < budget() {
            let mut changed = whole.clone();
            for _ in 0..=chance.below(4) {
                // The summary at the end decides most, so it gets its share.
                let tail = chance.below(4) == 0;
                let at = if tail { whole.len() - 1 - chance.below(600) } else { chance.below(whole.len()) };
                changed[at] = match chance.below(4) {
                    0 => 0xFF,
                    1 => 0,
                    2 => changed[at] ^ (1 << chance.below(8)),
                    _ => chance.next().to_le_bytes()[0],
                };
            }
            if chance.below(8) == 0 {
                let (from, to) = (chance.below(whole.len()), chance.below(whole.len()));
                let len = chance.below(64).min(whole.len() - from.max(to));
                changed.copy_within(from..from + len, to);
            }
            fs::write(&path, &changed).unwrap();
            match taken(&path).await {
                Ok(_) => opened += 1,
                Err(kind) => assert!(expected(kind), "{kind:?}"),
            }
            tried += 1;
        }
        println!("{}: {tried} tried, {opened} opened", image.display());
    }
    // Changed lengths must not have been believed.
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.split_whitespace().next().unwrap().parse().unwrap();
    assert!(peak < 400 << 10, "{peak} KiB of memory");
}

#[tokio::test]
async fn lengths_that_cannot_be_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    let root = directory(ROOT, b"");
    let head = Message::default().number(2, 1);

    // A section that reaches beyond the file, or wraps round.
    for (len, offset) in [(1 << 40, 8), (u64::MAX, 9), (1, u64::MAX), (8, 0)] {
        let mut out = ImageWriter::create(&path, "").unwrap();
        out.common().unwrap();
        out.claim("INODE", len, offset);
        out.finish().unwrap();
        assert_eq!(taken(&path).await, Err(ErrorKind::Corrupt));
    }
    // A message that is longer than its section, one of more than any message, a number of eleven bytes.
    for tail in [&[0x7F, 1, 2][..], &[0xFF, 0xFF, 0xFF, 0xFF, 0x7F], &[0xFF; 11]] {
        let mut out = ImageWriter::create(&path, "").unwrap();
        out.common().unwrap();
        out.begin("INODE");
        out.message(&head).unwrap();
        out.message(&root).unwrap();
        out.raw(tail).unwrap();
        out.end();
        out.finish().unwrap();
        assert_eq!(taken(&path).await, Err(ErrorKind::Corrupt), "{tail:?}");
    }
    // A count that the section does not hold, in either direction; a section twice; no root.
    let wrong: [&[(&str, Vec<Message>)]; 4] = [
        &[("INODE", vec![Message::default().number(2, 1 << 50), root.clone()])],
        &[("INODE", vec![Message::default(), root.clone()])],
        &[("INODE", vec![head.clone(), root.clone()]), ("INODE", vec![head.clone(), root.clone()])],
        &[("INODE", vec![head.clone(), directory(ROOT + 1, b"x")])],
    ];
    for sections in wrong {
        let mut out = ImageWriter::create(&path, "").unwrap();
        out.common().unwrap();
        for (name, messages) in sections {
            out.section(name, messages).unwrap();
        }
        out.finish().unwrap();
        assert_eq!(taken(&path).await, Err(ErrorKind::Corrupt));
    }
}

#[tokio::test]
async fn what_is_not_read_here_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    let codec = "com.example.compress.OwnCodec";
    let mut out = ImageWriter::create(&path, codec).unwrap();
    out.common().unwrap();
    out.finish().unwrap();
    let error = FsimageStore::open(&path, FsimageOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.cause().unwrap().contains(codec), "{error:?}");

    fs::write(&path, b"no image at all, but long enough").unwrap();
    assert_eq!(taken(&path).await, Err(ErrorKind::Unsupported));
    assert_eq!(taken(dir.path()).await, Err(ErrorKind::Invalid));
    assert_eq!(taken(&dir.path().join("nothing")).await, Err(ErrorKind::NotFound));
}

#[tokio::test]
async fn scratch_space_has_a_limit() {
    let options = FsimageOptions { scratch_limit: Some(10_000), ..FsimageOptions::default() };
    let image = images().into_iter().find(|path| path.ends_with("small.fsimage")).unwrap();
    let error = FsimageStore::open(&image, options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error:?}");
    assert!(error.hint_text().is_some());
}
