//! What else lies in a bucket, beside its objects: facts for those who plan to move it.
//!
//! Each question is one request (a page or some for versions and uploads). What a server does not know or does
//! not want to tell is *unknown*, with its reason; that nothing is configured is an answer.

mod answers;
mod uploads;
mod versions;

pub use answers::{Encryption, LifecycleRule, Lock, Period, PublicAccessBlock, Replication, Transition, Versioning};
pub use uploads::OpenUploads;
pub(crate) use uploads::any_below;
pub use versions::Versions;

use crate::{
    call::Condition,
    errors::{Failure, Refusal},
    listing::answered,
    store::{Opened, S3Store},
};
use answers::{
    EncryptionAnswer, LifecycleAnswer, LocationAnswer, LockAnswer, PolicyAnswer, PublicAccessAnswer, ReplicationAnswer,
    VersioningAnswer,
};
use http::Method;
use serde::de::DeserializeOwned;
use storage::{Error, ErrorKind, Result};

const DOING: &str = "survey the bucket";

/// What was learned of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact<T> {
    /// This.
    Known(T),
    /// Nothing: the server did not say.
    Unknown {
        /// `Denied`, `Unsupported`, or what else it was.
        kind: ErrorKind,
        /// In the server's own words.
        why: String,
    },
}

impl<T> Fact<T> {
    /// The answer, if there is one.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(fact) => Some(fact),
            Self::Unknown { .. } => None,
        }
    }

    fn map<U>(self, then: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Known(fact) => Fact::Known(then(fact)),
            Self::Unknown { kind, why } => Fact::Unknown { kind, why },
        }
    }

    /// An error about one question is a fact; one about the server or about us is an error.
    fn of(told: Result<T>) -> Result<Self> {
        match told {
            Ok(fact) => Ok(Self::Known(fact)),
            Err(error) => match error.kind() {
                ErrorKind::Denied
                | ErrorKind::Unsupported
                | ErrorKind::Invalid
                | ErrorKind::Unexpected
                | ErrorKind::Throttled => {
                    let why = error.cause().unwrap_or_else(|| error.to_string());
                    Ok(Self::Unknown { kind: error.kind(), why })
                }
                _ => Err(error),
            },
        }
    }
}

/// How much a survey may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SurveyLimits {
    /// Pages of versions, 1,000 each; beyond, the counts are of a part.
    pub version_pages: u32,
    /// Pages of open uploads, 1,000 each.
    pub upload_pages: u32,
    /// Open uploads whose parts are added up, a request each.
    pub uploads_sized: u32,
}

impl Default for SurveyLimits {
    /// A million versions and ten thousand uploads are counted, the parts of a hundred uploads.
    fn default() -> Self {
        Self { version_pages: 1000, upload_pages: 10, uploads_sized: 100 }
    }
}

/// What lies in a bucket and how it is set up. Versions and uploads are those under the location's prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// Its region (GetBucketLocation).
    pub region: Fact<String>,
    /// Are versions kept?
    pub versioning: Fact<Versioning>,
    /// What besides the current objects is kept; `None` where versions never were.
    pub versions: Fact<Option<Versions>>,
    /// Uploads that were begun and neither finished nor aborted.
    pub uploads: Fact<OpenUploads>,
    /// How objects are encrypted of which nothing else is said; `None` where they are not.
    pub encryption: Fact<Option<Encryption>>,
    /// Protection against deletion; `None` where there is none.
    pub lock: Fact<Option<Lock>>,
    /// What becomes of objects by themselves; none where there are no rules.
    pub lifecycle: Fact<Vec<LifecycleRule>>,
    /// Where objects are copied to; `None` where they are not.
    pub replication: Fact<Option<Replication>>,
    /// What the bucket forbids to make public; `None` where nothing is set.
    pub public_access_block: Fact<Option<PublicAccessBlock>>,
    /// Does its policy make it public? `None` where it has no policy.
    pub policy_is_public: Fact<Option<bool>>,
}

