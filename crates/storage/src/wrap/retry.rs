//! Trying again, in the one place where that is done.

use super::retry_upload::{RetryingUpload, landed};
use crate::{
    Abandoned, Body, Capabilities, Error, ErrorKind, ListOrder, ListSpec, Node, Page, Published, Reach, ReadSpec,
    Reading, Receipt, Result, ResumeToken, Retry, Source, Target, Upload, Usage, WriteSpec, checksum,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use model::{Digests, Entry, Facets, Metadata, RelPath, Stamp};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Entries of one page that are looked at by themselves because the listing could not tell what they are. More of them
/// are no accident of the moment.
const LOOKED_AT_AGAIN: usize = 16;

/// How long to go on trying.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// Tries in all for errors with [`Retry::Backoff`], the first included.
    pub tries: u32,
    /// The first pause is chosen between nothing and this; the bound doubles each time.
    pub base: Duration,
    /// No pause is longer than this.
    pub longest: Duration,
    /// Pauses that the server asks for ([`Retry::After`]) use up no tries, but together no more than this.
    pub patience: Duration,
}

impl Default for RetryPolicy {
    /// Six tries within at most about 25 seconds; half an hour of the server's own pauses, because a file
    /// that is recalled from tape takes minutes.
    fn default() -> Self {
        Self {
            tries: 6,
            base: Duration::from_millis(200),
            longest: Duration::from_secs(20),
            patience: Duration::from_mins(30),
        }
    }
}

/// Tries again what may be tried again, with pauses that grow exponentially and have full jitter.
///
/// A listing goes on at the cursor of its last page, a body at the byte where it broke, on the condition
/// that the content is still the same. A write whose answer was lost is looked up before it is repeated.
#[derive(Debug)]
pub struct Retrying<S: ?Sized> {
    inner: Arc<S>,
    backoff: Arc<Backoff>,
}

impl<S: ?Sized> Retrying<S> {
    /// Wraps `inner`; the same seed gives the same pauses.
    pub fn new(inner: Arc<S>, policy: RetryPolicy, seed: u64) -> Self {
        let chance = Mutex::new(fastrand::Rng::with_seed(seed));
        Self { inner, backoff: Arc::new(Backoff { policy, chance }) }
    }
}

/// The policy and the dice.
#[derive(Debug)]
pub(super) struct Backoff {
    policy: RetryPolicy,
    chance: Mutex<fastrand::Rng>,
}

/// What was used up by one operation.
#[derive(Debug, Default)]
pub(super) struct Tries {
    failed: u32,
    waited: Duration,
}

impl Tries {
    /// Has it been tried before?
    pub(super) fn repeated(&self) -> bool {
        self.failed > 0 || !self.waited.is_zero()
    }
}

impl Backoff {
    /// Waits as the error asks; `false` when it should not be tried again.
    pub(super) async fn pause(&self, error: &Error, tries: &mut Tries) -> bool {
        let pause = match error.retry() {
            Retry::Never => return false,
            Retry::After(pause) if tries.waited + pause > self.policy.patience => return false,
            Retry::After(pause) => {
                tries.waited += pause;
                pause
            }
            Retry::Backoff => {
                tries.failed += 1;
                if tries.failed >= self.policy.tries {
                    return false;
                }
                let bound = self.policy.base.saturating_mul(1 << (tries.failed - 1).min(20)).min(self.policy.longest);
                let part = self.chance.lock().unwrap_or_else(PoisonError::into_inner).f64();
                bound.mul_f64(part)
            }
        };
        tracing::debug!(?pause, failed = tries.failed, %error, "trying again");
        tokio::time::sleep(pause).await;
        true
    }

