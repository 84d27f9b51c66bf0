//! A report that others wrote (`report/make.py`), read from a directory.
#![allow(clippy::unwrap_used)]

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use longshore_driver_s3_inventory::InventoryStore;
use model::{Entry, Facets, Kind, RelPath, Stamp};
use std::{collections::BTreeMap, path::Path};
use storage::{Body, Capabilities, Cursor, Error, ErrorKind, ListSpec, Page, ReadSpec, Reading, Result, Source, Usage};

/// Files in memory, to be read and spoilt.
#[derive(Debug)]
struct Files(BTreeMap<RelPath, Vec<u8>>);

impl Files {
    fn report() -> Self {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report");
        let names = ["report/manifest.json", "report/manifest.checksum", "data/0.csv.gz", "data/1.csv.gz"];
        Self(names.map(|name| (RelPath::from(name), std::fs::read(place.join(name)).unwrap())).into())
    }
    async fn open(&self) -> Result<InventoryStore> {
        InventoryStore::open(self, &"report/manifest.json".into()).await
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
