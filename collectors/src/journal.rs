//! What the walk delivers, step by step: the gatherer's input, and what the journal holds of it until the next
//! checkpoint. A run that ends in between, however it ends, loses only what was not yet handed to the system.

use bytes::Bytes;
use inventory::{Error, FrameLog, Problem};
use model::{Entry, RelPath};
use serde::{Deserialize, Serialize};
use std::{
    io,
    path::Path,
    time::{Duration, Instant},
};

/// How often what is in the journal is brought to disk; until then only a power cut could take it.
const SYNC_EVERY: Duration = Duration::from_secs(5);
/// Syncing takes at most one part in this of the time.
const SYNC_SHARE: u32 = 20;

/// One thing that was delivered.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Step {
    /// Entries directly in a directory, and how many names its inode has.
    Page { dir: RelPath, entries: Vec<Entry>, next: Next, links: Option<u32> },
    /// Keys in byte order.
    Keys { entries: Vec<Entry>, next: Next },
    /// A directory will have no more pages.
    End { dir: RelPath },
    /// The keys came to their end.
    KeysEnd,
    /// A directory could not be read.
    Unreadable(Problem),
    /// A snapshot directory was left out, in which these are the newest.
    Snapshot { problem: Problem, newest: Vec<RelPath> },
    /// A directory that is one of those that hold it was left out.
    Loop(Problem),
    /// So long it was walked since this was said before, milliseconds.
    Ran { ms: u64 },
    /// An entry could not be read. Nothing follows from it for what is left to walk.
    UnreadableEntry(Problem),
}

/// Where a directory goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Next {
    /// There.
    At(Bytes),
    /// Nowhere: this was its last page.
    End,
    /// Where it would have gone on before this page.
    Same,
}

/// The journal while it is written.
#[derive(Debug)]
pub(crate) struct Journal {
    log: FrameLog,
    frame: Vec<u8>,
    synced: Instant,
    cost: Duration,
}

impl Journal {
    pub(crate) fn new(log: FrameLog) -> Self {
        Self { log, frame: Vec::new(), synced: Instant::now(), cost: Duration::ZERO }
    }

    /// Hands every step to `take`; what follows is written after them.
    pub(crate) fn replay(&mut self, mut take: impl FnMut(Step) -> Result<(), Error>) -> Result<u64, Error> {
        self.log.replay(|frame| {
            let step = postcard::from_bytes(frame).map_err(|problem| Error::Malformed {
                path: Path::new("journal").to_owned(),
                problem: problem.to_string(),
            })?;
            take(step)
        })
    }

    pub(crate) fn add(&mut self, step: &Step) -> Result<(), Error> {
        let frame = std::mem::take(&mut self.frame);
        let written = postcard::to_extend(step, frame).map_err(|problem| Error::Io {
            op: "write",
            path: Path::new("journal").to_owned(),
            source: io::Error::other(problem),
        })?;
        self.frame = written;
        let added = self.log.add(&self.frame);
        self.frame.clear();
        added
    }

    /// Nothing more waits to be taken: what is here survives this process now.
    pub(crate) fn rest(&mut self) -> Result<(), Error> {
        self.log.flush()
    }

    /// Is it time to bring it to disk?
    pub(crate) fn due(&self) -> bool {
        self.synced.elapsed() >= SYNC_EVERY.max(self.cost * SYNC_SHARE)
    }

    pub(crate) fn sync(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        self.log.sync()?;
        self.cost = began.elapsed();
        self.synced = Instant::now();
        Ok(())
    }

    /// A checkpoint has it all.
    pub(crate) fn restart(&mut self, generation: u64) -> Result<(), Error> {
        self.log.restart(generation)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.log.bytes()
    }
}
