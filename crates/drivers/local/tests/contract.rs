//! The local driver keeps the contract: as it is, with everything made durable, and without `openat2`.

use longshore_driver_local::{LocalOptions, LocalStore};
use std::{os::unix::ffi::OsStrExt as _, process::ExitCode, sync::Arc};
use storage::contract::{Subject, Suite};
use tempfile::TempDir;

fn main() -> ExitCode {
    let plain = LocalOptions { durable: false, ..LocalOptions::default() };
    let ways = [
        ("local", plain.clone()),
        ("local-durable", LocalOptions::default()),
        ("local-without-openat2", LocalOptions { openat2: false, page_entries: 50, ..plain }),
    ];
    let mut suite = Suite::default();
    let mut held: Vec<Arc<TempDir>> = Vec::new();
    for (name, options) in ways {
        let dir = Arc::new(tempfile::tempdir().expect("a test needs a temporary directory"));
        held.push(Arc::clone(&dir));
        suite = suite.with(name, move |word| {
            let (dir, options) = (Arc::clone(&dir), options.clone());
            async move {
                let store = LocalStore::open(dir.path().as_os_str().as_bytes(), options)?;
                Ok(Subject::writable(Arc::new(store), word.as_str().into()))
            }
        });
    }
    suite.run(&libtest_mimic::Arguments::from_args())
}
