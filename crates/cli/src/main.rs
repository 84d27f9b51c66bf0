//! `longshore`: grammar, settings, secrets, errors, output, and the registry of schemes.
//!
//! Two stages: [`args`] is what was typed, [`settings`] is what it means. Nothing below this crate sees
//! flags, environment or configuration files.

mod access;
mod args;
mod clock;
mod commands;
mod demo;
mod exit;
mod failure;
mod logging;
mod output;
mod progress;
mod registry;
mod secrets;
mod settings;
mod stop;

use crate::{
    args::Cli,
    commands::Shell,
    exit::Exit,
    failure::{Code, Failure, Outcome},
    settings::Surroundings,
    stop::Stop,
};
use clap::Parser as _;
use std::{io::IsTerminal as _, process::ExitCode};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error).into(),
    };
    let (json, around) = (cli.global.json, Surroundings::of_process());
    let color = around.stderr_is_terminal && around.variable(settings::env::NO_COLOR).is_none();
    ended(run(&cli, around), json, color).into()
}

fn run(cli: &Cli, around: Surroundings) -> Outcome<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Code::File, "cannot start the threads that the work needs").because(error))?;
    let exit = runtime.block_on(async {
        let stop =
            Stop::listen().map_err(|error| Failure::new(Code::File, "cannot listen for signals").because(error))?;
        Box::pin(commands::run(cli, around, stop, logging::start)).await
    });
    // What is still in flight after an interrupt must not hold up the end.
    runtime.shutdown_background();
    exit
}

/// Shows a failure and says how the process ends.
fn ended(outcome: Outcome<Exit>, json: bool, color: bool) -> Exit {
    match outcome {
        Ok(exit) => exit,
        Err(failure) if failure.is_broken_pipe() => Exit::Done,
        Err(failure) => {
            output::say(&if json { failure.json() } else { failure.render(color).trim_end().to_owned() });
            failure.exit
        }
    }
}

/// What clap says about the command line; `--help` and `--version` are no errors.
fn misused(error: &clap::Error) -> Exit {
    use clap::error::ErrorKind as Kind;
    let color = std::io::stderr().is_terminal() && std::env::var_os(settings::env::NO_COLOR).is_none();
    let text = error.render();
    let text = if color { text.ansi().to_string() } else { text.to_string() };
    match error.kind() {
        Kind::DisplayHelp | Kind::DisplayVersion => {
            // A reader that went away is not an error.
            drop(error.print());
            Exit::Done
        }
        Kind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output::say(text.trim_end());
            Exit::Usage
        }
        _ => {
            let code = format!("error[{}]:", Code::Usage.text());
            output::say(text.replacen("error:", &code, 1).trim_end());
            Exit::Usage
        }
    }
}

/// Kept here so that the demo and `main` show failures alike.
pub(crate) fn show_failure(shell: &Shell, failure: &Failure) {
    let json = shell.settings.json;
    output::say(&if json { failure.json() } else { failure.render(shell.settings.color).trim_end().to_owned() });
}
