//! Reads parts back, a batch at a time.

use super::ENTRIES_SCHEMA;
use crate::Error;
use arrow::{
    array::{Array, BinaryArray, Int64Array, StringArray, UInt32Array, UInt64Array},
    error::ArrowError,
    record_batch::RecordBatch,
};
use bytes::Bytes;
use model::RelPath;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use std::{
    fmt,
    fs::File,
    path::{Path, PathBuf},
};

/// One row, as it is stored (see the table of columns above).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns are described once, at the head of the module")]
pub struct EntryRow {
    pub path: RelPath,
    pub top: Option<Bytes>,
    pub depth: u32,
    pub extension: Option<String>,
    pub kind: String,
    pub size: u64,
    pub allocated: Option<u64>,
    pub mtime_ns: Option<i64>,
    pub atime_ns: Option<i64>,
    pub birth_ns: Option<i64>,
    pub change: Option<u64>,
    pub mode: Option<u32>,
    pub owner: Option<String>,
    pub group: Option<String>,
    pub nlink: Option<u32>,
    pub volume: Option<u64>,
    pub inode: Option<u64>,
    pub link_target: Option<Bytes>,
    pub etag: Option<Bytes>,
}

/// Opens one part.
///
/// Errors: `Io`, `Parquet` for what is no Parquet file, `Schema` for one that is not ours.
pub fn read_entries(path: &Path) -> Result<EntryRows, Error> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(Error::parquet("open", path))?;
    let metadata = builder.metadata().file_metadata().key_value_metadata();
    let found = metadata.and_then(|pairs| pairs.iter().find(|pair| pair.key == "schema")?.value.clone());
    if found.as_deref() != Some(ENTRIES_SCHEMA) {
        let found = found.unwrap_or_default();
        return Err(Error::Schema { path: path.to_owned(), found, known: ENTRIES_SCHEMA });
    }
    let batches = builder.build().map_err(Error::parquet("read", path))?;
    Ok(EntryRows { path: path.to_owned(), batches, current: None })
}

/// The rows of a part, in the order in which they were written.
pub struct EntryRows {
    path: PathBuf,
    batches: ParquetRecordBatchReader,
    current: Option<(Columns, usize)>,
}

impl fmt::Debug for EntryRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryRows({})", self.path.display())
    }
}

impl Iterator for EntryRows {
    type Item = Result<EntryRow, Error>;
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((columns, at)) = &mut self.current
                && let Some(row) = columns.row(*at)
            {
                *at += 1;
                return Some(Ok(row));
            }
            let columns = self.batches.next()?.and_then(|batch| Columns::of(&batch));
            match columns {
                Ok(columns) => self.current = Some((columns, 0)),
                Err(error) => return Some(Err(Error::parquet("read", &self.path)(error))),
            }
        }
    }
}

/// The columns of one batch, with their types.
struct Columns {
    path: BinaryArray,
    top: BinaryArray,
    depth: UInt32Array,
    extension: StringArray,
    kind: StringArray,
    size: UInt64Array,
    allocated: UInt64Array,
    mtime: Int64Array,
    atime: Int64Array,
    birth: Int64Array,
    change: UInt64Array,
    mode: UInt32Array,
    owner: StringArray,
    group: StringArray,
    nlink: UInt32Array,
    volume: UInt64Array,
    inode: UInt64Array,
    link_target: BinaryArray,
    etag: BinaryArray,
}

impl Columns {
    fn of(batch: &RecordBatch) -> Result<Self, ArrowError> {
        Ok(Self {
            path: column(batch, "path")?,
            top: column(batch, "top")?,
            depth: column(batch, "depth")?,
            extension: column(batch, "extension")?,
            kind: column(batch, "kind")?,
            size: column(batch, "size")?,
            allocated: column(batch, "allocated")?,
            mtime: column(batch, "mtime_ns")?,
            atime: column(batch, "atime_ns")?,
            birth: column(batch, "birth_ns")?,
            change: column(batch, "change")?,
            mode: column(batch, "mode")?,
            owner: column(batch, "owner")?,
            group: column(batch, "group")?,
            nlink: column(batch, "nlink")?,
            volume: column(batch, "volume")?,
            inode: column(batch, "inode")?,
            link_target: column(batch, "link_target")?,
            etag: column(batch, "etag")?,
        })
    }

    fn row(&self, at: usize) -> Option<EntryRow> {
        (at < self.path.len()).then(|| EntryRow {
            path: RelPath::from(self.path.value(at)),
            top: bytes(&self.top, at),
            depth: self.depth.value(at),
            extension: text(&self.extension, at),
            kind: self.kind.value(at).to_owned(),
            size: self.size.value(at),
            allocated: self.allocated.is_valid(at).then(|| self.allocated.value(at)),
            mtime_ns: self.mtime.is_valid(at).then(|| self.mtime.value(at)),
            atime_ns: self.atime.is_valid(at).then(|| self.atime.value(at)),
            birth_ns: self.birth.is_valid(at).then(|| self.birth.value(at)),
            change: self.change.is_valid(at).then(|| self.change.value(at)),
            mode: self.mode.is_valid(at).then(|| self.mode.value(at)),
            owner: text(&self.owner, at),
            group: text(&self.group, at),
            nlink: self.nlink.is_valid(at).then(|| self.nlink.value(at)),
            volume: self.volume.is_valid(at).then(|| self.volume.value(at)),
            inode: self.inode.is_valid(at).then(|| self.inode.value(at)),
            link_target: bytes(&self.link_target, at),
            etag: bytes(&self.etag, at),
        })
    }
}

fn column<A: Array + Clone + 'static>(batch: &RecordBatch, name: &str) -> Result<A, ArrowError> {
    let found = batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref::<A>());
    found.cloned().ok_or_else(|| ArrowError::SchemaError(format!("the column `{name}` is missing or of another type")))
}

fn bytes(column: &BinaryArray, at: usize) -> Option<Bytes> {
    column.is_valid(at).then(|| Bytes::copy_from_slice(column.value(at)))
}

fn text(column: &StringArray, at: usize) -> Option<String> {
    column.is_valid(at).then(|| column.value(at).to_owned())
}
