//! What went wrong with a request, and the one place where that becomes a [`storage::Error`].

use hdfs_native::HdfsError;
use model::RelPath;
use std::{fmt, io, time::Duration};
use storage::{Error, ErrorKind, Reach, Retry};

/// How long to wait for a NameNode in safe mode, or one that says it is busy.
const PAUSE: Duration = Duration::from_secs(5);

const DENIED_HINT: &str =
    "read as a user who may: the superuser, or one with an ACL entry (`hdfs://user@…`, or another principal)";
const NO_ACTIVE_HINT: &str = "no NameNode is active: `hdfs haadmin -getAllServiceState` says which is what";
const ZONE_HINT: &str = "it lies in an encryption zone, and the key server (KMS) is not asked here: move it with `hadoop \
     distcp`, or copy it within the cluster to a directory outside every zone first";
pub(crate) const CLOCKS_HINT: &str =
    "set the clocks of this host, of the KDC and of the cluster by NTP: they may differ by 5 minutes";
/// Java's words for whatever the NameNode does not like about a ticket.
const GSS_REFUSED: &str = "GSS initiate failed";
const GSS_HINT: &str = "the NameNode does not accept the ticket, and only its log says why: clocks that are more than 5 minutes \
     apart, a keytab of its own that is older than its key, or a host name that is not the one in its principal";
const KERBEROS_HINT: &str = "run `kinit`, or name a principal and its keytab (`?principal=user@REALM&keytab=/path`)";

/// Why there is no answer, or what it says.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What the client crate says, mostly in the words of a server.
    Hdfs(HdfsError),
    /// No answer within this time.
    Timeout(Duration),
    /// The client crate panicked.
    Panicked(String),
    /// No connection could be made, or it broke.
    Connect(String, io::Error),
    /// What listens there is not a NameNode.
    NotHdfs(String, String),
    /// The server wants Kerberos and we do not, or the other way round.
    Security(String),
    /// Hadoop's exception, by its Java class and message.
    Remote(String, String),
    /// What came over HTTP makes no sense, or is too much.
    Http(String),
    /// HTTP answers with this status.
    Status(u16, String),
    /// What the Kerberos library says.
    Kerberos(kerberos::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hdfs(HdfsError::RPCError(class, words) | HdfsError::FatalRPCError(class, words))
            | Self::Remote(class, words) => {
                write!(f, "{}: {}", short(class), first_line(words))
            }
            Self::Hdfs(HdfsError::GSSAPIError(major, minor, words)) => {
                write!(f, "GSSAPI: {words} (major {:#x}, minor {minor})", major.raw())
            }
            // Its words are about how the crate is built.
            Self::Hdfs(HdfsError::UnsupportedFeature(words)) if words.contains("encryption zone") => f.write_str(
                "the file lies in an encryption zone, and what is stored of it can be read only with its key",
            ),
            Self::Hdfs(HdfsError::FileNotFound(path)) => write!(f, "no such file or directory: {path}"),
            Self::Hdfs(error) => error.fmt(f),
            Self::Timeout(limit) => write!(f, "no answer within {limit:?}"),
            Self::Panicked(words) => write!(f, "the HDFS client crate panicked over an answer of the server: {words}"),
            Self::Connect(whom, error) => write!(f, "{whom}: {error}"),
            Self::NotHdfs(whom, why) => write!(f, "what answers at {whom} is no NameNode: {why}"),
            Self::Security(why) | Self::Http(why) => f.write_str(why),
            Self::Status(status, words) => write!(f, "HTTP status {status} {words}"),
            Self::Kerberos(error) => error.fmt(f),
        }
    }
}
impl std::error::Error for Failure {}

impl From<HdfsError> for Failure {
    fn from(error: HdfsError) -> Self {
        Self::Hdfs(error)
    }
}
impl From<kerberos::Error> for Failure {
    fn from(error: kerberos::Error) -> Self {
        Self::Kerberos(error)
    }
}

/// `org.apache.hadoop.security.AccessControlException` is long and says nothing more than its last part.
fn short(class: &str) -> &str {
    class.rsplit_once('.').map_or(class, |(_, name)| name)
}

/// Java sends its stack trace along.
fn first_line(words: &str) -> &str {
    words.lines().next().unwrap_or_default()
}

impl Failure {
    /// May another DataNode, or the same one a little later, still give the bytes?
    pub fn is_of_the_data(&self) -> bool {
        matches!(
            self,
            Self::Timeout(_)
                | Self::Hdfs(
                    HdfsError::IOError(_)
                        | HdfsError::DataTransferError(_)
                        | HdfsError::ChecksumError
                        | HdfsError::SASLError(_)
                )
        )
    }

