//! What only a disk can show: links out of the root, cursors that outlive the process, what a crash
//! leaves, metadata as another program sees it.

#![allow(clippy::unwrap_used)] // not only in the tests themselves, also in what they share

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use longshore_driver_local::{LocalOptions, LocalStore};
use model::{Facets, Kind, Metadata, Posix, Principal, RelPath, Timestamp};
use std::{
    fs,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _, fs::PermissionsExt as _},
    path::Path,
    sync::Arc,
};
use storage::{
    Body, Cursor, ErrorKind, ListSpec, Node, ReadSpec, Source, Target, Upload, WriteSpec, checksum, collect_body,
    walk::{WalkEvent, WalkSpec, walk},
};
use tempfile::TempDir;

fn open(dir: &Path) -> LocalStore {
    LocalStore::open(dir.as_os_str().as_bytes(), LocalOptions::default()).unwrap()
}
fn fresh() -> (TempDir, LocalStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    (dir, store)
}
async fn content(source: &dyn Source, path: &RelPath) -> storage::Result<Vec<u8>> {
    Ok(collect_body(source.read(path, ReadSpec::default()).await?.body, u64::MAX).await?.concat())
}
async fn part(upload: &dyn Upload, index: u32, offset: u64, data: &'static [u8]) -> storage::Receipt {
    let data = vec![Bytes::from_static(data)];
    let crc = checksum::crc64nvme(&data);
    upload.part(index, offset, data, crc).await.unwrap()
}

#[tokio::test]
async fn no_link_and_no_dots_lead_out_of_the_root() {
    for openat2 in [true, false] {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        let inside = outside.path().join("root");
        fs::create_dir_all(inside.join("real")).unwrap();
        for (name, target) in [("abs", outside.path()), ("up", Path::new("..")), ("file", Path::new("../secret"))] {
            std::os::unix::fs::symlink(target, inside.join(name)).unwrap();
        }
        let options = LocalOptions { openat2, ..LocalOptions::default() };
        let store = LocalStore::open(inside.as_os_str().as_bytes(), options).unwrap();
        for path in ["abs/secret", "up/secret", "file", "../secret", "real/../../secret", "./../secret"] {
            let error = content(&store, &path.into()).await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::NameRefused), "{path}: {error:?}");
            let error = store.put(&path.into(), WriteSpec::default(), vec![Bytes::from_static(b"x")]).await;
            if path == "file" {
                error.unwrap(); // replaces the link itself
                assert!(inside.join("file").symlink_metadata().unwrap().is_file());
            } else {
                error.unwrap_err();
            }
        }
        assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"secret");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 2);
    }
}

#[tokio::test]
async fn a_path_longer_than_the_kernel_takes_at_once() {
    for openat2 in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let options = LocalOptions { openat2, durable: false, ..LocalOptions::default() };
        let store = LocalStore::open(dir.path().as_os_str().as_bytes(), options).unwrap();
        let deep = RelPath::from(vec!["d".repeat(250); 40].join("/").as_str());
        let path = deep.join(b"file");
        assert!(path.len() > 10_000);
        store.put(&path, WriteSpec::default(), vec![Bytes::from_static(b"deep")]).await.unwrap();
        assert_eq!(content(&store, &path).await.unwrap(), b"deep");
        let pages: Vec<_> = store.list(&deep, ListSpec::default()).try_collect().await.unwrap();
        assert_eq!(pages[0].entries[0].path, path);
        store.remove(&path, None).await.unwrap();
    }
}

#[tokio::test]
async fn metadata_is_what_another_program_sees() {
    let (dir, store) = fresh();
    let meta = Metadata {
        mtime: Some(Timestamp { secs: 1_234_567_890, nanos: 123_456_789 }),
        posix: Some(Posix { mode: 0o4711, owner: Principal::Id(1234), group: Principal::Id(4321) }),
        ..Metadata::default()
    };
    let spec = WriteSpec { meta: meta.clone(), ..WriteSpec::default() };
    let kept = store.put(&"file".into(), spec, vec![Bytes::from_static(b"x")]).await.unwrap().kept;
    let seen = fs::symlink_metadata(dir.path().join("file")).unwrap();
    assert_eq!((seen.mtime(), seen.mtime_nsec(), seen.mode()), (1_234_567_890, 123_456_789, 0o104_711));
    if store.caps().writes.has(Facets::OWNER) {
        assert_eq!((seen.uid(), seen.gid()), (1234, 4321));
        assert!(kept.has(Facets::OWNER));
    } else {
        assert!(!kept.has(Facets::OWNER), "without root no owner is kept, and that is said");
    }
    store.put(&"plain".into(), WriteSpec::default(), vec![]).await.unwrap();
    fs::write(dir.path().join("reference"), "").unwrap();
    let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("plain"), mode("reference"), "without a mode it is as the umask says");
}

