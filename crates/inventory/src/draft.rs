//! A discovery that is not finished: `<system>/partial/`, invisible to readers until it is published.

use crate::{Error, FrameLog, PROFILE_SCHEMA, Problem, Profile, durable, site::read_problems};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

/// Schema name of `checkpoint.json`. It changes with every change of what is in it: a checkpoint is taken up
/// by the version that wrote it.
pub const CHECKPOINT_SCHEMA: &str = "longshore.checkpoint/v2";

/// An unfinished discovery of one system, held exclusively.
///
/// `partial/` holds `entries/`, `problems.ndjson`, `checkpoint.json`, what is left to do as of that checkpoint
/// (`frontier-N`), and what was found since (`journal`). Publishing writes `profile.json`
/// beside them, which is the moment of truth, and then moves all of it one directory up; a crash in the
/// middle of that is finished by the next [`crate::Inventory::draft`].
#[derive(Debug)]
pub struct Draft {
    name: String,
    system: PathBuf,
    /// Released by the system when the process ends, however it ends.
    _lock: File,
}

#[derive(Serialize, Deserialize)]
struct Checkpoint<S> {
    schema: String,
    state: S,
}

impl Draft {
    pub(crate) fn open(system: &Path, name: String, afresh: bool) -> Result<Self, Error> {
        fs::create_dir_all(system).map_err(Error::io("create", system))?;
        let path = system.join(".lock");
        let lock = File::create(&path).map_err(Error::io("create", &path))?;
        lock.try_lock().map_err(|refused| match refused {
            TryLockError::WouldBlock => Error::Locked { path: system.to_owned() },
            TryLockError::Error(error) => Error::io("lock", &path)(error),
        })?;
        let draft = Self { name, system: system.to_owned(), _lock: lock };
        if draft.partial().join("profile.json").exists() {
            draft.move_into_place()?;
        }
        if afresh {
            draft.clear()?;
        }
        fs::create_dir_all(draft.partial()).map_err(Error::io("create", draft.partial()))?;
        durable::sync_directory(system).map_err(Error::io("sync", system))?;
        Ok(draft)
    }

    /// Name of the system in the inventory.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Where the parts of the entries belong.
    pub fn entries(&self) -> PathBuf {
        self.partial().join("entries")
    }
    /// Is there a finished discovery that this one will replace?
    pub fn replaces(&self) -> bool {
        self.system.join("profile.json").exists()
    }

    /// What [`Draft::save`] saved last; `None` at the start.
    ///
    /// Errors: `Schema` or `Malformed` for a checkpoint of another version.
    pub fn checkpoint<S: DeserializeOwned>(&self) -> Result<Option<S>, Error> {
        let read: Option<Checkpoint<S>> = durable::read_json(&self.checkpoint_path(), CHECKPOINT_SCHEMA)?;
        Ok(read.map(|checkpoint| checkpoint.state))
    }

    /// Replaces the checkpoint, atomically. Everything it speaks of must be on disk already.
    pub fn save(&self, state: &impl Serialize) -> Result<(), Error> {
        let checkpoint = Checkpoint { schema: CHECKPOINT_SCHEMA.to_owned(), state };
        durable::replace_json(&self.checkpoint_path(), &checkpoint, false)
    }

    /// The journal of what was found after the checkpoint of this `generation`; whatever belongs to another one is
    /// thrown away.
    pub fn journal(&self, generation: u64) -> Result<FrameLog, Error> {
        FrameLog::open(&self.partial().join("journal"), generation)
    }

    /// Where what is left to do at the checkpoint of this `generation` is written down.
    pub fn frontier(&self, generation: u64) -> PathBuf {
        self.frontiers()(generation)
    }

    /// [`Draft::frontier`] for one who has not the draft.
    pub fn frontiers(&self) -> impl Fn(u64) -> PathBuf + Send + use<> {
        let partial = self.partial();
        move |generation| partial.join(format!("frontier-{generation}"))
    }

    /// Removes what earlier checkpoints than that of this `generation` had left to do.
    pub fn forget_frontiers_before(&self, generation: u64) -> Result<(), Error> {
        let partial = self.partial();
        let list = || -> io::Result<Vec<PathBuf>> {
            let old = |name: &str| {
                let number = name.strip_prefix("frontier-").and_then(|number| number.parse::<u64>().ok());
                number.is_some_and(|number| number < generation)
            };
            let mut paths = Vec::new();
            for entry in fs::read_dir(&partial)? {
                let entry = entry?;
                paths.extend(entry.file_name().to_str().is_some_and(old).then(|| entry.path()));
            }
            Ok(paths)
        };
        let paths = list().map_err(Error::io("list", &partial))?;
        paths.iter().try_for_each(|path| remove_file(path))
    }

