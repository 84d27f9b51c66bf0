//! Walks one system into an inventory.

use crate::{
    Collector, Error, LatencyProbe, Progress,
    gather::{Feed, Gather},
    host,
    relist::{Known, relist},
    snapshots,
    standing::{Frontier, Standing},
};
use bytes::Bytes;
use inventory::{About, Capacity, Inventory, Problem, Profile, System, Walk as WalkFacts};
use model::{Entry, Facets, Observed, RelPath, Timestamp};
use std::{
    collections::{HashMap, HashSet},
    num::NonZeroUsize,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use storage::{
    Cursor, Error as StorageError, ErrorKind, ListOrder, Reach, Source, Usage,
    walk::{Walk, WalkEvent, WalkSpec, walk},
};
use tokio::{sync::{mpsc, oneshot}, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Pages that wait to be gathered; with a thousand entries each they hold about 6 MiB.
const WAITING: usize = 16;
/// Unreadable directories that a profile lists.
const LISTED_PROBLEMS: usize = 10_000;
/// So many directories in a row without an answer, and no page in between: the server is gone.
const SILENT: usize = 8;
/// Checkpoints take at most one part in this of the time.
const SHARE: u32 = 20;

/// How to discover.
#[derive(Clone, Debug)]
pub struct DiscoverOptions {
    /// Listings in flight together.
    pub concurrency: NonZeroUsize,
    /// The time now; ages are counted back from it.
    pub now: Timestamp,
    /// How often to write down where we are.
    pub checkpoint: CheckpointRule,
    /// Filled while it runs.
    pub progress: Arc<Progress>,
    /// The probe that the driver was given.
    pub latency: Arc<LatencyProbe>,
    /// Asks to stop: a checkpoint is written and `Error::Interrupted` returned.
    pub stop: CancellationToken,
    /// Throws away what an interrupted discovery left, instead of going on with it.
    pub fresh: bool,
}

/// After so many entries or so much time, whichever comes first. What was found since the last checkpoint is
/// found again after a crash. Each checkpoint closes a file of entries, so very short intervals make many small
/// files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointRule {
    /// Entries.
    pub entries: u64,
    /// Time; longer when checkpoints turn out to be slow.
    pub every: Duration,
}

impl Default for CheckpointRule {
    fn default() -> Self {
        Self { entries: 1_000_000, every: Duration::from_secs(30) }
    }
}

impl DiscoverOptions {
    /// Sixteen listings in flight, everything else new.
    pub fn new(now: Timestamp) -> Self {
        Self {
            concurrency: const { NonZeroUsize::new(16).expect("16 is not 0") },
            now,
            checkpoint: CheckpointRule::default(),
            progress: Arc::default(),
            latency: Arc::default(),
            stop: CancellationToken::new(),
            fresh: false,
        }
    }
}

/// Discovers one system into the inventory in the directory `out`, which is made if it is missing. A discovery
/// that was interrupted, however, goes on; a finished one is made again and replaced at the end.
///
/// Memory does not grow with the number of entries. Directories that cannot be read are listed in the profile,
/// not errors.
///
/// Errors: `Source` when the system cannot be read at all, `Gone` when it stops answering, `Interrupted`,
/// `Inventory` (also when another process discovers the same system into this inventory).
pub async fn discover(collector: &dyn Collector, out: &Path, options: DiscoverOptions) -> Result<Profile, Error> {
    let source = collector.source();
    let system = collector.identify().await?;
    let usage = source.usage().await?;
    let root = source.stat(&RelPath::ROOT, Facets::NONE).await.ok();
    let volume = root.and_then(|root| root.stamp.file_id).map(|id| id.volume);

    let draft = Inventory::create(out, &rfc3339(options.now))?.draft(collector.location(), options.fresh)?;
    let mut standing = match draft.checkpoint::<Standing>()? {
        Some(standing) => Standing { resumed: standing.resumed + 1, ..standing },
        None => Standing::new(options.now, volume),
    };
    let frontier = standing.take_frontier();
    let last_key = standing.last_key.clone();
    let gather = Gather::new(draft, standing, Arc::clone(&options.progress), Arc::clone(&options.latency))?;
    let cost = Arc::clone(&gather.cost);
    let (feed, orders) = mpsc::channel(WAITING);
    let gatherer = tokio::task::spawn_blocking(move || gather.run(orders));

    let began = Instant::now();
    let want = collector.told();
    let mut discovery = Discovery::new(source, want, options, feed, cost, last_key);
    let walked = discovery.run(frontier).await;
    let options = discovery.end();
    let gathered = ended(gatherer).await?;
    match walked {
        Ok(()) => {}
        Err(Stopped::Source(error)) => return Err(Error::Source(error)),
        Err(Stopped::Gone(last)) => return Err(Error::Gone { entries: gathered.standing.all.entries(), last }),
        Err(Stopped::Asked) => return Err(Error::Interrupted { entries: gathered.standing.all.entries() }),
        // The gatherer ended by itself without an error: it cannot, while it is fed.
        Err(Stopped::NotGathered) => unreachable!("the gatherer ends with an error or after its feed"),
    }
    let finished_at = options.now.total_nanos() + i128::try_from(began.elapsed().as_nanos()).unwrap_or(0);
    let finished_at = Timestamp::from_total_nanos(finished_at).unwrap_or(options.now);
    let publishing = tokio::task::spawn_blocking(move || publish(gathered, system, usage, want, &options, finished_at));
    ended(publishing).await
}

/// A blocking task's answer; its panic is ours.
async fn ended<T>(task: JoinHandle<Result<T, inventory::Error>>) -> Result<T, Error> {
    match task.await {
        Ok(answer) => Ok(answer?),
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => unreachable!("a blocking task that started is not cancelled"),
        },
    }
}

