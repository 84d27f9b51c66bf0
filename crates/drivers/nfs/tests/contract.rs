//! The reading half of the contract against a real server: `LONGSHORE_TEST_NFS` is its URI, and
//! `LONGSHORE_TEST_NFS_DIR` the exported directory on this machine, which the local driver fills.

use driver_local::{LocalOptions, LocalStore};
use libtest_mimic::Arguments;
use longshore_driver_nfs::{NfsOptions, NfsStore};
use model::Location;
use std::{env, num::NonZeroUsize, os::unix::ffi::OsStringExt as _, process::ExitCode, sync::Arc};
use storage::contract::{NoSubject, Subject, Suite};

fn main() -> ExitCode {
    let work = format!("contract-{}", std::process::id());
    let dir = env::var_os("LONGSHORE_TEST_NFS_DIR").filter(|dir| !dir.is_empty());
    let (below, exported) = (work.clone(), dir.clone());
    let make = move |connections: usize| {
        let (below, exported) = (below.clone(), exported.clone());
        move |case: String| {
            let (below, exported) = (below.clone(), exported.clone());
            async move {
                let skip = |what: &str| NoSubject::Skip(format!("{what} is not set"));
                let uri = env::var("LONGSHORE_TEST_NFS").map_err(|_| skip("LONGSHORE_TEST_NFS"))?;
                let exported = exported.ok_or_else(|| skip("LONGSHORE_TEST_NFS_DIR"))?;
                let location: Location = uri.parse().map_err(|error| NoSubject::Fail(format!("{error}")))?;
                let connections = NonZeroUsize::new(connections).expect("1 or more");
                let store = NfsStore::connect(&location, NfsOptions { connections, ..NfsOptions::default() }).await?;
                // Durable is slow, and nothing here loses power.
                let options = LocalOptions { durable: false, ..LocalOptions::default() };
                let local = LocalStore::open(&exported.into_vec(), options)?;
                let root = format!("{below}/{connections}/{case}");
                Ok(Subject::readable(Arc::new(store), Arc::new(local), root.as_str().into()))
            }
        }
    };
    // One connection shows what waits for itself.
    let suite = Suite::default().with("nfs", make(8)).with("nfs-one-connection", make(1));
    let done = suite.run(&Arguments::from_args());
    if let Some(dir) = dir {
        let made = std::path::Path::new(&dir).join(work);
        if made.exists() {
            std::fs::remove_dir_all(made).expect("what the cases made can be removed");
        }
    }
    done
}
