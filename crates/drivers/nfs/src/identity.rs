//! What a server says of itself.

use bytes::Bytes;
use nfs3_types::nfs3::{FSF3_LINK, FSF3_SYMLINK, FSINFO3resok, PATHCONF3resok};
use std::net::SocketAddr;

/// One line of a server's export list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The path to mount, raw bytes.
    pub path: Bytes,
    /// Hosts, networks or netgroups that may, in the server's words; none means everybody.
    pub groups: Vec<String>,
}

/// What a server says of itself and of the mounted volume (FSINFO, PATHCONF, MOUNT). Sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Where NFS is served.
    pub server: SocketAddr,
    /// The export that was mounted.
    pub export: Bytes,
    /// RPC authentication flavours that the export takes (1 is AUTH_SYS, 390003 and on are Kerberos).
    pub auth_flavors: Vec<u32>,
    /// The volume (`fsid`) of the location's root.
    pub volume: u64,
    /// Largest READ.
    pub read_max: u32,
    /// Preferred READ.
    pub read_preferred: u32,
    /// Largest WRITE.
    pub write_max: u32,
    /// Preferred size of a directory page.
    pub dir_preferred: u32,
    /// Largest file.
    pub max_file_size: u64,
    /// How finely the server keeps times, nanoseconds.
    pub time_granularity: u64,
    /// Hard links are possible.
    pub hard_links: bool,
    /// Symbolic links are possible.
    pub symlinks: bool,
    /// Most names of one inode; absent when the server does not answer PATHCONF.
    pub max_links: Option<u32>,
    /// Longest name; absent when the server does not answer PATHCONF.
    pub max_name: Option<u32>,
    /// `a` and `A` are one name.
    pub case_insensitive: bool,
}

impl Identity {
    pub(crate) fn new(
        at: (SocketAddr, Bytes, Vec<u32>),
        volume: u64,
        fs: &FSINFO3resok,
        path: Option<&PATHCONF3resok>,
    ) -> Self {
        let (server, export, auth_flavors) = at;
        Self {
            server,
            export,
            auth_flavors,
            volume,
            read_max: fs.rtmax,
            read_preferred: fs.rtpref,
            write_max: fs.wtmax,
            dir_preferred: fs.dtpref,
            max_file_size: fs.maxfilesize,
            time_granularity: u64::from(fs.time_delta.seconds) * 1_000_000_000 + u64::from(fs.time_delta.nseconds),
            hard_links: fs.properties & FSF3_LINK != 0,
            symlinks: fs.properties & FSF3_SYMLINK != 0,
            max_links: path.map(|p| p.linkmax),
            max_name: path.map(|p| p.name_max).filter(|n| *n > 0),
            case_insensitive: path.is_some_and(|p| p.case_insensitive),
        }
    }
}
