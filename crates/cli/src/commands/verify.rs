//! `longshore verify PLAN | SRC DST`

use super::{Shell, copy, migrate, moves};
use crate::{
    args::{Names, Verify},
    exit::Exit,
    failure::{Failure, Outcome},
    registry,
};
use ::migrate::Meter;
use journal::Verification;
use model::{ByteSize, human_count, human_duration};
use plan::Move;
use serde::Serialize;
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Differences shown on a terminal; the document has all.
const SHOWN: usize = 10;

/// What verification of one move found.
#[derive(Serialize)]
struct Verified {
    #[serde(rename = "move")]
    name: String,
    from: model::Location,
    to: model::Location,
    #[serde(flatten)]
    found: Verification,
}

/// Reads both sides back.
pub async fn run(typed: &Verify, shell: &Shell) -> Outcome<Exit> {
    let (specs, folder) = settle(typed, shell)?;
    let mut exit = Exit::Done;
    let mut all = Vec::new();
    for spec in specs {
        let found = one(shell, &spec, &folder).await?;
        if shell.stop.asked() {
            shell.out.note("interrupted: nothing is proved; run the same command again");
            return Ok(shell.stop.exit());
        }
        exit = exit.worse(if found.different > 0 { Exit::Different } else { Exit::Done });
        let verified = Verified { name: spec.name.clone(), from: spec.from.clone(), to: spec.to.clone(), found };
        if !shell.out.json {
            shell.out.text(&text(&verified))?;
        }
        all.push(verified);
    }
    if shell.out.json {
        shell.out.named_document("longshore.verification/v1", &serde_json::json!({"moves": all}))?;
    }
    Ok(exit)
}

fn settle(typed: &Verify, shell: &Shell) -> Outcome<(Vec<Move>, PathBuf)> {
    let Some(second) = &typed.second else {
        let path = Path::new(&typed.first);
        let plan = migrate::load(path)?;
        plan.ready()?;
        let folder = typed.run.clone().unwrap_or_else(|| migrate::folder_beside(path));
        return Ok((plan.moves, folder));
    };
    let (from, to) = (registry::location(&typed.first)?, registry::location(second)?);
    let spec = copy::spec(from, to, typed.names.unwrap_or(Names::Refuse))?;
    let folder = match &typed.run {
        Some(folder) => folder.clone(),
        None => copy::usual_folder(&spec, shell)?,
    };
    Ok((vec![spec], folder))
}

async fn one(shell: &Shell, spec: &Move, folder: &Path) -> Outcome<Verification> {
    let job = Box::pin(moves::job(shell, spec, folder, false)).await?;
    let meter = Arc::new(Meter::default());
    let progress = moves::watch(shell, &format!("verify {}", spec.name), &meter);
    let found = Box::pin(::migrate::verify(job, meter, shell.stop.token.clone())).await;
    progress.finish().await;
    found.map_err(|error| moves::place(Failure::from(error), spec))
}

fn text(verified: &Verified) -> String {
    let found = &verified.found;
    let mut out = format!("{}: {} -> {}\n", verified.name, verified.from, verified.to);
    let verdict = if found.different == 0 { "everything is equal" } else { "THERE ARE DIFFERENCES" };
    let mut line = |text: std::fmt::Arguments<'_>| out.write_fmt(text).expect("a String takes everything");
    line(format_args!(
        "  {verdict}: {} items compared by {}, {} equal, {} different, {} only at the target; {} of content in {}\n",
        human_count(found.compared),
        found.method,
        human_count(found.equal),
        human_count(found.different),
        human_count(found.extra),
        ByteSize(found.compared_bytes),
        human_duration(Duration::from_millis(found.elapsed_ms)),
    ));
    if found.by_size_only > 0 {
        let items = human_count(found.by_size_only);
        line(format_args!("  {items} items are proved by size and entity tag only\n"));
    }
    for difference in found.differences.iter().take(SHOWN) {
        line(format_args!("  {} `{}`: {}\n", difference.what, difference.path, difference.detail));
    }
    if found.differences.len() > SHOWN {
        line(format_args!("  … and more; all of them with --json\n"));
    }
    out
}
