//! Many small files and two large ones: discover, recommend, migrate, verify, and again.
//!
//! `LONGSHORE_E2E_FILES` and `LONGSHORE_E2E_BIG` set the size (5,000 files and 2 x 64 MiB by default; 50000 and 1GiB
//! are what releases are held to).

use anyhow::{Context as _, Result, ensure};
use longshore_tests::{Rig, compare, expect, make_tree, run_json};
use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Most resident memory of any step.
const MEMORY: u64 = 300 << 20;

fn size(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// A move with everything it leaves behind.
struct Move {
    home: tempfile::TempDir,
    dir: PathBuf,
    bucket: String,
}

impl Move {
    /// Makes the tree and goes through discovery, recommendation and migration.
    fn make(rig: &Rig, name: &str, files: &str, big: &str) -> Result<Self> {
        let (dir, from) = rig.export(name)?;
        make_tree("bulk", &dir, &["--files", files, "--big", "2", "--big-size", big])?;
        let bucket = rig.bucket()?;
        let home = tempfile::tempdir()?;
        let at = home.path();
        expect(at, 0, &["discover", &from, "-o", "site.inv"])?;
        let to = rig.uri(&bucket, "share");
        expect(at, 0, &["recommend", "site.inv", "--choose", "s3", "--to", &to, "-o", "plan.toml"])?;
        expect(at, 0, &["migrate", "plan.toml"])?;
        Ok(Self { home, dir, bucket })
    }
    fn at(&self) -> &Path {
        self.home.path()
    }
    fn result(&self) -> Result<Value> {
        Ok(run_json(&self.at().join("plan.run"))?["moves"][0].clone())
    }
    fn uri(&self) -> String {
        format!("s3://{}/share", self.bucket)
    }
}

fn number(value: &Value, pointer: &str) -> Result<u64> {
    value.pointer(pointer).and_then(Value::as_u64).with_context(|| format!("{pointer} in {value:#}"))
}

pub fn moves_and_reads_back(rig: &Rig) -> Result<()> {
    let (files, big) = (size("LONGSHORE_E2E_FILES", "5000"), size("LONGSHORE_E2E_BIG", "64MiB"));
    let moved = Move::make(rig, "bulk", &files, &big)?;
    let result = moved.result()?;
    let read = compare("s3", &moved.dir, &moved.uri(), &[])?;
    for (ours, theirs) in
        [("/tally/copied/files", "/files"), ("/tally/copied/bytes", "/bytes"), ("/tally/found/files", "/files")]
    {
        ensure!(number(&result, ours)? == number(&read, theirs)?, "{ours} {result:#} is not {theirs} {read:#}");
    }
    ensure!(result["outcome"] == "done", "{result:#}");
    ensure!(
        number(&result, "/verification/different")? == 0 && number(&result, "/verification/by_size_only")? == 0,
        "{result:#}"
    );
    let profile = profile(moved.at())?;
    ensure!(
        number(&profile, "/counts/files")? == number(&read, "/files")?,
        "discovery counted other files than are there"
    );
    ensure!(
        number(&profile, "/counts/size_bytes")? == number(&read, "/bytes")?,
        "discovery counted other bytes than are there"
    );
    let verified = expect(moved.at(), 0, &["verify", "plan.toml", "--json"])?;
    let run = run_json(&moved.at().join("plan.run"))?;
    for (step, peak) in
        [("discover", number(&profile, "/walk/peak_memory_bytes")?), ("migrate", number(&run, "/peak_memory_bytes")?)]
    {
        eprintln!("{step}: peak memory {} MiB", peak >> 20);
        ensure!(peak < MEMORY, "{step} took {peak} bytes of memory");
    }
    ensure!(verified.stdout.contains("read-back"), "{}", verified.stdout);
    Ok(())
}

fn profile(home: &Path) -> Result<Value> {
    let inventory: Value = serde_json::from_slice(&fs::read(home.join("site.inv/inventory.json"))?)?;
    let name = inventory["systems"][0]["name"].as_str().context("a system has a name")?;
    Ok(serde_json::from_slice(&fs::read(home.join("site.inv").join(name).join("profile.json"))?)?)
}

pub fn second_and_third_run(rig: &Rig) -> Result<()> {
    let moved = Move::make(rig, "again", "2000", "24MiB")?;
    expect(moved.at(), 0, &["migrate", "plan.toml"])?;
    let second = moved.result()?;
    ensure!(number(&second, "/tally/copied/files")? == 0 && number(&second, "/sent_bytes")? == 0, "{second:#}");

    let mut files = Vec::new();
    collect(&moved.dir, &mut files)?;
    files.sort();
    for file in &files[..100] {
        // Same size, and for half of them the same time: only what the server says of the inode tells.
        let before = fs::metadata(file)?;
        let mut content = fs::read(file)?;
        for byte in &mut content {
            *byte ^= 0x55;
        }
        if content.is_empty() {
            content.push(1);
        }
        fs::write(file, content)?;
        if file.as_os_str().len() % 2 == 0 {
            fs::File::options().write(true).open(file)?.set_modified(before.modified()?)?;
        }
    }
    for file in &files[100..120] {
        fs::remove_file(file)?;
    }
    for i in 0..50 {
        fs::write(moved.dir.join(format!("new-{i}")), format!("new {i}"))?;
    }
    expect(moved.at(), 0, &["migrate", "plan.toml"])?;
    let third = moved.result()?;
    ensure!(number(&third, "/tally/copied/files")? == 150, "{third:#}");
    ensure!(number(&third, "/tally/extra")? == 20, "{third:#}");
    ensure!(third["extra"].as_array().is_some_and(|extra| extra.len() == 20), "{third:#}");
    // What the source no longer has is extra to the independent reader too, and nothing else differs.
    let verified = expect(moved.at(), 0, &["verify", "plan.toml", "--json"]);
    let said = verified.or_else(|_| expect(moved.at(), 4, &["verify", "plan.toml", "--json"]))?;
    ensure!(said.stdout.contains("\"different\": 0") || said.stdout.contains("\"different\":0"), "{}", said.stdout);
    Ok(())
}

fn collect(dir: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), into)?;
        } else if kind.is_file() && entry.metadata()?.len() < 1 << 20 {
            into.push(entry.path());
        }
    }
    Ok(())
}
