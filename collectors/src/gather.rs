//! Takes what the walk delivers and brings it to disk: figures, rows, problems, checkpoints. It runs on a
//! thread of its own, so that listings go on while rows are encoded, and takes orders in the order in which
//! the walk delivered.

use crate::{
    LatencyProbe, Progress, host,
    host::Traffic,
    journal::{Journal, Step},
    replay::Replayed,
    standing::Standing,
};
use bytes::Bytes;
use inventory::{Draft, Error, Latencies, Noted, Problem, ProblemLog, rows::EntryWriter};
use model::Entry;
use std::{
    fs::File,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{
    mpsc::{self, error::TryRecvError},
    oneshot,
};

/// Kind of the problem that says that another volume begins.
pub(crate) const OTHER_VOLUME: &str = "other-volume";

/// Volumes below the root that are told apart; a tree of mounts beyond that is noted no further.
const MOST_VOLUMES: usize = 1000;

/// A journal of so many bytes is enough for one checkpoint.
const LONGEST_JOURNAL: u64 = 512 << 20;

/// What to take in.
#[derive(Debug)]
pub(crate) enum Feed {
    /// Something that was delivered.
    Step(Step),
    /// Everything before this is delivered, and `frontier` holds the so many `places` that are left to do: write
    /// it down.
    Checkpoint { frontier: File, places: u64, last_key: Option<Bytes> },
    /// Close the part under way and tell all parts.
    Parts(oneshot::Sender<Vec<PathBuf>>),
}

/// The state of gathering.
pub(crate) struct Gather {
    pub draft: Draft,
    pub standing: Standing,
    pub problems: ProblemLog,
    writer: EntryWriter,
    /// `None` while what it holds is taken in.
    journal: Option<Journal>,
    progress: Arc<Progress>,
    probe: Arc<LatencyProbe>,
    /// Latencies of earlier runs.
    earlier: Latencies,
    traffic: Traffic,
    since: Instant,
    /// For whoever decides when the next checkpoint is due.
    pub load: Arc<Load>,
}

/// What the gatherer tells while it works.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// Nanoseconds that the last checkpoint took.
    pub cost: AtomicU64,
    /// The journal is long enough.
    pub full: AtomicBool,
}

impl Gather {
    /// Takes up `standing` and what the journal holds beyond it; everything else on disk is removed. Blocks.
    pub(crate) fn new(
        draft: Draft,
        standing: Standing,
        progress: Arc<Progress>,
        probe: Arc<LatencyProbe>,
    ) -> Result<(Self, Replayed), Error> {
        let writer = EntryWriter::resume(&draft.entries(), standing.parts.clone())?;
        let problems = draft.problems(standing.problems_bytes)?;
        let mut journal = Journal::new(draft.journal(standing.generation)?);
        let mut replayed = Replayed::default();
        replayed.last_key.clone_from(&standing.last_key);
        let mut gather = Self {
            earlier: standing.latency.clone(),
            journal: None,
            draft,
            standing,
            problems,
            writer,
            progress,
            probe,
            traffic: Traffic::now(),
            since: Instant::now(),
            load: Arc::default(),
        };
        journal.replay(|step| {
            replayed.step(&step);
            gather.step(step)
        })?;
        gather.journal = Some(journal);
        // The last page is the end of a directory, also where that was not written down any more.
        for dir in replayed.take_unended() {
            gather.deliver(Step::End { dir })?;
        }
        if std::mem::take(&mut replayed.keys_unended) {
            gather.deliver(Step::KeysEnd)?;
        }
        gather.progress.start(gather.standing.all.entries());
        gather.show();
        gather.since = Instant::now();
        Ok((gather, replayed))
    }

    /// Works until nobody feeds any more. Blocks: for a thread of its own.
    pub(crate) fn run(mut self, mut feed: mpsc::Receiver<Feed>) -> Result<Self, Error> {
        loop {
            let order = match feed.try_recv() {
                Ok(order) => order,
                Err(TryRecvError::Disconnected) => return self.ended(),
                Err(TryRecvError::Empty) => {
                    self.journal().rest()?;
                    let Some(order) = feed.blocking_recv() else { return self.ended() };
                    order
                }
            };
            self.take(order)?;
            if self.journal().due() {
                self.account()?;
                self.journal().sync()?;
            }
        }
    }

