//! Servers that crash, come back or hang while they are discovered.

use crate::premises::{below, put, variable, with};
use anyhow::{Context as _, Result, ensure};
use longshore_tests::{Rig, command, make_tree, run, tests_dir, text};
use serde_json::Value;
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Files of the tree: enough that a walk is still under way when the knife falls.
const FILES: u64 = 20_000;

fn rig_tool(args: &[&str]) -> Result<()> {
    run(Command::new(tests_dir().join("rig/rig")).args(args)).map(drop)
}

/// Starts a discovery that asks for so many listings a second, so that it is under way when the knife falls.
fn start(home: &Path, uri: &str, rate: u32) -> Result<Child> {
    let rate = rate.to_string();
    let args = ["discover", "--json", "--max-requests", &rate, "--fresh", "-o", "site.inv", uri];
    let mut discover = command(home, &args)?;
    discover.env("LONGSHORE_TRIES", "40");
    if let Ok(password) = variable("LONGSHORE_TEST_SMB_PASSWORD") {
        discover.env("LONGSHORE_SMB_PASSWORD", password);
    }
    discover.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("start longshore")
}

/// Waits for the end, which must be good and complete.
fn complete(child: Child, files: u64, what: &str) -> Result<()> {
    let out = child.wait_with_output()?;
    let stderr = text(&out.stderr);
    ensure!(out.status.code() == Some(0), "{what}: discover ended with {}\n{stderr}", out.status);
    ensure!(!stderr.contains("panicked"), "{what}: {stderr}");
    let document: Value = serde_json::from_slice(&out.stdout)?;
    let profile = &document["systems"][0];
    ensure!(profile["counts"]["files"] == files, "{what}: {:#}", profile["counts"]);
    ensure!(profile["unreadable_count"] == 0, "{what}: {:#}", profile["unreadable"]);
    eprintln!("{what}: {files} files, each once, in {} ms", profile["walk"]["elapsed_ms"]);
    Ok(())
}

/// Kills servers at several moments of a walk, and starts them again.
fn crash(uri: &str, server: &str, files: u64, rate: u32, moments: &[u64]) -> Result<()> {
    let home = tempfile::tempdir()?;
    for moment in moments {
        let child = start(home.path(), uri, rate)?;
        thread::sleep(Duration::from_millis(*moment));
        rig_tool(&["kill", server])?;
        thread::sleep(Duration::from_millis(300));
        rig_tool(&["start", server])?;
        complete(child, files, &format!("{server} killed after {moment} ms"))?;
    }
    Ok(())
}

fn tree(rig: &Rig, name: &str) -> Result<String> {
    let (dir, uri) = rig.export(name)?;
    make_tree("bulk", &dir, &["--files", &FILES.to_string(), "--big", "0", "--big-size", "1MiB"])?;
    run(Command::new("chmod").args(["-R", "a+rX"]).arg(&dir))?;
    Ok(uri)
}

pub fn nfs_crash(rig: &Rig) -> Result<()> {
    let uri = tree(rig, "crash-nfs")?;
    crash(&uri, "ganesha", FILES, 200, &[400, 900, 1500])?;
    crash(&below(&variable("LONGSHORE_TEST_NFS4")?, "crash-nfs"), "ganesha", FILES, 200, &[400, 900, 1500])
}

pub fn smb_crash(rig: &Rig) -> Result<()> {
    tree(rig, "crash-smb")?;
    crash(&below(&variable("LONGSHORE_TEST_SMB")?, "crash-smb"), "samba", FILES, 200, &[400, 900, 1500])
}

/// Files that HDFS gets; loading them takes most of the case.
const FEW: u64 = 3_000;

fn hdfs_tree(rig: &Rig, cluster: &str, name: &str) -> Result<()> {
    let (dir, _) = rig.export(name)?;
    make_tree("bulk", &dir, &["--files", &FEW.to_string(), "--big", "0", "--big-size", "1MiB"])?;
    put(cluster, &dir, "/")
}

