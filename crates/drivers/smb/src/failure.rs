//! What went wrong with a request, and the one place where that becomes a [`storage::Error`].

use crate::{
    names,
    wire::{cursor::Malformed, status::Status},
};
use model::RelPath;
use std::{fmt, io, sync::Arc, time::Duration};
use storage::{Error, ErrorKind, Reach, Retry};

/// Why there is no answer, or what it says.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The server answered a request for a file with this status.
    Status(Status),
    /// The server refused us.
    Login(Status),
    /// The server refused the share.
    Share(Status),
    /// No connection could be made.
    Connect(Arc<io::Error>),
    /// The connection broke under the request.
    Lost(Arc<str>),
    /// No answer within this time.
    Timeout(Duration),
    /// The answer makes no sense.
    Malformed(Malformed),
    /// Whatever answered does not speak SMB 2.1 or newer.
    NotSmb(String),
    /// A mechanism of authentication that the server does not take.
    NotOffered(&'static str),
    /// Authentication failed on our side.
    Authentication(&'static str),
    /// There is no ticket, or the server did not take it.
    Kerberos(kerberos::Error),
    /// We named a user, and the server made us a guest.
    MadeGuest,
    /// An answer was changed on the way, or somebody else sent it.
    Tampered(&'static str),
    /// The server cannot protect messages as it was demanded.
    Unprotected(&'static str),
    /// A link of DFS leads nowhere.
    Link { link: String, why: String },
    /// What a link of DFS leads to could not be reached, or is closed to us.
    Behind { link: String, cause: Box<Failure> },
    /// With what stands before it, the name is longer than a request can say.
    TooLong,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) | Self::Login(status) | Self::Share(status) => status.fmt(f),
            Self::Connect(error) => error.fmt(f),
            Self::Lost(why) => f.write_str(why),
            Self::Timeout(limit) => write!(f, "no answer within {limit:?}"),
            Self::Malformed(what) => what.fmt(f),
            Self::NotSmb(what) => f.write_str(what),
            Self::NotOffered(what) => write!(f, "the server does not take {what}"),
            Self::Authentication(what) | Self::Tampered(what) | Self::Unprotected(what) => f.write_str(what),
            Self::Kerberos(error) => error.fmt(f),
            Self::MadeGuest => f.write_str("the server does not know the user and made us a guest"),
            Self::Link { link, why } => write!(f, "the link `{link}` of DFS: {why}"),
            Self::Behind { link, cause } => write!(f, "the link `{link}` of DFS: {cause}"),
            Self::TooLong => f.write_str(names::TOO_LONG),
        }
    }
}
impl std::error::Error for Failure {}

impl From<Malformed> for Failure {
    fn from(what: Malformed) -> Self {
        Self::Malformed(what)
    }
}

impl Failure {
    /// Is there simply nothing?
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Status(status) if status.is_missing())
    }

    /// Could the server not be reached, or was it lost?
    pub const fn is_unconnected(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Lost(_))
    }

    /// Does the same request want another session? Its own was lost, or the server no longer knows it.
    pub const fn wants_new_session(&self) -> bool {
        match self {
            Self::Status(status) => status.ends_session(),
            Self::Lost(_) => true,
            _ => false,
        }
    }

    /// Is it wrong with what was asked for alone, and for good? Not so where the connection, the session or the share
    /// fails, nor where nothing is there any more.
    pub fn is_of_item(&self) -> bool {
        match self {
            Self::Malformed(_) | Self::Link { .. } | Self::Behind { .. } | Self::TooLong => true,
            Self::Status(status) => !status.is_missing() && of_status(*status, "look").retry() == Retry::Never,
            _ => false,
        }
    }

    /// Did the server refuse us for good? Trouble of its own that passes is none.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Login(_) | Self::MadeGuest) && self.clone().error("log in").retry() == Retry::Never
    }

    /// The error for whoever asked to do `op` at `path`.
    pub fn at(self, op: &'static str, path: &RelPath) -> Error {
        self.error(op).at(path)
    }

    /// The error for whoever asked to do `op`.
    pub fn error(self, op: &'static str) -> Error {
        let here = |kind| Error::new(kind, op);
        let door = |kind| Error::new(kind, op).with_reach(Reach::Location);
        let error = match &self {
            Self::Status(status) => of_status(*status, op),
            Self::Login(status) => of_login(*status, op),
            Self::Share(status) => of_share(*status, op),
            Self::Connect(cause) => of_connect(cause, op),
            Self::Lost(_) => here(ErrorKind::Disconnected),
            Self::Timeout(_) => here(ErrorKind::Timeout),
            Self::Malformed(_) => here(ErrorKind::Unexpected),
            Self::NotSmb(_) => door(ErrorKind::Unsupported)
                .hint("SMB 2.1 or newer is spoken here: enable it on the server, and check the port (445)"),
            Self::NotOffered(_) | Self::Authentication(_) => door(ErrorKind::Unauthenticated),
            Self::Kerberos(error) => of_kerberos(error, op),
            Self::MadeGuest => door(ErrorKind::Unauthenticated)
                .hint("check user and domain; to connect as a guest on purpose, name no user"),
            Self::Tampered(_) => door(ErrorKind::Corrupt)
                .hint("something between here and the server changes messages, or the server is not the one it says"),
            Self::Unprotected(_) => {
                door(ErrorKind::Unsupported).hint("leave out `sign` or `encrypt`, or enable it on the server")
            }
            Self::Link { .. } => here(ErrorKind::NotFound).hint("the other shares of the namespace can still be read"),
            // The rest of the namespace can still be read.
            Self::Behind { cause, .. } => cause.as_ref().clone().error(op).with_reach(Reach::Item),
            Self::TooLong => here(ErrorKind::NameRefused),
        };
        error.because(self)
    }
}

