//! `longshore run show|failures RUN`

use super::{Shell, moves::RUN_FILE};
use crate::{
    args::Run,
    exit::Exit,
    failure::{Code, Failure, Outcome},
};
use journal::{ItemProblem, RunResult};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
};

/// Looks at a run.
pub fn run(typed: &Run, shell: &Shell) -> Outcome<Exit> {
    match typed {
        Run::Show { run } => {
            let result = load(run)?;
            if shell.out.json {
                shell.out.document(&result)?;
            } else {
                shell.out.text(&reports::terminal::run(&result, shell.out.width))?;
            }
        }
        Run::Failures { run } => failures(run, shell)?,
    }
    Ok(Exit::Done)
}

/// Reads the sum of a run, from its folder or the file itself.
pub fn load(path: &Path) -> Outcome<RunResult> {
    let file = if path.is_dir() { path.join(RUN_FILE) } else { path.to_owned() };
    RunResult::load(&file).map_err(|error| {
        let failure = Failure::from(error);
        if failure.hint.is_some() { failure } else { failure.hint("give the folder of a run, such as `plan.run`") }
    })
}

/// Prints every item that failed or was skipped: all of them, not only those that `run.json` has room for.
fn failures(folder: &Path, shell: &Shell) -> Outcome<()> {
    let result = load(folder)?;
    for done in &result.moves {
        let path = folder.join(&done.name).join("failures.ndjson");
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                let what = format!("cannot read `{}`", path.display());
                return Err(Failure::new(Code::File, what).because(error));
            }
        };
        for line in BufReader::new(file).lines() {
            let wrong =
                |why: String| Failure::new(Code::File, format!("cannot read `{}`", path.display())).because(why);
            let line = line.map_err(|error| wrong(error.to_string()))?;
            if shell.out.json {
                shell.out.text(&line)?;
                continue;
            }
            let item: ItemProblem = serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?;
            shell.out.text(&format!("{} {} `{}`: {}", item.outcome, item.kind, item.path, item.detail))?;
            if let Some(hint) = item.hint {
                shell.out.text(&format!("  hint: {hint}"))?;
            }
        }
    }
    Ok(())
}
