//! Every status of NFSv4.1 (RFC 8881, section 15.1) and what it means to whoever asked.

use std::{fmt, time::Duration};
use storage::{Error, ErrorKind, Reach, Retry};

/// A status as the server sent it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Status(pub u32);

/// How long to wait after `NFS4ERR_DELAY`. The Linux client starts with a tenth of a second and goes up to 15
/// (`NFS4_POLL_RETRY_MIN`, `NFS4_POLL_RETRY_MAX` in fs/nfs/nfs4_fs.h); the retry wrapper waits as long each time.
pub(crate) const DELAY_PAUSE: Duration = Duration::from_secs(1);
/// How long to wait after `NFS4ERR_GRACE`: a restarted server gives its clients a lease's time, 90 s for most.
pub(crate) const GRACE_PAUSE: Duration = Duration::from_secs(5);

const DENIED_HINT: &str =
    "read as a user who may (`?uid=&gid=`), or as root of an export with `no_root_squash` for this host";
const SECURITY_HINT: &str = "the export wants another security flavour than AUTH_SYS, most likely Kerberos (`sec=krb5`), which is not \
                             spoken for NFSv4: export it to this host with `sec=sys`";
const VERSION_HINT: &str = "the server does not serve NFSv4.1: enable it there, or write `version=3`";
const SYMLINK_HINT: &str = "symbolic links are not followed: name the directory itself";

/// What a status means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// An error of this kind, with the defaults of the kind.
    Kind(ErrorKind),
    /// Not for this user.
    Denied,
    /// Not with AUTH_SYS.
    Security,
    /// It is a symbolic link.
    Symlink,
    /// The file system is at another server.
    Moved,
    /// Try again after this pause.
    Wait(Duration),
    /// The server's own trouble, which may pass.
    Trouble,
    /// The server lost our session or state; it was made anew, and that did not help.
    Session,
    /// Not this minor version.
    Version,
    /// A request that we never send, or an answer that it cannot have.
    Odd,
}

macro_rules! statuses {
    ($($name:ident = $code:literal $meaning:expr;)*) => {
        #[allow(dead_code, reason = "the table is whole, whether or not we look for a status")]
        impl Status {
            $(pub const $name: Self = Self($code);)*
            const fn known(self) -> Option<(&'static str, Meaning)> {
                match self.0 {
                    $($code => Some((stringify!($name), $meaning)),)*
                    _ => None,
                }
            }
        }
    };
}

use ErrorKind as K;
use Meaning as M;

