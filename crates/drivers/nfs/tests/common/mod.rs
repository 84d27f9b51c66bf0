//! What the tests against nfs-ganesha share: the server that the environment names.

use model::{Location, RelPath};
use std::{env, fs, path::PathBuf};

/// The server that the environment names, spoken to in one version of the protocol.
#[derive(Clone)]
pub struct Rig {
    uri: String,
    /// What it exports, on this machine.
    pub dir: PathBuf,
    version: &'static str,
}

impl Rig {
    /// `version` as in a location: `3` or `4.1`.
    pub fn from_env(version: &'static str) -> Option<Self> {
        let uri = env::var("LONGSHORE_TEST_NFS").ok().filter(|v| !v.is_empty())?;
        let dir = env::var_os("LONGSHORE_TEST_NFS_DIR").filter(|v| !v.is_empty())?;
        Some(Self { uri, dir: dir.into(), version })
    }
    /// A directory for one case, and its name below the export.
    pub fn fresh(&self, name: &str) -> Fresh {
        let name = format!("driver{}-{name}-{}", self.version, std::process::id());
        let on_disk = self.dir.join(&name);
        fs::create_dir(&on_disk).unwrap();
        Fresh { on_disk, path: name.as_str().into() }
    }
    /// The export.
    pub fn location(&self) -> Location {
        let all: Location = self.uri.parse().unwrap();
        self.elsewhere(std::str::from_utf8(all.path()).unwrap())
    }
    /// The server's host, the mount port and the NFS port.
    pub fn ports(&self) -> (String, u16, u16) {
        let at: Location = self.uri.parse().unwrap();
        (at.host().to_owned(), at.param("mountport").unwrap().parse().unwrap(), at.port().unwrap())
    }
    /// Another path of the server.
    pub fn elsewhere(&self, path: &str) -> Location {
        let (host, mount, nfs) = self.ports();
        let at = Location::new("nfs", &host, path.as_bytes().to_vec()).with_port(nfs);
        match self.version {
            "3" => at.with_param("mountport", &mount.to_string()),
            version => at.with_param("version", version),
        }
    }
}

/// A directory of one case, gone with it.
pub struct Fresh {
    pub on_disk: PathBuf,
    pub path: RelPath,
}

impl Drop for Fresh {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.on_disk).unwrap();
    }
}
