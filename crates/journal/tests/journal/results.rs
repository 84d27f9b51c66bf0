use journal::{Error, FailuresWriter, ItemProblem, RUN_SCHEMA, RunResult};
use model::RelPath;

fn run() -> RunResult {
    RunResult {
        schema: RUN_SCHEMA.to_owned(),
        version: "0.1.0".to_owned(),
        dry_run: false,
        started_at: "2026-11-22T13:00:00Z".to_owned(),
        finished_at: "2026-11-22T13:05:00Z".to_owned(),
        peak_memory_bytes: Some(1 << 28),
        moves: Vec::new(),
    }
}

#[test]
fn a_run_result_comes_back_from_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.json");
    run().save(&path).unwrap();
    let second = RunResult { dry_run: true, ..run() };
    second.save(&path).unwrap();
    assert_eq!(RunResult::load(&path).unwrap(), second);
    // Nothing is left beside it.
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_is_no_run_result_is_refused_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.json");
    let error = RunResult::load(&path).unwrap_err();
    assert!(matches!(error, Error::Io { op: "read", .. }), "{error}");
    for (text, reason) in [
        ("{\"schema\":\"longshore.run/v9\"}", "its schema is `longshore.run/v9`"),
        ("{\"schema\":\"longshore.run/v1\"}", "missing field `version`"),
        ("{}", "missing field `schema`"),
        ("not json", "expected"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = RunResult::load(&path).unwrap_err();
        assert!(matches!(error, Error::BadResult { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn failures_are_one_to_a_line_whatever_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("failures.ndjson");
    let mut out = FailuresWriter::create(&path).unwrap();
    let problems = [&b"plain"[..], b"new\nline", b"\xFF"].map(|name| ItemProblem {
        path: RelPath::from(name),
        outcome: "failed".to_owned(),
        kind: "denied".to_owned(),
        detail: "NFS3ERR_ACCES\nand more".to_owned(),
        hint: None,
    });
    for problem in &problems {
        out.push(problem).unwrap();
    }
    assert_eq!(out.sync().unwrap(), 3);
    let text = std::fs::read_to_string(&path).unwrap();
    let back: Vec<ItemProblem> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(back, problems);
}
