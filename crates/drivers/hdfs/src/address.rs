//! Which NameNodes a location means.

use crate::{HdfsOptions, configuration::Configuration, http::HttpEndpoint};
use kerberos::Credentials;
use model::{Location, RelPath};
use std::path::{Path, PathBuf};
use storage::{Error, ErrorKind, Reach, Result};

const OP: &str = "open the location";
/// `dfs.namenode.rpc-address` and the ports of HTTP and HTTPS, hdfs-default.xml of Hadoop 3.
const RPC_PORT: u16 = 8020;
const HTTP_PORT: u16 = 9870;
const HTTPS_PORT: u16 = 9871;
/// What a location may say besides.
const KNOWN: [&str; 6] = ["conf", "http", "principal", "keytab", "ccache", "protection"];

/// What the location, the options and the configuration say together.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// The name of a nameservice; none where a host is named.
    pub nameservice: Option<String>,
    /// The NameNodes, in the order of the configuration. At least one.
    pub name_nodes: Vec<NameNode>,
    /// The directory, absolute, without a slash at the end; empty for the root.
    pub root: String,
    /// Who we claim to be where there is no Kerberos. Always set, so that nobody looks into the environment.
    pub user: Option<String>,
    pub credentials: Option<Credentials>,
    /// Is Kerberos to be used?
    pub secure: bool,
    /// Everything that `hdfs-native` shall know.
    pub configuration: Configuration,
    /// Nameservices that the configuration knows, for hints.
    pub known: Vec<String>,
}

/// One NameNode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameNode {
    /// Its name in the configuration; empty where a host is named.
    pub id: String,
    /// `host:port` of its RPC.
    pub rpc: String,
    /// Where it serves HTTP.
    pub http: HttpEndpoint,
}

impl Address {
    pub fn new(location: &Location, options: &HdfsOptions) -> Result<Self> {
        let wrong = |why: String| Error::new(ErrorKind::Invalid, OP).with_reach(Reach::Location).because(why);
        if location.scheme() != "hdfs" {
            return Err(wrong(format!("`{}` is not `hdfs`", location.scheme())));
        }
        if location.host().is_empty() {
            return Err(wrong("no host and no nameservice".into())
                .hint("write `hdfs://namenode:8020/dir` or `hdfs://nameservice/dir?conf=/etc/hadoop/conf`"));
        }
        if let Some((key, _)) = location.params().find(|(key, _)| !KNOWN.contains(key)) {
            return Err(wrong(format!("unknown parameter `{key}`")).hint(format!("known are {}", KNOWN.join(", "))));
        }
        let conf = location.param("conf").map(PathBuf::from).or_else(|| options.conf.clone());
        let mut configuration = conf.as_deref().map(Configuration::read).transpose()?.unwrap_or_default();
        let credentials = credentials(location, options);
        let secure = credentials.is_some()
            || configuration
                .get("hadoop.security.authentication")
                .is_some_and(|how| how.eq_ignore_ascii_case("kerberos"));
        if let Some(credentials) = &credentials
            && credentials.principal.is_none()
            && *credentials != Credentials::default()
        {
            return Err(
                wrong("a keytab or a ticket cache needs the principal, too".into()).hint("add `?principal=user@REALM`")
            );
        }
        settle_security(&mut configuration, secure, location.param("protection"));
        let named = location.param("http").map(|list| list.split(',').map(str::to_owned).collect::<Vec<_>>());
        let http = named.unwrap_or_else(|| options.http.clone());
        let http = http.iter().map(|url| HttpEndpoint::parse(url)).collect::<Result<Vec<_>>>()?;
        let (nameservice, mut name_nodes) = name_nodes(location, &configuration)?;
        for (node, given) in name_nodes.iter_mut().zip(&http) {
            node.http = given.clone();
        }
        let root = root(location)?;
        Ok(Self {
            nameservice,
            name_nodes,
            root,
            user: location
                .user()
                .map(str::to_owned)
                .or_else(|| options.user.clone())
                .or_else(|| whoami::username().ok()),
            credentials,
            secure,
            known: configuration.list("dfs.nameservices"),
            configuration,
        })
    }

