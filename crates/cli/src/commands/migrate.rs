//! `longshore migrate PLAN`

use super::{Shell, moves};
use crate::{args::Migrate, exit::Exit, failure::Outcome};
use plan::Plan;
use std::path::{Path, PathBuf};

/// Carries the plan out.
pub async fn run(typed: &Migrate, shell: &Shell) -> Outcome<Exit> {
    let plan = load(&typed.plan)?;
    plan.ready()?;
    let folder = typed.run.clone().unwrap_or_else(|| folder_beside(&typed.plan));
    let finished = moves::carry_out(shell, &plan.moves, &folder, typed.dry_run).await?;
    moves::show(shell, &finished, &folder)
}

/// Reads a plan.
pub fn load(path: &Path) -> Outcome<Plan> {
    Plan::load(path).map_err(|error| {
        let mut failure = crate::failure::Failure::from(error);
        failure.from = Some(path.display().to_string());
        failure
    })
}

/// `site/plan.toml` has its run in `site/plan.run`.
pub fn folder_beside(plan: &Path) -> PathBuf {
    plan.with_extension("run")
}
