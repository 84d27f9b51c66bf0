//! Why there is no advice.

use plan::Reason;

/// Advice could not be given, or not the one that was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The inventory could not be read.
    #[error(transparent)]
    Inventory(#[from] inventory::Error),
    /// The catalog does not know the region or a price.
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    /// The entries could not be read.
    #[error("cannot read the entries of the inventory: {message}")]
    Entries {
        /// What polars said.
        message: String,
    },
    /// A time in a profile is not RFC 3339.
    #[error("`{text}` is not a time")]
    Time {
        /// What stands there.
        text: String,
    },
    /// An option has a value that makes no sense.
    #[error("{option} cannot be {value}")]
    Option {
        /// Which option.
        option: &'static str,
        /// What was given.
        value: String,
        /// What would be right.
        wanted: &'static str,
    },
    /// A service or class that the catalog does not have.
    #[error("there is no service or class `{name}`")]
    UnknownService {
        /// What was asked for.
        name: String,
        /// The one that is most like it.
        nearest: Option<String>,
        /// The services that there are.
        known: Vec<String>,
    },
    /// The service that was asked for does not fit.
    #[error("{service} was excluded for {location}: {}", texts(reasons))]
    Excluded {
        /// What was asked for.
        service: String,
        /// For which system.
        location: String,
        /// Why it was excluded.
        reasons: Vec<Reason>,
    },
    /// Nothing fits.
    #[error("no target fits {location}")]
    NothingFits {
        /// Which system.
        location: String,
    },
    /// The plan that came out does not make sense.
    #[error(transparent)]
    Plan(#[from] plan::Error),
}

fn texts(reasons: &[Reason]) -> String {
    reasons.iter().map(|r| format!("{} [{}]", r.text, r.rule)).collect::<Vec<_>>().join("; ")
}

impl Error {
    /// Stable code of the error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Inventory(_) => "E1500",
            Self::Catalog(error) => error.code(),
            Self::Entries { .. } => "E1501",
            Self::Time { .. } => "E1502",
            Self::Option { .. } => "E1503",
            Self::UnknownService { .. } => "E1504",
            Self::Excluded { .. } => "E1505",
            Self::NothingFits { .. } => "E1506",
            Self::Plan(error) => error.code(),
        }
    }
    /// What to do, where we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Inventory(error) => error.hint(),
            Self::Catalog(error) => error.hint(),
            Self::Plan(error) => error.hint(),
            Self::Entries { .. } | Self::Time { .. } => Some("run `longshore discover` again".to_owned()),
            Self::Option { wanted, .. } => Some((*wanted).to_owned()),
            Self::UnknownService { nearest: Some(nearest), .. } => Some(format!("did you mean `{nearest}`?")),
            Self::UnknownService { known, .. } => Some(format!("known: {}", known.join(", "))),
            Self::Excluded { .. } => {
                Some("choose another service, or change the option that the reason names".to_owned())
            }
            Self::NothingFits { .. } => {
                Some("read the exclusions of `longshore recommend`, and loosen what is asked for".to_owned())
            }
        }
    }
}
