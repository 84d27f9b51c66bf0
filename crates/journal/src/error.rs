//! What can go wrong with the journal and the files beside it.

use crate::Lsn;
use std::{io, path::PathBuf, sync::Arc};

/// Why the journal could not do it. Cheap to clone: after a failed write every later call gets the first error.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process has this journal open.
    #[error("the journal in `{}` is in use{}", dir.display(), holder.map(|pid| format!(" by process {pid}")).unwrap_or_default())]
    Locked {
        /// The journal's directory.
        dir: PathBuf,
        /// Process id of who holds it, where the lock file tells.
        holder: Option<u32>,
    },
    /// The operating system said no.
    #[error("cannot {op} `{}`: {source}", path.display())]
    Io {
        /// Reads after "cannot": `write`, `open`, …
        op: &'static str,
        /// Which file or directory.
        path: PathBuf,
        /// In the system's words.
        source: Arc<io::Error>,
    },
    /// Bytes that were durable are not what was written.
    #[error("`{}` is damaged at byte {offset}: {problem}", file.display())]
    Damaged {
        /// Which file.
        file: PathBuf,
        /// Where in it the bad frame begins, in bytes.
        offset: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The file was written by a newer version of the tool.
    #[error("`{}` has format version {found}; this version reads up to {known}", file.display())]
    NewerFormat {
        /// Which file.
        file: PathBuf,
        /// Format version in it.
        found: u16,
        /// Newest format version that we read.
        known: u16,
    },
    /// The file does not begin like one of ours.
    #[error("`{}` is not a {wanted}", file.display())]
    NotOurs {
        /// Which file.
        file: PathBuf,
        /// What it should be.
        wanted: &'static str,
    },
    /// A record holds something that this version does not know.
    #[error("`{}` at byte {offset}: unknown {what} {tag}", file.display())]
    Unknown {
        /// Which file.
        file: PathBuf,
        /// Where the frame with the record begins, in bytes.
        offset: u64,
        /// What is unknown: `record`, `kind`, …
        what: &'static str,
        /// Its tag.
        tag: u8,
    },
    /// A record, key or value is larger than the format holds.
    #[error("{what} of {bytes} bytes is too large (at most {most})")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size in bytes.
        bytes: usize,
        /// The largest possible, in bytes.
        most: usize,
    },
    /// A file of the journal is missing.
    #[error("the journal in `{}` has no record {missing}; a file of it is missing", dir.display())]
    Gap {
        /// The journal's directory.
        dir: PathBuf,
        /// The first record that is missing, by number.
        missing: u64,
    },
    /// The writer was closed.
    #[error("the journal is closed")]
    Closed,
    /// The thread that writes ended without having been asked to.
    #[error("the journal's writer ended unexpectedly")]
    WriterDied,
    /// Nobody appended this record, so it can never become durable.
    #[error("record {} was never appended", .0.0)]
    NeverAppended(Lsn),
    /// A run result or list of failures that cannot be read or written.
    #[error("`{}` is not a run result: {problem}", path.display())]
    BadResult {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl Error {
    /// An error of the operating system; `op` reads after "cannot".
    pub(crate) fn io(op: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { op, path, source: Arc::new(source) }
    }

    /// The stable code that people see, `E1401` to `E1412`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "E1401",
            Self::Io { .. } => "E1402",
            Self::Damaged { .. } => "E1403",
            Self::NewerFormat { .. } => "E1404",
            Self::NotOurs { .. } => "E1405",
            Self::Unknown { .. } => "E1406",
            Self::TooLarge { .. } => "E1407",
            Self::Gap { .. } => "E1408",
            Self::Closed => "E1409",
            Self::WriterDied => "E1410",
            Self::NeverAppended(_) => "E1411",
            Self::BadResult { .. } => "E1412",
        }
    }

    /// What a person can do about it, when we know.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Locked { dir, .. } => {
                format!("wait for the other run to end, or give this one another directory than `{}`", dir.display())
            }
            Self::Io { source, path, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    format!("free space on the disk of `{}` and run again: it goes on where it stopped", path.display())
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    format!("make `{}` writable for the user who runs this", path.display())
                }
                _ => return None,
            },
            Self::Damaged { .. } | Self::Gap { .. } => {
                "restore the journal from a copy, or move its directory away and run again: what is at the target is \
                 compared and adopted, not sent twice"
                    .to_owned()
            }
            Self::NewerFormat { .. } | Self::Unknown { .. } => {
                "use the version of longshore that wrote it, or a newer one".to_owned()
            }
            Self::NotOurs { .. } => "was the right directory given?".to_owned(),
            Self::TooLarge { .. }
            | Self::Closed
            | Self::WriterDied
            | Self::NeverAppended(_)
            | Self::BadResult { .. } => return None,
        })
    }
}
