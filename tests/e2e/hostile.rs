//! Everything that a name, an inode or a clock can do to us, to S3 and back.

use anyhow::{Context as _, Result, ensure};
use longshore_tests::{Rig, compare, expect, make_tree, run, say};
use serde_json::Value;
use std::{ffi::OsStr, fs::File, os::unix::ffi::OsStrExt as _, path::Path, process::Command};

pub fn from_nfs_and_back(rig: &Rig) -> Result<()> {
    let (dir, from) = rig.export("hostile")?;
    make_tree("hostile", &dir, &[])?;
    there_and_back(rig, &dir, &from, true)
}

pub fn from_disk_and_back(rig: &Rig) -> Result<()> {
    let home = tempfile::tempdir()?;
    let dir = home.path().join("tree");
    make_tree("hostile", &dir, &[])?;
    there_and_back(rig, &dir, &format!("file://{}", dir.display()), false)
}

fn there_and_back(rig: &Rig, dir: &Path, from: &str, nfs: bool) -> Result<()> {
    let bucket = rig.bucket()?;
    let home = tempfile::tempdir()?;
    let at = home.path();
    let to = rig.uri(&bucket, "tree");
    // Pipes, sockets and devices are skipped with a reason, and a few names are too long once they are escaped.
    let out = expect(at, 3, &["copy", from, &to, "--names", "escape", "--run", "out.run", "--json"])?;
    let out: Value = serde_json::from_str(&out.stdout)?;
    let moved = &out["moves"][0];
    let failed: Vec<&Value> =
        moved["failures"].as_array().into_iter().flatten().filter(|item| item["outcome"] == "failed").collect();
    for item in &failed {
        ensure!(item["kind"] == "name-refused", "{item:#}");
    }
    // Those are told one by one; leave them out (a directory with what lies in it), so that everything else must be equal.
    for item in &failed {
        remove(dir, &item["path"])?;
        forget(rig, &bucket, &item["path"])?;
    }
    compare("s3", dir, &format!("s3://{bucket}/tree"), &[])?;

    let back = at.join("back");
    std::fs::create_dir(&back)?;
    expect(at, 0, &["copy", &to, &format!("file://{}", back.display()), "--names", "restore", "--run", "back.run"])?;
    let again = expect(
        at,
        0,
        &["copy", &to, &format!("file://{}", back.display()), "--names", "restore", "--run", "back.run", "--json"],
    )?;
    let again: Value = serde_json::from_str(&again.stdout)?;
    ensure!(again["moves"][0]["tally"]["copied"]["files"] == 0, "{again:#}");
    let proof =
        say(at, &["verify", &to, &format!("file://{}", back.display()), "--names", "restore", "--run", "back.run"])?;
    ensure!(proof.code == 0, "{}\n{}", proof.stdout, proof.stderr);
    if nfs {
        // NFSv3 tells times in 32 bits without sign; those before 1970 cannot come back.
        before_1970(dir, &back)?;
    }
    compare("tree", dir, &back.display().to_string(), &[])?;
    eprintln!("{} names were refused as too long; the rest came back", failed.len());
    Ok(())
}

/// Removes what a path of the report names; the directory around it keeps its time.
fn remove(dir: &Path, path: &Value) -> Result<()> {
    let path: model::RelPath = serde_json::from_value(path.clone())?;
    let gone = dir.join(OsStr::from_bytes(path.as_bytes()));
    let around = gone.parent().context("a path below the tree has a parent")?;
    if !around.exists() {
        return Ok(()); // went with its directory
    }
    let around = File::open(around)?;
    let before = around.metadata()?.modified()?;
    run(Command::new("rm").arg("-rf").arg("--").arg(&gone))?;
    around.set_modified(before)?;
    Ok(())
}

/// Removes what lies below a refused directory from the bucket.
fn forget(rig: &Rig, bucket: &str, path: &Value) -> Result<()> {
    let path: model::RelPath = serde_json::from_value(path.clone())?;
    if let Some(path) = path.to_str() {
        rig.s3(&["forget", bucket, &format!("tree/{path}/")])?;
    }
    Ok(())
}

/// Gives files of before 1970 one and the same time on both sides.
fn before_1970(left: &Path, right: &Path) -> Result<()> {
    let script = r"
import os, sys
left, right = map(os.fsencode, sys.argv[1:])
for where, dirs, files in os.walk(left):
    for name in files + dirs:
        path = os.path.join(where, name)
        ns = os.lstat(path).st_mtime_ns
        if not os.path.islink(path) and (ns < 0 or ns >= 2**32 * 10**9):
            for one in (path, right + path[len(left):]):
                os.utime(one, ns=(0, 0))
";
    run(Command::new("python3").args(["-c", script]).arg(left).arg(right))?;
    Ok(())
}
