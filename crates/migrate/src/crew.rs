//! The workers: each takes the next thing to do, does it to the end, and books it.

use crate::{
    Error, Result,
    bring::{Arrival, bring, record},
    compare::{Action, Bring, meta_hash},
    ledger::detail,
    listing::Placed,
    parts,
    shop::{Shop, Trouble, lost},
};
use futures::{StreamExt as _, stream};
use journal::{
    Record,
    sort::{Sorted, Sorter},
};
use model::{Digests, Entry, Facets, Kind};
use std::{
    path::Path,
    sync::{Arc, Mutex},
};
use storage::{Error as StorageError, ErrorKind, Published};
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc},
    task::JoinSet,
};

/// Things to do that wait in memory for a worker.
const WAITING: usize = 512;
/// Memory of the list of directories before it spills.
const SETTLE_MEMORY: usize = 8 << 20;
/// Directories settled together.
const SETTLING: usize = 16;

/// Things to do, written down: a comparison of any size is kept on disk, in order.
pub(crate) struct Spool {
    sorter: Sorter,
    next: u64,
}

impl Spool {
    pub(crate) fn new(scratch: &Path) -> Self {
        Self { sorter: Sorter::new(scratch, SETTLE_MEMORY), next: 0 }
    }
    pub(crate) fn push(&mut self, action: &Action) -> Result<()> {
        let value = postcard::to_stdvec(action).map_err(|_| Error::Spool { path: path_of(action) })?;
        self.sorter.push(&self.next.to_be_bytes(), &value)?;
        self.next += 1;
        Ok(())
    }
    pub(crate) fn finish(self) -> Result<Sorted> {
        Ok(self.sorter.finish()?)
    }
}

fn path_of(action: &Action) -> model::RelPath {
    match action {
        Action::Bring(item) => item.placed.entry.path.clone(),
        Action::Settle(placed) => placed.entry.path.clone(),
        Action::Discard { path, .. } => path.clone(),
    }
}

/// Does everything in `spool`. On return nothing is in flight.
pub(crate) async fn work(shop: &Arc<Shop>, spool: Sorted, scratch: &Path) -> Result<()> {
    let settle = Arc::new(Mutex::new(Sorter::new(scratch, SETTLE_MEMORY)));
    let (sender, receiver) = mpsc::channel(WAITING);
    let feeder = tokio::task::spawn_blocking(move || feed(spool, &sender));
    let queue = Arc::new(AsyncMutex::new(receiver));
    let mut pacer = JoinSet::new(); // ends with us, however we end
    pacer.spawn(shop.pace.clone().adapt(shop.meter.clone()));
    let mut crew = JoinSet::new();
    for _ in 0..shop.spec.concurrency {
        crew.spawn(worker(shop.clone(), queue.clone(), settle.clone()));
    }
    while let Some(ended) = crew.join_next().await {
        if let Err(error) = ended {
            shop.give_up(error.into());
        }
    }
    pacer.abort_all();
    drop(queue);
    feeder.await??;
    if shop.closing() {
        return Ok(());
    }
    let settle = Arc::into_inner(settle).expect("the workers are gone");
    let dirs = settle.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).finish()?;
    settle_directories(shop, dirs).await
}

fn feed(mut spool: Sorted, sender: &mpsc::Sender<Action>) -> Result<()> {
    while let Some((key, value)) = spool.next()? {
        let action = postcard::from_bytes(value)
            .map_err(|_| Error::Spool { path: model::RelPath::from(format!("action {key:?}").as_str()) })?;
        if sender.blocking_send(action).is_err() {
            break;
        }
    }
    Ok(())
}

async fn worker(shop: Arc<Shop>, queue: Arc<AsyncMutex<mpsc::Receiver<Action>>>, settle: Arc<Mutex<Sorter>>) {
    loop {
        let place = shop.pace.place().await;
        if shop.closing() {
            return;
        }
        let Some(action) = queue.lock().await.recv().await else { return };
        shop.meter.start_one();
        let ended = one(&shop, action, &settle).await;
        shop.meter.end_one();
        drop(place);
        if let Err(error) = ended {
            shop.give_up(error);
            return;
        }
    }
}

async fn one(shop: &Shop, action: Action, settle: &Mutex<Sorter>) -> Result<()> {
    match action {
        Action::Bring(mut item) => {
            let kind = item.placed.entry.kind.clone();
            let size = item.placed.entry.stamp.size;
            let ended = contained(shop, &mut item).await;
            book(shop, &item, &kind, size, ended, settle).await
        }
        Action::Settle(placed) => later(settle, &placed, false),
        Action::Discard { path, tokens } => match parts::discard(shop, &path, tokens, true, None).await {
            Ok(()) | Err(Trouble::Vanished | Trouble::Stopped) => Ok(()),
            Err(Trouble::Fatal(error)) => Err(error),
            Err(Trouble::Item(error)) => {
                tracing::warn!(%path, error = %detail(&error), "a write in parts could not be removed");
                Ok(())
            }
        },
    }
}

/// A panic in a third-party client costs one item, not the run.
async fn contained(shop: &Shop, item: &mut Bring) -> Result<Arrival, Trouble> {
    use futures::FutureExt as _;
    let path = item.placed.entry.path.clone();
    match std::panic::AssertUnwindSafe(bring(shop, item)).catch_unwind().await {
        Ok(ended) => ended,
        Err(_) => Err(Trouble::Item(
            StorageError::new(ErrorKind::Unexpected, "move").at(&path).because("a part of the program panicked"),
        )),
    }
}

