//! From paths to file handles: the location's root, the directories met so far, and what to do when the server no
//! longer knows a handle.

use super::{
    attributes::{Attributes, Bitmap, bit},
    client::Client,
    compound::{Compound, op},
    entry::DIR,
    failure::Failure,
    status::Status,
};
use crate::{
    again::{Outdated as _, Way, surely},
    handles::{Handles, lock},
};
use bytes::Bytes;
use model::RelPath;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64},
};
use storage::Error;

/// Bytes of names that are looked up by one request, well within any server's longest request.
const NAMES: usize = 4 << 10;

/// A location and the way to it. Shared by everything that is under way there.
#[derive(Debug)]
pub(crate) struct Tree {
    pub client: Arc<Client>,
    /// Path of the location from the server's root.
    pub path: RelPath,
    pub uid: u32,
    pub gid: u32,
    /// Bytes of a READ.
    pub read_size: u32,
    /// Bytes of a READDIR.
    pub dir_size: u32,
    /// The server wants an OPEN before it lets us read.
    pub opens: AtomicBool,
    /// Numbers our opens: each has an owner of its own, so that none is closed with another.
    pub opened: AtomicU64,
    root: Mutex<Bytes>,
    handles: Mutex<Handles>,
    finding: tokio::sync::Mutex<()>,
}

/// Shared between a store and the streams that it gave out.
pub(crate) type Shared = Arc<Tree>;

impl Tree {
    pub fn new(client: Arc<Client>, path: RelPath, who: (u32, u32), root: Bytes, sizes: (u32, u32)) -> Self {
        Self {
            client,
            path,
            uid: who.0,
            gid: who.1,
            read_size: sizes.0,
            dir_size: sizes.1,
            opens: AtomicBool::new(false),
            opened: AtomicU64::new(0),
            root: Mutex::new(root),
            handles: Mutex::default(),
            finding: tokio::sync::Mutex::default(),
        }
    }

    /// Handle of the location's root.
    pub fn root(&self) -> Bytes {
        lock(&self.root).clone()
    }

    /// Keeps the handle of a directory that a listing showed.
    pub fn remember(&self, dir: RelPath, handle: Bytes) {
        lock(&self.handles).insert(dir, handle);
    }

    /// Handle of a directory; symbolic links on the way are not followed.
    pub async fn directory(&self, path: &RelPath) -> Result<Bytes, Failure> {
        if let Some(handle) = lock(&self.handles).get(path) {
            return Ok(handle);
        }
        let (handle, told) = self.find(path, Bitmap::of(&[bit::TYPE])).await?;
        if told.kind != Some(DIR) {
            return Err(Failure::Status(Status::NOTDIR));
        }
        if !path.is_root() {
            self.remember(path.clone(), handle.clone());
        }
        Ok(handle)
    }

    /// Handle and attributes of whatever is at `path`.
    pub async fn find(&self, path: &RelPath, asked: Bitmap) -> Result<(Bytes, Attributes), Failure> {
        let Some(parent) = path.parent() else {
            let root = self.root();
            let told = getattr(&self.client, &root, asked).await?;
            return Ok((root, told));
        };
        let known = lock(&self.handles).nearest(&parent);
        let (at, from) = known.unwrap_or_else(|| (RelPath::ROOT, self.root()));
        let below = RelPath::from(&path.as_bytes()[at.len() + usize::from(!at.is_root())..]);
        lookup(&self.client, Some(&from), &below, asked).await.map_err(|failure| match failure {
            // Below what is no directory there is nothing.
            Failure::Status(Status::NOTDIR | Status::SYMLINK) => Failure::Status(Status::NOENT),
            other => other,
        })
    }

    /// Handle of whatever is at `path`, after the one that was known turned out to be stale.
    pub async fn find_anew(&self, path: &RelPath, asked: Bitmap) -> Result<Bytes, Failure> {
        self.recover(path, false).await?;
        surely!(self, path, self.find(path, asked).await).map(|(handle, _)| handle)
    }

