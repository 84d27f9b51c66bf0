//! Our reading of real images against the answer of Hadoop's own `hdfs oiv`.
//!
//! `tests/data` holds a small image that a NameNode 3.4.3 wrote (`images/Fill.java` made its tree), with the answers
//! of `oiv -p Delimited -delimiter '\x01' -sp -ec` and `oiv -p XML`, both in UTC; the same tree after a restart,
//! written with each codec that needs no native library; and an image of Hadoop 2.10.2, whose string table has the
//! older form. `small-zstandard` is `small-default` with its sections packed anew by the zstd tool (`images/zstandard`):
//! Hadoop packs so only with a native library. Other images: set
//! `LONGSHORE_TEST_FSIMAGE` to a directory of them, each `NAME` with `NAME.tsv` and, if there, `NAME.xml`.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // all of it is tests

mod answers;

use answers::{Answer, delimited, xml_inodes};
use flate2::read::GzDecoder;
use futures::TryStreamExt as _;
use longshore_driver_fsimage::{Details, FsimageOptions, FsimageStore};
use model::{Entry, Facets, Kind, RelPath, Timestamp};
use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};
use storage::{ListSpec, Source as _};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn unpacked(name: &str) -> Vec<u8> {
    let mut content = Vec::new();
    GzDecoder::new(&fs::read(data(name)).unwrap()[..]).read_to_end(&mut content).unwrap();
    content
}

async fn everything(store: &FsimageStore) -> Vec<(Entry, Details)> {
    let want = Facets::POSIX.and(Facets::XATTR);
    let root = store.stat(&RelPath::ROOT, want).await.unwrap();
    let mut all = vec![(root, store.details(&RelPath::ROOT).await.unwrap())];
    let mut waiting = vec![RelPath::ROOT];
    while let Some(dir) = waiting.pop() {
        let spec = ListSpec { want, ..ListSpec::default() };
        let pages: Vec<_> = store.list_detailed(&dir, spec).try_collect().await.unwrap();
        for (entry, details) in pages.into_iter().flat_map(|page| page.entries) {
            if entry.kind.is_dir() {
                waiting.push(entry.path.clone());
            }
            all.push((entry, details));
        }
    }
    all
}

fn millis(at: Option<Timestamp>) -> i128 {
    at.map_or(0, |at| at.total_nanos() / 1_000_000)
}

/// A row as `oiv -p Delimited` would print it, without the path.
fn row(entry: &Entry, more: &Details, ec_names: &BTreeMap<u32, String>) -> Answer {
    let meta = entry.meta.as_ref().unwrap();
    let posix = meta.posix.as_ref().unwrap();
    let dir = entry.kind.is_dir();
    // It writes 0 for what is no directory.
    let quota = |quota: Option<u64>| match (dir, quota) {
        (false, _) => "0".to_owned(),
        (true, Some(quota)) => quota.to_string(),
        (true, None) => "-1".to_owned(),
    };
    let mode: String =
        (0..9).rev().map(|bit| if posix.mode >> bit & 1 == 0 { '-' } else { ['x', 'w', 'r'][bit % 3] }).collect();
    let sticky = |mode: String| match (posix.mode & 0o1000, posix.mode & 1) {
        (0, _) => mode,
        (_, 0) => format!("{}T", &mode[..8]),
        (_, _) => format!("{}t", &mode[..8]),
    };
    let ec = more.dir_ec_policy.clone().or_else(|| more.ec_policy.and_then(|id| ec_names.get(&id).cloned()));
    Answer {
        replication: more.replication.to_string(),
        minutes: [meta.mtime, meta.atime].map(|at| millis(at) / 60_000),
        block_size: more.block_size.to_string(),
        blocks: more.blocks.to_string(),
        size: entry.stamp.size.to_string(),
        quotas: [quota(more.name_quota), quota(more.space_quota)],
        permission: format!(
            "{}{}{}",
            if dir { 'd' } else { '-' },
            sticky(mode),
            if more.acl.is_empty() { "" } else { "+" }
        ),
        owner: [posix.owner.to_string(), posix.group.to_string()],
        policies: Some([more.storage_policy.unwrap_or(0).to_string(), ec.unwrap_or_else(|| "-".to_owned())]),
    }
}

