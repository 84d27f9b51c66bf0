//! The configuration file: TOML, kebab-case, unknown keys refused with the nearest name.

use crate::failure::{Code, Failure};
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path};

/// What a configuration file may say. Everything is text as on the command line, units included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct File {
    /// See `Settings::region`.
    pub region: Option<String>,
    /// See `Settings::access`.
    pub access: Option<String>,
    /// See `Settings::growth`.
    pub growth: Option<String>,
    /// See `Settings::horizon`.
    pub horizon: Option<u32>,
    /// See `Settings::concurrency`.
    pub concurrency: Option<u32>,
    /// See `Settings::tries`.
    pub tries: Option<u32>,
    /// See `Settings::operation_timeout`.
    pub operation_timeout: Option<String>,
    /// See `Settings::connect_timeout`.
    pub connect_timeout: Option<String>,
    /// See `Settings::log`.
    pub log: Option<String>,
    /// See `Settings::log_format`.
    pub log_format: Option<String>,
    /// See `Settings::passwords`.
    pub passwords: BTreeMap<String, String>,
}

/// The keys of a configuration file.
pub const KEYS: [&str; 11] = [
    "region",
    "access",
    "growth",
    "horizon",
    "concurrency",
    "tries",
    "operation-timeout",
    "connect-timeout",
    "log",
    "log-format",
    "passwords",
];

/// Reads a file that must be there.
pub fn read(path: &Path) -> Result<File, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(Code::ConfigFile, format!("cannot read the configuration `{}`", path.display()))
            .because(error)
            .hint("check the path given with `--config` or in LONGSHORE_CONFIG")
    })?;
    parse(&text, path)
}

fn parse(text: &str, path: &Path) -> Result<File, Failure> {
    toml::from_str(text).map_err(|error| {
        let failure = Failure::new(Code::ConfigFile, format!("the configuration `{}` is not valid", path.display()))
            .because(error.to_string().trim_end());
        match unknown_key(error.message()).and_then(|key| nearest(key, KEYS)) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint(format!("the keys are: {}", KEYS.join(", "))),
        }
    })
}

/// The key that serde did not know, out of its message: the only place where it says so.
pub fn unknown_key(message: &str) -> Option<&str> {
    message.split_once("unknown field `")?.1.split_once('`').map(|(key, _)| key)
}

/// The most similar word, if any is similar enough to be meant.
pub fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    words
        .into_iter()
        .map(|candidate| {
            // Two letters that changed places are the commonest slip, and in a short word Jaro-Winkler misses it.
            let slip = strsim::damerau_levenshtein(word, candidate) <= 1;
            (if slip { 1.0 } else { strsim::jaro_winkler(word, candidate) }, candidate)
        })
        .filter(|(similar, _)| *similar > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_name() {
        let failure = parse("regoin = \"eu-west-1\"", Path::new("c.toml")).unwrap_err();
        assert_eq!(failure.hint.as_deref(), Some("did you mean `region`?"));
        assert_eq!(parse("horizon = 12", Path::new("c.toml")).unwrap().horizon, Some(12));
    }

    #[test]
    fn every_key_of_the_list_is_read() {
        for key in KEYS {
            let number = matches!(key, "horizon" | "concurrency" | "tries");
            let line = match key {
                "passwords" => "[passwords]\n\"filer\" = \"env:X\"".to_owned(),
                _ if number => format!("{key} = 1"),
                _ => format!("{key} = \"x\""),
            };
            assert_ne!(parse(&line, Path::new("c.toml")).unwrap(), File::default(), "{key}");
        }
    }
}
