//! What the tests share: who we are to the rig, and the disk behind its shares.
#![allow(dead_code, clippy::unwrap_used)]

use async_trait::async_trait;
use bytes::Bytes;
use driver_local::LocalStore;
use futures::stream::BoxStream;
use longshore_driver_smb::{Credentials, Secret, SmbOptions};
use model::{Entry, Facets, Location, Metadata, NameRules, RelPath, Stamp};
use std::{env, path::Path};
use storage::{
    Abandoned, Capabilities, ListSpec, Node, NodeKinds, Page, Published, ReadSpec, Reading, Receipt, Result,
    ResumeToken, Source, Target, Upload, Usage, WriteSpec,
};

/// A user of the rig, by password.
pub fn options() -> SmbOptions {
    let password = env::var("LONGSHORE_TEST_SMB_PASSWORD").unwrap_or_default();
    let credentials =
        Credentials::Password { user: String::new(), domain: String::new(), password: Secret::new(password) };
    SmbOptions { credentials, ..SmbOptions::default() }
}

/// A user of the rig's domain, by keytab.
pub fn ticket() -> Credentials {
    let of = |name: &str| env::var(format!("LONGSHORE_TEST_SMB_AD_{name}")).unwrap_or_default();
    let principal = format!("alice@{}", of("REALM"));
    Credentials::Kerberos {
        principal: Some(principal),
        keytab: Some(Path::new(&of("KEYTABS")).join("alice.keytab")),
        ccache: None,
    }
}

/// Another share of the same server.
pub fn elsewhere(location: &Location, share: &str, as_user: bool) -> Location {
    let user = location.user().filter(|_| as_user).map_or_else(String::new, |user| format!("{user}@"));
    let port = location.port().map_or_else(String::new, |port| format!(":{port}"));
    let bare: Location = format!("smb://{user}{}{port}/{share}", location.host()).parse().unwrap();
    location.params().fold(bare, |all, (key, value)| all.with_param(key, value))
}

/// The disk behind a share, as far as Samba shows it: names that are UTF-8 and hold nothing that Windows forbids,
/// no symbolic links (the server follows them), times in steps of 100 ns.
#[derive(Debug)]
pub struct Disk {
    local: LocalStore,
    caps: Capabilities,
}

impl Disk {
    pub fn new(local: LocalStore) -> Self {
        let mut caps = local.caps().clone();
        caps.nodes = NodeKinds { symlinks: false, specials: false, ..caps.nodes };
        caps.writes = Facets::NONE;
        // What Windows forbids, Samba shows under another name or not at all.
        caps.names = NameRules { utf8_only: true, forbidden: FORBIDDEN, ..caps.names };
        Self { local, caps }
    }
}

const FORBIDDEN: &[u8] = b"\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1A\x1B\x1C\x1D\x1E\x1F\"*:<>?\\|";

#[async_trait]
impl Source for Disk {
    fn caps(&self) -> &Capabilities {
        &self.caps
    }
    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        self.local.list(dir, spec)
    }
    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        self.local.stat(path, want).await
    }
    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        self.local.read(path, spec).await
    }
    async fn usage(&self) -> Result<Option<Usage>> {
        self.local.usage().await
    }
}

#[async_trait]
impl Target for Disk {
    async fn put(&self, path: &RelPath, spec: WriteSpec, data: Vec<Bytes>) -> Result<Published> {
        self.local.put(path, spec, data).await
    }
    async fn create(&self, path: &RelPath, spec: WriteSpec) -> Result<Box<dyn Upload>> {
        self.local.create(path, spec).await
    }
    async fn resume(
        &self,
        path: &RelPath,
        spec: WriteSpec,
        token: &ResumeToken,
    ) -> Result<(Box<dyn Upload>, Vec<Receipt>)> {
        self.local.resume(path, spec, token).await
    }
    async fn abandoned(&self, path: &RelPath) -> Result<Vec<Abandoned>> {
        self.local.abandoned(path).await
    }
    async fn discard(&self, path: &RelPath, token: &ResumeToken) -> Result<()> {
        self.local.discard(path, token).await
    }
    async fn apply(&self, path: &RelPath, meta: &Metadata, which: Facets) -> Result<Facets> {
        self.local.apply(path, meta, which).await
    }
    async fn make(&self, path: &RelPath, node: Node, meta: &Metadata) -> Result<Published> {
        self.local.make(path, node, meta).await
    }
    async fn remove(&self, path: &RelPath, if_stamp: Option<&Stamp>) -> Result<()> {
        self.local.remove(path, if_stamp).await
    }
}
