//! Failing on purpose, the same way each time.

mod plan;

pub use plan::{Door, Fault, FaultPlan, FaultRule, Injected, When};

use crate::{
    Abandoned, Body, Capabilities, Error, ErrorKind, ListSpec, Node, Page, PartRules, Published, ReadSpec, Reading,
    Receipt, Result, ResumeToken, Source, Target, Upload, Usage, WriteSpec,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, future::BoxFuture, stream::BoxStream};
use model::{Digests, Entry, Facets, Metadata, RelPath, Stamp};
use plan::Dice;
use std::sync::Arc;

/// Fails as a [`FaultPlan`] says. What fails depends on the seed, the door, the path and how often that
/// door was used for that path, never on the order in which tasks run: a seed repeats its run.
#[derive(Debug)]
pub struct Faulty<S: ?Sized> {
    inner: Arc<S>,
    dice: Arc<Dice>,
}

impl<S: ?Sized> Faulty<S> {
    /// Wraps `inner`.
    pub fn new(inner: Arc<S>, plan: FaultPlan) -> Self {
        Self { inner, dice: Arc::new(Dice::new(plan)) }
    }
    /// Every fault that was injected so far, in the order of the calls.
    pub fn injected(&self) -> Vec<Injected> {
        self.dice.injected()
    }
}

fn failure(kind: ErrorKind, door: Door, path: &RelPath) -> Error {
    Error::new(kind, door.op()).at(path).because("a fault was injected here")
}

/// Makes a call with the fault that was drawn for it.
async fn around<T>(
    fault: Option<Fault>,
    door: Door,
    path: &RelPath,
    call: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    match fault {
        Some(Fault::Before(kind)) => Err(failure(kind, door, path)),
        Some(Fault::After(kind)) => {
            call.await?;
            Err(failure(kind, door, path))
        }
        Some(Fault::Stall(pause)) => {
            tokio::time::sleep(pause).await;
            call.await
        }
        Some(Fault::Cut { .. } | Fault::Truncate { .. } | Fault::SizeLie(_)) | None => call.await,
    }
}

impl<S: ?Sized> Faulty<S> {
    async fn around<T>(&self, door: Door, path: &RelPath, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        around(self.dice.draw(door, path), door, path, call).await
    }
    fn upload(&self, path: &RelPath, inner: Box<dyn Upload>) -> Box<dyn Upload> {
        Box::new(FaultyUpload { inner, path: path.clone(), dice: Arc::clone(&self.dice) })
    }
}

fn lie(entry: &mut Entry, fault: Option<Fault>) {
    if let Some(Fault::SizeLie(by)) = fault {
        entry.stamp.size = entry.stamp.size.saturating_add_signed(by);
    }
}