/// Every item ends in exactly one place of the books. Kind and size are those of the listing.
async fn book(
    shop: &Shop,
    item: &Bring,
    kind: &Kind,
    size: u64,
    ended: Result<Arrival, Trouble>,
    settle: &Mutex<Sorter>,
) -> Result<()> {
    let path = &item.placed.entry.path;
    match ended {
        Ok(Arrival::Sent { bytes, lost }) => shop.ledger.copied(kind, size, bytes, lost),
        Ok(Arrival::Adopted) => shop.ledger.adopted(kind, size),
        Ok(Arrival::Postponed) => later(settle, &item.placed, true)?,
        Err(Trouble::Vanished) => {
            shop.ledger.skipped(path, "vanished", "it was listed, but gone when it was to be read");
            shop.meter.item();
        }
        Err(Trouble::Stopped) => {}
        Err(Trouble::Fatal(error)) => return Err(error),
        Err(Trouble::Item(error)) => fail(shop, item, &error).await?,
    }
    Ok(())
}

async fn fail(shop: &Shop, item: &Bring, error: &StorageError) -> Result<()> {
    let path = &item.placed.entry.path;
    let (kind, words) = (error.kind().word(), detail(error));
    tracing::debug!(%path, kind, error = %words, "item failed");
    shop.ledger.failed(path, kind, words.clone(), error.hint_text().map(str::to_owned));
    let failed = Record::Failed { path: item.placed.target_path().clone(), kind: kind.to_owned(), detail: words };
    shop.journal.append(failed).await?;
    let failed = shop.ledger.books().tally.failed_items();
    let limit = shop.spec.max_failures;
    if limit > 0 && failed >= limit {
        return Err(Error::TooManyFailures { failed, limit });
    }
    Ok(())
}

/// Puts a directory on the list for the end, deepest first.
fn later(settle: &Mutex<Sorter>, placed: &Placed, counts: bool) -> Result<()> {
    let depth = u32::try_from(placed.target_path().depth()).unwrap_or(u32::MAX);
    let key = [&(u32::MAX - depth).to_be_bytes(), placed.target_path().as_bytes()].concat();
    let value = postcard::to_stdvec(&(counts, placed)).map_err(|_| Error::Spool { path: placed.entry.path.clone() })?;
    settle.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(&key, &value)?;
    Ok(())
}

/// Writes the metadata of directories once nothing below them changes any more: deepest first, one depth after
/// the other, because a mode may shut the way down.
async fn settle_directories(shop: &Shop, mut dirs: Sorted) -> Result<()> {
    let mut level: Vec<(bool, Placed)> = Vec::new();
    let mut depth = Vec::new();
    loop {
        let next = dirs.next()?;
        let ends = next.as_ref().is_none_or(|(key, _)| key[..4] != depth[..]) || level.len() >= 4096;
        if ends && !level.is_empty() {
            let jobs = level.drain(..).map(|(counts, placed)| settle_one(shop, counts, placed));
            let mut flight = stream::iter(jobs).buffer_unordered(SETTLING);
            while let Some(ended) = flight.next().await {
                ended?;
            }
        }
        let Some((key, value)) = next else { return Ok(()) };
        depth = key[..4].to_vec();
        level.push(postcard::from_bytes(value).map_err(|_| Error::Spool { path: model::RelPath::ROOT })?);
    }
}

async fn settle_one(shop: &Shop, counts: bool, placed: Placed) -> Result<()> {
    let kind = placed.entry.kind.clone();
    let ended = write_directory(shop, counts, &placed).await;
    match (ended, counts) {
        (Ok(lost), true) => shop.ledger.copied(&kind, 0, 0, lost),
        (Err(Trouble::Fatal(error)), _) => return Err(error),
        (Err(Trouble::Item(error)), true) => {
            let words = detail(&error);
            shop.ledger.failed(&placed.entry.path, error.kind().word(), words, error.hint_text().map(str::to_owned));
        }
        (Err(Trouble::Item(error)), false) => {
            tracing::warn!(path = %placed.entry.path, error = %detail(&error), "the times of a directory were not set again");
        }
        (Err(Trouble::Vanished | Trouble::Stopped), true) => {
            shop.ledger.skipped(
                &placed.entry.path,
                "vanished",
                "the directory was gone before its metadata was written",
            );
        }
        (Ok(_) | Err(Trouble::Vanished | Trouble::Stopped), false) => {}
    }
    Ok(())
}

async fn write_directory(shop: &Shop, counts: bool, placed: &Placed) -> Result<Facets, Trouble> {
    let to = placed.target_path();
    let entry = described(shop, &placed.entry).await?;
    let Some(meta) = entry.meta.as_deref() else { return Ok(Facets::NONE) };
    let there = shop.target.stat(to, shop.wanted).await.map_err(|error| shop.target_trouble(error))?;
    let mut kept = shop.wanted;
    if meta_hash(Some(meta), shop.wanted) != meta_hash(there.meta.as_deref(), shop.wanted) {
        kept = shop.target.apply(to, meta, shop.wanted).await.map_err(|error| shop.target_trouble(error))?;
    }
    if counts {
        let published = Published { stamp: there.stamp, digests: Digests::default(), kept };
        record(shop, &placed.entry, to, &Kind::Dir, meta, published, Digests::default(), false).await?;
    }
    Ok(lost(Some(meta), None, kept))
}

async fn described(shop: &Shop, entry: &Entry) -> Result<Entry, Trouble> {
    if entry.meta.is_some() {
        return Ok(entry.clone());
    }
    let want = shop.source.caps().reads.minus(Facets::DIGESTS);
    shop.source.stat(&entry.path, want).await.map_err(|error| shop.source_trouble(error))
}
