//! What a server says of itself and of the file system that was opened.

use super::{
    attributes::{Attributes, Bitmap, bit},
    entry::volume,
    session::Session,
};
use bytes::Bytes;
use std::net::SocketAddr;

/// What is asked of the location's root when it is opened.
pub(super) const ASKED: Bitmap = Bitmap::of(&[
    bit::SUPPORTED_ATTRS,
    bit::TYPE,
    bit::LINK_SUPPORT,
    bit::SYMLINK_SUPPORT,
    bit::FSID,
    bit::LEASE_TIME,
    bit::ACL_SUPPORT,
    bit::CASE_INSENSITIVE,
    bit::MAX_FILE_SIZE,
    bit::MAX_LINK,
    bit::MAX_NAME,
    bit::MAX_READ,
    bit::MAX_WRITE,
    bit::TIME_DELTA,
]);

/// What a server says of itself and of the opened file system. Sizes are bytes; absent is what it does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The address that took the connection.
    pub server: SocketAddr,
    /// The minor version that is spoken.
    pub minor_version: u32,
    /// Who the server is (`so_major_id`): the same for every address of one server.
    pub server_owner: Bytes,
    /// Where its ids mean the same (`eir_server_scope`).
    pub server_scope: Bytes,
    /// Domain of who made the server.
    pub implementation_domain: Option<String>,
    /// Name and version of the server program.
    pub implementation_name: Option<String>,
    /// Seconds after which the server forgets a client that says nothing.
    pub lease_seconds: Option<u32>,
    /// Requests that the session carries at a time.
    pub session_slots: u32,
    /// Operations of one request.
    pub session_operations: u32,
    /// Longest request of the session.
    pub request_max: u32,
    /// Longest answer of the session.
    pub response_max: u32,
    /// The volume of the location's root, as in the entries' [`model::FileId`].
    pub volume: Option<u64>,
    /// Its `fsid`: major, minor.
    pub fsid: Option<(u64, u64)>,
    /// Largest READ.
    pub read_max: Option<u64>,
    /// Largest WRITE.
    pub write_max: Option<u64>,
    /// Largest file.
    pub max_file_size: Option<u64>,
    /// Longest name.
    pub max_name: Option<u32>,
    /// Most names of one inode.
    pub max_links: Option<u32>,
    /// How finely the server keeps times, nanoseconds.
    pub time_granularity: Option<u64>,
    /// Hard links are possible.
    pub hard_links: Option<bool>,
    /// Symbolic links are possible.
    pub symlinks: Option<bool>,
    /// `a` and `A` are one name.
    pub case_insensitive: Option<bool>,
    /// The server tells access control lists.
    pub acl: bool,
    /// Kinds of entries in them (`ACL4_SUPPORT_*`: 1 allow, 2 deny, 4 audit, 8 alarm).
    pub acl_kinds: Option<u32>,
}

impl Identity {
    pub(super) fn new(session: &Session, told: &Attributes) -> Self {
        let implementation = session.server.implementation.clone();
        Self {
            server: session.peer(),
            minor_version: super::compound::MINOR,
            server_owner: session.server.major.clone(),
            server_scope: session.server.scope.clone(),
            implementation_domain: implementation.as_ref().map(|(domain, _)| domain.clone()),
            implementation_name: implementation.map(|(_, name)| name),
            lease_seconds: told.lease_time,
            session_slots: session.granted.requests,
            session_operations: session.granted.operations,
            request_max: session.granted.request_max,
            response_max: session.granted.response_max,
            volume: told.fsid.map(volume),
            fsid: told.fsid,
            read_max: told.max_read,
            write_max: told.max_write,
            max_file_size: told.max_file_size,
            max_name: told.max_name.filter(|len| *len > 0),
            max_links: told.max_link,
            time_granularity: told.time_delta.and_then(|delta| u64::try_from(delta.total_nanos()).ok()),
            hard_links: told.hard_links,
            symlinks: told.symlinks,
            case_insensitive: told.case_insensitive,
            acl: told.supported.is_some_and(|all| all.has(bit::ACL)) && told.acl_support != Some(0),
            acl_kinds: told.acl_support,
        }
    }
}
