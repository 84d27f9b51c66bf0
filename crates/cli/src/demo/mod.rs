//! `longshore demo`: the whole job, for real, on servers that it brings along.
//!
//! Every step is a command line that is printed, parsed and run like one that was typed; the servers are
//! reached over real sockets. Only the credentials are handed over inside the process.

mod nfs_server;
mod object_server;
mod servers;
mod tree;

use crate::{
    args::{Cli, Demo},
    commands::{self, Shell},
    exit::Exit,
    failure::{Code, Failure, Outcome},
    settings::Surroundings,
};
use clap::Parser as _;
use model::human_duration;
use serde::{Deserialize, Serialize};
use servers::Servers;
use std::{fs, io, path::Path, time::Instant};

/// What the folder of a demo says of itself.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    schema: String,
    files: u32,
}

const SCHEMA: &str = "longshore.demo/v1";

/// Runs the demo.
pub async fn run(typed: &Demo, shell: &Shell) -> Outcome<Exit> {
    let begun = Instant::now();
    let folder = &typed.dir;
    prepare(typed, shell)?;
    let servers = Servers::start(folder).await?;
    if servers.moved {
        forget_journals(folder, shell)?;
    }
    let around = Surroundings { keys: Some(servers.keys()), ..shell.settings.surroundings.clone() };
    let mut exit = Exit::Done;
    for step in steps(folder, &servers) {
        if shell.stop.asked() {
            return Ok(shell.stop.exit());
        }
        let ended = perform(&step, &around, shell).await?;
        exit = exit.worse(ended);
        if !matches!(ended, Exit::Done | Exit::LeftOver | Exit::Different) {
            return Ok(exit);
        }
    }
    shell.out.note(&farewell(folder, &servers, begun));
    if typed.keep {
        stay(&servers, folder, shell).await;
    }
    Ok(exit)
}

/// Drops journals that belong to locations which do not exist any more.
fn forget_journals(folder: &Path, shell: &Shell) -> Outcome<()> {
    shell.out.note("the servers have other ports than before: the journals of the earlier run are dropped");
    for name in ["plan.run", "restore.run", "compare.run"] {
        match fs::remove_dir_all(folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(folder, &error)),
            _ => {}
        }
    }
    Ok(())
}

/// The command lines of the demo.
fn steps(folder: &Path, servers: &Servers) -> Vec<Vec<String>> {
    let at = |name: &str| folder.join(name).display().to_string();
    // A relative path needs its dot to be a location.
    let back = if folder.is_absolute() { at("restored") } else { format!("./{}", at("restored")) };
    let (export, bucket) = (servers.export().to_string(), servers.bucket().to_string());
    let step = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    vec![
        step(&["discover", &export, "-o", &at("site.inv")]),
        step(&["recommend", &at("site.inv"), "--choose", "s3", "--to", &bucket, "-o", &at("plan.toml")]),
        step(&["migrate", &at("plan.toml")]),
        step(&["verify", &at("plan.toml")]),
        step(&["copy", &bucket, &back, "--names", "restore", "--run", &at("restore.run")]),
        step(&["verify", &export, &back, "--run", &at("compare.run")]),
        step(&["report", &at("site.inv"), &at("plan.toml"), &at("plan.run"), "-f", "html", "-o", &at("report.html")]),
    ]
}

/// Prints a command line as one would type it, and runs it.
async fn perform(words: &[String], around: &Surroundings, shell: &Shell) -> Outcome<Exit> {
    let line: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    let heading = format!("\n$ longshore {}\n", line.join(" "));
    let mut typed = vec!["longshore".to_owned()];
    typed.extend_from_slice(words);
    if shell.out.json {
        crate::output::say(heading.trim_end());
        // A page is a page in any case.
        if words[0] != "report" {
            typed.push("--json".to_owned());
        }
    } else {
        shell.out.text(&heading)?;
    }
    if shell.settings.quiet {
        typed.push("--quiet".to_owned());
    }
    let cli = Cli::try_parse_from(&typed)
        .map_err(|error| Failure::new(Code::Usage, "the demo typed something wrong").because(error))?;
    Box::pin(commands::run(&cli, around.clone(), shell.stop.clone(), |_| Ok(()))).await
}

