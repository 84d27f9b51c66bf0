//! What the versions of the protocol differ in, for cases that they share, and the server spoken to in one of them.

use crate::common::Rig;
use futures::future::BoxFuture;
use longshore_driver_nfs::NfsOptions;
use model::Location;
use std::sync::Arc;
use storage::{Result, Source};

/// The words of a case, and what it does. It panics when something does not hold.
pub type Case = (&'static str, fn(&Server));

/// What opening a location comes to.
pub type Opened = Result<Arc<dyn Source>>;

/// One version of the protocol.
pub struct Version {
    /// What the names of its cases begin with.
    pub name: &'static str,
    /// As in a location: `3` or `4.1`.
    pub parameter: &'static str,
    /// Opens a location.
    pub open: fn(Location, NfsOptions) -> BoxFuture<'static, Opened>,
    /// What it makes of the seconds of a time.
    pub seconds: fn(i64) -> i64,
    /// What the cause of an error says when a user may not look.
    pub denied: &'static str,
    /// Before how many times the limit of one request it tells that the server hangs.
    pub hang: u32,
    /// Cases of this version alone.
    pub own: &'static [Case],
    /// Those of them that take longer than anybody waits for.
    pub slow: &'static [Case],
    /// Cases of this version alone that kill the server.
    pub restarts: &'static [Case],
}

impl Version {
    pub fn case_name(&self, case: &str) -> String {
        format!("{}: {case}", self.name)
    }
}

/// The server that the environment names, and the version it is spoken to in.
pub struct Server {
    pub rig: Rig,
    pub version: &'static Version,
}

impl Server {
    pub fn from_env(version: &'static Version) -> Option<Self> {
        Some(Self { rig: Rig::from_env(version.parameter)?, version })
    }

    /// A connection of its own to the location.
    pub async fn open(&self, at: Location) -> Opened {
        (self.version.open)(at, NfsOptions::default()).await
    }

    /// The export.
    pub async fn export(&self, options: NfsOptions) -> Arc<dyn Source> {
        (self.version.open)(self.rig.location(), options).await.unwrap()
    }
}
