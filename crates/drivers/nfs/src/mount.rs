//! From a path to the file handle of its directory: MOUNT, and LOOKUP for what lies below the export.

use crate::{
    Export, NfsOptions,
    address::{Address, Version},
    decode,
    failure::Failure,
    manner::{Manner, Procedure},
    rpc::{Credential, Rpc, RpcError},
    xdr::Writer,
};
use bytes::Bytes;
use model::{Location, RelPath};
use nfs3_types::{
    mount::{self, mountstat3},
    nfs3,
};
use std::{
    collections::HashSet,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use storage::{Error, ErrorKind, Reach, Result};

const MNT: Procedure = Procedure::mount(1, "MNT");
const EXPORT: Procedure = Procedure::mount(5, "EXPORT");
/// Where NFS listens unless somebody says otherwise.
const NFS_PORT: u16 = 2049;

/// RPC flavour number of AUTH_SYS.
const AUTH_SYS: u32 = 1;
/// What errors say we were doing.
const OP: &str = "mount the location";

/// What MOUNT gave.
#[derive(Clone, Debug)]
pub(crate) struct Mounted {
    /// Where NFS is served.
    pub nfs: SocketAddr,
    /// Where MOUNT is served.
    pub mount: SocketAddr,
    /// The path that was mounted.
    pub export: Bytes,
    /// What of the location's path lies below it.
    pub below: RelPath,
    /// File handle of the export's root.
    pub root: Bytes,
    pub auth_flavors: Vec<u32>,
}

/// The export list of the server in `location` by MOUNT v3 (EXPORT), without mounting anything; the path of the
/// location is not looked at. Many servers hide exports that this host may not mount.
///
/// Errors: those of [`crate::NfsStore::connect`] about the server; `Unsupported` when it has no MOUNT v3.
pub async fn exports(location: &Location, options: &NfsOptions) -> Result<Vec<Export>> {
    let address = Address::new(location, options, Version::Three)?;
    let manner = Manner::new(options, &address)?;
    let server = Server::find(&address, &manner).await?;
    exports_of(&manner, &server.mount, &address.credential()).await.map_err(|f| f.error("list the exports"))
}

pub(crate) async fn exports_of(manner: &Manner, server: &Rpc, credential: &Credential) -> Result<Vec<Export>, Failure> {
    let mut exports = manner.ask(server, &EXPORT, credential, Bytes::new(), |reply| decode::exports(&reply)).await?;
    // One directory may be exported in several ways, to several groups of hosts.
    let mut seen = HashSet::new();
    exports.retain(|export| seen.insert(export.path.clone()));
    Ok(exports)
}

/// Mounts the path of `address`, or the longest export above it.
pub(crate) async fn mount(address: &Address, manner: &Manner, credential: &Credential) -> Result<Mounted> {
    let server = Server::find(address, manner).await?;
    let refusal = match server.mount(manner, credential, &address.path).await {
        Ok(mounted) => return checked(mounted),
        Err(failure @ Failure::Mount(_)) => failure,
        Err(failure) => return Err(failure.error(OP)),
    };
    let exports = exports_of(manner, &server.mount, credential).await.unwrap_or_default();
    // A server that hides its list may still mount what lies above, so without one every ancestor is tried.
    let above = |export: &Export| strip(&address.path, &export.path).is_some_and(|rest| !rest.is_root());
    let mut candidates: Vec<Bytes> = if exports.is_empty() {
        ancestors(&address.path).collect()
    } else {
        exports.iter().filter(|export| above(export)).map(|export| export.path.clone()).collect()
    };
    candidates.sort_by_key(|path| std::cmp::Reverse(path.len()));
    for candidate in candidates {
        match server.mount(manner, credential, &candidate).await {
            Ok(mut mounted) => {
                mounted.below = strip(&address.path, &candidate).expect("only what lies above is tried");
                return checked(mounted);
            }
            Err(Failure::Mount(_)) => {}
            Err(failure) => return Err(failure.error(OP)),
        }
    }
    Err(refused(refusal, address, &exports))
}

/// The refusal of the location's own path, with what the server would have given instead.
fn refused(refusal: Failure, address: &Address, exports: &[Export]) -> Error {
    let not_an_export = !exports.iter().any(|export| strip(&address.path, &export.path).is_some());
    let listed: Vec<String> =
        exports.iter().map(|export| format!("`{}`", RelPath::from_bytes(export.path.clone()))).collect();
    // Servers answer "no such path", "access denied" or "not a directory" alike for what they do not export.
    let missing = matches!(
        refusal,
        Failure::Mount(mountstat3::MNT3ERR_NOENT | mountstat3::MNT3ERR_NOTDIR | mountstat3::MNT3ERR_INVAL)
    );
    let cause = format!("{refusal} for `{}`", RelPath::from_bytes(address.path.clone()));
    let error = if missing && not_an_export { Error::new(ErrorKind::NotFound, OP) } else { refusal.error(OP) };
    let error = error.with_reach(Reach::Location).because(cause);
    match (not_an_export, listed.is_empty()) {
        (true, true) => {
            error.hint("the server shows no exports to this host: check the path and the server's export rules")
        }
        (true, false) => {
            error.hint(format!("it is none of what the server exports to this host: {}", listed.join(", ")))
        }
        (false, _) => error,
    }
}

/// An export that takes only Kerberos is found here, and not at the first request.
fn checked(mounted: Mounted) -> Result<Mounted> {
    // An empty list is what servers older than RFC 1813 send: anything goes.
    if mounted.auth_flavors.is_empty() || mounted.auth_flavors.contains(&AUTH_SYS) {
        return Ok(mounted);
    }
    Err(Error::new(ErrorKind::Unauthenticated, OP)
        .because(format!("the export takes only the RPC flavours {:?}, not AUTH_SYS (1)", mounted.auth_flavors))
        .hint("allow `sec=sys` for this host on the server; Kerberos is not spoken"))
}

/// Where a server's NFS listens, and a connection to its MOUNT.
struct Server {
    nfs: SocketAddr,
    mount: Rpc,
}

impl Server {
    /// Takes the first address of the host whose programs can be found and whose MOUNT answers a connection.
    async fn find(address: &Address, manner: &Manner) -> Result<Self> {
        let op = "reach the server";
        let unconnected = |e: io::Error| Failure::Rpc(RpcError::Connect(Arc::new(e)));
        let resolving = tokio::net::lookup_host((address.host.as_str(), 0));
        let resolved = tokio::time::timeout(manner.rpc.connect_timeout, resolving)
            .await
            .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "the name server does not answer")));
        let resolved = resolved.map_err(|e| {
            let hint = format!("the name `{}` cannot be resolved: check it, and this host's DNS", address.host);
            unconnected(e).error(op).hint(hint)
        })?;
        let mut failure = unconnected(io::Error::other(format!("`{}` has no address", address.host)));
        for at in resolved {
            match Self::at(at.ip(), address, manner).await {
                Ok(server) => return Ok(server),
                Err(refused) => failure = refused,
            }
        }
        Err(failure.error(op))
    }

    async fn at(server: IpAddr, address: &Address, manner: &Manner) -> Result<Self, Failure> {
        let (nfs, mount) = if manner.is_tunnelled() {
            // A TLS endpoint stands before the ports that are named; a portmapper knows nothing of it.
            let nfs = address.port.unwrap_or(NFS_PORT);
            (nfs, address.mount_port.unwrap_or(nfs))
        } else {
            ports_at(server, address, manner).await?
        };
        let mount = manner.connect_to_mount(SocketAddr::new(server, mount)).await?;
        Ok(Self { nfs: SocketAddr::new(server, nfs), mount })
    }

    async fn mount(&self, manner: &Manner, credential: &Credential, path: &[u8]) -> Result<Mounted, Failure> {
        let mut arguments = Writer::default();
        arguments.opaque(path);
        let answer =
            manner.ask(&self.mount, &MNT, credential, arguments.into_bytes(), |reply| decode::root(&reply)).await?;
        Ok(Mounted {
            nfs: self.nfs,
            mount: self.mount.peer(),
            export: Bytes::copy_from_slice(path),
            below: RelPath::ROOT,
            root: answer.handle,
            auth_flavors: answer.auth_flavors,
        })
    }
}

