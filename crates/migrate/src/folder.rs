//! The folder of one move inside a run.
//!
//! ```text
//! <run>/<move>/move.json        which move this is; another one is refused
//! <run>/<move>/journal/         intent, effect, result
//! <run>/<move>/scratch/         sorted listings while a run goes on
//! <run>/<move>/failures.ndjson  every item that failed or was skipped in the last run
//! ```

use crate::{Error, Result};
use plan::Move;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

pub(crate) struct Folder {
    path: PathBuf,
    fingerprint: [u8; 32],
}

/// What makes two runs the same move.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    from: String,
    to: String,
    names: plan::NamePolicy,
}

impl Folder {
    /// Opens or makes it.
    pub(crate) fn open(run: &Path, spec: &Move) -> Result<Self> {
        let path = run.join(&spec.name);
        let identity = Identity { from: spec.from.to_string(), to: spec.to.to_string(), names: spec.names };
        let text = serde_json::to_string_pretty(&identity).expect("an identity is plain data");
        let folder = Self { fingerprint: *blake3::hash(text.as_bytes()).as_bytes(), path };
        make(&folder.path)?;
        make(&folder.scratch())?;
        folder.belongs_to(&identity, &text)?;
        Ok(folder)
    }

    fn belongs_to(&self, identity: &Identity, text: &str) -> Result<()> {
        let file = self.path.join("move.json");
        let wrong = |source| Error::RunFolder { path: file.display().to_string(), source };
        match fs::read_to_string(&file) {
            Ok(found) => {
                let was: Identity = serde_json::from_str(&found)
                    .map_err(|error| wrong(io::Error::new(io::ErrorKind::InvalidData, error)))?;
                if was == *identity {
                    return Ok(());
                }
                let was = format!("from {} to {}, names {:?}", was.from, was.to, was.names);
                Err(Error::OtherMove { folder: self.path.display().to_string(), was })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Renamed into place: a crash leaves none or a whole one.
                let fresh = self.path.join("move.json.new");
                fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, &file)).map_err(wrong)
            }
            Err(error) => Err(wrong(error)),
        }
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }
    pub(crate) fn scratch(&self) -> PathBuf {
        self.path.join("scratch")
    }
    pub(crate) fn scratch_file(&self, name: &str) -> PathBuf {
        self.scratch().join(name)
    }
    pub(crate) fn failures(&self) -> PathBuf {
        self.path.join("failures.ndjson")
    }
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }
}

fn make(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|source| Error::RunFolder { path: path.display().to_string(), source })
}
