//! Links of DFS, live and dead.

use crate::{
    common::options,
    rig::{Rig, listed, run, whole},
};
use futures::StreamExt as _;
use longshore_driver_smb::SmbStore;
use model::{Facets, RelPath};
use std::{collections::BTreeSet, fs};
use storage::{ErrorKind, ListSpec, Source as _};

pub fn dfs(rig: &Rig) {
    let fresh = rig.fresh("dfs");
    fs::create_dir(fresh.on_disk.join("sub")).unwrap();
    fs::write(fresh.on_disk.join("sub/file"), "behind the link").unwrap();
    run(async {
        let store = SmbStore::connect(&rig.share("dfs"), options()).await.unwrap();
        assert!(store.identify().dfs_root);
        let root = listed(&store, &RelPath::ROOT, Facets::NONE).await;
        let names: BTreeSet<_> = root.iter().map(|entry| entry.path.to_string()).collect();
        assert!(["data", "guest", "loop", "nowhere", "dead"].iter().all(|name| names.contains(*name)), "{names:?}");
        assert!(root.iter().all(|entry| entry.kind.is_dir()), "{root:?}");
        // Dead links have no descriptor, and hide nothing else for that.
        let described = listed(&store, &RelPath::ROOT, Facets::NTFS_SD).await;
        let with_acl = |name: &str| {
            let found = described.iter().find(|entry| entry.path == name.into()).unwrap();
            found.meta.as_ref().unwrap().acl.is_some()
        };
        assert_eq!(described.len(), root.len());
        let links = ["data", "guest", "loop", "nowhere", "dead"].map(|name| (name, with_acl(name)));
        let expected = [("data", true), ("guest", true), ("loop", false), ("nowhere", false), ("dead", false)];
        assert_eq!(links, expected);
        let link = RelPath::from("data");
        assert!(store.stat(&link, Facets::NONE).await.unwrap().kind.is_dir());
        let below = link.join(fresh.path.as_bytes()).join(b"sub");
        assert_eq!(whole(&store, &below.join(b"file")).await, b"behind the link");
        let names: Vec<_> = listed(&store, &below, Facets::NONE).await.into_iter().map(|entry| entry.path).collect();
        assert_eq!(names, [below.join(b"file")]);
        for (name, words) in [("nowhere", "no share"), ("loop", "leads back")] {
            let error = store.list(&name.into(), ListSpec::default()).next().await.unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{name}: {error:?}");
            assert!(error.cause().unwrap().contains(words), "{name}: {error:?}");
        }
        let error = store.stat(&"dead/x".into(), Facets::NONE).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected, "{error:?}");
        assert!(error.cause().unwrap().contains("no-such-host.invalid"), "{error:?}");
        // A location may begin behind a link.
        let location = rig.share("dfs").below(&below);
        let store = SmbStore::connect(&location, options()).await.unwrap();
        assert_eq!(whole(&store, &"file".into()).await, b"behind the link");
    });
}