statuses! {
    OK = 0 M::Odd;
    PERM = 1 M::Denied;
    NOENT = 2 M::Kind(K::NotFound);
    IO = 5 M::Trouble;
    NXIO = 6 M::Odd;
    ACCESS = 13 M::Denied;
    EXIST = 17 M::Kind(K::AlreadyExists);
    XDEV = 18 M::Kind(K::Unsupported);
    NOTDIR = 20 M::Kind(K::Invalid);
    ISDIR = 21 M::Kind(K::Invalid);
    INVAL = 22 M::Kind(K::Invalid);
    FBIG = 27 M::Kind(K::Invalid);
    NOSPC = 28 M::Kind(K::NoSpace);
    ROFS = 30 M::Kind(K::Denied);
    MLINK = 31 M::Kind(K::Unsupported);
    NAMETOOLONG = 63 M::Kind(K::NameRefused);
    NOTEMPTY = 66 M::Kind(K::AlreadyExists);
    DQUOT = 69 M::Kind(K::NoSpace);
    // Stale is what is left after the path was looked up anew: nothing is there.
    STALE = 70 M::Kind(K::NotFound);
    BADHANDLE = 10001 M::Kind(K::NotFound);
    BAD_COOKIE = 10003 M::Kind(K::Changed);
    NOTSUPP = 10004 M::Kind(K::Unsupported);
    TOOSMALL = 10005 M::Odd;
    SERVERFAULT = 10006 M::Trouble;
    BADTYPE = 10007 M::Kind(K::Unsupported);
    DELAY = 10008 M::Wait(DELAY_PAUSE);
    SAME = 10009 M::Odd;
    DENIED = 10010 M::Kind(K::Denied);
    EXPIRED = 10011 M::Session;
    LOCKED = 10012 M::Kind(K::Denied);
    GRACE = 10013 M::Wait(GRACE_PAUSE);
    FHEXPIRED = 10014 M::Kind(K::NotFound);
    SHARE_DENIED = 10015 M::Kind(K::Denied);
    WRONGSEC = 10016 M::Security;
    CLID_INUSE = 10017 M::Session;
    RESOURCE = 10018 M::Trouble;
    MOVED = 10019 M::Moved;
    NOFILEHANDLE = 10020 M::Odd;
    MINOR_VERS_MISMATCH = 10021 M::Version;
    STALE_CLIENTID = 10022 M::Session;
    STALE_STATEID = 10023 M::Session;
    OLD_STATEID = 10024 M::Session;
    BAD_STATEID = 10025 M::Session;
    BAD_SEQID = 10026 M::Odd;
    // RFC 8881, section 18.23.3: the verifier of a READDIR no longer belongs to the cookie.
    NOT_SAME = 10027 M::Kind(K::Changed);
    LOCK_RANGE = 10028 M::Odd;
    SYMLINK = 10029 M::Symlink;
    RESTOREFH = 10030 M::Odd;
    LEASE_MOVED = 10031 M::Session;
    ATTRNOTSUPP = 10032 M::Kind(K::Unsupported);
    NO_GRACE = 10033 M::Odd;
    RECLAIM_BAD = 10034 M::Odd;
    RECLAIM_CONFLICT = 10035 M::Odd;
    BADXDR = 10036 M::Odd;
    LOCKS_HELD = 10037 M::Odd;
    OPENMODE = 10038 M::Session;
    BADOWNER = 10039 M::Odd;
    BADCHAR = 10040 M::Kind(K::NameRefused);
    BADNAME = 10041 M::Kind(K::NameRefused);
    BAD_RANGE = 10042 M::Odd;
    LOCK_NOTSUPP = 10043 M::Odd;
    OP_ILLEGAL = 10044 M::Kind(K::Unsupported);
    DEADLOCK = 10045 M::Odd;
    FILE_OPEN = 10046 M::Odd;
    ADMIN_REVOKED = 10047 M::Session;
    CB_PATH_DOWN = 10048 M::Odd;
    BADIOMODE = 10049 M::Odd;
    BADLAYOUT = 10050 M::Odd;
    BAD_SESSION_DIGEST = 10051 M::Session;
    BADSESSION = 10052 M::Session;
    BADSLOT = 10053 M::Session;
    COMPLETE_ALREADY = 10054 M::Odd;
    CONN_NOT_BOUND_TO_SESSION = 10055 M::Session;
    DELEG_ALREADY_WANTED = 10056 M::Odd;
    BACK_CHAN_BUSY = 10057 M::Odd;
    LAYOUTTRYLATER = 10058 M::Odd;
    LAYOUTUNAVAILABLE = 10059 M::Odd;
    NOMATCHING_LAYOUT = 10060 M::Odd;
    RECALLCONFLICT = 10061 M::Odd;
    UNKNOWN_LAYOUTTYPE = 10062 M::Odd;
    SEQ_MISORDERED = 10063 M::Session;
    SEQUENCE_POS = 10064 M::Odd;
    REQ_TOO_BIG = 10065 M::Odd;
    REP_TOO_BIG = 10066 M::Odd;
    REP_TOO_BIG_TO_CACHE = 10067 M::Odd;
    RETRY_UNCACHED_REP = 10068 M::Session;
    UNSAFE_COMPOUND = 10069 M::Odd;
    TOO_MANY_OPS = 10070 M::Odd;
    OP_NOT_IN_SESSION = 10071 M::Odd;
    HASH_ALG_UNSUPP = 10072 M::Odd;
    CLIENTID_BUSY = 10074 M::Odd;
    PNFS_IO_HOLE = 10075 M::Odd;
    SEQ_FALSE_RETRY = 10076 M::Session;
    BAD_HIGH_SLOT = 10077 M::Session;
    DEADSESSION = 10078 M::Session;
    ENCR_ALG_UNSUPP = 10079 M::Odd;
    PNFS_NO_LAYOUT = 10080 M::Odd;
    NOT_ONLY_OP = 10081 M::Odd;
    WRONG_CRED = 10082 M::Denied;
    WRONG_TYPE = 10083 M::Kind(K::Invalid);
    DIRDELEG_UNAVAIL = 10084 M::Odd;
    REJECT_DELEG = 10085 M::Odd;
    RETURNCONFLICT = 10086 M::Odd;
    DELEG_REVOKED = 10087 M::Session;
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Some(("OK", _)) => f.write_str("NFS4_OK"),
            Some((name, _)) => write!(f, "NFS4ERR_{name}"),
            None => write!(f, "NFSv4 status {}", self.0),
        }
    }
}
impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Status {
    /// Does the server no longer know the file handle? After a restart, or when the file is gone.
    pub fn is_stale(self) -> bool {
        matches!(self, Self::STALE | Self::BADHANDLE | Self::FHEXPIRED)
    }

    /// Was it there a moment ago, and is gone?
    pub fn is_gone(self) -> bool {
        self.is_stale() || self == Self::NOENT
    }

    /// Has the server lost our session or client id (or we its thread), so that a new one is due?
    pub fn wants_new_session(self) -> bool {
        matches!(
            self,
            Self::BADSESSION
                | Self::DEADSESSION
                | Self::STALE_CLIENTID
                | Self::BADSLOT
                | Self::BAD_HIGH_SLOT
                | Self::BAD_SESSION_DIGEST
                | Self::CONN_NOT_BOUND_TO_SESSION
                | Self::SEQ_MISORDERED
                | Self::SEQ_FALSE_RETRY
                | Self::RETRY_UNCACHED_REP
        )
    }

    /// Is the state under which we read no longer (or never) good for reading? OPEN gives another.
    pub fn wants_open(self) -> bool {
        matches!(
            self,
            Self::BAD_STATEID
                | Self::OLD_STATEID
                | Self::STALE_STATEID
                | Self::EXPIRED
                | Self::ADMIN_REVOKED
                | Self::DELEG_REVOKED
                | Self::OPENMODE
        )
    }

    /// The error for whoever asked to do `op`.
    pub fn error(self, op: &'static str) -> Error {
        let error = |kind| Error::new(kind, op);
        let Some((_, meaning)) = self.known() else { return error(K::Unexpected) };
        match meaning {
            M::Kind(kind) => match self {
                Self::LOCKED | Self::SHARE_DENIED => {
                    error(kind).hint("another client has the file open and lets nobody read it meanwhile")
                }
                _ => error(kind),
            },
            M::Denied => error(K::Denied).hint(DENIED_HINT),
            M::Security => error(K::Denied).hint(SECURITY_HINT),
            M::Symlink => error(K::Invalid).hint(SYMLINK_HINT),
            M::Moved => error(K::Unsupported),
            M::Wait(pause) => error(K::Throttled).retry_after(pause),
            M::Trouble => error(K::Unexpected)
                .with_retry(Retry::Backoff)
                .hint("the server failed by itself, possibly over its disk: its log says more"),
            // The next try begins with another session.
            M::Session => error(K::Disconnected),
            M::Version => error(K::Unsupported).with_reach(Reach::Location).hint(VERSION_HINT),
            M::Odd => error(K::Unexpected),
        }
    }
}

