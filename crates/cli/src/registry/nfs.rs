//! NFS exports, by version 3 or 4.1.

use super::{Opening, Part};
use crate::failure::{Code, Failure, Outcome};
use collectors::{Collector, nfs, nfs4};
use driver_nfs::{NfsOptions, NfsStore, v4::Nfs4Store};
use model::{Location, RelPath};
use std::sync::Arc;

/// `version=` of a location: 3 where nobody asks for more, as both versions tell the same tree and 3 needs no state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Three,
    Four,
}

fn version(location: &Location) -> Outcome<Version> {
    match location.param("version") {
        None | Some("3") => Ok(Version::Three),
        Some("4" | "4.1") => Ok(Version::Four),
        Some(other) => Err(Failure::new(Code::Location, format!("cannot speak version {other} of NFS"))
            .hint("write `version=3` or `version=4.1`")),
    }
}

pub(super) async fn open(location: &Location, how: &Opening<'_>) -> Outcome<Collector> {
    let options = options(how);
    Ok(match version(location)? {
        Version::Three => {
            let store = Box::pin(NfsStore::connect(location, options)).await?;
            nfs::collector(store)
        }
        Version::Four => {
            let store = Box::pin(Nfs4Store::connect(location, options)).await?;
            nfs4::collector(store)
        }
    })
}

/// Every export of the server: by MOUNT EXPORT, or, of a server without MOUNT, by its pseudo root.
pub(super) async fn exports(location: &Location, how: &Opening<'_>) -> Outcome<Vec<Part>> {
    let options = options(how);
    let listed = match version(location)? {
        Version::Three => Box::pin(driver_nfs::exports(location, &options)).await,
        Version::Four => Err(storage::Error::new(storage::ErrorKind::Unsupported, "list the exports of")),
    };
    let (paths, location) = match listed {
        Ok(exports) => (exports.into_iter().map(|export| export.path).collect::<Vec<_>>(), location.clone()),
        Err(refused) => match Box::pin(driver_nfs::v4::pseudo_exports(location, &options)).await {
            Ok(paths) => (paths, location.clone().with_param("version", "4.1")),
            // Whoever asked for version 3, or said nothing, hears why that did not work.
            Err(also) => {
                return Err(if version(location)? == Version::Four { also } else { refused }.into());
            }
        },
    };
    let below = |path: &[u8]| location.clone().below(&RelPath::from(path.strip_prefix(b"/").unwrap_or(path)));
    Ok(paths.iter().map(|path| Part { location: below(path), left_out: None }).collect())
}

fn options(how: &Opening<'_>) -> NfsOptions {
    NfsOptions {
        connect_timeout: how.settings.connect_timeout.value.0,
        request_timeout: how.settings.operation_timeout.value.0,
        probe: Arc::clone(&how.probe),
        ..NfsOptions::default()
    }
}