fn of_status(status: Status, op: &'static str) -> Error {
    let error = |kind| Error::new(kind, op);
    match status {
        _ if status.is_missing() => error(ErrorKind::NotFound),
        _ if status.ends_session() => error(ErrorKind::Disconnected),
        Status::FILE_CLOSED => error(ErrorKind::Disconnected),
        Status::ACCESS_DENIED | Status::NETWORK_ACCESS_DENIED | Status::PRIVILEGE_NOT_HELD => {
            error(ErrorKind::Denied).hint("read as a user who may, such as a member of the server's backup operators")
        }
        Status::CLOUD_FILE_ACCESS_DENIED => error(ErrorKind::Denied),
        Status::NOT_A_DIRECTORY | Status::FILE_IS_A_DIRECTORY | Status::INVALID_PARAMETER | Status::END_OF_FILE => {
            error(ErrorKind::Invalid)
        }
        Status::STOPPED_ON_SYMLINK => error(ErrorKind::Invalid).hint("a symbolic link stands on the way"),
        Status::OBJECT_NAME_INVALID
        | Status::OBJECT_PATH_INVALID
        | Status::OBJECT_PATH_SYNTAX_BAD
        | Status::ILLEGAL_CHARACTER
        | Status::NAME_TOO_LONG => error(ErrorKind::NameRefused),
        Status::SHARING_VIOLATION | Status::FILE_LOCK_CONFLICT => error(ErrorKind::Denied)
            .with_retry(Retry::Backoff)
            .hint("a program on the server or at another client holds the file open for itself"),
        Status::INSUFFICIENT_RESOURCES
        | Status::REQUEST_NOT_ACCEPTED
        | Status::TOO_MANY_OPENED_FILES
        | Status::SMB_TOO_MANY_UIDS_SELECTED
        | Status::SERVER_UNAVAILABLE
        | Status::FILE_NOT_AVAILABLE
        | Status::IO_TIMEOUT => error(ErrorKind::Throttled),
        Status::DISK_FULL | Status::QUOTA_EXCEEDED => error(ErrorKind::NoSpace),
        Status::CRC_ERROR | Status::DATA_ERROR => error(ErrorKind::Corrupt),
        Status::IO_REPARSE_TAG_NOT_HANDLED | Status::CLOUD_FILE_PROVIDER_NOT_RUNNING | Status::FS_DRIVER_REQUIRED => {
            error(ErrorKind::Unsupported)
                .hint("the file is a placeholder, and the program on the server that brings its content does not run")
        }
        Status::NOT_SUPPORTED
        | Status::INVALID_DEVICE_REQUEST
        | Status::INVALID_INFO_CLASS
        | Status::NOT_IMPLEMENTED => error(ErrorKind::Unsupported),
        // The server's own trouble, which may pass.
        Status::UNEXPECTED_IO_ERROR | Status::INTERNAL_ERROR | Status::UNSUCCESSFUL | Status::VOLUME_DISMOUNTED => {
            error(ErrorKind::Unexpected)
                .with_retry(Retry::Backoff)
                .hint("the server failed by itself, possibly over its disk: its log says more")
        }
        _ => error(ErrorKind::Unexpected),
    }
}

