//! Carrying out moves: what `migrate` and `copy` share.

use super::Shell;
use crate::{
    clock,
    exit::Exit,
    failure::{Code, Failure, Outcome},
    progress::{Progress, Reading},
    registry::{self, Missing},
};
use ::migrate::{Ended, Job, Meter, MeterSnapshot, Options, Phase, RequestPrice};
use journal::{MoveResult, Outcome as Ending, RUN_SCHEMA, RunResult};
use plan::Move;
use std::{path::Path, sync::Arc};

/// Name of the sum of a run in its folder.
pub const RUN_FILE: &str = "run.json";

/// A run and how the process should end after it.
#[derive(Debug)]
pub struct Finished {
    /// What was done.
    pub result: RunResult,
    /// How the process should end.
    pub exit: Exit,
    /// Why moves could not finish.
    pub failures: Vec<Failure>,
}

/// Opens both sides of a move.
pub async fn job(shell: &Shell, spec: &Move, folder: &Path, dry_run: bool) -> Outcome<Job> {
    let missing = if dry_run { Missing::IsAnError } else { Missing::IsMade };
    let source = registry::source(&spec.from, &shell.settings).await.map_err(|failure| failure.at(&spec.from))?;
    let target = registry::target(&spec.to, missing, &shell.settings).await.map_err(|failure| failure.at(&spec.to))?;
    let options = Options { dry_run, request_price: request_price(shell, spec), now: clock::now };
    Ok(Job { source, target, spec: spec.clone(), run_dir: folder.to_owned(), options })
}

/// Carries out moves one after the other, and writes the sum of the run into its folder.
pub async fn carry_out(shell: &Shell, moves: &[Move], folder: &Path, dry_run: bool) -> Outcome<Finished> {
    std::fs::create_dir_all(folder).map_err(|error| {
        Failure::new(Code::File, format!("cannot make the folder of the run `{}`", folder.display())).because(error)
    })?;
    let mut finished = Finished {
        result: RunResult {
            schema: RUN_SCHEMA.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            dry_run,
            started_at: clock::now_text(),
            finished_at: String::new(),
            peak_memory_bytes: None,
            moves: Vec::new(),
        },
        exit: Exit::Done,
        failures: Vec::new(),
    };
    for spec in moves {
        if shell.stop.asked() {
            finished.exit = finished.exit.worse(shell.stop.exit());
            break;
        }
        match one(shell, spec, folder, dry_run).await {
            Ok(ended) => {
                finished.exit = finished.exit.worse(exit_of(&ended.result, shell));
                if let Some(error) = ended.error {
                    finished.failures.push(place(Failure::from(error), spec));
                }
                finished.result.moves.push(ended.result);
            }
            Err(failure) => {
                finished.exit = finished.exit.worse(failure.exit);
                finished.failures.push(failure);
            }
        }
    }
    finished.result.finished_at = clock::now_text();
    finished.result.peak_memory_bytes = clock::peak_memory();
    // A dry run leaves the books of the last real run alone.
    if !dry_run && !finished.result.moves.is_empty() {
        finished.result.save(&folder.join(RUN_FILE))?;
    }
    Ok(finished)
}

async fn one(shell: &Shell, spec: &Move, folder: &Path, dry_run: bool) -> Outcome<Ended> {
    let job = Box::pin(job(shell, spec, folder, dry_run)).await?;
    let meter = Arc::new(Meter::default());
    let progress = watch(shell, &spec.name, &meter);
    let ended = Box::pin(::migrate::run(job, meter, shell.stop.token.clone())).await;
    progress.finish().await;
    ended.map_err(|error| place(Failure::from(error), spec))
}

/// Shows the meter of a move.
pub fn watch(shell: &Shell, name: &str, meter: &Arc<Meter>) -> Progress {
    let meter = Arc::clone(meter);
    Progress::show(&shell.settings, name, move || reading(meter.snapshot()))
}

fn reading(now: MeterSnapshot) -> Reading {
    let listing = matches!(now.phase, Phase::Opening | Phase::Listing);
    Reading {
        phase: now.phase.word(),
        items: if listing { now.listed_source.max(now.listed_target) } else { now.done_items },
        of_items: now.work_items,
        bytes: now.done_bytes,
        of_bytes: now.work_bytes,
        failed: now.failed_items,
    }
}

/// Says at which side it happened, where the failure does not know.
pub fn place(mut failure: Failure, spec: &Move) -> Failure {
    if failure.from.is_none() {
        failure.from = Some(format!("move `{}`: {} -> {}", spec.name, spec.from, spec.to));
    }
    failure
}

fn exit_of(result: &MoveResult, shell: &Shell) -> Exit {
    match result.outcome {
        Ending::Done => Exit::Done,
        Ending::LeftOver => Exit::LeftOver,
        Ending::Different => Exit::Different,
        Ending::Refused => Exit::Refused,
        Ending::Stopped => Exit::Failed,
        Ending::Interrupted => shell.stop.exit(),
    }
}

/// What a writing request costs at an object target; `None` where the catalog does not know.
fn request_price(shell: &Shell, spec: &Move) -> Option<RequestPrice> {
    if spec.to.scheme() != "s3" {
        return None;
    }
    let catalog = catalog::Catalog::embedded().ok()?;
    let class = spec.configuration.get("StorageClass").map_or("STANDARD", String::as_str);
    let dimension = catalog.storage_class(class)?.prices.get("put")?;
    let named = spec.to.param("region").or(shell.settings.region.value.as_deref()).unwrap_or("us-east-1");
    let price = catalog.price("s3", dimension, named).ok()?;
    Some(RequestPrice { usd_per_1k: price.amount, region: price.region.clone(), as_of: price.as_of.clone() })
}

/// Shows what a run did, and why it could not finish where it did not.
pub fn show(shell: &Shell, finished: &Finished, folder: &Path) -> Outcome<Exit> {
    if shell.out.json {
        shell.out.document(&finished.result)?;
    } else if !finished.result.moves.is_empty() {
        shell.out.text(&reports::terminal::run(&finished.result, shell.out.width))?;
    }
    for failure in &finished.failures {
        crate::show_failure(shell, failure);
    }
    let left_over = finished.result.moves.iter().any(|m| m.tally.failed_items() + m.tally.skipped_items() > 0);
    if left_over {
        shell.out.note(&format!("every item: longshore run failures {}", folder.display()));
    }
    if matches!(finished.exit, Exit::Interrupted | Exit::Terminated) {
        shell.out.note("interrupted: run the same command again to go on where it stopped");
    }
    Ok(finished.exit)
}
