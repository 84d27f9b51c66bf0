//! A side of the move as one sorted stream, in bounded memory, whatever its size.
//!
//! Both sides are listed to the end and sorted by the *target's* key before anything is decided: names may be
//! mapped, servers list in their own order, and a comparison must meet each key once. What does not fit
//! into memory is spilled and merged.

use crate::{
    Error, Result,
    ledger::{Ledger, detail},
    meter::{Meter, Side},
    names::Names,
};
use bytes::Bytes;
use journal::sort::{Sorted, Sorter};
use model::{Entry, Facets, Kind, RelPath};
use std::{borrow::Cow, num::NonZeroUsize, path::Path, sync::Arc};
use storage::{
    ErrorKind, Source,
    walk::{WalkEvent, WalkSpec, walk},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Memory of one sorter before it spills.
const SORT_MEMORY: usize = 24 << 20;
/// Directories that servers show inside every directory or at the root and that hold copies of the rest.
const SNAPSHOT_DIRECTORIES: [&[u8]; 3] = [b".snapshot", b"~snapshot", b".zfs"];

/// A side, listed and sorted.
pub(crate) struct Listing {
    pub(crate) sorted: Sorted,
    /// Directories that could not be listed, as target paths: nothing below them is known.
    pub(crate) unreadable: Vec<RelPath>,
}

/// An entry under its target path.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Placed {
    /// The entry as its side has it.
    pub(crate) entry: Entry,
    /// Its path at the target, where it differs.
    pub(crate) to: Option<RelPath>,
}

impl Placed {
    pub(crate) fn target_path(&self) -> &RelPath {
        self.to.as_ref().unwrap_or(&self.entry.path)
    }
}

/// The key that both sides are joined by.
pub(crate) fn sort_key(path: &RelPath, kind: &Kind) -> Bytes {
    if !kind.is_dir() || path.is_root() {
        return path.to_bytes();
    }
    [path.as_bytes(), b"/"].concat().into()
}

/// Where a listing goes on its way: to the sorter's thread.
struct Feed {
    pages: mpsc::Sender<Vec<Placed>>,
    sorter: tokio::task::JoinHandle<Result<Sorted>>,
}

impl Feed {
    fn start(scratch: &Path) -> Self {
        let (pages, mut waiting) = mpsc::channel::<Vec<Placed>>(4);
        let scratch = scratch.to_owned();
        let sorter = tokio::task::spawn_blocking(move || {
            let mut sorter = Sorter::new(&scratch, SORT_MEMORY);
            let mut value = Vec::new();
            while let Some(page) = waiting.blocking_recv() {
                for placed in page {
                    value.clear();
                    value = postcard::to_extend(&placed, value)
                        .map_err(|_| Error::Spool { path: placed.entry.path.clone() })?;
                    sorter.push(&sort_key(placed.target_path(), &placed.entry.kind), &value)?;
                }
            }
            Ok(sorter.finish()?)
        });
        Self { pages, sorter }
    }
    async fn finish(self) -> Result<Sorted> {
        drop(self.pages);
        self.sorter.await?
    }
}

/// Lists the source. Items that cannot or shall not move are booked right here.
pub(crate) async fn source(
    source: Arc<dyn Source>,
    names: Names,
    want: Facets,
    scratch: &Path,
    ledger: &Ledger,
    meter: &Meter,
    stop: &CancellationToken,
) -> Result<Listing> {
    let feed = Feed::start(scratch);
    let mut unreadable = Vec::new();
    let mut walk = walk(source, spec(want));
    while let Some(event) = next(&mut walk, stop, Side::Source).await? {
        match event {
            WalkEvent::Page { entries, .. } => {
                meter.listed(Side::Source, entries.len() as u64);
                let page = entries.into_iter().filter_map(|entry| place(entry, names, ledger)).collect();
                if feed.pages.send(page).await.is_err() {
                    break;
                }
            }
            WalkEvent::Unreadable { dir, error } => {
                if dir.is_root() || stops_the_side(&error) {
                    return Err(Error::Location { side: Side::Source.word(), source: error });
                }
                unreadable.push(unread(dir, &error, names, ledger));
            }
            WalkEvent::UnreadableEntry { path, error } => unreadable.push(unread(path, &error, names, ledger)),
            WalkEvent::Skipped { dir, reason } => tracing::debug!(path = %dir, %reason, "directory left out"),
            // The sorter sees entries twice then; the comparison keeps one of each key.
            WalkEvent::Restarted { .. } | WalkEvent::Done { .. } => {}
        }
    }
    Ok(Listing { sorted: feed.finish().await?, unreadable })
}

