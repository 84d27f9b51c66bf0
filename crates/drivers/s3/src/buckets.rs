//! Which buckets there are, for a location that names a server and no bucket.

use crate::{
    call::{Call, Condition},
    client::Client,
    config::{Config, S3Options},
    encode::query,
    listing::answered,
    profile, xml,
};
use http::Method;
use model::{Location, Timestamp};
use storage::{Error, ErrorKind, Reach, Result};

const BUCKETS: &str = "list the buckets";
/// Buckets on one page. Amazon wants it named as soon as an account may have more than 10,000 (ListBuckets, S3 API
/// reference); others send all at once.
const PAGE: &[u8] = b"1000";

/// One bucket of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// When it was made, as the server says.
    pub created: Option<Timestamp>,
    /// Where it is, where the server says so.
    pub region: Option<String>,
}

/// All buckets that the credentials may see at `s3://?endpoint=…` (or `s3:///?endpoint=…`), in the server's order.
/// The parameters are those of [`S3Store::open`](crate::S3Store::open).
///
/// Errors: `Invalid` (the location names a bucket, or is wrong), `Denied`, `Unauthenticated`, `Disconnected`,
/// `Timeout`, `Unexpected` (not an S3 server). All are of the whole location.
pub async fn buckets(location: &Location, options: &S3Options) -> Result<Vec<Bucket>> {
    if location.scheme() != "s3" || !location.host().is_empty() || !location.prefix().is_root() {
        return Err(Error::new(ErrorKind::Invalid, BUCKETS)
            .with_reach(Reach::Location)
            .because(format!("`{location}` is not a server without a bucket"))
            .hint("for example `s3:///?endpoint=http://127.0.0.1:9000`"));
    }
    // The bucket of a configuration stands in no request to the service.
    let any = location.params().fold(Location::new("s3", "any", ""), |any, (key, value)| any.with_param(key, value));
    let environment = |name: &str| std::env::var(name).ok();
    let profile = profile::name(location.param("profile"), environment);
    let region = profile::settings(&profile, environment).get("region").cloned();
    let config = Config::read(&any, environment, region)?;
    let client = Client::new(&config, options)
        .map_err(|why| Error::new(ErrorKind::Invalid, BUCKETS).with_reach(Reach::Location).because(why))?;
    all(&client).await.map_err(|error| error.with_reach(Reach::Location))
}

/// ListBuckets, as often as there are pages.
pub(crate) async fn all(client: &Client) -> Result<Vec<Bucket>> {
    let mut found = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let mut call = Call::new("ListBuckets", BUCKETS, Method::GET, "/".to_owned());
        call.service = true;
        let mut pairs: Vec<(&str, &[u8])> = vec![("max-buckets", PAGE)];
        if let Some(token) = &token {
            pairs.push(("continuation-token", token.as_bytes()));
        }
        call.query = query(&mut pairs);
        let (_, body) = client.ask(&call).await.map_err(|why| why.into_error(BUCKETS, Condition::None))?;
        let page: xml::Buckets = answered(&body, "ListAllMyBucketsResult", BUCKETS)?;
        found.extend(page.buckets.buckets.into_iter().map(|bucket| Bucket {
            name: bucket.name,
            created: bucket.creation_date.as_deref().and_then(xml::iso_date),
            region: bucket.region.filter(|region| !region.is_empty()),
        }));
        match page.continuation_token.filter(|next| !next.is_empty()) {
            None => return Ok(found),
            Some(next) if token.as_ref() == Some(&next) => {
                return Err(Error::new(ErrorKind::Unexpected, BUCKETS)
                    .because("the server says there is more, but sends the same page again"));
            }
            Some(next) => token = Some(next),
        }
    }
}
