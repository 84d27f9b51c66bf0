//! What tools that are not ours count, and what a discovery says it found.

use anyhow::{Context as _, Result, ensure};
use longshore_tests::{run, tests_dir, text};
use serde_json::Value;
use std::{collections::BTreeMap, path::Path, process::Command};

/// What is counted of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub files: u64,
    pub dirs: Option<u64>,
    pub bytes: u64,
}

/// `find`: files, directories below the root, bytes of files.
pub fn by_find(dir: &Path) -> Result<Counted> {
    let out = run(Command::new("find").arg(dir).args(["-mindepth", "1", "-printf", "%y %s\\0"]))?;
    let mut counted = Counted { dirs: Some(0), ..Counted::default() };
    for line in out.stdout.split(|b| *b == 0).filter(|line| !line.is_empty()) {
        let line = text(line);
        let (kind, size) = line.split_once(' ').context("`find` prints a kind and a size")?;
        match kind {
            "f" => {
                counted.files += 1;
                counted.bytes += size.parse::<u64>()?;
            }
            "d" => *counted.dirs.get_or_insert(0) += 1,
            _ => {}
        }
    }
    Ok(counted)
}

/// `hdfs dfs -count`; it counts the root too.
pub fn by_hdfs(cluster: &str, path: &str) -> Result<Counted> {
    let out = run(Command::new(tests_dir().join("rig/hdfs-tool")).args([cluster, "dfs", "-count", path]))?;
    let said = text(&out.stdout);
    let words: Vec<u64> = said.split_whitespace().take(3).map(str::parse).collect::<Result<_, _>>()?;
    ensure!(words.len() == 3, "`hdfs dfs -count` said {said}");
    Ok(Counted { files: words[1], dirs: Some(words[0] - 1), bytes: words[2] })
}

/// `smbclient`, `recurse; ls`.
pub fn by_smbclient(share: &str, port: &str, path: &str, login: &[&str]) -> Result<Counted> {
    let mut command = Command::new("smbclient");
    command.arg(share).args(["-p", port]).args(login);
    command.args(["-c", &format!("cd \"{path}\"; recurse; ls")]);
    let out = run(&mut command)?;
    let mut counted = Counted { dirs: Some(0), ..Counted::default() };
    for line in text(&out.stdout).lines() {
        // `  name   AHN    123  Sat Nov 21 ...`: attributes, then the size, then five words of a date.
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(at) = words.len().checked_sub(7).filter(|_| line.starts_with("  ")) else { continue };
        let (Some(attributes), Ok(size)) = (words.get(at), words[at + 1].parse::<u64>()) else { continue };
        if matches!(words.first(), Some(&"." | &"..")) {
            continue;
        }
        if attributes.contains('D') {
            *counted.dirs.get_or_insert(0) += 1;
        } else {
            counted.files += 1;
            counted.bytes += size;
        }
    }
    Ok(counted)
}

/// `aws s3 ls --recursive --summarize`.
pub fn by_aws(endpoint: &str, bucket: &str) -> Result<Counted> {
    let out = run(Command::new("aws")
        .args(["--endpoint-url", endpoint, "s3", "ls", "--recursive", "--summarize"])
        .arg(format!("s3://{bucket}")))?;
    let said = text(&out.stdout);
    let of = |label: &str| -> Result<u64> {
        let line = said.lines().rev().find(|line| line.trim_start().starts_with(label)).context("a summary")?;
        Ok(line.rsplit(' ').next().context("a figure")?.parse()?)
    };
    Ok(Counted { files: of("Total Objects:")?, dirs: None, bytes: of("Total Size:")? })
}

/// Files all of whose names are UTF-8, links aside.
pub fn by_find_of_utf8(dir: &Path) -> Result<u64> {
    let out = run(Command::new("find").arg(dir).args(["-mindepth", "1", "-type", "f", "-print0"]))?;
    let names = out.stdout.split(|b| *b == 0).filter(|name| !name.is_empty());
    Ok(names.filter(|name| std::str::from_utf8(name).is_ok()).count() as u64)
}

/// Counts of every system in `profile.json`, by location.
pub fn discovered(document: &str) -> Result<BTreeMap<String, Counted>> {
    let document: Value = serde_json::from_str(document).context("discover prints a document")?;
    let systems = document["systems"].as_array().context("systems")?;
    let figure = |value: &Value| value.as_u64().context("a count");
    systems
        .iter()
        .map(|profile| {
            let counts = &profile["counts"];
            let location = profile["location"].as_str().context("a location")?.to_owned();
            let counted = Counted {
                files: figure(&counts["files"])?,
                dirs: Some(figure(&counts["dirs"])?),
                bytes: figure(&counts["size_bytes"])?,
            };
            ensure!(profile["unreadable_count"] == 0, "{location}: {:#}", profile["unreadable"]);
            for second in profile["second_counts"].as_array().into_iter().flatten() {
                ensure!(second["agrees"] == true, "{location}: {second:#}");
            }
            Ok((location, counted))
        })
        .collect()
}