    /// Nobody feeds any more. What comes now may still be interrupted, so all is brought to disk.
    fn ended(mut self) -> Result<Self, Error> {
        self.account()?;
        self.journal().sync()?;
        Ok(self)
    }

    fn take(&mut self, order: Feed) -> Result<(), Error> {
        match order {
            Feed::Step(step) => self.deliver(step),
            Feed::Checkpoint { frontier, places, last_key } => {
                self.standing.places = places;
                self.standing.last_key = last_key;
                self.checkpoint(&frontier)
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

    fn journal(&mut self) -> &mut Journal {
        self.journal.as_mut().expect("it is there when `new` is done")
    }

    /// Into the journal and into the figures.
    fn deliver(&mut self, step: Step) -> Result<(), Error> {
        self.journal().add(&step)?;
        if self.journal().bytes() > LONGEST_JOURNAL {
            self.load.full.store(true, Ordering::Relaxed);
        }
        self.step(step)
    }

    fn step(&mut self, step: Step) -> Result<(), Error> {
        match step {
            Step::Page { dir, entries, links, next: _ } => {
                self.standing.all.begin(&dir, links);
                self.standing.all.page(&dir, &entries);
                self.write(&entries)
            }
            Step::Keys { entries, next: _ } => {
                self.standing.all.keys(&entries);
                self.write(&entries)
            }
            Step::End { dir } => {
                self.standing.all.directory_done(&dir);
                self.progress.directory_done();
                Ok(())
            }
            Step::KeysEnd => {
                self.standing.all.keys_done();
                Ok(())
            }
            Step::Unreadable(problem) | Step::UnreadableEntry(problem) => {
                self.standing.unreadable += 1;
                self.standing.all.note(Noted::Unreadable, &problem.path);
                self.show();
                self.problems.add(&problem)
            }
            Step::Snapshot { problem, newest } => {
                self.standing.snapshots += 1;
                self.standing.all.note(Noted::SnapshotDirectory, &problem.path);
                for path in &newest {
                    self.standing.all.note(Noted::Snapshot, path);
                }
                self.problems.add(&problem)
            }
            Step::Loop(problem) => {
                self.standing.all.note(Noted::Loop, &problem.path);
                self.problems.add(&problem)
            }
            Step::Ran { ms } => {
                self.standing.elapsed_ms += ms;
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
        self.standing.all.note(Noted::OtherVolume, &entry.path);
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

    fn checkpoint(&mut self, frontier: &File) -> Result<(), Error> {
        let began = Instant::now();
        self.settle()?;
        let generation = self.standing.generation + 1;
        let path = self.draft.frontier(generation);
        frontier.sync_all().map_err(|source| Error::Io { op: "sync", path, source })?;
        self.standing.generation = generation;
        self.draft.save(&self.standing)?;
        self.journal().restart(generation)?;
        self.draft.forget_frontiers_before(generation)?;
        let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.load.cost.store(took, Ordering::Relaxed);
        self.load.full.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Counts the time since the last time that this was done.
    fn account(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        let ms = millis(now - self.since);
        self.since = now;
        self.deliver(Step::Ran { ms })
    }

    /// Brings rows and problems to disk, and the figures about this run up to date.
    pub(crate) fn settle(&mut self) -> Result<(), Error> {
        self.standing.parts = self.writer.checkpoint()?.to_vec();
        self.standing.problems_bytes = self.problems.sync()?;
        let mut latency = self.earlier.clone();
        latency.merge(&self.probe.snapshot());
        self.standing.latency = latency;
        let traffic = Traffic::now();
        traffic.add_since(&self.traffic, &mut self.standing.networks);
        self.traffic = traffic;
        self.account()?;
        self.standing.peak_memory = self.standing.peak_memory.max(host::peak_memory());
        Ok(())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