    /// Is the server a standby, or nowhere? Then another one may be asked.
    pub fn is_elsewhere(&self) -> bool {
        match self {
            Self::Connect(..) | Self::Timeout(_) | Self::NotHdfs(..) => true,
            Self::Remote(class, _) => short(class) == "StandbyException",
            _ => false,
        }
    }

    /// The error for whoever asked to do `op` at `path`.
    pub fn at(self, op: &'static str, path: &RelPath) -> Error {
        self.error(op).at(path)
    }

    /// The error for whoever asked to do `op`.
    pub fn error(self, op: &'static str) -> Error {
        let error = match &self {
            Self::Hdfs(error) => of_hdfs(error, op),
            Self::Remote(class, words) => of_exception(short(class), words, op),
            Self::Timeout(_) => Error::new(ErrorKind::Timeout, op),
            Self::Connect(_, cause) => of_io(cause, op),
            Self::NotHdfs(..) => Error::new(ErrorKind::Unsupported, op)
                .with_reach(Reach::Location)
                .hint("the RPC port of a NameNode is meant (8020 or 9000 mostly), not its web page (9870)"),
            Self::Security(_) | Self::Status(401, _) => Error::new(ErrorKind::Unauthenticated, op).hint(KERBEROS_HINT),
            Self::Status(403, words) if words.contains("GSSException") => {
                Error::new(ErrorKind::Unauthenticated, op).hint(gss_hint(words))
            }
            Self::Status(403, _) => Error::new(ErrorKind::Denied, op).hint(DENIED_HINT),
            Self::Status(404, _) => Error::new(ErrorKind::NotFound, op),
            Self::Status(503, _) => Error::new(ErrorKind::Throttled, op).retry_after(PAUSE),
            Self::Panicked(_) | Self::Http(_) | Self::Status(..) => Error::new(ErrorKind::Unexpected, op),
            Self::Kerberos(error) => {
                let told = Error::new(ErrorKind::Unauthenticated, op);
                if let Some(hint) = error.hint() { told.hint(hint) } else { told }
            }
        };
        error.because(self)
    }
}

fn of_hdfs(error: &HdfsError, op: &'static str) -> Error {
    let new = |kind| Error::new(kind, op);
    match error {
        HdfsError::IOError(cause) => of_io(cause, op),
        HdfsError::RPCError(class, words) | HdfsError::FatalRPCError(class, words) => of_exception(short(class), words, op),
        HdfsError::FileNotFound(_) => new(ErrorKind::NotFound),
        HdfsError::AlreadyExists(_) => new(ErrorKind::AlreadyExists),
        HdfsError::IsADirectoryError(_) | HdfsError::InvalidPath(_) | HdfsError::InvalidArgument(_) => new(ErrorKind::Invalid),
        HdfsError::ChecksumError => new(ErrorKind::Corrupt).hint("`hdfs fsck PATH -files -blocks` tells which replica is damaged"),
        HdfsError::BlocksNotFound(_) | HdfsError::DataTransferError(_) => new(ErrorKind::Disconnected)
            .hint("no DataNode gives a block of it: `hdfs fsck PATH -files -blocks -locations` tells which, and whether it is lost"),
        HdfsError::UnsupportedFeature(words) if words.contains("encryption zone") => new(ErrorKind::Unsupported).hint(ZONE_HINT),
        HdfsError::UnsupportedErasureCodingPolicy(_) | HdfsError::UnsupportedFeature(_) => new(ErrorKind::Unsupported)
            .hint("copy it within the cluster to a directory without encryption zone or with another erasure coding policy"),
        HdfsError::SASLError(_) => new(ErrorKind::Unauthenticated)
            .hint("do client and cluster agree on hadoop.rpc.protection and dfs.data.transfer.protection? Name the cluster's own configuration with `?conf=`"),
        HdfsError::NoSASLMechanism => new(ErrorKind::Unauthenticated).hint(KERBEROS_HINT),
        HdfsError::GSSAPIError(_, minor, _) => new(ErrorKind::Unauthenticated).hint(kerberos_hint(*minor)),
        _ => new(ErrorKind::Unexpected),
    }
}

/// For the words of Java's GSSAPI: they end in the number of Kerberos's error.
pub(crate) fn gss_hint(words: &str) -> &'static str {
    if words.contains("(37)") { CLOCKS_HINT } else { GSS_HINT }
}

