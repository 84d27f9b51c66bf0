//! The process is killed with -9 at random moments and started again until it ends by itself.

use anyhow::{Context as _, Result, bail, ensure};
use journal::Journal;
use longshore_tests::{Rig, command, compare, expect, make_tree, run, run_json, text};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    env,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

/// How often it is killed.
const KILLS: u32 = 20;

/// A small generator of our own, so that a seed replays the same moments.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        // SplitMix64, Steele, Lea and Flood 2014.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

fn seed() -> u64 {
    env::var("LONGSHORE_E2E_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(4211)
}

/// Starts longshore and kills it after `moment`; true when it ended by itself before.
fn killed(home: &Path, args: &[&str], moment: Duration) -> Result<bool> {
    let mut child = command(home, args)?.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            if status.success() {
                return Ok(true);
            }
            let out = child.wait_with_output()?;
            bail!("longshore {args:?} ended with {status}\n{}", text(&out.stderr));
        }
        if begun.elapsed() >= moment {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Target paths that the journal holds as done, read from a copy.
fn recorded(journal: &Path) -> Result<Vec<String>> {
    let copy = tempfile::tempdir()?;
    run(Command::new("cp").arg("-r").arg(journal).arg(copy.path().join("journal")))?;
    let mut journal = Journal::open(&copy.path().join("journal"), Arc::new(journal::RealDisk))?;
    journal.compact(16 << 20)?;
    let mut done = Vec::new();
    for item in journal.snapshot()? {
        let item = item?;
        if let Some(at) = item.done {
            let slash = if at.kind.is_dir() { "/" } else { "" };
            done.push(format!("{}{slash}", item.path.to_str().context("a name of the bulk tree is UTF-8")?));
        }
    }
    Ok(done)
}

pub fn migration(rig: &Rig) -> Result<()> {
    let (files, big) = (
        env::var("LONGSHORE_E2E_KILL_FILES").unwrap_or_else(|_| "6000".to_owned()),
        env::var("LONGSHORE_E2E_KILL_BIG").unwrap_or_else(|_| "256MiB".to_owned()),
    );
    let (dir, from) = rig.export("killed")?;
    make_tree("bulk", &dir, &["--files", &files, "--big", "2", "--big-size", &big])?;
    let bucket = rig.bucket()?;
    let home = tempfile::tempdir()?;
    let at = home.path();
    expect(at, 0, &["discover", &from, "-o", "site.inv"])?;
    expect(at, 0, &["recommend", "site.inv", "--choose", "s3", "--to", &rig.uri(&bucket, "share"), "-o", "plan.toml"])?;
    let text = std::fs::read_to_string(at.join("plan.toml"))?;
    let name = text.lines().find_map(|line| line.strip_prefix("name = ")).context("the move's name")?.trim_matches('"');
    let journal = at.join("plan.run").join(name).join("journal");

    let mut dice = Dice(seed());
    // First seen time of every object whose record was durable when the process died.
    let mut settled: BTreeMap<String, String> = BTreeMap::new();
    let mut moments = Vec::new();
    let mut kills = 0;
    let mut scale = 3000_u64;
    while kills < KILLS {
        let moment = Duration::from_millis(20 + dice.roll() % scale);
        if killed(at, &["migrate", "plan.toml"], moment)? {
            // Ended before the knife fell: shorter moments, and a fresh start.
            scale = (scale / 2).max(50);
            if scale == 50 {
                break;
            }
            continue;
        }
        kills += 1;
        moments.push(moment.as_millis());
        if journal.exists() {
            let times = rig.s3(&["times", &bucket, "share/"])?;
            for path in recorded(&journal)? {
                let key = format!("share/{path}");
                let when = times[&key].as_str().with_context(|| format!("{key} is recorded as done but not there"))?;
                let first = settled.entry(key.clone()).or_insert_with(|| when.to_owned());
                ensure!(first == when, "{key} was sent again after its record was durable");
            }
        }
    }
    ensure!(kills == KILLS, "the move is too small: it ended after {kills} kills ({moments:?})");
    expect(at, 0, &["migrate", "plan.toml"])?;
    let times = rig.s3(&["times", &bucket, "share/"])?;
    for (key, first) in &settled {
        ensure!(times[key].as_str() == Some(first), "{key} was sent again after its record was durable");
    }
    let read = compare("s3", &dir, &format!("s3://{bucket}/share"), &[])?;
    ensure!(read["unfinished_uploads"] == 0, "{read:#}");
    let result = &run_json(&at.join("plan.run"))?["moves"][0];
    ensure!(result["outcome"] == "done", "{result:#}");
    eprintln!("killed after {moments:?} ms; {} objects were settled by then; seed {}", settled.len(), seed());
    Ok(())
}

pub fn discovery(rig: &Rig) -> Result<()> {
    let (dir, from) = rig.export("discovery-killed")?;
    make_tree("bulk", &dir, &["--files", "30000", "--big", "0", "--big-size", "1MiB"])?;
    let home = tempfile::tempdir()?;
    let at = home.path();
    let mut dice = Dice(seed());
    let mut kills = 0;
    // So many listings a second that it takes a while, and goes on from where it was killed.
    let args = ["discover", &from, "-o", "site.inv", "--max-requests", "60"];
    let mut ended = false;
    while kills < KILLS && !ended {
        ended = killed(at, &args, Duration::from_millis(100 + dice.roll() % 400))?;
        kills += u32::from(!ended);
    }
    if !ended {
        expect(at, 0, &args[..4])?;
    }
    let profile = find_profile(at)?;
    ensure!(profile["counts"]["files"] == 30_000, "{:#}", profile["counts"]);
    ensure!(profile["unreadable_count"] == 0, "{:#}", profile["unreadable"]);
    let resumed = profile["walk"]["resumed"].as_u64().unwrap_or_default();
    ensure!(kills < 3 || resumed > 0, "killed {kills} times and begun anew each time");
    eprintln!("killed {kills} times; resumed {resumed} times");
    Ok(())
}

fn find_profile(home: &Path) -> Result<Value> {
    let inventory: Value = serde_json::from_slice(&std::fs::read(home.join("site.inv/inventory.json"))?)?;
    let name = inventory["systems"][0]["name"].as_str().context("a system has a name")?;
    Ok(serde_json::from_slice(&std::fs::read(home.join("site.inv").join(name).join("profile.json"))?)?)
}