/// The body as the fault leaves it.
fn spoiled(body: Body, fault: Option<Fault>, path: &RelPath) -> Body {
    let (at, end) = match fault {
        Some(Fault::Cut { at, kind }) => (at, Some(failure(kind, Door::Read, path))),
        Some(Fault::Truncate { at }) => (at, None),
        Some(Fault::Before(_) | Fault::After(_) | Fault::Stall(_) | Fault::SizeLie(_)) | None => return body,
    };
    let pieces = match body {
        Body::Whole(data) => futures::stream::iter([Ok(data)]).boxed(),
        Body::Stream(pieces) => pieces,
    };
    let step = |(mut pieces, left, end): (BoxStream<'static, Result<Bytes>>, u64, Option<Error>)| async move {
        if left == 0 {
            return end.map(|end| (Err(end), (futures::stream::empty().boxed(), 0, None)));
        }
        let piece = pieces.next().await?.map(|piece| {
            let len = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            piece.slice(..len)
        });
        let left = left - piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Some((piece, (pieces, left, end)))
    };
    Body::Stream(futures::stream::unfold((pieces, at, end), step).boxed())
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Source + ?Sized> Source for Faulty<S> {
    fn caps(&self) -> &Capabilities {
        self.inner.caps()
    }

    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        let start = Some((self.inner.list(dir, spec), Arc::clone(&self.dice), dir.clone()));
        let step = |state: Option<(BoxStream<'static, Result<Page>>, Arc<Dice>, RelPath)>| async move {
            let (mut pages, dice, dir) = state?;
            let fault = dice.draw(Door::List, &dir);
            let next = async { pages.next().await.transpose() };
            match around(fault, Door::List, &dir, next).await {
                Ok(None) => None,
                Ok(Some(mut page)) => {
                    page.entries.iter_mut().for_each(|entry| lie(entry, fault));
                    let Page { entries, unread, .. } = &mut page;
                    entries.retain(|entry| match dice.draw(Door::Entry, &entry.path) {
                        Some(Fault::Before(kind) | Fault::After(kind)) => {
                            unread.push(failure(kind, Door::Entry, &entry.path));
                            false
                        }
                        _ => true,
                    });
                    Some((Ok(page), Some((pages, dice, dir))))
                }
                Err(error) => Some((Err(error), None)),
            }
        };
        futures::stream::unfold(start, step).boxed()
    }

    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        let fault = self.dice.draw(Door::Stat, path);
        let mut entry = around(fault, Door::Stat, path, self.inner.stat(path, want)).await?;
        lie(&mut entry, fault);
        Ok(entry)
    }

    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        let fault = self.dice.draw(Door::Read, path);
        let mut reading = around(fault, Door::Read, path, self.inner.read(path, spec)).await?;
        lie(&mut reading.entry, fault);
        Ok(Reading { entry: reading.entry, body: spoiled(reading.body, fault, path) })
    }

    async fn usage(&self) -> Result<Option<Usage>> {
        self.around(Door::Usage, &RelPath::ROOT, self.inner.usage()).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Target + ?Sized> Target for Faulty<S> {
    async fn put(&self, path: &RelPath, spec: WriteSpec, data: Vec<Bytes>) -> Result<Published> {
        self.around(Door::Put, path, self.inner.put(path, spec, data)).await
    }

    async fn create(&self, path: &RelPath, spec: WriteSpec) -> Result<Box<dyn Upload>> {
        let inner = self.around(Door::Create, path, self.inner.create(path, spec)).await?;
        Ok(self.upload(path, inner))
    }

    async fn resume(
        &self,
        path: &RelPath,
        spec: WriteSpec,
        token: &ResumeToken,
    ) -> Result<(Box<dyn Upload>, Vec<Receipt>)> {
        let (inner, receipts) = self.around(Door::Resume, path, self.inner.resume(path, spec, token)).await?;
        Ok((self.upload(path, inner), receipts))
    }

    async fn abandoned(&self, path: &RelPath) -> Result<Vec<Abandoned>> {
        self.around(Door::Abandoned, path, self.inner.abandoned(path)).await
    }

    async fn discard(&self, path: &RelPath, token: &ResumeToken) -> Result<()> {
        self.around(Door::Discard, path, self.inner.discard(path, token)).await
    }

    async fn apply(&self, path: &RelPath, meta: &Metadata, which: Facets) -> Result<Facets> {
        self.around(Door::Apply, path, self.inner.apply(path, meta, which)).await
    }

    async fn make(&self, path: &RelPath, node: Node, meta: &Metadata) -> Result<Published> {
        self.around(Door::Make, path, self.inner.make(path, node, meta)).await
    }

    async fn remove(&self, path: &RelPath, if_stamp: Option<&Stamp>) -> Result<()> {
        self.around(Door::Remove, path, self.inner.remove(path, if_stamp)).await
    }
}

struct FaultyUpload {
    inner: Box<dyn Upload>,
    path: RelPath,
    dice: Arc<Dice>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upload for FaultyUpload {
    fn rules(&self) -> PartRules {
        self.inner.rules()
    }
    fn token(&self) -> Option<ResumeToken> {
        self.inner.token()
    }
    fn part(&self, index: u32, offset: u64, data: Vec<Bytes>, crc64nvme: u64) -> BoxFuture<'static, Result<Receipt>> {
        let fault = self.dice.draw(Door::Part, &self.path);
        let (part, path) = (self.inner.part(index, offset, data, crc64nvme), self.path.clone());
        Box::pin(async move { around(fault, Door::Part, &path, part).await })
    }
    async fn finish(self: Box<Self>, receipts: Vec<Receipt>, whole: Digests) -> Result<Published> {
        let fault = self.dice.draw(Door::Finish, &self.path);
        around(fault, Door::Finish, &self.path, self.inner.finish(receipts, whole)).await
    }
    async fn abort(self: Box<Self>) -> Result<()> {
        let fault = self.dice.draw(Door::Abort, &self.path);
        around(fault, Door::Abort, &self.path, self.inner.abort()).await
    }
}
