//! Servers that are killed and started again, or hang, below walks and reads.

use crate::{
    INNER, Trials,
    common::options,
    domain,
    rig::{Rig, noise, refused, run, whole},
};
use futures::StreamExt as _;
use libtest_mimic::{Completion, Failed, Trial};
use longshore_driver_smb::{SmbOptions, SmbStore};
use model::{Facets, RelPath};
use std::{
    collections::BTreeSet,
    env,
    ffi::OsStr,
    fs,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use storage::{
    Body, ErrorKind, ReadSpec, Retry, RetryPolicy, Retrying, Source as _,
    walk::{WalkEvent, WalkSpec, walk},
};

/// A rig of its own, because it is killed there: this program runs itself inside.
pub fn in_a_rig_of_its_own() -> Result<Completion, Failed> {
    let Some(script) = env::var_os("LONGSHORE_RIG") else {
        return Ok(Completion::ignored_with("LONGSHORE_RIG, the script that starts servers, is not set"));
    };
    let dir = tempfile::tempdir()?;
    let rig = |arguments: &[&str], program: Option<&OsStr>| {
        let mut command = Command::new(&script);
        command.args(arguments).args(program).env("LONGSHORE_RIG_DIR", dir.path()).env(INNER, "1").output()
    };
    let started = rig(&["start", "samba"], None)?;
    if started.status.code() == Some(75) {
        return Ok(Completion::ignored_with(String::from_utf8_lossy(&started.stderr).trim().to_owned()));
    }
    // Where there is no domain, the cases inside leave it out.
    let domain = rig(&["start", "samba_ad"], None)?;
    let this = env::current_exe()?;
    let ran = rig(&["exec", "env", &format!("{INNER}=1")], Some(this.as_os_str()));
    rig(&["stop"], None)?;
    let ran = ran?;
    let domain_is_well = domain.status.success() || domain.status.code() == Some(75);
    if ran.status.success() && started.status.success() && domain_is_well {
        return Ok(Completion::Completed);
    }
    let told = [started.stderr, domain.stderr, ran.stdout, ran.stderr].concat();
    Err(Failed::from(String::from_utf8_lossy(&told).into_owned()))
}

/// What runs inside, one after another.
pub fn cases(rig: &Rig) -> Trials {
    let plain = |name: &str, case: fn(&Subject)| {
        let rig = rig.clone();
        Trial::test(name, move || {
            case(&Subject { server: "samba", location: rig.location(), options: options(), rig });
            Ok(())
        })
    };
    let by_ticket = |name: &str, case: fn(&Subject)| {
        let rig = rig.clone();
        Trial::ignorable_test(name, move || {
            let Some(domain) = domain::Domain::from_env() else {
                return Ok(Completion::ignored_with("there is no domain here"));
            };
            let options = domain.by_keytab("alice");
            case(&Subject { server: "samba_ad", location: domain.location, options, rig });
            Ok(Completion::Completed)
        })
    };
    vec![
        plain("a walk survives", walk_survives),
        plain("a read survives", read_survives),
        plain("a restart is waited for", waited_for),
        plain("a hanging server", frozen),
        by_ticket("a walk by ticket survives", walk_survives),
        by_ticket("a read by ticket survives", read_survives),
    ]
}

/// A server of the rig, and how to log in to it.
struct Subject {
    rig: Rig,
    server: &'static str,
    location: model::Location,
    options: SmbOptions,
}

impl Subject {
    /// Without patience of its own, so that whoever tries again is seen to do so.
    async fn store(&self) -> Arc<SmbStore> {
        let options = SmbOptions { reconnect_for: Duration::ZERO, ..self.options.clone() };
        Arc::new(SmbStore::connect(&self.location, options).await.unwrap())
    }

    /// Takes what `next` gives, counts it, and meanwhile, when `after` have come, kills the server, sees that it is
    /// gone, and has it back a little later.
    async fn killed(&self, store: &SmbStore, after: usize, mut next: impl AsyncFnMut() -> Option<usize>) {
        let (mut taken, mut back) = (0, None);
        while let Some(more) = next().await {
            taken += more;
            if taken > after && back.is_none() {
                let server = self.server;
                tokio::task::spawn_blocking(|| rig_command(&["kill", server])).await.unwrap();
                let gone = store.stat(&RelPath::ROOT, Facets::NONE).await.unwrap_err();
                assert_eq!((gone.kind(), gone.retry()), (ErrorKind::Disconnected, Retry::Backoff), "{gone:?}");
                back = Some(tokio::task::spawn_blocking(|| rig_command(&["start", server])));
            }
        }
        back.expect("it ended before the server was killed").await.unwrap();
    }
}

fn rig_command(arguments: &[&str]) {
    let ran = Command::new(env::var_os("LONGSHORE_RIG").unwrap()).args(arguments).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// Patient enough for a server that starts on a busy machine.
fn patient(store: &Arc<SmbStore>) -> Retrying<SmbStore> {
    let policy = RetryPolicy { tries: 60, longest: Duration::from_secs(1), ..RetryPolicy::default() };
    Retrying::new(store.clone(), policy, 1)
}

fn walk_survives(subject: &Subject) {
    let fresh = subject.rig.fresh("restart-walk");
    for dir in 0..40 {
        let dir = fresh.on_disk.join(dir.to_string());
        fs::create_dir(&dir).unwrap();
        for file in 0..700 {
            fs::write(dir.join(file.to_string()), "").unwrap();
        }
    }
    run(async {
        let store = subject.store().await;
        let spec = WalkSpec { roots: vec![(fresh.path.clone(), None)], ..WalkSpec::default() };
        let mut walk = walk(Arc::new(patient(&store)), spec);
        let mut found = Vec::new();
        let page = async || {
            let before = found.len();
            match walk.next().await.unwrap()? {
                WalkEvent::Page { entries, .. } => found.extend(entries.into_iter().map(|entry| entry.path)),
                WalkEvent::Unreadable { dir, error } => panic!("{dir}: {error:?}"),
                WalkEvent::UnreadableEntry { path, error } => panic!("{path}: {error:?}"),
                WalkEvent::Done { .. } | WalkEvent::Skipped { .. } | WalkEvent::Restarted { .. } => {}
            }
            Some(found.len() - before)
        };
        subject.killed(&store, 5000, page).await;
        let all: BTreeSet<_> = found.iter().collect();
        assert_eq!((all.len(), found.len()), (40 * 701, 40 * 701));
    });
}

fn read_survives(subject: &Subject) {
    let fresh = subject.rig.fresh("restart-read");
    let expected = noise(9, 64 << 20);
    fs::write(fresh.on_disk.join("file"), &expected).unwrap();
    run(async {
        let store = subject.store().await;
        let reading = patient(&store).read(&fresh.path.join(b"file"), ReadSpec::default()).await.unwrap();
        let Body::Stream(mut pieces) = reading.body else { panic!("not a stream") };
        let mut back = Vec::new();
        let piece = async || {
            let piece = pieces.next().await?.unwrap();
            back.extend_from_slice(&piece);
            Some(piece.len())
        };
        subject.killed(&store, 10 << 20, piece).await;
        assert!(back == expected);
    });
}

/// Longer than the retry wrapper is patient.
const AWAY: Duration = Duration::from_secs(8);

fn waited_for(subject: &Subject) {
    let fresh = subject.rig.fresh("restart-wait");
    fs::write(fresh.on_disk.join("file"), "content").unwrap();
    run(async {
        let store = SmbStore::connect(&subject.location, subject.options.clone()).await.unwrap();
        let server = subject.server;
        tokio::task::spawn_blocking(|| rig_command(&["kill", server])).await.unwrap();
        let since = Instant::now();
        let back = tokio::task::spawn_blocking(move || {
            std::thread::sleep(AWAY);
            rig_command(&["start", server]);
        });
        let (root, path, want) = (RelPath::ROOT, fresh.path.join(b"file"), Facets::NONE);
        let (root, file, content) =
            futures::join!(store.stat(&root, want), store.stat(&path, want), whole(&store, &path));
        assert!(root.unwrap().kind.is_dir() && file.unwrap().kind.is_file());
        assert_eq!(content, b"content");
        assert!(since.elapsed() >= AWAY, "{:?}", since.elapsed());
        back.await.unwrap();
    });
}

fn frozen(subject: &Subject) {
    run(async {
        let options = SmbOptions { request_timeout: Duration::from_secs(2), ..subject.options.clone() };
        let store = SmbStore::connect(&subject.location, options.clone()).await.unwrap();
        // Each connection has a process of its own on the server, which the rig does not know.
        let smbd = |signal: &str| {
            let script = format!(
                "here=$(readlink /proc/self/ns/net); for p in $(pgrep -x smbd); do \
                 [ \"$(readlink /proc/$p/ns/net)\" = \"$here\" ] && kill -{signal} $p; done; true"
            );
            assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
        };
        smbd("STOP");
        let since = Instant::now();
        let root = RelPath::ROOT;
        let calls = (0..20).map(|_| store.stat(&root, Facets::NONE));
        let answers = futures::future::join_all(calls).await;
        let took = since.elapsed();
        let error = refused(&subject.location, options).await;
        smbd("CONT");
        for answer in answers {
            assert_eq!(answer.unwrap_err().kind(), ErrorKind::Timeout);
        }
        assert!(took < Duration::from_secs(8), "{took:?}");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
        store.stat(&RelPath::ROOT, Facets::NONE).await.unwrap();
    });
}
