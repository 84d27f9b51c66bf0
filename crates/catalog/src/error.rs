//! What can be wrong with the catalog.

use std::path::PathBuf;

/// The catalog could not be read, or does not know what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of an overriding directory could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A data file does not have the catalog's form.
    #[error("`{file}` is not a catalog file: {problem}")]
    Form {
        /// Which file.
        file: String,
        /// What is wrong, with its place where known.
        problem: String,
    },
    /// A data file has the right form and contradicts itself or another file.
    #[error("`{file}` does not hold together: {problem}")]
    Invalid {
        /// Which file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// There is no such region in the prices.
    #[error("the catalog has no prices for region `{region}`")]
    UnknownRegion {
        /// What was asked for.
        region: String,
        /// The regions that it has.
        known: Vec<String>,
    },
    /// The region does not offer this, or its price is unknown.
    #[error("the catalog has no price `{dimension}` of {service} in region `{region}`")]
    NoPrice {
        /// Id of the service.
        service: String,
        /// What was to be paid for.
        dimension: String,
        /// Where.
        region: String,
    },
}

impl Error {
    /// Stable code of the error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "E1301",
            Self::Form { .. } => "E1302",
            Self::Invalid { .. } => "E1303",
            Self::UnknownRegion { .. } => "E1304",
            Self::NoPrice { .. } => "E1305",
        }
    }
    /// What a person can do, where we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { .. } => None,
            Self::Form { .. } | Self::Invalid { .. } => {
                Some("correct the file, or remove it to use the catalog that longshore carries".to_owned())
            }
            Self::UnknownRegion { known, .. } => Some(format!("known regions: {}", known.join(", "))),
            Self::NoPrice { .. } => Some("the region may not offer it; choose another region or class".to_owned()),
        }
    }
}
