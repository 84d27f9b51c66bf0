//! NFSv4.1 against nfs-ganesha: `tests/rig/rig start ganesha` and
//! `tests/rig/rig exec cargo test -p longshore-driver-nfs --test v4_ganesha`.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Rig, big_file, compare, make_tree, many_files, on_disk, remade, restarts, rig_command, walked};
use futures::{StreamExt as _, TryStreamExt as _};
use libtest_mimic::{Arguments, Completion, Trial};
use longshore_driver_nfs::{
    NfsOptions,
    v4::{Nfs4Store, pseudo_exports},
};
use model::{Facets, Location, RelPath, Timestamp};
use std::{
    collections::BTreeMap,
    env,
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, PermissionsExt as _},
    },
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use storage::{
    Body, ErrorKind, ListSpec, Probe, ReadSpec, RetryPolicy, Retrying, Source, collect_body,
    walk::{WalkEvent, WalkSpec, walk},
};
use tokio::runtime::Runtime;

/// Set for the copy of this program that runs in a rig of its own.
const INNER: &str = "LONGSHORE_TEST_NFS4_RESTARTS";

type Case = (&'static str, fn(&Rig));

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let rig = Rig::from_env("4.1");
    let cases: [Case; 16] = [
        ("a hostile tree is listed byte for byte", hostile_tree),
        ("times before 1970 and after 2106 come through", times),
        ("a wide directory is listed in pages that resume", wide_directory),
        ("a large file is read whole and in ranges", large_file),
        ("a file is read under an open that is closed again", opened),
        ("a path deeper than one request can look up is found", deep_path),
        ("a directory below the export can be opened", below_the_export),
        ("the pseudo root leads into every export", pseudo_root),
        ("a path that does not exist is refused with the exports", not_exported),
        ("a user without permission is denied", denied),
        ("a server that cannot be reached is said to be so", unreachable),
        ("the volume tells its size and the server itself", volume),
        ("an idle session outlives its lease", idle),
        ("a directory made anew is opened", remade_is_opened),
        ("a directory made anew is listed and read by a store that knew the old one", remade_is_listed),
        ("a directory made anew while it is listed is not mixed with the old one", remade_is_not_mixed),
    ];
    let mut trials: Vec<Trial> = cases
        .into_iter()
        .map(|(name, case)| {
            let rig = rig.clone();
            Trial::ignorable_test(name, move || match rig {
                None => Ok(Completion::ignored_with("LONGSHORE_TEST_NFS or LONGSHORE_TEST_NFS_DIR is not set")),
                Some(_) if name.contains("idle") && env::var_os("LONGSHORE_TEST_SLOW").is_none() => {
                    Ok(Completion::ignored_with("it takes 80 seconds; LONGSHORE_TEST_SLOW is not set"))
                }
                Some(rig) => {
                    case(&rig);
                    Ok(Completion::Completed)
                }
            })
        })
        .collect();
    if env::var_os(INNER).is_some() {
        let restarts: [Case; 5] = [
            ("a walk survives", walk_survives_a_restart),
            ("a walk survives without a retry", plain_walk_survives_a_restart),
            ("a read survives", read_survives_a_restart),
            ("a read under an open survives", opened_read_survives_a_restart),
            ("a frozen server is a timeout", frozen),
        ];
        trials = restarts
            .into_iter()
            .map(|(name, case)| {
                let rig = rig.clone().unwrap();
                Trial::test(name, move || {
                    case(&rig);
                    Ok(())
                })
            })
            .collect();
    } else {
        let name = "walks and reads survive a server that is killed and restarted, and a frozen one is told";
        trials.push(Trial::ignorable_test(name, || restarts(INNER)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

async fn connected(rig: &Rig) -> Arc<Nfs4Store> {
    Arc::new(Nfs4Store::connect(&rig.location(), NfsOptions::default()).await.unwrap())
}

async fn source(at: Location) -> storage::Result<Arc<dyn Source>> {
    Ok(Arc::new(Nfs4Store::connect(&at, NfsOptions::default()).await?))
}

fn remade_is_opened(rig: &Rig) {
    Runtime::new().unwrap().block_on(remade::is_opened(rig, source));
}

fn remade_is_listed(rig: &Rig) {
    Runtime::new().unwrap().block_on(remade::is_listed(rig, source));
}

fn remade_is_not_mixed(rig: &Rig) {
    Runtime::new().unwrap().block_on(remade::is_not_mixed(rig, source));
}

fn hostile_tree(rig: &Rig) {
    let fresh = rig.fresh("hostile");
    make_tree(&["hostile".as_ref(), fresh.on_disk.as_os_str(), "--deep".as_ref()]);
    let mut expected = BTreeMap::new();
    on_disk(&fresh.on_disk, &fresh.path, &mut expected);
    assert!(expected.len() > 300, "{} entries", expected.len());
    Runtime::new().unwrap().block_on(async {
        let store = connected(rig).await;
        let found = walked(store.clone(), fresh.path.clone()).await;
        let names = |paths: Vec<&RelPath>| paths.into_iter().cloned().collect::<Vec<_>>();
        assert_eq!(names(found.keys().collect()), names(expected.keys().collect()));
        for (path, status) in &expected {
            compare(&found[path], status, &rig.dir, std::convert::identity);
            let stat = store.stat(path, Facets::POSIX).await.unwrap();
            compare(&stat, status, &rig.dir, std::convert::identity);
            assert_eq!(stat.stamp, found[path].stamp, "{path}");
            if status.is_file() {
                let reading =
                    store.read(path, ReadSpec { locator: stat.locator, ..ReadSpec::default() }).await.unwrap();
                let content = collect_body(reading.body, u64::MAX).await.unwrap().concat();
                assert!(content == fs::read(rig.dir.join(OsStr::from_bytes(path.as_bytes()))).unwrap(), "{path}");
            } else {
                let refused = store.read(path, ReadSpec::default()).await.unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::Invalid, "{path}");
            }
        }
    });
}

fn wide_directory(rig: &Rig) {
    let fresh = rig.fresh("wide");
    make_tree(&["hostile".as_ref(), fresh.on_disk.as_os_str(), "--wide".as_ref(), "20000".as_ref()]);
    let dir = fresh.path.join(b"wide");
    let expected: Vec<_> = (0..20_000).map(|n| dir.join(format!("entry-{n:06}").as_bytes())).collect();
    Runtime::new().unwrap().block_on(async {
        let words = Arc::new(Words::default());
        let options = NfsOptions { probe: words.clone(), ..NfsOptions::default() };
        let store = Nfs4Store::connect(&rig.location(), options).await.unwrap();
        let pages: Vec<_> = store.list(&dir, ListSpec::default()).try_collect().await.unwrap();
        let lookups = words.0.lock().unwrap().iter().filter(|word| **word == "LOOKUP").count();
        assert_eq!(lookups, 2, "the location and the directory, and no entry by itself");
        assert!(
            pages.len() > 10 && pages.iter().rev().skip(1).all(|page| page.next.is_some()),
            "{} pages",
            pages.len()
        );
        let sorted = |pages: &[storage::Page]| {
            let mut names: Vec<_> =
                pages.iter().flat_map(|page| &page.entries).map(|entry| entry.path.clone()).collect();
            names.sort();
            names
        };
        assert!(sorted(&pages) == expected);
        // Another connection, as after a restart of this program.
        let store = connected(rig).await;
        let middle = pages.len() / 2;
        let from = pages[middle].next.clone();
        let rest: Vec<_> = store.list(&dir, ListSpec { from, ..ListSpec::default() }).try_collect().await.unwrap();
        assert!(sorted(&[&pages[..=middle], &rest].concat()) == expected);
    });
}

fn large_file(rig: &Rig) {
    let fresh = rig.fresh("large");
    let (path, expected) = big_file(&fresh, "200MiB");
    Runtime::new().unwrap().block_on(async {
        let store = connected(rig).await;
        let reading = store.read(&path, ReadSpec::default()).await.unwrap();
        assert_eq!(reading.entry.stamp.size, 200 << 20);
        assert!(collect_body(reading.body, u64::MAX).await.unwrap().concat() == expected);
        let range = 123_456_789..123_456_789 + 5_000_001;
        let reading = store.read(&path, ReadSpec { range: Some(range), ..ReadSpec::default() }).await.unwrap();
        assert!(collect_body(reading.body, u64::MAX).await.unwrap().concat() == expected[123_456_789..][..5_000_001]);
    });
}

fn times(rig: &Rig) {
    let fresh = rig.fresh("times");
    let times = [(-315_619_200, 7), (-1, 999_999_999), (0, 0), (4_294_967_296, 1), (7_258_118_400, 123_456_789)];
    Runtime::new().unwrap().block_on(async {
        let store = connected(rig).await;
        for (n, (secs, nanos)) in times.into_iter().enumerate() {
            let on_disk = fresh.on_disk.join(n.to_string());
            fs::write(&on_disk, "x").unwrap();
            let time = rustix::fs::Timespec { tv_sec: secs, tv_nsec: nanos };
            let both = rustix::fs::Timestamps { last_access: time, last_modification: time };
            rustix::fs::utimensat(rustix::fs::CWD, &on_disk, &both, rustix::fs::AtFlags::empty()).unwrap();
            let kept = on_disk.symlink_metadata().unwrap();
            assert_eq!((kept.mtime(), kept.mtime_nsec()), (secs, nanos), "the disk cannot hold it");
            let meta =
                store.stat(&fresh.path.join(n.to_string().as_bytes()), Facets::POSIX).await.unwrap().meta.unwrap();
            let expected = Some(Timestamp { secs, nanos: u32::try_from(nanos).unwrap() });
            assert_eq!((meta.mtime, meta.atime), (expected, expected));
        }
    });
}

#[derive(Debug, Default)]
struct Words(Mutex<Vec<&'static str>>);

impl Probe for Words {
    fn observed(&self, op: &'static str, _took: Duration, ok: bool) {
        assert!(ok, "{op}");
        self.0.lock().unwrap().push(op);
    }
}

fn opened(rig: &Rig) {
    let fresh = rig.fresh("opened");
    fs::write(fresh.on_disk.join("file"), vec![b'x'; 5 << 20]).unwrap();
    Runtime::new().unwrap().block_on(async {
        let words = Arc::new(Words::default());
        let options = NfsOptions { probe: words.clone(), ..NfsOptions::default() };
        let store = Nfs4Store::connect(&rig.location(), options).await.unwrap().opening_files();
        let reading = store.read(&fresh.path.join(b"file"), ReadSpec::default()).await.unwrap();
        assert_eq!(collect_body(reading.body, u64::MAX).await.unwrap().concat(), vec![b'x'; 5 << 20]);
        tokio::time::sleep(Duration::from_millis(300)).await;
        store.close().await;
        let words = words.0.lock().unwrap();
        let count = |word| words.iter().filter(|w| **w == word).count();
        assert_eq!((count("OPEN"), count("CLOSE"), count("READ")), (1, 1, 5), "{words:?}");
        assert_eq!((count("DESTROY_SESSION"), count("DESTROY_CLIENTID")), (1, 1), "{words:?}");
    });
}

fn deep_path(rig: &Rig) {
    let fresh = rig.fresh("deep");
    let deep: PathBuf = (0..150).map(|n| format!("level-{n}")).collect();
    fs::create_dir_all(fresh.on_disk.join(&deep)).unwrap();
    fs::write(fresh.on_disk.join(&deep).join("file"), "content").unwrap();
    let path = fresh.path.join(deep.as_os_str().as_bytes()).join(b"file");
    Runtime::new().unwrap().block_on(async {
        let store = connected(rig).await;
        assert_eq!(store.stat(&path, Facets::NONE).await.unwrap().stamp.size, 7);
        let at = rig.location().below(&path.parent().unwrap());
        let store = Nfs4Store::connect(&at, NfsOptions::default()).await.unwrap();
        assert_eq!(store.stat(&"file".into(), Facets::NONE).await.unwrap().stamp.size, 7);
    });
}

fn below_the_export(rig: &Rig) {
    let fresh = rig.fresh("below");
    fs::create_dir_all(fresh.on_disk.join("a/b")).unwrap();
    fs::write(fresh.on_disk.join("a/b/file"), "content").unwrap();
    Runtime::new().unwrap().block_on(async {
        let at = rig.location().below(&fresh.path.join(b"a/b"));
        let store = Nfs4Store::connect(&at, NfsOptions::default()).await.unwrap();
        let Body::Whole(data) = store.read(&"file".into(), ReadSpec::default()).await.unwrap().body else {
            panic!("not whole")
        };
        assert_eq!(data, "content");
        let missing = rig.location().below(&fresh.path.join(b"a/c"));
        let error = Nfs4Store::connect(&missing, NfsOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    });
}

fn pseudo_root(rig: &Rig) {
    let fresh = rig.fresh("pseudo");
    fs::write(fresh.on_disk.join("file"), "content").unwrap();
    Runtime::new().unwrap().block_on(async {
        let store = Nfs4Store::connect(&rig.elsewhere("/"), NfsOptions::default()).await.unwrap();
        let pages: Vec<_> = store.list(&RelPath::ROOT, ListSpec::default()).try_collect().await.unwrap();
        let exports: BTreeMap<_, _> =
            pages.iter().flat_map(|page| &page.entries).map(|entry| (entry.path.clone(), entry)).collect();
        assert!(["data", "scratch", "squash"].iter().all(|name| exports[&RelPath::from(*name)].kind.is_dir()));
        let root = store.stat(&RelPath::ROOT, Facets::NONE).await.unwrap().stamp.file_id.unwrap();
        let data = exports[&RelPath::from("data")].stamp.file_id.unwrap();
        assert_ne!(root.volume, data.volume);
        // The entry is the root of what is exported there, as the export itself tells it.
        let export = connected(rig).await.stat(&RelPath::ROOT, Facets::NONE).await.unwrap();
        assert_eq!(export.stamp.file_id, Some(data));
        let path = RelPath::from("data").join(fresh.path.as_bytes()).join(b"file");
        let Body::Whole(data) = store.read(&path, ReadSpec::default()).await.unwrap().body else { panic!("not whole") };
        assert_eq!(data, "content");
    });
}

fn not_exported(rig: &Rig) {
    Runtime::new().unwrap().block_on(async {
        let error = Nfs4Store::connect(&rig.elsewhere("/no/such/export"), NfsOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
        let hint = error.hint_text().unwrap();
        assert!(["`/data`", "`/scratch`", "`/squash`"].iter().all(|export| hint.contains(export)), "{hint}");
        // Exported, but not to us.
        let error = Nfs4Store::connect(&rig.elsewhere("/closed"), NfsOptions::default()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Denied | ErrorKind::NotFound), "{error:?}");
        let exports = pseudo_exports(&rig.elsewhere("/"), &NfsOptions::default()).await.unwrap();
        let expected = ["/data", "/scratch", "/squash"];
        assert!(expected.iter().all(|path| exports.iter().any(|export| export == path)), "{exports:?}");
    });
}

fn denied(rig: &Rig) {
    let fresh = rig.fresh("denied");
    let private = fresh.on_disk.join("private");
    fs::create_dir(&private).unwrap();
    fs::write(private.join("file"), "secret").unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o700)).unwrap();
    let (dir, file) = (fresh.path.join(b"private"), fresh.path.join(b"private/file"));
    Runtime::new().unwrap().block_on(async {
        // As another user, and as root where root is nobody.
        for at in [rig.location().with_param("uid", "65534").with_param("gid", "65534"), rig.elsewhere("/squash")] {
            let store = Nfs4Store::connect(&at, NfsOptions::default()).await.unwrap();
            let listed: storage::Result<Vec<_>> = store.list(&dir, ListSpec::default()).try_collect().await;
            let error = listed.unwrap_err();
            assert_eq!((error.kind(), error.path()), (ErrorKind::Denied, Some(&dir)), "{at}");
            assert!(
                error.cause().unwrap().contains("NFS4ERR_ACCESS as uid") && error.hint_text().is_some(),
                "{error:?}"
            );
            assert_eq!(store.read(&file, ReadSpec::default()).await.unwrap_err().kind(), ErrorKind::Denied, "{at}");
        }
    });
}

fn unreachable(rig: &Rig) {
    Runtime::new().unwrap().block_on(async {
        let refused: Location = "nfs://127.0.0.1:9/data?version=4".parse().unwrap();
        let error = Nfs4Store::connect(&refused, NfsOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected, "{error:?}");
        assert!(error.cause().unwrap().contains("127.0.0.1:9") && error.hint_text().is_some(), "{error:?}");
        let unknown: Location = "nfs://no-such-host.invalid/data?version=4".parse().unwrap();
        let error = Nfs4Store::connect(&unknown, NfsOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected, "{error:?}");
        // RPC is spoken there, but not NFSv4: the portmapper and MOUNT.
        let v3: Location = rig.uri.parse().unwrap();
        for port in [111, v3.param("mountport").unwrap().parse().unwrap()] {
            let error = Nfs4Store::connect(&rig.location().with_port(port), NfsOptions::default()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
            assert!(error.hint_text().unwrap().contains("version=3"), "{error:?}");
        }
    });
}

fn volume(rig: &Rig) {
    Runtime::new().unwrap().block_on(async {
        let store = connected(rig).await;
        let usage = store.usage().await.unwrap().unwrap();
        let disk = rustix::fs::statvfs(&rig.dir).unwrap();
        assert_eq!(usage.capacity, disk.f_blocks * disk.f_frsize);
        assert!(
            usage.used <= usage.capacity && usage.available <= usage.capacity && usage.files.unwrap() > 0,
            "{usage:?}"
        );
        let identity = store.identify();
        assert!(identity.read_max >= Some(65536) && identity.max_name >= Some(255), "{identity:?}");
        assert!(identity.lease_seconds > Some(0) && !identity.server_owner.is_empty(), "{identity:?}");
        assert!(store.exports().await.unwrap().iter().any(|export| export == "/data"));
    });
}

fn idle(rig: &Rig) {
    Runtime::new().unwrap().block_on(async {
        let words = Arc::new(Words::default());
        let options = NfsOptions { probe: words.clone(), ..NfsOptions::default() };
        let store = Nfs4Store::connect(&rig.location(), options).await.unwrap();
        let lease = u64::from(store.identify().lease_seconds.unwrap());
        tokio::time::sleep(Duration::from_secs(lease + 20)).await;
        store.stat(&RelPath::ROOT, Facets::NONE).await.unwrap();
        let words = words.0.lock().unwrap();
        let count = |word| words.iter().filter(|w| **w == word).count();
        assert!(count("SEQUENCE") >= 2 && count("CREATE_SESSION") == 1, "{words:?}");
    });
}

/// Kills the server, sees that it is gone, and has it back a little later.
async fn kill_and_restart(store: &Nfs4Store) -> tokio::task::JoinHandle<()> {
    tokio::task::spawn_blocking(|| rig_command(&["kill", "ganesha"])).await.unwrap();
    let gone = store.stat(&RelPath::ROOT, Facets::NONE).await.unwrap_err();
    assert_eq!((gone.kind(), gone.retry()), (ErrorKind::Disconnected, storage::Retry::Backoff), "{gone:?}");
    tokio::task::spawn_blocking(|| rig_command(&["start", "ganesha"]))
}

/// Patient enough for a server that starts on a busy machine.
fn patient(store: &Arc<Nfs4Store>) -> Retrying<Nfs4Store> {
    let policy = RetryPolicy { tries: 60, longest: Duration::from_secs(1), ..RetryPolicy::default() };
    Retrying::new(store.clone(), policy, 1)
}

/// Kills the server and has it back.
async fn kill_and_start() -> tokio::task::JoinHandle<()> {
    tokio::task::spawn_blocking(|| rig_command(&["kill", "ganesha"])).await.unwrap();
    tokio::task::spawn_blocking(|| rig_command(&["start", "ganesha"]))
}

/// Tells at once that the server is away.
fn hasty() -> NfsOptions {
    NfsOptions { reconnect_for: Duration::ZERO, ..NfsOptions::default() }
}

fn walk_survives_a_restart(rig: &Rig) {
    Runtime::new().unwrap().block_on(async {
        let store = Arc::new(Nfs4Store::connect(&rig.location(), hasty()).await.unwrap());
        survived(rig, "restart-walk", Arc::new(patient(&store)), kill_and_restart(&store)).await;
    });
}

/// The requests themselves wait for the server.
fn plain_walk_survives_a_restart(rig: &Rig) {
    Runtime::new().unwrap().block_on(async {
        let options = NfsOptions { reconnect_for: Duration::from_mins(1), ..NfsOptions::default() };
        let store = Arc::new(Nfs4Store::connect(&rig.location(), options).await.unwrap());
        survived(rig, "restart-plain", store, kill_and_start()).await;
    });
}

/// Walks 5,000 files, and has the server restarted after the first thousand: each comes once.
async fn survived(
    rig: &Rig,
    name: &str,
    source: Arc<dyn Source>,
    restart: impl Future<Output = tokio::task::JoinHandle<()>>,
) {
    let fresh = rig.fresh(name);
    let expected = many_files(&fresh);
    let spec = WalkSpec { roots: vec![(fresh.path.clone(), None)], ..WalkSpec::default() };
    let mut walk = walk(source, spec);
    let mut found = Vec::new();
    let (mut restart, mut restarted) = (Some(restart), None);
    while let Some(event) = walk.next().await.unwrap() {
        match event {
            WalkEvent::Page { entries, .. } => found.extend(entries.into_iter().map(|entry| entry.path)),
            WalkEvent::Unreadable { dir, error } => panic!("{dir}: {error:?}"),
            WalkEvent::UnreadableEntry { path, error } => panic!("{path}: {error:?}"),
            WalkEvent::Done { .. } | WalkEvent::Skipped { .. } | WalkEvent::Restarted { .. } => {}
        }
        if found.len() > 1000
            && let Some(restart) = restart.take()
        {
            restarted = Some(restart.await);
        }
    }
    restarted.expect("the walk was too short").await.unwrap();
    found.sort();
    assert!(found.iter().eq(expected.keys()), "{} of {}", found.len(), expected.len());
}

fn read_survives_a_restart(rig: &Rig) {
    survives(rig, "restart-read", |store| store);
}

fn opened_read_survives_a_restart(rig: &Rig) {
    survives(rig, "restart-opened", Nfs4Store::opening_files);
}

fn survives(rig: &Rig, name: &str, manner: fn(Nfs4Store) -> Nfs4Store) {
    let fresh = rig.fresh(name);
    let (path, expected) = big_file(&fresh, "64MiB");
    Runtime::new().unwrap().block_on(async {
        let store = Nfs4Store::connect(&rig.location(), hasty()).await.unwrap();
        let store = Arc::new(manner(store));
        let reading = patient(&store).read(&path, ReadSpec::default()).await.unwrap();
        let Body::Stream(mut pieces) = reading.body else { panic!("not a stream") };
        let mut back = Vec::new();
        let mut restarted = None;
        while let Some(piece) = pieces.next().await {
            back.extend_from_slice(&piece.unwrap());
            if back.len() > 10 << 20 && restarted.is_none() {
                restarted = Some(kill_and_restart(&store).await);
            }
        }
        restarted.unwrap().await.unwrap();
        assert!(back == expected);
    });
}

fn frozen(rig: &Rig) {
    Runtime::new().unwrap().block_on(async {
        let limit = Duration::from_secs(3);
        let options = NfsOptions { request_timeout: limit, ..hasty() };
        let store = Nfs4Store::connect(&rig.location(), options).await.unwrap();
        tokio::task::spawn_blocking(|| rig_command(&["freeze", "ganesha"])).await.unwrap();
        let since = Instant::now();
        let root = RelPath::ROOT;
        let asked = (0..100).map(|_| store.stat(&root, Facets::NONE));
        for answer in futures::future::join_all(asked).await {
            let error = answer.unwrap_err();
            assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, storage::Retry::Backoff), "{error:?}");
        }
        let took = since.elapsed();
        assert!(took >= limit && took < limit * 4, "{took:?}");
        tokio::task::spawn_blocking(|| rig_command(&["thaw", "ganesha"])).await.unwrap();
        store.stat(&RelPath::ROOT, Facets::NONE).await.unwrap();
    });
}
