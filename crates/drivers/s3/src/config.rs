//! What a location and the environment say about a store.

use crate::{
    Checksum, ClassTally, Flavour, Quirks,
    endpoint::{Address, Endpoint, Style},
};
use model::{Location, RelPath};
use std::{fmt, num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};
use storage::{Error, ErrorKind, NoProbe, Probe, Reach, Result};

/// What a caller decides beside the location.
#[derive(Clone, Debug)]
pub struct S3Options {
    /// Told of every request, under the API's own names (`PutObject`).
    pub probe: Arc<dyn Probe>,
    /// How long a connection may take to stand, TLS included.
    pub connect_timeout: Duration,
    /// How long a request may go without a byte moved in either direction.
    pub quiet_timeout: Duration,
    /// How many connections are kept open while nobody uses them. How many are in use is the caller's
    /// business: one for each request in flight.
    pub idle_connections: usize,
    /// How many parts of one upload the capabilities advise to have in flight.
    pub parts_in_flight: NonZeroU32,
    /// Credentials to use instead of the standard chain.
    pub keys: Option<Keys>,
    /// What the store does its own way, where the caller knows better than the flavour.
    pub quirks: Option<Quirks>,
    /// How many requests one recursive listing has in flight at most. It begins with one and adds more while they
    /// bring more keys a second; 1 lists as other clients do. A store that is slower with each, as its
    /// [`Quirks::begins_anywhere`] tells, always gets one.
    ///
    /// MinIO (February 2026), 300,000 keys in one directory on a tmpfs, on two cores that much else was using: one
    /// stream 16 to 32 s and 8 to 9 s of MinIO's CPU; two and more were not done after 40 s, nor were streams added by
    /// gain after 60 s, with 18 to 23 s of its CPU. Why was not traced; it looks as if it goes on reading for listings
    /// that nobody asks for any more.
    pub list_streams: NonZeroU32,
    /// Told the storage class and size of every object that a listing delivers.
    pub classes: Option<Arc<ClassTally>>,
}

impl Default for S3Options {
    fn default() -> Self {
        Self {
            probe: Arc::new(NoProbe),
            connect_timeout: Duration::from_secs(10),
            quiet_timeout: Duration::from_mins(1),
            idle_connections: 256,
            parts_in_flight: NonZeroU32::new(16).expect("16 is not 0"),
            keys: None,
            quirks: None,
            list_streams: NonZeroU32::new(12).expect("12 is not 0"),
            classes: None,
        }
    }
}

/// Credentials in hand, for servers that we start ourselves. Prints nothing of them.
#[derive(Clone)]
pub struct Keys {
    /// Access key id.
    pub access: String,
    /// Secret access key.
    pub secret: String,
    /// Session token of temporary credentials.
    pub token: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

/// The parameters of an `s3://` location.
const KNOWN: [&str; 9] = ["anonymous", "ca", "checksum", "endpoint", "flavour", "order", "profile", "region", "style"];

/// A location, read.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about a location")]
pub(crate) struct Config {
    pub bucket: String,
    /// What every key begins with: empty, or the prefix with its `/`.
    pub prefix: Vec<u8>,
    pub endpoint: Endpoint,
    /// The region to sign for, and whether anybody named it.
    pub region: String,
    pub region_named: bool,
    /// Is it Amazon's own address?
    pub amazon: bool,
    pub flavour: Option<Flavour>,
    pub checksum: Option<Checksum>,
    /// Does a listing come in the order of the keys?
    pub ordered: bool,
    pub anonymous: bool,
    pub profile: Option<String>,
    pub certificates: Vec<PathBuf>,
}

impl Config {
    /// Reads a location. `environment` answers for variables, `profile_region` is what the shared
    /// configuration names for the profile in use.
    pub(crate) fn read(
        location: &Location,
        environment: impl Fn(&str) -> Option<String>,
        profile_region: Option<String>,
    ) -> Result<Self> {
        if location.scheme() != "s3" {
            return Err(wrong(location, "the scheme is not `s3`"));
        }
        if location.host().is_empty() {
            return Err(wrong(location, "the bucket is missing; write `s3://bucket/prefix`"));
        }
        if location.port().is_some() || location.user().is_some() {
            return Err(wrong(location, "name the server with `?endpoint=http://host:port`, not before the path"));
        }
        for (key, _) in location.params() {
            if !KNOWN.contains(&key) {
                return Err(wrong(location, format!("`{key}` is none of: {}", KNOWN.join(", "))));
            }
        }
        let variable = |name: &str| environment(name).filter(|text| !text.is_empty());
        let given = |key: &str| location.param(key).filter(|text| !text.is_empty()).map(str::to_owned);
        let named = given("region")
            .or_else(|| variable("AWS_REGION"))
            .or_else(|| variable("AWS_DEFAULT_REGION"))
            .or(profile_region);
        let address = given("endpoint")
            .or_else(|| variable("AWS_ENDPOINT_URL_S3"))
            .or_else(|| variable("AWS_ENDPOINT_URL"))
            .map(|text| Address::parse(&text).map_err(|why| wrong(location, format!("endpoint `{text}`: {why}"))))
            .transpose()?;
        let style = style(location)?;
        let region = named.clone().unwrap_or_else(|| "us-east-1".to_owned());
        let bucket = location.host().to_owned();
        let amazon = address.as_ref().is_none_or(|address| address.host.ends_with(".amazonaws.com"));
        let endpoint = match address {
            Some(address) => Endpoint::new(address, &bucket, style.unwrap_or(Style::Path)),
            None => Endpoint::amazon(&bucket, &region, style),
        };
        let mut prefix = location.prefix().as_bytes().to_vec();
        if !prefix.is_empty() {
            prefix.push(b'/');
        }
        let flavour = given("flavour")
            .map(|word| {
                Flavour::from_word(&word)
                    .ok_or_else(|| wrong(location, format!("flavour `{word}` is none of: aws, minio, generic")))
            })
            .transpose()?;
        let checksum = given("checksum")
            .map(|word| {
                Checksum::from_word(&word)
                    .ok_or_else(|| wrong(location, format!("checksum `{word}` is none of: crc64nvme, crc32c, md5")))
            })
            .transpose()?;
        let certificates = given("ca").into_iter().chain(variable("AWS_CA_BUNDLE")).map(PathBuf::from).collect();
        Ok(Self {
            bucket,
            prefix,
            endpoint,
            region,
            region_named: named.is_some(),
            amazon,
            flavour: flavour.or(amazon.then_some(Flavour::Aws)),
            checksum,
            ordered: ordered(location)?,
            anonymous: truth(location, "anonymous")?,
            profile: given("profile"),
            certificates,
        })
    }