/// Compares with both answers; returns how many entries there were.
async fn compare(image: &Path, delimited_answer: &[u8], xml_answer: Option<&str>) -> usize {
    let store = FsimageStore::open(image, FsimageOptions::default()).await.unwrap();
    assert!(store.facts().findings.is_empty(), "{:?}", store.facts().findings);
    let all = everything(&store).await;
    let ec_names: BTreeMap<u32, String> =
        store.facts().ec_policies.iter().map(|(id, policy)| (*id, policy.name.clone())).collect();

    let mut theirs = delimited(delimited_answer);
    for (entry, details) in &all {
        let path = [b"/", entry.path.as_bytes()].concat();
        let answer = theirs.remove(&answers::as_printed(&path)).or_else(|| theirs.remove(&path));
        let answer = answer.unwrap_or_else(|| panic!("oiv does not list {}", entry.path));
        let mut ours = row(entry, details, &ec_names);
        if answer.policies.is_none() {
            // Hadoop 2 has neither policies here nor a mark for access control lists.
            ours.policies = None;
            ours.permission.truncate(10);
        }
        assert_eq!(ours, answer, "{}", entry.path);
    }
    assert!(
        theirs.is_empty(),
        "oiv lists also {:?}",
        theirs.keys().map(|k| String::from_utf8_lossy(k)).take(5).collect::<Vec<_>>()
    );

    if let Some(xml) = xml_answer {
        let inodes = xml_inodes(xml);
        for (entry, details) in &all {
            let theirs = &inodes[&details.inode];
            let meta = entry.meta.as_ref().unwrap();
            let posix = meta.posix.as_ref().unwrap();
            assert_eq!(millis(meta.mtime), theirs.number("mtime"), "{}", entry.path);
            assert_eq!(millis(meta.atime), theirs.number("atime"), "{}", entry.path);
            assert_eq!(format!("{}:{}:{:04o}", posix.owner, posix.group, posix.mode), theirs.text("permission"));
            let acl: Vec<String> = details.acl.iter().map(ToString::to_string).collect();
            assert_eq!(acl, theirs.all("acl"), "{}", entry.path);
            let xattrs: Vec<(String, Vec<u8>)> = meta
                .xattrs
                .iter()
                .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.to_vec()))
                .collect();
            assert_eq!(xattrs, theirs.xattrs(), "{}", entry.path);
            assert_eq!(i128::from(details.block_size), theirs.number("preferredBlockSize"), "{}", entry.path);
            let target = if let Kind::Symlink { target } = &entry.kind { &target[..] } else { b"" };
            assert_eq!(String::from_utf8_lossy(target), theirs.text("target"), "{}", entry.path);
            let quotas: Vec<String> = details.type_quotas.iter().map(|(_, quota)| quota.to_string()).collect();
            assert_eq!(quotas, theirs.all("quota"), "{}", entry.path);
        }
    }
    let facts = store.facts();
    assert_eq!(facts.files + facts.dirs + facts.symlinks, u64::try_from(all.len()).unwrap());
    assert_eq!(facts.files + facts.dirs + facts.symlinks + facts.snapshot_only, facts.inodes);
    assert_eq!(facts.bytes, all.iter().map(|(entry, _)| entry.stamp.size).sum::<u64>());
    all.len()
}

#[tokio::test]
async fn the_small_image_reads_as_hadoop_reads_it() {
    let xml = String::from_utf8(unpacked("small.xml.gz")).unwrap();
    assert_eq!(compare(&data("small.fsimage"), &unpacked("small.delimited.gz"), Some(&xml)).await, 840);
}

#[tokio::test]
async fn every_codec_reads_the_same() {
    for codec in ["default", "gzip", "bzip2", "lz4", "snappy", "zstandard"] {
        let image = data(&format!("small-{codec}.fsimage"));
        assert_eq!(compare(&image, &unpacked("small-restarted.delimited.gz"), None).await, 840, "{codec}");
    }
}

#[tokio::test]
async fn an_image_of_hadoop_2_reads_as_hadoop_2_reads_it() {
    let xml = String::from_utf8(unpacked("hadoop-2-10.xml.gz")).unwrap();
    let count = compare(&data("hadoop-2-10.fsimage"), &unpacked("hadoop-2-10.delimited.gz"), Some(&xml)).await;
    assert_eq!(count, 534);
}

#[tokio::test]
async fn every_image_given_reads_as_hadoop_reads_it() {
    let Some(dir) = std::env::var_os("LONGSHORE_TEST_FSIMAGE") else {
        eprintln!("skipped: LONGSHORE_TEST_FSIMAGE names no directory of images");
        return;
    };
    let mut images: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    images.retain(|path| path.with_extension("tsv") != *path && path.extension().is_none());
    images.sort();
    assert!(!images.is_empty());
    for image in images {
        let xml = fs::read(image.with_extension("xml")).ok().map(|raw| String::from_utf8_lossy(&raw).into_owned());
        let count = compare(&image, &fs::read(image.with_extension("tsv")).unwrap(), xml.as_deref()).await;
        println!("{}: {count} entries are equal{}", image.display(), if xml.is_some() { ", XML too" } else { "" });
    }
}
