//! One suite of promises that every driver and every wrapper keeps.
//!
//! A driver's `tests/contract.rs` (with `harness = false`) hands over how to make a [`Subject`] and gets
//! one test per case. What the back end does not claim to do is listed as ignored with the reason, never
//! as passed; the last line counts both.

mod checks;
mod content;
mod errors;
mod listing;
mod metadata;
mod names;
mod nodes;
mod uploads;
mod writing;

pub use checks::Failure;

use crate::{Capabilities, Source, Target};
use futures::future::BoxFuture;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use model::RelPath;
use std::{
    fmt,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

/// What a case works on.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The reading half under test.
    pub source: Arc<dyn Source>,
    /// The writing half under test, over the same store; `None` for a driver that only reads.
    pub target: Option<Arc<dyn Target>>,
    /// Who puts things there for reading: the target itself, or another driver over the same tree, such
    /// as the local driver over the directory that a server exports.
    pub populate: Arc<dyn Target>,
    /// A fresh directory or prefix for this case. Need not exist yet.
    pub root: RelPath,
}

impl Subject {
    /// A store that can be written, at a root named after the case.
    pub fn writable(store: Arc<dyn Target>, root: RelPath) -> Self {
        let source: Arc<dyn Source> = Arc::clone(&store) as _;
        Self { source, target: Some(Arc::clone(&store)), populate: store, root }
    }
    /// A driver that only reads, over a tree that `populate` writes.
    pub fn readable(source: Arc<dyn Source>, populate: Arc<dyn Target>, root: RelPath) -> Self {
        Self { source, target: None, populate, root }
    }
}

/// Why there is nothing to test.
#[derive(Debug)]
pub enum NoSubject {
    /// It was not asked for (an environment variable is absent): the cases count as ignored.
    Skip(String),
    /// It was asked for and cannot be had: the cases fail.
    Fail(String),
}
impl From<crate::Error> for NoSubject {
    fn from(error: crate::Error) -> Self {
        Self::Fail(format!("{error:?}"))
    }
}

/// One promise.
pub struct Case {
    /// A sentence about behaviour, with its chapter before the first `::`.
    pub name: String,
    needs: Vec<Need>,
    run: Arc<Run>,
}
type Run = dyn Fn(Subject) -> BoxFuture<'static, Result<(), Failure>> + Send + Sync;

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// What a case needs of the back end.
pub(crate) struct Need {
    words: &'static str,
    met: fn(&Subject) -> bool,
}

impl Need {
    const fn caps(words: &'static str, met: fn(&Subject) -> bool) -> Self {
        Self { words, met }
    }
}

impl Case {
    fn new<F: Future<Output = Result<(), Failure>> + Send + 'static>(
        name: impl Into<String>,
        needs: impl Into<Vec<Need>>,
        run: impl Fn(Subject) -> F + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), needs: needs.into(), run: Arc::new(move |subject| Box::pin(run(subject))) }
    }
    /// Why the case cannot run on this back end; `None` when it can.
    pub fn unmet(&self, subject: &Subject) -> Option<&'static str> {
        self.needs.iter().find(|need| !(need.met)(subject)).map(|need| need.words)
    }
    /// Runs it. Panics and failures alike say what was promised and what was found.
    pub async fn run(&self, subject: Subject) -> Result<(), Failure> {
        (self.run)(subject).await
    }
}

/// Every promise.
pub fn cases() -> Vec<Case> {
    let chapters =
        [content::cases(), names::cases(), listing::cases(), writing::cases(), uploads::cases(), nodes::cases()];
    chapters.into_iter().flatten().chain(metadata::cases()).chain(errors::cases()).collect()
}

/// The suite over any number of back ends.
#[derive(Default)]
pub struct Suite {
    trials: Vec<Trial>,
    ignored: Arc<Mutex<Vec<(String, String)>>>,
}

impl Suite {
    /// Adds every case for one back end. `make` gets a word that no other case has, good for a directory,
    /// and gives a fresh subject within the runtime that the case runs on.
    #[must_use]
    pub fn with<F, M>(mut self, backend: &str, make: M) -> Self
    where
        F: Future<Output = Result<Subject, NoSubject>> + Send + 'static,
        M: Fn(String) -> F + Send + Sync + 'static,
    {
        let make = Arc::new(make);
        for (number, case) in cases().into_iter().enumerate() {
            let (make, ignored, backend) = (Arc::clone(&make), Arc::clone(&self.ignored), backend.to_owned());
            let name = format!("{backend}::{}", case.name);
            self.trials.push(Trial::ignorable_test(name.clone(), move || {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
                let ran = runtime.map_err(|error| Failed::from(error.to_string()))?.block_on(async {
                    let subject = match make(format!("case-{number}")).await {
                        Ok(subject) => subject,
                        Err(NoSubject::Skip(reason)) => return Ok(Some(reason)),
                        Err(NoSubject::Fail(reason)) => return Err(Failed::from(reason)),
                    };
                    if let Some(need) = case.unmet(&subject) {
                        return Ok(Some(format!("needs {need}")));
                    }
                    // A task of its own, so that a future that is not `Send` or a panic shows up here.
                    let case = async move { case.run(subject).await };
                    match tokio::spawn(case).await {
                        Ok(Ok(())) => Ok(None),
                        Ok(Err(failure)) => Err(Failed::from(failure.to_string())),
                        Err(panic) => Err(Failed::from(format!("panicked: {panic}"))),
                    }
                })?;
                Ok(match ran {
                    None => Completion::Completed,
                    Some(reason) => {
                        let mut ignored = ignored.lock().unwrap_or_else(PoisonError::into_inner);
                        ignored.push((backend, reason.clone()));
                        Completion::ignored_with(reason)
                    }
                })
            }));
        }
        self
    }

    /// Runs the tests that the command line asks for, and counts at the end what was ignored and why.
    #[expect(clippy::print_stdout, reason = "this is a test's own output")]
    pub fn run(self, args: &Arguments) -> ExitCode {
        let conclusion = libtest_mimic::run(args, self.trials);
        if !args.list {
            println!("contract: {} passed, {} failed", conclusion.num_passed, conclusion.num_failed);
            let mut ignored = self.ignored.lock().unwrap_or_else(PoisonError::into_inner).clone();
            ignored.sort();
            for of_one in ignored.chunk_by(|a, b| a.0 == b.0) {
                let reasons: Vec<String> =
                    of_one.chunk_by(|a, b| a == b).map(|same| format!("{} {}", same.len(), same[0].1)).collect();
                println!("contract: {}: {} ignored: {}", of_one[0].0, of_one.len(), reasons.join("; "));
            }
        }
        conclusion.exit_code()
    }
}

/// The suite over one back end, for a `main` of a test without harness.
pub fn run<F, M>(args: &Arguments, backend: &str, make: M) -> ExitCode
where
    F: Future<Output = Result<Subject, NoSubject>> + Send + 'static,
    M: Fn(String) -> F + Send + Sync + 'static,
{
    Suite::default().with(backend, make).run(args)
}

fn caps(subject: &Subject) -> &Capabilities {
    subject.source.caps()
}

const WRITES: Need = Need::caps("a back end that can be written", |s| s.target.is_some());
const TREE: Need =
    Need::caps("a file tree, where a name is either an item or a directory", |s| !caps(s).names.item_and_prefix);
const SERVER_DIGESTS: Need =
    Need::caps("a server that checks CRC-64/NVME", |s| caps(s).digests.contains(&model::DigestKind::Crc64Nvme));
