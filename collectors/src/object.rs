//! S3 and what speaks like it: what the server's headers and the bucket's configuration say, and what lies in a
//! bucket besides the objects that a listing shows.

use crate::{Collector, Protocol};
use async_trait::async_trait;
use driver_s3::{ClassTally, Fact, S3Store, Survey, SurveyLimits, Versioning};
use inventory::{Finding, SecondCount, System, Weight};
use model::{ByteSize, Facets, Location, human_count};
use std::{collections::BTreeMap, sync::Arc};
use storage::{Error, ErrorKind, Reach};

/// A bucket, or a prefix in one.
#[derive(Debug)]
struct Object {
    location: Location,
    store: S3Store,
    classes: Arc<ClassTally>,
}

/// Of an opened store; `location` is how it was called, `classes` what the store was given to count in.
pub fn collector(store: S3Store, location: &Location, classes: Arc<ClassTally>) -> Collector {
    Collector::new(location.clone(), Arc::new(store.clone()), Object { location: location.clone(), store, classes })
}

#[async_trait]
impl Protocol for Object {
    /// A listing has keys, sizes, times and tags of entities; metadata costs a request for each object.
    fn told(&self, _reads: Facets) -> Facets {
        Facets::MTIME
    }
    /// Asks the bucket, so that wrong credentials or a missing bucket show before the walk.
    async fn identify(&self) -> storage::Result<System> {
        let reached = self.store.check().await?;
        if reached.empty && !self.location.prefix().is_root() {
            return Err(Error::new(ErrorKind::NotFound, "open the location")
                .with_reach(Reach::Location)
                .because(format!("no key of the bucket begins with `{}/`", self.location.prefix()))
                .hint("is the prefix typed right? An object store has no empty directories"));
        }
        let mut details = BTreeMap::new();
        details.insert("bucket".to_owned(), self.location.host().to_owned());
        details.insert("region".to_owned(), reached.region);
        details.insert("flavour".to_owned(), reached.flavour.word().to_owned());
        if let Some(endpoint) = self.location.param("endpoint") {
            details.insert("endpoint".to_owned(), endpoint.to_owned());
        }
        Ok(System { protocol: "s3".to_owned(), product: reached.server, version: None, details })
    }
    /// Versions, unfinished uploads, protection: what a listing does not show, and a bill or a move does.
    async fn findings(&self) -> storage::Result<Vec<Finding>> {
        let survey = self.store.survey(&SurveyLimits::default()).await?;
        let mut findings = Vec::new();
        kept(&survey, &mut findings);
        rules(&survey, &mut findings);
        let classes = self.classes.counts();
        if classes.keys().any(|class| !class.is_empty()) {
            let told: Vec<String> = classes
                .iter()
                .map(|(class, count)| {
                    let class = if class.is_empty() { "none told" } else { class };
                    format!("{class} {} ({})", human_count(count.objects), ByteSize(count.bytes))
                })
                .collect();
            let detail = format!("storage classes of what was listed in this run: {}", told.join(", "));
            findings.push(Finding::new("storage-classes", Weight::Note, detail));
        }
        Ok(findings)
    }
    /// There is no other way to count but to walk.
    async fn second_count(&self) -> storage::Result<Option<SecondCount>> {
        Ok(None)
    }
}

/// What is kept besides the current objects.
fn kept(survey: &Survey, findings: &mut Vec<Finding>) {
    match &survey.versions {
        Fact::Known(Some(versions)) => {
            let more = if versions.partial { "; there are more, which were not counted" } else { "" };
            if versions.noncurrent.objects > 0 {
                let detail = format!(
                    "versions that are no longer current are kept and paid for{more}. A move takes the current ones only"
                );
                let found = Finding::new("noncurrent-versions", Weight::Warning, detail);
                findings.push(found.counted(versions.noncurrent.objects).sized(versions.noncurrent.bytes));
            }
            if versions.delete_markers > 0 {
                let detail =
                    format!("marks of deletion; {} of them hide an object now{more}", human_count(versions.deleted));
                findings.push(Finding::new("delete-markers", Weight::Note, detail).counted(versions.delete_markers));
            }
        }
        Fact::Known(None) => {}
        Fact::Unknown { why, .. } => findings.push(untold("versions", why)),
    }
    match &survey.uploads {
        Fact::Known(open) if open.uploads > 0 => {
            let oldest = open.oldest.map(|time| jiff::Timestamp::from_second(time.secs).unwrap_or_default());
            let since = oldest.map(|oldest| format!(", the oldest since {oldest}")).unwrap_or_default();
            let of = if open.sized < open.uploads {
                format!(" (bytes of {} of them)", human_count(open.sized))
            } else {
                String::new()
            };
            let more = if open.partial { "; there are more, which were not counted" } else { "" };
            let detail = format!(
                "uploads in parts were begun and never finished{since}; their parts are paid for and no listing shows \
                 them{of}{more}. Abort them, or let a lifecycle rule do it"
            );
            let found = Finding::new("incomplete-uploads", Weight::Warning, detail);
            findings.push(found.counted(open.uploads).sized(open.bytes));
        }
        Fact::Known(_) => {}
        Fact::Unknown { why, .. } => findings.push(untold("unfinished uploads", why)),
    }
}

/// How the bucket is set up, as far as a target should be set up alike.
fn rules(survey: &Survey, findings: &mut Vec<Finding>) {
    let mut note = |kind: &str, detail: String| findings.push(Finding::new(kind, Weight::Note, detail));
    match survey.versioning.known() {
        Some(Versioning::Enabled) => note("versioning", "versions are kept".to_owned()),
        Some(Versioning::Suspended) => {
            note("versioning", "versions were kept once; those that there are stay".to_owned());
        }
        Some(Versioning::Never) | None => {}
    }
    if let Some(Some(encryption)) = survey.encryption.known() {
        note("default-encryption", format!("new objects are encrypted by {}", encryption.algorithm));
    }
    if let Some(Some(lock)) = survey.lock.known() {
        let default = lock.default.as_ref().map(|(mode, period)| format!("; new objects get {mode} for {period:?}"));
        note("object-lock", format!("objects can be protected against deletion{}", default.unwrap_or_default()));
    }
    if let Some(rules) = survey.lifecycle.known().filter(|rules| !rules.is_empty()) {
        let on = rules.iter().filter(|rule| rule.enabled).count();
        note("lifecycle-rules", format!("{on} of {} lifecycle rules are in force", rules.len()));
    }
    if let Some(Some(replication)) = survey.replication.known() {
        note("replication", format!("objects are copied to {}", replication.destinations.join(", ")));
    }
    if survey.policy_is_public.known() == Some(&Some(true)) {
        let detail = "its policy makes the bucket public; a target is not made public by a move";
        findings.push(Finding::new("public-bucket", Weight::Warning, detail));
    }
}

fn untold(what: &str, why: &str) -> Finding {
    Finding::new("not-told", Weight::Note, format!("{what} could not be told: {why}"))
}