    /// The key of a path.
    pub(crate) fn key(&self, path: &RelPath) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.prefix.len() + path.len() + 1);
        key.extend_from_slice(&self.prefix);
        key.extend_from_slice(path.as_bytes());
        key
    }

    /// What everything in a directory begins with; of the root, the prefix itself.
    pub(crate) fn dir_key(&self, dir: &RelPath) -> Vec<u8> {
        let mut key = self.key(dir);
        if !dir.is_root() {
            key.push(b'/');
        }
        key
    }
}

fn style(location: &Location) -> Result<Option<Style>> {
    match location.param("style") {
        Some("path") => Ok(Some(Style::Path)),
        Some("virtual") => Ok(Some(Style::Virtual)),
        Some(word) => Err(wrong(location, format!("style `{word}` is neither `path` nor `virtual`"))),
        None => Ok(None),
    }
}

/// Directory buckets list in no order, and say so by their names ("Directory bucket naming rules", S3 User Guide).
fn ordered(location: &Location) -> Result<bool> {
    match location.param("order") {
        None => Ok(!location.host().ends_with("--x-s3")),
        Some("bytes") => Ok(true),
        Some("none") => Ok(false),
        Some(word) => Err(wrong(location, format!("order `{word}` is neither `bytes` nor `none`"))),
    }
}

fn truth(location: &Location, key: &str) -> Result<bool> {
    match location.param(key) {
        None | Some("false" | "0" | "no") => Ok(false),
        Some("" | "true" | "1" | "yes") => Ok(true),
        Some(word) => Err(wrong(location, format!("`{key}={word}` is neither `true` nor `false`"))),
    }
}

fn wrong(location: &Location, why: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Invalid, "open the bucket")
        .with_reach(Reach::Location)
        .because(format!("`{location}`: {why}"))
        .hint(
            "for example `s3://bucket/prefix?region=eu-west-1` or `s3://bucket/prefix?endpoint=http://127.0.0.1:9000`",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str) -> Result<Config> {
        let none = |_: &str| None;
        Config::read(&uri.parse().unwrap(), none, None)
    }

    #[test]
    fn a_location_says_where_the_bucket_is() {
        let aws = read("s3://data/p/q/?region=eu-west-1").unwrap();
        assert_eq!((aws.endpoint.address.host.as_str(), aws.amazon), ("data.s3.eu-west-1.amazonaws.com", true));
        assert_eq!(aws.key(&"x".into()), b"p/q/x");
        assert_eq!((aws.dir_key(&RelPath::ROOT), aws.dir_key(&"d".into())), (b"p/q/".to_vec(), b"p/q/d/".to_vec()));
        let own = read("s3://data?endpoint=http://127.0.0.1:9000").unwrap();
        assert_eq!((own.endpoint.path(b"k").as_str(), own.amazon, own.flavour), ("/data/k", false, None));
        let own = read("s3://data?endpoint=http://localhost:9000&style=virtual").unwrap();
        assert_eq!(own.endpoint.address.host, "data.localhost");
        let env = |name: &str| (name == "AWS_ENDPOINT_URL_S3").then(|| "https://s3.example.com".to_owned());
        let own = Config::read(&"s3://data".parse().unwrap(), env, Some("eu-north-1".into())).unwrap();
        assert_eq!((own.endpoint.address.host.as_str(), own.region.as_str()), ("s3.example.com", "eu-north-1"));
    }

    #[test]
    fn a_wrong_parameter_is_refused_with_what_would_be_right() {
        for uri in [
            "nfs://host/x",
            "s3:///x",
            "s3://b:9000/x",
            "s3://b?endpont=http://h",
            "s3://b?endpoint=h:9000",
            "s3://b?style=dns",
            "s3://b?flavour=x",
            "s3://b?anonymous=maybe",
        ] {
            let error = read(uri).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{uri}");
            assert!(error.hint_text().is_some(), "{uri}");
        }
    }
}
