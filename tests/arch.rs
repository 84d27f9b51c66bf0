//! Holds the code to the arrows of ARCHITECTURE.md: a crate depends on rows above it, never beside or below.

use serde_json::Value;
use std::{collections::BTreeMap, process::Command};

/// Which of our crates each crate may use. What is not here may not be.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("storage", &["model"]),
    ("inventory", &["model"]),
    ("catalog", &["model"]),
    ("plan", &["model"]),
    ("journal", &["model"]),
    ("driver-local", &["model", "storage"]),
    ("driver-nfs", &["model", "storage", "tls"]),
    ("driver-s3", &["model", "storage", "tls"]),
    ("driver-s3-inventory", &["model", "storage"]),
    ("driver-smb", &["model", "storage", "kerberos"]),
    ("driver-hdfs", &["model", "storage", "kerberos"]),
    ("driver-fsimage", &["model", "storage"]),
    ("kerberos", &[]),
    ("tls", &[]),
    ("analysis", &["model", "inventory", "catalog", "plan"]),
    ("migrate", &["model", "storage", "plan", "journal"]),
    ("reports", &["model", "inventory", "plan", "journal"]),
    (
        "collectors",
        &[
            "model",
            "storage",
            "driver-local",
            "driver-nfs",
            "driver-s3",
            "driver-s3-inventory",
            "driver-smb",
            "driver-hdfs",
            "driver-fsimage",
            "inventory",
            "journal",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "storage",
            "driver-local",
            "driver-nfs",
            "driver-s3",
            "driver-s3-inventory",
            "driver-smb",
            "driver-hdfs",
            "driver-fsimage",
            "kerberos",
            "inventory",
            "catalog",
            "plan",
            "journal",
            "analysis",
            "migrate",
            "collectors",
            "reports",
        ],
    ),
    ("tests", &["model", "journal"]),
];

/// Crates that only some of ours may use: the heavy and the protocols.
const KEPT_IN: &[(&str, &[&str])] = &[
    ("polars", &["analysis"]),
    ("arrow", &["inventory", "driver-s3-inventory"]),
    ("parquet", &["inventory", "driver-s3-inventory"]),
    ("hdfs-native", &["driver-hdfs"]),
    ("libloading", &["kerberos"]),
    ("nfs3_types", &["driver-nfs"]),
    ("hyper", &["driver-s3", "driver-hdfs", "cli"]),
    ("reqsign-core", &["driver-s3"]),
    ("reqsign-aws-v4", &["driver-s3"]),
    ("comfy-table", &["reports"]),
    ("clap", &["cli"]),
    ("s3s", &["cli"]),
    ("nfs3_server", &["cli"]),
    ("sysinfo", &["collectors"]),
    ("anyhow", &["cli", "tests"]),
];

/// Normal dependencies of each of our crates, as `cargo metadata` tells them: ours by short name, others as named.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .output()
        .expect("cargo starts");
    let metadata: Value = serde_json::from_slice(&out.stdout).expect("cargo metadata is JSON");
    let short = |name: &str| name.strip_prefix("longshore-").unwrap_or(name).to_owned();
    let packages = metadata["packages"].as_array().expect("packages");
    let of = |package: &Value| {
        let all = package["dependencies"].as_array().expect("dependencies").iter();
        all.filter(|dependency| dependency["kind"].is_null())
            .map(|dependency| short(dependency["name"].as_str().expect("a name")))
            .collect()
    };
    packages.iter().map(|package| (short(package["name"].as_str().expect("a name")), of(package))).collect()
}

#[test]
fn crates_use_only_what_the_architecture_allows() {
    let dependencies = dependencies();
    let ours: Vec<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let mut wrong = Vec::new();
    for (name, uses) in &dependencies {
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| known == name) else {
            wrong.push(format!("{name} has no row in this test and in ARCHITECTURE.md"));
            continue;
        };
        let forbidden = uses.iter().filter(|used| ours.contains(&used.as_str()) && !allowed.contains(&used.as_str()));
        wrong.extend(forbidden.map(|used| format!("{name} -> {used}")));
    }
    assert!(wrong.is_empty(), "arrows that ARCHITECTURE.md does not have: {wrong:#?}");
    assert_eq!(dependencies.len(), ARROWS.len(), "a crate of the table is gone");
}

#[test]
fn heavy_crates_and_protocol_clients_stay_in_their_rooms() {
    let dependencies = dependencies();
    let mut wrong = Vec::new();
    for (guest, rooms) in KEPT_IN {
        let hosts = dependencies.iter().filter(|(_, uses)| uses.iter().any(|used| used == guest));
        wrong.extend(
            hosts.filter(|(name, _)| !rooms.contains(&name.as_str())).map(|(name, _)| format!("{name} -> {guest}")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_engine_names_no_protocol() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/migrate/src");
    for file in std::fs::read_dir(source).expect("the engine's sources") {
        let file = file.expect("an entry").path();
        let code = std::fs::read_to_string(&file).expect("source is UTF-8").to_lowercase();
        for word in ["nfs", "smb", "hdfs", "s3", "minio"] {
            let found = code.split(|c: char| !c.is_ascii_alphanumeric()).any(|token| token == word);
            assert!(!found, "{} names {word}", file.display());
        }
    }
}

#[test]
fn the_map_lists_every_crate() {
    let map =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/README.md")).expect("crates/README.md");
    let missing: Vec<_> =
        ARROWS.iter().map(|(name, _)| name.replace("driver-", "drivers/")).filter(|name| !map.contains(name)).collect();
    assert!(missing.is_empty(), "crates/README.md does not mention {missing:?}");
}
