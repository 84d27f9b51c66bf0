//! Walks one system into an inventory.

use crate::{
    Collector, Error, LatencyProbe, Progress,
    follow::{Following, Start, Stopped},
    gather::{Gather, OTHER_VOLUME},
    host,
    snapshots::{LOOP, SNAPSHOT},
    standing::Standing,
};
use inventory::{
    About, Capacity, Finding, Inventory, Problem, Profile, SecondCount, System, Walk as WalkFacts, Weight,
};
use model::{Facets, Location, Observed, RelPath, Timestamp};
use std::{
    num::NonZeroUsize,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use storage::{
    Considerate, Patience, Reach, Source, Usage,
    walk::{Line, Place},
};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Pages that wait to be gathered; with a thousand entries each they hold about 6 MiB.
const WAITING: usize = 16;
/// Unreadable directories that a profile lists.
const LISTED_PROBLEMS: usize = 10_000;
/// For what is asked after the walk.
const ANSWER_WITHIN: Duration = Duration::from_mins(10);

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
    /// Fewer listings run together while the server answers slowly (see `storage::Considerate`). On at first.
    pub considerate: bool,
    /// A system from which nothing came for so long has ended, 15 minutes at first. Retries and timeouts of
    /// single requests are to be shorter; waiting for a window does not count.
    pub silence: Duration,
}

/// After so many entries or so much time, whichever comes first. What was found since the last checkpoint is in
/// the journal and not found again after a crash, so checkpoints only keep that short: each closes a file of
/// entries, and very short intervals make many small files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointRule {
    /// Entries.
    pub entries: u64,
    /// Time; longer when checkpoints turn out to be slow.
    pub every: Duration,
}