    /// The absolute path on the cluster of a path below the location.
    ///
    /// Errors: `NameRefused` for what no HDFS path can hold.
    pub fn absolute(&self, path: &RelPath, op: &'static str) -> Result<String> {
        let refused = |why: &'static str| Error::new(ErrorKind::NameRefused, op).at(path).because(why);
        if path.components().any(|name| matches!(name, b"" | b"." | b"..")) && !path.is_root() {
            return Err(refused("HDFS has no empty component and no `.` or `..`"));
        }
        let text = path.to_str().ok_or_else(|| refused("names in HDFS are UTF-8"))?;
        let absolute = match (self.root.as_str(), text) {
            ("", "") => "/".to_owned(),
            (root, "") => root.to_owned(),
            (root, text) => format!("{root}/{text}"),
        };
        if is_raw(&absolute) {
            let why = "below /.reserved/raw content of encryption zones is what is stored, not what was written";
            return Err(Error::new(ErrorKind::Unsupported, op).at(path).because(why).hint("name the path without it"));
        }
        Ok(absolute)
    }

    /// The URL for `hdfs-native`.
    pub fn url(&self) -> String {
        match &self.nameservice {
            Some(name) => format!("hdfs://{name}"),
            None => format!("hdfs://{}", self.name_nodes[0].rpc),
        }
    }
}

fn credentials(location: &Location, options: &HdfsOptions) -> Option<Credentials> {
    let mut credentials = options.credentials.clone();
    for key in ["principal", "keytab", "ccache"] {
        let Some(value) = location.param(key) else { continue };
        let all = credentials.get_or_insert_default();
        match key {
            "principal" => all.principal = Some(value.to_owned()),
            "keytab" => all.keytab = Some(PathBuf::from(value)),
            _ => all.ccache = Some(value.to_owned()),
        }
    }
    credentials
}

/// A client only has to know whether DataNodes want SASL; how much protection, they say themselves.
fn settle_security(configuration: &mut Configuration, secure: bool, protection: Option<&str>) {
    if !secure {
        return;
    }
    configuration.set("hadoop.security.authentication", "kerberos");
    match protection {
        Some("none") => configuration.set("dfs.data.transfer.protection", ""),
        Some(protection) => configuration.set("dfs.data.transfer.protection", protection),
        // DataNodes on privileged ports do without SASL; a configuration that is there says which it is.
        None if configuration.get("dfs.namenode.kerberos.principal").is_some() => {}
        None => configuration.set("dfs.data.transfer.protection", "privacy"),
    }
}

fn root(location: &Location) -> Result<String> {
    let prefix = location.prefix();
    let components: Vec<&[u8]> =
        if prefix.is_root() { Vec::new() } else { prefix.components().filter(|c| !c.is_empty()).collect() };
    let mut root = String::new();
    for component in components {
        let name =
            std::str::from_utf8(component).ok().filter(|name| !matches!(*name, "." | "..")).ok_or_else(|| {
                Error::new(ErrorKind::Invalid, OP).because("the path holds `.`, `..` or what is not UTF-8")
            })?;
        root.push('/');
        root.push_str(name);
    }
    Ok(root)
}

fn with_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn name_nodes(location: &Location, conf: &Configuration) -> Result<(Option<String>, Vec<NameNode>)> {
    let host = location.host();
    if location.port().is_none() {
        let ids = conf.list(&format!("dfs.ha.namenodes.{host}"));
        let mut nodes = Vec::new();
        for id in ids {
            let key = format!("{host}.{id}");
            let rpc = conf.get(&format!("dfs.namenode.rpc-address.{key}")).ok_or_else(|| {
                Error::new(ErrorKind::Invalid, OP)
                    .with_reach(Reach::Location)
                    .because(format!("the configuration has no dfs.namenode.rpc-address.{key}"))
            })?;
            let http = endpoint(conf, &rpc, &format!(".{key}"));
            nodes.push(NameNode { id, rpc, http });
        }
        if !nodes.is_empty() {
            return Ok((Some(host.to_owned()), nodes));
        }
        // A nameservice with one NameNode.
        if let Some(rpc) = conf.get(&format!("dfs.namenode.rpc-address.{host}")) {
            let http = endpoint(conf, &rpc, &format!(".{host}"));
            return Ok((None, vec![NameNode { id: String::new(), rpc, http }]));
        }
    }
    let rpc = with_port(host, location.port().unwrap_or(RPC_PORT));
    // The configuration may be of this very NameNode.
    let own = conf.get("dfs.namenode.rpc-address").or_else(|| {
        conf.get("fs.defaultFS").and_then(|uri| Some(uri.strip_prefix("hdfs://")?.trim_end_matches('/').to_owned()))
    });
    let http = if own.as_ref() == Some(&rpc) { endpoint(conf, &rpc, "") } else { guess(&rpc) };
    Ok((None, vec![NameNode { id: String::new(), rpc, http }]))
}

