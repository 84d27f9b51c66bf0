//! What went wrong with a request, and the one place where that becomes a [`storage::Error`].

use crate::{again::Outdated, rpc::RpcError, xdr::Malformed};
use model::RelPath;
use nfs3_types::{mount::mountstat3, nfs3::nfsstat3};
use std::{fmt, io, time::Duration};
use storage::{Error, ErrorKind, Reach, Retry};

/// How long to wait after `NFS3ERR_JUKEBOX`: Linux waits as long (`NFS_JUKEBOX_RETRY_TIME`, fs/nfs/nfs3proc.c).
const JUKEBOX_PAUSE: Duration = Duration::from_secs(5);

const AUTH_HINT: &str = "the server does not take AUTH_SYS from here: it may want Kerberos (`sec=krb5`), a connection \
                         from a port below 1024 (run as root), or TLS (`?tls`)";
const DENIED_HINT: &str =
    "read as a user who may (`?uid=&gid=`), or as root of an export with `no_root_squash` for this host";

/// Why there is no answer, or what it says.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The server answered with this status.
    Status(nfsstat3),
    /// The server answered with a status that RFC 1813 does not know.
    UnknownStatus(u32),
    /// MOUNT answered with this status.
    Mount(mountstat3),
    /// No answer, or one of the RPC layer.
    Rpc(RpcError),
    /// The portmapper knows no TCP port for this program.
    NotRegistered(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(f),
            Self::UnknownStatus(number) => write!(f, "status {number}, which RFC 1813 does not know"),
            Self::Mount(status) => status.fmt(f),
            Self::Rpc(error) => error.fmt(f),
            Self::NotRegistered(program) => write!(f, "the server has no {program} version 3 over TCP"),
        }
    }
}
impl std::error::Error for Failure {}

impl From<RpcError> for Failure {
    fn from(error: RpcError) -> Self {
        Self::Rpc(error)
    }
}

impl From<Malformed> for Failure {
    fn from(error: Malformed) -> Self {
        Self::Rpc(error.into())
    }
}

impl Outdated for Failure {
    /// After a restart, or when the file is gone.
    fn is_stale(&self) -> bool {
        matches!(self, Self::Status(nfsstat3::NFS3ERR_STALE | nfsstat3::NFS3ERR_BADHANDLE))
    }

    fn is_missing(&self) -> bool {
        matches!(self, Self::Status(nfsstat3::NFS3ERR_NOENT))
    }
}

impl Failure {
    /// The answer to a request about a handle and no name below it. That nothing is there then means that the handle
    /// is of something that was removed, and that the server still has open.
    pub fn of_handle(self) -> Self {
        if self.is_missing() { Self::Status(nfsstat3::NFS3ERR_STALE) } else { self }
    }

    /// Was no connection made?
    pub fn is_unconnected(&self) -> bool {
        matches!(self, Self::Rpc(RpcError::Connect(_)))
    }

    /// The error for whoever asked to do `op` at `path`.
    pub fn at(self, op: &'static str, path: &RelPath) -> Error {
        self.error(op).at(path)
    }

    /// The error for whoever asked to do `op`.
    pub fn error(self, op: &'static str) -> Error {
        let error = match &self {
            Self::Status(status) => of_status(*status, op),
            Self::UnknownStatus(_) => Error::new(ErrorKind::Unexpected, op),
            Self::Mount(status) => of_mount_status(*status, op),
            Self::Rpc(error) => of_rpc(error, op),
            Self::NotRegistered(_) => Error::new(ErrorKind::Unsupported, op)
                .with_reach(Reach::Location)
                .hint("enable NFSv3 on the server, or name its ports with `?port=&mountport=`"),
        };
        error.because(self)
    }
}

fn of_status(status: nfsstat3, op: &'static str) -> Error {
    use nfsstat3 as s;
    let error = |kind| Error::new(kind, op);
    match status {
        s::NFS3ERR_PERM | s::NFS3ERR_ACCES => error(ErrorKind::Denied).hint(DENIED_HINT),
        s::NFS3ERR_ROFS => error(ErrorKind::Denied).with_reach(Reach::Location).hint("the export is read-only"),
        // Stale is what is left after the path was looked up anew: nothing is there.
        s::NFS3ERR_NOENT | s::NFS3ERR_STALE | s::NFS3ERR_BADHANDLE => error(ErrorKind::NotFound),
        s::NFS3ERR_EXIST | s::NFS3ERR_NOTEMPTY => error(ErrorKind::AlreadyExists),
        s::NFS3ERR_NOTDIR | s::NFS3ERR_ISDIR | s::NFS3ERR_INVAL | s::NFS3ERR_FBIG => error(ErrorKind::Invalid),
        s::NFS3ERR_NOSPC | s::NFS3ERR_DQUOT => error(ErrorKind::NoSpace),
        s::NFS3ERR_NAMETOOLONG => error(ErrorKind::NameRefused),
        s::NFS3ERR_BAD_COOKIE | s::NFS3ERR_NOT_SYNC => error(ErrorKind::Changed),
        // The server recalls the file from tape or a cold tier: patience, not failure.
        s::NFS3ERR_JUKEBOX => error(ErrorKind::Throttled).retry_after(JUKEBOX_PAUSE),
        // The server's own trouble, which may pass.
        s::NFS3ERR_IO | s::NFS3ERR_SERVERFAULT => error(ErrorKind::Unexpected)
            .with_retry(Retry::Backoff)
            .hint("the server failed by itself, possibly over its disk: its log says more"),
        s::NFS3ERR_NOTSUPP | s::NFS3ERR_BADTYPE | s::NFS3ERR_REMOTE | s::NFS3ERR_XDEV | s::NFS3ERR_MLINK => {
            error(ErrorKind::Unsupported)
        }
        s::NFS3_OK | s::NFS3ERR_NXIO | s::NFS3ERR_NODEV | s::NFS3ERR_TOOSMALL => error(ErrorKind::Unexpected),
    }
}

