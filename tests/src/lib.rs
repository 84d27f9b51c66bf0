//! What end-to-end tests share: the binary under test, the rig's servers, the independent readers.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// The repository's `tests` folder.
pub fn tests_dir() -> PathBuf {
    // As it is now, not as it was when a cache of builds was filled from another checkout.
    env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
}

/// The binary that was built beside this test.
pub fn longshore() -> Result<PathBuf> {
    if let Some(named) = env::var_os("LONGSHORE_BIN") {
        return Ok(named.into());
    }
    let mut at = env::current_exe()?;
    at.pop();
    if at.ends_with("deps") {
        at.pop();
    }
    at.push("longshore");
    ensure!(at.exists(), "{} is not there: build the workspace with the same profile first", at.display());
    Ok(at)
}

/// The real servers that the rig started.
#[derive(Clone, Debug)]
pub struct Rig {
    /// URI of the NFS export.
    pub nfs: String,
    /// The exported directory on disk.
    pub nfs_dir: PathBuf,
    /// Endpoint of the S3 server.
    pub s3: String,
}

impl Rig {
    /// What the environment says; the reason for skipping where it says nothing.
    pub fn find() -> Result<Self, String> {
        let of = |name: &str| env::var(name).map_err(|_| format!("{name} is not set: run under `tests/rig/rig exec`"));
        Ok(Self {
            nfs: of("LONGSHORE_TEST_NFS")?,
            nfs_dir: of("LONGSHORE_TEST_NFS_DIR")?.into(),
            s3: of("LONGSHORE_TEST_S3")?,
        })
    }

    /// A fresh directory in the export, and its URI.
    pub fn export(&self, name: &str) -> Result<(PathBuf, String)> {
        let dir = self.nfs_dir.join(name);
        if dir.exists() {
            // Hostile trees hold names and modes that only a plain `rm` takes lightly.
            run(Command::new("rm").arg("-rf").arg(&dir))?;
        }
        std::fs::create_dir_all(&dir)?;
        let uri = self.nfs.replacen("/data", &format!("/data/{name}"), 1);
        Ok((dir, uri))
    }

    /// A fresh prefix in a bucket of its own, and its URI.
    pub fn bucket(&self) -> Result<String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let bucket = format!("e2e-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        self.s3(&["make", &bucket])?;
        Ok(bucket)
    }

    /// The URI of a bucket for longshore.
    pub fn uri(&self, bucket: &str, prefix: &str) -> String {
        format!("s3://{bucket}/{prefix}?endpoint={}", self.s3)
    }

    /// Asks the S3 server by boto3.
    pub fn s3(&self, args: &[&str]) -> Result<Value> {
        let out = run(Command::new("python3").arg(tests_dir().join("rig/s3")).args(args))?;
        if out.stdout.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&out.stdout)?) }
    }
}

/// Runs a command that must end with 0.
pub fn run(command: &mut Command) -> Result<Output> {
    let out = command.output().with_context(|| format!("cannot start {command:?}"))?;
    if !out.status.success() {
        bail!("{command:?} ended with {}\n{}\n{}", out.status, text(&out.stdout), text(&out.stderr));
    }
    Ok(out)
}

/// Bytes as text for messages.
pub fn text(raw: &[u8]) -> String {
    String::from_utf8_lossy(raw).into_owned()
}

/// Makes a tree with `tests/rig/make-tree`.
pub fn make_tree(kind: &str, dir: &Path, args: &[&str]) -> Result<Value> {
    let out = run(Command::new("python3").arg(tests_dir().join("rig/make-tree")).arg(kind).arg(dir).args(args))?;
    Ok(serde_json::from_slice(&out.stdout)?)
}

/// Compares with `tests/rig/compare`, an independent reader; its summary.
pub fn compare(how: &str, left: &Path, right: &str, skip: &[&str]) -> Result<Value> {
    let mut command = Command::new("python3");
    command.arg(tests_dir().join("rig/compare")).args([OsStr::new(how), left.as_os_str(), OsStr::new(right)]);
    if !skip.is_empty() {
        command.arg("--skip").args(skip);
    }
    Ok(serde_json::from_slice(&run(&mut command)?.stdout)?)
}

/// A run of longshore.
#[derive(Debug)]
pub struct Said {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A command of longshore whose state and configuration stay in `home`.
pub fn command(home: &Path, args: &[&str]) -> Result<Command> {
    let mut command = Command::new(longshore()?);
    command
        .args(args)
        .env("HOME", home)
        .env("XDG_STATE_HOME", home.join("state"))
        .env("XDG_CONFIG_HOME", home.join("config"));
    command.current_dir(home);
    Ok(command)
}

/// Runs longshore in `home` and tells what it said.
pub fn say(home: &Path, args: &[&str]) -> Result<Said> {
    let out = command(home, args)?.output()?;
    Ok(Said { code: out.status.code().unwrap_or(-1), stdout: text(&out.stdout), stderr: text(&out.stderr) })
}

/// Runs longshore, which must end with `code`.
pub fn expect(home: &Path, code: i32, args: &[&str]) -> Result<Said> {
    let said = say(home, args)?;
    ensure!(
        said.code == code,
        "longshore {args:?} ended with {} instead of {code}\n{}\n{}",
        said.code,
        said.stdout,
        said.stderr
    );
    // A panic that was contained still shows; one never belongs on a screen.
    ensure!(!said.stderr.contains("panicked at"), "longshore {args:?} panicked\n{}", said.stderr);
    Ok(said)
}

/// `run.json` of a run.
pub fn run_json(run: &Path) -> Result<Value> {
    let file = run.join("run.json");
    serde_json::from_slice(&std::fs::read(&file).with_context(|| file.display().to_string())?).context("run.json")
}
