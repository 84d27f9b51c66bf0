//! NFSv3 as a [`storage::Source`]: read only, over TCP, with AUTH_SYS.
//!
//! Names are the bytes of the wire, entries carry everything that a `fattr3` tells, and the locator of an
//! entry is its file handle, so that a small file costs one READ. The codec and the RPC client are those of
//! `nfs3_types` and `nfs3_client`; the socket below it is ours (`wire`), and so is everything about many
//! requests at a time (`pool`): the crate serves one request at a time on each connection.
//!
//! `nfs://host[:port]/export/dir?mountport=&port=&uid=&gid=&version=3`. Without ports the server's portmapper
//! (port 111) is asked. The path need not be an export: the longest export above it is mounted and the rest
//! is looked up.

mod address;
mod attributes;
mod failure;
mod handles;
mod identity;
mod list;
mod mount;
mod options;
mod pool;
mod read;
mod store;
mod wire;

pub use identity::{Export, Identity};
pub use mount::list_exports;
pub use options::{NfsOptions, PrivilegedPort};
pub use store::NfsStore;