/// Makes the profile and puts everything in its place. Blocks.
fn publish(
    mut gathered: Gather,
    mut system: System,
    usage: Option<Usage>,
    told: Facets,
    options: &DiscoverOptions,
    finished: Timestamp,
) -> Result<Profile, inventory::Error> {
    gathered.settle()?;
    let unreadable = gathered.problems.read()?.filter(|problem| problem.as_ref().is_ok_and(is_unreadable));
    let unreadable = unreadable.take(LISTED_PROBLEMS).collect::<Result<Vec<Problem>, _>>()?;
    let standing = gathered.standing;
    for (name, count) in [
        ("snapshot-directories-left-out", standing.snapshots),
        ("other-volumes", u64::try_from(standing.volumes.len().saturating_sub(1)).unwrap_or(u64::MAX)),
    ] {
        if count > 0 {
            system.details.insert(name.to_owned(), count.to_string());
        }
    }
    let entries = standing.all.entries();
    let profile = standing.all.into_profile(About {
        location: gathered.location,
        system,
        walk: WalkFacts {
            started_at: rfc3339(standing.started),
            finished_at: rfc3339(finished),
            elapsed_ms: standing.elapsed_ms,
            resumed: standing.resumed,
            entries_per_second: Observed::measured(per_second(entries, standing.elapsed_ms)),
            concurrency: u32::try_from(options.concurrency.get()).unwrap_or(u32::MAX),
            peak_memory_bytes: standing.peak_memory,
            host: host::host(standing.networks),
        },
        capacity: usage.map(|usage| Capacity {
            total_bytes: Observed::reported(usage.capacity),
            used_bytes: Observed::reported(usage.used),
            available_bytes: Observed::reported(usage.available),
            files: usage.files.map(Observed::reported),
        }),
        latency: standing.latency.to_profile(),
        unreadable,
        unreadable_count: standing.unreadable,
        told,
    });
    gathered.draft.publish(&profile)?;
    Ok(profile)
}

/// Kinds of problems that are findings, and no failure to read.
const FINDINGS: [&str; 2] = ["snapshot", "other-volume"];

fn is_unreadable(problem: &Problem) -> bool {
    !FINDINGS.contains(&problem.kind.as_str())
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits than a float has")]
fn per_second(entries: u64, elapsed_ms: u64) -> f64 {
    if elapsed_ms == 0 { 0.0 } else { entries as f64 * 1000.0 / elapsed_ms as f64 }
}

fn rfc3339(time: Timestamp) -> String {
    let nanos = i32::try_from(time.nanos).unwrap_or(0);
    jiff::Timestamp::new(time.secs, nanos).unwrap_or_default().to_string()
}

/// Why the walk ended before its end.
enum Stopped {
    /// Nothing could be read.
    Source(StorageError),
    /// The server no longer answers.
    Gone(StorageError),
    /// We were told to.
    Asked,
    /// Nobody gathers any more; the gatherer knows why.
    NotGathered,
}

/// A walk whose events go to the gatherer.
struct Discovery {
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
    silent: Vec<(RelPath, StorageError)>,
    /// Left out, and not yet said: their page has not come.
    snapshots: Vec<Problem>,
    /// The sort key delivered last, of a recursive listing.
    last_key: Option<Bytes>,
    delivered: bool,
    entries_since: u64,
    since: Instant,
}

impl Discovery {
    fn new(
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
    fn end(self) -> DiscoverOptions {
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

    async fn run(&mut self, frontier: Frontier) -> Result<(), Stopped> {
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
                    kind: FINDINGS[0].to_owned(),
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
    async fn unreadable(&mut self, dir: RelPath, error: StorageError, walk: &mut Walk) -> Result<(), Stopped> {
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
        let mut frontier = walk.frontier().map_err(Stopped::Source)?;
        let (_, last) = self.silent.pop().map_or_else(|| unreachable!("pushed above"), |(dir, error)| {
            frontier.push((dir.clone(), self.cursors.get(&dir).cloned()));
            (dir, error)
        });
        frontier.extend(self.silent.drain(..).map(|(dir, _)| (self.cursors.get(&dir).cloned(), dir)).map(|(c, d)| (d, c)));
        self.save(frontier).await?;
        Err(Stopped::Gone(last))
    }

    /// Others answer, so those that did not are unreadable.
    async fn believe_silence(&mut self) -> Result<(), Stopped> {
        for (dir, error) in std::mem::take(&mut self.silent) {
            self.give_up(dir, &error).await?;
        }
        Ok(())
    }

    async fn give_up(&mut self, dir: RelPath, error: &StorageError) -> Result<(), Stopped> {
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
                let lost = StorageError::new(ErrorKind::Changed, "go on listing").at(dir);
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
                let unread = StorageError::new(ErrorKind::Unexpected, "read back the entries of").at(dir);
                return Err(Stopped::Source(unread.because(error).with_reach(Reach::Run)));
            }
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        };
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

    /// What was delivered decides what is left; both go to the gatherer in order.
    async fn checkpoint(&mut self, walk: &mut Walk) -> Result<(), Stopped> {
        let frontier = walk.frontier().map_err(Stopped::Source)?;
        self.save(frontier).await
    }

    async fn save(&mut self, frontier: Frontier) -> Result<(), Stopped> {
        self.entries_since = 0;
        self.since = Instant::now();
        self.feed(Feed::Checkpoint { frontier, last_key: self.last_key.clone() }).await
    }

    async fn feed(&self, order: Feed) -> Result<(), Stopped> {
        self.feed.send(order).await.map_err(|_| Stopped::NotGathered)
    }
}
