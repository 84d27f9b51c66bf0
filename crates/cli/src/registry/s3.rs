//! Buckets.

use super::{Opening, Part};
use crate::{failure::Outcome, settings::Settings};
use collectors::{Collector, ObjectCollector};
use driver_s3::{S3Options, S3Store};
use model::Location;
use std::sync::Arc;
use storage::Probe;

pub(super) async fn open(location: &Location, how: &Opening<'_>) -> Outcome<Box<dyn Collector>> {
    let store = store(location, how.settings, Arc::clone(&how.probe)).await?;
    Ok(Box::new(ObjectCollector::new(store, location).wrapped(|source| how.around(source))))
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
