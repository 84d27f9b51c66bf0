//! HDFS, as a store: names from the NameNode, bytes from the DataNodes.
//!
//! RPC and data transfer are the crate `hdfs-native`'s, behind guards that its ways make necessary: every call has a
//! time limit, a task of its own that holds a panic, and a new client after silence; every length is compared with
//! what the NameNode said before and after, because a file that is open for writing looks shorter than it is. What
//! RPC through that crate does not tell (open files, snapshots, quotas, the image of the namespace) comes over HTTP.

mod address;
mod attributes;
mod cluster;
mod configuration;
mod facts;
mod failure;
mod handshake;
mod http;
mod list;
mod options;
mod read;
mod store;

pub use facts::{
    AclEntry, AclFacts, AclWho, ClusterFacts, ContentSummary, DirectoryPolicies, Finding, ImageFetched, NameNodeFacts,
    SnapshottableDir, StandbyChoice,
};
pub use http::{HttpEndpoint, fetch_fsimage};
pub use kerberos::Credentials;
pub use options::HdfsOptions;
pub use store::HdfsStore;
