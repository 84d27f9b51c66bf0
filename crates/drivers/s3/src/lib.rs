//! S3 and what speaks like it, behind the doors of `storage`.
//!
//! The request path is our own, on one hyper HTTP/1 connection per request in flight: the full SDK costs
//! five to fifteen times as much CPU for each small object. Credentials come from the standard chain of a
//! well-kept crate; the signature of a request is made here, from a derived key that is kept for the day.
//! Checksums always travel as a header (`x-amz-checksum-crc64nvme`), never as `aws-chunked` trailers, which
//! half of the compatible stores refuse.
//!
//! Keys are bytes: they are percent-encoded once, and the path that is signed is the path that is sent.
//! What differs between stores is data ([`Quirks`]), not code.

mod buckets;
mod call;
mod classes;
mod client;
mod config;
mod connection;
mod credentials;
mod encode;
mod endpoint;
mod errors;
mod fields;
mod flavour;
mod listing;
mod metadata;
mod preflight;
mod profile;
mod sign;
mod store;
mod survey;
mod target;
mod tls;
mod upload;
mod xml;

pub use buckets::{Bucket, buckets};
pub use classes::{ClassCount, ClassTally};
pub use config::{Keys, S3Options};
pub use flavour::{Checksum, Flavour, Quirks};
pub use preflight::{Reached, WriteProbe};
pub use store::S3Store;
pub use survey::{
    Encryption, Fact, LifecycleRule, Lock, OpenUploads, Period, PublicAccessBlock, Replication, Survey, SurveyLimits,
    Transition, Versioning, Versions,
};
