//! Not asking too much of a server.

use crate::{
    Abandoned, Body, Capabilities, ListSpec, Node, Page, PartRules, Published, ReadSpec, Reading, Receipt, Result,
    ResumeToken, Source, Target, Upload, Usage, WriteSpec,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, future::BoxFuture, stream::BoxStream};
use model::{Digests, Entry, Facets, Metadata, RelPath, Stamp};
use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// What a store is asked for at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests in flight together. A body counts as a request until it is read or dropped.
    pub in_flight: NonZeroUsize,
    /// Bytes of content per second, both ways together.
    pub bytes_per_second: Option<NonZeroU64>,
    /// Requests per second.
    pub requests_per_second: Option<NonZeroU32>,
}

impl Limits {
    /// What keeps both: of each figure the lower one.
    #[must_use]
    pub fn strictest(&self, other: &Self) -> Self {
        fn lower<T: Ord + Copy>(one: Option<T>, other: Option<T>) -> Option<T> {
            one.into_iter().chain(other).min()
        }
        Self {
            in_flight: self.in_flight.min(other.in_flight),
            bytes_per_second: lower(self.bytes_per_second, other.bytes_per_second),
            requests_per_second: lower(self.requests_per_second, other.requests_per_second),
        }
    }
}

/// Holds requests back so that the limits are kept.
///
/// Whoever holds a body holds a request: a copy from a store to itself needs `in_flight` of at least two
/// for each file in progress, or it waits for itself.
#[derive(Debug)]
pub struct Limited<S: ?Sized> {
    inner: Arc<S>,
    gate: Arc<Gate>,
}

impl<S: ?Sized> Limited<S> {
    /// Wraps `inner`.
    pub fn new(inner: Arc<S>, limits: &Limits) -> Self {
        Self::through(inner, Arc::new(Gate::new(limits)))
    }
    /// Wraps `inner` so that it shares its limits with everything else that goes through `gate`: all systems of
    /// one server.
    pub fn through(inner: Arc<S>, gate: Arc<Gate>) -> Self {
        Self { inner, gate }
    }
}

/// Limits that several stores may share.
#[derive(Debug)]
pub struct Gate {
    permits: Arc<Semaphore>,
    bytes: Option<Pace>,
    requests: Option<Pace>,
}

impl Gate {
    /// Nothing is under way.
    pub fn new(limits: &Limits) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(limits.in_flight.get().min(Semaphore::MAX_PERMITS))),
            bytes: limits.bytes_per_second.map(|rate| Pace::new(rate.get())),
            requests: limits.requests_per_second.map(|rate| Pace::new(u64::from(rate.get()))),
        }
    }
    async fn enter(&self) -> OwnedSemaphorePermit {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the gate is never closed");
        if let Some(pace) = &self.requests {
            pace.pass(1).await;
        }
        permit
    }
    async fn carry(&self, bytes: u64) {
        if let Some(pace) = &self.bytes {
            pace.pass(bytes).await;
        }
    }
    async fn within<T>(&self, call: impl Future<Output = T> + Send) -> T {
        let _permit = self.enter().await;
        call.await
    }
}

/// Lets through so many units a second, after a pause at most a tenth of a second's worth at once.
#[derive(Debug)]
struct Pace {
    per_second: u64,
    /// When the next unit may pass.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    const BURST: Duration = Duration::from_millis(100);

