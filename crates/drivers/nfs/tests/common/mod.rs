//! What the tests against nfs-ganesha share: the server that the environment names, trees on its disk, and a rig of
//! their own for what kills it.
#![allow(dead_code, reason = "each test program uses its part")]

pub mod remade;

use libtest_mimic::{Completion, Failed};
use model::{Entry, Facets, Kind, Location, Principal, RelPath, Special};
use std::{
    collections::BTreeMap,
    env,
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};
use storage::{
    Source,
    walk::{WalkEvent, WalkSpec, walk},
};

/// The server that the environment names, spoken to in one version of the protocol.
#[derive(Clone)]
pub struct Rig {
    pub uri: String,
    pub dir: PathBuf,
    version: &'static str,
}

impl Rig {
    /// `version` as in a location: `3` or `4.1`.
    pub fn from_env(version: &'static str) -> Option<Self> {
        let uri = env::var("LONGSHORE_TEST_NFS").ok().filter(|v| !v.is_empty())?;
        let dir = env::var_os("LONGSHORE_TEST_NFS_DIR").filter(|v| !v.is_empty())?;
        Some(Self { uri, dir: dir.into(), version })
    }
    /// A directory for one case, and its name below the export.
    pub fn fresh(&self, name: &str) -> Fresh {
        let name = format!("driver{}-{name}-{}", self.version, std::process::id());
        let on_disk = self.dir.join(&name);
        fs::create_dir(&on_disk).unwrap();
        Fresh { on_disk, path: name.as_str().into() }
    }
    pub fn location(&self) -> Location {
        let all: Location = self.uri.parse().unwrap();
        self.elsewhere(std::str::from_utf8(all.path()).unwrap())
    }
    /// The server's host, the mount port and the NFS port.
    pub fn ports(&self) -> (String, String, u16) {
        let at: Location = self.uri.parse().unwrap();
        (at.host().to_owned(), at.param("mountport").unwrap().to_owned(), at.port().unwrap())
    }
    /// Another path of the server.
    pub fn elsewhere(&self, path: &str) -> Location {
        let (host, mount, nfs) = self.ports();
        let at = Location::new("nfs", &host, path.as_bytes().to_vec()).with_port(nfs);
        match self.version {
            "3" => at.with_param("mountport", &mount),
            version => at.with_param("version", version),
        }
    }
}

/// A directory of one case, gone with it.
pub struct Fresh {
    pub on_disk: PathBuf,
    pub path: RelPath,
}

impl Drop for Fresh {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.on_disk).unwrap();
    }
}

pub fn make_tree(arguments: &[&OsStr]) {
    let script = std::env::var_os("LONGSHORE_RIG").map(std::path::PathBuf::from).unwrap().with_file_name("make-tree");
    let made = Command::new(script).args(arguments).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

pub async fn walked(source: Arc<dyn Source>, root: RelPath) -> BTreeMap<RelPath, Entry> {
    let mut walk = walk(source, WalkSpec { roots: vec![(root, None)], want: Facets::POSIX, ..WalkSpec::default() });
    let mut all = BTreeMap::new();
    while let Some(event) = walk.next().await.unwrap() {
        match event {
            WalkEvent::Page { entries, .. } => {
                for entry in entries {
                    assert!(all.insert(entry.path.clone(), entry).is_none(), "an entry came twice");
                }
            }
            WalkEvent::Unreadable { dir, error } => panic!("{dir}: {error:?}"),
            WalkEvent::UnreadableEntry { path, error } => panic!("{path}: {error:?}"),
            WalkEvent::Done { .. } | WalkEvent::Skipped { .. } | WalkEvent::Restarted { .. } => {}
        }
    }
    all
}

/// Everything below a directory of the disk, as the operating system tells it.
pub fn on_disk(dir: &Path, path: &RelPath, all: &mut BTreeMap<RelPath, fs::Metadata>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let path = path.join(entry.file_name().as_bytes());
        let status = entry.path().symlink_metadata().unwrap();
        if status.is_dir() {
            on_disk(&entry.path(), &path, all);
        }
        all.insert(path, status);
    }
}

