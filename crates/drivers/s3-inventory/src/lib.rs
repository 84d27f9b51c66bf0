//! S3 Inventory reports as a store: the listing of a bucket without a request to it.
//!
//! A report is a `manifest.json`, a `manifest.checksum` beside it and data files that the manifest names with their
//! MD5 ("Amazon S3 Inventory list", S3 User Guide, read 2026-11). It is read through any [`Source`]: the bucket it
//! was delivered to, or a copy of it on a disk. It is as old as it says, and this crate always says so.
//!
//! All three formats are read: CSV with gzip, Parquet with Snappy, ORC with ZLIB. CSV is read as it comes; a file of
//! the others is kept on disk while it is read, because both are told from their ends and the MD5 needs every byte
//! anyway. What a file claims of lengths is held to limits before anything is allocated for it. Parquet is decoded by
//! its crate; the ORC reader is our own, for the few types that a report has.
//!
//! The files of a report are in no promised order, so opening one reads it once, sorts it in bounded memory with
//! runs on disk, and lists from these in byte order, as discovery needs it.

mod csv;
mod file;
mod manifest;
mod orc;
mod parquet;
mod row;
mod spool;
mod store;

pub use manifest::{Format, Manifest};
pub use store::{InventoryStore, Report};
