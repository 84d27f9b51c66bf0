//! HDFS, as a store: names from the NameNode, bytes from the DataNodes.
//!
//! RPC and data transfer are the crate `hdfs-native`'s, behind guards that its ways make necessary: every call has a
//! time limit, a task of its own that holds a panic, and a new client after silence; every length is compared with
//! what the NameNode said before and after, because a file that is open for writing looks shorter than it is. What
//! RPC through that crate does not tell (open files, snapshots, quotas, the image of the namespace) comes over HTTP.
//!
//! Files that somebody writes are refused (`ErrorKind::Changed`), for they would be read empty or short. Where no
//! NameNode serves HTTP to us it cannot always be told which these are, and rather than risk it, refused are: a file
//! that takes the space of a block more than its length explains (an unfinished block does, and so do erasure coded
//! files of more than about two blocks, and what snapshots keep of a file that was cut), and a file whose length is a
//! whole number of its blocks, such as an empty one, that was changed within the last day. The hint says to give
//! `?http=`, and whether waiting helps. Every read costs a request more then (`getContentSummary` of the file).
//!
//! Files in encryption zones are refused when they are read (`ErrorKind::Unsupported`): their keys lie with a key server
//! that nobody asks here. The one path by which a superuser would get what is stored as it is, `/.reserved/raw`, is
//! refused, too, so that what is encrypted is never taken for content.

mod address;
mod attributes;
mod cluster;
mod configuration;
mod facts;
mod failure;
mod handshake;
mod http;
mod list;
#[cfg(test)]
mod mutations;
mod options;
mod read;
mod store;
mod writing;

pub use facts::{
    AclEntry, AclFacts, AclWho, ClusterFacts, ContentSummary, DirectoryPolicies, Finding, HeldBySnapshots,
    ImageFetched, NameNodeFacts, SnapshottableDir, StandbyChoice,
};
pub use http::{HttpEndpoint, fetch_fsimage};
pub use kerberos::Credentials;
pub use options::HdfsOptions;
pub use store::HdfsStore;