    /// Calls until it succeeds or should not be tried again.
    pub(super) async fn again<T, F: Future<Output = Result<T>> + Send>(
        &self,
        mut call: impl FnMut() -> F + Send,
    ) -> Result<T> {
        let mut tries = Tries::default();
        loop {
            match call().await {
                Ok(done) => return Ok(done),
                Err(error) if self.pause(&error, &mut tries).await => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Source + ?Sized> Source for Retrying<S> {
    fn caps(&self) -> &Capabilities {
        self.inner.caps()
    }

    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        let listing = Listing {
            inner: Arc::clone(&self.inner),
            backoff: Arc::clone(&self.backoff),
            dir: dir.clone(),
            spec,
            pages: None,
            tries: Tries::default(),
        };
        futures::stream::unfold(Some(listing), |listing| async { listing?.next().await }).boxed()
    }

    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        self.backoff.again(|| self.inner.stat(path, want)).await
    }

    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        let reading = self.backoff.again(|| self.inner.read(path, spec.clone())).await?;
        let Body::Stream(pieces) = reading.body else { return Ok(reading) };
        let size = reading.entry.stamp.size;
        let range = spec.range.clone().unwrap_or(0..size);
        let stamp = spec.if_stamp.clone().unwrap_or_else(|| reading.entry.stamp.clone());
        let content = Content {
            inner: Arc::clone(&self.inner),
            backoff: Arc::clone(&self.backoff),
            path: path.clone(),
            spec: ReadSpec { if_stamp: Some(stamp), ..spec },
            at: range.start,
            end: range.end.min(size),
            pieces: Some(pieces),
            tries: Tries::default(),
        };
        let body = futures::stream::unfold(Some(content), |content| async { content?.next().await });
        Ok(Reading { entry: reading.entry, body: Body::Stream(body.boxed()) })
    }

    async fn usage(&self) -> Result<Option<Usage>> {
        self.backoff.again(|| self.inner.usage()).await
    }
}

/// A listing that goes on where it broke.
struct Listing<S: ?Sized> {
    inner: Arc<S>,
    backoff: Arc<Backoff>,
    dir: RelPath,
    spec: ListSpec,
    pages: Option<BoxStream<'static, Result<Page>>>,
    tries: Tries,
}

impl<S: Source + ?Sized> Listing<S> {
    async fn next(mut self) -> Option<(Result<Page>, Option<Self>)> {
        loop {
            let pages = self.pages.get_or_insert_with(|| self.inner.list(&self.dir, self.spec.clone()));
            match pages.next().await? {
                Ok(mut page) => {
                    if let Err(error) = look_again(&*self.inner, &self.backoff, self.spec.want, &mut page).await {
                        return Some((Err(error), None));
                    }
                    self.tries = Tries::default();
                    self.spec.from.clone_from(&page.next);
                    let more = page.next.is_some().then_some(self);
                    return Some((Ok(page), more));
                }
                Err(error) => {
                    self.pages = None;
                    if !self.backoff.pause(&error, &mut self.tries).await {
                        return Some((Err(error), None));
                    }
                }
            }
        }
    }
}

/// Looks at the first entries that could not be read, each by itself.
///
/// Errors: the server is gone, so that the page is to be listed again.
async fn look_again<S: Source + ?Sized>(inner: &S, backoff: &Backoff, want: Facets, page: &mut Page) -> Result<()> {
    let later = page.unread.split_off(page.unread.len().min(LOOKED_AT_AGAIN));
    for mut error in std::mem::replace(&mut page.unread, later) {
        let (path, mut tries) = (error.path().cloned(), Tries::default());
        let found = loop {
            let Some(path) = &path else { break Err(error) };
            if !backoff.pause(&error, &mut tries).await {
                break Err(error);
            }
            match inner.stat(path, want).await {
                Ok(entry) => break Ok(Some(entry)),
                Err(gone) if gone.kind() == ErrorKind::NotFound => break Ok(None),
                Err(again) => error = again,
            }
        };
        match found {
            Ok(entry) => {
                page.entries.extend(entry);
                if inner.caps().list == ListOrder::ByteOrder {
                    page.entries.sort_by_cached_key(Entry::sort_key);
                }
            }
            Err(error) if error.reach() > Reach::Item || error.kind() == ErrorKind::Disconnected => return Err(error),
            Err(error) => page.unread.push(error),
        }
    }
    Ok(())
}

/// A body that goes on at the byte where it broke.
struct Content<S: ?Sized> {
    inner: Arc<S>,
    backoff: Arc<Backoff>,
    path: RelPath,
    spec: ReadSpec,
    at: u64,
    end: u64,
    pieces: Option<BoxStream<'static, Result<Bytes>>>,
    tries: Tries,
}

impl<S: Source + ?Sized> Content<S> {
    async fn next(mut self) -> Option<(Result<Bytes>, Option<Self>)> {
        loop {
            let error = match self.piece().await {
                Ok(None) => return None,
                Ok(Some(piece)) => {
                    self.tries = Tries::default();
                    self.at += piece.len() as u64;
                    return Some((Ok(piece), Some(self)));
                }
                Err(error) => error,
            };
            self.pieces = None;
            let rest = self.inner.caps().ranged_read || self.at == 0;
            if !rest || !self.backoff.pause(&error, &mut self.tries).await {
                return Some((Err(error), None));
            }
        }
    }

