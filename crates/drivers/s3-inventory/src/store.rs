//! The report as a store that can be listed.

use crate::{
    file,
    manifest::{self, DOING, Manifest, corrupt},
    row::{Columns, Row},
    spool::{Record, Sorted, Spool},
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use model::{Entry, Facets, Kind, NameRules, RelPath, Stamp, Timestamp};
use std::{collections::BTreeMap, io, sync::Arc};
use storage::{
    Capabilities, Cursor, Error, ErrorKind, ListOrder, ListSpec, Page, ReadSpec, Reading, Result, Source, Usage,
    pages::{Listing, pages},
};

/// Entries on a page.
const PAGE: usize = 1000;

/// What a report holds beside the list of current objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Current objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects and bytes by storage class; empty when the report does not tell it.
    pub classes: BTreeMap<String, (u64, u64)>,
    /// Versions that are no longer current.
    pub noncurrent: u64,
    /// Their bytes.
    pub noncurrent_bytes: u64,
    /// Marks of deletion.
    pub delete_markers: u64,
}

/// A report, read and sorted. It lists; it cannot look at or read an object.
#[derive(Debug)]
pub struct InventoryStore {
    manifest: Manifest,
    report: Report,
    sorted: Arc<Sorted>,
    caps: Capabilities,
}

impl InventoryStore {
    /// Reads the report whose manifest is at `path` of `reports`, whose root must be that of the bucket that
    /// reports are delivered to: the manifest names its files from there. Costs one read of each file, memory of
    /// some 100 MiB, and disk in the directory for temporary files: for what is sorted, and, with Parquet and ORC, for
    /// one data file at a time.
    ///
    /// Errors: those of reading; `Corrupt` when a checksum does not hold, a file is cut, or a row is none;
    /// `Unsupported` when a file is written in a way that Amazon does not use and that is not read.
    pub async fn open(reports: &dyn Source, path: &RelPath) -> Result<Self> {
        let manifest = manifest::read(reports, path).await?;
        // What is not there is told before some gigabytes are read.
        let names = manifest.columns.iter().map(String::as_str);
        let columns = Columns::of(names).map_err(|why| corrupt(path, why))?;
        let mut all = Counted { report: Report::default(), spool: Spool::new().map_err(file::disk)? };
        for listed in &manifest.files {
            all = file::take(reports, listed, manifest.format, columns, all).await?;
        }
        let Counted { report, spool } = all;
        let sorted = Arc::new(spool.finish().map_err(file::disk)?);
        tracing::info!(bucket = manifest.source_bucket, objects = report.objects, "inventory report read");
        Ok(Self { manifest, report, sorted, caps: capabilities() })
    }

    /// What the report says of itself: its bucket, and how old it is.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What it holds in all.
    pub fn report(&self) -> &Report {
        &self.report
    }
}

/// What was read so far.
pub(crate) struct Counted {
    report: Report,
    spool: Spool,
}

impl Counted {
    /// Takes one row more.
    pub(crate) fn add(&mut self, row: Row) -> io::Result<()> {
        let report = &mut self.report;
        match row {
            Row::Marker => report.delete_markers += 1,
            Row::Noncurrent(bytes) => {
                report.noncurrent += 1;
                report.noncurrent_bytes = report.noncurrent_bytes.saturating_add(bytes);
            }
            Row::Current(record, class) => {
                report.objects += 1;
                report.bytes = report.bytes.saturating_add(record.size);
                if !class.is_empty() {
                    let count = report.classes.entry(class).or_default();
                    count.0 += 1;
                    count.1 = count.1.saturating_add(record.size);
                }
                self.spool.add(record)?;
            }
        }
        Ok(())
    }
}

fn capabilities() -> Capabilities {
    Capabilities {
        list: ListOrder::ByteOrder,
        recursive_list: true,
        ranged_read: false,
        conditional_read: false,
        names: NameRules::ANY,
        ..Capabilities::READ_ONLY
    }
}

