//! Somebody has to write what the driver reads: a target over the client crate, for tests only.
#![allow(dead_code, clippy::unwrap_used)]

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use hdfs_native::{Client, ClientBuilder, HdfsError, WriteOptions};
use longshore_driver_hdfs::{HdfsOptions, HdfsStore};
use model::{Entry, Facets, Location, Metadata, RelPath, Stamp};
use std::{env, sync::Arc, time::Duration};
use storage::{
    Abandoned, Capabilities, Error, ErrorKind, ListSpec, Node, NodeKinds, Page, Published, ReadSpec, Reading, Receipt,
    Result, ResumeToken, Source, Target, Upload, Usage, WriteSpec,
};

/// The plain cluster of the rig.
pub fn location() -> Option<Location> {
    env::var("LONGSHORE_TEST_HDFS").ok().filter(|uri| !uri.is_empty())?.parse().ok().map(|at: Location| match http() {
        Some(http) => at.with_param("http", &http),
        None => at,
    })
}
pub fn http() -> Option<String> {
    env::var("LONGSHORE_TEST_HDFS_HTTP").ok().filter(|uri| !uri.is_empty())
}

/// The client crate by itself, as this user.
pub fn client(location: &Location, user: &str) -> Client {
    let url = format!("hdfs://{}:{}", location.host(), location.port().unwrap());
    ClientBuilder::new()
        .with_url(url)
        .with_config_dir("/dev/null")
        .with_config([("dfs.replication", "2")])
        .with_user(user)
        .build()
        .unwrap()
}

/// A store that can be written.
#[derive(Debug)]
pub struct Filling {
    pub store: HdfsStore,
    pub client: Client,
    caps: Capabilities,
}

impl Filling {
    pub async fn new(location: &Location, options: HdfsOptions) -> Result<Arc<Self>> {
        let client = client(location, &whoami::username().unwrap());
        let store = HdfsStore::connect(location, options).await?;
        let nodes = NodeKinds { dirs: true, ..NodeKinds::default() };
        let caps = Capabilities { writes: Facets::MODE.and(Facets::MTIME), nodes, ..store.caps().clone() };
        Ok(Arc::new(Self { store, client, caps }))
    }

    /// Writes a file whose parents may be missing.
    pub async fn file(
        &self,
        path: &str,
        content: &[Bytes],
        options: WriteOptions,
    ) -> std::result::Result<(), HdfsError> {
        // A test machine under load: the NameNode may not have heard of the DataNodes for a moment.
        for attempt in 0.. {
            let written = async {
                let mut file = self.client.create(path, options.clone().overwrite(true)).await?;
                for piece in content {
                    file.write_bytes(piece.clone()).await?;
                }
                file.close().await
            };
            match written.await {
                Err(error) if attempt < 3 => {
                    eprintln!("writing {path} again after {error}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                done => return done,
            }
        }
        unreachable!("the loop returns")
    }
}

fn absolute(path: &RelPath) -> Result<String> {
    let text = path.to_str().ok_or_else(|| Error::new(ErrorKind::NameRefused, "write").at(path))?;
    Ok(format!("/{text}"))
}
fn failed(path: &RelPath, error: HdfsError) -> Error {
    let kind = match &error {
        HdfsError::FileNotFound(_) => ErrorKind::NotFound,
        _ => ErrorKind::Unexpected,
    };
    Error::new(kind, "write").at(path).because(error)
}
fn millis(meta: &Metadata) -> Option<u64> {
    let at = meta.mtime.filter(|at| at.nanos % 1_000_000 == 0)?;
    u64::try_from(at.secs).ok()?.checked_mul(1000)?.checked_add(u64::from(at.nanos / 1_000_000))
}

#[async_trait]
impl Source for Filling {
    fn caps(&self) -> &Capabilities {
        &self.caps
    }
    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        self.store.list(dir, spec)
    }
    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        self.store.stat(path, want).await
    }
    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        self.store.read(path, spec).await
    }
    async fn usage(&self) -> Result<Option<Usage>> {
        self.store.usage().await
    }
}

#[async_trait]
impl Target for Filling {
    async fn put(&self, path: &RelPath, spec: WriteSpec, data: Vec<Bytes>) -> Result<Published> {
        let name = absolute(path)?;
        self.file(&name, &data, WriteOptions::default()).await.map_err(|error| failed(path, error))?;
        let kept = self.apply(path, &spec.meta, spec.meta.facets()).await?;
        Ok(Published { stamp: self.store.stat(path, Facets::NONE).await?.stamp, kept, ..Published::default() })
    }
    async fn create(&self, path: &RelPath, _: WriteSpec) -> Result<Box<dyn Upload>> {
        Err(Error::new(ErrorKind::Unsupported, "write").at(path))
    }
    async fn resume(&self, path: &RelPath, _: WriteSpec, _: &ResumeToken) -> Result<(Box<dyn Upload>, Vec<Receipt>)> {
        Err(Error::new(ErrorKind::Unsupported, "write").at(path))
    }
    async fn abandoned(&self, _: &RelPath) -> Result<Vec<Abandoned>> {
        Ok(Vec::new())
    }
    async fn discard(&self, _: &RelPath, _: &ResumeToken) -> Result<()> {
        Ok(())
    }
    async fn apply(&self, path: &RelPath, meta: &Metadata, which: Facets) -> Result<Facets> {
        let name = absolute(path)?;
        let mut kept = Facets::NONE;
        if let Some(posix) = meta.posix.as_ref().filter(|_| which.has(Facets::MODE)) {
            // HDFS keeps no setuid and setgid, and the sticky bit for directories only.
            let mode = posix.mode & 0o777;
            self.client.set_permission(&name, mode).await.map_err(|error| failed(path, error))?;
            if mode == posix.mode {
                kept = kept.and(Facets::MODE);
            }
        }
        if let Some(at) = millis(meta).filter(|_| which.has(Facets::MTIME)) {
            self.client.set_times(&name, at, at).await.map_err(|error| failed(path, error))?;
            kept = kept.and(Facets::MTIME);
        }
        Ok(kept)
    }
    async fn make(&self, path: &RelPath, node: Node, meta: &Metadata) -> Result<Published> {
        if node != Node::Dir {
            return Err(Error::new(ErrorKind::Unsupported, "make").at(path));
        }
        let name = absolute(path)?;
        self.client.mkdirs(&name, 0o755, true).await.map_err(|error| failed(path, error))?;
        let kept = self.apply(path, meta, meta.facets()).await?;
        Ok(Published { kept, ..Published::default() })
    }
    async fn remove(&self, path: &RelPath, _: Option<&Stamp>) -> Result<()> {
        let name = absolute(path)?;
        self.client.delete(&name, false).await.map(|_| ()).map_err(|error| failed(path, error))
    }
}
