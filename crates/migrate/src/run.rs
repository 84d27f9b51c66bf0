//! One move from its first question to its last: list, compare, ask, send, prove.

use crate::{
    Error, Result,
    compare::{Terms, Work, compare},
    crew::{self, Spool},
    folder::Folder,
    ledger::Ledger,
    listing,
    meter::{Meter, Phase},
    names::Names,
    preflight::{self, RequestPrice},
    shop::Shop,
    verify::{self, BothSides},
};
use journal::{Answer, CommitPolicy, Journal, MoveResult, Outcome, PreflightCheck, Record, Verification, Writer};
use model::{Facets, Timestamp};
use plan::{Move, Step, VerifyPolicy};
use std::{path::PathBuf, sync::Arc, time::Duration};
use storage::{MetaWrite, Source, Target};
use tokio_util::sync::CancellationToken;

/// Memory for folding the journal.
const FOLD_MEMORY: usize = 32 << 20;

/// A move with its doors open.
#[derive(Clone)]
pub struct Job {
    /// Where the data is.
    pub source: Arc<dyn Source>,
    /// Where it shall be.
    pub target: Arc<dyn Target>,
    /// The move as the plan has it.
    pub spec: Move,
    /// The run's folder; the move gets a folder of its own name in it.
    pub run_dir: PathBuf,
    /// Further wishes.
    pub options: Options,
}

/// Further wishes for a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Say what would be done; write nothing at the target.
    pub dry_run: bool,
    /// What a writing request costs, for the estimate.
    pub request_price: Option<RequestPrice>,
    /// The time, for the journal. Handed in, because nothing below the command line looks at a clock.
    pub now: fn() -> Timestamp,
}

/// How a run ended: its books, and the reason where it could not finish.
#[derive(Debug)]
pub struct Ended {
    /// What was done.
    pub result: MoveResult,
    /// Why it could not finish; `result.outcome` is `Stopped` then.
    pub error: Option<Error>,
}

/// Runs a move: resumes what an earlier run left, brings what differs, proves that it arrived.
///
/// Errors: only what makes books impossible (the run folder, the journal). Everything else ends in
/// [`Ended`] with what was done until then.
pub async fn run(job: Job, meter: Arc<Meter>, stop: CancellationToken) -> Result<Ended> {
    let folder = Folder::open(&job.run_dir, &job.spec)?;
    let ledger = Ledger::open(&folder.failures(), meter.clone())?;
    let mut story = Story::new(&job);
    let ended = story.tell(&job, &folder, &ledger, &meter, &stop).await;
    meter.enter(Phase::Finished);
    ledger.flush()?;
    let error = match ended {
        Ok(()) => None,
        Err(error @ (Error::Journal(_) | Error::RunFolder { .. } | Error::OtherMove { .. })) => return Err(error),
        Err(error) => Some(error),
    };
    Ok(Ended { result: story.close(&job, &ledger, error.as_ref(), stop.is_cancelled()), error })
}

/// Verifies a move independently of its journal: lists both sides, reads every byte of both.
pub async fn verify(job: Job, meter: Arc<Meter>, stop: CancellationToken) -> Result<Verification> {
    let folder = Folder::open(&job.run_dir, &job.spec)?;
    let ledger = Ledger::open(&folder.scratch_file("verify-failures.ndjson"), meter.clone())?;
    meter.enter(Phase::Listing);
    let (source, target) = both_sides(&job, &folder, &ledger, &meter, &stop).await?;
    prove_by_reading(&job, &meter, &stop, &ledger, source, target).await
}

/// What a run has found out so far.
struct Story {
    preflight: Vec<PreflightCheck>,
    refused: bool,
    verification: Option<Verification>,
    elapsed: Duration,
}

impl Story {
    fn new(_job: &Job) -> Self {
        Self { preflight: Vec::new(), refused: false, verification: None, elapsed: Duration::ZERO }
    }

