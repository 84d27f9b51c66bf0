//! Who we are at a system: what its URI says, and the secrets that a URI must not hold.

use crate::{
    failure::{Code, Failure, Outcome},
    secrets::{Secret, follow, resolve},
    settings::{Settings, env},
};
use collectors::systems::SecretRef;
use kerberos::Credentials;
use model::Location;

/// The parameters of a URI that say who we are.
pub const PARAMETERS: [&str; 4] = ["auth", "principal", "keytab", "ccache"];

/// How a system that wants a login is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// A name and a password.
    Password {
        /// The name, as the URI has it.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A ticket.
    Kerberos(Credentials),
    /// Whoever comes.
    Guest,
    /// Nobody.
    Anonymous,
}

/// What a URI says of tickets: `principal`, `keytab`, `ccache`.
pub fn tickets(location: &Location) -> Credentials {
    Credentials {
        principal: location.param("principal").map(str::to_owned),
        keytab: location.param("keytab").map(Into::into),
        ccache: location.param("ccache").map(str::to_owned),
    }
}

/// The login for a location. `auth=password|kerberos|guest|anonymous` decides; without it a keytab or principal
/// means Kerberos, a user a password, and nobody a guest. `password` is a reference that goes before the
/// configuration.
pub fn login(location: &Location, password: Option<&SecretRef>, settings: &Settings) -> Outcome<Login> {
    let credentials = tickets(location);
    let named = credentials.principal.is_some() || credentials.keytab.is_some();
    let way = location.param("auth").unwrap_or(match location.user() {
        _ if named => "kerberos",
        Some(_) => "password",
        None => "guest",
    });
    match way {
        "kerberos" => Ok(Login::Kerberos(credentials)),
        "guest" => Ok(Login::Guest),
        "anonymous" => Ok(Login::Anonymous),
        "password" => {
            let user = location.user().ok_or_else(|| {
                Failure::new(Code::Secret, "a login by password needs a user").hint(format!(
                    "write `{}://user@{}/…`",
                    location.scheme(),
                    location.host()
                ))
            })?;
            Ok(Login::Password { user: user.to_owned(), password: find(location, user, password, settings)? })
        }
        other => Err(Failure::new(Code::Location, format!("`auth={other}` is not a way to log in"))
            .hint("write `auth=password`, `auth=kerberos`, `auth=guest` or `auth=anonymous`")),
    }
}

fn find(location: &Location, user: &str, password: Option<&SecretRef>, settings: &Settings) -> Outcome<Secret> {
    let host = location.host();
    let surroundings = &settings.surroundings;
    if let Some(reference) = password {
        return follow(reference, surroundings);
    }
    for key in [format!("{user}@{host}"), host.to_owned()] {
        if let Some(reference) = settings.passwords.get(&key) {
            return resolve(reference, surroundings);
        }
    }
    surroundings.variable(env::SMB_PASSWORD).map(Secret::new).ok_or_else(|| {
        Failure::new(Code::Secret, format!("there is no password for {user} at {host}")).hint(format!(
            "export {}, or write `\"{user}@{host}\" = \"file:/path\"` under `[passwords]` in the configuration",
            env::SMB_PASSWORD
        ))
    })
}
