//! stdout is data and nothing else; everything for people on the way goes to stderr.

use crate::{
    failure::{Code, Failure, Outcome},
    settings::Settings,
};
use serde::Serialize;
use std::io::{self, Write as _};

/// Where data and hints go.
#[derive(Clone, Debug)]
pub struct Output {
    /// Documents instead of tables.
    pub json: bool,
    /// No hints.
    pub quiet: bool,
    /// Columns of the terminal; `None` where stdout is none.
    pub width: Option<u16>,
}

impl Output {
    /// As the settings want it.
    pub fn new(settings: &Settings) -> Self {
        Self { json: settings.json, quiet: settings.quiet, width: settings.surroundings.width() }
    }

    /// Data for people: a table, a page of text.
    #[expect(clippy::unused_self, reason = "whoever writes data holds the output")]
    pub fn text(&self, text: &str) -> Outcome<()> {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        write(&[text.as_bytes(), end.as_bytes()])
    }

    /// One document, under the name of its schema, which comes first.
    pub fn named_document(&self, schema: &'static str, body: &impl Serialize) -> Outcome<()> {
        self.document(&Named { schema, body })
    }

    /// One document that begins with the name of its schema by itself.
    #[expect(clippy::unused_self, reason = "whoever writes data holds the output")]
    pub fn document(&self, document: &impl Serialize) -> Outcome<()> {
        let text = serde_json::to_vec_pretty(document)
            .map_err(|error| Failure::new(Code::File, "cannot write the document").because(error))?;
        write(&[&text, b"\n"])
    }

    /// A line beside the data, on stderr.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }
}

/// A document under the name of its schema.
#[derive(Serialize)]
pub struct Named<'a, T> {
    /// Name and version.
    pub schema: &'static str,
    /// Everything else.
    #[serde(flatten)]
    pub body: &'a T,
}

/// A line on stderr. When even that fails there is nobody left to tell.
pub fn say(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// The marker of a reader that went away: not an error of ours.
const BROKEN_PIPE: &str = "E0000";

impl Failure {
    /// Did the reader of stdout go away?
    pub fn is_broken_pipe(&self) -> bool {
        self.code == BROKEN_PIPE
    }
}

fn write(pieces: &[&[u8]]) -> Outcome<()> {
    let mut out = io::stdout().lock();
    pieces.iter().try_for_each(|piece| out.write_all(piece)).and_then(|()| out.flush()).map_err(|error| {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Failure::coded(BROKEN_PIPE, "the reader of stdout went away", crate::exit::Exit::Done)
        } else {
            Failure::new(Code::File, "cannot write to stdout").because(error)
        }
    })
}
