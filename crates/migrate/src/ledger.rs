//! The books of a move: every item of the source ends in exactly one place.

use crate::{
    Result,
    meter::{Meter, count},
};
use journal::{FailuresWriter, ItemProblem, Tally};
use model::{Entry, Facets, Kind, RelPath};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

/// How many paths a result shows; the rest are only counted (and stand in `failures.ndjson`).
const SHOWN: usize = 1000;

/// Counts and problems, shared by everybody who decides the fate of an item.
#[derive(Debug)]
pub(crate) struct Ledger {
    books: Mutex<Books>,
    meter: Arc<Meter>,
}

/// What the ledger holds.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) tally: Tally,
    pub(crate) lost: BTreeMap<String, u64>,
    pub(crate) mapped_names: u64,
    pub(crate) extra: Vec<RelPath>,
    pub(crate) failures: Vec<ItemProblem>,
    pub(crate) sent_bytes: u64,
    pub(crate) resumed_uploads: u64,
    pub(crate) discarded_uploads: u64,
    lines: FailuresWriter,
    broken: Option<journal::Error>,
}

impl Ledger {
    /// Starts empty books; `failures.ndjson` at `path` is begun anew.
    pub(crate) fn open(path: &Path, meter: Arc<Meter>) -> Result<Arc<Self>> {
        let books = Books {
            tally: Tally::default(),
            lost: BTreeMap::new(),
            mapped_names: 0,
            extra: Vec::new(),
            failures: Vec::new(),
            sent_bytes: 0,
            resumed_uploads: 0,
            discarded_uploads: 0,
            lines: FailuresWriter::create(path)?,
            broken: None,
        };
        Ok(Arc::new(Self { books: Mutex::new(books), meter }))
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn found(&self, entry: &Entry) {
        count(&mut self.books().tally.found, &entry.kind, entry.stamp.size);
    }
    pub(crate) fn unchanged(&self, entry: &Entry) {
        count(&mut self.books().tally.unchanged, &entry.kind, entry.stamp.size);
    }
    /// An item was sent. Counted by what the listing called it, so that the sums add up.
    pub(crate) fn copied(&self, kind: &Kind, size: u64, sent: u64, lost: Facets) {
        let mut books = self.books();
        count(&mut books.tally.copied, kind, size);
        books.sent_bytes += sent;
        books.lose(lost);
        drop(books);
        self.meter.item();
    }
    pub(crate) fn adopted(&self, kind: &Kind, size: u64) {
        count(&mut self.books().tally.adopted, kind, size);
        self.meter.item();
    }
    pub(crate) fn skipped(&self, path: &RelPath, reason: &str, detail: &str) {
        let mut books = self.books();
        *books.tally.skipped.entry(reason.to_owned()).or_default() += 1;
        books.problem(ItemProblem {
            path: path.clone(),
            outcome: "skipped".to_owned(),
            kind: reason.to_owned(),
            detail: detail.to_owned(),
            hint: None,
        });
    }
    pub(crate) fn failed(&self, path: &RelPath, kind: &str, detail: String, hint: Option<String>) {
        let mut books = self.books();
        *books.tally.failed.entry(kind.to_owned()).or_default() += 1;
        books.problem(ItemProblem {
            path: path.clone(),
            outcome: "failed".to_owned(),
            kind: kind.to_owned(),
            detail,
            hint,
        });
        drop(books);
        self.meter.failed();
    }
    /// A directory that cannot be listed: nobody knows how many items it hides, so it stands for one.
    pub(crate) fn unreadable(&self, path: &RelPath, kind: &str, detail: String, hint: Option<String>) {
        self.books().tally.found.others += 1;
        self.failed(path, kind, detail, hint);
    }
    pub(crate) fn extra(&self, path: &RelPath) {
        let mut books = self.books();
        books.tally.extra += 1;
        if books.extra.len() < SHOWN {
            books.extra.push(path.clone());
        }
    }
    /// Books what a run would bring.
    pub(crate) fn would_copy(&self, would: journal::Count) {
        self.books().tally.copied = would;
    }
    /// Writes `failures.ndjson` out.
    pub(crate) fn flush(&self) -> Result<()> {
        let mut books = self.books();
        let synced = books.lines.sync();
        books.broken.take().map_or(synced, Err)?;
        Ok(())
    }
}

impl Books {
    pub(crate) fn lose(&mut self, facets: Facets) {
        for name in facets.names() {
            *self.lost.entry(name.to_owned()).or_default() += 1;
        }
    }
    fn problem(&mut self, problem: ItemProblem) {
        if let Err(error) = self.lines.push(&problem) {
            self.broken.get_or_insert(error);
        }
        if self.failures.len() < SHOWN {
            self.failures.push(problem);
        }
    }
}

/// What stands in the books of an error: its words with the server's.
pub(crate) fn detail(error: &storage::Error) -> String {
    match error.cause() {
        Some(cause) => format!("{error} ({cause})"),
        None => error.to_string(),
    }
}
