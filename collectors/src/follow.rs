//! Follows a walk and hands what it delivers to the gatherer, in the order of delivery.

use crate::{
    DiscoverOptions,
    discover::silent,
    gather::{Feed, Load},
    journal::{Next, Step},
    relist::{Found, Known, relist},
    replay::Replayed,
    snapshots,
};
use bytes::Bytes;
use inventory::Problem;
use model::{Entry, Facets, RelPath};
use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use storage::{
    Cursor, Error, ErrorKind, ListOrder, Reach, Source,
    walk::{self, Place, Walk, WalkEvent, WalkSpec},
};
use tokio::sync::{mpsc, oneshot};

/// So many directories in a row without an answer, and no page in between: the server is gone.
const SILENT: usize = 8;
/// Checkpoints take at most one part in this of the time.
const SHARE: u32 = 20;
/// Snapshot directories that are looked into for their newest snapshots.
const SNAPSHOT_LOOKS: u32 = 20;

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

/// Where a walk begins: what was left to do, and what came since.
pub(crate) struct Start {
    /// What the journal changes in it.
    pub replayed: Replayed,
    /// Which checkpoint it goes on from.
    pub generation: u64,
    /// How many places that checkpoint counted.
    pub places: u64,
    /// The root, for when there was none.
    pub root: Place,
}