impl Default for CheckpointRule {
    fn default() -> Self {
        Self { entries: 1_000_000, every: Duration::from_mins(5) }
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
            considerate: true,
            silence: Duration::from_mins(15),
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
pub async fn discover(collector: &Collector, out: &Path, options: DiscoverOptions) -> Result<Profile, Error> {
    let source = collector.source();
    // First, because it goes through the source and waits for its window.
    let root = match before(&options, "look at", source.stat(&RelPath::ROOT, Facets::NONE)).await {
        Err(refused) if refused.reach() == Reach::Item => None,
        answer => Some(answer?),
    };
    let volume = root.as_ref().and_then(|root| root.stamp.file_id).map(|id| id.volume);
    let root = root.map_or_else(|| Place::new(RelPath::ROOT, None), |root| Place::of(&root, &Line::default()));
    let system = before(&options, "find out what it is", collector.protocol().identify()).await?;
    let usage = match before(&options, "ask for the size of", source.usage()).await {
        // A server that keeps the size of its volume to itself can still be walked.
        Err(refused) if refused.reach() == Reach::Item => {
            tracing::warn!(error = %refused, "the size of the volume is not known");
            None
        }
        answer => answer?,
    };

    let mut inventory = Inventory::create(out, &rfc3339(options.now))?;
    let draft = inventory.draft(collector.location(), options.fresh)?;
    let last = inventory.profile(draft.name()).ok().map(|last| {
        let counts = last.counts;
        counts.files + counts.dirs + counts.symlinks + counts.specials
    });
    if let Some(expected) = last.or_else(|| usage.and_then(|usage| usage.files)) {
        options.progress.expect(expected);
    }
    let standing = if let Some(standing) = draft.checkpoint()? {
        Standing::taken_up(standing)
    } else {
        // A journal without its checkpoint is what a crash left that hit while they were thrown away.
        draft.journal(0)?.restart(0)?;
        Standing::new(options.now, volume)
    };
    // At once, so that a run that dies before its first checkpoint is counted, and its journal has a beginning.
    draft.save(&standing)?;
    let (progress, latency) = (Arc::clone(&options.progress), Arc::clone(&options.latency));
    let frontier = Box::new(draft.frontiers());
    let taking_up = tokio::task::spawn_blocking(move || Gather::new(draft, standing, progress, latency));
    let (gather, replayed) = ended(taking_up).await?;
    let Standing { generation, places, .. } = gather.standing;
    let start = Start { replayed, generation, places, root };
    let load = Arc::clone(&gather.load);
    let (feed, orders) = mpsc::channel(WAITING);
    let gatherer = tokio::task::spawn_blocking(move || gather.run(orders));

    let began = Instant::now();
    let want = collector.told();
    let source: Arc<dyn Source> = if options.considerate {
        Arc::new(Considerate::new(source, Patience::new(options.concurrency)))
    } else {
        source
    };
    let mut following = Following::new(source, want, options, (feed, load), frontier);
    let walked = following.run(start).await;
    let options = following.end();
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
    let asked = Asked::of(collector, &options.stop).await;
    // What was gathered is kept, so that the next run asks at once what this one was not told.
    if options.stop.is_cancelled() {
        return Err(Error::Interrupted { entries: gathered.standing.all.entries() });
    }
    let about = Ending { location: collector.location().clone(), system, usage, told: want, finished_at, asked };
    let publishing = tokio::task::spawn_blocking(move || publish(gathered, about, options.concurrency));
    ended(publishing).await
}

/// The answer, or the error that there was none in time. Waiting for a window is no silence.
async fn before<T>(
    options: &DiscoverOptions,
    op: &'static str,
    answer: impl Future<Output = storage::Result<T>>,
) -> storage::Result<T> {
    let mut answer = std::pin::pin!(answer);
    loop {
        match tokio::time::timeout(options.silence, &mut answer).await {
            Ok(answer) => return answer,
            Err(_) if options.progress.numbers().waiting_until.is_some() => {}
            Err(_) => return Err(silent(options.silence, op)),
        }
    }
}

/// Nothing came for too long.
pub(crate) fn silent(silence: Duration, op: &'static str) -> storage::Error {
    storage::Error::new(storage::ErrorKind::Timeout, op)
        .with_reach(Reach::Location)
        .because(format!("nothing came for {} s", silence.as_secs()))
        .hint("look whether the server is well and can be reached")
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

/// What a profile says that was not gathered.
struct Ending {
    location: Location,
    system: System,
    usage: Option<Usage>,
    told: Facets,
    finished_at: Timestamp,
    asked: Asked,
}

/// What the collector told after the walk.
struct Asked {
    findings: Vec<Finding>,
    second_count: Option<SecondCount>,
}

impl Asked {
    /// Never fails: what cannot be told is a finding itself.
    async fn of(collector: &Collector, stop: &CancellationToken) -> Self {
        let (findings, second_count) = tokio::join!(
            in_time(collector.protocol().findings(), stop, "what else the system knows of the location"),
            in_time(collector.protocol().second_count(), stop, "the second count"),
        );
        let (mut findings, unfound) = findings.map_or_else(|unfound| (Vec::new(), Some(unfound)), |all| (all, None));
        let (second_count, uncounted) =
            second_count.map_or_else(|uncounted| (None, Some(uncounted)), |all| (all, None));
        findings.extend(unfound.into_iter().chain(uncounted));
        Self { findings, second_count }
    }
}

/// The answer, or the finding that there is none. A second count of a large system may take a server minutes.
async fn in_time<T>(
    answer: impl Future<Output = storage::Result<T>>,
    stop: &CancellationToken,
    what: &str,
) -> Result<T, Finding> {
    let why = tokio::select! {
        biased;
        () = stop.cancelled() => "we were told to stop".to_owned(),
        answer = tokio::time::timeout(ANSWER_WITHIN, answer) => match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(refused)) => refused
                .cause()
                .map_or_else(|| refused.to_string(), |cause| format!("{refused} ({cause})")),
            Err(_) => format!("no answer within {} s", ANSWER_WITHIN.as_secs()),
        },
    };
    Err(Finding::new("not-told", Weight::Note, format!("{what} could not be told: {why}")))
}

/// Makes the profile and puts everything in its place. Blocks.
fn publish(mut gathered: Gather, about: Ending, concurrency: NonZeroUsize) -> Result<Profile, inventory::Error> {
    let Ending { location, mut system, usage, told, finished_at, asked } = about;
    gathered.settle()?;
    let unreadable = gathered.problems.read()?.filter(|problem| problem.as_ref().map_or(true, is_unreadable));
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
    let mut profile = standing.all.into_profile(About {
        location,
        system,
        walk: WalkFacts {
            started_at: rfc3339(standing.started),
            finished_at: rfc3339(finished_at),
            elapsed_ms: standing.elapsed_ms,
            resumed: standing.resumed,
            entries_per_second: Observed::measured(per_second(entries, standing.elapsed_ms)),
            concurrency: u32::try_from(concurrency.get()).unwrap_or(u32::MAX),
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
    profile.add_findings(asked.findings);
    if let Some(count) = asked.second_count {
        profile.add_second_count(count);
    }
    gathered.draft.publish(&profile)?;
    Ok(profile)
}

/// Findings are listed with the problems, but nothing failed to be read.
fn is_unreadable(problem: &Problem) -> bool {
    ![SNAPSHOT, LOOP, OTHER_VOLUME].contains(&problem.kind.as_str())
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits than a float has")]
fn per_second(entries: u64, elapsed_ms: u64) -> f64 {
    if elapsed_ms == 0 { 0.0 } else { entries as f64 * 1000.0 / elapsed_ms as f64 }
}

fn rfc3339(time: Timestamp) -> String {
    let nanos = i32::try_from(time.nanos).unwrap_or(0);
    jiff::Timestamp::new(time.secs, nanos).unwrap_or_default().to_string()
}