fn of_login(status: Status, op: &'static str) -> Error {
    let refused = |hint: &str| Error::new(ErrorKind::Unauthenticated, op).hint(hint);
    match status {
        Status::LOGON_FAILURE | Status::WRONG_PASSWORD | Status::NO_SUCH_USER => {
            refused("user, domain or password is wrong, or the server does not take NTLMv2")
        }
        Status::PASSWORD_EXPIRED | Status::PASSWORD_MUST_CHANGE => {
            refused("the password has expired: it must be changed first")
        }
        Status::ACCOUNT_EXPIRED => refused("the account has expired"),
        Status::ACCOUNT_LOCKED_OUT => {
            refused("the account is locked after too many wrong passwords: wait, or unlock it")
        }
        Status::ACCOUNT_DISABLED => refused("the account is disabled; guests are, by default, on Windows"),
        Status::ACCOUNT_RESTRICTION | Status::INVALID_LOGON_HOURS | Status::INVALID_WORKSTATION => {
            refused("a policy forbids this account: no empty password, certain hours or hosts only")
        }
        Status::LOGON_TYPE_NOT_GRANTED => refused("the account may not log on over the network"),
        Status::TIME_DIFFERENCE_AT_DC => refused("the clocks of this host and of the domain are too far apart"),
        Status::NO_LOGON_SERVERS => Error::new(ErrorKind::Unauthenticated, op)
            .with_retry(Retry::Backoff)
            .hint("the server finds no domain controller"),
        Status::TRUSTED_RELATIONSHIP_FAILURE | Status::NO_SUCH_DOMAIN => {
            refused("the server and its domain do not trust each other: check the name of the domain")
        }
        Status::ACCESS_DENIED => {
            refused("the server does not take such a session: guests and nobody are often refused")
        }
        Status::INVALID_PARAMETER => {
            refused("the server could not make sense of the proof; a guest may not be allowed")
        }
        _ => match of_status(status, op) {
            error if error.retry() == Retry::Never => Error::new(ErrorKind::Unauthenticated, op),
            error => error,
        },
    }
}

fn of_share(status: Status, op: &'static str) -> Error {
    let error = match status {
        Status::BAD_NETWORK_NAME | Status::BAD_DEVICE_TYPE => Error::new(ErrorKind::NotFound, op),
        Status::ACCESS_DENIED | Status::NETWORK_ACCESS_DENIED => Error::new(ErrorKind::Denied, op)
            .hint("the share is closed to this user, or demands encryption that this session cannot give"),
        _ => of_status(status, op),
    };
    error.with_reach(Reach::Location)
}

fn of_connect(cause: &io::Error, op: &'static str) -> Error {
    let error = |kind| Error::new(kind, op);
    match cause.kind() {
        io::ErrorKind::TimedOut => error(ErrorKind::Timeout)
            .hint("the host does not answer: check its name, and that no firewall drops port 445"),
        io::ErrorKind::ConnectionRefused => {
            error(ErrorKind::Disconnected).hint("nothing listens there: check that the server runs, and its port (445)")
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            error(ErrorKind::Disconnected).hint("there is no way to this host from here")
        }
        io::ErrorKind::PermissionDenied => error(ErrorKind::Denied),
        _ => error(ErrorKind::Disconnected),
    }
}

fn of_kerberos(cause: &kerberos::Error, op: &'static str) -> Error {
    use kerberos::Reason;
    let refused = Error::new(ErrorKind::Unauthenticated, op);
    match cause.reason() {
        Reason::NoLibrary => refused.hint("install the Kerberos library of this system (libgssapi-krb5-2, krb5-libs)"),
        Reason::NoTicket => refused.hint("get a ticket with `kinit`, or give a keytab"),
        Reason::Expired => refused.hint("the ticket has expired: run `kinit` again, or give a keytab"),
        Reason::ClockSkew => refused.hint("the clocks of this host and of the domain are too far apart"),
        Reason::UnknownService => refused
            .hint("the domain knows no `cifs` service of this name: write the server's full name, or say it with `?service=NAME`"),
        Reason::NoKdc => refused.with_retry(Retry::Backoff).hint("no domain controller answers: check krb5.conf"),
        Reason::Account => refused.hint(
            "the domain refuses the account: it is unknown, disabled or locked, its password must be changed, or the \
             keytab is older than its password",
        ),
        Reason::Refused | Reason::Other => refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_become_the_kinds_that_people_act_on() {
        let kind = |failure: Failure| failure.error("list").kind();
        assert_eq!(kind(Failure::Login(Status::LOGON_FAILURE)), ErrorKind::Unauthenticated);
        assert_eq!(kind(Failure::Share(Status::ACCESS_DENIED)), ErrorKind::Denied);
        assert_eq!(kind(Failure::Share(Status::BAD_NETWORK_NAME)), ErrorKind::NotFound);
        assert_eq!(kind(Failure::Status(Status::OBJECT_PATH_NOT_FOUND)), ErrorKind::NotFound);
        assert_eq!(kind(Failure::Status(Status::USER_SESSION_DELETED)), ErrorKind::Disconnected);
        assert_eq!(kind(Failure::Status(Status(0xC000_9999))), ErrorKind::Unexpected);
        let words = Failure::Status(Status::ACCESS_DENIED).error("list").cause().unwrap();
        assert_eq!(words, "STATUS_ACCESS_DENIED");
    }
}