    async fn piece(&mut self) -> Result<Option<Bytes>> {
        let Some(pieces) = &mut self.pieces else { return self.reopen().await };
        match pieces.next().await {
            Some(piece) => piece.map(Some),
            None if self.at < self.end => Err(self.ended()),
            None => Ok(None),
        }
    }

    fn ended(&self) -> Error {
        let cause = format!("the content ended at byte {} of {}", self.at, self.end);
        Error::new(ErrorKind::Disconnected, "read").at(&self.path).because(cause)
    }

    /// Opens the content again at the byte that is due. When every byte came and only the end broke, it
    /// is enough that the content is still the same.
    async fn reopen(&mut self) -> Result<Option<Bytes>> {
        if self.at >= self.end {
            let entry = self.inner.stat(&self.path, Facets::NONE).await?;
            if self.inner.caps().conditional_read && self.spec.if_stamp.as_ref() != Some(&entry.stamp) {
                return Err(Error::new(ErrorKind::Changed, "read").at(&self.path));
            }
            self.pieces = Some(futures::stream::empty().boxed());
            return Ok(None);
        }
        // From the first byte the caller's own range is as good, and a store without ranges can do it.
        let range = if self.at == 0 { self.spec.range.clone() } else { Some(self.at..self.end) };
        let reading = self.inner.read(&self.path, ReadSpec { range, ..self.spec.clone() }).await?;
        match reading.body {
            Body::Whole(rest) => {
                self.pieces = Some(futures::stream::empty().boxed());
                Ok(Some(rest))
            }
            Body::Stream(mut pieces) => {
                let first = pieces.next().await.transpose()?;
                self.pieces = Some(pieces);
                match first {
                    Some(first) => Ok(Some(first)),
                    None => Err(self.ended()),
                }
            }
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Target + ?Sized> Target for Retrying<S> {
    async fn put(&self, path: &RelPath, spec: WriteSpec, data: Vec<Bytes>) -> Result<Published> {
        let mut tries = Tries::default();
        loop {
            let error = match self.inner.put(path, spec.clone(), data.clone()).await {
                Ok(done) => return Ok(done),
                // Perhaps the earlier try made it, and only its answer was lost.
                Err(error) if error.kind() == ErrorKind::AlreadyExists && tries.repeated() => {
                    let digests = Digests { crc64nvme: Some(checksum::crc64nvme(&data)), ..spec.digests };
                    let size = super::total(&data);
                    let written = landed(&*self.inner, &self.backoff, path, &spec, size, &digests).await;
                    return written?.ok_or(error);
                }
                Err(error) => error,
            };
            if !self.backoff.pause(&error, &mut tries).await {
                return Err(error);
            }
        }
    }

    async fn create(&self, path: &RelPath, spec: WriteSpec) -> Result<Box<dyn Upload>> {
        let upload = self.backoff.again(|| self.inner.create(path, spec.clone())).await?;
        Ok(Box::new(RetryingUpload::new(&self.inner, &self.backoff, path, spec, upload)))
    }

    async fn resume(
        &self,
        path: &RelPath,
        spec: WriteSpec,
        token: &ResumeToken,
    ) -> Result<(Box<dyn Upload>, Vec<Receipt>)> {
        let (upload, receipts) = self.backoff.again(|| self.inner.resume(path, spec.clone(), token)).await?;
        Ok((Box::new(RetryingUpload::new(&self.inner, &self.backoff, path, spec, upload)), receipts))
    }

    async fn abandoned(&self, path: &RelPath) -> Result<Vec<Abandoned>> {
        self.backoff.again(|| self.inner.abandoned(path)).await
    }

    async fn discard(&self, path: &RelPath, token: &ResumeToken) -> Result<()> {
        self.backoff.again(|| self.inner.discard(path, token)).await
    }

    async fn apply(&self, path: &RelPath, meta: &Metadata, which: Facets) -> Result<Facets> {
        self.backoff.again(|| self.inner.apply(path, meta, which)).await
    }

    async fn make(&self, path: &RelPath, node: Node, meta: &Metadata) -> Result<Published> {
        self.backoff.again(|| self.inner.make(path, node.clone(), meta)).await
    }

    async fn remove(&self, path: &RelPath, if_stamp: Option<&Stamp>) -> Result<()> {
        let mut tries = Tries::default();
        loop {
            match self.inner.remove(path, if_stamp).await {
                Err(error) if error.kind() == ErrorKind::NotFound && tries.repeated() => return Ok(()),
                Err(error) if self.backoff.pause(&error, &mut tries).await => {}
                done => return done,
            }
        }
    }
}