/// A walk whose events go to the gatherer.
pub(crate) struct Following {
    source: Arc<dyn Source>,
    want: Facets,
    options: DiscoverOptions,
    recursive: bool,
    feed: mpsc::Sender<Feed>,
    load: Arc<Load>,
    /// Where frontiers are written: a path for each generation.
    frontier: Box<dyn Fn(u64) -> PathBuf + Send + Sync>,
    generation: u64,
    /// Directories whose last page came, of which the walk has not yet said that they are done.
    complete: HashSet<RelPath>,
    /// Directories without an answer since the last page.
    silent: Vec<(Place, Error)>,
    /// Left out, and not yet said: their page has not come.
    left_out: Vec<Step>,
    /// Snapshot directories that are still looked into.
    looks: u32,
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
        (feed, load): (mpsc::Sender<Feed>, Arc<Load>),
        frontier: Box<dyn Fn(u64) -> PathBuf + Send + Sync>,
    ) -> Self {
        Self {
            recursive: source.caps().recursive_list,
            source,
            want,
            options,
            feed,
            load,
            frontier,
            generation: 0,
            complete: HashSet::new(),
            silent: Vec::new(),
            left_out: Vec::new(),
            looks: SNAPSHOT_LOOKS,
            last_key: None,
            delivered: false,
            entries_since: 0,
            since: Instant::now(),
        }
    }

    /// Nothing more will be fed.
    pub(crate) fn end(self) -> DiscoverOptions {
        self.options
    }

    pub(crate) async fn run(&mut self, start: Start) -> Result<(), Stopped> {
        let Start { replayed, generation, places, root } = start;
        self.generation = generation;
        self.delivered = generation > 0 || !replayed.is_empty();
        self.last_key.clone_from(&replayed.last_key);
        let spec = WalkSpec {
            roots: Vec::new(),
            concurrency: self.options.concurrency,
            want: self.want,
            exclude: Some(snapshots::exclude()),
            ..WalkSpec::default()
        };
        let mut walk = walk::walk(Arc::clone(&self.source), spec);
        let frontier = (generation > 0).then(|| (self.frontier)(generation));
        let again = replayed.into_walk(frontier.as_deref(), places, root, &mut walk).map_err(|error| {
            Stopped::Source(unwritten("read back what is left to do", &(self.frontier)(generation), &error))
        })?;
        for place in again {
            self.list_again(place, &mut walk).await?;
        }
        loop {
            let stop = self.options.stop.clone();
            let event = tokio::select! {
                biased;
                () = stop.cancelled() => {
                    self.checkpoint(&mut walk).await?;
                    return Err(Stopped::Asked);
                }
                event = walk.next() => event.map_err(Stopped::Source)?,
                () = tokio::time::sleep(self.options.silence) => {
                    if self.options.progress.numbers().waiting_until.is_some() {
                        continue;
                    }
                    self.checkpoint(&mut walk).await?;
                    return Err(Stopped::Gone(silent(self.options.silence, "go on listing")));
                }
            };
            match event {
                None => break,
                Some(WalkEvent::Page { dir, entries, next }) => {
                    let links = walk.place().and_then(|place| place.links);
                    self.page(dir, entries, next, links).await?;
                    if self.due() {
                        self.checkpoint(&mut walk).await?;
                    }
                }
                Some(WalkEvent::Done { dir, .. }) => {
                    if !self.complete.remove(&dir) {
                        self.finish(dir).await?;
                    }
                }
                Some(WalkEvent::Skipped { dir, reason }) => self.skipped(dir, &reason).await,
                Some(WalkEvent::Unreadable { dir, error }) => {
                    let place = walk.place().cloned().unwrap_or_else(|| Place::new(dir, None));
                    self.unreadable(place, error, &mut walk).await?;
                }
                Some(WalkEvent::UnreadableEntry { path, error }) => {
                    self.left_out.push(Step::UnreadableEntry(problem(&path, &error)));
                }
                Some(WalkEvent::Restarted { dir }) => self.restarted(&dir, &mut walk).await?,
            }
        }
        self.hear_silence(&mut walk).await
    }

    /// The walk is at its end, and some directories gave no answer. If nobody answers at all, it was not the end.
    async fn hear_silence(&mut self, walk: &mut Walk) -> Result<(), Stopped> {
        if self.silent.is_empty() {
            return Ok(());
        }
        match self.source.stat(&RelPath::ROOT, Facets::NONE).await {
            Err(error) if is_silence(&error) => self.gone(walk).await,
            _ => self.believe_silence().await,
        }
    }

    /// Ends for now; what gave no answer is left to do.
    async fn gone(&mut self, walk: &mut Walk) -> Result<(), Stopped> {
        self.checkpoint(walk).await?;
        self.silent.pop().map_or(Ok(()), |(_, last)| Err(Stopped::Gone(last)))
    }

    async fn page(
        &mut self,
        dir: RelPath,
        mut entries: Vec<Entry>,
        next: Option<Cursor>,
        links: Option<u32>,
    ) -> Result<(), Stopped> {
        self.believe_silence().await?;
        for step in std::mem::take(&mut self.left_out) {
            self.step(step).await?;
        }
        self.delivered = true;
        let next = next.map_or(Next::End, |cursor| Next::At(cursor.0));
        let last = next == Next::End;
        if self.recursive {
            // After a restart, keys come again; where they are in byte order, what was delivered is easily told.
            // Where they are not, nothing may be left out, and a lost place is an error.
            if self.source.caps().list == ListOrder::ByteOrder {
                let known = self.last_key.take();
                entries.retain(|entry| known.as_ref().is_none_or(|known| entry.sort_key() > *known));
                self.last_key = entries.last().map(Entry::sort_key).or(known);
            }
        }
        self.entries_since += u64::try_from(entries.len()).unwrap_or(u64::MAX);
        if self.recursive {
            self.step(Step::Keys { entries, next }).await?;
        } else {
            self.step(Step::Page { dir: dir.clone(), entries, next, links }).await?;
        }
        if last {
            self.complete.insert(dir.clone());
            self.finish(dir).await?;
        }
        Ok(())
    }

    async fn finish(&mut self, dir: RelPath) -> Result<(), Stopped> {
        self.step(if self.recursive { Step::KeysEnd } else { Step::End { dir } }).await
    }

    async fn skipped(&mut self, dir: RelPath, reason: &str) {
        let problem =
            |kind: &str| Problem { path: dir.clone(), kind: kind.to_owned(), detail: format!("left out: {reason}") };
        self.left_out.push(if reason == walk::LOOP {
            Step::Loop(problem(snapshots::LOOP))
        } else {
            let newest = if self.looks > 0 { snapshots::newest(&*self.source, &dir).await } else { Vec::new() };
            self.looks = self.looks.saturating_sub(1);
            Step::Snapshot { problem: problem(snapshots::SNAPSHOT), newest }
        });
    }

    /// One directory that cannot be read is a problem; a server that is gone is the end, for now.
    async fn unreadable(&mut self, place: Place, error: Error, walk: &mut Walk) -> Result<(), Stopped> {
        if !self.delivered && place.dir.is_root() {
            return Err(Stopped::Source(error));
        }
        // One listing of everything has no other directory that could answer: what it broke off at is still to come.
        let shut = error.reach() >= Reach::Location || self.recursive;
        if !shut && !is_silence(&error) {
            return self.give_up(&place, &error).await;
        }
        self.silent.push((place, error));
        if shut || self.silent.len() >= SILENT { self.gone(walk).await } else { Ok(()) }
    }

    /// Others answer, so those that did not are unreadable.
    async fn believe_silence(&mut self) -> Result<(), Stopped> {
        for (place, error) in std::mem::take(&mut self.silent) {
            self.give_up(&place, &error).await?;
        }
        Ok(())
    }

    async fn give_up(&mut self, place: &Place, error: &Error) -> Result<(), Stopped> {
        self.step(Step::Unreadable(problem(&place.dir, error))).await?;
        // What came of it before counts; of one that never answered there is nothing to close.
        if place.cursor.is_some() { self.finish(place.dir.clone()).await } else { Ok(()) }
    }

    /// The walk would deliver this directory, and all below it, a second time. Keys are told apart by their
    /// order; a directory is listed here, and the walk goes on without it.
    async fn restarted(&mut self, dir: &RelPath, walk: &mut Walk) -> Result<(), Stopped> {
        tracing::warn!(path = %dir, "the server lost our place in a directory: listing it again");
        if self.recursive {
            if self.source.caps().list == ListOrder::ByteOrder {
                return Ok(());
            }
            let lost = Error::new(ErrorKind::Changed, "go on listing").at(dir);
            return Err(Stopped::Source(lost.hint("discover it afresh")));
        }
        let place = walk.forget(dir).unwrap_or_else(|| Place::new(dir.clone(), None));
        self.list_again(place, walk).await
    }

    /// Lists a directory from its beginning and delivers what was not delivered yet.
    async fn list_again(&mut self, place: Place, walk: &mut Walk) -> Result<(), Stopped> {
        let dir = &place.dir.clone();
        self.complete.remove(dir);
        let (ask, parts) = oneshot::channel();
        self.feed(Feed::Parts(ask)).await?;
        let parts = parts.await.map_err(|_| Stopped::NotGathered)?;
        let at = dir.clone();
        let known = tokio::task::spawn_blocking(move || Known::read(&at, &parts)).await;
        let known = match known {
            Ok(Ok(known)) => known,
            // The parts were written moments ago: that they cannot be read is the disk's trouble.
            Ok(Err(error)) => {
                let unread = Error::new(ErrorKind::Unexpected, "read back the entries of").at(dir);
                return Err(Stopped::Source(unread.because(error).with_reach(Reach::Run)));
            }
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        };
        let feed = self.feed.clone();
        let (mut count, mut children, mut unread) = (0, Vec::new(), Vec::new());
        let found = Found { children: &mut children, unread: &mut unread };
        let listed = relist(&self.source, dir, self.want, known, found, async |entries: Vec<Entry>| {
            count += u64::try_from(entries.len()).unwrap_or(u64::MAX);
            let page = Step::Page { dir: dir.clone(), entries, next: Next::Same, links: place.links };
            feed.send(Feed::Step(page)).await.is_ok()
        });
        let listed = listed.await;
        self.entries_since += count;
        for error in unread {
            self.step(Step::UnreadableEntry(problem(error.path().unwrap_or(dir), &error))).await?;
        }
        for child in children.iter().rev().filter(|child| !place.line.holds(child)) {
            walk.push(Place::of(child, &place.line));
        }
        match listed {
            Ok(()) => self.finish(dir.clone()).await,
            // It was open: pages of it came before. Nobody knows the place in it, so who goes on begins again.
            Err(error) => {
                let place = Place { cursor: Some(Cursor(Bytes::new())), ..place };
                Box::pin(self.unreadable(place, error, walk)).await
            }
        }
    }

    fn due(&self) -> bool {
        let rule = self.options.checkpoint;
        let cost = Duration::from_nanos(self.load.cost.load(Ordering::Relaxed));
        self.load.full.load(Ordering::Relaxed)
            || (self.since.elapsed() >= (cost * SHARE).min(rule.every * SHARE)
                && (self.entries_since >= rule.entries || self.since.elapsed() >= rule.every))
    }

    /// What was delivered decides what is left; both go to the gatherer in order. Directories that got no
    /// answer are left too: nobody has said yet that they are unreadable.
    async fn checkpoint(&mut self, walk: &mut Walk) -> Result<(), Stopped> {
        let path = (self.frontier)(self.generation + 1);
        let unwritten = |error: io::Error| Stopped::Source(unwritten("write down what is left to do", &path, &error));
        let mut out = BufWriter::new(File::create(&path).map_err(unwritten)?);
        let mut places = 0;
        walk.each_place(|place| {
            places += 1;
            place.write_to(&mut out)
        })
        .map_err(Stopped::Source)?;
        for (place, _) in &self.silent {
            places += 1;
            place.write_to(&mut out).map_err(unwritten)?;
        }
        out.flush().map_err(unwritten)?;
        let frontier = out.into_inner().map_err(|error| unwritten(error.into_error()))?;
        self.generation += 1;
        self.entries_since = 0;
        self.since = Instant::now();
        self.feed(Feed::Checkpoint { frontier, places, last_key: self.last_key.clone() }).await
    }

    async fn step(&self, step: Step) -> Result<(), Stopped> {
        self.feed(Feed::Step(step)).await
    }

    async fn feed(&self, order: Feed) -> Result<(), Stopped> {
        self.feed.send(order).await.map_err(|_| Stopped::NotGathered)
    }
}

/// Is there no answer, or only the one to come later?
fn is_silence(error: &Error) -> bool {
    error.reach() >= Reach::Location
        || matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::Timeout | ErrorKind::Throttled)
}

fn problem(path: &RelPath, error: &Error) -> Problem {
    let detail = error.cause().map_or_else(|| error.to_string(), |cause| format!("{error} ({cause})"));
    Problem { path: path.clone(), kind: error.kind().word().to_owned(), detail }
}

fn unwritten(op: &'static str, path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::Unexpected, op)
        .with_reach(Reach::Run)
        .because(format!("{}: {error}", path.display()))
        .hint("the inventory's directory must stay writable and have room while a discovery runs")
}
