//! What a person is told when something fails: what, on what, why, in whose words, and what to do.

use crate::{exit::Exit, output::Named};
use model::Location;
use std::fmt::{self, Write as _};

/// Codes of the command line's own errors; those of the other crates come from there.
#[expect(clippy::enum_variant_names, reason = "an unknown code is what one of them is about")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The command line makes no sense.
    Usage,
    /// A configuration file cannot be read or is wrong.
    ConfigFile,
    /// An environment variable holds something that cannot be read.
    Environment,
    /// A location cannot be read.
    Location,
    /// Nobody serves this scheme.
    Scheme,
    /// The scheme can be read but not written.
    ReadOnlyScheme,
    /// A file cannot be read or written.
    File,
    /// Neither an inventory, nor a plan, nor a run.
    NotAReport,
    /// There is no such error code.
    UnknownCode,
    /// The demo cannot use its folder.
    DemoFolder,
    /// The demo's servers do not start.
    DemoServers,
    /// It was interrupted.
    Interrupted,
    /// A password cannot be had.
    Secret,
    /// A file of systems cannot be read or is wrong.
    SystemsFile,
    /// A server was asked what it offers, and offers nothing.
    NothingOffered,
}

impl Code {
    /// Every code with what people see of it.
    pub const ALL: [(Self, &'static str); 15] = [
        (Self::Usage, "E1001"),
        (Self::ConfigFile, "E1002"),
        (Self::Environment, "E1003"),
        (Self::Location, "E1004"),
        (Self::Scheme, "E1005"),
        (Self::ReadOnlyScheme, "E1006"),
        (Self::File, "E1007"),
        (Self::NotAReport, "E1008"),
        (Self::UnknownCode, "E1009"),
        (Self::DemoFolder, "E1010"),
        (Self::DemoServers, "E1011"),
        (Self::Interrupted, "E1012"),
        (Self::Secret, "E1013"),
        (Self::SystemsFile, "E1014"),
        (Self::NothingOffered, "E1015"),
    ];

    /// The stable code that people see.
    pub fn text(self) -> &'static str {
        Self::ALL.iter().find(|(code, _)| *code == self).map_or("E1001", |(_, text)| text)
    }

    /// How the process ends with it.
    pub const fn exit(self) -> Exit {
        match self {
            Self::Usage
            | Self::ConfigFile
            | Self::Environment
            | Self::Location
            | Self::Scheme
            | Self::ReadOnlyScheme
            | Self::NotAReport
            | Self::UnknownCode
            | Self::Secret
            | Self::SystemsFile => Exit::Usage,
            Self::Interrupted => Exit::Interrupted,
            Self::File | Self::DemoFolder | Self::DemoServers | Self::NothingOffered => Exit::Failed,
        }
    }
}

/// A failure, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Stable code.
    pub code: String,
    /// What failed, on what, why.
    pub message: String,
    /// Where it happened.
    pub from: Option<String>,
    /// In the words of whoever said it.
    pub cause: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// How the process ends.
    pub exit: Exit,
}

