//! Follows a walk and hands what it delivers to the gatherer, in the order of delivery.

use crate::{
    DiscoverOptions,
    gather::Feed,
    relist::{Known, relist},
    snapshots,
    standing::Frontier,
};
use bytes::Bytes;
use inventory::Problem;
use model::{Entry, Facets, RelPath};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use storage::{
    Cursor, Error, ErrorKind, ListOrder, Reach, Source,
    walk::{Walk, WalkEvent, WalkSpec, walk},
};
use tokio::sync::{mpsc, oneshot};

/// So many directories in a row without an answer, and no page in between: the server is gone.
const SILENT: usize = 8;
/// Checkpoints take at most one part in this of the time.
const SHARE: u32 = 20;

/// Why the walk ended before its end.
pub(crate) enum Stopped {
    /// Nothing could be read.
    Source(Error),
    /// The server no longer answers.
    Gone(Error),
    /// We were told to.
    Asked,
    /// Nobody gathers any more; the gatherer knows why.
    NotGathered,
}

/// A walk whose events go to the gatherer.
pub(crate) struct Following {
    source: Arc<dyn Source>,
    want: Facets,
    options: DiscoverOptions,
    recursive: bool,
    feed: mpsc::Sender<Feed>,
    cost: Arc<AtomicU64>,
    /// Where directories under way go on, to put one back that got no answer.
    cursors: HashMap<RelPath, Cursor>,
    /// Directories whose last page came, of which the walk has not yet said that they are done.
    complete: HashSet<RelPath>,
    /// Directories without an answer since the last page.
    silent: Vec<(RelPath, Error)>,
    /// Left out, and not yet said: their page has not come.
    snapshots: Vec<Problem>,
    /// The sort key delivered last, of a recursive listing.
    last_key: Option<Bytes>,
    delivered: bool,
    entries_since: u64,
    since: Instant,
}

impl Following {
    pub(crate) fn new(
        source: Arc<dyn Source>,
        want: Facets,
        options: DiscoverOptions,
        feed: mpsc::Sender<Feed>,
        cost: Arc<AtomicU64>,
        last_key: Option<Bytes>,
    ) -> Self {
        Self {
            recursive: source.caps().recursive_list,
            source,
            want,
            options,
            feed,
            cost,
            cursors: HashMap::new(),
            complete: HashSet::new(),
            silent: Vec::new(),
            snapshots: Vec::new(),
            last_key,
            delivered: false,
            entries_since: 0,
            since: Instant::now(),
        }
    }

    /// Nothing more will be fed.
    pub(crate) fn end(self) -> DiscoverOptions {
        self.options
    }

    fn walk(&self, roots: Frontier) -> Walk {
        let spec = WalkSpec {
            roots,
            concurrency: self.options.concurrency,
            want: self.want,
            exclude: Some(snapshots::exclude()),
            ..WalkSpec::default()
        };
        walk(Arc::clone(&self.source), spec)
    }

    pub(crate) async fn run(&mut self, frontier: Frontier) -> Result<(), Stopped> {
        self.delivered = frontier != [(RelPath::ROOT, None)];
        self.cursors.extend(frontier.iter().filter_map(|(dir, cursor)| Some((dir.clone(), cursor.clone()?))));
        let mut walk = self.walk(frontier);
        loop {
            let stop = self.options.stop.clone();
            let event = tokio::select! {
                biased;
                () = stop.cancelled() => {
                    self.checkpoint(&mut walk).await?;
                    return Err(Stopped::Asked);
                }
                event = walk.next() => event.map_err(Stopped::Source)?,
            };
            match event {
                None => break,
                Some(WalkEvent::Page { dir, entries, next }) => {
                    self.page(dir, entries, next).await?;
                    if self.due() {
                        self.checkpoint(&mut walk).await?;
                    }
                }
                Some(WalkEvent::Done { dir, .. }) => {
                    if !self.complete.remove(&dir) {
                        self.finish(dir).await?;
                    }
                }
                Some(WalkEvent::Skipped { dir, reason }) => self.snapshots.push(Problem {
                    path: dir,
                    kind: snapshots::SNAPSHOT.to_owned(),
                    detail: format!("left out: {reason}"),
                }),
                Some(WalkEvent::Unreadable { dir, error }) => self.unreadable(dir, error, &mut walk).await?,
                Some(WalkEvent::Restarted { dir }) => {
                    if let Some(other) = self.restarted(&dir, &mut walk).await? {
                        walk = other;
                    }
                }
            }
        }
        self.believe_silence().await
    }

    async fn page(&mut self, dir: RelPath, mut entries: Vec<Entry>, next: Option<Cursor>) -> Result<(), Stopped> {
        self.believe_silence().await?;
        for problem in std::mem::take(&mut self.snapshots) {
            self.feed(Feed::Snapshot(problem)).await?;
        }
        self.delivered = true;
        let last = next.is_none();
        match next {
            Some(cursor) => drop(self.cursors.insert(dir.clone(), cursor)),
            None => drop(self.cursors.remove(&dir)),
        }
        if self.recursive {
            // After a restart, keys come again; they are in byte order, so what was delivered is easily told.
            let known = self.last_key.take();
            entries.retain(|entry| known.as_ref().is_none_or(|known| entry.sort_key() > *known));
            self.last_key = entries.last().map(Entry::sort_key).or(known);
        }
        self.entries_since += u64::try_from(entries.len()).unwrap_or(u64::MAX);
        if self.recursive {
            self.feed(Feed::Keys { entries }).await?;
        } else {
            self.feed(Feed::Page { dir: dir.clone(), entries }).await?;
        }
        if last {
            self.complete.insert(dir.clone());
            self.finish(dir).await?;
        }
        Ok(())
    }

