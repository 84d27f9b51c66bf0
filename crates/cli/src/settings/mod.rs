//! What was typed, set and configured, made into what it means.
//!
//! Flags go before environment, before the configuration file, before defaults. Nothing below the command
//! line sees flags, variables or files: only [`Settings`].

pub mod env;
pub mod file;
mod surroundings;

pub use surroundings::Surroundings;

use crate::{
    args::{Global, LogFormat},
    failure::{Code, Failure},
};
use model::parse_duration;
use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr, time::Duration};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag.
    Flag,
    /// An environment variable.
    Environment(&'static str),
    /// A configuration file.
    File(PathBuf),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("command line"),
            Self::Environment(name) => write!(f, "environment: {name}"),
            Self::File(path) => write!(f, "file: {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub struct Set<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// What all commands share, settled.
#[derive(Clone, Debug)]
pub struct Settings {
    /// AWS region for recommendations; the analysis has a default of its own.
    pub region: Set<Option<String>>,
    /// How the data will be used: `any`, `file`, `object`, `archive`.
    pub access: Set<String>,
    /// Growth a year as a share: 0.2 is 20 %.
    pub growth: Set<Percent>,
    /// Months that the target must last.
    pub horizon: Set<u32>,
    /// Listings in flight together during discovery.
    pub concurrency: Set<u32>,
    /// Tries of one operation, the first included.
    pub tries: Set<u32>,
    /// Longest wait for one operation of a store.
    pub operation_timeout: Set<Span>,
    /// Longest wait for a connection to stand.
    pub connect_timeout: Set<Span>,
    /// Filter of the log.
    pub log: Set<String>,
    /// Form of the log.
    pub log_format: Set<LogFormat>,
    /// References to passwords, by `user@host` or by host.
    pub passwords: BTreeMap<String, String>,
    /// Documents instead of tables on stdout.
    pub json: bool,
    /// Neither progress nor hints.
    pub quiet: bool,
    /// Colours on stderr.
    pub color: bool,
    /// Everything around the process.
    pub surroundings: Surroundings,
}

/// A share written as `20%` or `0.2`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percent(pub f64);

impl FromStr for Percent {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("cannot read `{text}`: expected a share such as `20%` or `0.2`");
        let (number, scale) = text.trim().strip_suffix('%').map_or((text.trim(), 1.0), |n| (n.trim_end(), 100.0));
        let value: f64 = number.parse().map_err(|_| wrong())?;
        if value.is_finite() && (-1.0..=100.0).contains(&(value / scale)) {
            Ok(Self(value / scale))
        } else {
            Err(wrong())
        }
    }
}
impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0 * 100.0)
    }
}

/// A duration written as `30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = model::UnitError;
    fn from_str(text: &str) -> Result<Self, model::UnitError> {
        parse_duration(text).map(Self)
    }
}
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&model::human_duration(self.0))
    }
}

/// What one command has flags for, out of what may also be set elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--region`
    pub region: Option<String>,
    /// `--access`
    pub access: Option<String>,
    /// `--growth`
    pub growth: Option<Percent>,
    /// `--horizon`
    pub horizon: Option<u32>,
    /// `--concurrency`
    pub concurrency: Option<u32>,
}

impl Settings {
    /// Settles what was typed against environment and configuration.
    pub fn settle(typed: &Global, overrides: Overrides, surroundings: Surroundings) -> Result<Self, Failure> {
        let (path, file) = configuration(typed, &surroundings)?;
        let layers = Layers { surroundings: &surroundings, path };
        let verbosity = match (typed.quiet, typed.verbose) {
            (true, _) => "error",
            (false, 0) => "warn",
            (false, 1) => "info",
            (false, 2) => "debug",
            (false, _) => "trace",
        };
        let told = (typed.quiet || typed.verbose > 0).then(|| verbosity.to_owned());
        Ok(Self {
            region: layers.settle(
                overrides.region.map(Some),
                env::REGION,
                file.region.map(Some),
                |text| Ok::<_, String>(Some(text.to_owned())),
                None,
            )?,
            access: layers.parsed(overrides.access, env::ACCESS, "access", file.access, "any".to_owned())?,
            growth: layers.parsed(overrides.growth, env::GROWTH, "growth", file.growth, Percent(0.2))?,
            horizon: layers.settle(overrides.horizon, env::HORIZON, file.horizon, str::parse, 36)?,
            concurrency: layers.settle(overrides.concurrency, env::CONCURRENCY, file.concurrency, str::parse, 32)?,
            tries: layers.settle(None, env::TRIES, file.tries, str::parse, 6)?,
            operation_timeout: layers.parsed(
                None,
                env::OPERATION_TIMEOUT,
                "operation-timeout",
                file.operation_timeout,
                Span(Duration::from_mins(1)),
            )?,
            connect_timeout: layers.parsed(
                None,
                env::CONNECT_TIMEOUT,
                "connect-timeout",
                file.connect_timeout,
                Span(Duration::from_secs(10)),
            )?,
            log: layers.parsed(told, env::LOG, "log", file.log, verbosity.to_owned())?,
            log_format: layers.parsed(
                typed.log_format,
                env::LOG_FORMAT,
                "log-format",
                file.log_format,
                LogFormat::Human,
            )?,
            passwords: file.passwords,
            json: typed.json,
            quiet: typed.quiet,
            color: surroundings.stderr_is_terminal && surroundings.variable(env::NO_COLOR).is_none(),
            surroundings,
        })
    }