/// Makes the folder and the tree, or finds them made.
fn prepare(typed: &Demo, shell: &Shell) -> Outcome<()> {
    let folder = &typed.dir;
    let marker = Marker { schema: SCHEMA.to_owned(), files: typed.files };
    let file = folder.join("demo.json");
    let known = match fs::read(&file) {
        Ok(text) => serde_json::from_slice::<Marker>(&text).ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unusable(folder, &error)),
    };
    match known {
        Some(known) if known == marker => {
            shell.out.note(&format!("the share in `{}` is there already", folder.join("share").display()));
            return Ok(());
        }
        Some(known) => {
            let what = format!("`{}` holds a demo of {} files", folder.display(), known.files);
            let hint = format!("run it with `--files {}`, or choose another folder with `--dir`", known.files);
            return Err(Failure::new(Code::DemoFolder, what).hint(hint));
        }
        None => {}
    }
    if holds_something_else(folder).map_err(|error| unusable(folder, &error))? {
        return Err(Failure::new(Code::DemoFolder, format!("`{}` is not empty and holds no demo", folder.display()))
            .hint("choose another folder with `--dir`"));
    }
    shell.out.note(&format!("making a share of about {} files in `{}`", typed.files, folder.join("share").display()));
    fs::create_dir_all(folder.join("share")).map_err(|error| unusable(folder, &error))?;
    tree::make(&folder.join("share"), typed.files, &mut |text| shell.out.note(&text))
        .map_err(|error| unusable(folder, &error))?;
    // Last: a tree that was cut off has no marker and is made again.
    let text = serde_json::to_vec_pretty(&marker).map_err(|error| unusable(folder, &error.into()))?;
    fs::write(&file, text).map_err(|error| unusable(folder, &error))
}

/// A folder with nothing but a share in it was cut off while the share was made.
fn holds_something_else(folder: &Path) -> io::Result<bool> {
    match fs::read_dir(folder) {
        Ok(entries) => {
            for entry in entries {
                if entry?.file_name() != "share" {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn unusable(folder: &Path, error: &io::Error) -> Failure {
    Failure::new(Code::DemoFolder, format!("cannot use the folder `{}`", folder.display()))
        .because(error)
        .hint("choose another folder with `--dir`")
}

fn farewell(folder: &Path, servers: &Servers, begun: Instant) -> String {
    let report = std::path::absolute(folder.join("report.html")).unwrap_or_else(|_| folder.join("report.html"));
    let at = |name: &str| folder.join(name).display().to_string();
    [
        format!("\nThe demo took {}.", human_duration(begun.elapsed())),
        format!("  report     {}", model::Location::file(report.as_os_str().as_encoded_bytes())),
        format!("  source     {}  (served as {})", at("share"), servers.export()),
        format!("  target     {}  (served as {})", at("bucket-store"), servers.bucket()),
        format!("  back again {}  (copied from the bucket, compared with the source)", at("restored")),
        format!("  inventory  {}  (JSON and Parquet)", at("site.inv")),
        format!("  plan       {}", at("plan.toml")),
        format!("  run        {}  (journal, run.json)", at("plan.run")),
        "Run it again: nothing is left to do. Change files in the share first: only those are copied.".to_owned(),
        format!("Remove everything: rm -r {}", quoted(&folder.display().to_string())),
    ]
    .join("\n")
}

/// Leaves the servers running until somebody has seen enough.
async fn stay(servers: &Servers, folder: &Path, shell: &Shell) {
    let (keys, endpoint) = (Servers::file(folder), servers.endpoint());
    shell.out.note(&format!(
        "\nThe servers run until Ctrl-C. The access key is `{}`, its secret stands in {}.\n  \
         aws --endpoint-url {endpoint} s3 ls --recursive s3://{}/",
        servers.keys().access,
        keys.display(),
        servers.bucket().host(),
    ));
    shell.stop.token.cancelled().await;
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_a_shell_needs_it() {
        assert_eq!(quoted("a/b.toml"), "a/b.toml");
        assert_eq!(quoted("s3://b/p?x=1&y=2"), "'s3://b/p?x=1&y=2'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
