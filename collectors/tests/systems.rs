//! Discovery of real systems: this host's file system always; an NFS export and an S3 server where the
//! environment names them.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use driver_local::{LocalOptions, LocalStore};
use driver_nfs::{NfsOptions, NfsStore};
use driver_s3::{S3Options, S3Store};
use inventory::{Inventory, Profile, rows::read_entries};
use longshore_collectors::{DiscoverOptions, discover, local, nfs, object};
use model::{Location, Metadata, RelPath, Timestamp};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use storage::{Node, Target as _, WriteSpec};

/// What an independent walk finds: size, mtime in nanoseconds, mode, inode.
type Found = BTreeMap<RelPath, (u64, i64, u32, u64)>;

fn walked(dir: &Path, below: &RelPath, found: &mut Found) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let path = below.join(entry.file_name().as_bytes());
        let stat = entry.path().symlink_metadata().unwrap();
        let mtime = stat.mtime() * 1_000_000_000 + stat.mtime_nsec();
        found.insert(path.clone(), (stat.size(), mtime, stat.mode() & 0o7777, stat.ino()));
        if stat.is_dir() {
            walked(&entry.path(), &path, found);
        }
    }
}

fn rows(out: &Path) -> Found {
    let inventory = Inventory::open(out).unwrap();
    let parts = inventory.entries_files(&inventory.systems()[0].name).unwrap();
    let rows = parts.iter().flat_map(|part| read_entries(part).unwrap()).map(Result::unwrap);
    rows.map(|row| (row.path, (row.size, row.mtime_ns.unwrap(), row.mode.unwrap_or(0), row.inode.unwrap_or(0))))
        .collect()
}

fn options() -> DiscoverOptions {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let secs = i64::try_from(now.as_secs()).unwrap();
    DiscoverOptions::new(Timestamp { secs, nanos: now.subsec_nanos() })
}

/// A tree with the names and nodes that break others.
fn plant(dir: &Path) {
    let name = |raw: &[u8]| dir.join(std::ffi::OsStr::from_bytes(raw));
    fs::create_dir_all(dir.join("sub/deep/er")).unwrap();
    for raw in [
        &b"x\xFF"[..],
        b"new\nline",
        b" lead and trail ",
        b"CON",
        b"ReadMe",
        b"README",
        "é".as_bytes(),
        "e\u{301}".as_bytes(),
    ] {
        fs::write(name(raw), raw).unwrap();
    }
    fs::write(name(&[b'n'; 255]), b"long").unwrap();
    fs::write(dir.join("sub/deep/er/file.TXT"), vec![7; 100_000]).unwrap();
    fs::hard_link(dir.join("ReadMe"), dir.join("sub/linked")).unwrap();
    std::os::unix::fs::symlink(b"\xFE/../nowhere".map(char::from).iter().collect::<String>(), dir.join("dangling"))
        .unwrap();
    let sparse = fs::File::create(dir.join("sub/sparse.img")).unwrap();
    sparse.set_len(1 << 30).unwrap();
    for n in 0..2500 {
        fs::write(dir.join(format!("sub/deep/{n:04}.dat")), [0; 3]).unwrap();
    }
}

fn check_tree(profile: &Profile, found: &Found) {
    assert_eq!(profile.counts.dirs, 3);
    assert_eq!(profile.counts.symlinks, 1);
    assert_eq!(profile.counts.files + 4, u64::try_from(found.len()).unwrap());
    assert_eq!((profile.counts.hard_linked_names, profile.metadata.max_links), (2, 2));
    assert_eq!(profile.counts.sparse_files, 1);
    assert_eq!((profile.names.case_twins, profile.names.normal_form_twins, profile.names.not_utf8), (2, 2, 1));
    assert_eq!((profile.names.longest_component_bytes, profile.shape.max_width), (255, 2501));
    assert_eq!(profile.unreadable, []);
    assert!(profile.capacity.as_ref().unwrap().total_bytes.value > 0);
    assert!(profile.latency.iter().any(|op| op.count > 0 && op.p50_us > 0), "{:?}", profile.latency);
    assert!(profile.walk.entries_per_second.value > 0.0);
}

