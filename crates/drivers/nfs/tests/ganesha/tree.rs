//! Trees on the server's disk, and whether what the protocol tells of them is what the operating system tells.

use crate::common::Fresh;
use model::{Entry, Facets, Kind, Principal, RelPath, Special};
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

/// `tests/rig/make-tree` with these arguments.
pub fn make_tree(arguments: &[&OsStr]) {
    let script = env::var_os("LONGSHORE_RIG").map(PathBuf::from).unwrap().with_file_name("make-tree");
    let made = Command::new(script).args(arguments).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Everything that a walk finds, each once.
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
