//! From paths to file handles: the mounted root, the directories met so far, and what to do when the server
//! no longer knows a handle.

use crate::{
    Identity,
    address::Address,
    again::{Outdated as _, Tries, Way, surely},
    failure::Failure,
    handles::{Handles, lock},
    manner::Manner,
    mount::{self, Mounted},
    pool::Pool,
    rpc::{Credential, RpcError},
};
use bytes::Bytes;
use model::RelPath;
use nfs3_types::nfs3::{fattr3, ftype3, nfsstat3};
use std::sync::{Arc, Mutex, atomic::AtomicBool};
use storage::{Error, ErrorKind, Reach, Result};

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
        let mut mounted = mount::mount(&address, &manner, &credential).await?;
        let port_may_move = address.port.is_none() && !manner.is_tunnelled();
        let pool = Pool::new(manner.clone(), credential.clone(), &address.host, mounted.nfs, port_may_move);
        let mut tries = Tries::default();
        let (root, attributes) = loop {
            match descend(&pool, &mounted).await {
                Ok(found) => break found,
                Err(failure) if failure.is_stale() && tries.are_left().await => {
                    mounted = mount::mount(&address, &manner, &credential).await?;
                    pool.move_to(mounted.nfs);
                }
                Err(failure) => return Err(unusable(failure, OP, &mounted)),
            }
        };
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
        let known = lock(&self.handles).nearest(path);
        let (mut at, mut handle) = known.unwrap_or_else(|| (RelPath::ROOT, self.root()));
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

    /// Handle of whatever is at `path`, after the one that was known turned out to be stale.
    pub async fn find_anew(&self, path: &RelPath) -> Result<Bytes, Failure> {
        self.recover(path, false).await?;
        surely!(self, path, self.find(path).await).map(|(handle, _)| handle)
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
}

impl Way for Share {
    type Failure = Failure;

    async fn recover(&self, path: &RelPath, thoroughly: bool) -> Result<(), Failure> {
        lock(&self.handles).forget(path);
        let _one_at_a_time = self.mounting.lock().await;
        if !thoroughly {
            match self.pool.getattr(&self.root()).await {
                // The server has it open still, and it is removed.
                Ok(attributes) if attributes.nlink == 0 => {}
                Err(failure) if failure.is_stale() => {}
                answer => return answer.map(|_| ()),
            }
        }
        tracing::debug!(server = %self.pool.server(), %path, "a file handle is stale, mounting again");
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

/// Shared between a store and the streams it gave out.
pub(crate) type Shared = Arc<Share>;
