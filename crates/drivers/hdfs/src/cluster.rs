//! The connection to the NameNodes: one client, with a time limit on every call and a new one after silence.

use crate::{
    HdfsOptions,
    address::{Address, text},
    failure::Failure,
    handshake::{Greeting, greet},
    http::Web,
};
use hdfs_native::{Client, ClientBuilder, HdfsError};
use model::RelPath;
use std::{
    any::Any,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use storage::{Error, ErrorKind, Reach, Result};
use tokio_util::task::AbortOnDropHandle;

pub(crate) type Shared = Arc<Cluster>;

/// What all clones of a store share.
pub(crate) struct Cluster {
    pub address: Address,
    pub options: HdfsOptions,
    pub web: Web,
    /// What each NameNode said first, in the order of the address.
    pub greetings: Vec<std::result::Result<Greeting, String>>,
    client: Mutex<Generation>,
}

/// A client, and how many there were before it.
struct Generation {
    number: usize,
    client: Client,
}

const OP: &str = "open the connection to HDFS";

impl Cluster {
    /// Talks to every NameNode once, then builds the client.
    pub async fn connect(address: Address, options: HdfsOptions) -> Result<Shared> {
        let greetings = futures::future::join_all(address.name_nodes.iter().map(|node| async {
            let started = Instant::now();
            let greeting = greet(&node.rpc, options.connect_timeout, options.request_timeout).await;
            options.probe.observed("negotiate", started.elapsed(), greeting.is_ok());
            greeting
        }))
        .await;
        if greetings.iter().all(std::result::Result::is_err) {
            let first =
                greetings.into_iter().find_map(std::result::Result::err).expect("there is at least one NameNode");
            return Err(explained(first, &address));
        }
        let kerberos = greetings.iter().flatten().any(Greeting::wants_kerberos);
        if kerberos && !address.secure {
            let why = "the NameNode wants Kerberos, and simple authentication was configured";
            return Err(Failure::Security(why.to_owned()).error(OP));
        }
        let client = build(&address, &options, 0)?;
        let web = Web::new(&address, &options)?;
        let greetings = greetings.into_iter().map(|greeting| greeting.map_err(|failure| failure.to_string())).collect();
        Ok(Arc::new(Self { address, options, web, greetings, client: Mutex::new(Generation { number: 0, client }) }))
    }

    /// One call to the active NameNode. `op` is HDFS's own word for it.
    pub async fn call<T, F>(&self, op: &'static str, ask: impl FnOnce(Client) -> F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, HdfsError>> + Send + 'static,
    {
        let (number, client) = {
            let now = self.client.lock().unwrap_or_else(PoisonError::into_inner);
            (now.number, now.client.clone())
        };
        let started = Instant::now();
        let answer = guarded(self.options.request_timeout, ask(client)).await;
        // A refusal is an answer; the probe is told of it as such.
        self.options.probe.observed(op, started.elapsed(), answer.is_ok());
        if matches!(answer, Err(Failure::Timeout(_) | Failure::Panicked(_))) {
            self.renew(number);
        }
        answer
    }

    /// Silence: the client would wait for the same NameNode again, so the next one begins with another.
    pub fn renew(&self, number: usize) {
        let mut now = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if now.number == number
            && let Ok(client) = build(&self.address, &self.options, number + 1)
        {
            *now = Generation { number: number + 1, client };
        }
    }

    /// The client for a listing, and its number for [`Cluster::renew`].
    pub fn client(&self) -> (usize, Client) {
        let now = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        (now.number, now.client.clone())
    }

    pub fn absolute(&self, path: &RelPath, op: &'static str) -> Result<String> {
        self.address.absolute(path, op)
    }
}

/// Runs a future of the client crate where it can do no harm: in a task of its own, because it may panic and because
/// Kerberos blocks, and no longer than `limit`.
pub(crate) async fn guarded<T, F>(limit: Duration, future: F) -> Result<T, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, HdfsError>> + Send + 'static,
{
    let task = AbortOnDropHandle::new(tokio::spawn(future));
    match tokio::time::timeout(limit, task).await {
        Err(_) => Err(Failure::Timeout(limit)),
        Ok(Ok(answer)) => answer.map_err(Failure::Hdfs),
        Ok(Err(broken)) => Err(Failure::Panicked(match broken.try_into_panic() {
            Ok(payload) => words_of(payload.as_ref()),
            Err(cancelled) => cancelled.to_string(),
        })),
    }
}

pub(crate) fn words_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no words").to_owned()
}

/// The client crate would read the environment for a configuration; a directory that cannot be keeps it from that.
const NO_DIRECTORY: &str = "/dev/null";

fn build(address: &Address, options: &HdfsOptions, generation: usize) -> Result<Client> {
    let mut settings = address.configuration.settled();
    // Silence of a DataNode: the crate tries it over up to two kept connections and a new one, after it has been
    // silent in the middle of a block; then it turns to another. All of that must fit into our own limit.
    let silence = (options.request_timeout / 6).as_millis().max(1).to_string();
    settings.insert("dfs.client.socket-timeout".to_owned(), silence);
    settings.insert("dfs.client.failover.sleep.max.millis".to_owned(), "2000".to_owned());
    if let Some(name) = &address.nameservice {
        let nodes = address.name_nodes.iter().map(|node| node.id.as_str());
        let count = address.name_nodes.len();
        let turned: Vec<&str> = nodes.cycle().skip(generation % count).take(count).collect();
        settings.insert(format!("dfs.ha.namenodes.{name}"), turned.join(","));
    } else {
        // There is no other to turn to, and whoever asks may ask again.
        settings.insert("dfs.client.failover.max.attempts".to_owned(), "1".to_owned());
    }
    let mut builder = ClientBuilder::new().with_url(address.url()).with_config_dir(NO_DIRECTORY).with_config(settings);
    if let Some(user) = address.user.as_ref().filter(|_| !address.secure) {
        builder = builder.with_user(user);
    }
    if let Some(credentials) = &address.credentials {
        if let Some(principal) = &credentials.principal {
            builder = builder.with_kerberos_principal(principal);
        }
        if let Some(keytab) = &credentials.keytab {
            builder = builder.with_kerberos_keytab(text(keytab)?);
        }
        if let Some(ccache) = &credentials.ccache {
            builder = builder.with_kerberos_cache(ccache);
        }
    }
    builder.build().map_err(|error| Failure::Hdfs(error).error(OP).with_reach(Reach::Location))
}

/// The first failure to connect, with a hint about names where that is the trouble.
fn explained(failure: Failure, address: &Address) -> Error {
    let host = address.name_nodes[0].rpc.rsplit_once(':').map_or("", |(host, _)| host).to_owned();
    let unknown_host = matches!(&failure, Failure::Connect(_, error)
        if !matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::TimedOut | io::ErrorKind::ConnectionReset
            | io::ErrorKind::UnexpectedEof | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable));
    let closed = matches!(&failure, Failure::Connect(_, error)
        if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset));
    let error = failure.error(OP).with_reach(Reach::Location);
    if closed {
        return error
            .hint("it takes the connection and closes it: is this the RPC port of a NameNode (8020 or 9000 mostly)?");
    }
    if !unknown_host || address.nameservice.is_some() || error.kind() == ErrorKind::Timeout {
        return error;
    }
    error.hint(if address.known.is_empty() {
        format!("no such host; if `{host}` is a nameservice, name the directory of its configuration: `?conf=/etc/hadoop/conf`")
    } else {
        format!("no such host, and the configuration knows only these nameservices: {}", address.known.join(", "))
    })
}
