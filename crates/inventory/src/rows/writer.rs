//! Writes parts of bounded size with bounded memory.

use super::{ENTRIES_SCHEMA, SCHEMA, batch::Batch};
use crate::{Error, durable};
use model::Entry;
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding, ZstdLevel},
    file::{metadata::KeyValue, properties::WriterProperties},
    schema::types::ColumnPath,
};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Rows of one Arrow batch: what is held as plain columns.
const BATCH_ROWS: usize = 8_192;
/// Rows of one row group: what is held encoded, about 2 MiB. Readers decode a group at a time.
const GROUP_ROWS: usize = 131_072;
/// Rows of one part file.
const PART_ROWS: u64 = 1_000_000;

/// A part that is complete and on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartFile {
    /// File name within the directory.
    pub name: String,
    /// Rows in it.
    pub rows: u64,
}

/// Writes entries to part files of at most a million rows.
///
/// What [`EntryWriter::checkpoint`] returned is complete, synced and never touched again; a part that was not
/// returned by it may be cut off after a crash, and [`EntryWriter::resume`] deletes it.
pub struct EntryWriter {
    directory: PathBuf,
    complete: Vec<PartFile>,
    next_part: u32,
    open: Option<OpenPart>,
    batch: Batch,
}

struct OpenPart {
    path: PathBuf,
    name: String,
    writer: ArrowWriter<File>,
    rows: u64,
}

impl fmt::Debug for EntryWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryWriter({}, {} parts)", self.directory.display(), self.complete.len())
    }
}

impl EntryWriter {
    /// Writes into `directory`, which is made if it is missing. Whatever part is not among `complete` is
    /// deleted; none when a discovery starts.
    ///
    /// Errors: `Malformed` when one of `complete` is missing.
    pub fn resume(directory: &Path, complete: Vec<PartFile>) -> Result<Self, Error> {
        fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
        let names = part_names(directory)?;
        for name in names.iter().filter(|name| complete.iter().all(|part| part.name != **name)) {
            let path = directory.join(name);
            fs::remove_file(&path).map_err(Error::io("remove", path))?;
        }
        if let Some(lost) = complete.iter().find(|part| !names.contains(&part.name)) {
            let problem = "the checkpoint names it, but it is gone".to_owned();
            return Err(Error::Malformed { path: directory.join(&lost.name), problem });
        }
        let next_part = complete.iter().filter_map(|part| number(&part.name)).max().map_or(0, |last| last + 1);
        Ok(Self { directory: directory.to_owned(), complete, next_part, open: None, batch: Batch::default() })
    }

    /// Adds one entry.
    pub fn write(&mut self, entry: &Entry) -> Result<(), Error> {
        self.batch.push(entry);
        if self.batch.rows() >= BATCH_ROWS {
            self.flush_batch()?;
            if self.open.as_ref().is_some_and(|part| part.rows >= PART_ROWS) {
                self.close_part()?;
            }
        }
        Ok(())
    }

    /// Closes and syncs the part under way. Every entry written so far is in the parts returned.
    pub fn checkpoint(&mut self) -> Result<&[PartFile], Error> {
        self.flush_batch()?;
        self.close_part()?;
        Ok(&self.complete)
    }

    /// The parts that are complete.
    pub fn complete(&self) -> &[PartFile] {
        &self.complete
    }

    /// Where the parts are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn flush_batch(&mut self) -> Result<(), Error> {
        if self.batch.rows() == 0 {
            return Ok(());
        }
        if self.open.is_none() {
            let name = format!("part-{:05}.parquet", self.next_part);
            let path = self.directory.join(&name);
            let file = File::create(&path).map_err(Error::io("create", &path))?;
            let writer = ArrowWriter::try_new(file, Arc::clone(&SCHEMA), Some(properties()))
                .map_err(Error::parquet("begin", &path))?;
            self.next_part += 1;
            self.open = Some(OpenPart { path, name, writer, rows: 0 });
        }
        let part = self.open.as_mut().expect("opened right above");
        let batch = self.batch.take().map_err(Error::parquet("form the rows of", &part.path))?;
        part.rows += u64::try_from(batch.num_rows()).expect("a batch is far smaller");
        part.writer.write(&batch).map_err(Error::parquet("write", &part.path))
    }

    fn close_part(&mut self) -> Result<(), Error> {
        let Some(part) = self.open.take() else { return Ok(()) };
        let file = part.writer.into_inner().map_err(Error::parquet("finish", &part.path))?;
        file.sync_all().map_err(Error::io("sync", &part.path))?;
        durable::sync_directory(&self.directory).map_err(Error::io("sync", &self.directory))?;
        self.complete.push(PartFile { name: part.name, rows: part.rows });
        Ok(())
    }
}

/// The names of all parts in a directory, in order.
pub(crate) fn part_names(directory: &Path) -> Result<Vec<String>, Error> {
    let list = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory)? {
            let name = entry?.file_name();
            names.extend(name.to_str().filter(|name| number(name).is_some()).map(str::to_owned));
        }
        names.sort_by_key(|name| number(name));
        Ok(names)
    };
    list().map_err(Error::io("list", directory))
}

fn number(name: &str) -> Option<u32> {
    name.strip_prefix("part-")?.strip_suffix(".parquet")?.parse().ok()
}

/// zstd 1: level 3 costs a tenth more CPU and saves nothing on such rows. Columns that hardly repeat have no
/// dictionary: theirs would be built, found too large and thrown away. Paths share prefixes with their
/// neighbours, which is what `DELTA_BYTE_ARRAY` stores once.
fn properties() -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).expect("1 is a level of zstd")))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_created_by(format!("longshore {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(Some(vec![KeyValue::new("schema".to_owned(), ENTRIES_SCHEMA.to_owned())]));
    for column in ["path", "path_text"] {
        builder = builder
            .set_column_dictionary_enabled(ColumnPath::from(column), false)
            .set_column_encoding(ColumnPath::from(column), Encoding::DELTA_BYTE_ARRAY);
    }
    for column in ["inode", "change"] {
        builder = builder
            .set_column_dictionary_enabled(ColumnPath::from(column), false)
            .set_column_encoding(ColumnPath::from(column), Encoding::DELTA_BINARY_PACKED);
    }
    for column in ["size", "allocated", "mtime_ns", "atime_ns", "birth_ns", "link_target", "etag"] {
        builder = builder.set_column_dictionary_enabled(ColumnPath::from(column), false);
    }
    builder.build()
}
