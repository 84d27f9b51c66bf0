//! A file of systems: what to discover, how to get in, and how much to ask for at most.
//!
//! ```toml
//! [defaults]
//! concurrency = 8
//! window = "mon-fri 20:00-06:00, sat-sun 00:00-24:00"
//!
//! [[system]]
//! uri = "smb://filer01/projects"
//! user = "CORP\\reader"
//! password = "env:FILER_PASSWORD"
//! max-requests-per-second = 500
//! max-bandwidth = "100MiB/s"
//! ```
//!
//! A secret never stands in the file: it is named (`env:NAME`, `file:/path`, `cmd:program and arguments`), and
//! whoever connects fetches it. What a system does not say, `[defaults]` says.

mod read;

use model::Location;
use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::PathBuf,
};
use storage::Windows;

/// The systems of a file, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Systems {
    /// Each with what `[defaults]` says filled in.
    pub systems: Vec<SystemEntry>,
}

/// One `[[system]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemEntry {
    /// Where it is.
    pub uri: Location,
    /// The line of the file where it begins.
    pub line: usize,
    /// Who we are.
    pub user: Option<String>,
    /// Where the password is.
    pub password: Option<SecretRef>,
    /// A Kerberos key table.
    pub keytab: Option<PathBuf>,
    /// Whose key in it.
    pub principal: Option<String>,
    /// Requests per second, together with all systems of the same server.
    pub max_requests_per_second: Option<NonZeroU32>,
    /// Bytes of content per second, together with all systems of the same server.
    pub max_bandwidth: Option<NonZeroU64>,
    /// Listings in flight together.
    pub concurrency: Option<NonZeroUsize>,
    /// When requests may be started.
    pub window: Option<Windows>,
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// In a variable of the environment.
    Env(String),
    /// In a file, without the line break at its end.
    File(PathBuf),
    /// What a program writes, without the line break at its end.
    Command(String),
}

impl std::str::FromStr for SecretRef {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str =
            "a secret is not written down here but named: `env:NAME`, `file:/path` or `cmd:program arguments`";
        let (kind, rest) = text.split_once(':').ok_or(WRONG)?;
        if rest.trim().is_empty() {
            return Err("it names nothing after the colon");
        }
        match kind {
            "env" => Ok(Self::Env(rest.to_owned())),
            "file" => Ok(Self::File(PathBuf::from(rest))),
            "cmd" => Ok(Self::Command(rest.to_owned())),
            _ => Err(WRONG),
        }
    }
}

/// Why a file of systems was refused. Never repeats a value that could be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct SystemsError {
    /// The line of the file, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: String,
    /// What a person can do about it.
    pub hint: Option<String>,
}

impl Systems {
    /// Reads the text of a file.
    ///
    /// Errors: text that is no TOML, an unknown key (with the nearest known one), a value that makes no sense, a
    /// secret that is written down, no system at all, a system that is there twice.
    pub fn parse(text: &str) -> Result<Self, SystemsError> {
        read::parse(text)
    }
}