/// What a command answers.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure of the command line itself.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self::coded(code.text(), message, code.exit())
    }

    /// A failure with a code of another crate.
    pub fn coded(code: impl Into<String>, message: impl Into<String>, exit: Exit) -> Self {
        Self { code: code.into(), message: message.into(), from: None, cause: None, hint: None, exit }
    }

    /// In whose words.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// What to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Where it happened.
    #[must_use]
    pub fn at(mut self, location: &Location) -> Self {
        self.from = Some(location.to_string());
        self
    }

    /// The text for people; the code in bold red where colours are wanted.
    pub fn render(&self, color: bool) -> String {
        let mut text = String::new();
        let (loud, calm, plain) = if color { ("\x1b[1;31m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
        line(&mut text, &format!("{loud}error[{}]{plain}", self.code), &self.message);
        let from = match (&self.from, &self.cause) {
            (Some(from), Some(cause)) => Some(format!("{from} ({cause})")),
            (Some(only), None) | (None, Some(only)) => Some(only.clone()),
            (None, None) => None,
        };
        if let Some(from) = from {
            line(&mut text, &format!("  {calm}from{plain}"), &from);
        }
        if let Some(hint) = &self.hint {
            line(&mut text, &format!("  {calm}hint{plain}"), hint);
        }
        text
    }

    /// The same as one line of JSON.
    pub fn json(&self) -> String {
        let body = serde_json::json!({
            "code": self.code,
            "message": self.message,
            "from": self.from,
            "cause": self.cause,
            "hint": self.hint,
            "exit_code": self.exit.number(),
        });
        serde_json::to_string(&Named { schema: "longshore.error/v1", body: &body })
            .expect("text and numbers can be written as JSON")
    }
}

/// One labelled line; further lines of the text are indented below it.
fn line(out: &mut String, label: &str, text: &str) {
    let text = text.trim_end().replace('\n', "\n        ");
    writeln!(out, "{label}: {text}").expect("a String takes everything");
}

impl From<storage::Error> for Failure {
    fn from(error: storage::Error) -> Self {
        let mut failure = Self::coded(error.kind().code(), error.to_string(), Exit::Failed);
        failure.cause = error.cause();
        failure.hint = error.hint_text().map(str::to_owned);
        failure
    }
}

impl From<model::LocationError> for Failure {
    fn from(error: model::LocationError) -> Self {
        Self::new(Code::Location, error.to_string())
    }
}

impl From<journal::Error> for Failure {
    fn from(error: journal::Error) -> Self {
        let mut failure = Self::coded(error.code(), error.to_string(), Exit::Failed);
        failure.hint = error.hint();
        failure
    }
}

impl From<migrate::Error> for Failure {
    /// The error underneath keeps its own code: it says more than "the source became unusable".
    fn from(error: migrate::Error) -> Self {
        match error {
            migrate::Error::Journal(inner) => inner.into(),
            migrate::Error::Location { source, .. } => {
                let hint = source.hint_text().map(str::to_owned);
                let mut failure = Self::from(source);
                failure.hint = hint
                    .or_else(|| Some("mend it and run the same command again: it goes on where it stopped".to_owned()));
                failure
            }
            error => {
                let mut failure = Self::coded(error.code(), error.to_string(), Exit::Failed);
                failure.cause = causes(&error);
                failure.hint = error.hint();
                failure
            }
        }
    }
}

impl From<inventory::Error> for Failure {
    fn from(error: inventory::Error) -> Self {
        let mut failure = Self::coded(inventory_code(&error), error.to_string(), Exit::Failed);
        failure.cause = causes(&error);
        failure.hint = error.hint();
        failure
    }
}

impl From<plan::Error> for Failure {
    fn from(error: plan::Error) -> Self {
        let mut failure = Self::coded(error.code(), error.to_string(), Exit::Usage);
        failure.cause = causes(&error);
        failure.hint = error.hint();
        failure
    }
}

impl From<catalog::Error> for Failure {
    fn from(error: catalog::Error) -> Self {
        let exit = if matches!(error, catalog::Error::UnknownRegion { .. }) { Exit::Usage } else { Exit::Failed };
        let mut failure = Self::coded(error.code(), error.to_string(), exit);
        failure.cause = causes(&error);
        failure.hint = error.hint();
        failure
    }
}

impl From<collectors::Error> for Failure {
    fn from(error: collectors::Error) -> Self {
        let (message, hint) = (error.to_string(), error.hint());
        let mut failure = match error {
            collectors::Error::Source(inner) => return inner.into(),
            collectors::Error::Inventory(inner) => return inner.into(),
            // What stopped it says more than that it stopped.
            collectors::Error::Gone { last, .. } => {
                let mut failure = Self::from(last);
                let said = failure.cause.take().map_or_else(String::new, |cause| format!(": {cause}"));
                failure.cause = Some(format!("{}{said}", failure.message));
                failure
            }
            collectors::Error::Interrupted { .. } => Self::new(Code::Interrupted, ""),
        };
        (failure.message, failure.hint) = (message, hint);
        failure
    }
}

impl From<analysis::Error> for Failure {
    fn from(error: analysis::Error) -> Self {
        use analysis::Error as E;
        let exit = match &error {
            E::Option { .. } | E::UnknownService { .. } => Exit::Usage,
            _ => Exit::Failed,
        };
        let mut failure = Self::coded(error.code(), error.to_string(), exit);
        failure.hint = error.hint();
        match error {
            E::Inventory(inner) => inner.into(),
            E::Catalog(inner) => inner.into(),
            E::Plan(inner) => inner.into(),
            _ => failure,
        }
    }
}

/// The causes underneath an error, joined.
pub fn causes(error: &dyn std::error::Error) -> Option<String> {
    let mut words = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        words.push(cause.to_string());
        next = cause.source();
    }
    words.dedup();
    (!words.is_empty()).then(|| words.join(": "))
}

/// Codes of the inventory's errors, in their order there.
pub const INVENTORY_CODES: [&str; 9] =
    ["E1101", "E1102", "E1103", "E1104", "E1105", "E1106", "E1107", "E1108", "E1109"];

fn inventory_code(error: &inventory::Error) -> &'static str {
    use inventory::Error as E;
    INVENTORY_CODES[match error {
        E::Io { .. } => 0,
        E::Malformed { .. } => 1,
        E::Schema { .. } => 2,
        E::NotAnInventory { .. } => 3,
        E::Occupied { .. } => 4,
        E::NoSuchSystem { .. } => 5,
        E::Unfinished { .. } => 6,
        E::Locked { .. } => 7,
        E::Parquet { .. } => 8,
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::{Error, ErrorKind};

    #[test]
    fn a_failure_says_what_where_why_and_what_to_do() {
        let error = Error::new(ErrorKind::Denied, "list")
            .at(&"home/anna".into())
            .because("NFS3ERR_ACCES")
            .hint("read as root, or export with `no_root_squash`");
        let failure = Failure::from(error).at(&"nfs://filer01/export".parse().unwrap());
        insta::assert_snapshot!(failure.render(false), @r"
        error[E2103]: cannot list `home/anna`: permission denied
          from: nfs://filer01/export (NFS3ERR_ACCES)
          hint: read as root, or export with `no_root_squash`
        ");
    }
}
