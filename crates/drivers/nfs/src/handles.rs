//! From paths to file handles: the mounted root, the directories met so far, and what to do when the server
//! no longer knows a handle.

use crate::{
    Identity,
    address::Address,
    failure::Failure,
    manner::Manner,
    mount::{self, Mounted},
    pool::Pool,
    rpc::{Credential, RpcError},
};
use bytes::Bytes;
use model::RelPath;
use nfs3_types::nfs3::{fattr3, ftype3, nfsstat3};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
};
use storage::{Error, ErrorKind, Reach, Result};

/// Directories whose handles are remembered, in each of two generations. With paths of 100 bytes and handles
/// of 64, both take about 5 MB.
const REMEMBERED: usize = 16 << 10;

/// Largest READ that is asked for, whatever the server would give: several are in flight for every file.
const READ_MAX: u32 = 1 << 20;

/// A mounted location and the way to it. Shared by everything that is under way there.
#[derive(Debug)]
pub(crate) struct Share {
    pub pool: Pool,
    pub manner: Manner,
    pub credential: Credential,
    pub mount_server: std::net::SocketAddr,
    /// Bytes of a READ.
    pub read_size: u32,
    /// Bytes of a READDIRPLUS.
    pub dir_size: u32,
    /// The server answered once that it has no READDIRPLUS.
    pub plain_readdir: AtomicBool,
    address: Address,
    root: Mutex<Bytes>,
    handles: Mutex<Handles>,
    mounting: tokio::sync::Mutex<()>,
}

impl Share {
    pub async fn mount(address: Address, manner: Manner, credential: Credential) -> Result<(Self, Identity)> {
        const OP: &str = "open the location";
        let mounted = mount::mount(&address, &manner, &credential).await?;
        let pool = Pool::new(
            manner.clone(),
            credential.clone(),
            &address.host,
            mounted.nfs,
            address.port.is_none() && manner.rpc.tls.is_none(),
        );
        let (root, attributes) = descend(&pool, &mounted).await.map_err(|f| unusable(f, OP, &mounted))?;
        if attributes.type_ != ftype3::NF3DIR {
            return Err(Error::new(ErrorKind::Invalid, OP)
                .with_reach(Reach::Location)
                .because("it is not a directory")
                .hint("name a directory; symbolic links are not followed"));
        }
        let limits = pool.fsinfo(&root).await.map_err(|f| unusable(f, OP, &mounted))?;
        let names = pool.pathconf(&root).await.ok();
        let at = (mounted.nfs, mounted.export, mounted.auth_flavors);
        let identity = Identity::new(at, attributes.fsid, &limits, names.as_ref());
        let share = Self {
            pool,
            manner,
            credential,
            mount_server: mounted.mount,
            read_size: limits.rtmax.clamp(4 << 10, READ_MAX),
            dir_size: limits.dtpref.clamp(64 << 10, 1 << 20),
            plain_readdir: AtomicBool::new(false),
            address,
            root: Mutex::new(root),
            handles: Mutex::default(),
            mounting: tokio::sync::Mutex::new(()),
        };
        Ok((share, identity))
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
        let (mut at, mut handle) = self.nearest(path);
        let missing = path.len().min(at.len() + usize::from(!at.is_root()));
        let below = RelPath::from(&path.as_bytes()[missing..]);
        for name in below.components() {
            let (next, attributes) = self.pool.lookup(&handle, name).await?;
            if attributes.type_ != ftype3::NF3DIR {
                return Err(Failure::Status(nfsstat3::NFS3ERR_NOTDIR));
            }
            at = at.join(name);
            self.remember(at.clone(), next.clone());
            handle = next;
        }
        Ok(handle)
    }

    /// Handle and attributes of whatever is at `path`.
    pub async fn find(&self, path: &RelPath) -> Result<(Bytes, fattr3), Failure> {
        let Some(parent) = path.parent() else {
            let root = self.root();
            let attributes = self.pool.getattr(&root).await?;
            return Ok((root, attributes));
        };
        // Below what is no directory there is nothing.
        let parent = self.directory(&parent).await.map_err(|failure| match failure {
            Failure::Status(nfsstat3::NFS3ERR_NOTDIR) => Failure::Status(nfsstat3::NFS3ERR_NOENT),
            other => other,
        })?;
        self.pool.lookup(&parent, path.file_name()).await
    }

    /// After a stale handle: forgets what led to `path`, and mounts again when the root is stale, too. What
    /// failed is then tried once more by the caller.
    pub async fn recover(&self, path: &RelPath) -> Result<(), Failure> {
        lock(&self.handles).forget(path);
        let _one_at_a_time = self.mounting.lock().await;
        match self.pool.getattr(&self.root()).await {
            Err(failure) if failure.is_stale() => {}
            answer => return answer.map(|_| ()),
        }
        tracing::warn!(server = %self.pool.server(), "the root's file handle is stale, mounting again");
        // Whatever stands in the way now may be gone when the server is up again.
        let gone = |e: Error| {
            let why = std::io::Error::other(e.cause().unwrap_or_else(|| e.to_string()));
            Failure::Rpc(RpcError::Connect(Arc::new(why)))
        };
        let mounted = mount::mount(&self.address, &self.manner, &self.credential).await.map_err(gone)?;
        self.pool.move_to(mounted.nfs);
        let (root, _) = descend(&self.pool, &mounted).await?;
        *lock(&self.root) = root;
        *lock(&self.handles) = Handles::default();
        Ok(())
    }