/// Books something that cannot be read as failed; its path at the target.
fn unread(path: RelPath, error: &storage::Error, names: Names, ledger: &Ledger) -> RelPath {
    let hint = error.hint_text().map(str::to_owned);
    ledger.unreadable(&path, error.kind().word(), detail(error), hint);
    names.to(&path).unwrap_or(path)
}

/// Lists the target. A target that is not there yet is empty.
pub(crate) async fn target(
    target: Arc<dyn Source>,
    want: Facets,
    scratch: &Path,
    meter: &Meter,
    stop: &CancellationToken,
) -> Result<Listing> {
    let feed = Feed::start(scratch);
    let mut unreadable = Vec::new();
    let mut walk = walk(target, spec(want));
    while let Some(event) = next(&mut walk, stop, Side::Target).await? {
        match event {
            WalkEvent::Page { entries, .. } => {
                meter.listed(Side::Target, entries.len() as u64);
                let page = entries.into_iter().map(|entry| Placed { entry, to: None }).collect();
                if feed.pages.send(page).await.is_err() {
                    break;
                }
            }
            WalkEvent::Unreadable { dir, error } if dir.is_root() && error.kind() == ErrorKind::NotFound => {}
            WalkEvent::Unreadable { dir, error } => {
                if dir.is_root() || stops_the_side(&error) {
                    return Err(Error::Location { side: Side::Target.word(), source: error });
                }
                unreadable.push(dir);
            }
            WalkEvent::UnreadableEntry { path, .. } => unreadable.push(path),
            WalkEvent::Skipped { .. } | WalkEvent::Restarted { .. } | WalkEvent::Done { .. } => {}
        }
    }
    Ok(Listing { sorted: feed.finish().await?, unreadable })
}

/// After the retries are used up, a broken connection is not this directory's fault.
pub(crate) fn stops_the_side(error: &storage::Error) -> bool {
    error.reach() > storage::Reach::Item || error.kind() == ErrorKind::Disconnected
}

fn spec(want: Facets) -> WalkSpec {
    WalkSpec {
        concurrency: NonZeroUsize::new(16).expect("16 is not 0"),
        want,
        exclude: Some(Arc::new(snapshot_directory)),
        ..WalkSpec::default()
    }
}

fn snapshot_directory(entry: &Entry) -> Option<Cow<'static, str>> {
    SNAPSHOT_DIRECTORIES.contains(&entry.path.file_name()).then_some(Cow::Borrowed("snapshot-directory"))
}

async fn next(walk: &mut storage::walk::Walk, stop: &CancellationToken, side: Side) -> Result<Option<WalkEvent>> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Ok(None),
        event = walk.next() => event.map_err(|source| Error::Location { side: side.word(), source }),
    }
}

/// The entry under its target path; one that cannot or shall not move goes into the books instead. Those
/// that move are booked by the comparison, which meets each only once.
fn place(entry: Entry, names: Names, ledger: &Ledger) -> Option<Placed> {
    if let Kind::Special(_) = entry.kind {
        ledger.found(&entry);
        let detail = format!("a {} has no content that could be moved", entry.kind.word());
        ledger.skipped(&entry.path, &format!("special-{}", entry.kind.word()), &detail);
        return None;
    }
    if entry.kind.is_dir() && snapshot_directory(&entry).is_some() {
        ledger.found(&entry);
        ledger.skipped(&entry.path, "snapshot-directory", "a directory of snapshots, which repeat what is beside it");
        return None;
    }
    match names.to(&entry.path) {
        Ok(to) => {
            let to = (to != entry.path).then_some(to);
            if to.is_some() {
                ledger.books().mapped_names += 1;
            }
            Some(Placed { entry, to })
        }
        Err(refusal) => {
            ledger.found(&entry);
            let hint = names.hint(&refusal).map(str::to_owned);
            ledger.failed(&entry.path, ErrorKind::NameRefused.word(), refusal.to_string(), hint);
            None
        }
    }
}