    async fn tell(
        &mut self,
        job: &Job,
        folder: &Folder,
        ledger: &Arc<Ledger>,
        meter: &Arc<Meter>,
        stop: &CancellationToken,
    ) -> Result<()> {
        meter.enter(Phase::Opening);
        let transfers = job.spec.steps.contains(&Step::Transfer {}) && !job.options.dry_run;
        let asks = job.spec.steps.contains(&Step::Preflight {});
        let path = folder.journal();
        let opened = tokio::task::spawn_blocking(move || Journal::open(&path, Arc::new(journal::RealDisk)));
        let journal = folded(opened.await??).await?;
        if asks {
            self.preflight = preflight::doors(&job.source, &job.target, !transfers, &job.spec).await?;
            if self.says_no() {
                return Ok(());
            }
        }
        let begun = tokio::time::Instant::now();
        meter.enter(Phase::Listing);
        let (source, target) = both_sides(job, folder, ledger, meter, stop).await?;
        if stop.is_cancelled() {
            return Ok(());
        }
        meter.enter(Phase::Comparing);
        let (spool, work) = plan_work(job, folder, ledger, source, target, journal.snapshot()?).await?;
        let writer = Writer::start(journal, CommitPolicy::default());
        let shop = shop(job, writer.clone(), ledger, meter, stop);
        if asks {
            let price = job.options.request_price.as_ref();
            self.preflight.extend(preflight::figures(&shop, work, ledger, price).await?);
        }
        if !transfers || self.says_no() {
            if job.options.dry_run {
                ledger.would_copy(work.count);
            }
            drop(shop);
            writer.close().await?;
            return Ok(());
        }
        let ended = self.transfer(job, &shop, spool, work, folder).await;
        self.elapsed = begun.elapsed();
        drop(shop);
        let journal = writer.close().await?;
        ended?;
        if stop.is_cancelled() || !job.spec.steps.contains(&Step::Verify {}) {
            return Ok(());
        }
        self.prove(job, folder, journal, ledger, meter, stop).await
    }

    fn says_no(&mut self) -> bool {
        self.refused = self.preflight.iter().any(|check| check.answer == Answer::No);
        self.refused
    }

    async fn transfer(
        &self,
        job: &Job,
        shop: &Arc<Shop>,
        spool: journal::sort::Sorted,
        work: Work,
        folder: &Folder,
    ) -> Result<()> {
        shop.meter.enter(Phase::Transferring);
        shop.meter.work(work.count.items(), work.count.bytes);
        let started = Record::Started { at: (job.options.now)(), move_sha256: folder.fingerprint() };
        shop.journal.append(started).await?;
        let worked = crew::work(shop, spool, &folder.scratch()).await;
        if let Some(error) = shop.reason() {
            return Err(error);
        }
        worked?;
        if !shop.closing() {
            shop.journal.append(Record::Finished { at: (job.options.now)() }).await?;
        }
        Ok(())
    }

    async fn prove(
        &mut self,
        job: &Job,
        folder: &Folder,
        journal: Journal,
        ledger: &Arc<Ledger>,
        meter: &Arc<Meter>,
        stop: &CancellationToken,
    ) -> Result<()> {
        meter.enter(Phase::Verifying);
        let begun = tokio::time::Instant::now();
        let journal = folded(journal).await?;
        let tally = ledger.books().tally.clone();
        meter.work(tally.copied.items() + tally.adopted.items(), tally.copied.bytes + tally.adopted.bytes);
        let state = journal.snapshot()?;
        let writer = Writer::start(journal, CommitPolicy::default());
        let shop = shop(job, writer.clone(), ledger, meter, stop);
        let found = verify::ask_target(&shop, state, job.spec.verify != VerifyPolicy::Stamp).await;
        drop(shop);
        writer.close().await?;
        let mut found = found?;
        if job.spec.verify == VerifyPolicy::ReadBack && !stop.is_cancelled() {
            let listed = Ledger::open(&folder.scratch_file("verify-failures.ndjson"), meter.clone())?;
            let (source, target) = both_sides(job, folder, &listed, meter, stop).await?;
            found = prove_by_reading(job, meter, stop, &listed, source, target).await?;
        }
        found.elapsed_ms = millis(begun.elapsed());
        self.verification = Some(found);
        Ok(())
    }