    /// Name, value and origin of everything that can be set, for `config show`.
    pub fn rows(&self) -> Vec<(&'static str, String, String)> {
        fn row<T: fmt::Display>(name: &'static str, set: &Set<T>) -> (&'static str, String, String) {
            (name, set.value.to_string(), set.origin.to_string())
        }
        let region = self.region.value.clone().unwrap_or_else(|| "the catalog's default".to_owned());
        vec![
            ("region", region, self.region.origin.to_string()),
            row("access", &self.access),
            row("growth", &self.growth),
            row("horizon", &self.horizon),
            row("concurrency", &self.concurrency),
            row("tries", &self.tries),
            row("operation-timeout", &self.operation_timeout),
            row("connect-timeout", &self.connect_timeout),
            row("log", &self.log),
            row("log-format", &self.log_format),
        ]
    }
}

/// The configuration file and what it says; nothing where there is none.
fn configuration(typed: &Global, surroundings: &Surroundings) -> Result<(PathBuf, file::File), Failure> {
    let named = typed.config.clone().or_else(|| surroundings.variable(env::CONFIG).map(PathBuf::from));
    if let Some(path) = named {
        let file = file::read(&path)?;
        return Ok((path, file));
    }
    match surroundings.usual_config().filter(|path| path.is_file()) {
        Some(path) => {
            let file = file::read(&path)?;
            Ok((path, file))
        }
        None => Ok((PathBuf::new(), file::File::default())),
    }
}

/// Environment and file, below the flags.
struct Layers<'a> {
    surroundings: &'a Surroundings,
    path: PathBuf,
}

impl Layers<'_> {
    /// For values that the file has in their own type.
    fn settle<T, E: fmt::Display>(
        &self,
        flag: Option<T>,
        variable: &'static str,
        file: Option<T>,
        parse: impl Fn(&str) -> Result<T, E>,
        default: T,
    ) -> Result<Set<T>, Failure> {
        if let Some(value) = flag {
            return Ok(Set { value, origin: Origin::Flag });
        }
        if let Some(text) = self.surroundings.variable(variable) {
            let value = parse(text).map_err(|error| {
                Failure::new(Code::Environment, format!("the environment variable {variable} is not valid"))
                    .because(format!("`{text}`: {error}"))
            })?;
            return Ok(Set { value, origin: Origin::Environment(variable) });
        }
        Ok(match file {
            Some(value) => Set { value, origin: Origin::File(self.path.clone()) },
            None => Set { value: default, origin: Origin::Default },
        })
    }

    /// For values that the file has as text.
    fn parsed<T: FromStr<Err: fmt::Display>>(
        &self,
        flag: Option<T>,
        variable: &'static str,
        key: &str,
        file: Option<String>,
        default: T,
    ) -> Result<Set<T>, Failure> {
        let file = file.map(|text| {
            text.parse().map_err(|error| {
                let path = self.path.display();
                Failure::new(Code::ConfigFile, format!("`{key}` in the configuration `{path}` is not valid"))
                    .because(format!("{error}"))
            })
        });
        self.settle(flag, variable, file.transpose()?, str::parse, default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(variables: &[(&str, &str)]) -> Surroundings {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Surroundings {
            variables: variables.iter().map(own).collect::<BTreeMap<_, _>>(),
            stdout_is_terminal: false,
            stderr_is_terminal: false,
            keys: None,
        }
    }

    #[test]
    fn flags_go_before_environment_before_file_before_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, "horizon = 12\nconcurrency = 4\ntries = 2\n").unwrap();
        let typed = Global { config: Some(path.clone()), ..Global::default() };
        let flags = Overrides { horizon: Some(60), ..Overrides::default() };
        let env = around(&[(env::HORIZON, "24"), (env::CONCURRENCY, "8")]);
        let settings = Settings::settle(&typed, flags, env).unwrap();
        assert_eq!((settings.horizon.value, settings.horizon.origin), (60, Origin::Flag));
        assert_eq!(
            (settings.concurrency.value, settings.concurrency.origin),
            (8, Origin::Environment(env::CONCURRENCY))
        );
        assert_eq!((settings.tries.value, settings.tries.origin), (2, Origin::File(path)));
        assert_eq!((settings.growth.value, settings.growth.origin), (Percent(0.2), Origin::Default));
    }

    #[test]
    fn a_wrong_variable_is_named() {
        let failure = Settings::settle(&Global::default(), Overrides::default(), around(&[(env::GROWTH, "many")]));
        let failure = failure.unwrap_err();
        assert_eq!(failure.message, "the environment variable LONGSHORE_GROWTH is not valid");
    }

    #[test]
    fn shares_read_with_and_without_the_sign() {
        assert_eq!("20%".parse(), Ok(Percent(0.2)));
        assert_eq!("0.2".parse(), Ok(Percent(0.2)));
        assert!("abc".parse::<Percent>().is_err());
        assert!("inf".parse::<Percent>().is_err());
    }
}
