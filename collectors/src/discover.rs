//! Walks one system into an inventory.

use crate::{
    Collector, Error, LatencyProbe, Progress,
    follow::{Following, Stopped},
    gather::{Gather, OTHER_VOLUME},
    host,
    snapshots::SNAPSHOT,
    standing::Standing,
};
use inventory::{About, Capacity, Inventory, Problem, Profile, System, Walk as WalkFacts};
use model::{Facets, Location, Observed, RelPath, Timestamp};
use std::{
    num::NonZeroUsize,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use storage::{Reach, Usage};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Pages that wait to be gathered; with a thousand entries each they hold about 6 MiB.
const WAITING: usize = 16;
/// Unreadable directories that a profile lists.
const LISTED_PROBLEMS: usize = 10_000;

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
    let usage = match source.usage().await {
        // A server that keeps the size of its volume to itself can still be walked.
        Err(refused) if refused.reach() == Reach::Item => {
            tracing::warn!(error = %refused, "the size of the volume is not known");
            None
        }
        answer => answer?,
    };
    let root = source.stat(&RelPath::ROOT, Facets::NONE).await.ok();
    let volume = root.and_then(|root| root.stamp.file_id).map(|id| id.volume);

    let draft = Inventory::create(out, &rfc3339(options.now))?.draft(collector.location(), options.fresh)?;
    let mut standing = match draft.checkpoint()?.map(Standing::taken_up) {
        Some(standing) => {
            // At once, so that a run that dies before its first checkpoint is counted too.
            draft.save(&standing)?;
            standing
        }
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
    let mut following = Following::new(source, want, options, feed, cost, last_key);
    let walked = following.run(frontier).await;
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
    let about = Ending { location: collector.location().clone(), system, usage, told: want, finished_at };
    let publishing = tokio::task::spawn_blocking(move || publish(gathered, about, options.concurrency));
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

/// What a profile says that was not gathered.
struct Ending {
    location: Location,
    system: System,
    usage: Option<Usage>,
    told: Facets,
    finished_at: Timestamp,
}

/// Makes the profile and puts everything in its place. Blocks.
fn publish(mut gathered: Gather, about: Ending, concurrency: NonZeroUsize) -> Result<Profile, inventory::Error> {
    let Ending { location, mut system, usage, told, finished_at } = about;
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
    let profile = standing.all.into_profile(About {
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
    gathered.draft.publish(&profile)?;
    Ok(profile)
}

/// Findings are listed with the problems, but nothing failed to be read.
fn is_unreadable(problem: &Problem) -> bool {
    ![SNAPSHOT, OTHER_VOLUME].contains(&problem.kind.as_str())
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits than a float has")]
fn per_second(entries: u64, elapsed_ms: u64) -> f64 {
    if elapsed_ms == 0 { 0.0 } else { entries as f64 * 1000.0 / elapsed_ms as f64 }
}

fn rfc3339(time: Timestamp) -> String {
    let nanos = i32::try_from(time.nanos).unwrap_or(0);
    jiff::Timestamp::new(time.secs, nanos).unwrap_or_default().to_string()
}
