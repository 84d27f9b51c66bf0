//! Images of a NameNode.

use super::Opening;
use crate::failure::Outcome;
use collectors::{Collector, fsimage};
use driver_fsimage::{FsimageOptions, FsimageStore};
use model::Location;
use std::{collections::BTreeMap, sync::Arc};

pub(super) async fn open(location: &Location, how: &Opening<'_>) -> Outcome<Collector> {
    let options = FsimageOptions { probe: Arc::clone(&how.probe), ..FsimageOptions::default() };
    let store = Box::pin(FsimageStore::open_location(location, options)).await?;
    let whole = location.param("below").is_none_or(|below| below.trim_matches('/').is_empty());
    Ok(fsimage::collector(store, location, whole, BTreeMap::new()))
}
