//! `run.json` and `failures.ndjson` on disk.

use crate::{
    Error, ItemProblem, RUN_SCHEMA, RunResult,
    disk::{RealDisk, replace},
};
use serde::Deserialize;
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

/// What every version of the file has.
#[derive(Deserialize)]
struct Head {
    schema: String,
}

impl RunResult {
    /// Writes `run.json` in one step: whoever reads it sees the old content or the new.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::BadResult { path: path.to_owned(), problem: error.to_string() })?;
        text.push(b'\n');
        replace(&RealDisk, path, &text).map_err(Error::io("write", path))
    }

    /// Reads `run.json`.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = fs::read(path).map_err(Error::io("read", path))?;
        let bad = |problem| Error::BadResult { path: path.to_owned(), problem };
        let head: Head = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
        if head.schema != RUN_SCHEMA {
            return Err(bad(format!("its schema is `{}`, and this version reads `{RUN_SCHEMA}`", head.schema)));
        }
        serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))
    }
}

/// Writes `failures.ndjson`: one [`ItemProblem`] a line, as they come.
#[derive(Debug)]
pub struct FailuresWriter {
    path: PathBuf,
    out: BufWriter<File>,
    lines: u64,
}

impl FailuresWriter {
    /// Creates the file, in place of an older one.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(Error::io("create", path))?;
        Ok(Self { path: path.to_owned(), out: BufWriter::new(file), lines: 0 })
    }

    /// Appends a line.
    pub fn push(&mut self, problem: &ItemProblem) -> Result<(), Error> {
        let mut line = serde_json::to_vec(problem)
            .map_err(|error| Error::BadResult { path: self.path.clone(), problem: error.to_string() })?;
        line.push(b'\n');
        self.out.write_all(&line).map_err(Error::io("write", &self.path))?;
        self.lines += 1;
        Ok(())
    }

    /// Lines so far.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Makes all lines so far durable; the answer is how many there are.
    pub fn sync(&mut self) -> Result<u64, Error> {
        self.out.flush().map_err(Error::io("write", &self.path))?;
        self.out.get_ref().sync_data().map_err(Error::io("sync", &self.path))?;
        Ok(self.lines)
    }
}
