//! What NTFS has and POSIX has not: security descriptors and streams.

use crate::{
    common::options,
    rig::{Fresh, Rig, listed, run},
};
use longshore_driver_smb::SmbStore;
use model::{Acl, Facets};
use std::{env, fs, path::Path, process::Command};
use storage::Source as _;

pub fn ntfs(rig: &Rig) {
    let Some(dir) = env::var_os("LONGSHORE_TEST_SMB_NTFS_DIR") else { return };
    let fresh = Fresh::below(Path::new(&dir), "ntfs");
    fs::write(fresh.on_disk.join("file"), "content").unwrap();
    let unc = "//127.0.0.1/ntfs".to_owned();
    let inside = |name: &str| format!("{}/{name}", fresh.path);
    // A stream by another client: `put` to a name with a colon.
    let source = fresh.on_disk.join("file");
    let password = env::var("LONGSHORE_TEST_SMB_PASSWORD").unwrap();
    let put = format!("put {} \"{}:second\"", source.display(), inside("file").replace('/', "\\"));
    let ran = Command::new("smbclient").args([&unc, "-U", &format!("root%{password}"), "-c", &put]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    run(async {
        let store = SmbStore::connect(&rig.share("ntfs"), options()).await.unwrap();
        assert!(store.identify().streams && store.identify().acls, "{:?}", store.identify());
        let path = fresh.path.join(b"file");
        let want = Facets::NTFS_SD.and(Facets::STREAMS).and(Facets::MTIME);
        let meta = store.stat(&path, want).await.unwrap().meta.unwrap();
        assert_eq!(meta.streams, ["second"]);
        let Some(Acl::NtfsDescriptor(descriptor)) = &meta.acl else { panic!("{meta:?}") };
        assert!(descriptor.len() > 60 && descriptor[0] == 1, "{descriptor:?}");
        // The same in a listing, where it is asked for.
        let entries = listed(&store, &fresh.path, Facets::NTFS_SD).await;
        assert_eq!(entries[0].meta.as_ref().unwrap().acl, meta.acl);
        assert!(listed(&store, &fresh.path, Facets::MTIME).await[0].meta.as_ref().unwrap().acl.is_none());
    });
}
