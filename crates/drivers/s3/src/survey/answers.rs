//! What a server says of a bucket's configuration, as XML and as facts. Elements: S3 API reference (read 2026-11).

use serde::Deserialize;

/// Are versions kept?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versioning {
    /// They never were.
    Never,
    /// They are.
    Enabled,
    /// They were; those that there are stay.
    Suspended,
}

/// How new objects are encrypted by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// `AES256`, `aws:kms`, …
    pub algorithm: String,
    /// The key of KMS, where one is named.
    pub key: Option<String>,
}

/// Protection against deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// What new objects get by themselves: `GOVERNANCE` or `COMPLIANCE`, and for how long.
    pub default: Option<(String, Period)>,
}

/// A span as the lock's configuration writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// Days.
    Days(u32),
    /// Years.
    Years(u32),
}

/// One rule about what becomes of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LifecycleRule {
    /// Its name.
    pub id: Option<String>,
    /// Is it in force?
    pub enabled: bool,
    /// Keys it is for; empty: all.
    pub prefix: String,
    /// Does it choose by tags or sizes too?
    pub narrower: bool,
    /// Objects are removed after so many days, or on that date.
    pub expires: Option<String>,
    /// Objects change their class.
    pub transitions: Vec<Transition>,
    /// Versions that are no longer current are removed after so many days.
    pub noncurrent_expires_days: Option<u32>,
    /// Versions that are no longer current change their class.
    pub noncurrent_transitions: Vec<Transition>,
    /// Unfinished uploads are aborted after so many days.
    pub aborts_uploads_days: Option<u32>,
}

/// A change of class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The class that they get.
    pub class: String,
    /// After so many days; `None` for a date.
    pub days: Option<u32>,
}

/// Copies to other buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replication {
    /// Rules in force.
    pub enabled: usize,
    /// Rules that are switched off.
    pub disabled: usize,
    /// The buckets they copy to, each once.
    pub destinations: Vec<String>,
}

