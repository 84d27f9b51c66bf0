//! How to connect: who we are to the cluster, where its configuration lies, how patiently.

use kerberos::Credentials;
use std::{num::NonZeroUsize, path::PathBuf, sync::Arc, time::Duration};
use storage::{NoProbe, Probe};

/// How to connect. What the URI says (`user@`, `conf`, `http`, `principal`, `keytab`, `ccache`, `protection`) wins over
/// what stands here.
#[derive(Clone, Debug)]
pub struct HdfsOptions {
    /// Who we claim to be where there is no Kerberos; our own login name by default.
    pub user: Option<String>,
    /// A directory with `core-site.xml` and `hdfs-site.xml`. Needed for the name of a nameservice.
    pub conf: Option<PathBuf>,
    /// Where NameNodes serve HTTP, such as `http://nn1:9870`. By default what the configuration says, else port 9870
    /// of the NameNode's host.
    pub http: Vec<String>,
    /// Whose ticket to use. Kerberos is used when this is set, or when the configuration says so (then with the
    /// tickets of whoever runs this).
    pub credentials: Option<Credentials>,
    /// Longest wait for a connection to be made.
    pub connect_timeout: Duration,
    /// Longest wait for one answer, and for the next bytes of content. A sixth of it without a byte makes a read
    /// try the DataNode over another connection, and two thirds turn to another DataNode.
    pub request_timeout: Duration,
    /// Pieces of one file that are read at once; each is at most 8 MiB.
    pub in_flight: NonZeroUsize,
    /// Told of every request.
    pub probe: Arc<dyn Probe>,
}

impl Default for HdfsOptions {
    fn default() -> Self {
        Self {
            user: None,
            conf: None,
            http: Vec::new(),
            credentials: None,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_mins(1),
            in_flight: const { NonZeroUsize::new(4).expect("4 is not 0") },
            probe: Arc::new(NoProbe),
        }
    }
}
