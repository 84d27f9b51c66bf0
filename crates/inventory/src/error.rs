//! What can go wrong with the files of an inventory.

use std::{io, path::PathBuf};

/// Why an inventory could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("cannot {op} `{}`", path.display())]
    Io {
        /// Reads after "cannot".
        op: &'static str,
        /// Which file or directory.
        path: PathBuf,
        /// In the system's own words.
        #[source]
        source: io::Error,
    },
    /// A file is there but does not hold what it should.
    #[error("`{}` cannot be understood: {problem}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file was written by a later version of the tool, or is of another kind.
    #[error("`{}` has the schema `{found}`, this version reads `{known}`", path.display())]
    Schema {
        /// Which file.
        path: PathBuf,
        /// What it says of itself.
        found: String,
        /// What this version reads.
        known: &'static str,
    },
    /// The directory is not an inventory.
    #[error("`{}` is not an inventory: it has no inventory.json", path.display())]
    NotAnInventory {
        /// Which directory.
        path: PathBuf,
    },
    /// A new inventory was to be made in a directory that holds something else.
    #[error("`{}` is not empty and is not an inventory", path.display())]
    Occupied {
        /// Which directory.
        path: PathBuf,
    },
    /// The inventory has no system of this name.
    #[error("the inventory `{}` has no system `{name}`; it has: {}", path.display(), known.join(", "))]
    NoSuchSystem {
        /// Which inventory.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The discovery of a system has not come to its end.
    #[error("the discovery of `{name}` in `{}` is not finished", path.display())]
    Unfinished {
        /// Which inventory.
        path: PathBuf,
        /// Which system.
        name: String,
    },
    /// Another process works on the same system.
    #[error("another process is writing to `{}`", path.display())]
    Locked {
        /// Which directory.
        path: PathBuf,
    },
    /// Parquet or Arrow refused.
    #[error("cannot {op} `{}`", path.display())]
    Parquet {
        /// Reads after "cannot".
        op: &'static str,
        /// Which file.
        path: PathBuf,
        /// In the library's own words.
        #[source]
        source: parquet::errors::ParquetError,
    },
}

impl Error {
    /// For `map_err`: an input or output error with its place.
    pub(crate) fn io(op: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { op, path, source }
    }
    /// For `map_err`: a Parquet error with its place.
    pub(crate) fn parquet<E: Into<parquet::errors::ParquetError>>(
        op: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(E) -> Self {
        let path = path.into();
        move |source| Self::Parquet { op, path, source: source.into() }
    }
    /// What a person can do about it, where we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(
                    "make room on that file system, then run the same command again: it goes on where it stopped"
                        .into(),
                ),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Some("choose a directory that you may write to".into())
                }
                _ => None,
            },
            Self::Malformed { .. } => {
                Some("run `longshore discover` again into another directory, or restore the file".into())
            }
            Self::Schema { found, known, .. } => {
                let family = |schema: &str| schema.split_once("/v").map(|(family, _)| family.to_owned());
                Some(if family(found) == family(known) {
                    "it was written by a newer version of longshore: use that version, or discover again".into()
                } else {
                    "it is a file of another kind: check the path".into()
                })
            }
            Self::NotAnInventory { .. } => {
                Some("give the directory that `longshore discover -o` wrote, such as `site.inv`".into())
            }
            Self::Occupied { .. } => Some("choose a new or an empty directory".into()),
            Self::Unfinished { .. } => {
                Some("run the same `longshore discover` again: it goes on where it stopped".into())
            }
            Self::Locked { .. } => {
                Some("wait until it has ended, or choose another directory for the inventory".into())
            }
            Self::NoSuchSystem { .. } | Self::Parquet { .. } => None,
        }
    }
}
