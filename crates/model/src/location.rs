//! Where a store is: one URI grammar for every protocol.

use crate::RelPath;
use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, percent_encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// `scheme://[user@]host[:port]/path?key=value`. The path is bytes; `%XX` is decoded. For `s3` the host
/// is the bucket and the path the prefix.
///
/// `Display` prints a URI that parses back, so a secret must never be put into one: `user:password@`
/// is refused at parsing, and so are query keys that name secrets.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Location {
    scheme: String,
    user: Option<String>,
    host: String,
    port: Option<u16>,
    path: Bytes,
    query: BTreeMap<String, String>,
}

/// Why a URI was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationError {
    /// What was written, without anything that could be a secret.
    pub uri: String,
    /// What is wrong with it.
    pub problem: &'static str,
}
impl fmt::Display for LocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a location: {}", self.uri, self.problem)
    }
}
impl std::error::Error for LocationError {}

const PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`').add(b'\\');
const QUERY: &AsciiSet = &PATH.add(b'&').add(b'=').add(b'+');
const SECRETS: [&str; 6] = ["password", "secret", "secret_key", "secret_access_key", "token", "session_token"];

impl Location {
    /// A location of `scheme` at `host` with a raw path.
    pub fn new(scheme: &str, host: &str, path: impl Into<Bytes>) -> Self {
        Self {
            scheme: scheme.to_owned(),
            user: None,
            host: host.to_owned(),
            port: None,
            path: path.into(),
            query: BTreeMap::new(),
        }
    }
    /// `file://` of an absolute path.
    pub fn file(path: &[u8]) -> Self {
        Self::new("file", "", Bytes::copy_from_slice(path))
    }
    /// The scheme in lower case.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }
    /// The user before `@`.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
    /// The host, or the bucket of an object store. Without brackets for IPv6.
    pub fn host(&self) -> &str {
        &self.host
    }
    /// The port after the host.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
    /// The decoded path with its leading `/`, or empty.
    pub fn path(&self) -> &[u8] {
        &self.path
    }
    /// The path without its leading slash and without one trailing slash: a prefix or a directory.
    pub fn prefix(&self) -> RelPath {
        let path = self.path.strip_prefix(b"/").unwrap_or(&self.path);
        RelPath::from(path.strip_suffix(b"/").unwrap_or(path))
    }
    /// A parameter of the query.
    pub fn param(&self, key: &str) -> Option<&str> {
        self.query.get(key).map(String::as_str)
    }
    /// All parameters, sorted by key.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }
    /// The same location with a port.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }
    /// The same location for a user.
    #[must_use]
    pub fn with_user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }
    /// The same location with a parameter.
    #[must_use]
    pub fn with_param(mut self, key: &str, value: &str) -> Self {
        self.query.insert(key.to_owned(), value.to_owned());
        self
    }
    /// The same location without some parameters.
    #[must_use]
    pub fn without_params(mut self, keys: &[&str]) -> Self {
        self.query.retain(|key, _| !keys.contains(&key.as_str()));
        self
    }
    /// The same location one directory further down.
    #[must_use]
    pub fn below(mut self, path: &RelPath) -> Self {
        if !path.is_root() {
            let mut raw = self.path.strip_suffix(b"/").unwrap_or(&self.path).to_vec();
            raw.push(b'/');
            raw.extend_from_slice(path.as_bytes());
            self.path = raw.into();
        }
        self
    }
}

impl FromStr for Location {
    type Err = LocationError;
    fn from_str(text: &str) -> Result<Self, LocationError> {
        let wrong = |problem| LocationError { uri: shown(text), problem };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| {
            wrong("it has no scheme; write for example `nfs://host/export`, `file:///dir` or `s3://bucket/prefix`")
        })?;
        if scheme.is_empty() || !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) {
            return Err(wrong("the scheme may hold only letters and digits"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, _)) if user.contains(':') => {
                return Err(wrong(
                    "a password must not stand in a URI; use an environment variable or a credentials file",
                ));
            }
            Some((user, host)) => (Some(decoded(user).ok_or_else(|| wrong("the user is not UTF-8"))?), host),
            None => (None, authority),
        };
        let (host, port) = host_and_port(host).map_err(wrong)?;
        let query = pairs(query).ok_or_else(|| wrong("a parameter is not UTF-8"))?;
        if query.keys().any(|k| SECRETS.contains(&k.to_ascii_lowercase().replace('-', "_").as_str())) {
            return Err(wrong("a secret must not stand in a URI; use an environment variable or a credentials file"));
        }
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            user,
            host,
            port,
            path: Bytes::from(percent_decode(path.as_bytes()).collect::<Vec<u8>>()),
            query,
        })
    }
}

/// The text without query and userinfo, for messages about a URI that did not parse.
fn shown(text: &str) -> String {
    let bare = text.split_once('?').map_or(text, |(bare, _)| bare);
    match (bare.split_once("://"), bare.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => bare.to_owned(),
    }
}

fn decoded(text: &str) -> Option<String> {
    String::from_utf8(percent_decode(text.as_bytes()).collect()).ok()
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>), &'static str> {
    const PORT: &str = "the port is not a number between 1 and 65535";
    let (host, port) = if let Some(inner) = text.strip_prefix('[') {
        let (host, after) = inner.split_once(']').ok_or("an IPv6 address needs a closing `]`")?;
        (host, after.strip_prefix(':'))
    } else {
        text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
    };
    let port = match port {
        None => None,
        Some(digits) => Some(digits.parse().ok().filter(|p| *p > 0).ok_or(PORT)?),
    };
    Ok((host.to_owned(), port))
}

fn pairs(query: &str) -> Option<BTreeMap<String, String>> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decoded(key)?, decoded(value)?))
        })
        .collect()
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        if let Some(user) = &self.user {
            write!(f, "{}@", percent_encode(user.as_bytes(), QUERY))?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", percent_encode(&self.path, PATH))?;
        for (i, (key, value)) in self.query.iter().enumerate() {
            f.write_str(if i == 0 { "?" } else { "&" })?;
            write!(f, "{}={}", percent_encode(key.as_bytes(), QUERY), percent_encode(value.as_bytes(), QUERY))?;
        }
        Ok(())
    }
}
impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}
impl Serialize for Location {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Location {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_prints_what_it_parsed() {
        for uri in [
            "nfs://filer01:2049/export/home?mountport=635&version=3",
            "nfs://[::1]:2049/e",
            "file:///data/caf%C3%A9%20%FF",
            "s3://bucket/prefix?endpoint=http://127.0.0.1:9000&region=us-east-1",
            "smb://anna@host/share/dir",
            "s3://bucket",
        ] {
            let at: Location = uri.parse().unwrap();
            assert_eq!(at.to_string().parse::<Location>().unwrap(), at, "{uri}");
        }
        let at: Location = "file:///d/%FF".parse().unwrap();
        assert_eq!(at.path(), b"/d/\xFF");
        assert_eq!("s3://b/p/q/".parse::<Location>().unwrap().prefix(), RelPath::from("p/q"));
    }

    #[test]
    fn a_secret_in_a_uri_is_refused_and_not_repeated() {
        for uri in ["smb://anna:hunter2@host/share", "s3://b?secret-key=hunter2"] {
            let refused = uri.parse::<Location>().unwrap_err().to_string();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
        for uri in ["host/dir", "nfs://h:0/x", "nfs://h:99999/x", "n s://x", "nfs://[::1/x"] {
            assert!(uri.parse::<Location>().is_err(), "{uri}");
        }
    }
}
