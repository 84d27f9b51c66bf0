//! A report that others wrote (`report/make.py`) in every format, read from a directory.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use longshore_driver_s3_inventory::{Format, InventoryStore};
use md5::{Digest as _, Md5};
use model::{Entry, Facets, Kind, RelPath, Stamp};
use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};
use storage::{Body, Capabilities, Cursor, Error, ErrorKind, ListSpec, Page, ReadSpec, Reading, Result, Source, Usage};

/// Files in memory, to be read and spoilt.
#[derive(Debug)]
struct Files(BTreeMap<RelPath, Vec<u8>>);

impl Files {
    fn report() -> Self {
        Self::all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report"))
    }
    fn all(place: &Path) -> Self {
        let mut found = BTreeMap::new();
        for folder in ["report", "parquet", "orc", "data"] {
            // A report of a test at size has only some of the formats.
            for file in std::fs::read_dir(place.join(folder)).into_iter().flatten().flatten() {
                let name = format!("{folder}/{}", file.file_name().to_str().unwrap());
                found.insert(RelPath::from(name.as_str()), std::fs::read(file.path()).unwrap());
            }
        }
        Self(found)
    }
    async fn open(&self) -> Result<InventoryStore> {
        self.open_as("report").await
    }
    /// The report in one format: `report` is the CSV.
    async fn open_as(&self, format: &str) -> Result<InventoryStore> {
        InventoryStore::open(self, &format!("{format}/manifest.json").as_str().into()).await
    }
}

#[async_trait]
impl Source for Files {
    fn caps(&self) -> &Capabilities {
        unreachable!("a report is only read")
    }
    fn list(&self, _: &RelPath, _: ListSpec) -> BoxStream<'static, Result<Page>> {
        unreachable!("a report is only read")
    }
    async fn stat(&self, _: &RelPath, _: Facets) -> Result<Entry> {
        unreachable!("a report is only read")
    }
    async fn read(&self, path: &RelPath, _: ReadSpec) -> Result<Reading> {
        let data = self.0.get(path).ok_or_else(|| Error::new(ErrorKind::NotFound, "read"))?;
        let entry = Entry::new(path.clone(), Kind::File, Stamp::default());
        let pieces: Vec<_> = data.chunks(97).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        Ok(Reading { entry, body: Body::Stream(futures::stream::iter(pieces).boxed()) })
    }
    async fn usage(&self) -> Result<Option<Usage>> {
        Ok(None)
    }
}

async fn listed(store: &InventoryStore, dir: &str, recursive: bool, from: Option<Cursor>) -> Result<Vec<Entry>> {
    let spec = ListSpec { recursive, from, ..ListSpec::default() };
    let pages: Vec<Page> = store.list(&dir.into(), spec).try_collect().await?;
    Ok(pages.into_iter().flat_map(|page| page.entries).collect())
}

#[tokio::test]
async fn current_objects_are_listed_in_byte_order_under_their_own_names() {
    let store = Files::report().open().await.unwrap();
    let all = listed(&store, "", true, None).await.unwrap();
    assert_eq!((all.len(), store.report().objects), (60, 60));
    assert!(all.windows(2).all(|pair| pair[0].sort_key() < pair[1].sort_key()));
    for name in
        ["a b", "a+b", "a%2Fb", "caf\u{e9}", "cafe\u{301}", "a//b", "../y", "\u{1}\u{7f}", "quote\"comma,", "new\nline"]
    {
        let found = all.iter().find(|entry| entry.path == name.into()).unwrap_or_else(|| panic!("{name:?} is missing"));
        assert_eq!(found.stamp.size, name.chars().count() as u64 * 10, "{name:?}");
        assert!(found.stamp.etag.as_ref().is_some_and(|etag| etag.len() == 32));
    }
    assert!(all.iter().any(|entry| entry.kind.is_dir() && entry.path == "dir".into()));
    let report = store.report();
    assert_eq!((report.delete_markers, report.noncurrent_bytes, report.noncurrent), (2, 56, 8));
    assert_eq!(report.classes.values().map(|(objects, _)| objects).sum::<u64>(), 60);
    assert_eq!((store.manifest().source_bucket.as_str(), store.manifest().created.secs), ("source", 1_763_600_000));
    let rest = listed(&store, "", true, Some(Cursor(all[20].sort_key()))).await.unwrap();
    assert_eq!(rest, all[21..]);
}

