//! What goes wrong for every user some day: each a clear error with what, where, why and a hint, and the right exit code.

use anyhow::{Result, ensure};
use longshore_tests::{Rig, Said, command, expect, make_tree, run, run_json, text};
use std::{path::Path, process::Command};

/// Runs with other environment variables.
fn with(home: &Path, code: i32, args: &[&str], set: &[(&str, &str)]) -> Result<Said> {
    let out = command(home, args)?.envs(set.iter().copied()).output()?;
    let said = Said { code: out.status.code().unwrap_or(-1), stdout: text(&out.stdout), stderr: text(&out.stderr) };
    ensure!(
        said.code == code,
        "longshore {args:?} ended with {} instead of {code}\n{}\n{}",
        said.code,
        said.stdout,
        said.stderr
    );
    Ok(said)
}

/// The error must say all of these, and offer a hint.
fn says(said: &Said, words: &[&str]) -> Result<()> {
    for word in words.iter().chain(&["error[E", "hint:"]) {
        ensure!(said.stderr.contains(word), "`{word}` is missing in:\n{}", said.stderr);
    }
    ensure!(!said.stderr.contains("panicked"), "{}", said.stderr);
    eprintln!("{}", said.stderr.trim());
    Ok(())
}

fn small(rig: &Rig, name: &str) -> Result<(tempfile::TempDir, std::path::PathBuf, String)> {
    let (dir, from) = rig.export(name)?;
    make_tree("bulk", &dir, &["--files", "50", "--big", "0", "--big-size", "1MiB"])?;
    Ok((tempfile::tempdir()?, dir, from))
}

pub fn wrong_credentials(rig: &Rig) -> Result<()> {
    let (home, _, from) = small(rig, "credentials")?;
    let bucket = rig.bucket()?;
    let to = rig.uri(&bucket, "x");
    let said = with(home.path(), 1, &["copy", &from, &to], &[("AWS_SECRET_ACCESS_KEY", "wrong-wrong-wrong")])?;
    says(&said, &["SignatureDoesNotMatch", &bucket])?;
    ensure!(!said.stderr.contains("wrong-wrong-wrong"), "the secret was printed");
    let said = with(home.path(), 1, &["copy", &from, &to], &[("AWS_ACCESS_KEY_ID", "NOBODY")])?;
    says(&said, &["InvalidAccessKeyId"])
}

pub fn missing_bucket(rig: &Rig) -> Result<()> {
    let (home, _, from) = small(rig, "no-bucket")?;
    let said = with(home.path(), 1, &["copy", &from, &rig.uri("longshore-no-such-bucket", "x")], &[])?;
    says(&said, &["longshore-no-such-bucket", "NoSuchBucket"])
}

pub fn unreachable_server(rig: &Rig) -> Result<()> {
    let (home, _, from) = small(rig, "unreachable")?;
    let said = with(home.path(), 1, &["discover", "nfs://127.0.0.1:9/data?mountport=9", "-o", "x.inv"], &[])?;
    says(&said, &["127.0.0.1", "refused"])?;
    let said = with(home.path(), 1, &["copy", &from, "s3://bucket/x?endpoint=http://127.0.0.1:9"], &[])?;
    says(&said, &["127.0.0.1:9", "refused"])
}

pub fn not_an_export(rig: &Rig) -> Result<()> {
    let home = tempfile::tempdir()?;
    let uri = rig.nfs.replacen("/data", "/nothing-here", 1);
    let said = with(home.path(), 1, &["discover", &uri, "-o", "x.inv"], &[])?;
    says(&said, &["/nothing-here", "/data"])
}

pub fn unreadable_directory(rig: &Rig) -> Result<()> {
    let (home, dir, from) = small(rig, "unreadable")?;
    let shut = dir.join("shut");
    std::fs::create_dir(&shut)?;
    std::fs::write(shut.join("secret"), "x")?;
    run(Command::new("chmod").arg("000").arg(&shut))?;
    // Somebody whom the server does not let in everywhere.
    run(Command::new("chmod").args(["-R", "o+rX"]).arg(&dir))?;
    run(Command::new("chmod").arg("000").arg(&shut))?;
    let from = format!("{from}&uid=65534&gid=65534");
    let bucket = rig.bucket()?;
    let at = home.path();
    expect(at, 3, &["discover", &from, "-o", "site.inv"])
        .or_else(|_| expect(at, 0, &["discover", &from, "-o", "site.inv"]))?;
    let said = expect(at, 3, &["copy", &from, &rig.uri(&bucket, "x"), "--run", "x.run"])?;
    ensure!(said.stdout.contains("shut") || said.stderr.contains("shut"), "{}\n{}", said.stdout, said.stderr);
    let result = &run_json(&at.join("x.run"))?["moves"][0];
    ensure!(result["tally"]["failed"]["denied"] == 1, "{result:#}");
    ensure!(result["tally"]["copied"]["files"] == 50, "{result:#}");
    eprintln!("{}", said.stdout);
    Ok(())
}

/// A file system of this many MiB, unmounted on drop.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(mib: u32) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]).arg(dir.path()))?;
        Ok(Self(dir))
    }
}
impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Err(error) = run(Command::new("umount").arg(self.0.path())) {
            eprintln!("{error:#}");
        }
    }
}

pub fn full_target(rig: &Rig) -> Result<()> {
    let (dir, from) = rig.export("full")?;
    make_tree("bulk", &dir, &["--files", "200", "--big", "2", "--big-size", "24MiB"])?;
    let home = tempfile::tempdir()?;
    let disk = SmallDisk::new(40)?;
    let plan = format!(
        "schema = \"longshore.plan/v1\"\n[[move]]\nname = \"full\"\nfrom = \"{from}\"\nto = \"file://{}\"\n[[move.step]]\ndo = \"transfer\"\n",
        disk.0.path().display()
    );
    // Without preflight, so that the disk fills up on the way.
    std::fs::write(home.path().join("plan.toml"), plan)?;
    let said = with(home.path(), 1, &["migrate", "plan.toml"], &[])?;
    says(&said, &["no space left"])
}

pub fn too_small(rig: &Rig) -> Result<()> {
    let (dir, from) = rig.export("too-small")?;
    make_tree("bulk", &dir, &["--files", "100", "--big", "1", "--big-size", "24MiB"])?;
    let home = tempfile::tempdir()?;
    let disk = SmallDisk::new(10)?;
    let said = with(home.path(), 5, &["copy", &from, &format!("file://{}", disk.0.path().display())], &[])?;
    ensure!(format!("{}{}", said.stdout, said.stderr).contains("available"), "{}\n{}", said.stdout, said.stderr);
    ensure!(std::fs::read_dir(disk.0.path())?.next().is_none(), "something was written");
    Ok(())
}

pub fn plan_typo(rig: &Rig) -> Result<()> {
    let home = tempfile::tempdir()?;
    let plan = format!(
        "schema = \"longshore.plan/v1\"\n[[move]]\nname = \"x\"\nfrom = \"{}\"\nto = \"s3://b/p\"\nconccurrency = 8\n",
        rig.nfs
    );
    std::fs::write(home.path().join("plan.toml"), plan)?;
    let said = with(home.path(), 2, &["migrate", "plan.toml"], &[])?;
    says(&said, &["conccurrency", "did you mean", "concurrency"])
}
