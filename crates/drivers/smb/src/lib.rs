//! SMB 2.1 to 3.1.1 as a [`storage::Source`]: shares of Windows, Samba and filers, read only.
//!
//! Transport, session and codec are our own: names stay the 16-bit units of the wire (WTF-8 in a path), one
//! connection carries many requests at a time within the credits the server grants, and what a look
//! at a file needs (open, ask, close) travels in one chain.
//!
//! `smb://[domain;]user@host[:port]/share/dir?sign=required&encrypt=required&service=host`. Links of DFS are followed: what
//! they lead to appears under their path.

mod address;
mod agree;
mod attributes;
mod auth;
mod client;
mod connection;
mod crypto;
mod dfs;
mod failure;
mod frame;
mod identity;
mod inflight;
mod list;
mod look;
mod message;
#[cfg(test)]
mod mutated;
mod names;
mod open;
mod options;
mod pool;
mod quota;
mod read;
mod resume;
mod rpc;
#[cfg(test)]
mod scripted;
mod session;
mod store;
mod wire;

pub use identity::Identity;
pub use options::{Credentials, Demand, Secret, SmbOptions};
pub use quota::{OwnQuota, Quotas};
pub use rpc::{Share, ShareKind, shares};
pub use store::SmbStore;
pub use wire::{
    negotiate::{Cipher, Dialect, Signing},
    quota::UserQuota,
};
