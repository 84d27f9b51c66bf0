//! From text to systems, with the line of whatever is wrong.

use super::{SecretRef, SystemEntry, Systems, SystemsError};
use crate::many;
use model::Location;
use std::{ops::Range, path::PathBuf, str::FromStr};
use storage::Windows;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Keys of a system; `[defaults]` takes all but the first.
const KEYS: [&str; 9] = [
    "uri",
    "user",
    "password",
    "keytab",
    "principal",
    "max-requests-per-second",
    "max-bandwidth",
    "concurrency",
    "window",
];
const TABLES: [&str; 2] = ["defaults", "system"];

type Item<'i> = Spanned<DeValue<'i>>;

/// The text and where its lines begin.
struct Text<'i>(&'i str);

impl Text<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.0.as_bytes().get(..span.start).unwrap_or(self.0.as_bytes());
        before.split(|byte| *byte == b'\n').count()
    }
    fn wrong(&self, span: &Range<usize>, problem: impl Into<String>) -> SystemsError {
        SystemsError { line: self.line(span), problem: problem.into(), hint: None }
    }
    fn unknown(&self, span: &Range<usize>, name: &str, known: &[&str]) -> SystemsError {
        let near = known.iter().map(|known| (strsim::damerau_levenshtein(name, known), known));
        let near = near.filter(|(distance, _)| *distance <= 3).min_by_key(|(distance, _)| *distance);
        let hint = near
            .map_or_else(|| format!("known are: {}", known.join(", ")), |(_, near)| format!("did you mean `{near}`?"));
        SystemsError { hint: Some(hint), ..self.wrong(span, format!("unknown key `{name}`")) }
    }
}

pub(super) fn parse(raw: &str) -> Result<Systems, SystemsError> {
    let text = Text(raw);
    let document = DeTable::parse(raw).map_err(|error| {
        let span = error.span().unwrap_or_default();
        text.wrong(&span, error.message().to_owned())
    })?;
    let (mut defaults, mut tables) = (None, None);
    for (key, value) in document.get_ref() {
        match key.get_ref().as_ref() {
            "defaults" => defaults = Some(value),
            "system" => tables = Some(value),
            other => return Err(text.unknown(&key.span(), other, &TABLES)),
        }
    }
    let mut base = Fields::default();
    if let Some(value) = defaults {
        let DeValue::Table(table) = value.get_ref() else {
            return Err(text.wrong(&value.span(), "`defaults` is a table: write `[defaults]`"));
        };
        base.fill(&text, table, &KEYS[1..])?;
    }
    let none = |span: Range<usize>| SystemsError {
        hint: Some("write `[[system]]` and under it `uri = \"nfs://host/export\"`".to_owned()),
        ..text.wrong(&span, "there is no system")
    };
    let Some(tables) = tables else { return Err(none(0..0)) };
    let DeValue::Array(items) = tables.get_ref() else { return Err(none(tables.span())) };
    let mut systems: Vec<SystemEntry> = Vec::new();
    for item in items {
        let DeValue::Table(table) = item.get_ref() else {
            return Err(text.wrong(&item.span(), "a system is a table: write `[[system]]`"));
        };
        let mut fields = base.clone();
        fields.fill(&text, table, &KEYS)?;
        let Some(uri) = fields.uri.clone() else {
            return Err(text.wrong(&item.span(), "this system has no `uri`"));
        };
        if many::twice(systems.iter().map(|known| &known.uri).chain([&uri])).is_err() {
            return Err(text.wrong(&item.span(), format!("`{uri}` is there twice")));
        }
        systems.push(fields.into_entry(uri, text.line(&item.span())));
    }
    if systems.is_empty() {
        return Err(none(tables.span()));
    }
    Ok(Systems { systems })
}

/// What a table says.
#[derive(Clone, Default)]
struct Fields {
    uri: Option<Location>,
    user: Option<String>,
    password: Option<SecretRef>,
    keytab: Option<PathBuf>,
    principal: Option<String>,
    max_requests_per_second: Option<std::num::NonZeroU32>,
    max_bandwidth: Option<std::num::NonZeroU64>,
    concurrency: Option<std::num::NonZeroUsize>,
    window: Option<Windows>,
}

impl Fields {
    fn fill(&mut self, text: &Text<'_>, table: &DeTable<'_>, known: &[&str]) -> Result<(), SystemsError> {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                return Err(text.unknown(&key.span(), name, known));
            }
            match name {
                "uri" => self.uri = Some(parsed(text, value, name)?),
                "user" => self.user = Some(string(text, value, name)?.to_owned()),
                "password" => self.password = Some(parsed(text, value, name)?),
                "keytab" => self.keytab = Some(PathBuf::from(string(text, value, name)?)),
                "principal" => self.principal = Some(string(text, value, name)?.to_owned()),
                "max-requests-per-second" => self.max_requests_per_second = Some(number(text, value, name)?),
                "max-bandwidth" => self.max_bandwidth = Some(bandwidth(text, value, name)?),
                "concurrency" => self.concurrency = Some(number(text, value, name)?),
                _ => self.window = Some(parsed(text, value, name)?),
            }
        }
        Ok(())
    }

    fn into_entry(self, uri: Location, line: usize) -> SystemEntry {
        SystemEntry {
            uri,
            line,
            user: self.user,
            password: self.password,
            keytab: self.keytab,
            principal: self.principal,
            max_requests_per_second: self.max_requests_per_second,
            max_bandwidth: self.max_bandwidth,
            concurrency: self.concurrency,
            window: self.window,
        }
    }
}