impl S3Store {
    /// Asks all that there is to ask of a bucket besides its listing: eight small requests, and as many pages as
    /// `limits` allow.
    ///
    /// Errors only where asking makes no sense: `NotFound` (no such bucket), `Unauthenticated`, `Disconnected`,
    /// `Timeout`. What the server refuses, for now or for good, is [`Fact::Unknown`].
    pub async fn survey(&self, limits: &SurveyLimits) -> Result<Survey> {
        let store = &self.inner;
        let region = ask::<LocationAnswer>(store, "GetBucketLocation", "location", "LocationConstraint", &[]).await?;
        let versioning =
            ask::<VersioningAnswer>(store, "GetBucketVersioning", "versioning", "VersioningConfiguration", &[]).await?;
        let versioning = versioning.map(|told| told.map_or(Versioning::Never, VersioningAnswer::state));
        let versions = if versioning == Fact::Known(Versioning::Never) {
            Fact::Known(None)
        } else {
            Fact::of(versions::count(store, limits.version_pages).await)?.map(Some)
        };
        let encryption = ask::<EncryptionAnswer>(
            store,
            "GetBucketEncryption",
            "encryption",
            "ServerSideEncryptionConfiguration",
            &["ServerSideEncryptionConfigurationNotFoundError"],
        );
        let encryption = encryption.await?.map(|told| told.and_then(EncryptionAnswer::rule));
        let lock = ask::<LockAnswer>(
            store,
            "GetObjectLockConfiguration",
            "object-lock",
            "ObjectLockConfiguration",
            &["ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration"],
        );
        let lock = lock.await?.map(|told| told.and_then(LockAnswer::lock));
        let lifecycle = ask::<LifecycleAnswer>(
            store,
            "GetBucketLifecycleConfiguration",
            "lifecycle",
            "LifecycleConfiguration",
            &["NoSuchLifecycleConfiguration"],
        );
        let lifecycle = lifecycle.await?.map(|told| told.map(LifecycleAnswer::rules).unwrap_or_default());
        let replication = ask::<ReplicationAnswer>(
            store,
            "GetBucketReplication",
            "replication",
            "ReplicationConfiguration",
            &["ReplicationConfigurationNotFoundError"],
        );
        let replication = replication.await?.map(|told| told.map(ReplicationAnswer::summary));
        let block = ask::<PublicAccessAnswer>(
            store,
            "GetPublicAccessBlock",
            "publicAccessBlock",
            "PublicAccessBlockConfiguration",
            &["NoSuchPublicAccessBlockConfiguration"],
        );
        let block = block.await?.map(|told| told.map(PublicAccessAnswer::block));
        let policy = ask::<PolicyAnswer>(
            store,
            "GetBucketPolicyStatus",
            "policyStatus",
            "PolicyStatus",
            &["NoSuchBucketPolicy"],
        );
        Ok(Survey {
            region: region.map(|told| told.map_or_else(|| "us-east-1".to_owned(), LocationAnswer::region)),
            versioning,
            versions,
            uploads: Fact::of(uploads::count(store, limits).await)?,
            encryption,
            lock,
            lifecycle,
            replication,
            public_access_block: block,
            policy_is_public: policy.await?.map(|told| told.and_then(PolicyAnswer::public)),
        })
    }
}

/// One question about the bucket. `Known(None)` when the server says, by one of the codes `absent`, that nothing is
/// set.
async fn ask<T: DeserializeOwned>(
    store: &Opened,
    name: &'static str,
    parameter: &'static str,
    root: &'static str,
    absent: &[&str],
) -> Result<Fact<Option<T>>> {
    let call = store.bucket_call(name, DOING, Method::GET, &mut [(parameter, b"")]);
    let nothing = |refusal: &Refusal| absent.contains(&refusal.code.as_str());
    let told = match store.client.ask(&call).await {
        Ok((_, body)) => answered::<T>(&body, root, DOING).map(Some),
        Err(Failure::Refused(refusal)) if nothing(&refusal) => Ok(None),
        // Not "no such bucket", and none of the known ways to say "not set": the server knows no such question.
        Err(Failure::Refused(refusal)) if refusal.status.as_u16() == 404 && refusal.code != "NoSuchBucket" => {
            let why = Failure::Refused(refusal).into_error(DOING, Condition::None);
            let words = why.cause().unwrap_or_else(|| why.to_string());
            Err(Error::new(ErrorKind::Unsupported, DOING).because(words))
        }
        Err(why) => Err(why.into_error(DOING, Condition::None)),
    };
    Fact::of(told)
}