/// What the bucket forbids to make public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the four switches of the API")]
pub struct PublicAccessBlock {
    /// New public access control lists are refused.
    pub block_acls: bool,
    /// Public access control lists count for nothing.
    pub ignore_acls: bool,
    /// New public policies are refused.
    pub block_policy: bool,
    /// A public policy serves only the account and the services of AWS.
    pub restrict: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct LocationAnswer {
    #[serde(rename = "$text", default)]
    text: String,
}

impl LocationAnswer {
    /// The oldest region has no name here, and one has an old one (GetBucketLocation, S3 API reference).
    pub(super) fn region(self) -> String {
        match self.text.trim() {
            "" | "US" => "us-east-1".to_owned(),
            "EU" => "eu-west-1".to_owned(),
            name => name.to_owned(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VersioningAnswer {
    status: Option<String>,
}

impl VersioningAnswer {
    pub(super) fn state(self) -> Versioning {
        match self.status.as_deref() {
            Some("Enabled") => Versioning::Enabled,
            Some("Suspended") => Versioning::Suspended,
            Some(_) | None => Versioning::Never,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct EncryptionAnswer {
    #[serde(rename = "Rule", default)]
    rules: Vec<EncryptionRule>,
}

#[derive(Debug, Deserialize)]
struct EncryptionRule {
    #[serde(rename = "ApplyServerSideEncryptionByDefault")]
    default: Option<EncryptionDefault>,
}

#[derive(Debug, Deserialize)]
struct EncryptionDefault {
    #[serde(rename = "SSEAlgorithm")]
    algorithm: String,
    #[serde(rename = "KMSMasterKeyID")]
    key: Option<String>,
}

impl EncryptionAnswer {
    pub(super) fn rule(self) -> Option<Encryption> {
        let default = self.rules.into_iter().find_map(|rule| rule.default)?;
        Some(Encryption { algorithm: default.algorithm, key: default.key.filter(|key| !key.is_empty()) })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LockAnswer {
    object_lock_enabled: Option<String>,
    rule: Option<LockRule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LockRule {
    default_retention: Option<Retention>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Retention {
    mode: String,
    days: Option<u32>,
    years: Option<u32>,
}

impl LockAnswer {
    pub(super) fn lock(self) -> Option<Lock> {
        if self.object_lock_enabled.as_deref() != Some("Enabled") {
            return None;
        }
        let default = self.rule.and_then(|rule| rule.default_retention).and_then(|retention| {
            let period = retention.days.map(Period::Days).or(retention.years.map(Period::Years))?;
            Some((retention.mode, period))
        });
        Some(Lock { default })
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct LifecycleAnswer {
    #[serde(rename = "Rule", default)]
    rules: Vec<RuleAnswer>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RuleAnswer {
    #[serde(rename = "ID")]
    id: Option<String>,
    status: Option<String>,
    prefix: Option<String>,
    filter: Option<Filter>,
    expiration: Option<Expiration>,
    #[serde(default, rename = "Transition")]
    transitions: Vec<TransitionAnswer>,
    noncurrent_version_expiration: Option<Noncurrent>,
    #[serde(default, rename = "NoncurrentVersionTransition")]
    noncurrent_transitions: Vec<TransitionAnswer>,
    abort_incomplete_multipart_upload: Option<AbortAnswer>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    prefix: Option<String>,
    tag: Option<Anything>,
    object_size_greater_than: Option<Anything>,
    object_size_less_than: Option<Anything>,
    and: Option<FilterAnd>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FilterAnd {
    prefix: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Anything {}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Expiration {
    days: Option<u32>,
    date: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TransitionAnswer {
    storage_class: Option<String>,
    days: Option<u32>,
    noncurrent_days: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Noncurrent {
    noncurrent_days: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AbortAnswer {
    days_after_initiation: Option<u32>,
}

impl LifecycleAnswer {
    pub(super) fn rules(self) -> Vec<LifecycleRule> {
        self.rules.into_iter().map(RuleAnswer::rule).collect()
    }
}

impl RuleAnswer {
    fn rule(self) -> LifecycleRule {
        let narrower = self.filter.as_ref().is_some_and(|filter| {
            filter.tag.is_some()
                || filter.and.is_some()
                || filter.object_size_greater_than.is_some()
                || filter.object_size_less_than.is_some()
        });
        let filtered = self.filter.and_then(|filter| filter.prefix.or(filter.and.and_then(|and| and.prefix)));
        let change = |told: TransitionAnswer| Transition {
            class: told.storage_class.unwrap_or_default(),
            days: told.days.or(told.noncurrent_days),
        };
        LifecycleRule {
            id: self.id.filter(|id| !id.is_empty()),
            enabled: self.status.as_deref() == Some("Enabled"),
            prefix: filtered.or(self.prefix).unwrap_or_default(),
            narrower,
            expires: self.expiration.and_then(|told| told.days.map(|days| format!("{days} days")).or(told.date)),
            transitions: self.transitions.into_iter().map(change).collect(),
            noncurrent_expires_days: self.noncurrent_version_expiration.and_then(|told| told.noncurrent_days),
            noncurrent_transitions: self.noncurrent_transitions.into_iter().map(change).collect(),
            aborts_uploads_days: self.abort_incomplete_multipart_upload.and_then(|told| told.days_after_initiation),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ReplicationAnswer {
    #[serde(rename = "Rule", default)]
    rules: Vec<ReplicationRule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReplicationRule {
    status: Option<String>,
    destination: Option<Destination>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Destination {
    bucket: String,
}

impl ReplicationAnswer {
    pub(super) fn summary(self) -> Replication {
        let enabled = self.rules.iter().filter(|rule| rule.status.as_deref() == Some("Enabled")).count();
        let disabled = self.rules.len() - enabled;
        let mut destinations: Vec<String> =
            self.rules.into_iter().filter_map(|rule| Some(rule.destination?.bucket)).collect();
        destinations.sort_unstable();
        destinations.dedup();
        Replication { enabled, disabled, destinations }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "the four switches of the API")]
pub(super) struct PublicAccessAnswer {
    block_public_acls: bool,
    ignore_public_acls: bool,
    block_public_policy: bool,
    restrict_public_buckets: bool,
}

impl PublicAccessAnswer {
    pub(super) fn block(self) -> PublicAccessBlock {
        PublicAccessBlock {
            block_acls: self.block_public_acls,
            ignore_acls: self.ignore_public_acls,
            block_policy: self.block_public_policy,
            restrict: self.restrict_public_buckets,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicyAnswer {
    is_public: Option<String>,
}

impl PolicyAnswer {
    pub(super) fn public(self) -> Option<bool> {
        // MinIO writes `TRUE`.
        self.is_public.map(|text| text.eq_ignore_ascii_case("true"))
    }
}
