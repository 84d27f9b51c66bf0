//! What goes wrong while an image is read, and how the store says it.

use crate::wire::WireError;
use model::RelPath;
use std::{borrow::Cow, io};
use storage::{Error, ErrorKind, Reach};

/// Why reading an image ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// The image cannot be read from disk.
    #[error("the image cannot be read")]
    Image(#[source] io::Error),
    /// The scratch files cannot be written or read.
    #[error("a scratch file failed")]
    Scratch(#[source] io::Error),
    /// The scratch files would grow beyond what they may.
    #[error("the scratch files need more than {0} bytes")]
    ScratchFull(u64),
    /// The image is not what its format says.
    #[error("{section}: {problem}")]
    Corrupt {
        /// Section of the image, or `the file`.
        section: Cow<'static, str>,
        /// What is wrong there.
        problem: Cow<'static, str>,
    },
    /// A format, version or codec that is not read here.
    #[error("{0}")]
    Unsupported(String),
    /// The caller went away.
    #[error("reading was given up")]
    Cancelled,
}

pub(crate) type Outcome<T> = Result<T, Broken>;

/// The image breaks its own format in `section`.
pub(crate) fn corrupt(section: &str, problem: impl Into<Cow<'static, str>>) -> Broken {
    Broken::Corrupt { section: Cow::Owned(section.to_owned()), problem: problem.into() }
}

/// The same for a message that does not read as protobuf.
pub(crate) fn misread(section: &str) -> impl Fn(WireError) -> Broken + '_ {
    move |error| corrupt(section, error.to_string())
}

impl Broken {
    /// As the door says it: what we were doing, the kind, a hint.
    pub(crate) fn told(self, op: &'static str, path: &RelPath) -> Error {
        let kind = match &self {
            Self::Image(error) | Self::Scratch(error) => match error.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::PermissionDenied => ErrorKind::Denied,
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::NoSpace,
                io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => ErrorKind::Invalid,
                _ => ErrorKind::Unexpected,
            },
            Self::ScratchFull(_) => ErrorKind::NoSpace,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Unsupported(_) => ErrorKind::Unsupported,
            Self::Cancelled => ErrorKind::Unexpected,
        };
        let hint = match &self {
            Self::Scratch(_) | Self::ScratchFull(_) => Some(
                "reading an image takes temporary space of about two to three times its uncompressed size; name a \
                 scratch directory with more room",
            ),
            Self::Corrupt { .. } => Some(
                "fetch the image again and compare its MD5 with the `.md5` file beside it on the NameNode; an image \
                 that is still being written or copied ends too early",
            ),
            Self::Image(_) | Self::Unsupported(_) | Self::Cancelled => None,
        };
        let error = Error::new(kind, op).at(path).with_reach(Reach::Location).because(self);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}
