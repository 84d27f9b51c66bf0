use journal::{Error, Journal, RealDisk};
use std::{process::Command, sync::Arc};

const DIR: &str = "LONGSHORE_TEST_LOCKED_DIR";

#[test]
fn a_second_process_is_told_who_holds_the_journal() {
    // This test is also what the second process runs.
    if let Some(dir) = std::env::var_os(DIR) {
        match Journal::open(dir.as_ref(), Arc::new(RealDisk)) {
            Err(error @ Error::Locked { .. }) => panic!("refused: {error}"),
            other => panic!("not refused: {other:?}"),
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), Arc::new(RealDisk)).unwrap();
    let second = || {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "lock::a_second_process_is_told_who_holds_the_journal", "--nocapture"])
            .env(DIR, dir.path())
            .output()
            .unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let wanted =
        format!("refused: the journal in `{}` is in use by process {}", dir.path().display(), std::process::id());
    let said = second();
    assert!(said.contains(&wanted), "{said}");
    drop(journal);
    let said = second();
    assert!(said.contains("not refused: Ok"), "{said}");
}

#[test]
fn a_journal_can_be_opened_again_once_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), Arc::new(RealDisk)).unwrap();
    let error = Journal::open(dir.path(), Arc::new(RealDisk)).unwrap_err();
    assert!(matches!(error, Error::Locked { holder: Some(_), .. }), "{error}");
    assert_eq!(error.code(), "E1401");
    drop(journal);
    Journal::open(dir.path(), Arc::new(RealDisk)).unwrap();
}
