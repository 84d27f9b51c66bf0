//! Listing: names, attributes, and pages that can be gone on from.

use crate::{
    requests::Requests,
    tree::{compare, make_tree, on_disk, walked},
    version::Server,
};
use futures::TryStreamExt as _;
use longshore_driver_nfs::NfsOptions;
use model::{Facets, RelPath};
use std::{collections::BTreeMap, ffi::OsStr, fs, os::unix::ffi::OsStrExt as _, sync::Arc};
use storage::{ErrorKind, ListSpec, Page, ReadSpec, collect_body};
use tokio::runtime::Runtime;

pub fn hostile_tree(server: &Server) {
    let (rig, seconds) = (&server.rig, server.version.seconds);
    let fresh = rig.fresh("hostile");
    make_tree(&["hostile".as_ref(), fresh.on_disk.as_os_str(), "--deep".as_ref()]);
    let mut expected = BTreeMap::new();
    on_disk(&fresh.on_disk, &fresh.path, &mut expected);
    assert!(expected.len() > 300, "{} entries", expected.len());
    Runtime::new().unwrap().block_on(async {
        let source = server.export(NfsOptions::default()).await;
        let found = walked(source.clone(), fresh.path.clone()).await;
        let names = |paths: Vec<&RelPath>| paths.into_iter().cloned().collect::<Vec<_>>();
        assert_eq!(names(found.keys().collect()), names(expected.keys().collect()));
        for (path, status) in &expected {
            compare(&found[path], status, &rig.dir, seconds);
            let stat = source.stat(path, Facets::POSIX).await.unwrap();
            compare(&stat, status, &rig.dir, seconds);
            assert_eq!(stat.stamp, found[path].stamp, "{path}");
            if status.is_file() {
                let reading =
                    source.read(path, ReadSpec { locator: stat.locator, ..ReadSpec::default() }).await.unwrap();
                let content = collect_body(reading.body, u64::MAX).await.unwrap().concat();
                assert!(content == fs::read(rig.dir.join(OsStr::from_bytes(path.as_bytes()))).unwrap(), "{path}");
            } else {
                let refused = source.read(path, ReadSpec::default()).await.unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::Invalid, "{path}");
            }
        }
    });
}

pub fn wide_directory(server: &Server) {
    let fresh = server.rig.fresh("wide");
    make_tree(&["hostile".as_ref(), fresh.on_disk.as_os_str(), "--wide".as_ref(), "20000".as_ref()]);
    let dir = fresh.path.join(b"wide");
    let expected: Vec<_> = (0..20_000).map(|n| dir.join(format!("entry-{n:06}").as_bytes())).collect();
    Runtime::new().unwrap().block_on(async {
        let requests = Arc::new(Requests::default());
        let source = server.export(requests.told()).await;
        let pages: Vec<_> = source.list(&dir, ListSpec::default()).try_collect().await.unwrap();
        assert_eq!(requests.count("LOOKUP"), 2, "the way to the directory, and no entry by itself");
        assert!(
            pages.len() > 10 && pages.iter().rev().skip(1).all(|page| page.next.is_some()),
            "{} pages",
            pages.len()
        );
        assert!(sorted(&pages) == expected);
        // Another connection, as after a restart of this program.
        let source = server.export(NfsOptions::default()).await;
        let middle = pages.len() / 2;
        let from = pages[middle].next.clone();
        let rest: Vec<_> = source.list(&dir, ListSpec { from, ..ListSpec::default() }).try_collect().await.unwrap();
        assert!(sorted(&[&pages[..=middle], &rest].concat()) == expected);
    });
}

/// The paths of the pages, as often as they came.
fn sorted(pages: &[Page]) -> Vec<RelPath> {
    let mut paths: Vec<_> = pages.iter().flat_map(|page| &page.entries).map(|entry| entry.path.clone()).collect();
    paths.sort();
    paths
}
