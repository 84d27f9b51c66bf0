//! The reading half of the contract against a real server: `LONGSHORE_TEST_SMB` is its URI, and
//! `LONGSHORE_TEST_SMB_DIR` the shared directory on this machine, which the local driver fills.
#![allow(clippy::unwrap_used)]

mod common;

use common::Disk;
use driver_local::{LocalOptions, LocalStore};
use libtest_mimic::Arguments;
use longshore_driver_smb::{Credentials, Demand, SmbOptions, SmbStore};
use model::Location;
use std::{env, num::NonZeroUsize, os::unix::ffi::OsStringExt as _, process::ExitCode, sync::Arc};
use storage::contract::{NoSubject, Subject, Suite};

/// How one run of the suite connects.
#[derive(Clone)]
struct Manner {
    variable: &'static str,
    share: Option<&'static str>,
    options: SmbOptions,
}

fn main() -> ExitCode {
    let work = format!("contract-{}", std::process::id());
    let dir = env::var_os("LONGSHORE_TEST_SMB_DIR").filter(|dir| !dir.is_empty());
    let (below, exported) = (work.clone(), dir.clone());
    let make = move |backend: &'static str, manner: Manner| {
        let (below, exported) = (below.clone(), exported.clone());
        move |case: String| {
            let (below, exported, manner) = (below.clone(), exported.clone(), manner.clone());
            async move {
                let skip = |what: &str| NoSubject::Skip(format!("{what} is not set"));
                let uri = env::var(manner.variable).map_err(|_| skip(manner.variable))?;
                let exported = exported.ok_or_else(|| skip("LONGSHORE_TEST_SMB_DIR"))?;
                let mut location: Location = uri.parse().map_err(|error| NoSubject::Fail(format!("{error}")))?;
                if let Some(share) = manner.share {
                    location = common::elsewhere(&location, share, !manner_is_guest(&manner));
                }
                let store = SmbStore::connect(&location, manner.options).await?;
                // Durable is slow, and nothing here loses power.
                let options = LocalOptions { durable: false, ..LocalOptions::default() };
                let local = Disk::new(LocalStore::open(&exported.into_vec(), options)?);
                let root = format!("{below}/{backend}/{case}");
                Ok(Subject::readable(Arc::new(store), Arc::new(local), root.as_str().into()))
            }
        }
    };
    let options = common::options();
    let main = "LONGSHORE_TEST_SMB";
    let plain = Manner { variable: main, share: None, options: options.clone() };
    // One connection shows what waits for itself.
    let single = SmbOptions { connections: NonZeroUsize::MIN, ..options.clone() };
    let signed = SmbOptions { signing: Demand::Required, ..options.clone() };
    let sealed = SmbOptions { encryption: Demand::Required, ..options.clone() };
    let ticket = SmbOptions { credentials: common::ticket(), ..options.clone() };
    let guest = SmbOptions { credentials: Credentials::Guest, ..options.clone() };
    let suite = Suite::default()
        .with("smb", make("smb", plain.clone()))
        .with("smb-one", make("smb-one", Manner { options: single, ..plain.clone() }))
        .with("smb-signed", make("smb-signed", Manner { options: signed, ..plain.clone() }))
        .with("smb-sealed", make("smb-sealed", Manner { options: sealed, ..plain.clone() }))
        .with("smb-share-sealed", make("smb-share-sealed", Manner { share: Some("enc"), ..plain.clone() }))
        .with("smb-guest", make("smb-guest", Manner { share: Some("guest"), options: guest, ..plain.clone() }))
        .with("smb-2.1", make("smb-2.1", Manner { variable: "LONGSHORE_TEST_SMB_21", ..plain.clone() }))
        .with("smb-3.0", make("smb-3.0", Manner { variable: "LONGSHORE_TEST_SMB_30", ..plain.clone() }))
        .with(
            "smb-kerberos",
            make("smb-kerberos", Manner { options: ticket, variable: "LONGSHORE_TEST_SMB_AD", ..plain }),
        );
    let done = suite.run(&Arguments::from_args());
    if let Some(dir) = dir {
        let made = std::path::Path::new(&dir).join(work);
        if made.exists() {
            std::fs::remove_dir_all(made).expect("what the cases made can be removed");
        }
    }
    done
}

fn manner_is_guest(manner: &Manner) -> bool {
    matches!(manner.options.credentials, Credentials::Guest)
}
