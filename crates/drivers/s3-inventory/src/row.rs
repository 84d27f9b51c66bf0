//! What a row of a report says, whatever format it came in.

use crate::spool::Record;
use bytes::Bytes;
use std::io;

/// No key, tag or class is longer; a key has 1,024 bytes at most ("Naming Amazon S3 objects", S3 User Guide).
pub(crate) const LONGEST: usize = 64 << 10;

/// The columns that we need, by their places among those that are there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns {
    pub key: usize,
    pub size: usize,
    pub modified: Option<usize>,
    pub etag: Option<usize>,
    pub class: Option<usize>,
    pub latest: Option<usize>,
    pub marker: Option<usize>,
}

impl Columns {
    /// Finds them by name; which one is missing otherwise. CSV calls a column `IsLatest`, Parquet and ORC call it
    /// `is_latest`.
    pub(crate) fn of<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let plain = |name: &str| name.replace('_', "").to_ascii_lowercase();
        let names: Vec<String> = names.map(plain).collect();
        let place = |wanted: &str| names.iter().position(|name| *name == plain(wanted));
        let needed = |wanted: &str| place(wanted).ok_or_else(|| format!("the report has no column `{wanted}`"));
        let (latest, marker) = (place("IsLatest"), place("IsDeleteMarker"));
        if place("VersionId").is_some() && (latest.is_none() || marker.is_none()) {
            return Err("the report has versions, but not which of them are current".to_owned());
        }
        Ok(Self {
            key: needed("Key")?,
            size: needed("Size")?,
            modified: place("LastModifiedDate"),
            etag: place("ETag"),
            class: place("StorageClass"),
            latest,
            marker,
        })
    }
}

/// One row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// A current object, with its storage class.
    Current(Record, String),
    /// A version that is no longer current, and its bytes.
    Noncurrent(u64),
    /// A mark of deletion.
    Marker,
}

/// The fields of a row, as they are meant: a key is what the object is called.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    pub key: &'a [u8],
    pub size: Option<u64>,
    /// Seconds since 1970; what a report tells of milliseconds is cut, as listings do.
    pub modified: Option<i64>,
    pub etag: &'a [u8],
    pub class: &'a [u8],
    /// `None` when the report has no such column.
    pub latest: Option<bool>,
    /// `None` when the report has no such column.
    pub marker: Option<bool>,
}

impl Fields<'_> {
    pub(crate) fn row(self) -> Result<Row, &'static str> {
        if self.marker == Some(true) {
            return Ok(Row::Marker);
        }
        let size = self.size.ok_or("its size is no number")?;
        if self.latest == Some(false) {
            return Ok(Row::Noncurrent(size));
        }
        if self.key.is_empty() {
            return Err("it has no key");
        }
        let record = Record {
            key: Bytes::copy_from_slice(self.key),
            size,
            modified: self.modified,
            etag: Bytes::copy_from_slice(self.etag),
        };
        Ok(Row::Current(record, String::from_utf8_lossy(self.class).into_owned()))
    }
}

/// A row that is none; they are counted from 1.
pub(crate) fn wrong(number: u64, why: &str) -> io::Error {
    invalid(format!("row {number}: {why}"))
}

/// A file that is not what it should be.
pub(crate) fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// A file that is right as it is, and in a way that is not read here.
pub(crate) fn unsupported(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_under_the_names_of_every_format() {
        let csv = "Bucket,Key,VersionId,IsLatest,IsDeleteMarker,Size,LastModifiedDate,ETag,StorageClass";
        let orc = "bucket,key,version_id,is_latest,is_delete_marker,size,last_modified_date,e_tag,storage_class";
        let places = |names: &str| format!("{:?}", Columns::of(names.split(',')).unwrap());
        assert_eq!(places(csv), places(orc));
        assert!(Columns::of("key,e_tag".split(',')).unwrap_err().contains("`Size`"));
        assert!(Columns::of("key,size,version_id".split(',')).unwrap_err().contains("current"));
    }
}
