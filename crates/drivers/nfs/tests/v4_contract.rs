//! The reading half of the contract over NFSv4.1 against a real server: `LONGSHORE_TEST_NFS` is its URI, and
//! `LONGSHORE_TEST_NFS_DIR` the exported directory on this machine, which the local driver fills.

use driver_local::{LocalOptions, LocalStore};
use libtest_mimic::Arguments;
use longshore_driver_nfs::{NfsOptions, v4::Nfs4Store};
use model::Location;
use std::{env, num::NonZeroUsize, os::unix::ffi::OsStringExt as _, process::ExitCode, sync::Arc};
use storage::contract::{NoSubject, Subject, Suite};

/// How files are read.
#[derive(Clone, Copy)]
enum Manner {
    Anonymously,
    Opened,
}

fn main() -> ExitCode {
    let work = format!("contract4-{}", std::process::id());
    let dir = env::var_os("LONGSHORE_TEST_NFS_DIR").filter(|dir| !dir.is_empty());
    let (below, exported) = (work.clone(), dir.clone());
    let make = move |name: &'static str, connections: usize, manner: Manner| {
        let (below, exported) = (below.clone(), exported.clone());
        move |case: String| {
            let (below, exported) = (below.clone(), exported.clone());
            async move {
                let skip = |what: &str| NoSubject::Skip(format!("{what} is not set"));
                let uri = env::var("LONGSHORE_TEST_NFS").map_err(|_| skip("LONGSHORE_TEST_NFS"))?;
                let exported = exported.ok_or_else(|| skip("LONGSHORE_TEST_NFS_DIR"))?;
                let v3: Location = uri.parse().map_err(|error| NoSubject::Fail(format!("{error}")))?;
                let location = Location::new("nfs", v3.host(), v3.path().to_vec())
                    .with_port(v3.port().unwrap_or(2049))
                    .with_param("version", "4.1");
                let connections = NonZeroUsize::new(connections).expect("1 or more");
                let store = Nfs4Store::connect(&location, NfsOptions { connections, ..NfsOptions::default() }).await?;
                let store = match manner {
                    Manner::Anonymously => store,
                    Manner::Opened => store.opening_files(),
                };
                // Durable is slow, and nothing here loses power.
                let options = LocalOptions { durable: false, ..LocalOptions::default() };
                let local = LocalStore::open(&exported.into_vec(), options)?;
                let root = format!("{below}/{name}/{case}");
                Ok(Subject::readable(Arc::new(store), Arc::new(local), root.as_str().into()))
            }
        }
    };
    let suite = Suite::default()
        .with("nfs4", make("nfs4", 4, Manner::Anonymously))
        .with("nfs4-one-connection", make("one", 1, Manner::Anonymously))
        .with("nfs4-opened", make("opened", 4, Manner::Opened));
    let done = suite.run(&Arguments::from_args());
    if let Some(dir) = dir {
        let made = std::path::Path::new(&dir).join(work);
        if made.exists() {
            std::fs::remove_dir_all(made).expect("what the cases made can be removed");
        }
    }
    done
}
