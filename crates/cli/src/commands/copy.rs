//! `longshore copy SRC DST`

use super::{Shell, moves};
use crate::{
    args::{Copy, Names},
    exit::Exit,
    failure::{Code, Failure, Outcome},
    registry,
    settings::env,
};
use model::Location;
use plan::{Move, NamePolicy, PLAN_SCHEMA, Plan};
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;

/// One move without a plan file.
pub async fn run(typed: &Copy, shell: &Shell) -> Outcome<Exit> {
    let (from, to) = (registry::location(&typed.source)?, registry::location(&typed.target)?);
    let spec = spec(from, to, typed.names)?;
    let folder = match &typed.run {
        Some(folder) => folder.clone(),
        None => usual_folder(&spec, shell)?,
    };
    let finished = moves::carry_out(shell, std::slice::from_ref(&spec), &folder, typed.dry_run).await?;
    if !finished.result.moves.is_empty() {
        shell.out.note(&format!("run: {}", folder.display()));
    }
    moves::show(shell, &finished, &folder)
}

/// The move that two locations make; the same rules hold as for one in a plan.
pub fn spec(from: Location, to: Location, names: Names) -> Outcome<Move> {
    let mut spec = Move::new("copy", from, to);
    spec.names = match names {
        Names::Refuse => NamePolicy::Refuse,
        Names::Escape => NamePolicy::Escape,
        Names::Restore => NamePolicy::Restore,
    };
    let plan = Plan {
        schema: PLAN_SCHEMA.to_owned(),
        inventory_sha256: String::new(),
        catalog_as_of: String::new(),
        moves: vec![spec],
    };
    plan.check()?;
    let [spec] = <[Move; 1]>::try_from(plan.moves).expect("one move was put in");
    Ok(spec)
}

/// A folder of its own for every pair of locations and way with names, below the user's state.
pub fn usual_folder(spec: &Move, shell: &Shell) -> Outcome<PathBuf> {
    let state = shell.settings.surroundings.state_folder().ok_or_else(|| {
        Failure::new(Code::Usage, "cannot tell where the run's journal shall be: there is no home directory")
            .hint(format!("give a folder with `--run`, or set {}", env::STATE_DIR))
    })?;
    let identity = format!("{}\n{}\n{:?}", spec.from, spec.to, spec.names);
    let hash = Sha256::digest(identity.as_bytes());
    let first = hash.first_chunk().expect("a hash has 32 bytes");
    let name = format!("{:016x}", u64::from_be_bytes(*first));
    Ok(state.join("runs").join(name))
}
