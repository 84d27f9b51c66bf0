//! `longshore completions SHELL`

use super::Shell;
use crate::{
    args::{Cli, Completions},
    exit::Exit,
    failure::Outcome,
};
use clap::CommandFactory as _;

/// Prints the script.
pub fn run(typed: &Completions, shell: &Shell) -> Outcome<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(typed.shell, &mut Cli::command(), "longshore", &mut script);
    shell.out.text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