    fn close(self, job: &Job, ledger: &Ledger, error: Option<&Error>, interrupted: bool) -> MoveResult {
        let books = ledger.books();
        let mut tally = books.tally.clone();
        // Whoever did not finish says how much is left; whoever did must account for everything.
        if error.is_some() || interrupted || self.refused {
            tally.pending = tally.found.items().saturating_sub(tally.settled_items());
        }
        let different = self.verification.as_ref().is_some_and(|found| found.different > 0);
        let outcome = match error {
            Some(_) => Outcome::Stopped,
            None if interrupted => Outcome::Interrupted,
            None if self.refused => Outcome::Refused,
            None if different => Outcome::Different,
            None if tally.failed_items() + tally.skipped_items() > 0 => Outcome::LeftOver,
            None => Outcome::Done,
        };
        MoveResult {
            name: job.spec.name.clone(),
            from: job.spec.from.clone(),
            to: job.spec.to.clone(),
            service: job.spec.service.0.clone(),
            outcome,
            stopped_because: error.map(ToString::to_string),
            preflight: self.preflight,
            tally,
            sent_bytes: books.sent_bytes,
            elapsed_ms: millis(self.elapsed),
            lost_facets: books.lost.clone(),
            mapped_names: books.mapped_names,
            extra: books.extra.clone(),
            failures: books.failures.clone(),
            verification: self.verification,
            resumed_uploads: books.resumed_uploads,
            discarded_uploads: books.discarded_uploads,
        }
    }
}

/// Folds the journal on a thread of its own: of ten million records it takes some twenty seconds.
async fn folded(mut journal: Journal) -> Result<Journal> {
    tokio::task::spawn_blocking(move || {
        journal.compact(FOLD_MEMORY)?;
        Ok(journal)
    })
    .await?
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Metadata that the source tells and the target keeps.
fn wanted(job: &Job) -> Facets {
    job.source.caps().reads.minus(Facets::DIGESTS).shared(job.target.caps().writes)
}

fn shop(job: &Job, writer: Writer, ledger: &Arc<Ledger>, meter: &Arc<Meter>, stop: &CancellationToken) -> Arc<Shop> {
    let doors = (job.source.clone(), job.target.clone());
    Shop::new(doors, job.spec.clone(), wanted(job), writer, ledger.clone(), meter.clone(), stop.clone())
}

/// Lists both sides at the same time.
async fn both_sides(
    job: &Job,
    folder: &Folder,
    ledger: &Ledger,
    meter: &Meter,
    stop: &CancellationToken,
) -> Result<(listing::Listing, listing::Listing)> {
    let names = Names::new(job.spec.names, job.target.caps());
    let want = job.source.caps().reads.minus(Facets::DIGESTS);
    let scratch = folder.scratch();
    let there: Arc<dyn Source> = job.target.clone();
    let source = listing::source(job.source.clone(), names, want, &scratch, ledger, meter, stop);
    let target = listing::target(there, wanted(job), &scratch, meter, stop);
    tokio::try_join!(source, target)
}

/// Compares on a thread of its own and writes down what is to be done.
async fn plan_work(
    job: &Job,
    folder: &Folder,
    ledger: &Arc<Ledger>,
    source: listing::Listing,
    target: listing::Listing,
    state: journal::Snapshot,
) -> Result<(journal::sort::Sorted, Work)> {
    let terms = Terms { wanted: wanted(job), settle: job.target.caps().meta_write == MetaWrite::AnyTime };
    let (scratch, ledger) = (folder.scratch(), ledger.clone());
    tokio::task::spawn_blocking(move || {
        let mut spool = Spool::new(&scratch);
        let work = compare(source, target, state, terms, &ledger, |action| spool.push(&action))?;
        Ok((spool.finish()?, work))
    })
    .await?
}

async fn prove_by_reading(
    job: &Job,
    meter: &Arc<Meter>,
    stop: &CancellationToken,
    ledger: &Ledger,
    source: listing::Listing,
    target: listing::Listing,
) -> Result<Verification> {
    meter.enter(Phase::Verifying);
    let begun = tokio::time::Instant::now();
    let hidden = [source.unreadable, target.unreadable].concat();
    let sides = BothSides {
        source: job.source.clone(),
        target: job.target.clone(),
        wanted: wanted(job),
        meter: meter.clone(),
        stop: stop.clone(),
        memory: job.spec.memory.0,
    };
    let mut found = verify::read_back(sides, source.sorted, target.sorted, hidden).await?;
    // What the source could not show or the target cannot hold was not compared, and is no proof of anything.
    let books = ledger.books();
    for item in books.failures.iter().filter(|item| item.outcome == "failed") {
        let what = if item.kind == storage::ErrorKind::NameRefused.word() { "missing" } else { "unreadable" };
        found.differences.push(journal::Difference {
            path: item.path.clone(),
            what: what.to_owned(),
            detail: item.detail.clone(),
        });
    }
    found.different += books.tally.failed_items();
    drop(books);
    found.elapsed_ms = millis(begun.elapsed());
    Ok(found)
}