/// What to say when the server speaks NFS, but not version 4.1.
pub(crate) fn version_hint() -> &'static str {
    VERSION_HINT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_happened_and_whether_to_try_again() {
        let told = |status: Status| {
            let error = status.error("read");
            (error.kind(), error.retry())
        };
        assert_eq!(told(Status::DELAY), (K::Throttled, Retry::After(DELAY_PAUSE)));
        assert_eq!(told(Status::GRACE), (K::Throttled, Retry::After(GRACE_PAUSE)));
        assert_eq!(told(Status::ACCESS), (K::Denied, Retry::Never));
        assert_eq!(told(Status::WRONGSEC), (K::Denied, Retry::Never));
        assert_eq!(told(Status::STALE), (K::NotFound, Retry::Never));
        assert_eq!(told(Status::NOT_SAME), (K::Changed, Retry::Never));
        assert_eq!(told(Status::BAD_COOKIE), (K::Changed, Retry::Never));
        assert_eq!(told(Status::BADSESSION), (K::Disconnected, Retry::Backoff));
        assert_eq!(told(Status::IO), (K::Unexpected, Retry::Backoff));
        assert_eq!(told(Status(4711)), (K::Unexpected, Retry::Never));
        assert!(Status::WRONGSEC.error("list").hint_text().unwrap().contains("sec=krb5"));
        assert!(Status::MINOR_VERS_MISMATCH.error("list").hint_text().unwrap().contains("version=3"));
    }

    #[test]
    fn a_status_is_told_by_its_name() {
        assert_eq!(Status::NOENT.to_string(), "NFS4ERR_NOENT");
        assert_eq!(Status(0).to_string(), "NFS4_OK");
        assert_eq!(Status(99).to_string(), "NFSv4 status 99");
    }
}
