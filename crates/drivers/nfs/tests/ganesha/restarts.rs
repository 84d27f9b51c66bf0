//! A server that is killed, restarted or frozen: in a rig of its own.

use crate::{
    tree::{big_file, many_files},
    version::{Case, Server, Version},
};
use futures::StreamExt as _;
use libtest_mimic::{Completion, Failed, Trial};
use longshore_driver_nfs::NfsOptions;
use model::{Facets, RelPath};
use std::{
    env,
    ffi::OsStr,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use storage::{
    Body, ErrorKind, ReadSpec, Retry, RetryPolicy, Retrying, Source,
    walk::{WalkEvent, WalkSpec, walk},
};
use tokio::{
    runtime::Runtime,
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

/// Names the version for the copy of this program that runs in a rig of its own.
pub const INNER: &str = "LONGSHORE_TEST_NFS_RESTARTS";

/// What holds for both versions.
const SHARED: &[Case] = &[
    ("a walk survives", walk_survives),
    ("a walk that is not retried survives", plain_walk_survives),
    ("a read survives", read_survives),
    ("a server that hangs is a timeout", hang_is_a_timeout),
];

/// How long a store goes on by itself before it tells that its server is away: not at all, and for a moment.
const IMPATIENT: [Duration; 2] = [Duration::ZERO, Duration::from_millis(200)];

/// What is done within the rig of its own, one after the other.
pub fn trials(version: &'static Version) -> Vec<Trial> {
    let cases = SHARED.iter().chain(version.restarts);
    let trials = cases.map(|&(name, case)| {
        Trial::test(version.case_name(name), move || {
            case(&Server::from_env(version).expect("the rig that was started for this"));
            Ok(())
        })
    });
    trials.collect()
}

/// Starts a rig, runs this program inside with [`INNER`] set, and stops the rig.
pub fn in_a_rig_of_its_own(version: &Version) -> Result<Completion, Failed> {
    let Some(script) = env::var_os("LONGSHORE_RIG") else {
        return Ok(Completion::ignored_with("LONGSHORE_RIG, the script that starts servers, is not set"));
    };
    let dir = tempfile::tempdir()?;
    let rig = |arguments: &[&OsStr]| {
        let mut command = Command::new(&script);
        command.args(arguments).env("LONGSHORE_RIG_DIR", dir.path()).env(INNER, version.parameter).output()
    };
    let started = rig(&["start".as_ref(), "ganesha".as_ref()])?;
    if started.status.code() == Some(75) {
        return Ok(Completion::ignored_with(String::from_utf8_lossy(&started.stderr).trim().to_owned()));
    }
    let this = env::current_exe()?;
    let ran = rig(&["exec".as_ref(), this.as_os_str(), "--test-threads=1".as_ref()]);
    rig(&["stop".as_ref()])?;
    let ran = ran?;
    if ran.status.success() && started.status.success() {
        return Ok(Completion::Completed);
    }
    let told = [started.stderr, ran.stdout, ran.stderr].concat();
    Err(Failed::from(String::from_utf8_lossy(&told).into_owned()))
}

/// The rig's script with `arguments`, to its end.
async fn rig_command(arguments: &'static [&'static str]) {
    let command = move || {
        let ran = Command::new(env::var_os("LONGSHORE_RIG").unwrap()).args(arguments).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    };
    spawn_blocking(command).await.unwrap();
}

/// Kills the server and has it back.
async fn kill_and_start() -> JoinHandle<()> {
    rig_command(&["kill", "ganesha"]).await;
    tokio::spawn(rig_command(&["start", "ganesha"]))
}

/// Kills the server, sees that it is gone, and has it back a little later.
async fn kill_and_restart(source: &dyn Source) -> JoinHandle<()> {
    rig_command(&["kill", "ganesha"]).await;
    let gone = source.stat(&RelPath::ROOT, Facets::NONE).await.unwrap_err();
    assert_eq!((gone.kind(), gone.retry()), (ErrorKind::Disconnected, Retry::Backoff), "{gone:?}");
    tokio::spawn(rig_command(&["start", "ganesha"]))
}

/// A store that leaves it to others to wait for its server, after this long.
pub fn impatient(reconnect_for: Duration) -> NfsOptions {
    NfsOptions { reconnect_for, ..NfsOptions::default() }
}

/// Patient enough for a server that starts on a busy machine.
fn patient(source: &Arc<dyn Source>) -> Retrying<dyn Source> {
    let policy = RetryPolicy { tries: 60, longest: Duration::from_secs(1), ..RetryPolicy::default() };
    Retrying::new(source.clone(), policy, 1)
}

fn walk_survives(server: &Server) {
    Runtime::new().unwrap().block_on(async {
        for reconnect_for in IMPATIENT {
            let source = server.export(impatient(reconnect_for)).await;
            walk_over(server, "restart-walk", Arc::new(patient(&source)), kill_and_restart(&*source)).await;
        }
    });
}

/// The requests themselves wait for the server.
fn plain_walk_survives(server: &Server) {
    Runtime::new().unwrap().block_on(async {
        let options = NfsOptions { reconnect_for: Duration::from_mins(1), ..NfsOptions::default() };
        walk_over(server, "restart-plain", server.export(options).await, kill_and_start()).await;
    });
}

/// Walks 5,000 files, and has the server restarted after the first thousand: each comes once.
async fn walk_over(
    server: &Server,
    name: &str,
    source: Arc<dyn Source>,
    restart: impl Future<Output = JoinHandle<()>>,
) {
    let fresh = server.rig.fresh(name);
    let expected = many_files(&fresh);
    let mut walk = walk(source, WalkSpec { roots: vec![(fresh.path.clone(), None)], ..WalkSpec::default() });
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

fn read_survives(server: &Server) {
    Runtime::new().unwrap().block_on(async {
        for reconnect_for in IMPATIENT {
            let source = server.export(impatient(reconnect_for)).await;
            read_over_a_restart(server, "restart-read", source).await;
        }
    });
}

/// Reads 64 MiB, and has the server restarted after the first ten.
pub async fn read_over_a_restart(server: &Server, name: &str, source: Arc<dyn Source>) {
    let fresh = server.rig.fresh(name);
    let (path, expected) = big_file(&fresh, "64MiB");
    let reading = patient(&source).read(&path, ReadSpec::default()).await.unwrap();
    let Body::Stream(mut pieces) = reading.body else { panic!("not a stream") };
    let mut back = Vec::new();
    let mut restarted = None;
    while let Some(piece) = pieces.next().await {
        back.extend_from_slice(&piece.unwrap());
        if back.len() > 10 << 20 && restarted.is_none() {
            restarted = Some(kill_and_restart(&*source).await);
        }
    }
    restarted.unwrap().await.unwrap();
    assert!(back == expected);
}

/// Requests that wait together are told together. More than may be under way wait for those before them as well.
fn hang_is_a_timeout(server: &Server) {
    let few =
        (20, NfsOptions { request_timeout: Duration::from_secs(2), ..NfsOptions::default() }, server.version.hang);
    let many = (100, NfsOptions { request_timeout: Duration::from_secs(3), ..impatient(Duration::ZERO) }, 4);
    Runtime::new().unwrap().block_on(async {
        for (requests, options, at_most) in [few, many] {
            let limit = options.request_timeout;
            let source = server.export(options).await;
            freeze(server).await;
            let since = Instant::now();
            let root = RelPath::ROOT;
            let asked = (0..requests).map(|_| source.stat(&root, Facets::NONE));
            let asked = futures::future::join_all(asked).await;
            let took = since.elapsed();
            rig_command(&["thaw", "ganesha"]).await;
            for answer in asked {
                let error = answer.unwrap_err();
                assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, Retry::Backoff), "{error:?}");
            }
            assert!(took >= limit && took < limit * at_most, "{took:?}");
            source.stat(&RelPath::ROOT, Facets::NONE).await.unwrap();
        }
    });
}

/// Freezes the server, and waits until it is silent: a signal that was sent has not yet come on a busy machine.
async fn freeze(server: &Server) {
    let other = server.export(NfsOptions::default()).await;
    rig_command(&["freeze", "ganesha"]).await;
    let since = Instant::now();
    while timeout(Duration::from_millis(300), other.stat(&RelPath::ROOT, Facets::NONE)).await.is_ok() {
        assert!(since.elapsed() < Duration::from_secs(10), "it answers, though it was frozen");
    }
}
