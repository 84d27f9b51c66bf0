//! Where a bucket is reached: host, port, and whether the bucket stands in the host or in the path.

use crate::encode::push_path;
use std::fmt;

/// An address that speaks HTTP or HTTPS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    /// With TLS.
    pub tls: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Address {
    /// Reads `http://host[:port]` or `https://host[:port]`, perhaps with a trailing `/`.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (tls, rest) = match text.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            _ => return Err("write it as `https://host` or `http://host:port`"),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#', '@']) {
            return Err("it may hold a host and a port, nothing else");
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(inner) => {
                let (host, after) = inner.split_once(']').ok_or("an IPv6 address needs a closing `]`")?;
                (host, after.strip_prefix(':'))
            }
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            Some(digits) => digits.parse().ok().filter(|port| *port > 0).ok_or("the port is not a number")?,
            None if tls => 443,
            None => 80,
        };
        if host.is_empty() {
            return Err("the host is missing");
        }
        Ok(Self { tls, host: host.to_owned(), port })
    }

    /// The `Host` header: without the port where it is the scheme's own.
    pub(crate) fn host_header(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.tls { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.host_header())
    }
}

/// Where the bucket's name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// `https://host/bucket/key`.
    Path,
    /// `https://bucket.host/key`.
    Virtual,
}

/// A bucket behind an address.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// Where connections go: with the bucket in front of the host in virtual style.
    pub address: Address,
    /// The service without a bucket, for ListBuckets.
    pub service: Address,
    /// What every path begins with: `/` or `/bucket/`.
    pub root: String,
}

impl Endpoint {
    /// Amazon S3 in a region.
    pub(crate) fn amazon(bucket: &str, region: &str, style: Option<Style>) -> Self {
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let service = Address { tls: true, host: format!("s3.{region}.{suffix}"), port: 443 };
        // The wildcard certificate covers one label, so a bucket with dots goes into the path.
        let style = style.unwrap_or(if bucket.contains('.') { Style::Path } else { Style::Virtual });
        Self::new(service, bucket, style)
    }

    /// A bucket at a service.
    pub(crate) fn new(service: Address, bucket: &str, style: Style) -> Self {
        match style {
            Style::Path => {
                let mut root = "/".to_owned();
                push_path(&mut root, bucket.as_bytes());
                root.push('/');
                Self { address: service.clone(), service, root }
            }
            Style::Virtual => {
                let address = Address { host: format!("{bucket}.{}", service.host), ..service.clone() };
                Self { address, service, root: "/".to_owned() }
            }
        }
    }

    /// The path of a key, encoded.
    pub(crate) fn path(&self, key: &[u8]) -> String {
        let mut path = String::with_capacity(self.root.len() + key.len() + 16);
        path.push_str(&self.root);
        push_path(&mut path, key);
        path
    }

    /// The path of the bucket itself. Some stores take `/bucket/` for an object without a name.
    pub(crate) fn bucket_path(&self) -> &str {
        if self.root.len() > 1 { &self.root[..self.root.len() - 1] } else { &self.root }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_and_print() {
        for (text, host) in [
            ("http://127.0.0.1:9000", "127.0.0.1:9000"),
            ("https://s3.example.com", "s3.example.com"),
            ("https://s3.example.com:443/", "s3.example.com"),
            ("http://[::1]:9000", "[::1]:9000"),
        ] {
            assert_eq!(Address::parse(text).unwrap().host_header(), host);
        }
        for text in ["s3.example.com", "ftp://x", "https://", "https://h:0", "https://h/path", "https://u:p@h"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_bucket_stands_in_the_host_unless_it_has_dots() {
        let plain = Endpoint::amazon("data", "eu-west-1", None);
        assert_eq!(
            (plain.address.host.as_str(), plain.path(b"/a b")),
            ("data.s3.eu-west-1.amazonaws.com", "//a%20b".into())
        );
        let dotted = Endpoint::amazon("da.ta", "cn-north-1", None);
        assert_eq!(dotted.address.host, "s3.cn-north-1.amazonaws.com.cn");
        assert_eq!((dotted.path(b"k").as_str(), dotted.bucket_path()), ("/da.ta/k", "/da.ta"));
    }
}
