//! What to discover, out of what was typed and the file of systems.

use crate::{
    args::Discover,
    commands::Shell,
    failure::{Code, Failure, Outcome},
    registry,
};
use collectors::systems::{SecretRef, SystemEntry, Systems};
use model::Location;
use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::Path,
};
use storage::{Limits, Windows};

/// One system, or a server with all of its systems.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub location: Location,
    pub password: Option<SecretRef>,
    pub limits: Limits,
    pub window: Option<Windows>,
    pub concurrency: NonZeroUsize,
}

impl Wanted {
    /// Everything that was typed, then everything in the file.
    pub fn all(typed: &Discover, shell: &Shell) -> Outcome<Vec<Self>> {
        let usual = Self::usual(typed, shell)?;
        let mut wanted = Vec::new();
        for uri in &typed.locations {
            wanted.push(Self { location: registry::location(uri)?, ..usual.clone() });
        }
        if let Some(path) = &typed.systems {
            for entry in read(path)?.systems {
                wanted.push(usual.clone().overridden(entry)?);
            }
        }
        Ok(wanted)
    }

    /// As the flags say; the location is filled in later.
    fn usual(typed: &Discover, shell: &Shell) -> Outcome<Self> {
        let concurrency = usize::try_from(shell.settings.concurrency.value).unwrap_or(usize::MAX);
        let window = typed.window.as_deref().map(str::parse::<Windows>).transpose().map_err(|error| {
            Failure::new(Code::Usage, "the window is not valid")
                .because(error)
                .hint("write for example `mon-fri 20:00-06:00, sat-sun 00:00-24:00`")
        })?;
        Ok(Self {
            location: Location::file(b"/"),
            password: None,
            limits: Limits {
                in_flight: NonZeroUsize::MAX,
                bytes_per_second: typed.max_bandwidth.and_then(|size| NonZeroU64::new(size.0)),
                requests_per_second: typed.max_requests.and_then(NonZeroU32::new),
            },
            window,
            concurrency: NonZeroUsize::new(concurrency).unwrap_or(NonZeroUsize::MIN),
        })
    }

    fn overridden(mut self, entry: SystemEntry) -> Outcome<Self> {
        registry::Scheme::of(&entry.uri)?;
        self.location = match &entry.user {
            Some(user) => entry.uri.with_user(user),
            None => entry.uri,
        };
        for (key, value) in [
            ("principal", entry.principal.clone()),
            ("keytab", entry.keytab.as_ref().map(|path| path.display().to_string())),
        ] {
            if let Some(value) = value {
                self.location = self.location.with_param(key, &value);
            }
        }
        self.password = entry.password;
        self.limits.requests_per_second = entry.max_requests_per_second.or(self.limits.requests_per_second);
        self.limits.bytes_per_second = entry.max_bandwidth.or(self.limits.bytes_per_second);
        self.concurrency = entry.concurrency.unwrap_or(self.concurrency);
        self.window = entry.window.or(self.window);
        Ok(self)
    }
}

fn read(path: &Path) -> Outcome<Systems> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(Code::SystemsFile, format!("cannot read the file of systems `{}`", path.display())).because(error)
    })?;
    Systems::parse(&text).map_err(|error| {
        let failure = Failure::new(Code::SystemsFile, format!("the file of systems `{}` is not valid", path.display()))
            .because(&error);
        match error.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}
