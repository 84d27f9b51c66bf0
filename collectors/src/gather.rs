//! Takes what the walk delivers and brings it to disk: figures, rows, problems, checkpoints. It runs on a
//! thread of its own, so that listings go on while rows are encoded, and takes orders in the order in which
//! the walk delivered.

use crate::{
    LatencyProbe, Progress, host,
    host::Traffic,
    standing::{Frontier, Standing},
};
use inventory::{Draft, Error, Latencies, Problem, ProblemLog, rows::EntryWriter};
use model::{Entry, RelPath};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};

/// Kind of the problem that says that another volume begins.
pub(crate) const OTHER_VOLUME: &str = "other-volume";

/// Volumes below the root that are told apart; a tree of mounts beyond that is noted no further.
const MOST_VOLUMES: usize = 1000;

/// What to take in.
#[derive(Debug)]
pub(crate) enum Feed {
    /// Entries directly in a directory.
    Page { dir: RelPath, entries: Vec<Entry> },
    /// Keys in byte order.
    Keys { entries: Vec<Entry> },
    /// A directory will have no more pages.
    End { dir: RelPath },
    /// The keys came to their end.
    KeysEnd,
    /// A directory could not be read.
    Unreadable(Problem),
    /// A snapshot directory was left out.
    Snapshot(Problem),
    /// Everything before this is delivered, and this is left to do: write it down.
    Checkpoint { frontier: Frontier, last_key: Option<bytes::Bytes> },
    /// Close the part under way and tell all parts.
    Parts(oneshot::Sender<Vec<PathBuf>>),
}

/// The state of gathering.
pub(crate) struct Gather {
    pub draft: Draft,
    pub standing: Standing,
    pub problems: ProblemLog,
    writer: EntryWriter,
    progress: Arc<Progress>,
    probe: Arc<LatencyProbe>,
    /// Latencies of earlier runs.
    earlier: Latencies,
    traffic: Traffic,
    since: Instant,
    /// Nanoseconds that the last checkpoint took, for whoever decides when the next is due.
    pub cost: Arc<AtomicU64>,
}

impl Gather {
    /// Takes up `standing`: what is on disk beyond it is removed.
    pub(crate) fn new(
        draft: Draft,
        standing: Standing,
        progress: Arc<Progress>,
        probe: Arc<LatencyProbe>,
    ) -> Result<Self, Error> {
        let writer = EntryWriter::resume(&draft.entries(), standing.parts.clone())?;
        let problems = draft.problems(standing.problems_bytes)?;
        progress.start(standing.all.entries());
        progress.found(standing.all.entries(), standing.all.counts(), standing.unreadable);
        Ok(Self {
            earlier: standing.latency.clone(),
            draft,
            standing,
            problems,
            writer,
            progress,
            probe,
            traffic: Traffic::now(),
            since: Instant::now(),
            cost: Arc::default(),
        })
    }

    /// Works until nobody feeds any more. Blocks: for a thread of its own.
    pub(crate) fn run(mut self, mut feed: mpsc::Receiver<Feed>) -> Result<Self, Error> {
        while let Some(order) = feed.blocking_recv() {
            self.take(order)?;
        }
        Ok(self)
    }

    fn take(&mut self, order: Feed) -> Result<(), Error> {
        match order {
            Feed::Page { dir, entries } => {
                self.standing.all.page(&dir, &entries);
                self.write(&entries)
            }
            Feed::Keys { entries } => {
                self.standing.all.keys(&entries);
                self.write(&entries)
            }
            Feed::End { dir } => {
                self.standing.all.directory_done(&dir);
                self.progress.directory_done();
                Ok(())
            }
            Feed::KeysEnd => {
                self.standing.all.keys_done();
                Ok(())
            }
            Feed::Unreadable(problem) => {
                self.standing.unreadable += 1;
                self.show();
                self.problems.add(&problem)
            }
            Feed::Snapshot(problem) => {
                self.standing.snapshots += 1;
                self.problems.add(&problem)
            }
            Feed::Checkpoint { frontier, last_key } => {
                self.standing.set_frontier(frontier);
                self.standing.last_key = last_key;
                self.checkpoint()
            }
            Feed::Parts(answer) => {
                let directory = self.writer.directory().to_owned();
                let parts = self.writer.checkpoint()?.iter().map(|part| directory.join(&part.name)).collect();
                // Whoever asked may have been cancelled; then nobody needs the answer.
                answer.send(parts).ok();
                Ok(())
            }
        }
    }

    fn write(&mut self, entries: &[Entry]) -> Result<(), Error> {
        for entry in entries {
            self.writer.write(entry)?;
            self.note_volume(entry)?;
        }
        self.show();
        Ok(())
    }

    /// The first directory seen on a volume is where it is mounted: its parent is listed before anything in it.
    fn note_volume(&mut self, entry: &Entry) -> Result<(), Error> {
        let Some(id) = entry.stamp.file_id.filter(|_| entry.kind.is_dir()) else { return Ok(()) };
        let volumes = &mut self.standing.volumes;
        if volumes.is_empty() || volumes.contains(&id.volume) || volumes.len() >= MOST_VOLUMES {
            return Ok(());
        }
        volumes.push(id.volume);
        self.problems.add(&Problem {
            path: entry.path.clone(),
            kind: OTHER_VOLUME.to_owned(),
            detail: format!(
                "another volume ({:#x}) begins here; it was walked too, and the capacity is that of the root's volume",
                id.volume
            ),
        })
    }

    fn show(&self) {
        let all = &self.standing.all;
        self.progress.found(all.entries(), all.counts(), self.standing.unreadable);
    }

    fn checkpoint(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        self.settle()?;
        self.draft.save(&self.standing)?;
        let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.cost.store(took, Ordering::Relaxed);
        Ok(())
    }

    /// Brings rows and problems to disk, and the figures about this run up to date.
    pub(crate) fn settle(&mut self) -> Result<(), Error> {
        self.standing.parts = self.writer.checkpoint()?.to_vec();
        self.standing.problems_bytes = self.problems.sync()?;
        let mut latency = self.earlier.clone();
        latency.merge(&self.probe.snapshot());
        self.standing.latency = latency;
        let (traffic, now) = (Traffic::now(), Instant::now());
        traffic.add_since(&self.traffic, &mut self.standing.networks);
        self.traffic = traffic;
        self.standing.elapsed_ms += millis(now - self.since);
        self.since = now;
        self.standing.peak_memory = self.standing.peak_memory.max(host::peak_memory());
        Ok(())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
