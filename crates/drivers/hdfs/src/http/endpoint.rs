//! Where a NameNode serves HTTP.

use std::{fmt, str::FromStr};
use storage::{Error, ErrorKind, Reach, Result};

/// Where a NameNode serves HTTP: `http://nn1:9870` or `https://nn1:9871`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpEndpoint {
    tls: bool,
    host: String,
    port: u16,
}

impl HttpEndpoint {
    /// At this host and port.
    pub fn new(tls: bool, host: &str, port: u16) -> Self {
        Self { tls, host: host.trim_matches(['[', ']']).to_owned(), port }
    }

    /// From a URL without a path.
    pub fn parse(url: &str) -> Result<Self> {
        let wrong = || {
            Error::new(ErrorKind::Invalid, "open the location")
                .with_reach(Reach::Location)
                .because(format!("`{url}` is not the address of a NameNode's HTTP server"))
                .hint("write `http://host:9870` or `https://host:9871`")
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let (tls, port) = match scheme {
            "http" => (false, 9870),
            "https" => (true, 9871),
            _ => return Err(wrong()),
        };
        let rest = rest.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, digits)) if !digits.ends_with(']') => (host, u16::from_str(digits).map_err(|_| wrong())?),
            _ => (rest, port),
        };
        if host.is_empty() || host.contains(['/', '?', '@']) {
            return Err(wrong());
        }
        Ok(Self::new(tls, host, port))
    }

    /// Is it HTTPS?
    pub fn tls(&self) -> bool {
        self.tls
    }
    /// The host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }
    /// `host:port`, for connecting and for the header `Host`.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for HttpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_nonsense_is_refused() {
        for (url, told) in [
            ("http://nn1", "http://nn1:9870"),
            ("https://nn1/", "https://nn1:9871"),
            ("http://[::1]:50070", "http://[::1]:50070"),
            ("http://[::1]", "http://[::1]:9870"),
        ] {
            assert_eq!(HttpEndpoint::parse(url).unwrap().to_string(), told);
        }
        for url in ["nn1:9870", "ftp://nn1", "http://", "http://nn1:x", "http://a/b", "http://u@h:1"] {
            assert!(HttpEndpoint::parse(url).is_err(), "{url}");
        }
    }
}
