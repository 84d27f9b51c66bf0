//! A disk in memory that can lose what a real one may lose.

use crate::disk::{Disk, DiskFile, LockAttempt};
use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    io::{self, Cursor, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A [`Disk`] for tests: it knows what was synced, can lose the rest as a power cut does, and can stop working
/// after a number of steps as a killed process does. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Arc<Mutex<State>>);

/// What a power cut does to what was not synced. Whatever was synced stays, always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing is lost: the process was killed, the machine lives.
    Nothing,
    /// All of it is lost.
    Everything,
    /// Some of it, by a seed: each file keeps a beginning of its unsynced bytes, perhaps with a hole of zeros in
    /// it, and of the changes of names the first few happened, or any of them.
    Some(u64),
}

#[derive(Debug, Default)]
struct State {
    files: Vec<Content>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// Changes of names since the last sync of their directory, oldest first.
    changes: Vec<NameChange>,
    locks: BTreeSet<PathBuf>,
    steps: u64,
    stop_after: Option<u64>,
    fail_with: Option<io::ErrorKind>,
    syncs: u64,
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    /// As it was at the last sync.
    synced: Vec<u8>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Is(PathBuf, usize),
    Gone(PathBuf),
    Moved { from: PathBuf, to: PathBuf, file: usize },
}

impl NameChange {
    fn path(&self) -> &Path {
        match self {
            Self::Is(path, _) | Self::Gone(path) | Self::Moved { to: path, .. } => path,
        }
    }
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Is(path, file) => drop(names.insert(path.clone(), *file)),
            Self::Gone(path) => drop(names.remove(path)),
            Self::Moved { from, to, file } => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
        }
    }
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A disk as it is after the power was cut now and came back. This one is left as it is.
    #[must_use]
    pub fn after_power_cut(&self, loss: Loss) -> Self {
        let state = self.state();
        let mut dice = Dice(match loss {
            Loss::Some(seed) => seed,
            Loss::Nothing | Loss::Everything => 0,
        });
        let mut names = state.durable_names.clone();
        let first = match loss {
            Loss::Nothing => state.changes.len(),
            Loss::Everything => 0,
            Loss::Some(_) => dice.below(state.changes.len() + 1),
        };
        // A journalling file system keeps their order; POSIX promises none.
        let ordered = !matches!(loss, Loss::Some(_)) || dice.below(2) == 0;
        for (n, change) in state.changes.iter().enumerate() {
            let happened = if ordered { n < first } else { dice.below(2) == 0 };
            if happened {
                change.apply(&mut names);
            }
        }
        let files = state.files.iter().map(|file| {
            let bytes = match loss {
                Loss::Nothing => file.bytes.clone(),
                Loss::Everything => file.synced.clone(),
                Loss::Some(_) => torn(file, &mut dice),
            };
            Content { synced: bytes.clone(), bytes }
        });
        let files = files.collect();
        let state = State { files, durable_names: names.clone(), names, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// From now on, `steps` changes (of content, names, or syncs) work and all later ones fail with `error`.
    pub fn stop_after(&self, steps: u64, error: io::ErrorKind) {
        let mut state = self.state();
        state.stop_after = Some(state.steps + steps);
        state.fail_with = Some(error);
    }

    /// Changes that were asked for so far.
    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    /// Syncs of file content so far.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// The content of a file, to look at.
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(path).map(|file| state.files[*file].bytes.clone())
    }

    /// Puts a file there, durably.
    pub fn put(&self, path: &Path, content: &[u8]) {
        let mut state = self.state();
        state.files.push(Content { bytes: content.to_vec(), synced: content.to_vec() });
        let file = state.files.len() - 1;
        state.names.insert(path.to_owned(), file);
        state.durable_names.insert(path.to_owned(), file);
    }

    /// The files that are there.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.state().names.keys().cloned().collect()
    }
}

/// What may be left of a file: any beginning of what was not synced, perhaps with a hole.
fn torn(file: &Content, dice: &mut Dice) -> Vec<u8> {
    let Some(fresh) = file.bytes.strip_prefix(&file.synced[..]) else {
        // Cut or written anew since: either is possible.
        return if dice.below(2) == 0 { file.bytes.clone() } else { file.synced.clone() };
    };
    let mut bytes = file.synced.clone();
    bytes.extend_from_slice(&fresh[..dice.below(fresh.len() + 1)]);
    let tail = &mut bytes[file.synced.len()..];
    if dice.below(2) == 0 {
        let from = dice.below(tail.len() + 1);
        let to = from + dice.below(tail.len() - from + 1);
        tail[from..to].fill(0);
    }
    bytes
}

/// SplitMix64: chance that a seed repeats.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        usize::try_from((mixed ^ (mixed >> 31)) % limit).unwrap_or(0)
    }
}

impl State {
    /// Counts a change; fails when the disk has stopped.
    fn step(&mut self) -> io::Result<()> {
        self.steps += 1;
        match (self.stop_after, self.fail_with) {
            (Some(limit), Some(error)) if self.steps > limit => Err(error.into()),
            _ => Ok(()),
        }
    }
    fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.changes.push(change);
    }
    fn file(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

#[derive(Debug)]
struct MemoryFile {
    disk: MemoryDisk,
    file: usize,
}

impl DiskFile for MemoryFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        if let Err(error) = state.step() {
            // A full disk takes what fits.
            state.files[self.file].bytes.extend_from_slice(&bytes[..bytes.len() / 2]);
            return Err(error);
        }
        state.files[self.file].bytes.extend_from_slice(bytes);
        Ok(())
    }
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.step()?;
        state.syncs += 1;
        let content = &mut state.files[self.file];
        content.synced.clone_from(&content.bytes);
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryLock(MemoryDisk, PathBuf);

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.0.state().locks.remove(&self.1);
    }
}

impl Disk for MemoryDisk {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }
    fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        let within = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(within.filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect())
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.step()?;
        let file = state.files.len();
        state.files.push(Content::default());
        state.change(NameChange::Is(path.to_owned(), file));
        Ok(Box::new(MemoryFile { disk: self.clone(), file }))
    }
    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        let state = self.state();
        let bytes = state.files[state.file(path)?].bytes.clone();
        Ok(Box::new(Cursor::new(bytes)))
    }
    fn len(&self, path: &Path) -> io::Result<u64> {
        let state = self.state();
        Ok(crate::codec::wide(state.files[state.file(path)?].bytes.len()))
    }
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let file = state.file(path)?;
        let content = &mut state.files[file];
        content.bytes.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        content.synced.clone_from(&content.bytes);
        Ok(())
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let file = state.file(from)?;
        state.change(NameChange::Moved { from: from.to_owned(), to: to.to_owned(), file });
        Ok(())
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        state.file(path)?;
        state.change(NameChange::Gone(path.to_owned()));
        Ok(())
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let changes = std::mem::take(&mut state.changes);
        let (within, others): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| change.path().parent() == Some(dir));
        for change in within {
            change.apply(&mut state.durable_names);
        }
        state.changes = others;
        Ok(())
    }
    fn lock(&self, path: &Path) -> io::Result<LockAttempt> {
        if !self.state().locks.insert(path.to_owned()) {
            return Ok(LockAttempt::Held(None));
        }
        let lock: Box<dyn Any + Send + Sync> = Box::new(MemoryLock(self.clone(), path.to_owned()));
        Ok(LockAttempt::Taken(lock))
    }
}
