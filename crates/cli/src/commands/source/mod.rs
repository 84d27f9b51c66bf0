//! `longshore source …`: looks at one store.

mod bench;
mod test;

use super::Shell;
use crate::{args::Source as Typed, exit::Exit, failure::Outcome};

/// Runs one of them.
pub async fn run(typed: &Typed, shell: &Shell) -> Outcome<Exit> {
    match typed {
        Typed::Test { location } => Box::pin(test::run(location, shell)).await,
        Typed::Bench(bench) => Box::pin(bench::run(bench, shell)).await,
    }
}
