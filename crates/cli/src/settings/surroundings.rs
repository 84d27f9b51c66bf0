//! What the process finds around it, handed in so that a command can be run in other surroundings.

use super::env;
use driver_s3::Keys;
use std::{collections::BTreeMap, io::IsTerminal as _, path::PathBuf};

/// Environment, terminals, and credentials in hand.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Environment variables that are UTF-8.
    pub variables: BTreeMap<String, String>,
    /// stdout is a terminal.
    pub stdout_is_terminal: bool,
    /// stderr is a terminal.
    pub stderr_is_terminal: bool,
    /// Keys to use for S3 instead of the standard chain; only the demo, which starts its own server, has them.
    pub keys: Option<Keys>,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            variables: std::env::vars_os().filter_map(text).collect(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            keys: None,
        }
    }

    /// A variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// `~/.config/longshore/config.toml`, or where XDG says.
    pub fn usual_config(&self) -> Option<PathBuf> {
        Some(self.folder(env::XDG_CONFIG_HOME, ".config")?.join("longshore/config.toml"))
    }

    /// `~/.local/state/longshore`, or where XDG or our own variable says.
    pub fn state_folder(&self) -> Option<PathBuf> {
        if let Some(own) = self.variable(env::STATE_DIR) {
            return Some(PathBuf::from(own));
        }
        Some(self.folder(env::XDG_STATE_HOME, ".local/state")?.join("longshore"))
    }

    fn folder(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        // XDG: a relative path is to be ignored.
        let named = self.variable(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        named.or_else(|| Some(PathBuf::from(self.variable(env::HOME)?).join(below_home)))
    }

    /// Columns of the terminal on stdout; `None` where stdout is no terminal.
    pub fn width(&self) -> Option<u16> {
        if !self.stdout_is_terminal {
            return None;
        }
        let told = rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| size.ws_col);
        told.filter(|columns| *columns > 0).or_else(|| self.variable(env::COLUMNS)?.parse().ok()).or(Some(80))
    }
}
