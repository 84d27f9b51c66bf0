//! The proof that it arrived.
//!
//! Two ways, and they share nothing but the doors: right after a transfer the target is asked what it holds
//! (size, checksum, metadata) and that is compared with what was read from the source; a read-back lists both
//! sides anew, reads every byte of both and compares a cryptographic hash of its own.

use crate::{
    Error, Result,
    budget::Budget,
    compare::meta_hash,
    digest::{Content, ReadBack},
    ledger::detail,
    listing::{Placed, stops_the_side},
    meter::Meter,
    shop::Shop,
};
use futures::StreamExt as _;
use journal::{Difference, Done, Record, Snapshot, Verification, sort::Sorted};
use model::{Entry, Facets, Kind, RelPath};
use std::sync::{Arc, Mutex};
use storage::{Body, ReadSpec, Source};
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// Differences that a result shows; the rest are only counted.
const SHOWN: usize = 1000;
/// Items compared together.
const TOGETHER: usize = 32;
/// Memory that one open content takes: a piece in hand and a few in flight.
const PIECES: u64 = 4 << 20;

/// Findings of a verification, shared by its workers.
#[derive(Debug, Default)]
pub(crate) struct Findings(Mutex<Verification>);

impl Findings {
    fn with<T>(&self, change: impl FnOnce(&mut Verification) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
    fn differs(&self, path: &RelPath, what: &str, words: String) {
        self.with(|found| {
            found.different += 1;
            if found.differences.len() < SHOWN {
                found.differences.push(Difference { path: path.clone(), what: what.to_owned(), detail: words });
            }
        });
    }
    fn equal(&self, bytes: u64, by_size_only: bool) {
        self.with(|found| {
            found.equal += 1;
            if by_size_only {
                found.by_size_only += 1;
            } else {
                found.compared_bytes += bytes;
            }
        });
    }
    pub(crate) fn into_inner(self) -> Verification {
        self.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Asks the target about every item that is recorded as done and not yet verified.
pub(crate) async fn ask_target(shop: &Arc<Shop>, state: Snapshot, ask_each: bool) -> Result<Verification> {
    let findings = Arc::new(Findings::default());
    findings.with(|found| if ask_each { "digest" } else { "stamp" }.clone_into(&mut found.method));
    let (sender, receiver) = mpsc::channel::<Box<Done>>(1024);
    let feeder = tokio::task::spawn_blocking(move || -> Result<()> {
        for item in state {
            let Some(done) = item?.done.filter(|done| !done.verified) else { continue };
            if sender.blocking_send(Box::new(done)).is_err() {
                break;
            }
        }
        Ok(())
    });
    let queue = Arc::new(AsyncMutex::new(receiver));
    let mut crew: JoinSet<Result<()>> = JoinSet::new();
    for _ in 0..TOGETHER {
        let (shop, queue, findings) = (shop.clone(), queue.clone(), findings.clone());
        crew.spawn(async move {
            loop {
                let Some(done) = queue.lock().await.recv().await else { return Ok(()) };
                if shop.closing() {
                    return Ok(());
                }
                ask_one(&shop, *done, &findings, ask_each).await?;
            }
        });
    }
    drop(queue);
    while let Some(ended) = crew.join_next().await {
        ended??;
    }
    feeder.await??;
    Ok(Arc::into_inner(findings).expect("the workers are gone").into_inner())
}

async fn ask_one(shop: &Shop, mut done: Done, findings: &Findings, digests: bool) -> Result<()> {
    let path = done.source_path.as_ref().unwrap_or(&done.path).clone();
    findings.with(|found| found.compared += 1);
    let want = if digests { shop.wanted.and(Facets::DIGESTS) } else { shop.wanted };
    let there = match shop.target.stat(&done.path, want).await {
        Ok(there) => there,
        Err(error) if stops_the_side(&error) => return Err(Error::Location { side: "target", source: error }),
        Err(error) => {
            findings.differs(&path, "missing", detail(&error));
            shop.meter.failed();
            return Ok(());
        }
    };
    if let Some((what, words)) = difference(&done, &there, shop.wanted) {
        findings.differs(&path, what, words);
        shop.meter.failed();
    } else {
        let said = there.digests.as_deref().copied().unwrap_or_default();
        let proved = !done.kind.is_file() || done.digests.agree(&said).is_some();
        findings.equal(if done.kind.is_file() { there.stamp.size } else { 0 }, !proved);
        done.verified = true;
        shop.journal.append(Record::Done(Box::new(done))).await?;
        shop.meter.item();
    }
    Ok(())
}

/// What the target holds against what was recorded of the source.
fn difference(done: &Done, there: &Entry, wanted: Facets) -> Option<(&'static str, String)> {
    if done.kind.word() != there.kind.word() {
        return Some(("kind", format!("a {} was written, a {} is there", done.kind.word(), there.kind.word())));
    }
    let said = there.digests.as_deref().copied().unwrap_or_default();
    if done.digests.agree(&said) == Some(false) {
        return Some(("content", "the target reports another checksum than the source had".to_owned()));
    }
    if done.kind.is_file() && done.target.size != there.stamp.size {
        return Some(("size", format!("{} bytes were written, {} are there", done.target.size, there.stamp.size)));
    }
    if let (Kind::Symlink { target: a }, Kind::Symlink { target: b }) = (&done.kind, &there.kind)
        && a != b
    {
        return Some(("content", "the link points elsewhere".to_owned()));
    }
    let wanted = if matches!(done.kind, Kind::Symlink { .. }) { wanted.minus(Facets::MODE) } else { wanted };
    let comparable = !matches!(done.kind, Kind::Symlink { .. });
    if comparable && !wanted.is_empty() && done.meta_hash != meta_hash(there.meta.as_deref(), wanted) {
        return Some(("metadata", "mode, owner or time of last change differ from the source".to_owned()));
    }
    None
}

/// What a read-back needs.
#[derive(Clone)]
pub(crate) struct BothSides {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) target: Arc<dyn Source>,
    pub(crate) wanted: Facets,
    pub(crate) meter: Arc<Meter>,
    pub(crate) stop: CancellationToken,
    pub(crate) memory: u64,
}

/// One key of the two listings.
type Pair = (Option<Placed>, Option<Placed>);

/// Reads every byte of both sides and compares.
pub(crate) async fn read_back(
    sides: BothSides,
    source: Sorted,
    target: Sorted,
    hidden: Vec<RelPath>,
) -> Result<Verification> {
    let findings = Arc::new(Findings::default());
    findings.with(|found| "read-back".clone_into(&mut found.method));
    let (sender, receiver) = mpsc::channel::<Box<Pair>>(256);
    let feeder =
        tokio::task::spawn_blocking(move || join(source, target, |pair| sender.blocking_send(Box::new(pair)).is_ok()));
    let queue = Arc::new(AsyncMutex::new(receiver));
    let budget = Budget::new(sides.memory);
    let hidden = Arc::new(hidden);
    let mut crew: JoinSet<Result<()>> = JoinSet::new();
    for _ in 0..TOGETHER {
        let (sides, queue, findings, budget, hidden) =
            (sides.clone(), queue.clone(), findings.clone(), budget.clone(), hidden.clone());
        crew.spawn(async move {
            loop {
                let Some(pair) = queue.lock().await.recv().await else { return Ok(()) };
                if sides.stop.is_cancelled() {
                    return Ok(());
                }
                compare_pair(&sides, *pair, &findings, &budget, &hidden).await?;
                sides.meter.item();
            }
        });
    }
    drop(queue);
    while let Some(ended) = crew.join_next().await {
        ended??;
    }
    feeder.await??;
    Ok(Arc::into_inner(findings).expect("the workers are gone").into_inner())
}

fn join(mut source: Sorted, mut target: Sorted, mut give: impl FnMut(Pair) -> bool) -> Result<()> {
    let mut left = pull(&mut source)?;
    let mut right = pull(&mut target)?;
    while left.is_some() || right.is_some() {
        let key = [&left, &right].into_iter().flatten().map(|(key, _)| key).min().cloned();
        let mine = left.as_ref().map(|(k, _)| k) == key.as_ref();
        let theirs = right.as_ref().map(|(k, _)| k) == key.as_ref();
        let mut pair = (None, None);
        if mine {
            pair.0 = std::mem::replace(&mut left, pull(&mut source)?).map(|(_, placed)| placed);
        }
        if theirs {
            let taken = std::mem::replace(&mut right, pull(&mut target)?);
            // A directory that only the keys below it imply is no item of its own.
            let implied = !mine
                && taken.as_ref().is_some_and(|(key, placed)| {
                    placed.entry.kind.is_dir() && left.as_ref().is_some_and(|(next, _)| next.starts_with(key))
                });
            if implied {
                continue;
            }
            pair.1 = taken.map(|(_, placed)| placed);
        }
        if !give(pair) {
            break;
        }
    }
    Ok(())
}

fn pull(sorted: &mut Sorted) -> Result<Option<(Vec<u8>, Placed)>> {
    let Some((key, value)) = sorted.next()? else { return Ok(None) };
    let placed = postcard::from_bytes(value).map_err(|_| Error::Spool { path: RelPath::from(key) })?;
    Ok(Some((key.to_vec(), placed)))
}

async fn compare_pair(
    sides: &BothSides,
    pair: Pair,
    findings: &Findings,
    budget: &Budget,
    hidden: &[RelPath],
) -> Result<()> {
    let (ours, theirs) = match pair {
        (Some(ours), Some(theirs)) => (ours, theirs),
        (Some(ours), None) => {
            findings.with(|found| found.compared += 1);
            findings.differs(&ours.entry.path, "missing", "it is not at the target".to_owned());
            return Ok(());
        }
        (None, Some(theirs)) => {
            if !hidden.iter().any(|dir| theirs.entry.path.starts_with(dir)) {
                findings.with(|found| found.extra += 1);
            }
            return Ok(());
        }
        (None, None) => return Ok(()),
    };
    findings.with(|found| found.compared += 1);
    let path = ours.entry.path.clone();
    let _room = budget.room(2 * PIECES).await;
    let seen =
        tokio::join!(look(&sides.source, &ours.entry, sides.wanted), look(&sides.target, &theirs.entry, sides.wanted));
    let (ours, theirs) = match seen {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (Err(error), _) => return unreadable(findings, &path, "source", error),
        (_, Err(error)) => return unreadable(findings, &path, "target", error),
    };
    sides.meter.bytes(ours.content.len);
    match unequal(&ours, &theirs, sides.wanted) {
        Some((what, words)) => findings.differs(&path, what, words),
        None => findings.equal(ours.content.len, false),
    }
    Ok(())
}

fn unreadable(findings: &Findings, path: &RelPath, side: &'static str, error: storage::Error) -> Result<()> {
    if stops_the_side(&error) {
        return Err(Error::Location { side, source: error });
    }
    findings.differs(path, "unreadable", format!("at the {side}: {}", detail(&error)));
    Ok(())
}

/// An item as one side really holds it.
struct Seen {
    entry: Entry,
    content: Content,
}

async fn look(side: &Arc<dyn Source>, listed: &Entry, wanted: Facets) -> storage::Result<Seen> {
    let nothing = || ReadBack::new().finish();
    if !listed.kind.is_file() {
        let entry = match (&listed.kind, &listed.meta) {
            (Kind::Dir, Some(_)) => listed.clone(),
            _ => side.stat(&listed.path, wanted).await?,
        };
        return Ok(Seen { content: link_content(&entry.kind).unwrap_or_else(nothing), entry });
    }
    let spec =
        ReadSpec { if_stamp: Some(listed.stamp.clone()), locator: listed.locator.clone(), want: wanted, range: None };
    let reading = side.read(&listed.path, spec).await?;
    let mut entry = reading.entry;
    let content = content(reading.body).await?;
    if entry.meta.is_none() {
        entry.meta.clone_from(&listed.meta);
    }
    Ok(Seen { entry, content })
}

/// What a link says, as content: a store that keeps links as objects keeps the target as content.
fn link_content(kind: &Kind) -> Option<Content> {
    let Kind::Symlink { target } = kind else { return None };
    let mut digest = ReadBack::new();
    digest.update(target);
    Some(digest.finish())
}

/// Reads to the end.
pub(crate) async fn content(body: Body) -> storage::Result<Content> {
    let mut digest = ReadBack::new();
    match body {
        Body::Whole(data) => digest.update(&data),
        Body::Stream(mut pieces) => {
            while let Some(piece) = pieces.next().await {
                digest.update(&piece?);
            }
        }
    }
    Ok(digest.finish())
}

fn unequal(ours: &Seen, theirs: &Seen, wanted: Facets) -> Option<(&'static str, String)> {
    let (a, b) = (&ours.entry, &theirs.entry);
    if a.kind.word() != b.kind.word() {
        return Some(("kind", format!("a {} at the source, a {} at the target", a.kind.word(), b.kind.word())));
    }
    if ours.content.len != theirs.content.len {
        let (a, b) = (ours.content.len, theirs.content.len);
        return Some(("size", format!("{a} bytes at the source, {b} at the target")));
    }
    if ours.content != theirs.content {
        return Some((
            "content",
            format!("{} at the source, {} at the target", ours.content.hash, theirs.content.hash),
        ));
    }
    // Systems that keep links as inodes have no mode for them, and none of their own times can be set everywhere.
    let link = matches!(a.kind, Kind::Symlink { .. });
    if !link && meta_hash(a.meta.as_deref(), wanted) != meta_hash(b.meta.as_deref(), wanted) {
        return Some(("metadata", "mode, owner or time of last change differ".to_owned()));
    }
    None
}