    /// The error for whoever asked to do `op` at `path`.
    pub fn error(&self, failure: Failure, op: &'static str, path: &RelPath) -> Error {
        let who = match failure {
            Failure::Status(status @ (nfsstat3::NFS3ERR_ACCES | nfsstat3::NFS3ERR_PERM)) => {
                Some(format!("{status} as uid {}, gid {}", self.address.uid, self.address.gid))
            }
            _ => None,
        };
        let error = failure.at(op, path);
        match who {
            Some(who) => error.because(who),
            None => error,
        }
    }

    /// The nearest directory at or above `path` whose handle is known.
    fn nearest(&self, path: &RelPath) -> (RelPath, Bytes) {
        let mut handles = lock(&self.handles);
        let mut at = path.clone();
        while let Some(above) = at.parent() {
            if let Some(handle) = handles.get(&at) {
                return (at, handle);
            }
            at = above;
        }
        drop(handles);
        (RelPath::ROOT, self.root())
    }
}

/// Refuses a path that no NFS server can hold, before it is sent: `..` would leave the location.
pub(crate) fn check_names(path: &RelPath, op: &'static str) -> Result<()> {
    let bad = path.components().any(|name| matches!(name, b"" | b"." | b"..") || name.contains(&0));
    if bad { Err(Error::new(ErrorKind::NameRefused, op).at(path)) } else { Ok(()) }
}

/// Looks up what of the location lies below the mounted export.
async fn descend(pool: &Pool, mounted: &Mounted) -> Result<(Bytes, fattr3), Failure> {
    let mut handle = mounted.root.clone();
    let mut attributes = pool.getattr(&handle).await?;
    for name in mounted.below.components() {
        (handle, attributes) = pool.lookup(&handle, name).await?;
    }
    Ok((handle, attributes))
}

fn unusable(failure: Failure, op: &'static str, mounted: &Mounted) -> Error {
    let below = !mounted.below.is_root() && matches!(failure, Failure::Status(nfsstat3::NFS3ERR_NOENT));
    let error = failure.error(op).with_reach(Reach::Location);
    if below {
        let export = RelPath::from_bytes(mounted.export.clone());
        error.hint(format!("the server exports `{export}`, but there is no `{}` in it", mounted.below))
    } else {
        error
    }
}

/// Two generations of handles: when the young one is full, it becomes the old one, and what was not used
/// since is forgotten. As good as least-recently-used here, and without its links.
#[derive(Debug, Default)]
struct Handles {
    young: HashMap<RelPath, Bytes>,
    old: HashMap<RelPath, Bytes>,
}

impl Handles {
    fn get(&mut self, dir: &RelPath) -> Option<Bytes> {
        if let Some(handle) = self.young.get(dir) {
            return Some(handle.clone());
        }
        let handle = self.old.remove(dir)?;
        self.insert(dir.clone(), handle.clone());
        Some(handle)
    }

    fn insert(&mut self, dir: RelPath, handle: Bytes) {
        if self.young.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(dir, handle);
    }

    /// Forgets `path` and everything above it.
    fn forget(&mut self, path: &RelPath) {
        let mut next = Some(path.clone());
        while let Some(dir) = next {
            self.young.remove(&dir);
            self.old.remove(&dir);
            next = dir.parent();
        }
    }
}

/// Nothing under these locks can leave what they guard half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shared between a store and the streams it gave out.
pub(crate) type Shared = Arc<Share>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_in_use_outlive_those_that_are_not_and_memory_is_bounded() {
        let mut handles = Handles::default();
        let dir = |n: usize| RelPath::from(format!("d{n}").as_str());
        for n in 0..5 * REMEMBERED {
            handles.insert(dir(n), Bytes::new());
            assert!(handles.get(&dir(0)).is_some(), "{n}");
        }
        assert!(handles.get(&dir(1)).is_none());
        assert!(handles.young.len() + handles.old.len() <= 2 * REMEMBERED);
    }

    #[test]
    fn a_stale_path_is_forgotten_with_everything_above_it() {
        let mut handles = Handles::default();
        for path in ["a", "a/b", "a/c"] {
            handles.insert(path.into(), Bytes::new());
        }
        handles.forget(&"a/b/file".into());
        assert!(handles.get(&"a".into()).is_none() && handles.get(&"a/b".into()).is_none());
        assert!(handles.get(&"a/c".into()).is_some());
    }

    #[test]
    fn a_path_cannot_leave_the_location() {
        for path in ["..", "a/../b", "a//b", "a/.", "/a", "a/", "a\0b"] {
            assert_eq!(check_names(&path.into(), "stat").unwrap_err().kind(), ErrorKind::NameRefused, "{path:?}");
        }
        for path in ["", "...", "a/..b", ".hidden"] {
            assert!(check_names(&path.into(), "stat").is_ok(), "{path:?}");
        }
    }
}
