//! NFSv4.1 (RFC 8881) as a [`storage::Source`]: read only, over one session, with AUTH_SYS.
//!
//! `nfs://host[:port]/dir?version=4.1`. One TCP port, no portmapper, no MOUNT: the location's path is looked up from
//! the server's root, across exports. Names are the bytes of the wire, times are signed and 64 bits wide, and the
//! locator of an entry is its file handle, so that a small file costs one request.
//!
//! Requests are COMPOUNDs ([`compound`]) behind a SEQUENCE, as many in flight as the session ([`session`]) has slots
//! ([`slots`]). What we send can all be repeated, so a session that is lost (the server restarted, the connection
//! broke, the lease ended) is replaced by another and the request sent again ([`client`]). No state is held at the
//! server beyond that: files are read under the anonymous state id, unless it insists on an OPEN ([`open`]).

mod attributes;
mod callback;
mod client;
mod compound;
mod entry;
mod failure;
mod identity;
mod list;
mod location;
#[cfg(test)]
mod mutations;
mod open;
mod pseudo;
mod read;
#[cfg(test)]
mod scripted;
mod session;
mod slots;
mod status;
mod store;
mod tree;

pub use identity::Identity;
pub use pseudo::pseudo_exports;
pub use store::Nfs4Store;
