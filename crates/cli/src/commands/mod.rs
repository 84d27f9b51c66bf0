//! One module per command: what was typed becomes what it means, then it is done.

mod completions;
mod config;
mod copy;
mod discover;
mod explain;
mod migrate;
mod moves;
mod recommend;
mod report;
mod run;
mod source;
mod verify;

use crate::{
    args::{Cli, Command},
    exit::Exit,
    failure::Outcome,
    output::Output,
    settings::{Overrides, Settings, Surroundings},
    stop::Stop,
};

/// What every command works with.
#[derive(Clone, Debug)]
pub struct Shell {
    /// What it all means.
    pub settings: Settings,
    /// Where data and hints go.
    pub out: Output,
    /// Told of interrupts.
    pub stop: Stop,
}

/// Settles and runs one command line. `log` starts the log once the settings are known.
pub async fn run(cli: &Cli, around: Surroundings, stop: Stop, log: impl Fn(&Settings) -> Outcome<()>) -> Outcome<Exit> {
    let settings = Settings::settle(&cli.global, overrides(&cli.command), around)?;
    log(&settings)?;
    let shell = Shell { out: Output::new(&settings), settings, stop };
    match &cli.command {
        Command::Demo(typed) => Box::pin(crate::demo::run(typed, &shell)).await,
        Command::Discover(typed) => discover::run(typed, &shell).await,
        Command::Recommend(typed) => recommend::run(typed, &shell),
        Command::Migrate(typed) => migrate::run(typed, &shell).await,
        Command::Verify(typed) => verify::run(typed, &shell).await,
        Command::Copy(typed) => copy::run(typed, &shell).await,
        Command::Report(typed) => report::run(typed, &shell),
        Command::Source(typed) => source::run(typed, &shell).await,
        Command::Run(typed) => run::run(typed, &shell),
        Command::Config(typed) => config::run(typed, &shell),
        Command::Explain(typed) => explain::run(typed, &shell),
        Command::Completions(typed) => completions::run(typed, &shell),
    }
}

/// The flags of a command that may also be set elsewhere.
fn overrides(command: &Command) -> Overrides {
    match command {
        Command::Discover(typed) => Overrides { concurrency: typed.concurrency, ..Overrides::default() },
        Command::Recommend(typed) => Overrides {
            region: typed.region.clone(),
            access: typed.access.clone(),
            growth: typed.growth,
            horizon: typed.horizon,
            ..Overrides::default()
        },
        Command::Demo(_)
        | Command::Migrate(_)
        | Command::Verify(_)
        | Command::Copy(_)
        | Command::Report(_)
        | Command::Source(_)
        | Command::Run(_)
        | Command::Config(_)
        | Command::Explain(_)
        | Command::Completions(_) => Overrides::default(),
    }
}
