//! Against nfs-ganesha: `tests/rig/rig start ganesha` and `tests/rig/rig exec cargo test -p longshore-driver-nfs`.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Rig, big_file, compare, make_tree, many_files, on_disk, remade, restarts, rig_command, walked};
use futures::{StreamExt as _, TryStreamExt as _};
use libtest_mimic::{Arguments, Completion, Trial};
use longshore_driver_nfs::{NfsOptions, NfsStore, exports};
use model::{Facets, Location, RelPath};
use std::{
    collections::BTreeMap,
    env,
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use storage::{
    Body, ErrorKind, ListSpec, ReadSpec, RetryPolicy, Retrying, Source, collect_body,
    walk::{WalkEvent, WalkSpec, walk},
};
use tokio::runtime::Runtime;

/// Set for the copy of this program that runs in a rig of its own.
const INNER: &str = "LONGSHORE_TEST_NFS_RESTARTS";

type Case = (&'static str, fn(&Rig));

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let rig = Rig::from_env("3");
    let cases: [Case; 12] = [
        ("a hostile tree is listed byte for byte", hostile_tree),
        ("a wide directory is listed in pages that resume", wide_directory),
        ("a large file is read whole and in ranges", large_file),
        ("ports come from the portmapper or the uri", ports),
        ("a directory below the export can be opened", below_the_export),
        ("a path that is not exported is refused with the list of exports", not_exported),
        ("a user without permission is denied", denied),
        ("a server that cannot be reached is said to be so", unreachable),
        ("the volume tells its size and the server itself", volume),
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
                Some(rig) => {
                    case(&rig);
                    Ok(Completion::Completed)
                }
            })
        })
        .collect();
    if env::var_os(INNER).is_some() {
        let restarts: [Case; 4] = [
            ("a walk survives", walk_survives_a_restart),
            ("a read survives", read_survives_a_restart),
            ("a walk that is not retried survives", plain_walk_survives_a_restart),
            ("a server that hangs is a timeout", hang_is_a_timeout),
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
        trials.push(Trial::ignorable_test("a walk and a read survive a server that is killed and restarted", || {
            restarts(INNER)
        }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

async fn connected(rig: &Rig) -> Arc<NfsStore> {
    Arc::new(NfsStore::connect(&rig.location(), NfsOptions::default()).await.unwrap())
}

async fn source(at: Location) -> storage::Result<Arc<dyn Source>> {
    Ok(Arc::new(NfsStore::connect(&at, NfsOptions::default()).await?))
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

/// Before 1970 the unsigned seconds of NFSv3 wrap round.
fn wrapped(seconds: i64) -> i64 {
    seconds.rem_euclid(1 << 32)
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
            compare(&found[path], status, &rig.dir, wrapped);
            let stat = store.stat(path, Facets::POSIX).await.unwrap();
            compare(&stat, status, &rig.dir, wrapped);
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
        let store = connected(rig).await;
        let pages: Vec<_> = store.list(&dir, ListSpec::default()).try_collect().await.unwrap();
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

fn ports(rig: &Rig) {
    let (host, mount, nfs) = rig.ports();
    let path = String::from_utf8(rig.location().path().to_vec()).unwrap();
    Runtime::new().unwrap().block_on(async {
        for uri in [
            format!("nfs://{host}{path}"),
            format!("nfs://{host}{path}?mountport={mount}"),
            format!("nfs://{host}:{nfs}{path}"),
            format!("nfs://{host}{path}?port={nfs}&mountport={mount}&version=3"),
            format!("nfs://localhost:{nfs}{path}/?mountport={mount}"),
        ] {
            let store = NfsStore::connect(&uri.parse().unwrap(), NfsOptions::default()).await.unwrap();
            assert_eq!(store.identify().server.port(), nfs, "{uri}");
        }
        let swapped = format!("nfs://{host}:{mount}{path}?mountport={nfs}").parse().unwrap();
        let refused = NfsStore::connect(&swapped, NfsOptions::default()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused:?}");
    });
}

fn below_the_export(rig: &Rig) {
    let fresh = rig.fresh("below");
    fs::create_dir_all(fresh.on_disk.join("a/b")).unwrap();
    fs::write(fresh.on_disk.join("a/b/file"), "content").unwrap();
    Runtime::new().unwrap().block_on(async {
        let at = rig.location().below(&fresh.path.join(b"a/b"));
        let store = NfsStore::connect(&at, NfsOptions::default()).await.unwrap();
        let Body::Whole(data) = store.read(&"file".into(), ReadSpec::default()).await.unwrap().body else {
            panic!("not whole")
        };
        assert_eq!(data, "content");
        let missing = rig.location().below(&fresh.path.join(b"a/c"));
        let error = NfsStore::connect(&missing, NfsOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    });
}

fn not_exported(rig: &Rig) {
    Runtime::new().unwrap().block_on(async {
        let error = NfsStore::connect(&rig.elsewhere("/no/such/export"), NfsOptions::default()).await.unwrap_err();
        // Ganesha answers "access denied" for what does not exist, too.
        assert!(matches!(error.kind(), ErrorKind::Denied | ErrorKind::NotFound), "{error:?}");
        let hint = error.hint_text().unwrap();
        assert!(["`/data`", "`/scratch`", "`/squash`"].iter().all(|export| hint.contains(export)), "{hint}");
        // Exported, but not to us.
        let error = NfsStore::connect(&rig.elsewhere("/closed"), NfsOptions::default()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Denied | ErrorKind::NotFound), "{error:?}");
        let shown = exports(&rig.elsewhere("/"), &NfsOptions::default()).await.unwrap();
        assert!(shown.iter().any(|export| export.path == "/data"), "{shown:?}");
        // By the portmapper, and without a path.
        let host = format!("nfs://{}", rig.ports().0).parse().unwrap();
        assert_eq!(exports(&host, &NfsOptions::default()).await.unwrap(), shown);
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
            let store = NfsStore::connect(&at, NfsOptions::default()).await.unwrap();
            let listed: storage::Result<Vec<_>> = store.list(&dir, ListSpec::default()).try_collect().await;
            let error = listed.unwrap_err();
            assert_eq!((error.kind(), error.path()), (ErrorKind::Denied, Some(&dir)), "{at}");
            assert!(
                error.cause().unwrap().contains("NFS3ERR_ACCES as uid") && error.hint_text().is_some(),
                "{error:?}"
            );
            assert_eq!(store.read(&file, ReadSpec::default()).await.unwrap_err().kind(), ErrorKind::Denied, "{at}");
        }
    });
}

fn unreachable(rig: &Rig) {
    Runtime::new().unwrap().block_on(async {
        let refused: Location = "nfs://127.0.0.1:9/data?mountport=9".parse().unwrap();
        let error = NfsStore::connect(&refused, NfsOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected, "{error:?}");
        assert!(error.cause().unwrap().contains("127.0.0.1:9") && error.hint_text().is_some(), "{error:?}");
        let unknown: Location = "nfs://no-such-host.invalid/data".parse().unwrap();
        let error = NfsStore::connect(&unknown, NfsOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected, "{error:?}");
        assert!(error.hint_text().unwrap().contains("no-such-host.invalid"), "{error:?}");
        // Nothing of NFS listens at the portmapper's port.
        let wrong = rig.location().with_port(111);
        let error = NfsStore::connect(&wrong, NfsOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
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
        assert!(
            identity.read_max >= 65536 && identity.max_name >= Some(255) && !identity.case_insensitive,
            "{identity:?}"
        );
        assert!(identity.auth_flavors.contains(&1), "{identity:?}");
        assert!(store.exports().await.unwrap().iter().any(|export| export.path == identity.export));
    });
}

/// A store that soon tells that its server is away, and leaves it to others to wait.
async fn impatient(rig: &Rig) -> Arc<NfsStore> {
    let options = NfsOptions { reconnect_for: Duration::from_millis(200), ..NfsOptions::default() };
    Arc::new(NfsStore::connect(&rig.location(), options).await.unwrap())
}

/// Kills the server, sees that it is gone, and has it back a little later.
async fn kill_and_restart(store: &NfsStore) -> tokio::task::JoinHandle<()> {
    tokio::task::spawn_blocking(|| rig_command(&["kill", "ganesha"])).await.unwrap();
    let gone = store.stat(&RelPath::ROOT, Facets::NONE).await.unwrap_err();
    assert_eq!((gone.kind(), gone.retry()), (ErrorKind::Disconnected, storage::Retry::Backoff), "{gone:?}");
    tokio::task::spawn_blocking(|| rig_command(&["start", "ganesha"]))
}

/// Kills the server and has it back at once.
async fn kill_then_start() -> tokio::task::JoinHandle<()> {
    tokio::task::spawn_blocking(|| rig_command(&["kill", "ganesha"])).await.unwrap();
    tokio::task::spawn_blocking(|| rig_command(&["start", "ganesha"]))
}

/// Patient enough for a server that starts on a busy machine.
fn patient(store: &Arc<NfsStore>) -> Retrying<NfsStore> {
    let policy = RetryPolicy { tries: 60, longest: Duration::from_secs(1), ..RetryPolicy::default() };
    Retrying::new(store.clone(), policy, 1)
}

fn walk_survives_a_restart(rig: &Rig) {
    let fresh = rig.fresh("restart-walk");
    let expected = many_files(&fresh);
    Runtime::new().unwrap().block_on(async {
        let store = impatient(rig).await;
        let found = walked_over_a_restart(Arc::new(patient(&store)), &fresh.path, || kill_and_restart(&store)).await;
        assert!(found.iter().eq(expected.keys()), "{} of {}", found.len(), expected.len());
    });
}

/// The requests themselves wait for the server.
fn plain_walk_survives_a_restart(rig: &Rig) {
    let fresh = rig.fresh("restart-plain");
    let expected = many_files(&fresh);
    Runtime::new().unwrap().block_on(async {
        let options = NfsOptions { reconnect_for: Duration::from_mins(1), ..NfsOptions::default() };
        let store = Arc::new(NfsStore::connect(&rig.location(), options).await.unwrap());
        let found = walked_over_a_restart(store.clone(), &fresh.path, kill_then_start).await;
        assert!(found.iter().eq(expected.keys()), "{} of {}", found.len(), expected.len());
    });
}

/// Every path of a walk, sorted and as often as it came; `restart` is done in its middle.
async fn walked_over_a_restart<F: Future<Output = tokio::task::JoinHandle<()>>>(
    source: Arc<dyn Source>,
    root: &RelPath,
    restart: impl Fn() -> F,
) -> Vec<RelPath> {
    let mut walk = walk(source, WalkSpec { roots: vec![(root.clone(), None)], ..WalkSpec::default() });
    let mut found = Vec::new();
    let mut restarted = None;
    while let Some(event) = walk.next().await.unwrap() {
        match event {
            WalkEvent::Page { entries, .. } => found.extend(entries.into_iter().map(|entry| entry.path)),
            WalkEvent::Unreadable { dir, error } => panic!("{dir}: {error:?}"),
            WalkEvent::UnreadableEntry { path, error } => panic!("{path}: {error:?}"),
            WalkEvent::Done { .. } | WalkEvent::Skipped { .. } | WalkEvent::Restarted { .. } => {}
        }
        if found.len() > 1000 && restarted.is_none() {
            restarted = Some(restart().await);
        }
    }
    restarted.expect("the walk was too short").await.unwrap();
    found.sort();
    found
}

fn hang_is_a_timeout(rig: &Rig) {
    Runtime::new().unwrap().block_on(async {
        let options = NfsOptions { request_timeout: Duration::from_secs(2), ..NfsOptions::default() };
        let store = NfsStore::connect(&rig.location(), options).await.unwrap();
        rig_command(&["freeze", "ganesha"]);
        let since = std::time::Instant::now();
        let root = RelPath::ROOT;
        let asked = (0..20).map(|_| store.stat(&root, Facets::NONE));
        let asked = futures::future::join_all(asked).await;
        let took = since.elapsed();
        rig_command(&["thaw", "ganesha"]);
        for answer in asked {
            let error = answer.unwrap_err();
            assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, storage::Retry::Backoff), "{error:?}");
        }
        assert!((2..4).contains(&took.as_secs()), "{took:?}");
        store.stat(&RelPath::ROOT, Facets::NONE).await.unwrap();
    });
}

fn read_survives_a_restart(rig: &Rig) {
    let fresh = rig.fresh("restart-read");
    let (path, expected) = big_file(&fresh, "64MiB");
    Runtime::new().unwrap().block_on(async {
        let store = impatient(rig).await;
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
