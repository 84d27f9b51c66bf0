//! The store: [`Source`] over a session.

use super::{
    attributes::{Attributes, Bitmap, bit},
    client::Client,
    entry::{self, DIR},
    failure::Failure,
    identity::{self, Identity},
    list,
    location::Place,
    pseudo, read,
    status::Status,
    tree::{Shared, Tree, getattr, lookup},
};
use crate::{
    NfsOptions,
    again::{Outdated as _, Tries, surely},
    names::check_names,
};
use async_trait::async_trait;
use futures::stream::BoxStream;
use model::{Entry, Facets, Location, NameRules, RelPath};
use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};
use storage::{Capabilities, Error, ErrorKind, ListSpec, Page, Reach, ReadSpec, Reading, Result, Source, Usage};

/// Largest READ that is asked for, whatever the server would give: several are in flight for every file.
const READ_MAX: u32 = 1 << 20;
/// Largest READDIR that is asked for: about a thousand entries.
const DIRECTORY_MAX: u32 = 256 << 10;

/// A directory of an NFSv4.1 server, read only. Cheap to clone; clones share the session.
#[derive(Clone)]
pub struct Nfs4Store {
    tree: Shared,
    location: Location,
    identity: Identity,
    caps: Capabilities,
}

impl fmt::Debug for Nfs4Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nfs4Store").field("location", &self.location).finish_non_exhaustive()
    }
}

impl Nfs4Store {
    /// Opens the location: `nfs://host[:port]/dir?version=4.1`, by port 2049 unless it says another. No portmapper
    /// and no MOUNT is needed.
    ///
    /// Errors: `Invalid` (the URI, or not a directory), `Unsupported` (no NFSv4.1 there, or the file system is at
    /// another server), `Disconnected` or `Timeout` (the host or port cannot be reached), `NotFound` (no such path;
    /// the hint names the exports), `Denied` (not for this host or user, or not without Kerberos), `Unauthenticated`
    /// (the server does not take AUTH_SYS).
    pub async fn connect(location: &Location, options: NfsOptions) -> Result<Self> {
        const OP: &str = "open the location";
        let Place { party, path, uid, gid } = Place::new(location, &options)?;
        let refused = |failure: Failure| failure.error(OP).with_reach(Reach::Location);
        let client = Client::connect(party).await.map_err(refused)?;
        let mut tries = Tries::default();
        let (root, told) = loop {
            match lookup(&client, None, &path, identity::ASKED).await {
                Ok(found) => break found,
                Err(failure) if failure.is_stale() && tries.are_left().await => {}
                Err(failure) => return Err(not_opened(client, path, (uid, gid), failure, OP).await),
            }
        };
        if told.kind != Some(DIR) {
            return Err(Error::new(ErrorKind::Invalid, OP)
                .with_reach(Reach::Location)
                .because("it is not a directory")
                .hint("name a directory; symbolic links are not followed"));
        }
        let session = client.session().await.map_err(refused)?;
        let identity = Identity::new(&session, &told);
        let read_size = told.max_read.map_or(READ_MAX, |most| u32::try_from(most).unwrap_or(u32::MAX));
        let read_size = read_size.min(READ_MAX).min(session.payload()).max(4 << 10);
        let dir_size = DIRECTORY_MAX.min(session.payload());
        let caps = capabilities(&identity, &told, location);
        let tree = Tree::new(client, path, (uid, gid), root, (read_size, dir_size));
        Ok(Self { tree: Arc::new(tree), location: location.clone(), identity, caps })
    }

    /// Opens every file before it is read, which costs two requests more for each. Without it files are opened once
    /// the server refused to let one be read unopened.
    #[must_use]
    pub fn opening_files(self) -> Self {
        self.tree.opens.store(true, Ordering::Relaxed);
        self
    }

    /// The location that was opened.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// What the server said of itself when the location was opened.
    pub fn identify(&self) -> &Identity {
        &self.identity
    }

