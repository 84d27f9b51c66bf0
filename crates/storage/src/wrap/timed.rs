//! Telling what each call at a door cost.

use crate::{
    Abandoned, Body, Capabilities, ListSpec, Node, Page, PartRules, Probe, Published, ReadSpec, Reading, Receipt,
    Result, ResumeToken, Source, Target, Upload, Usage, WriteSpec,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, future::BoxFuture, stream::BoxStream};
use model::{Digests, Entry, Facets, Metadata, RelPath, Stamp};
use std::sync::Arc;
use tokio::time::Instant;

/// Reports every call to a [`Probe`], by the door's name: `list` for each page, `stat`, `read` until the
/// body is there, `body` for each piece of a streamed one, `usage`, `put`, `create`, `resume`, `part`,
/// `finish`, `abort`, `abandoned`, `discard`, `apply`, `make`, `remove`.
#[derive(Debug)]
pub struct Timed<S: ?Sized> {
    inner: Arc<S>,
    probe: Arc<dyn Probe>,
}

impl<S: ?Sized> Timed<S> {
    /// Wraps `inner`.
    pub fn new(inner: Arc<S>, probe: Arc<dyn Probe>) -> Self {
        Self { inner, probe }
    }
}

async fn observed<T>(probe: &dyn Probe, op: &'static str, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
    let started = Instant::now();
    let answer = call.await;
    probe.observed(op, started.elapsed(), answer.is_ok());
    answer
}

/// The items of a stream, each reported; its end is not a call.
fn each<T: Send + 'static>(
    items: BoxStream<'static, Result<T>>,
    op: &'static str,
    probe: &Arc<dyn Probe>,
) -> BoxStream<'static, Result<T>> {
    let step = move |(mut items, probe): (BoxStream<'static, Result<T>>, Arc<dyn Probe>)| async move {
        let started = Instant::now();
        let item = items.next().await?;
        probe.observed(op, started.elapsed(), item.is_ok());
        Some((item, (items, probe)))
    };
    futures::stream::unfold((items, Arc::clone(probe)), step).boxed()
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Source + ?Sized> Source for Timed<S> {
    fn caps(&self) -> &Capabilities {
        self.inner.caps()
    }

    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        each(self.inner.list(dir, spec), "list", &self.probe)
    }

    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        observed(&*self.probe, "stat", self.inner.stat(path, want)).await
    }

    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        let Reading { entry, body } = observed(&*self.probe, "read", self.inner.read(path, spec)).await?;
        let body = match body {
            Body::Whole(data) => Body::Whole(data),
            Body::Stream(pieces) => Body::Stream(each(pieces, "body", &self.probe)),
        };
        Ok(Reading { entry, body })
    }

    async fn usage(&self) -> Result<Option<Usage>> {
        observed(&*self.probe, "usage", self.inner.usage()).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Target + ?Sized> Target for Timed<S> {
    async fn put(&self, path: &RelPath, spec: WriteSpec, data: Vec<Bytes>) -> Result<Published> {
        observed(&*self.probe, "put", self.inner.put(path, spec, data)).await
    }

    async fn create(&self, path: &RelPath, spec: WriteSpec) -> Result<Box<dyn Upload>> {
        let inner = observed(&*self.probe, "create", self.inner.create(path, spec)).await?;
        Ok(Box::new(TimedUpload { inner, probe: Arc::clone(&self.probe) }))
    }

    async fn resume(
        &self,
        path: &RelPath,
        spec: WriteSpec,
        token: &ResumeToken,
    ) -> Result<(Box<dyn Upload>, Vec<Receipt>)> {
        let (inner, receipts) = observed(&*self.probe, "resume", self.inner.resume(path, spec, token)).await?;
        Ok((Box::new(TimedUpload { inner, probe: Arc::clone(&self.probe) }), receipts))
    }

    async fn abandoned(&self, path: &RelPath) -> Result<Vec<Abandoned>> {
        observed(&*self.probe, "abandoned", self.inner.abandoned(path)).await
    }

    async fn discard(&self, path: &RelPath, token: &ResumeToken) -> Result<()> {
        observed(&*self.probe, "discard", self.inner.discard(path, token)).await
    }

    async fn apply(&self, path: &RelPath, meta: &Metadata, which: Facets) -> Result<Facets> {
        observed(&*self.probe, "apply", self.inner.apply(path, meta, which)).await
    }

    async fn make(&self, path: &RelPath, node: Node, meta: &Metadata) -> Result<Published> {
        observed(&*self.probe, "make", self.inner.make(path, node, meta)).await
    }

    async fn remove(&self, path: &RelPath, if_stamp: Option<&Stamp>) -> Result<()> {
        observed(&*self.probe, "remove", self.inner.remove(path, if_stamp)).await
    }
}

struct TimedUpload {
    inner: Box<dyn Upload>,
    probe: Arc<dyn Probe>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upload for TimedUpload {
    fn rules(&self) -> PartRules {
        self.inner.rules()
    }
    fn token(&self) -> Option<ResumeToken> {
        self.inner.token()
    }
    fn part(&self, index: u32, offset: u64, data: Vec<Bytes>, crc64nvme: u64) -> BoxFuture<'static, Result<Receipt>> {
        let (part, probe) = (self.inner.part(index, offset, data, crc64nvme), Arc::clone(&self.probe));
        Box::pin(async move { observed(&*probe, "part", part).await })
    }
    async fn finish(self: Box<Self>, receipts: Vec<Receipt>, whole: Digests) -> Result<Published> {
        observed(&*self.probe, "finish", self.inner.finish(receipts, whole)).await
    }
    async fn abort(self: Box<Self>) -> Result<()> {
        observed(&*self.probe, "abort", self.inner.abort()).await
    }
}
