//! The servers of the rig, and what every case does with a store.

use futures::StreamExt as _;
use longshore_driver_hdfs::{HdfsOptions, HdfsStore};
use model::{Entry, Facets, Location, RelPath};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, env, path::Path, process::Command, sync::Arc, time::Duration};
use storage::{
    Body, Error, ErrorKind, ReadSpec, Result, RetryPolicy, Retrying, Source,
    walk::{WalkEvent, WalkSpec, walk},
};

/// `rig ARGUMENTS...`
pub fn rig(arguments: &[&str]) {
    run(&env::var("LONGSHORE_RIG").unwrap(), arguments);
}
/// `hdfs-tool ARGUMENTS...`; its output.
pub fn tool(arguments: &[&str]) -> String {
    let script = Path::new(&env::var("LONGSHORE_RIG").unwrap()).with_file_name("hdfs-tool");
    run(script.to_str().unwrap(), arguments)
}
pub fn run(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(done.stdout).unwrap()
}

pub fn block_on<F: Future<Output = ()>>(case: F) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap().block_on(case);
}

/// Options with short limits, for servers that hang.
pub fn hasty(seconds: u64) -> HdfsOptions {
    HdfsOptions {
        request_timeout: Duration::from_secs(seconds),
        connect_timeout: Duration::from_secs(3),
        ..HdfsOptions::default()
    }
}
pub async fn store(location: &Location) -> Arc<HdfsStore> {
    Arc::new(HdfsStore::connect(location, HdfsOptions::default()).await.unwrap())
}
/// As the program uses it: with patience.
pub fn patient(store: &Arc<HdfsStore>) -> Arc<dyn Source> {
    let policy = RetryPolicy { tries: 20, longest: Duration::from_secs(5), ..RetryPolicy::default() };
    Arc::new(Retrying::new(store.clone() as Arc<dyn Source>, policy, 7))
}

/// What a walk finds.
#[derive(Default)]
pub struct Walked {
    pub entries: BTreeMap<RelPath, Entry>,
    /// Paths that came more than once, which the map hides.
    pub repeated: Vec<RelPath>,
    /// Directories that were listed from their beginning again.
    pub restarted: Vec<RelPath>,
    pub unreadable: Vec<(RelPath, Error)>,
}

impl Walked {
    /// Everything of `whole` was found, each entry once.
    pub fn is_exactly(&self, whole: &Self) {
        assert!(self.unreadable.is_empty(), "{:?}", self.unreadable);
        assert!(self.repeated.is_empty(), "{} came again: {:?}", self.repeated.len(), self.repeated.first());
        assert!(self.restarted.is_empty(), "{:?}", self.restarted);
        assert!(self.entries.keys().eq(whole.entries.keys()), "{} of {}", self.entries.len(), whole.entries.len());
    }
}

pub async fn walked(source: Arc<dyn Source>, root: RelPath) -> Walked {
    walked_with(source, root, |_| ()).await
}
/// Tells the number of entries so far after every page.
pub async fn walked_with(source: Arc<dyn Source>, root: RelPath, mut meanwhile: impl FnMut(usize)) -> Walked {
    let mut walk = walk(source, WalkSpec { roots: vec![(root, None)], want: Facets::POSIX, ..WalkSpec::default() });
    let mut found = Walked::default();
    while let Some(event) = walk.next().await.unwrap() {
        match event {
            WalkEvent::Page { entries, .. } => {
                for entry in entries {
                    if let Some(before) = found.entries.insert(entry.path.clone(), entry) {
                        found.repeated.push(before.path);
                    }
                }
                meanwhile(found.entries.len());
            }
            WalkEvent::Unreadable { dir, error } => found.unreadable.push((dir, error)),
            WalkEvent::UnreadableEntry { path, error } => found.unreadable.push((path, error)),
            WalkEvent::Restarted { dir } => found.restarted.push(dir),
            WalkEvent::Done { .. } | WalkEvent::Skipped { .. } => {}
        }
    }
    found
}

/// SHA-256 and length of a file, read to the end; `meanwhile` hears how far it is.
pub async fn digest(source: &dyn Source, path: &RelPath, mut meanwhile: impl FnMut(u64)) -> Result<(Vec<u8>, u64)> {
    let reading = source.read(path, ReadSpec::default()).await?;
    let (mut hash, mut len) = (Sha256::new(), 0);
    match reading.body {
        Body::Whole(data) => {
            len = data.len() as u64;
            hash.update(&data);
        }
        Body::Stream(mut pieces) => {
            while let Some(piece) = pieces.next().await {
                let piece = piece?;
                len += piece.len() as u64;
                hash.update(&piece);
                meanwhile(len);
            }
        }
    }
    Ok((hash.finalize().to_vec(), len))
}

/// Reads again from the start as long as the trouble is one that passes.
pub async fn digest_patiently(source: &dyn Source, path: &RelPath) -> (Vec<u8>, u64) {
    for _ in 0..20 {
        match digest(source, path, |_| ()).await {
            Ok(done) => return done,
            Err(error)
                if matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::Timeout | ErrorKind::Throttled) =>
            {
                eprintln!("again after {error:?}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("{path} could not be read");
}

/// The same bytes for the same seed, in pieces of 1 MiB.
pub fn noise(seed: u64, mebibytes: usize) -> Vec<bytes::Bytes> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut piece = || {
        let mut bytes = Vec::with_capacity(1 << 20);
        while bytes.len() < 1 << 20 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend_from_slice(&state.to_le_bytes());
        }
        bytes.into()
    };
    (0..mebibytes).map(|_| piece()).collect()
}
pub fn digest_of(pieces: &[bytes::Bytes]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for piece in pieces {
        hash.update(piece);
    }
    hash.finalize().to_vec()
}
/// A name that no other run has.
pub fn fresh(name: &str) -> String {
    format!("/cluster-{}-{name}", std::process::id())
}
/// The same, relative to the root.
pub fn below(absolute: &str) -> RelPath {
    absolute.trim_start_matches('/').into()
}
/// CPU seconds of this process, user and system.
pub fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // The kernel counts in hundredths here, whatever its own clock does (USER_HZ).
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}
/// Peak of the resident memory of this process in KiB, since it started or since [`reset_peak`].
pub fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
/// The peak counts from what is resident now (proc(5), `clear_refs`).
pub fn reset_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}