    /// Paths of the server's exports, as [`super::pseudo_exports`] finds them.
    pub async fn exports(&self) -> Result<Vec<bytes::Bytes>> {
        pseudo::exports(&self.tree.client).await.map_err(|failure| failure.error("list the exports"))
    }

    /// Ends session and client id at the server. Whatever is asked of the store afterwards makes new ones. A store
    /// that is merely dropped does the same in the background.
    pub async fn close(&self) {
        self.tree.client.close().await;
    }

    async fn statistics(&self) -> Result<Attributes, Failure> {
        let asked = [bit::SPACE_TOTAL, bit::SPACE_FREE, bit::SPACE_AVAIL, bit::FILES_TOTAL, bit::FILES_FREE];
        getattr(&self.tree.client, &self.tree.root(), Bitmap::of(&asked)).await
    }
}

#[async_trait]
impl Source for Nfs4Store {
    fn caps(&self) -> &Capabilities {
        &self.caps
    }

    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        list::list(self.tree.clone(), dir, &spec)
    }

    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        const OP: &str = "stat";
        check_names(path, OP)?;
        match surely!(&*self.tree, path, list::stat(&self.tree, path, want).await) {
            Ok(entry) => Ok(entry),
            Err(failure) => Err(self.tree.error(failure, OP, path).await),
        }
    }

    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        read::read(&self.tree, path, spec).await
    }

    async fn usage(&self) -> Result<Option<Usage>> {
        const OP: &str = "ask for the size of";
        let told = match surely!(&*self.tree, &RelPath::ROOT, self.statistics().await) {
            Ok(told) => told,
            Err(failure) => return Err(self.tree.error(failure, OP, &RelPath::ROOT).await),
        };
        let (Some(capacity), Some(free)) = (told.space_total, told.space_free) else { return Ok(None) };
        let files = told.files_total.zip(told.files_free).filter(|(total, _)| *total > 0);
        Ok(Some(Usage {
            capacity,
            used: capacity.saturating_sub(free),
            available: told.space_avail.unwrap_or(free).min(capacity),
            files: files.map(|(total, free)| total.saturating_sub(free)),
        }))
    }
}

/// Why a location could not be opened, with what helps to name another.
async fn not_opened(client: Arc<Client>, path: RelPath, who: (u32, u32), failure: Failure, op: &'static str) -> Error {
    let missing = matches!(failure, Failure::Status(Status::NOENT | Status::NOTDIR | Status::ACCESS));
    let exports = if missing { pseudo::exports(&client).await.unwrap_or_default() } else { Vec::new() };
    let error = match failure {
        Failure::Status(Status::NOTDIR) => Failure::Status(Status::NOENT).error(op).because(failure),
        Failure::Status(Status::MOVED) => {
            let asked = Bitmap::of(&[bit::FS_LOCATIONS]);
            let told = lookup(&client, None, &path, asked).await.ok().and_then(|(_, told)| told.locations);
            Failure::Moved(told.unwrap_or_default()).error(op)
        }
        Failure::Status(status @ (Status::ACCESS | Status::PERM)) => {
            failure.error(op).because(format!("{status} as uid {}, gid {}", who.0, who.1))
        }
        other => other.error(op),
    };
    let error = error.with_reach(Reach::Location);
    if exports.is_empty() {
        return error;
    }
    let names: Vec<String> = exports.iter().take(20).map(|path| format!("`{}`", RelPath::from(&path[..]))).collect();
    let more = if exports.len() > names.len() { ", …" } else { "" };
    error.hint(format!("the server exports {}{more}", names.join(", ")))
}

fn capabilities(identity: &Identity, told: &Attributes, location: &Location) -> Capabilities {
    Capabilities {
        reads: entry::reads(told.supported.unwrap_or_default(), told.acl_support),
        names: NameRules {
            max_component: identity.max_name.unwrap_or(NameRules::POSIX.max_component),
            case_sensitive: identity.case_insensitive != Some(true),
            ..NameRules::POSIX
        },
        prefix_len: location.prefix().len(),
        ..Capabilities::READ_ONLY
    }
}
