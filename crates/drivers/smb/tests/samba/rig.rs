//! What the cases share: the server, directories on its disk, and ways to read.

use crate::common::{elsewhere, options};
use futures::TryStreamExt as _;
use longshore_driver_smb::{SmbOptions, SmbStore};
use model::{Entry, Facets, Location, RelPath};
use std::{
    collections::BTreeMap,
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};
use storage::{
    ListSpec, ReadSpec, Source, collect_body,
    walk::{WalkEvent, WalkSpec, walk},
};
use tokio::runtime::Runtime;

/// The server that the environment names.
#[derive(Clone)]
pub struct Rig {
    uri: String,
    /// The shared directory on this machine.
    pub dir: PathBuf,
}

impl Rig {
    /// Nothing where no server is named.
    pub fn from_env() -> Option<Self> {
        let uri = env::var("LONGSHORE_TEST_SMB").ok().filter(|v| !v.is_empty())?;
        let dir = env::var_os("LONGSHORE_TEST_SMB_DIR").filter(|v| !v.is_empty())?;
        Some(Self { uri, dir: dir.into() })
    }
    /// A directory for one case, and its name below the share.
    pub fn fresh(&self, name: &str) -> Fresh {
        Fresh::below(&self.dir, name)
    }
    pub fn location(&self) -> Location {
        self.uri.parse().unwrap()
    }
    pub fn share(&self, share: &str) -> Location {
        elsewhere(&self.location(), share, true)
    }
    pub async fn store(&self) -> Arc<SmbStore> {
        Arc::new(SmbStore::connect(&self.location(), options()).await.unwrap())
    }
}

/// A directory for one case, removed with it.
pub struct Fresh {
    pub on_disk: PathBuf,
    /// Below the share.
    pub path: RelPath,
}

impl Fresh {
    pub fn below(dir: &Path, name: &str) -> Self {
        let name = format!("driver-{name}-{}", std::process::id());
        let on_disk = dir.join(&name);
        fs::create_dir(&on_disk).unwrap();
        Self { on_disk, path: name.as_str().into() }
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.on_disk).unwrap();
    }
}

pub fn run(work: impl Future<Output = ()>) {
    Runtime::new().unwrap().block_on(work);
}

pub fn at(location: &str) -> Location {
    location.parse().unwrap()
}

pub fn variable(name: &str) -> Location {
    at(&env::var(name).unwrap())
}

pub async fn refused(location: &Location, options: SmbOptions) -> storage::Error {
    SmbStore::connect(location, options).await.unwrap_err()
}

pub async fn whole(store: &dyn Source, path: &RelPath) -> Vec<u8> {
    let reading = store.read(path, ReadSpec::default()).await.unwrap();
    collect_body(reading.body, u64::MAX).await.unwrap().concat()
}

pub async fn listed(store: &dyn Source, dir: &RelPath, want: Facets) -> Vec<Entry> {
    let pages: Vec<_> = store.list(dir, ListSpec { want, ..ListSpec::default() }).try_collect().await.unwrap();
    pages.into_iter().flat_map(|page| page.entries).collect()
}

pub fn make_tree(arguments: &[&OsStr]) {
    let script = std::env::var_os("LONGSHORE_RIG").map(std::path::PathBuf::from).unwrap().with_file_name("make-tree");
    let made = Command::new(script).args(arguments).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Everything below a directory, and the errors on the way.
pub async fn walked(source: Arc<dyn Source>, root: RelPath) -> (BTreeMap<RelPath, Entry>, Vec<storage::Error>) {
    let want = Facets::MTIME;
    let mut walk = walk(source, WalkSpec { roots: vec![(root, None)], want, ..WalkSpec::default() });
    let (mut all, mut errors) = (BTreeMap::new(), Vec::new());
    while let Some(event) = walk.next().await.unwrap() {
        match event {
            WalkEvent::Page { entries, .. } => {
                for entry in entries {
                    assert!(all.insert(entry.path.clone(), entry).is_none(), "an entry came twice");
                }
            }
            WalkEvent::Unreadable { error, .. } | WalkEvent::UnreadableEntry { error, .. } => errors.push(error),
            WalkEvent::Done { .. } | WalkEvent::Skipped { .. } | WalkEvent::Restarted { .. } => {}
        }
    }
    (all, errors)
}

/// Bytes that no two places of a file share.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}
