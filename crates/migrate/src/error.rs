//! Why a move could not finish. What goes wrong with one item is not here: it is in the tally.

use model::RelPath;

/// Why a move could not finish.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The journal cannot be trusted or written: we cannot keep our promise.
    #[error("the journal of this run cannot be used")]
    Journal(#[from] journal::Error),
    /// A file of the run's own folder cannot be read or written.
    #[error("cannot use `{path}`")]
    RunFolder {
        /// Which file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The run folder belongs to another move.
    #[error("the run folder `{folder}` belongs to another move ({was})")]
    OtherMove {
        /// The folder.
        folder: String,
        /// The move it belongs to.
        was: String,
    },
    /// The source or the target became unusable.
    #[error("the {side} became unusable")]
    Location {
        /// `source` or `target`.
        side: &'static str,
        /// What the driver said.
        source: storage::Error,
    },
    /// Too many items failed.
    #[error("stopped after {failed} failed items (limit {limit})")]
    TooManyFailures {
        /// How many failed.
        failed: u64,
        /// The plan's limit.
        limit: u64,
    },
    /// The plan asks for something that source and target cannot do together.
    #[error("{what}")]
    Impossible {
        /// What, in words.
        what: String,
    },
    /// A listing was not what its driver promised.
    #[error("the run's own record of `{path}` cannot be read back")]
    Spool {
        /// The path, as far as it is known.
        path: RelPath,
    },
    /// One of our own tasks ended without an answer.
    #[error("a task of the run ended without an answer: {0}")]
    Task(String),
}

impl Error {
    /// The stable code that people see.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Journal(_) => "E1601",
            Self::RunFolder { .. } => "E1602",
            Self::OtherMove { .. } => "E1603",
            Self::Location { .. } => "E1604",
            Self::TooManyFailures { .. } => "E1605",
            Self::Impossible { .. } => "E1606",
            Self::Spool { .. } => "E1607",
            Self::Task(_) => "E1608",
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Journal(error) => return error.hint(),
            Self::RunFolder { .. } => "check that the folder can be written and has room".to_owned(),
            Self::OtherMove { .. } => "name another folder with `--run`, or move the old one away".to_owned(),
            Self::Location { source, .. } => match source.hint_text() {
                Some(hint) => hint.to_owned(),
                None => "mend it and run the same command again: it goes on where it stopped".to_owned(),
            },
            Self::TooManyFailures { .. } => {
                "see `failures.ndjson` in the run folder; raise `max-failures` in the plan to go on regardless"
                    .to_owned()
            }
            Self::Impossible { .. } => return None,
            Self::Spool { .. } | Self::Task(_) => {
                "run the same command again; if it happens twice, please report it".to_owned()
            }
        })
    }
}

/// What a part of the engine answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Task(error.to_string())
    }
}
