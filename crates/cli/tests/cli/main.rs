//! The binary as people meet it: help, errors with hints and exit codes, real work between directories, the demo.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod demo;
mod errors;
mod help;
mod work;

use std::{
    path::Path,
    process::{Command, Output},
};

/// The binary, away from the configuration and the state of whoever runs the tests.
fn longshore(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if ["LONGSHORE_", "AWS_", "XDG_"].iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(&*name);
        }
    }
    command.env("HOME", home).env("AWS_EC2_METADATA_DISABLED", "true").current_dir(home);
    command
}

/// Runs the binary in a new home.
fn run(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    longshore(home.path()).args(arguments).output().unwrap()
}

/// Exit code, stdout and stderr as one text, with what differs from machine to machine taken out.
fn shown(output: &Output, home: Option<&Path>) -> String {
    let mut text = format!(
        "exit code: {}\n--- stdout\n{}--- stderr\n{}",
        output.status.code().map_or_else(|| "none".to_owned(), |code| code.to_string()),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    if let Some(home) = home {
        text = text.replace(&home.display().to_string(), "[HOME]");
    }
    // The folder of a run is named by a hash of both locations, and these by where the test runs.
    match text.split_once("/longshore/runs/") {
        Some((before, after)) if after.len() >= 16 => format!("{before}/longshore/runs/[HASH]{}", &after[16..]),
        _ => text,
    }
}

/// Takes the value of one field out of a JSON document.
fn field(document: &serde_json::Value, pointer: &str) -> serde_json::Value {
    document.pointer(pointer).unwrap_or_else(|| panic!("no `{pointer}` in {document:#}")).clone()
}
