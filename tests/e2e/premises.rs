//! Everything a storage team has, read in one go, and counted again by tools that are not ours.

use crate::counted::{Counted, by_aws, by_find, by_find_of_utf8, by_hdfs, by_smbclient, discovered};
use anyhow::{Context as _, Result, ensure};
use longshore_tests::{Rig, command, expect, make_tree, run, tests_dir, text};
use model::Location;
use serde_json::Value;
use std::{env, ffi::OsStr, path::Path, process::Command};

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

/// A location, and what a tool that is not ours counts there.
type Expected = (String, Counted);

/// One discovery of NFS (both versions, with TLS), SMB (plain, signed, encrypted, guest, by ticket), HDFS (plain, two
/// NameNodes, Kerberos), two object stores (one of them by TLS too) and the local disk.
pub fn everything(rig: &Rig) -> Result<()> {
    let (dir, nfs) = rig.export("premises")?;
    make_tree("bulk", &dir, &["--files", "2000", "--big", "2", "--big-size", "8MiB"])?;
    run(Command::new("chmod").args(["-R", "a+rX"]).arg(&dir))?;
    let tree = by_find(&dir)?;
    ensure!(tree.files > 2000, "{tree:?}");
    let mut expected = vec![(format!("file://{}", dir.display()), tree), (nfs, tree)];
    expected.push((below(&variable("LONGSHORE_TEST_NFS4")?, "premises"), tree));
    let by_tls = below(&variable("LONGSHORE_TEST_TLS_NFS")?, "premises");
    expected.push((with(&by_tls, "version=4.1"), tree));
    expected.push((by_tls, tree));
    expected.extend(by_smb(tree)?);
    expected.extend(by_hadoop(&dir)?);
    expected.extend(by_s3(rig, &dir)?);

    let home = tempfile::tempdir()?;
    let mut discover = command(home.path(), &["discover", "--json", "-o", "site.inv"])?;
    discover.env("LONGSHORE_SMB_PASSWORD", variable("LONGSHORE_TEST_SMB_PASSWORD")?);
    discover.args(expected.iter().map(|(uri, _)| uri));
    let out = discover.output()?;
    let stderr = text(&out.stderr);
    ensure!(out.status.code() == Some(0), "discover ended with {}\n{stderr}", out.status);
    ensure!(!stderr.contains("panicked"), "{stderr}");
    let found = discovered(&text(&out.stdout))?;
    ensure!(found.len() == expected.len(), "{} of {} systems: {found:#?}", found.len(), expected.len());
    for (uri, wanted) in &expected {
        // Parameters are told in the order of their names.
        let told = uri.parse::<Location>()?.to_string();
        let got = found.get(&told).with_context(|| format!("{uri} is not among {:?}", found.keys()))?;
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

fn by_smb(tree: Counted) -> Result<Vec<Expected>> {
    let mut expected = Vec::new();
    let login = format!("root%{}", variable("LONGSHORE_TEST_SMB_PASSWORD")?);
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

    // A domain, whose users come with a ticket.
    let uri = below(&variable("LONGSHORE_TEST_SMB_AD")?, "premises");
    let (keytabs, realm) = (variable("LONGSHORE_TEST_SMB_AD_KEYTABS")?, variable("LONGSHORE_TEST_SMB_AD_REALM")?);
    let (domain, password) = (variable("LONGSHORE_TEST_SMB_AD_DOMAIN")?, variable("LONGSHORE_TEST_SMB_AD_PASSWORD")?);
    let (address, port) =
        uri.split_once("://").and_then(|(_, rest)| rest.split_once('/')?.0.split_once(':')).context("host:port")?;
    let login = format!("{domain}\\alice%{password}");
    let counted = by_smbclient(&format!("//{address}/data"), port, "premises", &["-U", &login])?;
    expected
        .push((with(&uri, &format!("auth=kerberos&keytab={keytabs}/alice.keytab&principal=alice@{realm}")), counted));
    Ok(expected)
}

fn by_hadoop(dir: &Path) -> Result<Vec<Expected>> {
    let mut expected = Vec::new();
    for (cluster, name) in [("plain", "HDFS"), ("ha", "HDFS_HA"), ("krb", "HDFS_KRB")] {
        put(cluster, dir, "/")?;
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
            let realm = variable("LONGSHORE_TEST_KRB_REALM")?;
            uri = with(&uri, &format!("keytab={keytab}&principal=alice@{realm}"));
        }
        expected.push((uri, counted));
    }
    Ok(expected)
}

fn by_s3(rig: &Rig, dir: &Path) -> Result<Vec<Expected>> {
    let mut expected = Vec::new();
    let bucket = format!("premises-{}", std::process::id());
    for endpoint in [rig.s3.clone(), variable("LONGSHORE_TEST_S3_SECOND")?] {
        let aws = |args: &[&OsStr]| run(Command::new("aws").args(["--endpoint-url", &endpoint, "s3"]).args(args));
        let uri = format!("s3://{bucket}");
        aws(&["mb".as_ref(), uri.as_ref()])?;
        aws(&["sync".as_ref(), "--quiet".as_ref(), "--no-follow-symlinks".as_ref(), dir.as_os_str(), uri.as_ref()])?;
        expected.push((format!("{uri}?endpoint={endpoint}"), by_aws(&endpoint, &bucket)?));
    }
    let (by_tls, ca) = (variable("LONGSHORE_TEST_TLS_S3_ENDPOINT")?, variable("LONGSHORE_TEST_TLS_CA")?);
    expected.push((format!("s3://{bucket}?endpoint={by_tls}&ca={ca}"), by_aws(&rig.s3, &bucket)?));
    Ok(expected)
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
