//! The demo's two servers, on a runtime of their own so that their blocking file work does not hold up the
//! command that talks to them.

use super::{
    nfs_server,
    object_server::{self, Account},
};
use crate::failure::{Code, Failure, Outcome};
use model::Location;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    hash::{BuildHasher as _, RandomState},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};
use tokio::runtime::Runtime;

/// The bucket that is there.
const BUCKET: &str = "longshore-demo";

/// Two servers that run until this is dropped.
#[derive(Debug)]
pub struct Servers {
    /// Taken out only when it is dropped.
    runtime: Option<Runtime>,
    known: Known,
    /// A port is not the one of the run before, so neither are the locations.
    pub moved: bool,
}

/// What is kept between runs, so that locations stay what they were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    nfs_port: u16,
    s3_port: u16,
    secret_key: String,
}

impl Servers {
    /// Starts both over the folder of the demo.
    pub async fn start(folder: &Path) -> Outcome<Self> {
        let failed =
            |error: io::Error| Failure::new(Code::DemoServers, "cannot start the demo's servers").because(error);
        let file = Self::file(folder);
        let before: Known = match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_default(),
            Err(_) => Known::default(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("demo-server")
            .enable_all()
            .build()
            .map_err(failed)?;
        let secret_key = if before.secret_key.is_empty() { secret() } else { before.secret_key.clone() };
        let account = Account { access_key: BUCKET.to_owned(), secret_key: secret_key.clone() };
        let (tree, store) = (folder.join("share"), folder.join("bucket-store"));
        let wanted = before.clone();
        let started = runtime.spawn(async move {
            let nfs_port = nfs(&tree, wanted.nfs_port).await?;
            let s3_port = s3(&store, &account, wanted.s3_port).await?;
            Ok::<_, io::Error>((nfs_port, s3_port))
        });
        let (nfs_port, s3_port) = started.await.map_err(|error| failed(io::Error::other(error)))?.map_err(failed)?;
        let known = Known { nfs_port, s3_port, secret_key };
        let moved = before.nfs_port != 0 && known != before;
        save(&file, &known).map_err(failed)?;
        Ok(Self { runtime: Some(runtime), known, moved })
    }

    /// The export.
    pub fn export(&self) -> Location {
        let port = self.known.nfs_port;
        Location::new("nfs", "127.0.0.1", nfs_server::EXPORT).with_port(port).with_param("mountport", &port.to_string())
    }

    /// A prefix of the bucket.
    pub fn bucket(&self) -> Location {
        Location::new("s3", BUCKET, "/share").with_param("endpoint", &self.endpoint()).with_param("region", "us-east-1")
    }

    /// Where the S3 server is.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.known.s3_port)
    }

    /// What opens the bucket.
    pub fn keys(&self) -> driver_s3::Keys {
        driver_s3::Keys { access: BUCKET.to_owned(), secret: self.known.secret_key.clone(), token: None }
    }

    /// The file with ports and keys.
    pub fn file(folder: &Path) -> PathBuf {
        folder.join("servers.json")
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // A runtime must not be waited for inside another one.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// On the port of the run before where it is free, so that the journal still knows the location.
async fn nfs(tree: &Path, port: u16) -> io::Result<u16> {
    match nfs_server::serve(tree, port).await {
        Err(error) if port != 0 && error.kind() == io::ErrorKind::AddrInUse => nfs_server::serve(tree, 0).await,
        other => other,
    }
}

async fn s3(store: &Path, account: &Account, port: u16) -> io::Result<u16> {
    match object_server::serve(store, BUCKET, account, port).await {
        Err(error) if port != 0 && error.kind() == io::ErrorKind::AddrInUse => {
            object_server::serve(store, BUCKET, account, 0).await
        }
        other => other,
    }
}

fn save(path: &Path, known: &Known) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(serde_json::to_writer_pretty(file, known)?)
}

/// Thirty-two hexadecimal digits from the randomness that the system seeds hash maps with.
fn secret() -> String {
    let word = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", word(), word())
}
