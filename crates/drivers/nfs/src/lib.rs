//! NFSv3 as a [`storage::Source`]: read only, over TCP, with AUTH_SYS.
//!
//! Names are the bytes of the wire, entries carry everything that a `fattr3` tells, and the locator of an
//! entry is its file handle, so that a small file costs one READ. The RPC layer is ours (`rpc`): many calls in
//! flight on each connection, over a few connections (`pool`). Types and fixed-size results are those of
//! `nfs3_types`; what carries a length is decoded here (`decode`).
//!
//! `nfs://host[:port]/export/dir?mountport=&port=&uid=&gid=&version=3`. Without ports the server's portmapper
//! (port 111) is asked. The path need not be an export: the longest export above it is mounted and the rest
//! is looked up.

mod address;
mod again;
mod attributes;
mod calls;
mod decode;
mod failure;
mod handles;
mod identity;
mod list;
mod manner;
mod mount;
#[cfg(test)]
mod mutations;
mod names;
mod options;
mod pages;
mod pieces;
mod pool;
mod read;
mod rpc;
mod share;
mod store;
pub mod v4;
mod xdr;

pub use identity::{Export, Identity};
pub use mount::exports;
pub use options::{NfsOptions, NfsTls, PrivilegedPort, TlsStart};
pub use store::NfsStore;