#[tokio::test]
async fn one_directory_is_listed_alone() {
    let store = Files::report().open().await.unwrap();
    let top = listed(&store, "", false, None).await.unwrap();
    assert_eq!(top.iter().filter(|entry| entry.path == "logs".into() && entry.kind.is_dir()).count(), 1);
    let months = listed(&store, "logs/2025", false, None).await.unwrap();
    assert_eq!((months.len(), months[0].path.clone()), (12, "logs/2025/01".into()));
    assert!(listed(&store, "logs/2025/01", true, None).await.unwrap().iter().all(|entry| entry.kind.is_file()));
    assert_eq!(listed(&store, "nowhere", false, None).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(store.read(&"a b".into(), ReadSpec::default()).await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_report_that_was_changed_or_is_not_finished_is_refused() {
    for (file, spoil) in
        [("data/0.csv.gz", 100), ("data/1.csv.gz", 9), ("report/manifest.json", 30), ("report/manifest.checksum", 3)]
    {
        let mut files = Files::report();
        files.0.get_mut(&file.into()).unwrap()[spoil] ^= 1;
        let error = files.open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{file}: {error:?}");
    }
    let mut files = Files::report();
    files.0.remove(&"report/manifest.checksum".into());
    assert!(files.open().await.unwrap_err().hint_text().unwrap().contains("finished"));
    let mut files = Files::report();
    files.0.get_mut(&"data/1.csv.gz".into()).unwrap().truncate(500);
    assert_eq!(files.open().await.unwrap_err().kind(), ErrorKind::Corrupt);
    let mut files = Files::report();
    files.0.remove(&"data/1.csv.gz".into());
    assert_eq!(files.open().await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn every_format_tells_the_same() {
    let files = Files::report();
    let csv = files.open().await.unwrap();
    let all = listed(&csv, "", true, None).await.unwrap();
    for (name, format) in [("parquet", Format::Parquet), ("orc", Format::Orc)] {
        let other = files.open_as(name).await.unwrap();
        assert_eq!(other.manifest().format, format);
        assert_eq!(other.report(), csv.report(), "{name}");
        assert_eq!(listed(&other, "", true, None).await.unwrap(), all, "{name}");
    }
}

#[tokio::test]
async fn a_spoilt_file_of_any_format_is_refused_by_its_sum_wherever_it_is_spoilt() {
    for (format, file) in [("parquet", "data/1.parquet"), ("orc", "data/3.orc")] {
        let len = Files::report().0[&file.into()].len();
        for at in (0..len).step_by(211) {
            let mut files = Files::report();
            files.0.get_mut(&file.into()).unwrap()[at] ^= 4;
            assert_eq!(files.open_as(format).await.unwrap_err().kind(), ErrorKind::Corrupt);
            files.0.get_mut(&file.into()).unwrap().truncate(at);
            assert_eq!(files.open_as(format).await.unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }
}

/// A report of one file, which was changed before its sum was told, so that nothing but its reader can see it.
fn signed(format: &str, file: &str, data: Vec<u8>) -> Files {
    let mut files = Files::report();
    let name = RelPath::from(format!("{format}/manifest.json").as_str());
    let mut manifest: serde_json::Value = serde_json::from_slice(&files.0[&name]).unwrap();
    let all = manifest["files"].as_array_mut().unwrap();
    all.retain(|listed| listed["key"] == file);
    let listed = &mut all[0];
    listed["size"] = data.len().into();
    listed["MD5checksum"] = sum(&data).into();
    let text = serde_json::to_vec(&manifest).unwrap();
    files.0.insert(format!("{format}/manifest.checksum").as_str().into(), sum(&text).into_bytes());
    files.0.insert(name, text);
    files.0.insert(file.into(), data);
    files
}

/// A report with another manifest, under its right sum.
fn resummed(name: &str, manifest: Vec<u8>) -> Files {
    let mut files = Files::report();
    let (folder, _) = name.split_once('/').unwrap();
    files.0.insert(format!("{folder}/manifest.checksum").as_str().into(), sum(&manifest).into_bytes());
    files.0.insert(name.into(), manifest);
    files
}

fn sum(data: &[u8]) -> String {
    Md5::digest(data).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

#[tokio::test]
async fn a_file_in_the_wrong_format_or_without_its_columns_is_an_error_that_says_so() {
    let files = Files::report();
    let (parquet, orc) = (files.0[&"data/0.parquet".into()].clone(), files.0[&"data/0.orc".into()].clone());
    for (format, file, data) in [
        ("parquet", "data/0.parquet", orc.clone()),
        ("orc", "data/0.orc", parquet),
        ("orc", "data/0.orc", Vec::new()),
        ("orc", "data/0.orc", orc[..orc.len() - 1].to_vec()),
        ("parquet", "data/0.parquet", b"PAR1".to_vec()),
        ("report", "data/0.csv.gz", b"Bucket,Key".to_vec()),
    ] {
        let error = signed(format, file, data).open_as(format).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{format}: {error:?}");
    }
    // ZSTD, by its number in the tail of an ORC file.
    let mut zstd = orc;
    let end = zstd.len() - 1;
    let script = end - usize::from(zstd[end]);
    let at = script + zstd[script..end].windows(2).position(|two| two == [0x10, 1]).unwrap();
    zstd[at + 1] = 5;
    let error = signed("orc", "data/0.orc", zstd).open_as("orc").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(format!("{error:?}").contains("ZSTD") && error.hint_text().unwrap().contains("CSV"), "{error:?}");
}

/// Every reader of a report given what it does not expect, under a right sum. Runs for as many seconds as
/// `LONGSHORE_FUZZ_SECONDS` says, else for a moment; `LONGSHORE_FUZZ_FORMAT` names one of them.
#[test]
fn a_file_cut_or_garbled_is_a_report_or_an_error() {
    let seconds = std::env::var("LONGSHORE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let only = std::env::var("LONGSHORE_FUZZ_FORMAT").ok();
    let until = Instant::now() + seconds.map_or(Duration::from_millis(900), Duration::from_secs);
    let clean = Files::report();
    let files: Vec<RelPath> = clean.0.keys().filter(|path| !path.as_bytes().ends_with(b".checksum")).cloned().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut chance = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 16).expect("48 bits fit") % below
    };
    let (mut rounds, mut read, mut panics) = (0_u64, 0_u64, 0_u64);
    while Instant::now() < until {
        let file = &files[chance(files.len())];
        let name = std::str::from_utf8(file.as_bytes()).unwrap();
        let format = ["manifest", "csv", "parquet", "orc"].into_iter().find(|format| name.contains(format)).unwrap();
        if only.as_ref().is_some_and(|only| only != format) {
            continue;
        }
        let mut data = clean.0[file].clone();
        for _ in 0..=chance(3) {
            // Tails tell where all else is, so half of the damage is there.
            let at = if chance(2) == 0 { data.len() - 1 - chance(data.len().min(300)) } else { chance(data.len()) };
            match chance(5) {
                0 => data.truncate(at.max(1)),
                1 | 2 => data[at] = u8::try_from(chance(256)).expect("below 256"),
                3 => data[at] ^= 1 << chance(8),
                _ => {
                    let from = chance(data.len());
                    let piece: Vec<u8> = data[from..].iter().take(chance(9)).copied().collect();
                    data.splice(at..at, piece);
                }
            }
        }
        let (files, manifest) = match format {
            "manifest" => (resummed(name, data), name.split_once('/').unwrap().0),
            "csv" => (signed("report", name, data), "report"),
            format => (signed(format, name, data), format),
        };
        rounds += 1;
        match runtime.block_on(files.open_as(manifest)) {
            Ok(_) => read += 1,
            Err(error) if format!("{error:?}").contains("gave up") => panics += 1,
            // A manifest may name a file that is not there.
            Err(error) if format == "manifest" && error.kind() == ErrorKind::NotFound => {}
            Err(error) => assert!(
                matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported),
                "a damaged {name} is told as {error:?}"
            ),
        }
    }
    if let Some(peak) = std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| status.lines().find(|line| line.starts_with("VmHWM")).map(str::to_owned))
    {
        eprintln!("{only:?}: {rounds} files, {read} of them read, {panics} contained panics; {peak}");
    }
    assert!(rounds > 0 && read < rounds);
}
