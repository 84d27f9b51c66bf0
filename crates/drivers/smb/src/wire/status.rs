//! NTSTATUS: what a server says to a request ([MS-ERREF] 2.3).

use std::fmt;

/// A status. Its name prints where it is one of those that servers send.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status(pub u32);

macro_rules! statuses {
    ($($name:ident = $value:literal),* $(,)?) => {
        #[expect(dead_code, reason = "a status that is only printed is still named")]
        impl Status {
            $(pub const $name: Self = Self($value);)*
            /// Its name in [MS-ERREF], without `STATUS_`.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

statuses! {
    SUCCESS = 0x0000_0000,
    PENDING = 0x0000_0103,
    BUFFER_OVERFLOW = 0x8000_0005,
    NO_MORE_FILES = 0x8000_0006,
    NO_MORE_ENTRIES = 0x8000_001A,
    STOPPED_ON_SYMLINK = 0x8000_002D,
    UNSUCCESSFUL = 0xC000_0001,
    INVALID_INFO_CLASS = 0xC000_0003,
    INVALID_PARAMETER = 0xC000_000D,
    NO_SUCH_DEVICE = 0xC000_000E,
    NO_SUCH_FILE = 0xC000_000F,
    INVALID_DEVICE_REQUEST = 0xC000_0010,
    END_OF_FILE = 0xC000_0011,
    MORE_PROCESSING_REQUIRED = 0xC000_0016,
    ACCESS_DENIED = 0xC000_0022,
    BUFFER_TOO_SMALL = 0xC000_0023,
    OBJECT_NAME_INVALID = 0xC000_0033,
    OBJECT_NAME_NOT_FOUND = 0xC000_0034,
    OBJECT_PATH_INVALID = 0xC000_0039,
    OBJECT_PATH_NOT_FOUND = 0xC000_003A,
    OBJECT_PATH_SYNTAX_BAD = 0xC000_003B,
    DATA_ERROR = 0xC000_003E,
    CRC_ERROR = 0xC000_003F,
    SHARING_VIOLATION = 0xC000_0043,
    FILE_LOCK_CONFLICT = 0xC000_0054,
    DELETE_PENDING = 0xC000_0056,
    PRIVILEGE_NOT_HELD = 0xC000_0061,
    ACCOUNT_RESTRICTION = 0xC000_006E,
    INVALID_LOGON_HOURS = 0xC000_006F,
    INVALID_WORKSTATION = 0xC000_0070,
    PASSWORD_EXPIRED = 0xC000_0071,
    ACCOUNT_DISABLED = 0xC000_0072,
    LOGON_FAILURE = 0xC000_006D,
    WRONG_PASSWORD = 0xC000_006A,
    NO_SUCH_USER = 0xC000_0064,
    ILLEGAL_CHARACTER = 0xC000_0161,
    BAD_TOKEN_TYPE = 0xC000_00A8,
    DISK_FULL = 0xC000_007F,
    INSUFFICIENT_RESOURCES = 0xC000_009A,
    MEDIA_WRITE_PROTECTED = 0xC000_00A2,
    FILE_IS_A_DIRECTORY = 0xC000_00BA,
    NOT_SUPPORTED = 0xC000_00BB,
    NETWORK_NAME_DELETED = 0xC000_00C9,
    NETWORK_ACCESS_DENIED = 0xC000_00CA,
    BAD_DEVICE_TYPE = 0xC000_00CB,
    BAD_NETWORK_NAME = 0xC000_00CC,
    REQUEST_NOT_ACCEPTED = 0xC000_00D0,
    INTERNAL_ERROR = 0xC000_00E5,
    UNEXPECTED_IO_ERROR = 0xC000_00E9,
    IO_TIMEOUT = 0xC000_00B5,
    DIRECTORY_NOT_EMPTY = 0xC000_0101,
    NOT_A_DIRECTORY = 0xC000_0103,
    NAME_TOO_LONG = 0xC000_0106,
    CANNOT_DELETE = 0xC000_0121,
    FILE_DELETED = 0xC000_0123,
    FILE_CLOSED = 0xC000_0128,
    TIME_DIFFERENCE_AT_DC = 0xC000_0133,
    TRUSTED_RELATIONSHIP_FAILURE = 0xC000_018D,
    NO_LOGON_SERVERS = 0xC000_005E,
    LOGON_TYPE_NOT_GRANTED = 0xC000_015B,
    ACCOUNT_EXPIRED = 0xC000_0193,
    USER_SESSION_DELETED = 0xC000_0203,
    PASSWORD_MUST_CHANGE = 0xC000_0224,
    NOT_FOUND = 0xC000_0225,
    ACCOUNT_LOCKED_OUT = 0xC000_0234,
    PATH_NOT_COVERED = 0xC000_0257,
    IO_REPARSE_TAG_NOT_HANDLED = 0xC000_0279,
    NOT_A_REPARSE_POINT = 0xC000_0275,
    NETWORK_SESSION_EXPIRED = 0xC000_035C,
    SMB_TOO_MANY_UIDS_SELECTED = 0xC000_205A,
    DOWNGRADE_DETECTED = 0xC000_0388,
    FILE_NOT_AVAILABLE = 0xC000_0467,
    SERVER_UNAVAILABLE = 0xC000_0466,
    TOO_MANY_OPENED_FILES = 0xC000_011F,
    QUOTA_EXCEEDED = 0xC000_0044,
    CLOUD_FILE_PROVIDER_NOT_RUNNING = 0xC000_CF16,
    CLOUD_FILE_ACCESS_DENIED = 0xC000_CF18,
    FS_DRIVER_REQUIRED = 0xC000_019C,
    NOT_IMPLEMENTED = 0xC000_0002,
    DFS_UNAVAILABLE = 0xC000_026D,
    NO_SUCH_DOMAIN = 0xC000_00DF,
    VOLUME_DISMOUNTED = 0xC000_026E,
}

impl Status {
    /// Did it fail outright? Warnings (`BUFFER_OVERFLOW`) carry an answer.
    pub const fn is_error(self) -> bool {
        self.0 >> 30 == 3
    }
    /// Does the server no longer know the session, the tree or the open file? After a restart or an expiry.
    pub const fn ends_session(self) -> bool {
        matches!(self, Self::USER_SESSION_DELETED | Self::NETWORK_SESSION_EXPIRED | Self::NETWORK_NAME_DELETED)
    }
    /// Is nothing there?
    pub const fn is_missing(self) -> bool {
        matches!(
            self,
            Self::OBJECT_NAME_NOT_FOUND
                | Self::OBJECT_PATH_NOT_FOUND
                | Self::NO_SUCH_FILE
                | Self::NOT_FOUND
                | Self::DELETE_PENDING
                | Self::FILE_DELETED
        )
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "STATUS_{name}"),
            None => write!(f, "status 0x{:08X}", self.0),
        }
    }
}
impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
