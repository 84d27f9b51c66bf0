//! Where a discovery stands: everything that a checkpoint remembers.

use bytes::Bytes;
use inventory::{Accumulator, Latencies, Network, rows::PartFile};
use model::{RelPath, Timestamp};
use serde::{Deserialize, Serialize};
use storage::Cursor;

/// A directory that is left to do, and where to go on in it. Paths and cursors are bytes.
pub(crate) type Frontier = Vec<(RelPath, Option<Cursor>)>;

/// What is known, what is on disk, and what is left to do: all of one moment.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// Start of the first run; ages are counted back from it.
    pub started: Timestamp,
    /// Runs that were taken up again.
    pub resumed: u32,
    /// Time of all runs, milliseconds.
    pub elapsed_ms: u64,
    /// What is left to do.
    places: Vec<Place>,
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

#[derive(Debug, Serialize, Deserialize)]
struct Place {
    dir: RelPath,
    cursor: Option<Bytes>,
}

impl Standing {
    /// At the very start.
    pub(crate) fn new(started: Timestamp, volume: Option<u64>) -> Self {
        Self {
            started,
            resumed: 0,
            elapsed_ms: 0,
            places: vec![Place { dir: RelPath::ROOT, cursor: None }],
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

    pub(crate) fn set_frontier(&mut self, frontier: Frontier) {
        let place = |(dir, cursor): (RelPath, Option<Cursor>)| Place { dir, cursor: cursor.map(|cursor| cursor.0) };
        self.places = frontier.into_iter().map(place).collect();
    }

    /// Hands out what is left to do; it is stale as soon as the walk goes on.
    pub(crate) fn take_frontier(&mut self) -> Frontier {
        std::mem::take(&mut self.places).into_iter().map(|place| (place.dir, place.cursor.map(Cursor))).collect()
    }
}
