//! Not waiting for ever.

use crate::{
    Abandoned, Body, Capabilities, Error, ErrorKind, ListSpec, Node, Page, PartRules, Published, ReadSpec, Reading,
    Receipt, Result, ResumeToken, Source, Target, Upload, Usage, WriteSpec,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, future::BoxFuture, stream::BoxStream};
use model::{Digests, Entry, Facets, Metadata, RelPath, Stamp};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// For each operation, and for each page of a listing.
    pub operation: Duration,
    /// For each piece of a body.
    pub silence: Duration,
    /// Added to `operation` for each MiB that a write carries, so that a slow line is not taken for a
    /// dead one.
    pub per_mib: Duration,
}

impl Default for Deadlines {
    /// A minute for an operation, 30 seconds of silence in a body, writes at 128 KiB/s or more.
    fn default() -> Self {
        Self { operation: Duration::from_mins(1), silence: Duration::from_secs(30), per_mib: Duration::from_secs(8) }
    }
}

/// Ends with [`ErrorKind::Timeout`] what takes too long.
#[derive(Debug)]
pub struct Deadline<S: ?Sized> {
    inner: Arc<S>,
    deadlines: Deadlines,
}

impl<S: ?Sized> Deadline<S> {
    /// Wraps `inner`.
    pub fn new(inner: Arc<S>, deadlines: Deadlines) -> Self {
        Self { inner, deadlines }
    }
    async fn within<T>(
        &self,
        op: &'static str,
        path: &RelPath,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        within(self.deadlines.operation, op, path, call).await
    }
}

async fn within<T>(
    limit: Duration,
    op: &'static str,
    path: &RelPath,
    call: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    timeout(limit, call).await.unwrap_or_else(|_| Err(late(limit, op, path)))
}

fn late(limit: Duration, op: &'static str, path: &RelPath) -> Error {
    Error::new(ErrorKind::Timeout, op).at(path).because(format!("nothing came for {limit:?}"))
}

/// The items of a stream, each within `limit`; the stream ends after one that is late.
fn timed<T: Send + 'static>(
    items: BoxStream<'static, Result<T>>,
    limit: Duration,
    op: &'static str,
    path: &RelPath,
) -> BoxStream<'static, Result<T>> {
    let start = Some((items, path.clone()));
    let step = move |state: Option<(BoxStream<'static, Result<T>>, RelPath)>| async move {
        let (mut items, path) = state?;
        match timeout(limit, items.next()).await {
            Ok(item) => Some((item?, Some((items, path)))),
            Err(_) => Some((Err(late(limit, op, &path)), None)),
        }
    };
    futures::stream::unfold(start, step).boxed()
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Source + ?Sized> Source for Deadline<S> {
    fn caps(&self) -> &Capabilities {
        self.inner.caps()
    }

    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        timed(self.inner.list(dir, spec), self.deadlines.operation, "list", dir)
    }

    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        self.within("look at", path, self.inner.stat(path, want)).await
    }

    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        let Reading { entry, body } = self.within("read", path, self.inner.read(path, spec)).await?;
        let body = match body {
            Body::Whole(data) => Body::Whole(data),
            Body::Stream(pieces) => Body::Stream(timed(pieces, self.deadlines.silence, "read", path)),
        };
        Ok(Reading { entry, body })
    }

    async fn usage(&self) -> Result<Option<Usage>> {
        self.within("ask for the size of", &RelPath::ROOT, self.inner.usage()).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Target + ?Sized> Target for Deadline<S> {
    async fn put(&self, path: &RelPath, spec: WriteSpec, data: Vec<Bytes>) -> Result<Published> {
        let limit = self.deadlines.carrying(&data);
        within(limit, "write", path, self.inner.put(path, spec, data)).await
    }

    async fn create(&self, path: &RelPath, spec: WriteSpec) -> Result<Box<dyn Upload>> {
        let inner = self.within("open a write of", path, self.inner.create(path, spec)).await?;
        Ok(Box::new(DeadlineUpload { inner, path: path.clone(), deadlines: self.deadlines }))
    }

    async fn resume(
        &self,
        path: &RelPath,
        spec: WriteSpec,
        token: &ResumeToken,
    ) -> Result<(Box<dyn Upload>, Vec<Receipt>)> {
        let resumed = self.within("resume the write of", path, self.inner.resume(path, spec, token)).await;
        let (inner, receipts) = resumed?;
        Ok((Box::new(DeadlineUpload { inner, path: path.clone(), deadlines: self.deadlines }), receipts))
    }

    async fn abandoned(&self, path: &RelPath) -> Result<Vec<Abandoned>> {
        self.within("look for unfinished writes of", path, self.inner.abandoned(path)).await
    }

    async fn discard(&self, path: &RelPath, token: &ResumeToken) -> Result<()> {
        self.within("drop the unfinished write of", path, self.inner.discard(path, token)).await
    }

    async fn apply(&self, path: &RelPath, meta: &Metadata, which: Facets) -> Result<Facets> {
        self.within("write the metadata of", path, self.inner.apply(path, meta, which)).await
    }

    async fn make(&self, path: &RelPath, node: Node, meta: &Metadata) -> Result<Published> {
        self.within("make", path, self.inner.make(path, node, meta)).await
    }

    async fn remove(&self, path: &RelPath, if_stamp: Option<&Stamp>) -> Result<()> {
        self.within("remove", path, self.inner.remove(path, if_stamp)).await
    }
}

impl Deadlines {
    fn carrying(&self, data: &[Bytes]) -> Duration {
        let mib = super::total(data).div_ceil(1 << 20);
        self.operation + self.per_mib.saturating_mul(u32::try_from(mib).unwrap_or(u32::MAX))
    }
}

struct DeadlineUpload {
    inner: Box<dyn Upload>,
    path: RelPath,
    deadlines: Deadlines,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upload for DeadlineUpload {
    fn rules(&self) -> PartRules {
        self.inner.rules()
    }
    fn token(&self) -> Option<ResumeToken> {
        self.inner.token()
    }
    fn part(&self, index: u32, offset: u64, data: Vec<Bytes>, crc64nvme: u64) -> BoxFuture<'static, Result<Receipt>> {
        let (limit, path) = (self.deadlines.carrying(&data), self.path.clone());
        let part = self.inner.part(index, offset, data, crc64nvme);
        Box::pin(async move { within(limit, "write a part of", &path, part).await })
    }
    async fn finish(self: Box<Self>, receipts: Vec<Receipt>, whole: Digests) -> Result<Published> {
        within(self.deadlines.operation, "finish the write of", &self.path, self.inner.finish(receipts, whole)).await
    }
    async fn abort(self: Box<Self>) -> Result<()> {
        within(self.deadlines.operation, "abort the write of", &self.path, self.inner.abort()).await
    }
}