/// Is it the view of the superuser that gives encrypted content as it lies on the DataNodes (`FSDirectory.isReservedRawName`)?
fn is_raw(absolute: &str) -> bool {
    absolute.strip_prefix("/.reserved/raw").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn host_of(rpc: &str) -> &str {
    rpc.rsplit_once(':').map_or(rpc, |(host, _)| host)
}

fn guess(rpc: &str) -> HttpEndpoint {
    HttpEndpoint::new(false, host_of(rpc), HTTP_PORT)
}

/// Where the configuration says that a NameNode serves HTTP.
fn endpoint(conf: &Configuration, rpc: &str, suffix: &str) -> HttpEndpoint {
    let tls = conf.get("dfs.http.policy").is_some_and(|policy| policy.eq_ignore_ascii_case("HTTPS_ONLY"));
    let (name, port) = if tls { ("https", HTTPS_PORT) } else { ("http", HTTP_PORT) };
    let written = conf.get(&format!("dfs.namenode.{name}-address{suffix}"));
    let (host, port) = match written.as_deref().and_then(|text| text.rsplit_once(':')) {
        Some((host, digits)) => (host.to_owned(), digits.parse().unwrap_or(port)),
        None => (host_of(rpc).to_owned(), port),
    };
    // An address to bind to is no address to connect to.
    let host = if matches!(host.as_str(), "0.0.0.0" | "::" | "") { host_of(rpc).to_owned() } else { host };
    HttpEndpoint::new(tls, &host, port)
}

/// The path of a keytab as text, for those who take only that.
pub(crate) fn text(path: &Path) -> Result<String> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| Error::new(ErrorKind::Invalid, OP).because("the path of the keytab is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ha() -> Configuration {
        let mut conf = Configuration::default();
        for (name, value) in [
            ("dfs.nameservices", "lab"),
            ("dfs.ha.namenodes.lab", "nn1, nn2"),
            ("dfs.namenode.rpc-address.lab.nn1", "one:8020"),
            ("dfs.namenode.rpc-address.lab.nn2", "two:8020"),
            ("dfs.namenode.http-address.lab.nn1", "0.0.0.0:50070"),
        ] {
            conf.set(name, value);
        }
        conf
    }

    #[test]
    fn a_nameservice_has_the_name_nodes_of_the_configuration() {
        let (service, nodes) = name_nodes(&"hdfs://lab/".parse().unwrap(), &ha()).unwrap();
        assert_eq!(service.as_deref(), Some("lab"));
        let told: Vec<_> = nodes.iter().map(|node| (node.rpc.as_str(), node.http.to_string())).collect();
        assert_eq!(told, [("one:8020", "http://one:50070".to_owned()), ("two:8020", "http://two:9870".to_owned())]);
        let (service, nodes) = name_nodes(&"hdfs://other/".parse().unwrap(), &ha()).unwrap();
        assert_eq!((service, nodes[0].rpc.as_str()), (None, "other:8020"));
    }

    #[test]
    fn paths_are_put_below_the_location_and_impossible_ones_refused() {
        let at = Address::new(&"hdfs://h:1/a/b/".parse().unwrap(), &HdfsOptions::default()).unwrap();
        assert_eq!(at.absolute(&RelPath::ROOT, "x").unwrap(), "/a/b");
        assert_eq!(at.absolute(&"c/d".into(), "x").unwrap(), "/a/b/c/d");
        for bad in [&b"a//b"[..], b".", b"a/../b", b"\xFF", b"/a"] {
            assert_eq!(at.absolute(&RelPath::from(bad), "x").unwrap_err().kind(), ErrorKind::NameRefused);
        }
        for (root, path) in
            [("", ".reserved/raw/zone"), (".reserved", "raw"), (".reserved/raw", ""), (".reserved/raw/zone", "a")]
        {
            let at = Address::new(&format!("hdfs://h:1/{root}").parse().unwrap(), &HdfsOptions::default()).unwrap();
            assert_eq!(at.absolute(&path.into(), "x").unwrap_err().kind(), ErrorKind::Unsupported, "{root} {path}");
        }
        let root = Address::new(&"hdfs://h:1".parse().unwrap(), &HdfsOptions::default()).unwrap();
        assert_eq!(root.absolute(&RelPath::ROOT, "x").unwrap(), "/");
        assert_eq!(root.url(), "hdfs://h:1");
    }

    #[test]
    fn what_a_location_cannot_say_is_refused() {
        for uri in
            ["hdfs:///x", "nfs://h/x", "hdfs://h:1/?colour=red", "hdfs://h:1/?keytab=/k", "hdfs://h:1/?http=ftp://x"]
        {
            let refused = Address::new(&uri.parse().unwrap(), &HdfsOptions::default()).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Invalid, "{uri}");
        }
    }
}
