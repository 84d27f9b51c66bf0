//! Real work between directories.

use crate::{field, longshore};
use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt as _, path::Path};

fn tree(at: &Path) {
    fs::create_dir_all(at.join("a/b")).unwrap();
    fs::write(at.join("a/one"), "one").unwrap();
    fs::write(at.join("a/b/two"), vec![7; 100_000]).unwrap();
    fs::write(at.join(OsStr::from_bytes(b"bad \xFF\nname")), "x").unwrap();
    std::os::unix::fs::symlink("a/one", at.join("link")).unwrap();
}

fn json(home: &Path, arguments: &[&str]) -> (Option<i32>, serde_json::Value) {
    let output = longshore(home).arg("--json").args(arguments).output().unwrap();
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), document)
}

#[test]
fn a_copy_is_complete_then_incremental_then_verified() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    tree(&at.join("from"));
    let (code, run) = json(at, &["copy", "./from", "./to"]);
    assert_eq!(code, Some(0), "{run:#}");
    assert_eq!(field(&run, "/moves/0/tally/copied/files"), 3);
    let odd = at.join("to").join(OsStr::from_bytes(b"bad \xFF\nname"));
    assert_eq!(fs::read(odd).unwrap(), b"x");
    assert_eq!(fs::read_link(at.join("to/link")).unwrap(), Path::new("a/one"));

    let (code, run) = json(at, &["copy", "./from", "./to"]);
    assert_eq!((code, field(&run, "/moves/0/tally/copied/files")), (Some(0), 0.into()));
    fs::write(at.join("from/new"), "new").unwrap();
    let (_, run) = json(at, &["copy", "./from", "./to"]);
    assert_eq!(field(&run, "/moves/0/tally/copied/files"), 1);

    let (code, found) = json(at, &["verify", "./from", "./to"]);
    assert_eq!((code, field(&found, "/moves/0/different")), (Some(0), 0.into()), "{found:#}");
    // Same size and time, other bytes: only reading shows it.
    let time = fs::metadata(at.join("to/a/one")).unwrap().modified().unwrap();
    fs::write(at.join("to/a/one"), "two").unwrap();
    fs::File::options().write(true).open(at.join("to/a/one")).unwrap().set_modified(time).unwrap();
    let (code, found) = json(at, &["verify", "./from", "./to"]);
    assert_eq!((code, field(&found, "/moves/0/different")), (Some(4), 1.into()), "{found:#}");
}

#[test]
fn a_dry_run_writes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    tree(&at.join("from"));
    fs::create_dir(at.join("to")).unwrap();
    let (code, run) = json(at, &["copy", "./from", "./to", "--dry-run"]);
    assert_eq!((code, field(&run, "/dry_run")), (Some(0), true.into()), "{run:#}");
    assert_eq!(fs::read_dir(at.join("to")).unwrap().count(), 0);
}

#[test]
fn an_inventory_becomes_a_recommendation_and_reports() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    tree(&at.join("from"));
    let (code, found) = json(at, &["discover", "./from", "-o", "site.inv"]);
    assert_eq!((code, field(&found, "/systems/0/counts/files")), (Some(0), 3.into()));
    let (code, advice) = json(at, &["recommend", "site.inv", "--choose", "s3", "--to", "s3://b/p", "-o", "plan.toml"]);
    assert_eq!((code, field(&advice, "/schema")), (Some(0), "longshore.recommendation/v1".into()));
    let plan = fs::read_to_string(at.join("plan.toml")).unwrap();
    assert!(plan.contains("s3://b/p"), "{plan}");

    for (format, begins) in [("html", "<!"), ("json", "{"), ("md", "#")] {
        let output = longshore(at).args(["report", "site.inv", "plan.toml", "-f", format]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.to_lowercase().starts_with(begins), "{format}: {}", &text[..text.len().min(80)]);
    }
    let table = longshore(at).args(["report", "site.inv", "-f", "csv", "--table", "sizes"]).output().unwrap();
    assert!(String::from_utf8(table.stdout).unwrap().starts_with("system,from_bytes"));
}
