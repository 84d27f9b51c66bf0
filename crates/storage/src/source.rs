//! The reading half of a store.

use crate::{Capabilities, Error, ErrorKind, Result};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use model::{Entry, Facets, RelPath, Stamp};
use std::{fmt, ops::Range};

/// Read-only half of a store. Discovery is given only this, so it cannot write by mistake.
///
/// Every method may be dropped at any await without a leak; none retries (the retry wrapper does).
#[async_trait]
pub trait Source: fmt::Debug + Send + Sync + 'static {
    /// What it can do; fixed when it was opened.
    fn caps(&self) -> &Capabilities;

    /// Entries of one directory (or of everything below, see [`ListSpec`]) in pages. `.` and `..` are not
    /// listed; neither is `dir` itself. A page's `next` resumes after that page.
    ///
    /// Errors: `NotFound`, `Denied`, `Invalid` (not a directory), `Changed` (a cursor that the server no
    /// longer accepts: list the directory again from the start). The stream ends after an error.
    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>>;

    /// One entry, with metadata as far as `want` asks and the store tells, and with the target of a
    /// symbolic link. Never follows a symbolic link.
    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry>;

    /// Content of a file, or of a range of it. Where the store can tell, `Changed` is returned (up front or
    /// in the body) when `if_stamp` does not hold. A body shorter than promised is an error, never an end.
    /// Errors: `Invalid` for a directory or for a range that starts beyond the end.
    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading>;

    /// Size of the volume as the server states it; `None` where there is no such thing (S3).
    async fn usage(&self) -> Result<Option<Usage>>;
}

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct ListSpec {
    /// Everything below, not one directory; only where `Capabilities::recursive_list`.
    pub recursive: bool,
    /// Metadata that the caller can use if it costs no further request. `DIGESTS` and `USER_META` of
    /// objects are never part of a listing.
    pub want: Facets,
    /// Continue after the page that carried this.
    pub from: Option<Cursor>,
}

/// Entries, and where to go on.
#[derive(Clone, Debug)]
pub struct Page {
    /// What was listed.
    pub entries: Vec<Entry>,
    /// Names that were listed, but of which the server does not tell what they are: the error of each, with its path.
    /// Not among `entries`. Errors that concern more than one entry fail the listing instead.
    pub unread: Vec<Error>,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
}

impl Page {
    /// Entries that were all read.
    pub fn new(entries: Vec<Entry>, next: Option<Cursor>) -> Self {
        Self { entries, unread: Vec::new(), next }
    }
}

/// A place in a listing, in the driver's own form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub Bytes);

/// What to read.
#[derive(Clone, Debug, Default)]
pub struct ReadSpec {
    /// Bytes `start..end`; an end beyond the end of the content is cut. All when absent.
    pub range: Option<Range<u64>>,
    /// Refuse with `Changed` when the content is no longer this.
    pub if_stamp: Option<Stamp>,
    /// The locator of the entry, if the caller has one.
    pub locator: Option<Bytes>,
    /// Metadata that the caller can use if it comes with the read at no further request.
    pub want: Facets,
}

/// What a read gives.
#[derive(Debug)]
pub struct Reading {
    /// The entry as the server described it with this read.
    pub entry: Entry,
    /// The content.
    pub body: Body,
}

/// Content: one piece where it is small, else a stream.
pub enum Body {
    /// All of it.
    Whole(Bytes),
    /// Pieces in order. Ends only after every byte came; anything short ends in an error.
    Stream(BoxStream<'static, Result<Bytes>>),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(data) => write!(f, "Whole({} bytes)", data.len()),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// Size of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes it can hold.
    pub capacity: u64,
    /// Bytes in use.
    pub used: u64,
    /// Bytes that we could still write.
    pub available: u64,
    /// Inodes in use, where the server counts them.
    pub files: Option<u64>,
}

/// Collects a body of at most `limit` bytes; `Invalid` when it is longer.
pub async fn collect_body(body: Body, limit: u64) -> Result<Vec<Bytes>> {
    let too_long = || Error::new(ErrorKind::Invalid, "hold the content in memory");
    let fits = |len: u64| if len > limit { Err(too_long()) } else { Ok(()) };
    match body {
        Body::Whole(data) => {
            fits(data.len() as u64)?;
            Ok(vec![data])
        }
        Body::Stream(mut pieces) => {
            let mut all = Vec::new();
            let mut len = 0_u64;
            while let Some(piece) = pieces.next().await {
                let piece = piece?;
                len += piece.len() as u64;
                fits(len)?;
                all.push(piece);
            }
            Ok(all)
        }
    }
}
