//! What every worker of a move holds in its hands.

use crate::{Error, budget::Budget, ledger::Ledger, meter::Meter, pace::Pace};
use journal::Writer;
use model::{Facets, Metadata};
use plan::Move;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use storage::{Source, Target};
use tokio_util::sync::CancellationToken;

/// Shared by all workers of a move.
pub(crate) struct Shop {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) target: Arc<dyn Target>,
    pub(crate) spec: Move,
    /// Metadata that the source tells and the target keeps.
    pub(crate) wanted: Facets,
    pub(crate) journal: Writer,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) budget: Budget,
    pub(crate) pace: Arc<Pace>,
    /// Somebody wants the run to end; items in flight are finished or left resumable.
    pub(crate) stop: CancellationToken,
    fatal: Mutex<Option<Error>>,
    broken: AtomicBool,
}

/// How bringing one item ended short of success.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// This item only.
    Item(storage::Error),
    /// The source no longer has it.
    Vanished,
    /// The run was asked to stop.
    Stopped,
    /// The run cannot go on.
    Fatal(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Fatal(error)
    }
}
impl From<journal::Error> for Trouble {
    fn from(error: journal::Error) -> Self {
        Self::Fatal(error.into())
    }
}

impl Shop {
    pub(crate) fn new(
        doors: (Arc<dyn Source>, Arc<dyn Target>),
        spec: Move,
        wanted: Facets,
        journal: Writer,
        ledger: Arc<Ledger>,
        meter: Arc<Meter>,
        stop: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            source: doors.0,
            target: doors.1,
            wanted,
            journal,
            ledger,
            meter,
            budget: Budget::new(spec.memory.0),
            pace: Pace::new(spec.concurrency),
            stop,
            spec,
            fatal: Mutex::new(None),
            broken: AtomicBool::new(false),
        })
    }

    /// An error of the source, sorted by how far it reaches.
    pub(crate) fn source_trouble(&self, error: storage::Error) -> Trouble {
        self.trouble(error, "source")
    }
    /// An error of the target, sorted by how far it reaches.
    pub(crate) fn target_trouble(&self, error: storage::Error) -> Trouble {
        self.trouble(error, "target")
    }
    fn trouble(&self, error: storage::Error, side: &'static str) -> Trouble {
        if matches!(error.kind(), storage::ErrorKind::Throttled | storage::ErrorKind::Timeout) {
            self.pace.push_back();
        }
        if crate::listing::stops_the_side(&error) {
            return Trouble::Fatal(Error::Location { side, source: error });
        }
        Trouble::Item(error)
    }

    /// Ends the run; the first reason stays.
    pub(crate) fn give_up(&self, error: Error) {
        self.broken.store(true, Relaxed);
        let mut fatal = self.fatal.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        fatal.get_or_insert(error);
    }
    /// Why the run ends, if it must.
    pub(crate) fn reason(&self) -> Option<Error> {
        self.fatal.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }
    /// Shall workers put down their tools?
    pub(crate) fn closing(&self) -> bool {
        self.broken.load(Relaxed) || self.stop.is_cancelled()
    }
}

/// Facets that the item has and that were not kept.
pub(crate) fn lost(meta: Option<&Metadata>, nlink: Option<u32>, kept: Facets) -> Facets {
    let has = meta.map_or(Facets::NONE, Metadata::facets);
    let links = if nlink.is_some_and(|n| n > 1) { Facets::HARD_LINKS } else { Facets::NONE };
    has.and(links).minus(kept)
}
