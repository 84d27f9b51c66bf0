//! Help is part of the interface.

use crate::{run, shown};

#[test]
fn the_help_of_every_command_is_as_agreed() {
    for words in [
        &[][..],
        &["demo"],
        &["discover"],
        &["recommend"],
        &["migrate"],
        &["verify"],
        &["copy"],
        &["report"],
        &["source"],
        &["source", "test"],
        &["run"],
        &["run", "show"],
        &["run", "failures"],
        &["config"],
        &["config", "show"],
        &["explain"],
        &["completions"],
    ] {
        let name = if words.is_empty() { "help".to_owned() } else { format!("help-{}", words.join("-")) };
        insta::assert_snapshot!(name, shown(&run(&[words, &["--help"]].concat()), None));
    }
}

#[test]
fn without_a_command_the_help_is_an_error() {
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty(), "stdout is for data");
    assert!(String::from_utf8_lossy(&output.stderr).contains("Usage: longshore"));
}

#[test]
fn completions_name_every_command() {
    let script = String::from_utf8(run(&["completions", "bash"]).stdout).unwrap();
    for command in ["demo", "discover", "recommend", "migrate", "verify", "copy", "report", "explain"] {
        assert!(script.contains(command), "{command}");
    }
}
