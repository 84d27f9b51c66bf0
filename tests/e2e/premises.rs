//! Everything a storage team has, read in one go, and counted again by tools that are not ours.

use anyhow::{Context as _, Result, ensure};
use longshore_tests::{Rig, command, expect, make_tree, run, tests_dir, text};
use serde_json::Value;
use std::{collections::BTreeMap, env, ffi::OsStr, path::Path, process::Command};

/// What is counted of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted {
    files: u64,
    dirs: Option<u64>,
    bytes: u64,
}

/// `find`: files, directories below the root, bytes of files.
fn by_find(dir: &Path) -> Result<Counted> {
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
fn by_hdfs(cluster: &str, path: &str) -> Result<Counted> {
    let out = run(Command::new(tests_dir().join("rig/hdfs-tool")).args([cluster, "dfs", "-count", path]))?;
    let said = text(&out.stdout);
    let words: Vec<u64> = said.split_whitespace().take(3).map(str::parse).collect::<Result<_, _>>()?;
    ensure!(words.len() == 3, "`hdfs dfs -count` said {said}");
    Ok(Counted { files: words[1], dirs: Some(words[0] - 1), bytes: words[2] })
}

/// `smbclient`, `recurse; ls`.
fn by_smbclient(share: &str, port: &str, path: &str, login: &[&str]) -> Result<Counted> {
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
fn by_aws(endpoint: &str, bucket: &str) -> Result<Counted> {
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

pub fn variable(name: &str) -> Result<String> {
    env::var(name).with_context(|| format!("{name} is not set"))
}

/// Adds a directory to the path of a URI, before its query.
pub fn below(uri: &str, dir: &str) -> String {
    let (path, query) = uri.split_once('?').map_or((uri, String::new()), |(path, query)| (path, format!("?{query}")));
    format!("{}/{dir}{query}", path.trim_end_matches('/'))
}

pub fn with(uri: &str, parameter: &str) -> String {
    format!("{uri}{}{parameter}", if uri.contains('?') { '&' } else { '?' })
}

pub fn put(cluster: &str, from: &Path, to: &str) -> Result<()> {
    let tool = tests_dir().join("rig/hdfs-tool");
    run(Command::new(&tool).args([cluster, "dfs", "-mkdir", "-p", to]))?;
    run(Command::new(&tool).args([cluster, "dfs", "-put", "-f", "-t", "8"]).arg(from).arg(to))?;
    run(Command::new(&tool).args([cluster, "dfs", "-chmod", "-R", "a+rX", to]))?;
    Ok(())
}

/// Counts of every system in `profile.json`, by location.
fn discovered(document: &str) -> Result<BTreeMap<String, Counted>> {
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

/// One discovery of NFS (both versions), SMB (plain, signed, encrypted, guest), HDFS (plain, two
/// NameNodes, Kerberos), two object stores and the local disk.
pub fn everything(rig: &Rig) -> Result<()> {
    let (dir, nfs) = rig.export("premises")?;
    make_tree("bulk", &dir, &["--files", "2000", "--big", "2", "--big-size", "8MiB"])?;
    run(Command::new("chmod").args(["-R", "a+rX"]).arg(&dir))?;
    let mut expected: Vec<(String, Counted)> = Vec::new();
    let tree = by_find(&dir)?;
    ensure!(tree.files > 2000, "{tree:?}");
    expected.push((format!("file://{}", dir.display()), tree));
    expected.push((nfs.clone(), tree));
    expected.push((below(&variable("LONGSHORE_TEST_NFS4")?, "premises"), tree));

    let password = variable("LONGSHORE_TEST_SMB_PASSWORD")?;
    let login = format!("root%{password}");
    for (name, port) in [
        ("LONGSHORE_TEST_SMB", "445"),
        ("LONGSHORE_TEST_SMB_SIGN", "4451"),
        ("LONGSHORE_TEST_SMB_ENC", "4452"),
        ("LONGSHORE_TEST_SMB_21", "4453"),
        ("LONGSHORE_TEST_SMB_30", "4454"),
    ] {
        let mut flags = vec!["-U", &login];
        if name.ends_with("ENC") {
            flags.push("--client-protection=encrypt");
        }
        let counted = by_smbclient("//127.0.0.1/data", port, "premises", &flags)?;
        ensure!(counted == tree, "smbclient counts {counted:?} and find {tree:?}");
        expected.push((below(&variable(name)?, "premises"), counted));
    }
    let guest = by_smbclient("//127.0.0.1/guest", "445", "premises", &["-N"])?;
    expected.push(("smb://127.0.0.1:445/guest/premises?auth=guest".to_owned(), guest));
    expected.push(("smb://root@127.0.0.1:445/enc/premises".to_owned(), tree));

    for (cluster, name) in [("plain", "HDFS"), ("ha", "HDFS_HA"), ("krb", "HDFS_KRB")] {
        put(cluster, &dir, "/")?;
        let counted = by_hdfs(cluster, "/premises")?;
        let mut uri = below(&variable(&format!("LONGSHORE_TEST_{name}"))?, "premises");
        if let Ok(conf) = variable(&format!("LONGSHORE_TEST_{name}_CONF")) {
            uri = with(&uri, &format!("conf={conf}"));
        }
        if cluster == "plain" {
            uri = with(&uri, &format!("http={}", variable("LONGSHORE_TEST_HDFS_HTTP")?.trim_end_matches('/')));
        }
        if cluster == "krb" {
            let keytab = variable("LONGSHORE_TEST_KRB_KEYTAB")?;
            uri = with(&uri, &format!("keytab={keytab}&principal=alice"));
        }
        expected.push((uri, counted));
    }

    for endpoint in [rig.s3.clone(), variable("LONGSHORE_TEST_S3_SECOND")?] {
        let bucket = format!("premises-{}", std::process::id());
        let aws = |args: &[&OsStr]| run(Command::new("aws").args(["--endpoint-url", &endpoint, "s3"]).args(args));
        let uri = format!("s3://{bucket}");
        aws(&["mb".as_ref(), uri.as_ref()])?;
        aws(&["sync".as_ref(), "--quiet".as_ref(), "--no-follow-symlinks".as_ref(), dir.as_os_str(), uri.as_ref()])?;
        expected.push((format!("{uri}?endpoint={endpoint}"), by_aws(&endpoint, &bucket)?));
    }

    let home = tempfile::tempdir()?;
    let mut discover = command(home.path(), &["discover", "--json", "-o", "site.inv"])?;
    discover.env("LONGSHORE_SMB_PASSWORD", &password);
    discover.args(expected.iter().map(|(uri, _)| uri));
    let out = discover.output()?;
    let stderr = text(&out.stderr);
    ensure!(out.status.code() == Some(0), "discover ended with {}\n{stderr}", out.status);
    ensure!(!stderr.contains("panicked"), "{stderr}");
    let found = discovered(&text(&out.stdout))?;
    ensure!(found.len() == expected.len(), "{} of {} systems: {found:#?}", found.len(), expected.len());
    for (uri, wanted) in &expected {
        let got = found.get(uri).with_context(|| format!("{uri} is not among {:?}", found.keys()))?;
        ensure!((got.files, got.bytes) == (wanted.files, wanted.bytes), "{uri}: {got:?} instead of {wanted:?}");
        ensure!(wanted.dirs.is_none() || wanted.dirs == got.dirs, "{uri}: {got:?} instead of {wanted:?}");
        eprintln!("{uri}: {} files, {} bytes: as counted independently", got.files, got.bytes);
    }
    // One report about all of it.
    let report = expect(home.path(), 0, &["report", "site.inv"])?;
    for (uri, _) in &expected {
        let (scheme, _) = uri.split_once("://").context("a scheme")?;
        ensure!(report.stdout.contains(scheme), "the report does not mention {uri}\n{}", report.stdout);
    }
    expect(home.path(), 0, &["report", "site.inv", "-f", "html", "-o", "site.html"])?;
    Ok(())
}

/// `nfs://host`, `smb://user@host` and `s3:///` mean every export, share and bucket.
pub fn whole_servers(rig: &Rig) -> Result<()> {
    let home = tempfile::tempdir()?;
    let (dir, _) = rig.export("whole-server")?;
    make_tree("bulk", &dir, &["--files", "100", "--big", "0", "--big-size", "1MiB"])?;
    let (nfs, query) = rig.nfs.split_once("/data").context("the export is called data")?;
    let smb = variable("LONGSHORE_TEST_SMB")?.replace("/data", "");
    for (uri, wanted, unwanted) in [
        (format!("{nfs}{query}"), vec!["/data", "/scratch"], None),
        (smb, vec!["/data", "/guest", "/hidden$"], Some("IPC$")),
        (format!("s3:///?endpoint={}", rig.s3), vec!["s3://"], None),
    ] {
        let mut discover = command(home.path(), &["discover", "--json", "--fresh", "-o", "all.inv", &uri])?;
        discover.env("LONGSHORE_SMB_PASSWORD", variable("LONGSHORE_TEST_SMB_PASSWORD")?);
        let out = discover.output()?;
        let (stdout, stderr) = (text(&out.stdout), text(&out.stderr));
        ensure!(!stderr.contains("panicked"), "{stderr}");
        // Exports that are closed to us, and shares of nobody, do not stop the others.
        let document: Value = serde_json::from_str(&stdout).with_context(|| format!("{uri}: {stdout}{stderr}"))?;
        let found: Vec<&str> = document["systems"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|system| system["location"].as_str())
            .collect();
        for word in wanted {
            ensure!(
                found.iter().any(|location| location.contains(word)),
                "{uri}: {word} is not in {found:?}\n{stderr}"
            );
        }
        if let Some(word) = unwanted {
            ensure!(!found.iter().any(|location| location.contains(word)), "{uri}: {found:?}");
        }
        eprintln!("{uri}: {found:?}");
    }
    Ok(())
}

/// Names that make trouble, over every protocol that serves the same disk.
pub fn hostile(rig: &Rig) -> Result<()> {
    let (dir, nfs) = rig.export("hostile-premises")?;
    make_tree("hostile", &dir, &["--deep", "--wide", "20000"])?;
    let tree = by_find(&dir)?;
    let home = tempfile::tempdir()?;
    for uri in
        [format!("file://{}", dir.display()), nfs.clone(), below(&variable("LONGSHORE_TEST_NFS4")?, "hostile-premises")]
    {
        let said = expect(home.path(), 0, &["discover", "--json", "--fresh", "-o", "hostile.inv", &uri])?;
        let found = discovered(&said.stdout)?;
        let got = found.values().next().context("a system")?;
        ensure!(*got == tree, "{uri}: {got:?} instead of {tree:?}");
    }
    // Samba leaves out names that are not UTF-8, and says so to nobody: what it can hold must be there.
    let visible = by_find_of_utf8(&dir)?;
    let mut discover = command(home.path(), &["discover", "--json", "--fresh", "-o", "smb.inv"])?;
    discover.arg(below(&variable("LONGSHORE_TEST_SMB")?, "hostile-premises"));
    let out = discover.env("LONGSHORE_SMB_PASSWORD", variable("LONGSHORE_TEST_SMB_PASSWORD")?).output()?;
    let found: Value = serde_json::from_slice(&out.stdout).with_context(|| text(&out.stderr))?;
    let counts = &found["systems"][0]["counts"];
    eprintln!("{} files by find, {visible} of them with names in UTF-8, {} over SMB", tree.files, counts["files"]);
    ensure!(counts["files"].as_u64() >= Some(visible), "{counts:#} and {visible} visible files");
    Ok(())
}

/// Files all of whose names are UTF-8, links aside.
fn by_find_of_utf8(dir: &Path) -> Result<u64> {
    let out = run(Command::new("find").arg(dir).args(["-mindepth", "1", "-type", "f", "-print0"]))?;
    let names = out.stdout.split(|b| *b == 0).filter(|name| !name.is_empty());
    Ok(names.filter(|name| std::str::from_utf8(name).is_ok()).count() as u64)
}