/// Every attribute that the protocol carries is the disk's own. `seconds`: what the protocol makes of a time.
pub fn compare(entry: &Entry, status: &fs::Metadata, export: &Path, seconds: fn(i64) -> i64) {
    let path = &entry.path;
    let kind = status.file_type();
    let target = || fs::read_link(export.join(OsStr::from_bytes(path.as_bytes()))).unwrap().into_os_string().into_vec();
    let expected = match kind {
        _ if kind.is_dir() => Kind::Dir,
        _ if kind.is_file() => Kind::File,
        _ if kind.is_symlink() => Kind::Symlink { target: target().into() },
        _ if kind.is_fifo() => Kind::Special(Special::Fifo),
        _ if kind.is_socket() => Kind::Special(Special::Socket),
        _ if kind.is_block_device() => Kind::Special(Special::Block { rdev: status.rdev() }),
        _ => Kind::Special(Special::Char { rdev: status.rdev() }),
    };
    assert_eq!(entry.kind, expected, "{path}");
    let meta = entry.meta.as_ref().unwrap();
    let posix = meta.posix.as_ref().unwrap();
    assert_eq!(posix.mode, status.permissions().mode() & 0o7777, "{path}");
    assert_eq!((&posix.owner, &posix.group), (&Principal::Id(status.uid()), &Principal::Id(status.gid())), "{path}");
    let mtime = (seconds(status.mtime()), status.mtime_nsec());
    let found = meta.mtime.unwrap();
    assert_eq!((found.secs, i64::from(found.nanos)), mtime, "{path}");
    assert_eq!(entry.stamp.mtime, meta.mtime, "{path}");
    assert_eq!(u64::from(entry.nlink.unwrap()), status.nlink(), "{path}");
    assert_eq!(entry.stamp.file_id.unwrap().inode, status.ino(), "{path}");
    assert_eq!(entry.stamp.size, status.size(), "{path}");
    if status.is_file() {
        assert_eq!(entry.allocated.unwrap(), status.blocks() * 512, "{path}");
    }
}

/// A file of `size` (as `64MiB`) in the directory, and its content.
pub fn big_file(fresh: &Fresh, size: &str) -> (RelPath, Vec<u8>) {
    let dir = fresh.on_disk.as_os_str();
    let words: [&OsStr; 6] = ["--files", "0", "--big", "1", "--big-size", size].map(OsStr::new);
    make_tree(&[&[OsStr::new("bulk"), dir][..], &words].concat());
    (fresh.path.join(b"big-00.bin"), fs::read(fresh.on_disk.join("big-00.bin")).unwrap())
}

/// 5,000 small files, and what is on disk then.
pub fn many_files(fresh: &Fresh) -> BTreeMap<RelPath, fs::Metadata> {
    let dir = fresh.on_disk.as_os_str();
    make_tree(&["bulk".as_ref(), dir, "--files".as_ref(), "5000".as_ref(), "--big".as_ref(), "0".as_ref()]);
    let mut expected = BTreeMap::new();
    on_disk(&fresh.on_disk, &fresh.path, &mut expected);
    expected
}

/// A rig of its own, because it is killed there: this program runs itself inside, with `inner` set.
pub fn restarts(inner: &str) -> Result<Completion, Failed> {
    let Some(script) = env::var_os("LONGSHORE_RIG") else {
        return Ok(Completion::ignored_with("LONGSHORE_RIG, the script that starts servers, is not set"));
    };
    let dir = tempfile::tempdir()?;
    let rig = |arguments: &[&OsStr]| {
        let mut command = Command::new(&script);
        command.args(arguments).env("LONGSHORE_RIG_DIR", dir.path()).env(inner, "1").output()
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

pub fn rig_command(arguments: &[&str]) {
    let ran = Command::new(env::var_os("LONGSHORE_RIG").unwrap()).args(arguments).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