#[async_trait]
impl Source for InventoryStore {
    fn caps(&self) -> &Capabilities {
        &self.caps
    }

    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        pages(Pages::start(&self.sorted, dir, spec))
    }

    async fn stat(&self, path: &RelPath, _want: Facets) -> Result<Entry> {
        if path.is_root() {
            return Ok(Entry::new(RelPath::ROOT, Kind::Dir, Stamp::default()));
        }
        Err(only_listed("look up").at(path))
    }

    async fn read(&self, path: &RelPath, _spec: ReadSpec) -> Result<Reading> {
        Err(only_listed("read").at(path))
    }

    async fn usage(&self) -> Result<Option<Usage>> {
        Ok(None)
    }
}

fn only_listed(doing: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, doing)
        .because("an inventory report tells what was in a bucket, and holds nothing of it")
        .hint("name the bucket itself")
}

/// A listing under way. Reads of a local disk, a page at a time.
struct Pages {
    dir: RelPath,
    records: Box<dyn Iterator<Item = io::Result<Record>> + Send>,
    base: Vec<u8>,
    recursive: bool,
    /// The key, or the directory with its `/`, that came last.
    last: Option<Bytes>,
    /// Nothing was found so far, and nothing would mean that the directory is not there.
    fresh: bool,
}

impl Pages {
    fn start(sorted: &Arc<Sorted>, dir: &RelPath, spec: ListSpec) -> Result<Self> {
        let last = spec.from.map(|cursor| cursor.0);
        let mut base = dir.as_bytes().to_vec();
        if !dir.is_root() {
            base.push(b'/');
        }
        // Begins where the directory does, not where the report does.
        let from = last.clone().or_else(|| (!base.is_empty()).then(|| Bytes::from(base.clone())));
        let records = sorted.records(from).map_err(|why| failed(why).at(dir))?;
        let fresh = last.is_none() && !dir.is_root();
        Ok(Self { dir: dir.clone(), records: Box::new(records), base, recursive: spec.recursive, last, fresh })
    }

    fn end(&self, entries: Vec<Entry>) -> Result<Page> {
        if self.fresh {
            return Err(Error::new(ErrorKind::NotFound, DOING).at(&self.dir));
        }
        Ok(Page::new(entries, None))
    }
}

fn failed(why: io::Error) -> Error {
    Error::new(ErrorKind::Unexpected, DOING).because(why)
}

impl Listing for Pages {
    async fn page(&mut self) -> Result<Page> {
        let mut entries = Vec::with_capacity(PAGE);
        while entries.len() < PAGE {
            let record = match self.records.next() {
                None => return self.end(entries),
                Some(record) => record.map_err(|why| failed(why).at(&self.dir))?,
            };
            let Some(rest) = record.key.strip_prefix(&self.base[..]) else { return self.end(entries) };
            self.fresh = false;
            let below = if self.recursive { None } else { rest.iter().position(|byte| *byte == b'/') };
            let key = below.map_or_else(|| record.key.clone(), |end| record.key.slice(..=self.base.len() + end));
            if self.last.as_ref().is_some_and(|last| *last >= key) {
                continue;
            }
            entries.extend(entry(&record, &key, below.is_some()));
            self.last = Some(key);
        }
        Ok(Page::new(entries, self.last.clone().map(Cursor)))
    }
}

/// As the driver of the bucket itself would list it; `None` for a key that is only a slash.
fn entry(record: &Record, key: &Bytes, dir: bool) -> Option<Entry> {
    let marker = key.ends_with(b"/") && (dir || record.size == 0);
    let path = if marker { key.slice(..key.len() - 1) } else { key.clone() };
    if path.is_empty() {
        return None;
    }
    let stamp = if dir {
        Stamp::default()
    } else {
        Stamp {
            size: record.size,
            mtime: record.modified.map(|secs| Timestamp { secs, nanos: 0 }),
            etag: (!record.etag.is_empty()).then(|| record.etag.clone()),
            ..Stamp::default()
        }
    };
    Some(Entry::new(RelPath::from_bytes(path), if marker { Kind::Dir } else { Kind::File }, stamp))
}
