//! The directory of an inventory: which systems are in it, and where their files are.

use crate::{Draft, Error, PROFILE_SCHEMA, Problem, Profile, durable, rows};
use model::Location;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, BufRead as _, BufReader},
    path::{Path, PathBuf},
};

/// Schema name of `inventory.json`. Fields are only added within a version.
pub const INVENTORY_SCHEMA: &str = "longshore.inventory/v1";

const INDEX: &str = "inventory.json";
const PROFILE: &str = "profile.json";
const PROBLEMS: &str = "problems.ndjson";
const ENTRIES: &str = "entries";
/// Longest name that we make for a system.
const LONGEST_NAME: usize = 60;

/// An inventory on disk.
#[derive(Clone, Debug)]
pub struct Inventory {
    root: PathBuf,
    index: Index,
}

/// `inventory.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Index {
    schema: String,
    tool_version: String,
    created_at: String,
    systems: Vec<Member>,
}

/// A system of an inventory. It is listed from the moment its discovery starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Name of its directory: lower-case ASCII letters, digits and `-`.
    pub name: String,
    /// Where it is.
    pub location: Location,
}

impl Inventory {
    /// Opens the inventory in the directory `root`.
    ///
    /// Errors: `NotAnInventory`, `Schema` when a newer version wrote it, `Malformed`, `Io`.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let index: Option<Index> = durable::read_json(&root.join(INDEX), INVENTORY_SCHEMA)?;
        let index = index.ok_or_else(|| Error::NotAnInventory { path: root.to_owned() })?;
        if let Some(wrong) = index.systems.iter().find(|member| !is_name(&member.name)) {
            let problem = format!("`{}` is not the name of a system", wrong.name);
            return Err(Error::Malformed { path: root.join(INDEX), problem });
        }
        Ok(Self { root: root.to_owned(), index })
    }

    /// Opens the inventory in the directory `root`, or makes an empty one where there is no directory or an
    /// empty one. `created_at` is RFC 3339 in UTC.
    ///
    /// Errors: as [`Inventory::open`], and `Occupied` when something else is in the directory.
    pub fn create(root: &Path, created_at: &str) -> Result<Self, Error> {
        fs::create_dir_all(root).map_err(Error::io("create", root))?;
        if root.join(INDEX).exists() {
            return Self::open(root);
        }
        let mut others = fs::read_dir(root).map_err(Error::io("list", root))?;
        // A temporary file is what a crash leaves that hit in this very function.
        let stranger = others.find(|entry| entry.as_ref().map_or(true, |entry| entry.file_name() != "inventory.tmp"));
        if stranger.is_some() {
            return Err(Error::Occupied { path: root.to_owned() });
        }
        let index = Index {
            schema: INVENTORY_SCHEMA.to_owned(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            created_at: created_at.to_owned(),
            systems: Vec::new(),
        };
        let inventory = Self { root: root.to_owned(), index };
        inventory.save()?;
        Ok(inventory)
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// When it was made, RFC 3339 in UTC.
    pub fn created_at(&self) -> &str {
        &self.index.created_at
    }
    /// Version of the tool that made it.
    pub fn tool_version(&self) -> &str {
        &self.index.tool_version
    }
    /// Its systems, in the order in which they were added.
    pub fn systems(&self) -> &[Member] {
        &self.index.systems
    }

    /// The figures of one system.
    ///
    /// Errors: `NoSuchSystem`, `Unfinished`, `Schema`, `Malformed`, `Io`.
    pub fn profile(&self, name: &str) -> Result<Profile, Error> {
        let path = self.directory(name)?.join(PROFILE);
        durable::read_json(&path, PROFILE_SCHEMA)?.ok_or_else(|| self.unfinished(name))
    }

    /// The Parquet files of one system, in the order in which they were written.
    ///
    /// Errors: `NoSuchSystem`, `Unfinished`, `Io`.
    pub fn entries_files(&self, name: &str) -> Result<Vec<PathBuf>, Error> {
        let directory = self.finished(name)?.join(ENTRIES);
        Ok(rows::part_names(&directory)?.into_iter().map(|part| directory.join(part)).collect())
    }

    /// Everything that could not be read of one system, or that should be looked at.
    ///
    /// Errors: `NoSuchSystem`, `Unfinished`, `Io`; each line may be `Malformed`.
    pub fn problems(&self, name: &str) -> Result<impl Iterator<Item = Result<Problem, Error>> + use<>, Error> {
        read_problems(&self.finished(name)?.join(PROBLEMS))
    }

    /// SHA-256 in hexadecimal over the profiles of all systems, so that a plan can say which inventory it was
    /// made from. It does not depend on the order of the systems, nor on where the inventory lies.
    ///
    /// Errors: `Unfinished`, `Io`.
    pub fn sha256(&self) -> Result<String, Error> {
        let mut names: Vec<&str> = self.index.systems.iter().map(|member| member.name.as_str()).collect();
        names.sort_unstable();
        let mut hash = Sha256::new();
        for name in names {
            let path = self.finished(name)?.join(PROFILE);
            let profile = fs::read(&path).map_err(Error::io("read", &path))?;
            // Lengths first, so that no two inventories can give the same sequence of bytes.
            for piece in [name.as_bytes(), &profile] {
                hash.update(u64::try_from(piece.len()).unwrap_or(u64::MAX).to_be_bytes());
                hash.update(piece);
            }
        }
        Ok(hash.finalize().iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes what is written");
            text
        }))
    }

    /// Opens the unfinished discovery of a location, or a new one; nobody else can until it is dropped. With
    /// `afresh`, what an interrupted discovery left is thrown away. The files of a finished discovery stay
    /// until [`Draft::publish`] replaces them.
    ///
    /// Errors: `Locked`, `Io`.
    pub fn draft(&mut self, location: &Location, afresh: bool) -> Result<Draft, Error> {
        let name = self.enlist(location)?;
        Draft::open(&self.root.join(&name), name, afresh)
    }

    /// Finds the name of a location, or adds it under a new one. Other processes may do so at the same time.
    fn enlist(&mut self, location: &Location) -> Result<String, Error> {
        let _turn = wait_for_lock(&self.root.join(".lock"))?;
        self.index = Self::open(&self.root)?.index;
        if let Some(known) = self.index.systems.iter().find(|member| member.location == *location) {
            return Ok(known.name.clone());
        }
        let wanted = slug(location);
        let taken = |name: &String| self.index.systems.iter().any(|member| member.name == *name);
        let mut name = wanted.clone();
        let mut number = 1_u32;
        while taken(&name) {
            number += 1;
            name = format!("{wanted}-{number}");
        }
        self.index.systems.push(Member { name: name.clone(), location: location.clone() });
        self.save()?;
        Ok(name)
    }

    fn save(&self) -> Result<(), Error> {
        durable::replace_json(&self.root.join(INDEX), &self.index, true)
    }
    fn directory(&self, name: &str) -> Result<PathBuf, Error> {
        let known = || self.index.systems.iter().map(|member| member.name.clone());
        if known().any(|known| known == name) {
            return Ok(self.root.join(name));
        }
        Err(Error::NoSuchSystem { path: self.root.clone(), name: name.to_owned(), known: known().collect() })
    }
    fn finished(&self, name: &str) -> Result<PathBuf, Error> {
        let directory = self.directory(name)?;
        if directory.join(PROFILE).exists() { Ok(directory) } else { Err(self.unfinished(name)) }
    }
    fn unfinished(&self, name: &str) -> Error {
        Error::Unfinished { path: self.root.clone(), name: name.to_owned() }
    }
}