pub fn hdfs_crash(rig: &Rig) -> Result<()> {
    hdfs_tree(rig, "plain", "crash-hdfs")?;
    crash(&below(&variable("LONGSHORE_TEST_HDFS")?, "crash-hdfs"), "hdfs_nn", FEW, 20, &[1500])
}

/// The active NameNode dies, and an administrator makes the other one active.
pub fn hdfs_failover(rig: &Rig) -> Result<()> {
    hdfs_tree(rig, "ha", "failover")?;
    let uri = with(
        &below(&variable("LONGSHORE_TEST_HDFS_HA")?, "failover"),
        &format!("conf={}", variable("LONGSHORE_TEST_HDFS_HA_CONF")?),
    );
    let home = tempfile::tempdir()?;
    let child = start(home.path(), &uri, 20)?;
    thread::sleep(Duration::from_millis(1500));
    rig_tool(&["kill", "hdfs_ha_nn1"])?;
    let tool = tests_dir().join("rig/hdfs-tool");
    run(Command::new(tool).args(["ha", "haadmin", "-transitionToActive", "--forceactive", "nn2"]))?;
    complete(child, FEW, "the active NameNode killed, the other one made active")?;
    // As the standby.
    rig_tool(&["start", "hdfs_ha_nn1"])
}

pub fn s3_crash(rig: &Rig) -> Result<()> {
    let (dir, _) = rig.export("crash-s3")?;
    make_tree("bulk", &dir, &["--files", "5000", "--big", "0", "--big-size", "1MiB"])?;
    let bucket = rig.bucket()?;
    let uri = format!("s3://{bucket}");
    run(Command::new("aws").args(["--endpoint-url", &rig.s3, "s3", "sync", "--quiet"]).arg(&dir).arg(&uri))?;
    crash(&rig.uri(&bucket, ""), "minio", 5000, 2, &[1000, 2000])
}

/// A server that was stopped in its tracks: the error must come at its time and say what happened.
pub fn hang(rig: &Rig) -> Result<()> {
    let (_, nfs) = rig.export("hang")?;
    let mut systems = vec![
        ("ganesha", nfs.clone()),
        ("ganesha", below(&variable("LONGSHORE_TEST_NFS4")?, "hang")),
        ("minio", rig.uri(&rig.bucket()?, "")),
    ];
    if let Ok(smb) = variable("LONGSHORE_TEST_SMB") {
        systems.push(("samba", below(&smb, "hang")));
    }
    if let Ok(hdfs) = variable("LONGSHORE_TEST_HDFS") {
        systems.push(("hdfs_nn", hdfs));
    }
    let home = tempfile::tempdir()?;
    for (server, uri) in systems {
        rig_tool(&["freeze", server])?;
        let began = Instant::now();
        let patience = [("LONGSHORE_OPERATION_TIMEOUT", "3s"), ("LONGSHORE_CONNECT_TIMEOUT", "3s")];
        let mut discover = command(home.path(), &["discover", "--fresh", "-o", "hung.inv", &uri])?;
        discover.envs(patience).env("LONGSHORE_TRIES", "2");
        discover.env("LONGSHORE_SMB_PASSWORD", variable("LONGSHORE_TEST_SMB_PASSWORD").unwrap_or_default());
        let out = discover.output();
        let took = began.elapsed();
        rig_tool(&["thaw", server])?;
        let (code, stderr) = out.map(|out| (out.status.code(), text(&out.stderr)))?;
        ensure!(code == Some(1), "{uri}: ended with {code:?}\n{stderr}");
        ensure!(stderr.contains("E2107") || stderr.contains("E2108"), "{uri}: {stderr}");
        ensure!(took < Duration::from_secs(30), "{uri}: gave up only after {took:?}\n{stderr}");
        eprintln!("{uri}: after {:.1} s: {}", took.as_secs_f64(), stderr.trim());
    }
    Ok(())
}
