//! Directories of this host.

use super::{Missing, Opening};
use crate::failure::{Code, Failure, Outcome};
use collectors::{Collector, local};
use driver_local::{LocalOptions, LocalStore};
use model::Location;
use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path, sync::Arc};
use storage::Probe;

pub(super) fn open(location: &Location, how: &Opening<'_>) -> Outcome<Collector> {
    let store = store(location, Missing::IsAnError, Arc::clone(&how.probe))?;
    Ok(local::collector(store, location))
}

pub(super) fn store(location: &Location, missing: Missing, probe: Arc<dyn Probe>) -> Outcome<LocalStore> {
    let path = Path::new(OsStr::from_bytes(location.path()));
    if missing == Missing::IsMade {
        std::fs::create_dir_all(path).map_err(|error| {
            Failure::new(Code::File, format!("cannot make the directory `{}`", path.display())).because(error)
        })?;
    }
    Ok(LocalStore::open(location.path(), LocalOptions { probe, ..LocalOptions::default() })?)
}
