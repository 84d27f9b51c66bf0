//! What went wrong with a request, and the one place where that becomes a [`storage::Error`].

use model::RelPath;
use nfs3_client::RpcError;
use nfs3_types::{mount::mountstat3, nfs3::nfsstat3, rpc::auth_stat};
use std::{fmt, io, time::Duration};
use storage::{Error, ErrorKind, Reach, Retry};

/// How long to wait after `NFS3ERR_JUKEBOX`: Linux waits as long (`NFS_JUKEBOX_RETRY_TIME`, fs/nfs/nfs3proc.c).
const JUKEBOX_PAUSE: Duration = Duration::from_secs(5);

const AUTH_HINT: &str = "the server does not take AUTH_SYS from here: it may want Kerberos (`sec=krb5`), or a connection \
                         from a port below 1024 (run as root)";
const DENIED_HINT: &str =
    "read as a user who may (`?uid=&gid=`), or as root of an export with `no_root_squash` for this host";

/// Why there is no answer, or what it says.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server answered with this status.
    Status(nfsstat3),
    /// MOUNT answered with this status.
    Mount(mountstat3),
    /// The RPC layer refused, or the connection broke under the request.
    Rpc(RpcError),
    /// No connection could be made.
    Connect(io::Error),
    /// The portmapper knows no TCP port for this program.
    NotRegistered(&'static str),
    /// No answer within this time.
    Timeout(Duration),
    /// The client crate panicked.
    Panicked,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(f),
            Self::Mount(status) => status.fmt(f),
            Self::Rpc(error) => error.fmt(f),
            Self::Connect(error) => error.fmt(f),
            Self::NotRegistered(program) => write!(f, "the server has no {program} version 3 over TCP"),
            Self::Timeout(limit) => write!(f, "no answer within {limit:?}"),
            Self::Panicked => f.write_str("the NFS client crate panicked over an answer of the server"),
        }
    }
}
impl std::error::Error for Failure {}

impl From<RpcError> for Failure {
    fn from(error: RpcError) -> Self {
        Self::Rpc(error)
    }
}

impl Failure {
    /// Does the server no longer know the file handle? After a restart, or when the file is gone.
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Status(nfsstat3::NFS3ERR_STALE | nfsstat3::NFS3ERR_BADHANDLE))
    }

    /// May the connection serve another request? Only when the answer was read whole and made sense.
    pub fn leaves_connection_clean(&self) -> bool {
        match self {
            Self::Status(_) | Self::Mount(_) => true,
            Self::Rpc(error) => matches!(
                error,
                RpcError::ProgUnavail
                    | RpcError::ProgMismatch { .. }
                    | RpcError::ProcUnavail
                    | RpcError::GarbageArgs
                    | RpcError::SystemErr
            ),
            Self::Connect(_) | Self::NotRegistered(_) | Self::Timeout(_) | Self::Panicked => false,
        }
    }

    /// The error for whoever asked to do `op` at `path`.
    pub fn at(self, op: &'static str, path: &RelPath) -> Error {
        self.error(op).at(path)
    }

    /// The error for whoever asked to do `op`.
    pub fn error(self, op: &'static str) -> Error {
        let error = match &self {
            Self::Status(status) => of_status(*status, op),
            Self::Mount(status) => of_mount_status(*status, op),
            Self::Rpc(error) => of_rpc(error, op),
            Self::Connect(cause) => of_connect(cause, op),
            Self::NotRegistered(_) => Error::new(ErrorKind::Unsupported, op)
                .with_reach(Reach::Location)
                .hint("enable NFSv3 on the server, or name its ports with `?port=&mountport=`"),
            Self::Timeout(_) => Error::new(ErrorKind::Timeout, op),
            Self::Panicked => Error::new(ErrorKind::Unexpected, op),
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
    match error {
        RpcError::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => Error::new(ErrorKind::Unexpected, op),
        RpcError::Io(_) => Error::new(ErrorKind::Disconnected, op),
        // Answers out of step: this connection is thrown away, the next starts clean.
        RpcError::UnexpectedXid | RpcError::UnexpectedCall | RpcError::FragmentedReply => {
            Error::new(ErrorKind::Disconnected, op)
        }
        RpcError::Auth(auth_stat::AUTH_OK) => Error::new(ErrorKind::Unexpected, op),
        RpcError::Auth(_) => Error::new(ErrorKind::Unauthenticated, op).hint(AUTH_HINT),
        RpcError::ProgUnavail
        | RpcError::ProgMismatch { .. }
        | RpcError::RpcMismatch { .. }
        | RpcError::ProcUnavail => Error::new(ErrorKind::Unsupported, op).with_reach(Reach::Location).hint(
            "this server, or this port, does not serve NFSv3: check `?port=&mountport=` and the server's versions",
        ),
        RpcError::SystemErr => Error::new(ErrorKind::Unexpected, op).with_retry(Retry::Backoff),
        RpcError::Xdr(_) | RpcError::WrongLength | RpcError::NotFullyParsed { .. } | RpcError::GarbageArgs => {
            Error::new(ErrorKind::Unexpected, op)
        }
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
    fn a_broken_connection_may_be_tried_again_and_is_not_kept() {
        let broken = || Failure::Rpc(RpcError::Io(io::ErrorKind::ConnectionReset.into()));
        assert!(!broken().leaves_connection_clean());
        assert_eq!(
            (broken().error("read").kind(), broken().error("read").retry()),
            (ErrorKind::Disconnected, Retry::Backoff)
        );
        let slow = Failure::Timeout(Duration::from_secs(1));
        assert!(!slow.leaves_connection_clean());
        assert_eq!(slow.error("read").kind(), ErrorKind::Timeout);
        assert!(!Failure::Rpc(RpcError::UnexpectedXid).leaves_connection_clean());
        assert!(Failure::Status(nfsstat3::NFS3ERR_NOENT).leaves_connection_clean());
    }
}