/// Reads a `problems.ndjson`; a missing file has no lines.
pub(crate) fn read_problems(path: &Path) -> Result<impl Iterator<Item = Result<Problem, Error>> + use<>, Error> {
    let file = match File::open(path) {
        Ok(file) => Some(BufReader::new(file)),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => None,
        Err(other) => return Err(Error::io("read", path)(other)),
    };
    let path = path.to_owned();
    Ok(file.into_iter().flat_map(BufReader::lines).map(move |line| {
        let line = line.map_err(Error::io("read", &path))?;
        serde_json::from_str(&line)
            .map_err(|error| Error::Malformed { path: path.clone(), problem: format!("{error} in the line `{line}`") })
    }))
}

/// Held for the few milliseconds in which the index is read and replaced.
fn wait_for_lock(path: &Path) -> Result<File, Error> {
    let lock = File::create(path).map_err(Error::io("create", path))?;
    lock.lock().map_err(Error::io("lock", path))?;
    Ok(lock)
}

fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !name.is_empty() && name.bytes().all(allowed)
}

/// A name for a location that reads well and is a file name everywhere.
fn slug(location: &Location) -> String {
    let path = String::from_utf8_lossy(location.path());
    let mut name = String::new();
    for c in [location.scheme(), location.host(), &path].join("-").chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(LONGEST_NAME);
    name.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-02T03:04:05Z";

    fn at(uri: &str) -> Location {
        uri.parse().unwrap()
    }

    #[test]
    fn a_system_gets_a_name_of_its_own_that_reads_well() {
        let directory = tempfile::tempdir().unwrap();
        let mut inventory = Inventory::create(directory.path(), NOW).unwrap();
        for uri in ["nfs://Filer01:2049/export/home", "nfs://filer01/export/home", "file:///%FF/a//b", "s3://bucket"] {
            inventory.draft(&at(uri), false).unwrap();
        }
        inventory.draft(&at("s3://bucket"), false).unwrap();
        let names: Vec<&str> = inventory.systems().iter().map(|member| member.name.as_str()).collect();
        assert_eq!(names, ["nfs-filer01-export-home", "nfs-filer01-export-home-2", "file-a-b", "s3-bucket"]);
        let again = Inventory::open(directory.path()).unwrap();
        assert_eq!((again.systems(), again.created_at()), (inventory.systems(), NOW));
    }

    #[test]
    fn what_is_not_an_inventory_is_neither_opened_nor_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(Inventory::open(directory.path()), Err(Error::NotAnInventory { .. })));
        fs::write(directory.path().join("thesis.doc"), b"years of work").unwrap();
        assert!(matches!(Inventory::create(directory.path(), NOW), Err(Error::Occupied { .. })));
    }

    #[test]
    fn a_newer_inventory_is_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let index = r#"{"schema":"longshore.inventory/v2","everything":"is different"}"#;
        fs::write(directory.path().join("inventory.json"), index).unwrap();
        let error = Inventory::open(directory.path()).unwrap_err();
        assert!(error.to_string().contains("longshore.inventory/v2"), "{error}");
        assert!(error.hint().unwrap().contains("newer version"), "{error:?}");
    }

    #[test]
    fn a_name_that_leads_out_of_the_inventory_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        Inventory::create(directory.path(), NOW).unwrap();
        let path = directory.path().join("inventory.json");
        let index = fs::read_to_string(&path).unwrap();
        let member = r#""systems": [{"name":"../..","location":"s3://b"}]"#;
        fs::write(&path, index.replace(r#""systems": []"#, member)).unwrap();
        assert!(matches!(Inventory::open(directory.path()), Err(Error::Malformed { .. })));
    }

    #[test]
    fn an_unfinished_or_unknown_system_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let mut inventory = Inventory::create(directory.path(), NOW).unwrap();
        inventory.draft(&at("s3://b"), false).unwrap();
        assert!(matches!(inventory.profile("s3-b"), Err(Error::Unfinished { .. })));
        assert!(matches!(inventory.sha256(), Err(Error::Unfinished { .. })));
        let error = inventory.entries_files("s3-c").unwrap_err();
        assert!(error.to_string().contains("s3-b"), "names what there is: {error}");
    }
}
