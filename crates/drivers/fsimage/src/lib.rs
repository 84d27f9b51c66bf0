//! The fsimage of a NameNode, as a store that can be listed but not read.
//!
//! An image is the whole namespace of a cluster at one transaction. Reading it asks the NameNode for one file
//! instead of one answer for each directory, and takes nothing from a cluster when it comes from a standby or a
//! backup. [`FsimageStore`] lists it like the live cluster: the current tree, without what only snapshots hold.
//!
//! Read is the protobuf format HDFSIMG1 of Hadoop 2.4 to 3.4, as fsimage.proto describes it, uncompressed or with
//! the Default, Gzip, BZip2, Lz4 or Snappy codec. Memory is two sort buffers, the table of names and 56 bytes for
//! each directory; files take none. Nothing that the image says is trusted: lengths are capped, and what does not
//! fit together is counted in [`Findings`].

mod build;
mod codec;
mod details;
mod facts;
mod failure;
mod inode;
mod messages;
mod options;
mod scratch;
mod sort;
mod store;
mod strings;
mod summary;
mod tree;
mod wire;

pub use details::{AclEntry, AclOf, Details, Writing};
pub use facts::{EcPolicy, Findings, ImageFacts, LIST_MAX, OpenFile, QuotaFact, SnapshotFact};
pub use options::{FsimageOptions, Progress, ProgressFn, Stage};
pub use store::{DetailedPage, FsimageStore};
