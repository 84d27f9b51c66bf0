//! What went wrong, said once, in the driver.

use model::RelPath;
use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

/// What happened, whether trying again may help, and how far the damage reaches.
///
/// One pointer wide: a `Result` in a hot loop stays small.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    retry: Retry,
    reach: Reach,
    op: &'static str,
    path: Option<RelPath>,
    hint: Option<String>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What happened. Nobody matches on text; a driver that cannot tell says `Unexpected`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Nothing is there (any more).
    NotFound,
    /// Something is there already.
    AlreadyExists,
    /// The server knows who we are and says no.
    Denied,
    /// The server does not accept who we say we are.
    Unauthenticated,
    /// It is not what it was when we looked.
    Changed,
    /// The server asks for patience.
    Throttled,
    /// No answer in time.
    Timeout,
    /// The connection failed or could not be made.
    Disconnected,
    /// The store cannot do this at all.
    Unsupported,
    /// The store cannot hold this name.
    NameRefused,
    /// No room, or a quota is used up.
    NoSpace,
    /// Bytes are not what their checksum says.
    Corrupt,
    /// The request makes no sense (a range beyond the end, a directory read as a file).
    Invalid,
    /// Nothing we know. Never retried, counted separately: our to-do list.
    Unexpected,
}

/// May the same thing be tried again?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It would fail again.
    Never,
    /// After a pause that grows.
    Backoff,
    /// After the pause that the server asked for. Does not use up the retry budget.
    After(Duration),
}

/// How far the damage reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// This path only: record it and go on.
    Item,
    /// This door is shut: stop using it.
    Location,
    /// We cannot keep our promise: stop at once.
    Run,
}

impl ErrorKind {
    /// Every kind, in the order of their codes.
    pub const ALL: [Self; 14] = [
        Self::NotFound,
        Self::AlreadyExists,
        Self::Denied,
        Self::Unauthenticated,
        Self::Changed,
        Self::Throttled,
        Self::Timeout,
        Self::Disconnected,
        Self::Unsupported,
        Self::NameRefused,
        Self::NoSpace,
        Self::Corrupt,
        Self::Invalid,
        Self::Unexpected,
    ];
    /// The default for a kind; a driver overrides it only when the server said otherwise.
    pub const fn retry(self) -> Retry {
        match self {
            Self::Throttled | Self::Timeout | Self::Disconnected => Retry::Backoff,
            _ => Retry::Never,
        }
    }
    /// The default for a kind; a driver overrides it only when the server said otherwise.
    pub const fn reach(self) -> Reach {
        match self {
            Self::Unauthenticated | Self::NoSpace => Reach::Location,
            _ => Reach::Item,
        }
    }
    /// One lower-case word for files and tallies: `not-found`, `denied`, …
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::AlreadyExists => "already-exists",
            Self::Denied => "denied",
            Self::Unauthenticated => "unauthenticated",
            Self::Changed => "changed",
            Self::Throttled => "throttled",
            Self::Timeout => "timeout",
            Self::Disconnected => "disconnected",
            Self::Unsupported => "unsupported",
            Self::NameRefused => "name-refused",
            Self::NoSpace => "no-space",
            Self::Corrupt => "corrupt",
            Self::Invalid => "invalid",
            Self::Unexpected => "unexpected",
        }
    }
    /// The kind for a word of [`ErrorKind::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
    /// The stable code that people see, `E2101` to `E2114`.
    pub fn code(self) -> String {
        let place = Self::ALL.iter().position(|k| *k == self).expect("ALL holds every kind");
        format!("E{}", 2101 + place)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not found",
            Self::AlreadyExists => "something is there already",
            Self::Denied => "permission denied",
            Self::Unauthenticated => "the credentials were not accepted",
            Self::Changed => "it changed meanwhile",
            Self::Throttled => "the server asks us to slow down",
            Self::Timeout => "no answer in time",
            Self::Disconnected => "the connection failed",
            Self::Unsupported => "the store cannot do this",
            Self::NameRefused => "the store cannot hold this name",
            Self::NoSpace => "no space left",
            Self::Corrupt => "the bytes do not match their checksum",
            Self::Invalid => "the request is not valid here",
            Self::Unexpected => "unexpected answer",
        })
    }
}

impl Error {
    /// `op` reads after "cannot": `list`, `read`, `open the connection to`.
    pub fn new(kind: ErrorKind, op: &'static str) -> Self {
        Self(Box::new(Inner {
            kind,
            retry: kind.retry(),
            reach: kind.reach(),
            op,
            path: None,
            hint: None,
            source: None,
        }))
    }
    /// The path it happened at.
    #[must_use]
    pub fn at(mut self, path: &RelPath) -> Self {
        self.0.path = Some(path.clone());
        self
    }
    /// The server's own words, or the error underneath.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(cause.into()));
        self
    }
    /// What a person can do about it, when we know.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }
    /// The server asked for this pause.
    #[must_use]
    pub fn retry_after(mut self, pause: Duration) -> Self {
        self.0.retry = Retry::After(pause);
        self
    }
    /// Overrides whether it may be tried again.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }
    /// Overrides how far the damage reaches.
    #[must_use]
    pub fn with_reach(mut self, reach: Reach) -> Self {
        self.0.reach = reach;
        self
    }
    /// What happened.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
    /// May it be tried again?
    pub fn retry(&self) -> Retry {
        self.0.retry
    }
    /// How far does the damage reach?
    pub fn reach(&self) -> Reach {
        self.0.reach
    }
    /// What we were doing.
    pub fn op(&self) -> &'static str {
        self.0.op
    }
    /// The path it happened at.
    pub fn path(&self) -> Option<&RelPath> {
        self.0.path.as_ref()
    }
    /// What a person can do about it.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
    /// The causes underneath, in the words of whoever said them, joined by `: `.
    pub fn cause(&self) -> Option<String> {
        let mut words = Vec::new();
        let mut next = StdError::source(self);
        while let Some(cause) = next {
            words.push(cause.to_string());
            next = cause.source();
        }
        words.dedup();
        (!words.is_empty()).then(|| words.join(": "))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.0.op)?;
        if let Some(path) = &self.0.path {
            if path.is_root() {
                f.write_str(" the root")?;
            } else {
                write!(f, " `{path}`")?;
            }
        }
        write!(f, ": {}", self.0.kind)
    }
}
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        if let Some(cause) = self.cause() {
            write!(f, " ({cause})")?;
        }
        Ok(())
    }
}
impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|cause| cause as _)
    }
}

const _: () = assert!(size_of::<Error>() == size_of::<usize>());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_where_and_why() {
        let error = Error::new(ErrorKind::Denied, "list").at(&"home/anna".into()).because("NFS3ERR_ACCES");
        assert_eq!(error.to_string(), "cannot list `home/anna`: permission denied");
        assert_eq!(error.cause().as_deref(), Some("NFS3ERR_ACCES"));
        assert_eq!(error.kind().code(), "E2103");
    }

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        for kind in ErrorKind::ALL {
            assert_eq!(ErrorKind::from_word(kind.word()), Some(kind));
        }
    }
}