#[tokio::test]
async fn a_local_tree_is_found_as_an_independent_walk_finds_it() {
    let tree = tempfile::tempdir().unwrap();
    plant(tree.path());
    let mut found = Found::new();
    walked(tree.path(), &RelPath::ROOT, &mut found);

    let options = options();
    let probe = Arc::clone(&options.latency);
    let store = LocalStore::open(tree.path().as_os_str().as_bytes(), LocalOptions { probe, ..LocalOptions::default() });
    let location = Location::file(tree.path().as_os_str().as_bytes());
    let collector = local::collector(store.unwrap(), &location);
    let out = tempfile::tempdir().unwrap();
    let profile = discover(&collector, out.path(), options).await.unwrap();
    assert_eq!(rows(out.path()), found);
    check_tree(&profile, &found);
    assert_eq!((profile.location, profile.system.protocol.as_str()), (location, "local"));
    assert!(profile.system.details.contains_key("filesystem"), "{:?}", profile.system);
}

#[tokio::test]
async fn an_nfs_export_is_found_as_its_server_sees_it() {
    let (Ok(uri), Ok(dir)) = (std::env::var("LONGSHORE_TEST_NFS"), std::env::var("LONGSHORE_TEST_NFS_DIR")) else {
        eprintln!("skipped: LONGSHORE_TEST_NFS and LONGSHORE_TEST_NFS_DIR do not name an NFS server");
        return;
    };
    let tree = tempfile::Builder::new().prefix("collectors-").tempdir_in(&dir).unwrap();
    fs::set_permissions(tree.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    plant(tree.path());
    let mut found = Found::new();
    walked(tree.path(), &RelPath::ROOT, &mut found);

    let below = RelPath::from(tree.path().file_name().unwrap().as_bytes());
    let location = uri.parse::<Location>().unwrap().below(&below);
    let options = options();
    let probe = Arc::clone(&options.latency);
    let store = NfsStore::connect(&location, NfsOptions { probe, ..NfsOptions::default() }).await.unwrap();
    let out = tempfile::tempdir().unwrap();
    let profile = discover(&nfs::collector(store), out.path(), options).await.unwrap();
    assert_eq!(rows(out.path()), found);
    check_tree(&profile, &found);
    assert_eq!(profile.system.protocol, "nfs3");
    assert!(profile.system.details["rtmax"].parse::<u32>().unwrap() > 0, "{:?}", profile.system);
    assert!(profile.latency.iter().any(|op| op.op == "READDIRPLUS"), "{:?}", profile.latency);
}

#[tokio::test]
async fn a_bucket_is_found_key_by_key() {
    let Ok(endpoint) = std::env::var("LONGSHORE_TEST_S3") else {
        eprintln!("skipped: LONGSHORE_TEST_S3 does not name an S3 server");
        return;
    };
    let options = options();
    let bucket = format!("collectors-{}", options.now.total_nanos());
    let location = Location::new("s3", &bucket, "").with_param("endpoint", &endpoint);
    let probe = Arc::clone(&options.latency);
    let store = S3Store::open(&location, S3Options { probe, ..S3Options::default() }).await.unwrap();
    store.create_bucket().await.unwrap();
    let mut keys: Vec<RelPath> = ["a", "dir/b.txt", "dir/sub/CON", "dir/sub/x"].map(RelPath::from).into();
    keys.extend((0..1200).map(|n| RelPath::from(format!("many/{n:04}.dat").as_str())));
    for key in &keys {
        store.put(key, WriteSpec::default(), vec![vec![1; 10].into()]).await.unwrap();
    }
    store.make(&"empty".into(), Node::Dir, &Metadata::default()).await.unwrap();
    let collector = object::collector(store.clone(), &location, std::sync::Arc::default());
    let out = tempfile::tempdir().unwrap();
    let found = discover(&collector, out.path(), options).await;
    for key in keys.iter().chain([&"empty".into()]) {
        store.remove(key, None).await.unwrap();
    }
    let profile = found.unwrap();
    assert_eq!(rows(out.path()).len(), keys.len() + 1);
    assert_eq!((profile.counts.files, profile.counts.dirs, profile.counts.size_bytes), (1204, 1, 12_040));
    assert_eq!((profile.names.not_windows, profile.shape.max_depth, profile.shape.max_width), (1, 3, 1200));
    assert_eq!(profile.capacity, None);
    assert_eq!((profile.system.protocol.as_str(), &profile.system.details["bucket"]), ("s3", &bucket));
    assert_eq!(profile.metadata.facets_read, ["mtime"], "a listing tells no more");
    assert!(profile.latency.iter().any(|op| op.op == "ListObjectsV2"), "{:?}", profile.latency);
    assert!(!format!("{profile:?}").contains(&std::env::var("AWS_SECRET_ACCESS_KEY").unwrap_or("no secret".into())));
    assert_eq!(collector.location(), &location);
}
