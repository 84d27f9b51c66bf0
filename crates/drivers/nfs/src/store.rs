//! The store: [`Source`] over a mounted share.

use crate::{
    Export, Identity, NfsOptions,
    address::{Address, Version},
    again::surely,
    attributes::READS,
    failure::Failure,
    list,
    manner::Manner,
    mount,
    names::check_names,
    read,
    share::{Share, Shared},
};
use async_trait::async_trait;
use futures::stream::BoxStream;
use model::{Entry, Facets, Location, NameRules, RelPath};
use nfs3_types::nfs3::FSSTAT3resok;
use std::{fmt, sync::Arc};
use storage::{Capabilities, ListSpec, Page, ReadSpec, Reading, Result, Source, Usage};

/// A directory of an NFSv3 export, read only. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct NfsStore {
    share: Shared,
    location: Location,
    identity: Identity,
    caps: Capabilities,
}

impl fmt::Debug for NfsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NfsStore").field("location", &self.location).finish_non_exhaustive()
    }
}

impl NfsStore {
    /// Mounts the location.
    ///
    /// Errors: `Invalid` (the URI, or not a directory), `Unsupported` (no NFSv3 there), `Disconnected` or
    /// `Timeout` (the host or a port cannot be reached), `NotFound` (no such export; the hint names those
    /// there are), `Denied` (not for this host or user), `Unauthenticated` (the server wants Kerberos).
    pub async fn connect(location: &Location, options: NfsOptions) -> Result<Self> {
        let address = Address::new(location, &options, Version::Three)?;
        let credential = address.credential();
        let manner = Manner::new(&options, &address)?;
        let (share, identity) = Share::mount(address, manner, credential).await?;
        let caps = capabilities(&identity, location);
        Ok(Self { share: Arc::new(share), location: location.clone(), identity, caps })
    }

    /// The location that was opened.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// What the server said of itself when the location was opened.
    pub fn identify(&self) -> &Identity {
        &self.identity
    }

    /// The server's export list.
    pub async fn exports(&self) -> Result<Vec<Export>> {
        let asked = async {
            let server = self.share.manner.connect_to_mount(self.share.mount_server).await?;
            mount::exports_of(&self.share.manner, &server, &self.share.credential).await
        };
        asked.await.map_err(|failure| failure.error("list the exports"))
    }

    async fn statistics(&self) -> Result<FSSTAT3resok, Failure> {
        self.share.pool.fsstat(&self.share.root()).await
    }
}

#[async_trait]
impl Source for NfsStore {
    fn caps(&self) -> &Capabilities {
        &self.caps
    }

    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        list::list(self.share.clone(), dir, &spec)
    }

    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        check_names(path, "stat")?;
        let answer = surely!(&*self.share, path, list::stat(&self.share, path, want).await);
        answer.map_err(|failure| self.share.error(failure, "stat", path))
    }

    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        read::read(&self.share, path, spec).await
    }

    async fn usage(&self) -> Result<Option<Usage>> {
        let answer = surely!(&*self.share, &RelPath::ROOT, self.statistics().await);
        let volume = answer.map_err(|failure| self.share.error(failure, "ask for the size of", &RelPath::ROOT))?;
        Ok(Some(Usage {
            capacity: volume.tbytes,
            used: volume.tbytes.saturating_sub(volume.fbytes),
            available: volume.abytes,
            // Servers that do not count inodes say 0.
            files: (volume.tfiles > 0).then(|| volume.tfiles.saturating_sub(volume.ffiles)),
        }))
    }
}

fn capabilities(identity: &Identity, location: &Location) -> Capabilities {
    Capabilities {
        reads: READS,
        names: NameRules {
            max_component: identity.max_name.unwrap_or(NameRules::POSIX.max_component),
            case_sensitive: !identity.case_insensitive,
            ..NameRules::POSIX
        },
        prefix_len: location.prefix().len(),
        ..Capabilities::READ_ONLY
    }
}