    async fn finish(&mut self, dir: RelPath) -> Result<(), Stopped> {
        self.cursors.remove(&dir);
        self.feed(if self.recursive { Feed::KeysEnd } else { Feed::End { dir } }).await
    }

    /// One directory that cannot be read is a problem; a server that is gone is the end, for now.
    async fn unreadable(&mut self, dir: RelPath, error: Error, walk: &mut Walk) -> Result<(), Stopped> {
        if !self.delivered && dir.is_root() {
            return Err(Stopped::Source(error));
        }
        let shut = error.reach() >= Reach::Location;
        if !shut && !matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::Timeout) {
            return self.give_up(dir, &error).await;
        }
        self.silent.push((dir, error));
        if !shut && self.silent.len() < SILENT {
            return Ok(());
        }
        self.checkpoint(walk).await?;
        self.silent.pop().map_or(Ok(()), |(_, last)| Err(Stopped::Gone(last)))
    }

    /// Others answer, so those that did not are unreadable.
    async fn believe_silence(&mut self) -> Result<(), Stopped> {
        for (dir, error) in std::mem::take(&mut self.silent) {
            self.give_up(dir, &error).await?;
        }
        Ok(())
    }

    async fn give_up(&mut self, dir: RelPath, error: &Error) -> Result<(), Stopped> {
        let detail = error.cause().map_or_else(|| error.to_string(), |cause| format!("{error} ({cause})"));
        let problem = Problem { path: dir.clone(), kind: error.kind().word().to_owned(), detail };
        self.feed(Feed::Unreadable(problem)).await?;
        // What came of it before counts; of one that never answered there is nothing to close.
        if self.cursors.contains_key(&dir) { self.finish(dir).await } else { Ok(()) }
    }

    /// The walk would deliver this directory, and all below it, a second time. Keys are told apart by their
    /// order; a directory is listed here, and the walk goes on without it.
    async fn restarted(&mut self, dir: &RelPath, walk: &mut Walk) -> Result<Option<Walk>, Stopped> {
        tracing::warn!(path = %dir, "the server lost our place in a directory: listing it again");
        if self.recursive {
            return if self.source.caps().list == ListOrder::ByteOrder {
                Ok(None)
            } else {
                let lost = Error::new(ErrorKind::Changed, "go on listing").at(dir);
                Err(Stopped::Source(lost.hint("discover it afresh")))
            };
        }
        let mut frontier = walk.frontier().map_err(Stopped::Source)?;
        frontier.retain(|(other, _)| other != dir);
        let (ask, parts) = oneshot::channel();
        self.feed(Feed::Parts(ask)).await?;
        let parts = parts.await.map_err(|_| Stopped::NotGathered)?;
        let place = dir.clone();
        let known = tokio::task::spawn_blocking(move || Known::read(&place, &parts)).await;
        let known = match known {
            Ok(Ok(known)) => known,
            // The parts were written moments ago: that they cannot be read is the disk's trouble.
            Ok(Err(error)) => {
                let unread = Error::new(ErrorKind::Unexpected, "read back the entries of").at(dir);
                return Err(Stopped::Source(unread.because(error).with_reach(Reach::Run)));
            }
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        };
        self.complete.clear();
        let feed = self.feed.clone();
        let mut count = 0;
        let listed = relist(&self.source, dir, self.want, known, async |entries: Vec<Entry>| {
            count += u64::try_from(entries.len()).unwrap_or(u64::MAX);
            feed.send(Feed::Page { dir: dir.clone(), entries }).await.is_ok()
        });
        let listed = listed.await;
        self.entries_since += count;
        match listed {
            Ok(children) => {
                frontier.extend(children.into_iter().map(|child| (child, None)));
                self.finish(dir.clone()).await?;
            }
            Err(error) => self.give_up(dir.clone(), &error).await?,
        }
        Ok(Some(self.walk(frontier)))
    }

    fn due(&self) -> bool {
        let rule = self.options.checkpoint;
        let cost = Duration::from_nanos(self.cost.load(Ordering::Relaxed));
        self.since.elapsed() >= (cost * SHARE).min(rule.every * SHARE)
            && (self.entries_since >= rule.entries || self.since.elapsed() >= rule.every)
    }

    /// What was delivered decides what is left; both go to the gatherer in order. Directories that got no
    /// answer are left too: nobody has said yet that they are unreadable.
    async fn checkpoint(&mut self, walk: &mut Walk) -> Result<(), Stopped> {
        let mut frontier = walk.frontier().map_err(Stopped::Source)?;
        frontier.extend(self.silent.iter().map(|(dir, _)| (dir.clone(), self.cursors.get(dir).cloned())));
        self.entries_since = 0;
        self.since = Instant::now();
        self.feed(Feed::Checkpoint { frontier, last_key: self.last_key.clone() }).await
    }

    async fn feed(&self, order: Feed) -> Result<(), Stopped> {
        self.feed.send(order).await.map_err(|_| Stopped::NotGathered)
    }
}