fn string<'v>(text: &Text<'_>, value: &'v Item<'_>, name: &str) -> Result<&'v str, SystemsError> {
    match value.get_ref() {
        DeValue::String(found) if !found.is_empty() => Ok(found),
        _ => Err(text.wrong(&value.span(), format!("`{name}` must be a text in quotes"))),
    }
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(
    text: &Text<'_>,
    value: &Item<'_>,
    name: &str,
) -> Result<T, SystemsError> {
    let wrong = |error: T::Err| text.wrong(&value.span(), format!("`{name}`: {error}"));
    string(text, value, name)?.parse().map_err(wrong)
}

fn number<T: FromStr>(text: &Text<'_>, value: &Item<'_>, name: &str) -> Result<T, SystemsError> {
    let digits = match value.get_ref() {
        DeValue::Integer(found) if found.radix() == 10 => found.as_str().replace('_', ""),
        _ => String::new(),
    };
    digits.parse().map_err(|_| text.wrong(&value.span(), format!("`{name}` must be a whole number from 1 on")))
}

/// `100MiB/s`; the `/s` may be left out.
fn bandwidth(text: &Text<'_>, value: &Item<'_>, name: &str) -> Result<std::num::NonZeroU64, SystemsError> {
    let wrong = || text.wrong(&value.span(), format!("`{name}` must be bytes per second, such as \"100MiB/s\""));
    let raw = string(text, value, name)?.trim();
    let size = raw.strip_suffix("/s").unwrap_or(raw).trim().parse::<model::ByteSize>().map_err(|_| wrong())?;
    std::num::NonZeroU64::new(size.0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_file_says_what_it_says_and_defaults_the_rest() {
        let text = r#"
[defaults]
concurrency = 8
window = "mon-fri 20:00-06:00"
password = "env:COMMON"

[[system]]
uri = "smb://filer01/projects"
user = 'CORP\reader'
password = "file:/etc/secret"
max-requests-per-second = 500
max-bandwidth = "100MiB/s"

[[system]]
uri = "nfs://filer01/home"
concurrency = 2
"#;
        let systems = Systems::parse(text).unwrap().systems;
        assert_eq!(systems.len(), 2);
        let first = &systems[0];
        assert_eq!((first.uri.to_string().as_str(), first.line), ("smb://filer01/projects", 7));
        assert_eq!(first.user.as_deref(), Some("CORP\\reader"));
        assert_eq!(first.password, Some(SecretRef::File("/etc/secret".into())));
        assert_eq!(first.max_requests_per_second.map(u32::from), Some(500));
        assert_eq!(first.max_bandwidth.map(u64::from), Some(100 << 20));
        assert_eq!(first.concurrency.map(usize::from), Some(8));
        assert!(first.window.is_some());
        let second = &systems[1];
        assert_eq!(second.password, Some(SecretRef::Env("COMMON".into())));
        assert_eq!((second.concurrency.map(usize::from), second.user.clone()), (Some(2), None));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_without_its_secret() {
        let refused = |text: &str| Systems::parse(text).unwrap_err();
        let error = refused("[[system]]\nuri = \"nfs://h/e\"\npasswrod = \"env:X\"\n");
        assert_eq!((error.line, error.hint.as_deref()), (3, Some("did you mean `password`?")));
        let error = refused("[[system]]\nuri = \"nfs://h/e\"\npassword = \"hunter2\"\n");
        assert_eq!(error.line, 3);
        assert!(error.problem.contains("env:NAME") && !error.to_string().contains("hunter2"), "{error}");
        let error = refused("[[system]]\nuri = \"nfs://h/e\"\n\n[[system]]\nuri = \"nfs://H/e/\"\n");
        assert!(error.line == 4 && error.problem.contains("twice"), "{error}");
        assert!(refused("").problem.contains("no system"));
        assert!(refused("[defaults]\nuri = \"nfs://h/e\"").problem.contains("unknown key `uri`"));
        assert!(refused("[sistem]\n").hint.unwrap().contains("`system`"));
        assert_eq!(refused("[[system]]\nuri = \n").line, 2);
        for (line, part) in [
            ("concurrency = 0", "whole number"),
            ("max-bandwidth = \"fast\"", "100MiB/s"),
            ("window = \"nights\"", "no window"),
            ("user = 5", "text in quotes"),
        ] {
            let error = refused(&format!("[[system]]\nuri = \"nfs://h/e\"\n{line}\n"));
            assert!(error.line == 3 && error.problem.contains(part), "{error}");
        }
        assert!(refused("[[system]]\nuser = \"x\"\n").problem.contains("no `uri`"));
        let error = refused("[[system]]\nuri = \"smb://anna:hunter2@h/s\"\n");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "[\\[\\]a-z=\"0-9 .\n:/-]{0,120}") {
            Systems::parse(&text).ok();
        }
    }
}