/// The ports of NFS and of MOUNT: those that the location names, else those that the portmapper tells.
async fn ports_at(server: IpAddr, address: &Address, manner: &Manner) -> Result<(u16, u16), Failure> {
    let mount = match address.mount_port {
        Some(port) => port,
        None => match (manner.port_of(server, mount::PROGRAM, "MOUNT").await, address.port) {
            (Ok(found), _) => found,
            // Servers without a portmapper often serve both programs on one port.
            (Err(failure), Some(port)) if failure.is_unconnected() => port,
            (Err(failure), _) => return Err(failure),
        },
    };
    let nfs = match address.port {
        Some(port) => port,
        None => match manner.port_of(server, nfs3::PROGRAM, "NFS").await {
            Ok(port) => port,
            // Only MOUNT's port was named, and there is no portmapper: then NFS is where it always is.
            Err(failure) if failure.is_unconnected() && address.mount_port.is_some() => NFS_PORT,
            Err(failure) => return Err(failure),
        },
    };
    Ok((nfs, mount))
}

/// What of `path` lies below `export`; `None` when it does not.
fn strip(path: &[u8], export: &[u8]) -> Option<RelPath> {
    let export = export.strip_suffix(b"/").unwrap_or(export);
    match path.strip_prefix(export)? {
        [] => Some(RelPath::ROOT),
        [b'/', below @ ..] => Some(RelPath::from(below)),
        _ => None,
    }
}

/// Every directory above `path`.
fn ancestors(path: &[u8]) -> impl Iterator<Item = Bytes> {
    let slashes: Vec<usize> = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at.max(1)).collect();
    let path = Bytes::copy_from_slice(path);
    slashes.into_iter().filter(|at| *at < path.len()).map(|at| path.slice(..at)).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_lies_below_an_export_only_at_a_slash() {
        let below = |path: &str, export: &str| strip(path.as_bytes(), export.as_bytes()).map(|p| p.to_string());
        assert_eq!(below("/data/a/b", "/data").as_deref(), Some("a/b"));
        assert_eq!(below("/data/a", "/").as_deref(), Some("data/a"));
        assert_eq!(below("/data", "/data/").as_deref(), Some(""));
        assert_eq!(below("/data2", "/data"), None);
        assert_eq!(below("/", "/data"), None);
    }

    #[test]
    fn every_directory_above_a_path_is_tried() {
        let above =
            |path: &str| ancestors(path.as_bytes()).map(|p| String::from_utf8(p.to_vec()).unwrap()).collect::<Vec<_>>();
        assert_eq!(above("/a/b/c"), ["/", "/a", "/a/b"]);
        assert_eq!(above("/"), Vec::<String>::new());
    }
}
