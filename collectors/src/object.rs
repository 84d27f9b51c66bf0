//! S3 and what speaks like it: what the server's headers and the configuration say.

use crate::Collector;
use async_trait::async_trait;
use driver_s3::S3Store;
use inventory::{Finding, SecondCount, System};
use model::{Facets, Location};
use std::{collections::BTreeMap, sync::Arc};
use storage::Source;

/// A bucket, or a prefix in one.
#[derive(Debug)]
pub struct ObjectCollector {
    location: Location,
    store: S3Store,
    source: Arc<dyn Source>,
}

impl ObjectCollector {
    /// Of an opened store; `location` is how it was called.
    pub fn new(store: S3Store, location: &Location) -> Self {
        Self { location: location.clone(), source: Arc::new(store.clone()), store }
    }
    /// Walks through a wrapper (retry, deadlines) instead of the bare store.
    #[must_use]
    pub fn wrapped(mut self, wrap: impl FnOnce(Arc<dyn Source>) -> Arc<dyn Source>) -> Self {
        self.source = wrap(self.source);
        self
    }
}

#[async_trait]
impl Collector for ObjectCollector {
    fn location(&self) -> &Location {
        &self.location
    }
    fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.source)
    }
    /// A listing has keys, sizes, times and tags of entities; metadata costs a request for each object.
    fn told(&self) -> Facets {
        Facets::MTIME
    }
    /// Asks the bucket, so that wrong credentials or a missing bucket show before the walk.
    async fn identify(&self) -> storage::Result<System> {
        let reached = self.store.check().await?;
        let mut details = BTreeMap::new();
        details.insert("bucket".to_owned(), self.location.host().to_owned());
        details.insert("region".to_owned(), reached.region);
        details.insert("flavour".to_owned(), reached.flavour.word().to_owned());
        if let Some(endpoint) = self.location.param("endpoint") {
            details.insert("endpoint".to_owned(), endpoint.to_owned());
        }
        Ok(System { protocol: "s3".to_owned(), product: reached.server, version: None, details })
    }
    /// The walk tells all there is to tell.
    async fn findings(&self) -> storage::Result<Vec<Finding>> {
        Ok(Vec::new())
    }
    /// There is no other way to count but to walk.
    async fn second_count(&self) -> storage::Result<Option<SecondCount>> {
        Ok(None)
    }
}
