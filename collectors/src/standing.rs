//! Where a discovery stands: everything that a checkpoint remembers. What is left to do is in a file of its own
//! (it may be millions of directories), what was found since in the journal.

use bytes::Bytes;
use inventory::{Accumulator, Latencies, Network, rows::PartFile};
use model::Timestamp;
use serde::{Deserialize, Serialize};

/// What is known and what is on disk, of one moment.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// Which checkpoint this is; 0 before the first.
    pub generation: u64,
    /// Directories that are left to do, in the frontier of this generation; at generation 0 it is the root.
    pub places: u64,
    /// Start of the first run; ages are counted back from it.
    pub started: Timestamp,
    /// Runs that were taken up again.
    pub resumed: u32,
    /// Time of all runs, milliseconds.
    pub elapsed_ms: u64,
    /// The sort key delivered last, of a recursive listing.
    pub last_key: Option<Bytes>,
    /// Volumes that were seen; the first is the root's.
    pub volumes: Vec<u64>,
    /// Parts that are complete.
    pub parts: Vec<PartFile>,
    /// Valid bytes of the list of problems.
    pub problems_bytes: u64,
    /// Directories that could not be read.
    pub unreadable: u64,
    /// Snapshot directories that were left out.
    pub snapshots: u64,
    /// The figures.
    pub all: Accumulator,
    /// Latencies of all runs.
    pub latency: Latencies,
    /// Traffic of all runs.
    pub networks: Vec<Network>,
    /// Largest resident memory of all runs, bytes.
    pub peak_memory: Option<u64>,
}

impl Standing {
    /// At the very start.
    pub(crate) fn new(started: Timestamp, volume: Option<u64>) -> Self {
        Self {
            generation: 0,
            places: 1,
            started,
            resumed: 0,
            elapsed_ms: 0,
            last_key: None,
            volumes: volume.into_iter().collect(),
            parts: Vec::new(),
            problems_bytes: 0,
            unreadable: 0,
            snapshots: 0,
            all: Accumulator::new(started),
            latency: Latencies::default(),
            networks: Vec::new(),
            peak_memory: None,
        }
    }

    /// One more run begins.
    pub(crate) fn taken_up(mut self) -> Self {
        self.resumed += 1;
        self
    }
}