    /// Opens `problems.ndjson` and cuts it to the length that the checkpoint knows of.
    pub fn problems(&self, known_bytes: u64) -> Result<ProblemLog, Error> {
        let path = self.partial().join("problems.ndjson");
        let open = || {
            let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)?;
            if file.metadata()?.len() < known_bytes {
                let missing = "it is shorter than the checkpoint says";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, missing));
            }
            file.set_len(known_bytes)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().map_err(Error::io("open", &path))?;
        Ok(ProblemLog { path, file, buffer: Vec::new(), bytes: known_bytes })
    }

    /// Makes the discovery the system's inventory, in place of an earlier one. Entries and problems must be
    /// on disk already.
    pub fn publish(self, profile: &Profile) -> Result<(), Error> {
        debug_assert_eq!(profile.schema, PROFILE_SCHEMA);
        fs::create_dir_all(self.entries()).map_err(Error::io("create", self.entries()))?;
        durable::replace_json(&self.partial().join("profile.json"), profile, true)?;
        self.move_into_place()
    }

    fn move_into_place(&self) -> Result<(), Error> {
        STEPS.iter().try_for_each(|step| step(self))
    }

    /// Moves a name from `partial/` to its place, unless that was done already.
    fn place(&self, name: &str) -> Result<(), Error> {
        let (from, to) = (self.partial().join(name), self.system.join(name));
        if !from.exists() {
            return Ok(());
        }
        if from.is_dir() {
            remove_directory(&to)?;
        } else {
            remove_file(&to)?;
        }
        fs::rename(&from, &to).map_err(Error::io("move into place", &to))?;
        durable::sync_directory(&self.system).map_err(Error::io("sync", &self.system))
    }

    fn clear(&self) -> Result<(), Error> {
        remove_directory(&self.partial())?;
        durable::sync_directory(&self.system).map_err(Error::io("sync", &self.system))
    }
    fn partial(&self) -> PathBuf {
        self.system.join("partial")
    }
    fn checkpoint_path(&self) -> PathBuf {
        self.partial().join("checkpoint.json")
    }
}

/// One step of publishing.
type Step = fn(&Draft) -> Result<(), Error>;

/// What follows after `partial/profile.json` is on disk. All of it is done again from the start when it was cut
/// off anywhere, as long as that file is in `partial/`; so it goes last, and what must not outlive it goes first.
const STEPS: [Step; 6] = [
    // A checkpoint that outlived its parts would be taken up.
    |draft| {
        remove_file(&draft.checkpoint_path())?;
        let partial = draft.partial();
        durable::sync_directory(&partial).map_err(Error::io("sync", &partial))
    },
    // An old profile would vouch for new entries.
    |draft| remove_file(&draft.system.join("profile.json")),
    |draft| draft.place("entries"),
    |draft| draft.place("problems.ndjson"),
    |draft| draft.place("profile.json"),
    Draft::clear,
];

fn remove_file(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

fn remove_directory(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// `problems.ndjson` while it is written.
#[derive(Debug)]
pub struct ProblemLog {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    bytes: u64,
}

impl ProblemLog {
    /// Adds a line.
    pub fn add(&mut self, problem: &Problem) -> Result<(), Error> {
        let start = self.buffer.len();
        serde_json::to_writer(&mut self.buffer, problem)
            .map_err(io::Error::from)
            .map_err(Error::io("write", &self.path))?;
        self.buffer.push(b'\n');
        self.bytes += u64::try_from(self.buffer.len() - start).expect("a line is far smaller");
        if self.buffer.len() >= 64 * 1024 { self.flush() } else { Ok(()) }
    }

    /// Brings everything to disk; returns the length that a checkpoint may know of.
    pub fn sync(&mut self) -> Result<u64, Error> {
        self.flush()?;
        self.file.sync_all().map_err(Error::io("sync", &self.path))?;
        Ok(self.bytes)
    }

    /// The lines so far.
    pub fn read(&mut self) -> Result<impl Iterator<Item = Result<Problem, Error>> + use<>, Error> {
        self.flush()?;
        read_problems(&self.path)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.file.write_all(&self.buffer).map_err(Error::io("write", &self.path))?;
        self.buffer.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Inventory, profile::tests::empty};
    use model::Location;

    /// A discovery with `parts` files of entries, as far as the profile.
    fn ready(inventory: &mut Inventory, place: &Location, parts: u64) -> Draft {
        let draft = inventory.draft(place, true).unwrap();
        fs::create_dir_all(draft.entries()).unwrap();
        for n in 0..parts {
            fs::write(draft.entries().join(format!("part-{n:05}.parquet")), b"").unwrap();
        }
        let problem = Problem { path: "x".into(), kind: "denied".into(), detail: String::new() };
        let mut problems = draft.problems(0).unwrap();
        (0..parts).for_each(|_| problems.add(&problem).unwrap());
        problems.sync().unwrap();
        draft.save(&"state").unwrap();
        let mut profile = empty(place);
        profile.counts.files = parts;
        durable::replace_json(&draft.partial().join("profile.json"), &profile, true).unwrap();
        draft
    }

    #[test]
    fn publishing_that_was_cut_off_anywhere_is_finished_by_the_next_draft() {
        let place: Location = "file:///data".parse().unwrap();
        for done in 0..=STEPS.len() {
            let directory = tempfile::tempdir().unwrap();
            let mut inventory = Inventory::create(directory.path(), "2026-01-02T03:04:05Z").unwrap();
            ready(&mut inventory, &place, 3).move_into_place().unwrap();
            let draft = ready(&mut inventory, &place, 5);
            STEPS[..done].iter().try_for_each(|step| step(&draft)).unwrap();
            drop(draft);

            let draft = inventory.draft(&place, false).unwrap();
            assert_eq!(draft.checkpoint::<String>().unwrap(), None, "after {done} steps");
            let name = draft.name();
            assert_eq!(inventory.profile(name).unwrap().counts.files, 5, "after {done} steps");
            assert_eq!(inventory.entries_files(name).unwrap().len(), 5, "after {done} steps");
            assert_eq!(inventory.problems(name).unwrap().count(), 5, "after {done} steps");
        }
    }
}
