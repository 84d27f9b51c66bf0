//! Questions before a run: can we get there, as whom, and may we write?

use crate::{
    buckets,
    call::{Call, Condition},
    flavour::Flavour,
    listing::answered,
    store::S3Store,
    xml,
};
use bytes::Bytes;
use http::Method;
use model::{Digests, RelPath};
use storage::{Error, ErrorKind, Reach, Result, Source as _, Target as _, WriteSpec};

const CHECK: &str = "reach the bucket";
const BUCKET: &str = "create the bucket";

/// What [`S3Store::check`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// What the server says it is, in its `Server` header.
    pub server: Option<String>,
    /// What we take it for.
    pub flavour: Flavour,
    /// The region that requests are signed for.
    pub region: String,
    /// Is there nothing below the location's prefix?
    pub empty: bool,
}

/// What [`S3Store::probe_write`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteProbe {
    /// The server checked and told the checksum of what was written.
    pub checksum: bool,
    /// What was written could be removed again.
    pub removable: bool,
}

impl S3Store {
    /// Can the bucket be reached and listed with these credentials? Errors say what is wrong, with a hint:
    /// `NotFound` (no such bucket), `Denied`, `Unauthenticated` (key, secret, token or clock), `Invalid`
    /// (another region), `Disconnected` or `Timeout` (no server), `Unexpected` (not an S3 server).
    pub async fn check(&self) -> Result<Reached> {
        let opened = &self.inner;
        let config = &opened.config;
        let far = |error: Error| error.with_reach(Reach::Location);
        let mut pairs: Vec<(&str, &[u8])> =
            vec![("list-type", b"2"), ("encoding-type", b"url"), ("max-keys", b"1"), ("prefix", &config.prefix)];
        let call = opened.bucket_call("ListObjectsV2", CHECK, Method::GET, &mut pairs);
        let (answer, body) =
            opened.client.ask(&call).await.map_err(|why| far(why.into_error(CHECK, Condition::None)))?;
        let page: xml::Listing = answered(&body, "ListBucketResult", CHECK)
            .map_err(|error| far(error).hint("check the endpoint: something answered there, but not as S3 does"))?;
        Ok(Reached {
            server: answer.text(&http::header::SERVER).map(str::to_owned),
            flavour: opened.flavour,
            region: config.region.clone(),
            empty: page.contents.is_empty(),
        })
    }

    /// Creates the bucket in the region that requests are signed for. `AlreadyExists` when somebody has it;
    /// one that is ours already is fine.
    pub async fn create_bucket(&self) -> Result<()> {
        let config = &self.inner.config;
        let mut call = Call::new("CreateBucket", BUCKET, Method::PUT, config.endpoint.bucket_path().to_owned());
        // The oldest region is the only one that must not be named.
        let body = if config.amazon && config.region != "us-east-1" {
            Bytes::from(format!(
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{}\
                 </LocationConstraint></CreateBucketConfiguration>",
                xml::escaped(&config.region)
            ))
        } else {
            Bytes::new()
        };
        call.send(vec![body]);
        match self.inner.client.ask(&call).await {
            Ok(_) => Ok(()),
            Err(crate::errors::Failure::Refused(refusal)) if refusal.code == "BucketAlreadyOwnedByYou" => Ok(()),
            Err(why) => Err(why.into_error(BUCKET, Condition::None).with_reach(Reach::Location)),
        }
    }

    /// Names of all buckets that these credentials may see.
    pub async fn list_buckets(&self) -> Result<Vec<String>> {
        let all = buckets::all(&self.inner.client).await?;
        Ok(all.into_iter().map(|bucket| bucket.name).collect())
    }

    /// Writes a small object under the location, looks at it and removes it again. `Corrupt` when the server
    /// has something else than was written.
    pub async fn probe_write(&self) -> Result<WriteProbe> {
        let nonce = std::time::SystemTime::now()
            .duration_since(std::time::SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        let path = RelPath::from(format!(".longshore-probe-{nonce:x}").as_str());
        let content = Bytes::from_static(b"longshore was here to see whether it may write\n");
        let written = self.put(&path, WriteSpec::default(), vec![content.clone()]).await?;
        let seen = self.stat(&path, model::Facets::DIGESTS).await?;
        let removed = self.remove(&path, None).await;
        if seen.stamp.size != content.len() as u64 {
            return Err(Error::new(ErrorKind::Corrupt, "write").at(&path).because(format!(
                "{} bytes were written and {} are there",
                content.len(),
                seen.stamp.size
            )));
        }
        Ok(WriteProbe { checksum: written.digests != Digests::default(), removable: removed.is_ok() })
    }
}
