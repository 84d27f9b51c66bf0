//! Why a discovery did not come to its end.

/// Why a discovery did not come to its end. Whatever was found is kept: the same discovery goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system cannot be read at all.
    #[error(transparent)]
    Source(#[from] storage::Error),
    /// The system stopped answering.
    #[error("the system no longer answers, after {entries} entries")]
    Gone {
        /// Entries that are safely kept.
        entries: u64,
        /// The last of its answers.
        #[source]
        last: storage::Error,
    },
    /// The inventory cannot be written.
    #[error(transparent)]
    Inventory(#[from] inventory::Error),
    /// It was told to stop.
    #[error("discovery was interrupted after {entries} entries")]
    Interrupted {
        /// Entries that are safely kept.
        entries: u64,
    },
}

impl Error {
    /// What a person can do about it, where we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Source(error) => error.hint_text().map(str::to_owned),
            Self::Gone { last, .. } => {
                let again = "when it is back, run the same command again: it goes on where it stopped";
                Some(last.hint_text().map_or_else(|| again.to_owned(), |hint| format!("{hint}; {again}")))
            }
            Self::Inventory(error) => error.hint(),
            Self::Interrupted { .. } => Some("run the same command again: it goes on where it stopped".to_owned()),
        }
    }
}
