//! From text to a plan that makes sense, with the line of whatever does not.
//!
//! serde alone would refuse an unknown key, but without the nearest name and, inside arrays of tables,
//! often with the line of the wrong table. So keys are checked on the parsed document first.

use crate::{Error, PLAN_SCHEMA, Place, Plan, check::Fault};
use std::{collections::BTreeMap, fs, path::Path};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

pub(crate) const TOP_KEYS: &[&str] = &["schema", "inventory-sha256", "catalog-as-of", "move"];
pub(crate) const MOVE_KEYS: &[&str] = &[
    "name",
    "from",
    "to",
    "service",
    "configuration",
    "names",
    "verify",
    "max-failures",
    "memory",
    "concurrency",
    "part-size",
    "step",
];
pub(crate) const STEP_KEYS: &[&str] = &["do"];
pub(crate) const NAMES_WORDS: &[&str] = &["refuse", "escape", "restore"];
pub(crate) const VERIFY_WORDS: &[&str] = &["stamp", "digest", "read-back"];
pub(crate) const STEP_WORDS: &[&str] = &["preflight", "transfer", "verify"];
/// A name further away than this is no typing error.
const NEAR: f64 = 0.7;

impl Plan {
    /// Reads a plan. Unknown keys and words are refused with the nearest known one; values are checked
    /// together as by [`Plan::check`]. A plan with placeholders is read; see [`Plan::ready`].
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let lines = Lines(text);
        let document = DeTable::parse(text).map_err(|e| Error::Syntax {
            format: "TOML",
            place: Place { line: e.span().map(|span| lines.of(span.start)), ..Place::default() },
            message: e.message().trim().to_owned(),
        })?;
        let places = Places::of(document.get_ref(), lines)?;
        let plan: Self = toml::from_str(text).map_err(|e| Error::Value {
            place: e.span().map(|span| places.at(lines.of(span.start))).unwrap_or_default(),
            message: e.message().trim().to_owned(),
        })?;
        match plan.fault() {
            None => Ok(plan),
            Some(fault) => Err(places.refuse(fault)),
        }
    }

    /// Reads a plan from a file.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::from_toml(&text)
    }
}

/// The text, to turn offsets into lines.
#[derive(Clone, Copy)]
struct Lines<'a>(&'a str);

impl Lines<'_> {
    /// The line of a byte offset, from 1.
    fn of(self, offset: usize) -> usize {
        1 + self.0.bytes().take(offset).filter(|b| *b == b'\n').count()
    }
}

/// The lines of every key of every move.
struct Places {
    moves: Vec<BTreeMap<String, usize>>,
}

impl Places {
    /// Checks all keys and words on the way.
    fn of(document: &DeTable<'_>, lines: Lines<'_>) -> Result<Self, Error> {
        let schema = document.get("schema").and_then(|v| v.get_ref().as_str()).unwrap_or_default();
        if schema != PLAN_SCHEMA {
            return Err(Error::Schema { found: schema.to_owned(), wanted: PLAN_SCHEMA });
        }
        let nowhere = Place::default();
        check_keys(document, TOP_KEYS, &nowhere, lines)?;
        let mut moves = Vec::new();
        let tables = document.get("move").and_then(|v| v.get_ref().as_array()).into_iter().flatten();
        for (i, table) in tables.enumerate() {
            let place = Place { of_move: Some(i + 1), ..Place::default() };
            let Some(keys) = table.get_ref().as_table() else { continue };
            check_keys(keys, MOVE_KEYS, &place, lines)?;
            check_word(keys, "names", NAMES_WORDS, &place, lines)?;
            check_word(keys, "verify", VERIFY_WORDS, &place, lines)?;
            let steps = keys.get("step").and_then(|v| v.get_ref().as_array()).into_iter().flatten();
            for (n, step) in steps.enumerate() {
                let place = Place { of_step: Some(n + 1), ..place.clone() };
                let Some(keys) = step.get_ref().as_table() else { continue };
                check_keys(keys, STEP_KEYS, &place, lines)?;
                check_word(keys, "do", STEP_WORDS, &place, lines)?;
            }
            let mut places: BTreeMap<String, usize> =
                keys.keys().map(|key| (key.get_ref().to_string(), lines.of(key.span().start))).collect();
            places.insert(String::new(), lines.of(table.span().start));
            moves.push(places);
        }
        Ok(Self { moves })
    }

    /// Which move a line belongs to.
    fn at(&self, line: usize) -> Place {
        let first = |keys: &BTreeMap<String, usize>| keys.values().copied().min().unwrap_or(0);
        let of_move = self.moves.iter().rposition(|keys| first(keys) <= line);
        Place { of_move: of_move.map(|i| i + 1), of_step: None, line: Some(line) }
    }

    fn refuse(&self, fault: Fault) -> Error {
        let keys = fault.of_move.and_then(|i| self.moves.get(i));
        let line = keys.and_then(|keys| keys.get(fault.key).or_else(|| keys.get(""))).copied();
        fault.into_error(line)
    }
}

fn check_keys(
    table: &DeTable<'_>,
    known: &'static [&'static str],
    place: &Place,
    lines: Lines<'_>,
) -> Result<(), Error> {
    // In the order of the text, so that the first mistake is told first.
    let unknown = table.keys().filter(|key| !known.contains(&key.get_ref().as_ref()));
    let Some(key) = unknown.min_by_key(|key| key.span().start) else { return Ok(()) };
    Err(Error::UnknownKey {
        key: key.get_ref().to_string(),
        place: Place { line: Some(lines.of(key.span().start)), ..place.clone() },
        nearest: nearest(key.get_ref(), known),
        known,
    })
}

fn check_word(
    table: &DeTable<'_>,
    key: &'static str,
    known: &'static [&'static str],
    place: &Place,
    lines: Lines<'_>,
) -> Result<(), Error> {
    let Some(value) = table.get(key) else { return Ok(()) };
    let Some(word) = text_of(value).filter(|word| !known.contains(word)) else { return Ok(()) };
    Err(Error::UnknownWord {
        key,
        value: word.to_owned(),
        place: Place { line: Some(lines.of(value.span().start)), ..place.clone() },
        nearest: nearest(word, known),
        known,
    })
}

fn text_of<'a>(value: &'a Spanned<DeValue<'_>>) -> Option<&'a str> {
    value.get_ref().as_str()
}

/// The known word that is most like `word`, if any is like it at all.
fn nearest(word: &str, known: &'static [&'static str]) -> Option<&'static str> {
    let word = word.to_lowercase().replace('_', "-");
    known
        .iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(&word, candidate), *candidate))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
