//! Why a plan or a recommendation was refused.

use std::{fmt, path::PathBuf};

/// A file of this crate could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is not TOML, or not JSON.
    #[error("not valid {format} ({place}): {message}")]
    Syntax {
        /// `TOML` or `JSON`.
        format: &'static str,
        /// Where.
        place: Place,
        /// What the parser said.
        message: String,
    },
    /// The document is of another kind or version.
    #[error("schema is `{found}`, this version reads `{wanted}`")]
    Schema {
        /// What the document says of itself; empty when it says nothing.
        found: String,
        /// What is read here.
        wanted: &'static str,
    },
    /// A key that the format does not have.
    #[error("unknown key `{key}` in {place}")]
    UnknownKey {
        /// What was written.
        key: String,
        /// Where.
        place: Place,
        /// The known key that is most like it.
        nearest: Option<&'static str>,
        /// All keys that may stand there.
        known: &'static [&'static str],
    },
    /// A word that the key does not take.
    #[error("`{key}` cannot be `{value}` in {place}")]
    UnknownWord {
        /// Which key.
        key: &'static str,
        /// What was written.
        value: String,
        /// Where.
        place: Place,
        /// The known word that is most like it.
        nearest: Option<&'static str>,
        /// All words that it takes.
        known: &'static [&'static str],
    },
    /// A value of the wrong kind, or a missing key.
    #[error("{message} ({place})")]
    Value {
        /// Where.
        place: Place,
        /// What is wrong.
        message: String,
    },
    /// Every value can be read, but they do not make sense together.
    #[error("{problem} in {place}")]
    Invalid {
        /// Where.
        place: Place,
        /// What is wrong.
        problem: String,
        /// What would be right.
        remedy: String,
    },
    /// A target was never filled in.
    #[error("the target of move `{name}` is still the placeholder `{to}`")]
    Placeholder {
        /// Name of the move.
        name: String,
        /// The placeholder.
        to: String,
        /// What to write there.
        remedy: &'static str,
    },
}

/// Where in a document: `move 2 (line 14)`, `step 1 of move 2 (line 20)`, `the plan (line 3)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Number of the move, from 1.
    pub of_move: Option<usize>,
    /// Number of the step in the move, from 1.
    pub of_step: Option<usize>,
    /// Line in the text, from 1.
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.of_move, self.of_step) {
            (Some(n), Some(step)) => write!(f, "step {step} of move {n}")?,
            (Some(n), None) => write!(f, "move {n}")?,
            (None, _) => f.write_str("the document")?,
        }
        match self.line {
            Some(line) => write!(f, " (line {line})"),
            None => Ok(()),
        }
    }
}

impl Error {
    /// Stable code of the error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "E1201",
            Self::Syntax { .. } => "E1202",
            Self::Schema { .. } => "E1203",
            Self::UnknownKey { .. } => "E1204",
            Self::UnknownWord { .. } => "E1205",
            Self::Value { .. } => "E1206",
            Self::Invalid { .. } => "E1207",
            Self::Placeholder { .. } => "E1208",
        }
    }

    /// What to do, where we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { .. } => Some("write a plan with `longshore recommend SITE.inv -o plan.toml`".to_owned()),
            Self::Schema { found, wanted } if found.is_empty() => {
                Some(format!("the document must say `schema = \"{wanted}\"`"))
            }
            Self::Schema { wanted, .. } => Some(format!("give a document of schema `{wanted}`, or write it anew")),
            Self::UnknownKey { nearest, known, .. } | Self::UnknownWord { nearest, known, .. } => Some(match nearest {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("known here: {}", known.join(", ")),
            }),
            Self::Value { message, .. } if message.contains("expected a string") => {
                Some("write sizes, names and locations in quotes: `memory = \"128MiB\"`".to_owned())
            }
            Self::Syntax { .. } | Self::Value { .. } => None,
            Self::Invalid { remedy, .. } => Some(remedy.clone()),
            Self::Placeholder { remedy, .. } => Some((*remedy).to_owned()),
        }
    }
}
