//! Whether a plan makes sense: what no single value can tell.

use crate::{Error, Move, Place, Plan, Step};
use model::{ByteSize, Location};

/// Stands in a target that a person must fill in.
pub const PLACEHOLDER: &str = "FILL-IN";

/// Smallest part of a multipart upload to S3 (but the last one), bytes.
const MIN_PART_OBJECT: u64 = 5 << 20;
/// Smallest part for a file system, bytes; below it every part costs more than it carries.
const MIN_PART_FILE: u64 = 64 << 10;
/// Largest part of a multipart upload to S3, bytes.
const MAX_PART: u64 = 5 << 30;
/// More requests in flight than this only queue in one process.
const MAX_CONCURRENCY: u32 = 1024;
/// Longest name of a move; it names a directory.
const MAX_NAME: usize = 100;

/// One thing that does not make sense.
pub(crate) struct Fault {
    /// Index of the move.
    pub of_move: Option<usize>,
    /// The key that should be changed; empty for the move as a whole.
    pub key: &'static str,
    problem: String,
    remedy: String,
}

impl Fault {
    pub(crate) fn into_error(self, line: Option<usize>) -> Error {
        let place = Place { of_move: self.of_move.map(|i| i + 1), of_step: None, line };
        Error::Invalid { place, problem: self.problem, remedy: self.remedy }
    }
}

impl Plan {
    /// Refuses values that do not make sense together: names, equal locations, the order of steps, sizes.
    pub fn check(&self) -> Result<(), Error> {
        self.fault().map_or(Ok(()), |fault| Err(fault.into_error(None)))
    }

    /// As [`Plan::check`], and refuses targets that were never filled in. Whoever executes a plan asks this.
    pub fn ready(&self) -> Result<(), Error> {
        self.check()?;
        match self.moves.iter().find(|m| m.to.to_string().contains(PLACEHOLDER)) {
            None => Ok(()),
            Some(unfilled) => Err(Error::Placeholder {
                name: unfilled.name.clone(),
                to: unfilled.to.to_string(),
                remedy: match unfilled.to.scheme() {
                    "s3" => "create a bucket, then write `to = \"s3://BUCKET/PREFIX\"` in the plan",
                    "file" => {
                        "create the file system, mount it on this host, then write its path: `to = \"file:///mnt/fs/DIR\"`"
                    }
                    _ => "create the file system, then write its address in `to`",
                },
            }),
        }
    }

    /// The first thing that does not make sense.
    pub(crate) fn fault(&self) -> Option<Fault> {
        if self.moves.is_empty() {
            return Some(Fault {
                of_move: None,
                key: "",
                problem: "nothing to move".to_owned(),
                remedy: "add a `[[move]]` with `name`, `from` and `to`".to_owned(),
            });
        }
        (0..self.moves.len()).find_map(|i| self.fault_of(i))
    }

    fn fault_of(&self, index: usize) -> Option<Fault> {
        let this = &self.moves[index];
        let fault = |key, problem: String, remedy: &str| {
            Some(Fault { of_move: Some(index), key, problem, remedy: remedy.to_owned() })
        };
        if !is_name(&this.name) {
            let problem = format!("`{}` is not a name", this.name);
            let remedy = "use letters, digits and `-` (at most 100, the first not `-`); it names a directory";
            return fault("name", problem, remedy);
        }
        for earlier in &self.moves[..index] {
            // Names are directories, and some file systems do not tell case apart.
            if earlier.name.eq_ignore_ascii_case(&this.name) {
                let problem = format!("the name `{}` is used twice", this.name);
                return fault("name", problem, "give every move a name of its own");
            }
            if inside(&this.to, &earlier.to) && inside(&earlier.to, &this.to) {
                let problem = format!("the target is also the target of move `{}`", earlier.name);
                return fault("to", problem, "give every move a target of its own, for example a prefix each");
            }
        }
        if inside(&this.to, &this.from) || inside(&this.from, &this.to) {
            let problem = "`from` and `to` overlap, so the move would copy into itself".to_owned();
            return fault("to", problem, "choose a target outside of the source");
        }
        sizes(this).or_else(|| steps(&this.steps)).and_then(|(key, problem, remedy)| fault(key, problem, &remedy))
    }
}

type Wrong = (&'static str, String, String);

fn sizes(this: &Move) -> Option<Wrong> {
    let smallest = if this.to.scheme() == "s3" { MIN_PART_OBJECT } else { MIN_PART_FILE };
    let part = this.part_size.0;
    if part < smallest || part > MAX_PART {
        let problem = format!("`part-size` is {}", this.part_size);
        let remedy = format!("choose from {} to {}", ByteSize(smallest), ByteSize(MAX_PART));
        return Some(("part-size", problem, remedy));
    }
    if this.memory.0 < part {
        // A part that does not fit would wait for memory for ever.
        let problem = format!("`memory` ({}) does not hold one part ({})", this.memory, this.part_size);
        return Some(("memory", problem, format!("give at least {}, or make `part-size` smaller", this.part_size)));
    }
    if !(1..=MAX_CONCURRENCY).contains(&this.concurrency) {
        let problem = format!("`concurrency` is {}", this.concurrency);
        return Some(("concurrency", problem, format!("choose from 1 to {MAX_CONCURRENCY}")));
    }
    None
}

fn steps(steps: &[Step]) -> Option<Wrong> {
    let remedy = || "the order is preflight, transfer, verify; each at most once, at least one".to_owned();
    if steps.is_empty() {
        return Some(("step", "the move has no steps".to_owned(), remedy()));
    }
    let (earlier, later) = steps.iter().zip(&steps[1..]).find(|(a, b)| rank(a) >= rank(b))?;
    let problem = if rank(earlier) == rank(later) {
        format!("step `{}` stands twice", word(later))
    } else {
        format!("step `{}` stands after `{}`", word(later), word(earlier))
    };
    Some(("step", problem, remedy()))
}

const fn rank(step: &Step) -> u8 {
    match step {
        Step::Preflight {} => 0,
        Step::Transfer {} => 1,
        Step::Verify {} => 2,
    }
}

/// The step's word in a plan.
pub(crate) const fn word(step: &Step) -> &'static str {
    match step {
        Step::Preflight {} => "preflight",
        Step::Transfer {} => "transfer",
        Step::Verify {} => "verify",
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.starts_with('-')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Is `inner` the same place as `outer`, or below it?
fn inside(inner: &Location, outer: &Location) -> bool {
    let server = |at: &Location| {
        (at.scheme().to_owned(), at.host().to_ascii_lowercase(), at.port(), at.param("endpoint").map(str::to_owned))
    };
    server(inner) == server(outer) && inner.prefix().starts_with(&outer.prefix())
}
