//! Names as Windows and Samba have them.

use crate::{
    common::options,
    rig::{Rig, listed, run, whole},
};
use longshore_driver_smb::SmbStore;
use model::{Facets, Kind, RelPath};
use std::{collections::BTreeSet, ffi::OsStr, fs, os::unix::ffi::OsStrExt as _};
use storage::{ErrorKind, ReadSpec, Source as _, collect_body};

/// Names as a client of Windows could have made them, as Samba keeps them on disk.
const NAMES: &[&str] = &[
    "plain",
    " leading",
    "trailing ",
    "trailing.",
    "...",
    "caf\u{e9}",
    "cafe\u{301}",
    "\u{202e}reversed",
    "😀 emoji",
    "日本語",
    "a+b%20&c=d;e'f`g",
    "-rf",
    "CON",
    "COM1.txt",
    "#hash",
    "tab~1",
    "\u{fffe}",
    "\u{feff}bom",
    "\u{241b}2F",
    "\u{7f}del",
    "[x]{y}(z)!@$^_",
    "\u{f03a}\u{f02a}",
];

pub fn hostile_names(rig: &Rig) {
    let fresh = rig.fresh("names");
    for name in NAMES {
        fs::write(fresh.on_disk.join(name), name).unwrap();
    }
    let long = "\u{65e5}".repeat(85);
    fs::write(fresh.on_disk.join(&long), &long).unwrap();
    run(async {
        let store = rig.store().await;
        let found: BTreeSet<RelPath> =
            listed(&*store, &fresh.path, Facets::NONE).await.into_iter().map(|entry| entry.path).collect();
        let expected: BTreeSet<RelPath> =
            NAMES.iter().chain([&long.as_str()]).map(|name| fresh.path.join(name.as_bytes())).collect();
        assert_eq!(found, expected);
        for path in &found {
            assert_eq!(whole(&*store, path).await, path.file_name(), "{path}");
            assert_eq!(store.stat(path, Facets::NONE).await.unwrap().kind, Kind::File);
        }
        // The mapping of `catia` shows what Windows forbids under private characters.
        for name in ["a:b", "q?", "s*r", "p|e"] {
            fs::write(fresh.on_disk.join(name), name).unwrap();
        }
        let catia = SmbStore::connect(&rig.share("catia"), options()).await.unwrap();
        for (shown, name) in [("a\u{f03a}b", "a:b"), ("q\u{f03f}", "q?"), ("s\u{f02a}r", "s*r"), ("p\u{f07c}e", "p|e")]
        {
            assert_eq!(whole(&catia, &fresh.path.join(shown.as_bytes())).await, name.as_bytes());
        }
    });
}

pub fn surrogate(rig: &Rig) {
    // A surrogate in WTF-8 on disk: Samba shows it as the lone unit that it is, or not at all.
    let fresh = rig.fresh("surrogate");
    let name = b"lone\xED\xA0\x80x";
    fs::write(fresh.on_disk.join(OsStr::from_bytes(name)), "content").unwrap();
    fs::write(fresh.on_disk.join("other"), "other").unwrap();
    run(async {
        let store = rig.store().await;
        let found = listed(&*store, &fresh.path, Facets::NONE).await;
        assert!(found.iter().any(|entry| entry.path == fresh.path.join(b"other")), "{found:?}");
        let lone = fresh.path.join(name);
        let Some(entry) = found.iter().find(|entry| entry.path == lone) else {
            panic!("listed are {found:?}");
        };
        assert_eq!(entry.kind, Kind::File);
        // Samba lists such a name, but cannot turn it back into bytes of its disk: it says so, and so do we.
        match store.read(&lone, ReadSpec::default()).await {
            Ok(reading) => assert_eq!(collect_body(reading.body, 99).await.unwrap().concat(), b"content"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NameRefused, "{error:?}");
                assert_eq!(error.cause().as_deref(), Some("STATUS_ILLEGAL_CHARACTER"));
            }
        }
    });
}