    /// The error for whoever asked to do `op` at `path`; where a file system moved away, it says where to.
    pub async fn error(&self, failure: Failure, op: &'static str, path: &RelPath) -> Error {
        match failure {
            Failure::Status(status @ (Status::ACCESS | Status::PERM)) => {
                let who = format!("{status} as uid {}, gid {}", self.uid, self.gid);
                failure.at(op, path).because(who)
            }
            Failure::Status(Status::MOVED) => {
                let asked = Bitmap::of(&[bit::FS_LOCATIONS]);
                let places = self.find(path, asked).await.ok().and_then(|(_, told)| told.locations);
                Failure::Moved(places.unwrap_or_default()).at(op, path)
            }
            other => other.at(op, path),
        }
    }
}

impl Way for Tree {
    type Failure = Failure;

    async fn recover(&self, path: &RelPath, thoroughly: bool) -> Result<(), Failure> {
        lock(&self.handles).forget(path);
        let _one_at_a_time = self.finding.lock().await;
        if !thoroughly {
            match getattr(&self.client, &self.root(), Bitmap::of(&[bit::TYPE, bit::NUM_LINKS])).await {
                // The server has it open still, and it is removed.
                Ok(told) if told.links == Some(0) => {}
                Err(failure) if failure.is_stale() => {}
                answer => return answer.map(|_| ()),
            }
        }
        tracing::debug!(server = %self.client.party.server, %path, "a file handle is stale, looking up the location again");
        let (root, _) = lookup(&self.client, None, &self.path, Bitmap::of(&[bit::TYPE])).await?;
        *lock(&self.root) = root;
        *lock(&self.handles) = Handles::default();
        Ok(())
    }
}

pub(crate) async fn getattr(client: &Client, handle: &Bytes, asked: Bitmap) -> Result<Attributes, Failure> {
    let mut reply = client.call(&Compound::new("GETATTR").put(handle).attributes(asked)).await?;
    reply.done(op::PUTFH)?;
    reply.attributes()
}

/// Handle and attributes of what is at `path` below a directory, or below the server's root: in as few requests as
/// the server's limit of operations makes of it. Nothing of it is followed when it is a symbolic link.
pub(crate) async fn lookup(
    client: &Client,
    from: Option<&Bytes>,
    path: &RelPath,
    asked: Bitmap,
) -> Result<(Bytes, Attributes), Failure> {
    let mut names = path.components().peekable();
    let mut at = from.cloned();
    loop {
        // Besides the names: SEQUENCE, where to start, GETFH, GETATTR.
        let most = client.operations().saturating_sub(4).max(1);
        let mut ask = Compound::new("LOOKUP");
        ask = match &at {
            Some(handle) => ask.put(handle),
            None => ask.put_root(),
        };
        let (mut count, mut bytes) = (0, 0);
        while let Some(name) = names.next_if(|name| count == 0 || (count < most && bytes + name.len() <= NAMES)) {
            ask = ask.lookup(name);
            (count, bytes) = (count + 1, bytes + name.len());
        }
        ask = ask.handle();
        let last = names.peek().is_none();
        if last {
            ask = ask.attributes(asked);
        }
        let mut reply = client.call(&ask).await?;
        reply.done(if at.is_some() { op::PUTFH } else { op::PUTROOTFH })?;
        for _ in 0..count {
            reply.done(op::LOOKUP)?;
        }
        let handle = reply.handle()?;
        if last {
            return Ok((handle, reply.attributes()?));
        }
        at = Some(handle);
    }
}

/// Where a symbolic link points.
pub(crate) async fn readlink(client: &Client, handle: &Bytes) -> Result<Bytes, Failure> {
    let mut reply = client.call(&Compound::new("READLINK").put(handle).readlink()).await?;
    reply.done(op::PUTFH)?;
    reply.link()
}
