//! SMB shares.

use super::{Opening, Part};
use crate::{
    access::{self, Login},
    failure::Outcome,
};
use collectors::{Collector, smb};
use driver_smb::{Credentials, Secret, ShareKind, SmbOptions, SmbStore};
use model::{Location, RelPath};
use std::sync::Arc;

pub(super) async fn open(location: &Location, how: &Opening<'_>) -> Outcome<Collector> {
    let bare = location.clone().without_params(&access::PARAMETERS);
    let store = Box::pin(SmbStore::connect(&bare, options(location, how)?)).await?;
    Ok(smb::collector(store, location))
}

/// Every share of the server. Those for administrators are named, but not discovered with the rest: they show
/// again what other shares show.
pub(super) async fn shares(location: &Location, how: &Opening<'_>) -> Outcome<Vec<Part>> {
    let bare = location.clone().without_params(&access::PARAMETERS);
    let shares = Box::pin(driver_smb::shares(&bare, &options(location, how)?)).await?;
    let parts = shares.into_iter().map(|share| {
        let left_out = if share.administrative {
            Some("an administrative share".to_owned())
        } else if share.kind == ShareKind::Disk {
            None
        } else {
            Some("not a share of files".to_owned())
        };
        Part { location: location.clone().below(&RelPath::from(share.name.as_bytes())), left_out }
    });
    Ok(parts.collect())
}

fn options(location: &Location, how: &Opening<'_>) -> Outcome<SmbOptions> {
    let credentials = match access::login(location, how.password.as_ref(), how.settings)? {
        Login::Password { user, password } => {
            let (domain, user) = user.split_once(';').unwrap_or(("", &user));
            Credentials::Password {
                user: user.to_owned(),
                domain: domain.to_owned(),
                password: Secret::new(password.reveal()),
            }
        }
        Login::Kerberos(tickets) => {
            let kerberos::Credentials { principal, keytab, ccache } = tickets;
            Credentials::Kerberos { principal, keytab, ccache }
        }
        Login::Guest => Credentials::Guest,
        Login::Anonymous => Credentials::Anonymous,
    };
    Ok(SmbOptions {
        credentials,
        connect_timeout: how.settings.connect_timeout.value.0,
        request_timeout: how.settings.operation_timeout.value.0,
        probe: Arc::clone(&how.probe),
        ..SmbOptions::default()
    })
}
