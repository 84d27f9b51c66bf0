//! Names, the inodes they lead to, and the writes in progress.

use super::{Shape, content};
use crate::{Abandoned, Error, ErrorKind, Node, Published, Receipt, Result, WriteSpec, checksum, memory::upload};
use bytes::Bytes;
use model::{Digests, Entry, Facets, FileId, Kind, Metadata, Posix, Principal, RelPath, Stamp, Timestamp};
use std::collections::{BTreeMap, HashMap};

/// Everything that the store holds.
pub(super) struct Namespace {
    shape: Shape,
    /// Path (for keys: key, with `/` after the marker of a directory) to inode.
    pub(super) names: BTreeMap<Bytes, u64>,
    inodes: HashMap<u64, Inode>,
    pub(super) uploads: BTreeMap<u64, upload::Pending>,
    /// Changes so far; also the next inode and upload number.
    clock: u64,
}

struct Inode {
    kind: Kind,
    content: Bytes,
    meta: Metadata,
    /// When it was last changed, as the store's clock counts.
    changed: u64,
    nlink: u32,
}

impl Namespace {
    pub(super) fn new(shape: Shape) -> Self {
        let mut new =
            Self { shape, names: BTreeMap::new(), inodes: HashMap::new(), uploads: BTreeMap::new(), clock: 0 };
        if shape == Shape::Tree {
            new.add(&RelPath::ROOT, Kind::Dir, Bytes::new(), Metadata::default());
        }
        new
    }
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }
    pub(super) fn used(&self) -> (u64, u64) {
        let bytes = self.inodes.values().map(|inode| inode.content.len() as u64).sum();
        (bytes, self.inodes.len() as u64)
    }
    pub(super) fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// The key under which a thing of `kind` at `path` is held.
    fn key(&self, path: &RelPath, kind: &Kind) -> Bytes {
        if self.shape == Shape::Keys && kind.is_dir() { path.join(b"").to_bytes() } else { path.to_bytes() }
    }
    /// The key that holds something at `path`, whatever it is.
    fn held(&self, path: &RelPath) -> Option<Bytes> {
        let plain = path.to_bytes();
        if self.names.contains_key(&plain) {
            return Some(plain);
        }
        let marker = path.join(b"").to_bytes();
        (self.shape == Shape::Keys && !path.is_root() && self.marks_dir(&marker)).then_some(marker)
    }
    /// Is there a directory's marker under this key?
    pub(super) fn marks_dir(&self, key: &Bytes) -> bool {
        self.names.get(key).is_some_and(|id| self.inodes[id].kind.is_dir())
    }

    /// The entry under `key`, which must be held.
    pub(super) fn entry(&self, key: &Bytes, want: Facets) -> Entry {
        let id = self.names[key];
        let inode = &self.inodes[&id];
        let path = match (self.shape, &inode.kind) {
            (Shape::Keys, Kind::Dir) => key.slice(..key.len() - 1),
            _ => key.clone(),
        };
        let mut entry = Entry::new(RelPath::from_bytes(path), inode.kind.clone(), self.stamp(id));
        entry.meta = Some(Box::new(only(&inode.meta, want))).filter(|_| !want.minus(Facets::DIGESTS).is_empty());
        match self.shape {
            Shape::Tree => {
                entry.nlink = Some(inode.nlink);
                entry.allocated = Some((inode.content.len() as u64).next_multiple_of(512));
            }
            Shape::Keys => {
                let crc64nvme = Some(checksum::crc64nvme(std::slice::from_ref(&inode.content)));
                let digests = Digests { crc64nvme, ..Digests::default() };
                entry.digests = want.has(Facets::DIGESTS).then(|| Box::new(digests));
            }
        }
        entry
    }
    fn stamp(&self, id: u64) -> Stamp {
        let inode = &self.inodes[&id];
        let size = match &inode.kind {
            Kind::File => inode.content.len() as u64,
            Kind::Symlink { target } => target.len() as u64,
            Kind::Dir | Kind::Special(_) => 0,
        };
        match self.shape {
            Shape::Tree => Stamp {
                size,
                mtime: inode.meta.mtime,
                change: Some(inode.changed),
                etag: None,
                file_id: Some(FileId { volume: 1, inode: id }),
            },
            Shape::Keys => {
                let crc = checksum::crc64nvme(std::slice::from_ref(&inode.content));
                let etag = Some(Bytes::from(format!("{crc:016x}")));
                Stamp { size, mtime: Some(time(inode.changed)), change: None, etag, file_id: None }
            }
        }
    }

    /// What is at `path`. In a key space a prefix of other keys is a directory without a marker.
    pub(super) fn find(&self, path: &RelPath, want: Facets, op: &'static str) -> Result<Entry> {
        if let Some(key) = self.held(path) {
            return Ok(self.entry(&key, want));
        }
        let prefix = path.join(b"");
        let implied = self.shape == Shape::Keys
            && (path.is_root()
                || self.names.range(prefix.to_bytes()..).next().is_some_and(|(k, _)| k.starts_with(prefix.as_bytes())));
        if implied {
            return Ok(Entry::new(path.clone(), Kind::Dir, Stamp::default()));
        }
        Err(self.missing(path, op))
    }
    /// `NotFound`, or `Invalid` when something on the way is not a directory.
    fn missing(&self, path: &RelPath, op: &'static str) -> Error {
        let kind = self.blocked(path).map_or(ErrorKind::NotFound, |_| ErrorKind::Invalid);
        Error::new(kind, op).at(path)
    }
    /// The nearest thing above `path` that is not a directory; only a tree has one.
    fn blocked(&self, path: &RelPath) -> Option<RelPath> {
        if self.shape == Shape::Keys {
            return None;
        }
        let above = std::iter::successors(path.parent(), RelPath::parent);
        let held = above.filter_map(|dir| self.names.get(dir.as_bytes()).map(|id| (dir, *id)));
        held.filter(|(_, id)| !self.inodes[id].kind.is_dir()).map(|(dir, _)| dir).next()
    }

    /// A file's entry and content.
    pub(super) fn open(&self, path: &RelPath, want: Facets) -> Result<(Entry, Bytes)> {
        let entry = self.find(path, want, "read")?;
        if !entry.kind.is_file() {
            let cause = format!("it is a {}", entry.kind.word());
            return Err(Error::new(ErrorKind::Invalid, "read").at(path).because(cause));
        }
        let id = self.names[path.as_bytes()];
        Ok((entry, self.inodes[&id].content.clone()))
    }

    /// Puts a file under `path`, all at once.
    pub(super) fn publish(
        &mut self,
        path: &RelPath,
        spec: &WriteSpec,
        writes: Facets,
        content: Bytes,
    ) -> Result<Published> {
        if spec.size.is_some_and(|size| size != content.len() as u64) {
            return Err(Error::new(ErrorKind::Invalid, "write").at(path).because("the content has another size"));
        }
        if spec.if_absent && self.names.contains_key(path.as_bytes()) {
            return Err(Error::new(ErrorKind::AlreadyExists, "write").at(path));
        }
        let crc64nvme = (self.shape == Shape::Keys).then(|| checksum::crc64nvme(std::slice::from_ref(&content)));
        let mut done = self.place(path, Kind::File, content, &spec.meta, writes)?;
        done.digests.crc64nvme = crc64nvme;
        Ok(done)
    }

    /// Makes something without content.
    pub(super) fn make(&mut self, path: &RelPath, node: &Node, meta: &Metadata, writes: Facets) -> Result<Published> {
        let kind = match node {
            Node::Dir => {
                if self.held(path).is_some_and(|key| self.inodes[&self.names[&key]].kind.is_dir()) {
                    let kept = self.apply(path, meta, meta.facets().shared(writes))?;
                    let key = self.key(path, &Kind::Dir);
                    return Ok(Published { stamp: self.stamp(self.names[&key]), kept, ..Published::default() });
                }
                Kind::Dir
            }
            Node::Symlink { target } => Kind::Symlink { target: target.clone() },
            Node::HardLink { to } => return self.link(path, to),
            Node::Special(special) => Kind::Special(*special),
        };
        self.place(path, kind, Bytes::new(), meta, writes)
    }

    fn link(&mut self, path: &RelPath, to: &RelPath) -> Result<Published> {
        let found = self.find(to, Facets::NONE, "link to")?;
        if found.kind.is_dir() {
            return Err(Error::new(ErrorKind::Invalid, "link to").at(to));
        }
        let id = self.names[to.as_bytes()];
        self.clear(path)?;
        self.parents(path)?;
        let changed = self.tick();
        self.names.insert(path.to_bytes(), id);
        let inode = self.inodes.get_mut(&id).expect("every name leads to an inode");
        inode.nlink += 1;
        inode.changed = changed;
        Ok(Published { stamp: self.stamp(id), ..Published::default() })
    }

    /// Replaces whatever is at `path`, unless that is a directory.
    fn place(
        &mut self,
        path: &RelPath,
        kind: Kind,
        content: Bytes,
        meta: &Metadata,
        writes: Facets,
    ) -> Result<Published> {
        self.clear(path)?;
        self.parents(path)?;
        let kept = meta.facets().shared(writes);
        let id = self.add(path, kind, content, only(meta, kept));
        Ok(Published { stamp: self.stamp(id), kept, ..Published::default() })
    }
    fn add(&mut self, path: &RelPath, kind: Kind, content: Bytes, mut meta: Metadata) -> u64 {
        let id = self.tick();
        if self.shape == Shape::Tree {
            let now = time(id);
            meta.mtime.get_or_insert(now);
            meta.atime.get_or_insert(now);
            let mode = if kind.is_dir() { 0o755 } else { 0o644 };
            meta.posix.get_or_insert(Posix { mode, owner: Principal::Id(0), group: Principal::Id(0) });
        }
        let key = self.key(path, &kind);
        self.inodes.insert(id, Inode { kind, content, meta, changed: id, nlink: 1 });
        self.names.insert(key, id);
        id
    }
    /// Takes away what is at `path`, so that something else can stand there.
    fn clear(&mut self, path: &RelPath) -> Result<()> {
        let key = path.to_bytes();
        let Some(id) = self.names.get(&key) else { return Ok(()) };
        if self.inodes[id].kind.is_dir() && self.shape == Shape::Tree {
            return Err(Error::new(ErrorKind::AlreadyExists, "replace").at(path).because("it is a directory"));
        }
        self.unlink(&key);
        Ok(())
    }
    fn unlink(&mut self, key: &Bytes) {
        let Some(id) = self.names.remove(key) else { return };
        let changed = self.tick();
        let inode = self.inodes.get_mut(&id).expect("every name leads to an inode");
        inode.nlink -= 1;
        inode.changed = changed;
        if inode.nlink == 0 {
            self.inodes.remove(&id);
        }
    }
    /// Makes the directories above `path`.
    fn parents(&mut self, path: &RelPath) -> Result<()> {
        if self.shape == Shape::Keys {
            return Ok(());
        }
        if let Some(file) = self.blocked(path) {
            let cause = format!("`{file}` is not a directory");
            return Err(Error::new(ErrorKind::Invalid, "write").at(path).because(cause));
        }
        let missing: Vec<RelPath> = std::iter::successors(path.parent(), RelPath::parent)
            .take_while(|dir| !self.names.contains_key(dir.as_bytes()))
            .collect();
        for dir in missing.iter().rev() {
            self.add(dir, Kind::Dir, Bytes::new(), Metadata::default());
        }
        Ok(())
    }

    pub(super) fn apply(&mut self, path: &RelPath, meta: &Metadata, which: Facets) -> Result<Facets> {
        let key = self.held(path).ok_or_else(|| self.missing(path, "write the metadata of"))?;
        let written = meta.facets().shared(which);
        let changed = self.tick();
        let inode = self.inodes.get_mut(&self.names[&key]).expect("every name leads to an inode");
        merge(&mut inode.meta, meta, written);
        inode.changed = changed;
        Ok(written)
    }

    pub(super) fn remove(&mut self, path: &RelPath, if_stamp: Option<&Stamp>) -> Result<()> {
        let key = self.held(path).ok_or_else(|| self.missing(path, "remove"))?;
        if path.is_root() {
            return Err(Error::new(ErrorKind::Invalid, "remove").at(path));
        }
        if if_stamp.is_some_and(|stamp| *stamp != self.stamp(self.names[&key])) {
            return Err(Error::new(ErrorKind::Changed, "remove").at(path));
        }
        let below = path.join(b"").to_bytes();
        if self.shape == Shape::Tree
            && self.names.range(below.clone()..).next().is_some_and(|(k, _)| k.starts_with(&below))
        {
            return Err(Error::new(ErrorKind::Invalid, "remove").at(path).because("the directory is not empty"));
        }
        self.unlink(&key);
        Ok(())
    }

    pub(super) fn open_upload(&mut self, path: &RelPath) -> Result<u64> {
        if let Some(file) = self.blocked(path) {
            let cause = format!("`{file}` is not a directory");
            return Err(Error::new(ErrorKind::Invalid, "write").at(path).because(cause));
        }
        let id = self.tick();
        self.uploads.insert(id, upload::Pending { path: path.clone(), parts: BTreeMap::new() });
        Ok(id)
    }
    pub(super) fn receipts(&self, path: &RelPath, id: u64) -> Option<Vec<Receipt>> {
        let pending = self.uploads.get(&id).filter(|pending| pending.path == *path)?;
        Some(pending.parts.iter().map(|(index, part)| part.receipt(*index)).collect())
    }
    pub(super) fn abandoned(&self, path: &RelPath) -> Vec<Abandoned> {
        let open = self.uploads.iter().filter(|(_, pending)| pending.path == *path);
        open.map(|(id, _)| Abandoned { token: upload::token_of(*id), since: Some(time(*id)) }).collect()
    }
    pub(super) fn drop_upload(&mut self, path: &RelPath, id: u64) {
        if self.uploads.get(&id).is_some_and(|pending| pending.path == *path) {
            self.uploads.remove(&id);
        }
    }
    /// Turns a write in parts into a file.
    pub(super) fn complete(
        &mut self,
        id: u64,
        receipts: &[Receipt],
        whole: &Digests,
        spec: &WriteSpec,
        rules: (u64, Facets),
    ) -> Result<Published> {
        let (min, writes) = rules;
        let gone = || Error::new(ErrorKind::NotFound, "finish the write");
        let pending = self.uploads.get(&id).ok_or_else(gone)?;
        let path = pending.path.clone();
        let pieces = pending.assembled(receipts, min)?;
        content::verify(whole, &pieces, &path)?;
        let done = self.publish(&path, spec, writes, content::joined(pieces))?;
        self.uploads.remove(&id);
        Ok(done)
    }
}

