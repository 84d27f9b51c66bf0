//! The writing half of a store.

use crate::{PartRules, Result, Source};
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use model::{Digests, Facets, Metadata, RelPath, Special, Stamp};

/// A store that can also be written. Nothing shows under a name before the write is complete.
///
/// Parent directories are made as needed by every method that makes something. Metadata in a spec is
/// written together with the content wherever the store can; what was kept comes back, and silence is
/// not success.
#[async_trait]
pub trait Target: Source {
    /// Writes a whole object of at most `Capabilities::put_max` bytes in one go: one request where the
    /// protocol can. Digests in the spec are sent along for the server to check (`Corrupt` when it
    /// disagrees). With `if_absent`, `AlreadyExists` when something is there.
    async fn put(&self, path: &RelPath, spec: WriteSpec, data: Vec<Bytes>) -> Result<Published>;

    /// Opens a write in parts that shows nothing under `path` until [`Upload::finish`].
    async fn create(&self, path: &RelPath, spec: WriteSpec) -> Result<Box<dyn Upload>>;

    /// Re-opens a write left behind by a process that died, and tells which parts the server holds.
    /// `NotFound` when it is gone.
    async fn resume(
        &self,
        path: &RelPath,
        spec: WriteSpec,
        token: &ResumeToken,
    ) -> Result<(Box<dyn Upload>, Vec<Receipt>)>;

    /// Writes to exactly `path` that were opened and neither finished nor aborted, by whomever.
    async fn abandoned(&self, path: &RelPath) -> Result<Vec<Abandoned>>;

    /// Drops a write left behind. Succeeds when it is gone already.
    async fn discard(&self, path: &RelPath, token: &ResumeToken) -> Result<()>;

    /// Writes metadata of what is there; returns the facets that were really written.
    async fn apply(&self, path: &RelPath, meta: &Metadata, which: Facets) -> Result<Facets>;

    /// Makes something without content. An existing directory is not an error (its metadata is written);
    /// an existing anything else is replaced, unless it is a directory (`AlreadyExists`).
    async fn make(&self, path: &RelPath, node: Node, meta: &Metadata) -> Result<Published>;

    /// Removes a file, a link or an empty directory; `Changed` when `if_stamp` does not hold.
    async fn remove(&self, path: &RelPath, if_stamp: Option<&Stamp>) -> Result<()>;
}

/// What is about to be written.
#[derive(Clone, Debug, Default)]
pub struct WriteSpec {
    /// The size, where it is known.
    pub size: Option<u64>,
    /// Metadata to write with it.
    pub meta: Metadata,
    /// Only if nothing is there.
    pub if_absent: bool,
    /// What the content's digests are, where they are known beforehand (`put` only).
    pub digests: Digests,
    /// Storage class of an object, in the API's word; the bucket's default when absent.
    pub storage_class: Option<String>,
}

/// What a finished write left, as the store says.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// The stamp that a `stat` right after would show, as far as the answer tells.
    pub stamp: Stamp,
    /// Digests that the *server* computed or checked.
    pub digests: Digests,
    /// Facets of the metadata that were kept.
    pub kept: Facets,
}

/// Something without content of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink {
        /// Where it points, raw bytes.
        target: Bytes,
    },
    /// Another name of an existing file in the same location.
    HardLink {
        /// The existing file.
        to: RelPath,
    },
    /// A pipe, socket or device.
    Special(Special),
}

/// What a driver needs to find an unfinished write again. Opaque.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResumeToken(pub Bytes);

/// A write that somebody opened and left.
#[derive(Clone, Debug)]
pub struct Abandoned {
    /// How to resume or discard it.
    pub token: ResumeToken,
    /// When it was opened, where the store says so.
    pub since: Option<model::Timestamp>,
}

/// One write in progress. Parts may be in flight together; the *caller* decides how many, because only
/// the caller knows the memory budget of the whole run. Dropping it leaves the write open on the store
/// (it can be resumed); `abort` removes it.
#[async_trait]
pub trait Upload: Send + Sync {
    /// What parts it takes.
    fn rules(&self) -> PartRules;
    /// How to find it again after a crash; `None` where the store cannot resume.
    fn token(&self) -> Option<ResumeToken>;
    /// Sends part `index` (from 0), whose first byte is at `offset`. `'static`, so it may be spawned; the
    /// bytes are moved, never copied. `crc64nvme` is the part's own checksum, for the server to check.
    fn part(&self, index: u32, offset: u64, data: Vec<Bytes>, crc64nvme: u64) -> BoxFuture<'static, Result<Receipt>>;
    /// Makes the bytes durable and visible. `whole` is sent along for the server to check.
    async fn finish(self: Box<Self>, receipts: Vec<Receipt>, whole: Digests) -> Result<Published>;
    /// Removes what was written so far.
    async fn abort(self: Box<Self>) -> Result<()>;
}

/// What the store said of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Which part, from 0.
    pub index: u32,
    /// Bytes in it.
    pub len: u64,
    /// CRC-64/NVME of the part, ours and checked by the server where it can.
    pub crc64nvme: Option<u64>,
    /// What the store wants back at the end (an ETag).
    pub tag: Bytes,
}
