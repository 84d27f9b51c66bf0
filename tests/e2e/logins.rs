//! Logins that fail: each a clear error with what, where, why and a hint.

use crate::premises::{below, variable, with};
use anyhow::{Context as _, Result, ensure};
use longshore_tests::{Rig, command, run, text};
use std::{path::Path, process::Command, thread, time::Duration};

/// Discovers with these settings; it must fail with `code` and say all of these words.
fn refused(home: &Path, uri: &str, set: &[(&str, &str)], code: i32, words: &[&str]) -> Result<()> {
    let out = command(home, &["discover", "--fresh", "-o", "x.inv", uri])?.envs(set.iter().copied()).output()?;
    let stderr = text(&out.stderr);
    ensure!(out.status.code() == Some(code), "{uri}: ended with {} instead of {code}\n{stderr}", out.status);
    ensure!(!stderr.contains("panicked"), "{stderr}");
    for word in words.iter().chain(&["error[E"]) {
        ensure!(stderr.to_lowercase().contains(&word.to_lowercase()), "`{word}` is missing in:\n{stderr}");
    }
    for (name, value) in set.iter().filter(|(name, _)| name.ends_with("PASSWORD")) {
        ensure!(value.is_empty() || !stderr.contains(value), "{name} was printed");
    }
    eprintln!("{}", stderr.trim());
    Ok(())
}

pub fn smb(_: &Rig) -> Result<()> {
    let home = tempfile::tempdir()?;
    let at = home.path();
    let share = variable("LONGSHORE_TEST_SMB")?;
    let right = variable("LONGSHORE_TEST_SMB_PASSWORD")?;
    refused(at, &share, &[("LONGSHORE_SMB_PASSWORD", "wrong-wrong-wrong")], 1, &["E2104", "hint:"])?;
    refused(at, &share, &[("LONGSHORE_SMB_PASSWORD", "")], 2, &["E1013", "LONGSHORE_SMB_PASSWORD", "hint:"])?;
    let none = share.replace("/data", "/no-such-share");
    refused(at, &none, &[("LONGSHORE_SMB_PASSWORD", &right)], 1, &["E2101", "data", "hint:"])?;
    let closed = share.replace("/data", "/closed");
    refused(at, &closed, &[("LONGSHORE_SMB_PASSWORD", &right)], 1, &["E2103", "hint:"])?;
    let port = share.replace(":445", ":9");
    refused(at, &port, &[("LONGSHORE_SMB_PASSWORD", &right)], 1, &["E2108", "refused", "hint:"])?;
    // An NFS server is there, not an SMB server.
    let other = share.replace(":445", ":12049");
    refused(
        at,
        &other,
        &[("LONGSHORE_SMB_PASSWORD", &right), ("LONGSHORE_OPERATION_TIMEOUT", "3s"), ("LONGSHORE_TRIES", "1")],
        1,
        &[],
    )?;
    let missing = below(&share, "no-such-directory");
    refused(at, &missing, &[("LONGSHORE_SMB_PASSWORD", &right)], 1, &["E2101"])
}

pub fn kerberos(_: &Rig) -> Result<()> {
    let home = tempfile::tempdir()?;
    let at = home.path();
    let conf = variable("LONGSHORE_TEST_HDFS_KRB_CONF")?;
    let uri = with(&variable("LONGSHORE_TEST_HDFS_KRB")?, &format!("conf={conf}"));
    let empty = at.join("no-such-ccache").display().to_string();
    refused(at, &uri, &[("KRB5CCNAME", &empty)], 1, &["E2104", "kinit", "hint:"])?;
    let short = at.join("short").display().to_string();
    let keytab = variable("LONGSHORE_TEST_KRB_KEYTAB")?;
    run(Command::new("kinit").args(["-l", "1s", "-k", "-t", &keytab, "-c", &short, "alice"]))?;
    thread::sleep(Duration::from_secs(2));
    refused(at, &uri, &[("KRB5CCNAME", &short)], 1, &["E2104", "expired", "hint:"])?;
    let wrong = with(&uri, &format!("principal=nobody&keytab={keytab}"));
    refused(at, &wrong, &[], 1, &["E2104", "hint:"])
}

/// Somebody else's certificate, TLS where there is none, and none where there is TLS.
pub fn tls(rig: &Rig) -> Result<()> {
    let home = tempfile::tempdir()?;
    let at = home.path();
    let (nfs, s3) = (variable("LONGSHORE_TEST_TLS_NFS")?, variable("LONGSHORE_TEST_TLS_S3_ENDPOINT")?);
    let (ca, other_ca) = (variable("LONGSHORE_TEST_TLS_CA")?, variable("LONGSHORE_TEST_TLS_OTHER_CA")?);
    let bucket = rig.bucket()?;
    let patience = [("LONGSHORE_OPERATION_TIMEOUT", "5s"), ("LONGSHORE_TRIES", "2")];
    let (tunnel, _) = nfs.split_once("&tls=direct").context("the location of the tunnel asks for TLS")?;
    for (uri, words) in [
        (nfs.replace(&ca, &other_ca), &["certificate", "?ca=FILE"][..]),
        (tunnel.to_owned(), &["?tls=direct"]),
        (with(&rig.nfs, &format!("tls&ca={ca}")), &["asked for TLS"]),
        (format!("s3://{bucket}?endpoint={s3}"), &["certificate", "?ca=FILE"]),
        (format!("s3://{bucket}?endpoint={}&ca={ca}", rig.s3.replace("http:", "https:")), &["write `http://`"]),
        // stunnel breaks the connection without a word.
        (format!("s3://{bucket}?endpoint={}", s3.replace("https:", "http:")), &["reset"]),
    ] {
        refused(at, &uri, &patience, 1, &[&["E2108"], words].concat())?;
    }
    Ok(())
}