/// Codes of MIT's krb5 library: their table starts at -1765328384 and counts as the protocol does (RFC 4120, 7.5.9).
fn kerberos_hint(minor: u32) -> &'static str {
    match i64::from(minor.cast_signed()) + 1_765_328_384 {
        32 => "the ticket has expired: run `kinit` again, or use a keytab",
        37 => CLOCKS_HINT,
        33 => {
            "the ticket is not valid yet, so the clock of this host is behind the KDC's: set both by NTP, they may differ by 5 minutes"
        }
        6 | 7 | 60 => {
            "the KDC does not know the user, or the NameNode under this host name: check the principal, and use the host's full name"
        }
        24 | 14 => {
            "the keytab does not fit the KDC any more: was the password or the list of encryption types changed?"
        }
        154..=156 => "no KDC answers: check krb5.conf (KRB5_CONFIG) and the network to the KDC",
        _ => KERBEROS_HINT,
    }
}

/// By the simple name of the Java class.
fn of_exception(class: &str, words: &str, op: &'static str) -> Error {
    let new = |kind| Error::new(kind, op);
    match class {
        "FileNotFoundException" => new(ErrorKind::NotFound),
        "ParentNotDirectoryException"
        | "PathIsNotDirectoryException"
        | "InvalidPathException"
        | "IllegalArgumentException"
        | "HadoopIllegalArgumentException" => new(ErrorKind::Invalid),
        "AccessControlException" | "AuthorizationException" | "SecurityException" => {
            new(ErrorKind::Denied).hint(DENIED_HINT)
        }
        "SaslException" if words.contains(GSS_REFUSED) => new(ErrorKind::Unauthenticated).hint(GSS_HINT),
        "SaslException"
        | "GSSException"
        | "InvalidToken"
        | "SecretManager$InvalidToken"
        | "AuthenticationException" => new(ErrorKind::Unauthenticated).hint(KERBEROS_HINT),
        "StandbyException" => new(ErrorKind::Disconnected).with_reach(Reach::Location).hint(NO_ACTIVE_HINT),
        "SafeModeException" | "RetriableException" | "ServerTooBusyException" | "CallQueueOverflowException" => {
            let told = new(ErrorKind::Throttled).retry_after(PAUSE);
            if class == "SafeModeException" {
                told.hint("the NameNode is in safe mode and waits for its DataNodes: `hdfs dfsadmin -safemode get`")
            } else {
                told
            }
        }
        "UnresolvedPathException" | "UnresolvedLinkException" => new(ErrorKind::Unsupported).because(words.to_owned()),
        "RpcNoSuchMethodException" | "RpcNoSuchProtocolException" | "UnsupportedOperationException" => {
            new(ErrorKind::Unsupported)
        }
        "IOException" => new(ErrorKind::Unexpected).with_retry(Retry::Backoff),
        _ => new(ErrorKind::Unexpected),
    }
}

fn of_io(cause: &io::Error, op: &'static str) -> Error {
    let new = |kind| Error::new(kind, op).with_reach(Reach::Location);
    match cause.kind() {
        io::ErrorKind::TimedOut => new(ErrorKind::Timeout).hint("is the host right, and is a firewall in between?"),
        io::ErrorKind::ConnectionRefused => new(ErrorKind::Disconnected)
            .hint("nothing listens there: is the NameNode up, and is it this port (8020 or 9000 mostly)?"),
        _ => new(ErrorKind::Disconnected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_becomes_its_kind_and_keeps_its_words() {
        let told = |class: &str| {
            Failure::Hdfs(HdfsError::RPCError(format!("org.apache.hadoop.x.{class}"), "why\n\tat a.b".into()))
                .error("list")
        };
        for (class, kind) in [
            ("AccessControlException", ErrorKind::Denied),
            ("StandbyException", ErrorKind::Disconnected),
            ("SafeModeException", ErrorKind::Throttled),
            ("FileNotFoundException", ErrorKind::NotFound),
            ("NewException", ErrorKind::Unexpected),
        ] {
            let error = told(class);
            assert_eq!(error.kind(), kind, "{class}");
            assert_eq!(error.cause().unwrap(), format!("{class}: why"));
        }
        assert_eq!(told("SafeModeException").retry(), Retry::After(PAUSE));
    }

    #[test]
    fn the_codes_of_kerberos_give_a_hint() {
        let code = |n: i32| (-1_765_328_384 + n).cast_unsigned();
        assert!(kerberos_hint(code(37)).contains("clocks"));
        assert!(kerberos_hint(code(32)).contains("expired"));
        assert!(kerberos_hint(code(33)).contains("behind"));
        assert_eq!(kerberos_hint(0), KERBEROS_HINT);
    }
}
