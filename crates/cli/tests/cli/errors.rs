//! Every error says what, where and why, often what to do, and ends with the right code.

use crate::{longshore, run, shown};
use std::{fs, io::Read as _, net::TcpListener, path::Path, process::Stdio};

const PLAN: &str = r#"
schema = "longshore.plan/v1"
[[move]]
name = "home"
from = "file:///nowhere/at/all"
to = "s3://bucket/home"
"#;

fn snapshot(name: &str, home: &Path, arguments: &[&str]) {
    let output = longshore(home).args(arguments).output().unwrap();
    insta::assert_snapshot!(name, shown(&output, Some(home)));
}

#[test]
fn what_was_typed_wrong_is_usage() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    snapshot("unknown-flag", at, &["discover", "./x", "-o", "y", "--concurency", "4"]);
    snapshot("unknown-scheme", at, &["source", "test", "nsf://filer/export"]);
    snapshot("no-scheme", at, &["source", "test", "export"]);
    snapshot("password-in-a-location", at, &["source", "test", "nfs://anna:secret@filer/export"]);
    snapshot("nfs-cannot-be-written", at, &["copy", at.to_str().unwrap(), "nfs://filer/export"]);
    snapshot("unknown-code", at, &["explain", "E2199"]);
    snapshot("nothing-to-report", at, &["report", "missing.inv"]);
    snapshot("a-tree-into-itself", at, &["copy", "/tmp/tree", "/tmp/tree/below"]);
    snapshot("a-wrong-rate", at, &["recommend", "x.inv", "--throughput", "fast"]);
}

#[test]
fn a_wrong_configuration_names_the_key_and_the_nearest_one() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join(".config/longshore")).unwrap();
    fs::write(home.path().join(".config/longshore/config.toml"), "concurency = 4\n").unwrap();
    snapshot("configuration-with-a-typo", home.path(), &["config", "show"]);
    let output =
        longshore(home.path()).env("LONGSHORE_CONFIG", "other.toml").args(["config", "show"]).output().unwrap();
    insta::assert_snapshot!("configuration-that-is-missing", shown(&output, Some(home.path())));
}

#[test]
fn a_wrong_variable_is_named() {
    let home = tempfile::tempdir().unwrap();
    let output = longshore(home.path()).env("LONGSHORE_GROWTH", "much").args(["config", "show"]).output().unwrap();
    insta::assert_snapshot!("variable-that-is-wrong", shown(&output, Some(home.path())));
}

#[test]
fn settings_tell_where_they_come_from() {
    let home = tempfile::tempdir().unwrap();
    let output =
        longshore(home.path()).env("LONGSHORE_HORIZON", "60").args(["config", "show", "--origins"]).output().unwrap();
    insta::assert_snapshot!("settings-with-origins", shown(&output, Some(home.path())));
}

#[test]
fn a_plan_with_a_typo_is_refused_with_the_nearest_name() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("plan.toml"), format!("{PLAN}concurency = 4\n")).unwrap();
    snapshot("plan-with-a-typo", home.path(), &["migrate", "plan.toml"]);
    snapshot("plan-that-is-missing", home.path(), &["migrate", "other.toml"]);
}

#[test]
fn what_is_not_there_is_named() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("empty")).unwrap();
    snapshot("no-inventory", home.path(), &["recommend", "empty"]);
    snapshot("no-source", home.path(), &["copy", "/nowhere/at/all", "./copy"]);
}

/// A port that nobody listens on.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_server_that_cannot_be_reached_is_named() {
    let home = tempfile::tempdir().unwrap();
    let port = closed_port();
    for (name, uri) in [
        ("nfs-server-unreachable", format!("nfs://127.0.0.1:{port}/export?mountport={port}")),
        ("s3-server-unreachable", format!("s3://bucket?endpoint=http://127.0.0.1:{port}&flavour=minio")),
    ] {
        let output = longshore(home.path())
            .env("LONGSHORE_TRIES", "1")
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .args(["source", "test", &uri])
            .output()
            .unwrap();
        insta::assert_snapshot!(name, shown(&output, None).replace(&port.to_string(), "[PORT]"));
    }
}

#[test]
fn with_json_an_error_is_a_document_on_stderr() {
    let output = run(&["--json", "explain", "E2199"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let document: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(document["schema"], "longshore.error/v1");
    assert_eq!(document["code"], "E1009");
    assert_eq!(document["exit_code"], 2);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let home = tempfile::tempdir().unwrap();
    let mut child = longshore(home.path())
        .args(["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}
