//! Buckets.

use super::{Opening, Part};
use crate::{
    failure::{Code, Failure, Outcome},
    settings::Settings,
};
use collectors::{Collector, object};
use driver_s3::{ClassTally, S3Options, S3Store};
use driver_s3_inventory::InventoryStore;
use model::Location;
use std::sync::Arc;
use storage::Probe;

pub(super) async fn open(location: &Location, how: &Opening<'_>) -> Outcome<Collector> {
    if let Some(kind) = location.param("as") {
        return report(location, kind, how).await;
    }
    let classes = Arc::new(ClassTally::default());
    let options = S3Options { classes: Some(Arc::clone(&classes)), ..options(how.settings, Arc::clone(&how.probe)) };
    let store = Box::pin(S3Store::open(location, options)).await?;
    Ok(object::collector(store, location, classes))
}

/// `s3://reports/path/manifest.json?as=inventory-report`: the bucket that the report is about, without asking it.
async fn report(location: &Location, kind: &str, how: &Opening<'_>) -> Outcome<Collector> {
    if kind != "inventory-report" {
        return Err(Failure::new(Code::Location, format!("`as={kind}` is nothing that a bucket can be read as"))
            .hint("write `s3://reports/path/manifest.json?as=inventory-report`"));
    }
    let bucket = Location::new("s3", location.host(), "");
    let bucket =
        location.params().filter(|(key, _)| *key != "as").fold(bucket, |at, (key, value)| at.with_param(key, value));
    let reports = how.around(Arc::new(store(&bucket, how.settings, Arc::clone(&how.probe)).await?));
    let store = Box::pin(InventoryStore::open(&*reports, &location.prefix())).await?;
    Ok(collectors::report::collector(store, location))
}

pub(super) async fn store(location: &Location, settings: &Settings, probe: Arc<dyn Probe>) -> Outcome<S3Store> {
    Ok(Box::pin(S3Store::open(location, options(settings, probe))).await?)
}

/// Every bucket of the account.
pub(super) async fn buckets(location: &Location, how: &Opening<'_>) -> Outcome<Vec<Part>> {
    let options = options(how.settings, Arc::clone(&how.probe));
    let buckets = Box::pin(driver_s3::buckets(location, &options)).await?;
    let of = |name: &str| {
        let bare = Location::new("s3", name, "");
        location.params().fold(bare, |bucket, (key, value)| bucket.with_param(key, value))
    };
    Ok(buckets.iter().map(|bucket| Part { location: of(&bucket.name), left_out: None }).collect())
}

fn options(settings: &Settings, probe: Arc<dyn Probe>) -> S3Options {
    S3Options {
        connect_timeout: settings.connect_timeout.value.0,
        quiet_timeout: settings.operation_timeout.value.0,
        keys: settings.surroundings.keys.clone(),
        probe,
        ..S3Options::default()
    }
}
