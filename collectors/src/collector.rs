//! What discovery needs to know of a system.

use async_trait::async_trait;
use inventory::{Finding, SecondCount, System};
use model::{Facets, Location};
use std::{fmt, sync::Arc};
use storage::Source;

/// What one kind of system tells of itself, beside what every [`Source`] does.
#[async_trait]
pub trait Protocol: fmt::Debug + Send + Sync {
    /// Of the facets that the source can tell, those that its listing tells of *every* entry, at no further request.
    /// Discovery asks for these, and takes the absence of one (no access control list) for a fact.
    fn told(&self, reads: Facets) -> Facets;

    /// What serves it. Called once, before the walk; fails as the requests behind it do.
    async fn identify(&self) -> storage::Result<System>;

    /// What only the protocol can tell of the location and matters to whoever moves it: open files, quotas,
    /// encryption zones. Asked once, after the walk; where it fails, the profile says that it could not be told.
    async fn findings(&self) -> storage::Result<Vec<Finding>>;

    /// The location counted in another way than by walking it, `None` where there is none. Asked once, after
    /// the walk; where it fails, the profile says that it could not be told.
    async fn second_count(&self) -> storage::Result<Option<SecondCount>>;
}

/// One system that can be discovered. Each module of a protocol makes one of an opened store.
#[derive(Debug)]
pub struct Collector {
    location: Location,
    source: Arc<dyn Source>,
    protocol: Box<dyn Protocol>,
}

impl Collector {
    /// Of the content at `location`, as the inventory shall name it, and of who can tell about it.
    pub fn new(location: Location, source: Arc<dyn Source>, protocol: impl Protocol + 'static) -> Self {
        Self { location, source, protocol: Box::new(protocol) }
    }

    /// Walks through a wrapper (retry, deadlines) instead of the bare store.
    #[must_use]
    pub fn wrapped(mut self, wrap: impl FnOnce(Arc<dyn Source>) -> Arc<dyn Source>) -> Self {
        self.source = wrap(self.source);
        self
    }

    /// Where it is, as the inventory names it.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Its content.
    pub fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.source)
    }

    /// Facets that its listing tells of every entry.
    pub fn told(&self) -> Facets {
        self.protocol.told(self.source.caps().reads)
    }

    /// Who can tell about it.
    pub fn protocol(&self) -> &dyn Protocol {
        &*self.protocol
    }
}
