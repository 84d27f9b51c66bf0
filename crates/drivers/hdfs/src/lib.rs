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
//! `?http=`. Every read costs a request more then (`getContentSummary` of the file).

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
mod writing;

pub use facts::{
    AclEntry, AclFacts, AclWho, ClusterFacts, ContentSummary, DirectoryPolicies, Finding, ImageFetched, NameNodeFacts,
    SnapshottableDir, StandbyChoice,
};
pub use http::{HttpEndpoint, fetch_fsimage};
pub use kerberos::Credentials;
pub use options::HdfsOptions;
pub use store::HdfsStore;
