//! Images of a NameNode.

use super::Opening;
use crate::failure::Outcome;
use collectors::{Collector, FsimageCollector};
use driver_fsimage::{FsimageOptions, FsimageStore};
use model::Location;
use std::sync::Arc;

pub(super) async fn open(location: &Location, how: &Opening<'_>) -> Outcome<Box<dyn Collector>> {
    let options = FsimageOptions { probe: Arc::clone(&how.probe), ..FsimageOptions::default() };
    let store = Box::pin(FsimageStore::open_location(location, options)).await?;
    let whole = location.param("below").is_none_or(|below| below.trim_matches('/').is_empty());
    Ok(Box::new(FsimageCollector::new(store, location, whole).wrapped(|source| how.around(source))))
}
