//! Writing files so that after a crash there is either the old content or the new.

use crate::Error;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

/// Writes `path` through a temporary file beside it: written, synced, renamed, directory synced.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), Error> {
    let temporary = path.with_extension("tmp");
    let attempt = || {
        let mut out = BufWriter::new(File::create(&temporary)?);
        write(&mut out)?;
        out.flush()?;
        out.get_ref().sync_all()?;
        fs::rename(&temporary, path)?;
        sync_parent(path)
    };
    attempt().map_err(Error::io("write", path))
}

/// [`replace`] with a value as JSON.
pub(crate) fn replace_json(path: &Path, value: &impl Serialize, pretty: bool) -> Result<(), Error> {
    replace(path, |out| {
        if pretty {
            serde_json::to_writer_pretty(&mut *out, value)?;
            out.write_all(b"\n")
        } else {
            serde_json::to_writer(out, value).map_err(io::Error::from)
        }
    })
}

/// Makes a rename or a new name in the directory of `path` survive a power cut.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_directory)
}

/// Makes the names in `directory` survive a power cut.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    // Only Unix lets a directory be opened and synced; elsewhere the file system journals names itself.
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

/// Reads a JSON document after checking that its `schema` is `known`. `None` when there is no file.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path, known: &'static str) -> Result<Option<T>, Error> {
    #[derive(serde::Deserialize)]
    struct Header {
        schema: String,
    }
    let raw = match fs::read(path) {
        Ok(raw) => raw,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(other) => return Err(Error::io("read", path)(other)),
    };
    let wrong = |problem: serde_json::Error| Error::Malformed { path: path.to_owned(), problem: problem.to_string() };
    let Header { schema } = serde_json::from_slice(&raw).map_err(wrong)?;
    if schema != known {
        return Err(Error::Schema { path: path.to_owned(), found: schema, known });
    }
    serde_json::from_slice(&raw).map(Some).map_err(wrong)
}
