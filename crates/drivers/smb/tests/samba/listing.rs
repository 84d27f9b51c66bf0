//! Directories: what a listing tells, wide ones and deep ones.

use crate::rig::{Rig, listed, make_tree, run, walked, whole};
use futures::TryStreamExt as _;
use model::{Facets, Timestamp};
use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    process::Command,
};
use storage::{ErrorKind, ListSpec, Source as _};

pub fn times(rig: &Rig) {
    let fresh = rig.fresh("times");
    let cases = [(1_234_567_890_i64, 123_456_789_u32), (-315_619_200, 1_000), (-1, 999_999_999), (4_102_444_800, 5)];
    for (number, (secs, nanos)) in cases.iter().enumerate() {
        let path = fresh.on_disk.join(number.to_string());
        fs::write(&path, "x").unwrap();
        let touched = Command::new("touch").arg("-d").arg(format!("@{secs}.{nanos:09}")).arg(&path).status().unwrap();
        assert!(touched.success());
    }
    run(async {
        let store = rig.store().await;
        for entry in listed(&*store, &fresh.path, Facets::MTIME).await {
            let number: usize = std::str::from_utf8(entry.path.file_name()).unwrap().parse().unwrap();
            let status = fs::metadata(fresh.on_disk.join(number.to_string())).unwrap();
            let nanos = u32::try_from(status.mtime_nsec()).unwrap() / 100 * 100;
            assert_eq!(entry.stamp.mtime, Some(Timestamp { secs: status.mtime(), nanos }), "{:?}", cases[number]);
            assert_eq!(entry.stamp.file_id.unwrap().inode, status.ino());
            assert_eq!(entry.stamp.size, 1);
            let meta = entry.meta.as_ref().unwrap();
            assert_eq!(meta.mtime, entry.stamp.mtime);
            assert!(meta.birth.is_some() && meta.atime.is_some() && meta.ntfs_attributes.is_some());
            let stat = store.stat(&entry.path, Facets::MTIME.and(Facets::HARD_LINKS)).await.unwrap();
            assert_eq!((&stat.stamp, stat.nlink), (&entry.stamp, Some(1)));
        }
    });
}

pub fn wide_directory(rig: &Rig) {
    let fresh = rig.fresh("wide");
    make_tree(&["hostile".as_ref(), fresh.on_disk.as_os_str(), "--wide".as_ref(), "20000".as_ref()]);
    let dir = fresh.path.join(b"wide");
    let expected: Vec<_> = (0..20_000).map(|n| dir.join(format!("entry-{n:06}").as_bytes())).collect();
    let sorted = |pages: &[storage::Page]| {
        let mut names: Vec<_> = pages.iter().flat_map(|page| &page.entries).map(|entry| entry.path.clone()).collect();
        names.sort();
        names
    };
    run(async {
        let store = rig.store().await;
        let pages: Vec<_> = store.list(&dir, ListSpec::default()).try_collect().await.unwrap();
        assert!(pages.len() > 3 && pages.iter().rev().skip(1).all(|page| page.next.is_some()), "{} pages", pages.len());
        assert!(sorted(&pages) == expected);
        // Another connection, as after a restart of this program.
        let store = rig.store().await;
        let middle = pages.len() / 2;
        let from = pages[middle].next.clone();
        let spec = ListSpec { from, ..ListSpec::default() };
        let rest: Vec<_> = store.list(&dir, spec.clone()).try_collect().await.unwrap();
        assert!(sorted(&[&pages[..=middle], &rest].concat()) == expected);
        // An entry that was delivered is gone: whether the order held cannot be told any more.
        let first = pages[0].entries[0].path.clone();
        fs::remove_file(rig.dir.join(OsStr::from_bytes(first.as_bytes()))).unwrap();
        let again: storage::Result<Vec<_>> = store.list(&dir, spec).try_collect().await;
        assert_eq!(again.unwrap_err().kind(), ErrorKind::Changed);
    });
}

pub fn deep_path(rig: &Rig) {
    let fresh = rig.fresh("deep");
    let mut path = fresh.path.clone();
    for level in 0..60 {
        path = path.join(format!("directory-number-{level:04}-of-many").as_bytes());
    }
    let file = path.join(b"file");
    assert!(file.len() > 1024);
    fs::create_dir_all(rig.dir.join(OsStr::from_bytes(path.as_bytes()))).unwrap();
    fs::write(rig.dir.join(OsStr::from_bytes(file.as_bytes())), "deep").unwrap();
    run(async {
        let store = rig.store().await;
        let (all, errors) = walked(store.clone(), fresh.path.clone()).await;
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!((all.len(), all.last_key_value().unwrap().0), (61, &file));
        assert_eq!(whole(&*store, &file).await, b"deep");
    });
}
