//! The demo does the whole job, and a second one finds nothing to do.

use crate::{field, longshore};
use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt as _, path::Path};

fn demo(home: &Path) -> serde_json::Value {
    let output = longshore(home).args(["demo", "--files", "40", "--dir", "d"]).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}");
    serde_json::from_slice(&fs::read(home.join("d/plan.run/run.json")).unwrap()).unwrap()
}

#[test]
fn the_demo_copies_everything_once() {
    let home = tempfile::tempdir().unwrap();
    let first = demo(home.path());
    let files = field(&first, "/moves/0/tally/copied/files");
    assert!(files.as_u64().unwrap() > 70, "{first:#}");
    assert_eq!(field(&first, "/moves/0/tally/found/files"), files);
    assert_eq!(field(&first, "/moves/0/verification/different"), 0);
    assert!(fs::read_to_string(home.path().join("d/report.html")).unwrap().contains("</html>"));

    // Back from the bucket, every name has its bytes again.
    let odd = home.path().join("d/restored/difficult names").join(OsStr::from_bytes(b"\xFF\xFE invalid utf-8"));
    assert!(odd.is_file());

    let second = demo(home.path());
    assert_eq!(field(&second, "/moves/0/tally/copied/files"), 0);
    assert_eq!(field(&second, "/moves/0/sent_bytes"), 0);
    assert_eq!(field(&second, "/moves/0/tally/unchanged/files"), files);
}

#[test]
fn a_folder_with_something_else_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("d")).unwrap();
    fs::write(home.path().join("d/precious"), "x").unwrap();
    let output = longshore(home.path()).args(["demo", "--dir", "d"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("error[E1010]"));
    assert_eq!(fs::read_dir(home.path().join("d")).unwrap().count(), 1);
}