fn of_mount_status(status: mountstat3, op: &'static str) -> Error {
    use mountstat3 as s;
    let error = |kind| Error::new(kind, op).with_reach(Reach::Location);
    match status {
        s::MNT3ERR_PERM | s::MNT3ERR_ACCES => error(ErrorKind::Denied)
            .hint("the server does not export this to this host (or wants a port below 1024: run as root)"),
        s::MNT3ERR_NOENT => error(ErrorKind::NotFound),
        s::MNT3ERR_NOTDIR | s::MNT3ERR_INVAL => error(ErrorKind::Invalid),
        s::MNT3ERR_NAMETOOLONG => error(ErrorKind::NameRefused),
        s::MNT3ERR_NOTSUPP => error(ErrorKind::Unsupported),
        s::MNT3ERR_IO | s::MNT3ERR_SERVERFAULT => error(ErrorKind::Unexpected).with_retry(Retry::Backoff),
        s::MNT3_OK => error(ErrorKind::Unexpected),
    }
}

fn of_rpc(error: &RpcError, op: &'static str) -> Error {
    let told = |kind| Error::new(kind, op);
    match error {
        RpcError::Connect(cause) => of_connect(cause, op),
        RpcError::Tls(error) => error.error(op),
        // Given up because nothing was heard for too long.
        RpcError::Closed(cause) if cause.kind() == io::ErrorKind::TimedOut => told(ErrorKind::Timeout),
        RpcError::Closed(_) => told(ErrorKind::Disconnected),
        RpcError::Timeout(_) => told(ErrorKind::Timeout),
        RpcError::Auth(_) => told(ErrorKind::Unauthenticated).hint(AUTH_HINT),
        RpcError::ProgUnavail
        | RpcError::ProgMismatch { .. }
        | RpcError::RpcMismatch { .. }
        | RpcError::ProcUnavail => told(ErrorKind::Unsupported).with_reach(Reach::Location).hint(
            "this server, or this port, does not serve NFSv3: check `?port=&mountport=` and the server's versions",
        ),
        RpcError::SystemErr => told(ErrorKind::Unexpected).with_retry(Retry::Backoff),
        RpcError::GarbageArgs | RpcError::Malformed(_) | RpcError::TooLong { .. } => told(ErrorKind::Unexpected),
    }
}

fn of_connect(cause: &io::Error, op: &'static str) -> Error {
    let error = |kind| Error::new(kind, op).with_reach(Reach::Location);
    match cause.kind() {
        io::ErrorKind::TimedOut => error(ErrorKind::Timeout).hint("is the host right, and is a firewall in between?"),
        io::ErrorKind::PermissionDenied => {
            error(ErrorKind::Denied).hint("only root, or a process with CAP_NET_BIND_SERVICE, may use a port below 1024")
        }
        io::ErrorKind::ConnectionRefused => error(ErrorKind::Disconnected)
            .hint("nothing listens there: is the server up, and are `?port=&mountport=` right (2049 for NFS on most servers)?"),
        _ => error(ErrorKind::Disconnected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_status_says_what_happened_and_whether_to_try_again() {
        use nfsstat3 as s;
        let told = |status| {
            let error = Failure::Status(status).at("read", &"a".into());
            (error.kind(), error.retry())
        };
        assert_eq!(told(s::NFS3ERR_JUKEBOX), (ErrorKind::Throttled, Retry::After(JUKEBOX_PAUSE)));
        assert_eq!(told(s::NFS3ERR_ACCES), (ErrorKind::Denied, Retry::Never));
        assert_eq!(told(s::NFS3ERR_STALE), (ErrorKind::NotFound, Retry::Never));
        assert_eq!(told(s::NFS3ERR_DQUOT), (ErrorKind::NoSpace, Retry::Never));
        assert_eq!(told(s::NFS3ERR_BAD_COOKIE), (ErrorKind::Changed, Retry::Never));
        assert_eq!(told(s::NFS3ERR_NAMETOOLONG), (ErrorKind::NameRefused, Retry::Never));
        assert_eq!(told(s::NFS3ERR_IO), (ErrorKind::Unexpected, Retry::Backoff));
    }

    #[test]
    fn a_broken_connection_may_be_tried_again_and_nonsense_may_not() {
        let told = |error: RpcError| {
            let error = Failure::Rpc(error).error("read");
            (error.kind(), error.retry())
        };
        let broken = || Arc::new(io::Error::from(io::ErrorKind::ConnectionReset));
        assert_eq!(told(RpcError::Closed(broken())), (ErrorKind::Disconnected, Retry::Backoff));
        let silent = Arc::new(io::Error::from(io::ErrorKind::TimedOut));
        assert_eq!(told(RpcError::Closed(silent)), (ErrorKind::Timeout, Retry::Backoff));
        assert_eq!(told(RpcError::Connect(broken())), (ErrorKind::Disconnected, Retry::Backoff));
        assert_eq!(told(RpcError::Timeout(Duration::from_secs(1))), (ErrorKind::Timeout, Retry::Backoff));
        assert_eq!(told(RpcError::Malformed("?")), (ErrorKind::Unexpected, Retry::Never));
        assert_eq!(told(RpcError::TooLong { len: 9, most: 8 }), (ErrorKind::Unexpected, Retry::Never));
        assert_eq!(told(RpcError::Auth(5)), (ErrorKind::Unauthenticated, Retry::Never));
    }
}