    fn new(per_second: u64) -> Self {
        Self { per_second, next: Mutex::new(None) }
    }
    async fn pass(&self, units: u64) {
        let nanos = u128::from(units) * 1_000_000_000 / u128::from(self.per_second);
        let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let start = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let start = next.map_or(now, |next| next.max(now.checked_sub(Self::BURST).unwrap_or(now)));
            *next = Some(start + takes);
            start
        };
        tokio::time::sleep_until(start).await;
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Source + ?Sized> Source for Limited<S> {
    fn caps(&self) -> &Capabilities {
        self.inner.caps()
    }

    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        let pages = self.inner.list(dir, spec);
        let start = (pages, Arc::clone(&self.gate));
        let step = |(mut pages, gate): (BoxStream<'static, Result<Page>>, Arc<Gate>)| async move {
            let page = gate.within(pages.next()).await?;
            Some((page, (pages, gate)))
        };
        futures::stream::unfold(start, step).boxed()
    }

    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        self.gate.within(self.inner.stat(path, want)).await
    }

    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        let permit = self.gate.enter().await;
        let Reading { entry, body } = self.inner.read(path, spec).await?;
        let body = match body {
            Body::Whole(data) => {
                self.gate.carry(data.len() as u64).await;
                Body::Whole(data)
            }
            Body::Stream(pieces) => {
                let start = (pieces, Arc::clone(&self.gate), permit);
                let step = |(mut pieces, gate, permit): (BoxStream<'static, Result<Bytes>>, Arc<Gate>, _)| async move {
                    let piece = pieces.next().await?;
                    gate.carry(piece.as_ref().map_or(0, |piece| piece.len() as u64)).await;
                    Some((piece, (pieces, gate, permit)))
                };
                Body::Stream(futures::stream::unfold(start, step).boxed())
            }
        };
        Ok(Reading { entry, body })
    }

    async fn usage(&self) -> Result<Option<Usage>> {
        self.gate.within(self.inner.usage()).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Target + ?Sized> Target for Limited<S> {
    async fn put(&self, path: &RelPath, spec: WriteSpec, data: Vec<Bytes>) -> Result<Published> {
        let _permit = self.gate.enter().await;
        self.gate.carry(super::total(&data)).await;
        self.inner.put(path, spec, data).await
    }

    async fn create(&self, path: &RelPath, spec: WriteSpec) -> Result<Box<dyn Upload>> {
        let inner = self.gate.within(self.inner.create(path, spec)).await?;
        Ok(Box::new(LimitedUpload { inner, gate: Arc::clone(&self.gate) }))
    }

    async fn resume(
        &self,
        path: &RelPath,
        spec: WriteSpec,
        token: &ResumeToken,
    ) -> Result<(Box<dyn Upload>, Vec<Receipt>)> {
        let (inner, receipts) = self.gate.within(self.inner.resume(path, spec, token)).await?;
        Ok((Box::new(LimitedUpload { inner, gate: Arc::clone(&self.gate) }), receipts))
    }

    async fn abandoned(&self, path: &RelPath) -> Result<Vec<Abandoned>> {
        self.gate.within(self.inner.abandoned(path)).await
    }

    async fn discard(&self, path: &RelPath, token: &ResumeToken) -> Result<()> {
        self.gate.within(self.inner.discard(path, token)).await
    }

    async fn apply(&self, path: &RelPath, meta: &Metadata, which: Facets) -> Result<Facets> {
        self.gate.within(self.inner.apply(path, meta, which)).await
    }

    async fn make(&self, path: &RelPath, node: Node, meta: &Metadata) -> Result<Published> {
        self.gate.within(self.inner.make(path, node, meta)).await
    }

    async fn remove(&self, path: &RelPath, if_stamp: Option<&Stamp>) -> Result<()> {
        self.gate.within(self.inner.remove(path, if_stamp)).await
    }
}

struct LimitedUpload {
    inner: Box<dyn Upload>,
    gate: Arc<Gate>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upload for LimitedUpload {
    fn rules(&self) -> PartRules {
        self.inner.rules()
    }
    fn token(&self) -> Option<ResumeToken> {
        self.inner.token()
    }
    fn part(&self, index: u32, offset: u64, data: Vec<Bytes>, crc64nvme: u64) -> BoxFuture<'static, Result<Receipt>> {
        let (gate, bytes) = (Arc::clone(&self.gate), super::total(&data));
        let part = self.inner.part(index, offset, data, crc64nvme);
        Box::pin(async move {
            let _permit = gate.enter().await;
            gate.carry(bytes).await;
            part.await
        })
    }
    async fn finish(self: Box<Self>, receipts: Vec<Receipt>, whole: Digests) -> Result<Published> {
        self.gate.within(self.inner.finish(receipts, whole)).await
    }
    async fn abort(self: Box<Self>) -> Result<()> {
        self.gate.within(self.inner.abort()).await
    }
}