#[tokio::test]
async fn reading_leaves_the_access_time_alone() {
    let (dir, store) = fresh();
    let old = Metadata {
        mtime: Some(Timestamp { secs: 2_000, nanos: 0 }),
        atime: Some(Timestamp { secs: 1_000, nanos: 7 }),
        ..Metadata::default()
    };
    for (name, len) in [("small", 10), ("large", 3 << 20)] {
        let spec = WriteSpec { meta: old.clone(), ..WriteSpec::default() };
        store.put(&name.into(), spec, vec![vec![1; len].into()]).await.unwrap();
        content(&store, &name.into()).await.unwrap();
        assert_eq!(fs::metadata(dir.path().join(name)).unwrap().atime(), 1_000, "{name}");
    }
}

#[tokio::test]
async fn a_cursor_is_good_in_another_process_and_while_entries_come_and_go() {
    let (dir, _) = fresh();
    for n in 0..5000 {
        fs::write(dir.path().join(format!("file-{n}")), "").unwrap();
    }
    let options = LocalOptions { page_entries: 300, ..LocalOptions::default() };
    let mut names = Vec::new();
    let mut from: Option<Cursor> = None;
    let mut pages = 0;
    loop {
        let store = LocalStore::open(dir.path().as_os_str().as_bytes(), options.clone()).unwrap();
        let mut listing = store.list(&RelPath::ROOT, ListSpec { from, ..ListSpec::default() });
        let page = listing.next().await.unwrap().unwrap();
        for (n, entry) in page.entries.iter().enumerate() {
            if n % 2 == 0 {
                fs::remove_file(dir.path().join(entry.path.to_str().unwrap())).unwrap();
            }
        }
        fs::write(dir.path().join(format!("new-{pages}")), "").unwrap();
        names.extend(page.entries.into_iter().map(|entry| entry.path).filter(|path| path.as_bytes()[0] == b'f'));
        pages += 1;
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!((count, names.len()), (5000, 5000), "every file once, in {pages} pages");
}

#[tokio::test]
async fn what_is_being_written_is_private_and_never_listed() {
    let (dir, store) = fresh();
    let path = RelPath::from("dir/file");
    let upload = store.create(&path, WriteSpec::default()).await.unwrap();
    part(&*upload, 0, 0, b"secret").await;
    let names: Vec<_> = fs::read_dir(dir.path().join("dir")).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(names.len(), 2, "content and receipts");
    for entry in names {
        assert!(entry.file_name().to_str().unwrap().starts_with(".longshore-"));
        assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600);
    }
    let pages: Vec<_> = store.list(&"dir".into(), ListSpec::default()).try_collect().await.unwrap();
    assert!(pages.iter().all(|page| page.entries.is_empty()));
    upload.abort().await.unwrap();
    assert_eq!(fs::read_dir(dir.path().join("dir")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_part_whose_bytes_did_not_reach_the_disk_is_not_believed() {
    let (dir, store) = fresh();
    let path = RelPath::from("file");
    let upload = store.create(&path, WriteSpec::default()).await.unwrap();
    let token = upload.token().unwrap();
    for (index, data) in [(0, &b"aaaa"[..]), (1, b"bbbb"), (2, b"cccc")] {
        part(&*upload, index, u64::from(index) * 4, data).await;
    }
    drop(upload);
    let partial = dir.path().join(std::ffi::OsStr::from_bytes(&token.0));
    let mut held = fs::read(&partial).unwrap();
    held[5] ^= 1;
    fs::write(&partial, &held[..11]).unwrap(); // part 1 has a flipped bit, part 2 a byte too few
    let store = open(dir.path());
    let (upload, known) = store.resume(&path, WriteSpec::default(), &token).await.unwrap();
    assert_eq!(known.iter().map(|receipt| receipt.index).collect::<Vec<_>>(), [0]);
    let mut receipts = known;
    receipts.push(part(&*upload, 1, 4, b"bbbb").await);
    receipts.push(part(&*upload, 2, 8, b"cccc").await);
    upload.finish(receipts, model::Digests::default()).await.unwrap();
    assert_eq!(fs::read(dir.path().join("file")).unwrap(), b"aaaabbbbcccc");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
}

#[tokio::test]
async fn parts_that_do_not_follow_each_other_make_no_file() {
    let (dir, store) = fresh();
    for offsets in [[4, 0], [0, 5], [0, 3], [0, 0]] {
        let upload = store.create(&"file".into(), WriteSpec::default()).await.unwrap();
        let receipts = vec![part(&*upload, 0, offsets[0], b"aaaa").await, part(&*upload, 1, offsets[1], b"bbbb").await];
        upload.finish(receipts, model::Digests::default()).await.unwrap_err();
        assert!(!dir.path().join("file").exists(), "parts at {offsets:?} became a file");
    }
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_an_error() {
    let (dir, store) = fresh();
    let path = RelPath::from("file");
    for change in ["grown", "shortened", "overwritten"] {
        fs::write(dir.path().join("file"), vec![1; 5 << 20]).unwrap();
        let stamp = store.stat(&path, Facets::NONE).await.unwrap().stamp;
        let reading = store.read(&path, ReadSpec { if_stamp: Some(stamp), ..ReadSpec::default() }).await.unwrap();
        let Body::Stream(mut pieces) = reading.body else { panic!("5 MiB come in pieces") };
        pieces.next().await.unwrap().unwrap();
        let file = fs::OpenOptions::new().write(true).open(dir.path().join("file")).unwrap();
        match change {
            "grown" => file.set_len(6 << 20).unwrap(),
            "shortened" => file.set_len(4 << 20).unwrap(),
            _ => std::os::unix::fs::FileExt::write_all_at(&file, b"x", 4 << 20).unwrap(),
        }
        let error = pieces.try_collect::<Vec<Bytes>>().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Changed, "{change}");
    }
}

#[tokio::test]
async fn a_walk_tells_volumes_links_and_what_cannot_be_read() {
    let (dir, store) = fresh();
    fs::create_dir_all(dir.path().join("a/b")).unwrap();
    fs::create_dir(dir.path().join(".snapshot")).unwrap();
    fs::write(dir.path().join("a/b/file"), "x").unwrap();
    fs::hard_link(dir.path().join("a/b/file"), dir.path().join("a/other")).unwrap();
    std::os::unix::fs::symlink("b/file", dir.path().join("a/link")).unwrap();
    let spec = WalkSpec {
        want: Facets::POSIX,
        exclude: Some(Arc::new(|entry| (entry.path.file_name() == b".snapshot").then(|| "a snapshot".into()))),
        ..WalkSpec::default()
    };
    let events: Vec<WalkEvent> = walk(Arc::new(store), spec).into_stream().try_collect().await.unwrap();
    let mut entries = Vec::new();
    let mut skipped = 0;
    for event in events {
        match event {
            WalkEvent::Page { entries: mut some, .. } => entries.append(&mut some),
            WalkEvent::Skipped { .. } => skipped += 1,
            WalkEvent::Done { .. } => {}
            WalkEvent::Unreadable { .. } | WalkEvent::UnreadableEntry { .. } | WalkEvent::Restarted { .. } => {
                panic!("{event:?}")
            }
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let paths: Vec<_> = entries.iter().map(|entry| entry.path.to_string()).collect();
    assert_eq!(paths, [".snapshot", "a", "a/b", "a/b/file", "a/link", "a/other"]);
    assert_eq!(skipped, 1);
    assert_eq!(entries[3].stamp.file_id, entries[5].stamp.file_id);
    assert_eq!(entries[3].nlink, Some(2));
    assert_eq!(entries[4].kind, Kind::Symlink { target: Bytes::from_static(b"b/file") });
    let volume = fs::metadata(dir.path()).unwrap().dev();
    assert!(entries.iter().all(|entry| entry.stamp.file_id.unwrap().volume == volume));
}

#[tokio::test]
async fn opening_what_is_no_directory_says_so() {
    let (dir, _) = fresh();
    fs::write(dir.path().join("file"), "").unwrap();
    for (name, kind) in [("file", ErrorKind::Invalid), ("nothing", ErrorKind::NotFound)] {
        let path = dir.path().join(name);
        let error = LocalStore::open(path.as_os_str().as_bytes(), LocalOptions::default()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
    }
}

#[tokio::test]
async fn links_and_directories_take_the_place_of_files_without_a_trace() {
    let (dir, store) = fresh();
    fs::write(dir.path().join("x"), "file").unwrap();
    store.make(&"x".into(), Node::Symlink { target: Bytes::from_static(b"y") }, &Metadata::default()).await.unwrap();
    assert_eq!(fs::read_link(dir.path().join("x")).unwrap(), Path::new("y"));
    store.make(&"x".into(), Node::Dir, &Metadata::default()).await.unwrap();
    assert!(dir.path().join("x").is_dir());
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["x"]);
}

/// `system.posix_acl_access` of `user::rw-, user:1000:r--, group::r--, mask::r--, other::---` (`acl_ea.h` of Linux:
/// version 2, then tag, rights and id of each).
fn an_acl() -> Vec<u8> {
    let mut raw = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in
        [(1_u16, 6_u16, u32::MAX), (2, 4, 1000), (4, 4, u32::MAX), (16, 4, u32::MAX), (32, 0, u32::MAX)]
    {
        raw.extend(tag.to_le_bytes());
        raw.extend(rights.to_le_bytes());
        raw.extend(id.to_le_bytes());
    }
    raw
}

#[tokio::test]
async fn extended_attributes_and_acls_are_told_to_whoever_asks() {
    use rustix::fs::{XattrFlags, lsetxattr};
    let (dir, _) = fresh();
    let file = dir.path().join("odd \n name");
    fs::write(&file, "x").unwrap();
    fs::create_dir(dir.path().join("d")).unwrap();
    std::os::unix::fs::symlink("d", dir.path().join("link")).unwrap();
    let set = |path: &Path, name: &str, value: &[u8]| lsetxattr(path, name, value, XattrFlags::empty());
    if set(&file, "user.colour", b"blue").is_err() || set(&file, "system.posix_acl_access", &an_acl()).is_err() {
        eprintln!("skipped: the file system below {} keeps no attributes or no ACLs", dir.path().display());
        return;
    }
    set(&file, "user.empty", b"").unwrap();
    let long = vec![7; 3000];
    set(&dir.path().join("d"), "user.long", &long).unwrap();
    set(&dir.path().join("d"), "system.posix_acl_default", &an_acl()).unwrap();
    let store = open(dir.path());
    assert!(store.caps().reads.has(Facets::XATTR.and(Facets::POSIX_ACL)));
    let want = Facets::POSIX.and(Facets::XATTR).and(Facets::POSIX_ACL);
    let listed: Vec<_> =
        store.list(&RelPath::ROOT, ListSpec { want, ..ListSpec::default() }).try_collect().await.unwrap();
    let meta = |name: &str| {
        let entry = listed.iter().flat_map(|page| &page.entries).find(|entry| entry.path == RelPath::from(name));
        entry.unwrap().meta.clone().unwrap()
    };
    let pair = |name: &'static str, value: &[u8]| (Bytes::from_static(name.as_bytes()), Bytes::copy_from_slice(value));
    let of_file = meta("odd \n name");
    assert_eq!(of_file.acl, Some(model::Acl::Posix1e(an_acl().into())));
    assert_eq!(of_file.xattrs, [pair("user.colour", b"blue"), pair("user.empty", b"")]);
    let of_dir = meta("d");
    assert_eq!(of_dir.acl, None);
    assert_eq!(of_dir.xattrs, [pair("system.posix_acl_default", &an_acl()), pair("user.long", &long)]);
    // A link is not what it points to.
    assert_eq!((meta("link").xattrs.len(), meta("link").acl.clone()), (0, None));

    let looked = store.stat(&"odd \n name".into(), want).await.unwrap().meta.unwrap();
    assert_eq!((looked.acl, looked.xattrs), (of_file.acl.clone(), of_file.xattrs.clone()));
    let spec = ReadSpec { want, ..ReadSpec::default() };
    let read = store.read(&"odd \n name".into(), spec).await.unwrap().entry.meta.unwrap();
    assert_eq!((read.acl, read.xattrs), (of_file.acl.clone(), of_file.xattrs.clone()));
    // Who does not ask pays nothing and gets nothing.
    let plain = store.stat(&"odd \n name".into(), Facets::POSIX).await.unwrap().meta.unwrap();
    assert_eq!((plain.acl, plain.xattrs.len()), (None, 0));
    let only = store.stat(&"odd \n name".into(), Facets::XATTR).await.unwrap().meta.unwrap();
    assert_eq!((only.acl, only.xattrs.len()), (None, 2));
}
