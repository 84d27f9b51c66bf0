//! The few things that the journal asks of a file system, so that a test can take the power away between any two.

use std::{
    any::Any,
    fmt,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// A file system, as far as the journal needs one. Two are here: [`RealDisk`] and [`crate::MemoryDisk`].
pub trait Disk: Send + Sync + fmt::Debug {
    /// Makes `dir` and what is missing above it.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Names of the files in `dir`, in no order.
    fn names(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Creates the file, empty, in place of one of that name; to be written from its beginning.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens the file to be read once from its beginning.
    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>>;
    /// Length of the file in bytes.
    fn len(&self, path: &Path) -> io::Result<u64>;
    /// Cuts the file to `len` bytes, durably.
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()>;
    /// Gives the file the name `to`, in place of one of that name, in one step.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes the file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in `dir` durable: without it a new file or name may be gone after a power cut.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes an exclusive lock on the file, which is created where missing. Held until the answer is dropped or
    /// the process ends, however it ends.
    fn lock(&self, path: &Path) -> io::Result<LockAttempt>;
}

/// A file that is being written.
pub trait DiskFile: Send + fmt::Debug {
    /// Writes all of `bytes` at the end.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes everything that was written durable (`fdatasync`).
    fn sync(&mut self) -> io::Result<()>;
}

/// How taking a lock went.
pub enum LockAttempt {
    /// Ours until it is dropped.
    Taken(Box<dyn Any + Send + Sync>),
    /// Somebody else's; their process id where it is known.
    Held(Option<u32>),
}

/// The file system of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

impl Disk for RealDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }
    fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        // A name that is not text cannot be one of ours.
        fs::read_dir(dir)?
            .filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose())
            .collect()
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(File::create(path)?)))
    }
    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(path)?))
    }
    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let file = File::options().write(true).open(path)?;
        file.set_len(len)?;
        file.sync_all()
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
    fn lock(&self, path: &Path) -> io::Result<LockAttempt> {
        use rustix::fs::{FlockOperation, flock};
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                // Who holds it, for the message of whoever comes second.
                file.set_len(0)?;
                writeln!(file, "{}", std::process::id())?;
                Ok(LockAttempt::Taken(Box::new(file)))
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut text = String::new();
                file.take(32).read_to_string(&mut text)?;
                Ok(LockAttempt::Held(text.trim().parse().ok()))
            }
            Err(errno) => Err(errno.into()),
        }
    }
}

/// Writes `path` anew in one step: whoever reads sees the old content or the new, also after a power cut.
pub(crate) fn replace(disk: &dyn Disk, path: &Path, content: &[u8]) -> io::Result<()> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".new");
    let fresh = dir.join(name);
    let mut file = disk.create(&fresh)?;
    file.write_all(content)?;
    file.sync()?;
    drop(file);
    disk.rename(&fresh, path)?;
    disk.sync_dir(&dir)
}