/// The store's clock as a time: a millisecond for every change, from 2020-09-13T12:26:40Z on.
fn time(count: u64) -> Timestamp {
    const START: i128 = 1_600_000_000_000_000_000;
    Timestamp::from_total_nanos(START + i128::from(count) * 1_000_000).expect("a count of milliseconds fits")
}

/// The facets of `meta` that are in `which`.
pub(super) fn only(meta: &Metadata, which: Facets) -> Metadata {
    let mut kept = Metadata::default();
    merge(&mut kept, meta, which);
    kept
}

/// Writes the facets `which` of `new` over `meta`. Mode and owner ride in one structure: the half that
/// is not in `which` stays as it was, or is the new one's where nothing was.
fn merge(meta: &mut Metadata, new: &Metadata, which: Facets) {
    if which.has(Facets::MTIME) {
        meta.mtime = new.mtime;
    }
    if which.has(Facets::ATIME) {
        meta.atime = new.atime;
    }
    if let Some(posix) = new.posix.as_ref().filter(|_| !which.shared(Facets::MODE.and(Facets::OWNER)).is_empty()) {
        let old = meta.posix.get_or_insert_with(|| posix.clone());
        if which.has(Facets::MODE) {
            old.mode = posix.mode;
        }
        if which.has(Facets::OWNER) {
            (old.owner, old.group) = (posix.owner.clone(), posix.group.clone());
        }
    }
    if which.has(Facets::USER_META) {
        meta.user.clone_from(&new.user);
    }
}
