//! What discovery needs to know of a kind of system.

use async_trait::async_trait;
use inventory::{Finding, SecondCount, System};
use model::{Facets, Location};
use std::{fmt, sync::Arc};
use storage::Source;

/// One system that can be discovered.
#[async_trait]
pub trait Collector: fmt::Debug + Send + Sync {
    /// Where it is, as the inventory names it.
    fn location(&self) -> &Location;

    /// Its content.
    fn source(&self) -> Arc<dyn Source>;

    /// Facets that its listing tells of *every* entry, at no further request. Discovery asks for these, and
    /// takes the absence of one (no access control list) for a fact.
    fn told(&self) -> Facets;

    /// What serves it. Called once, before the walk; fails as the requests behind it do.
    async fn identify(&self) -> storage::Result<System>;

    /// What only the protocol can tell of the location and matters to whoever moves it: open files, quotas,
    /// encryption zones. Asked once, after the walk; where it fails, the profile says that it could not be told.
    async fn findings(&self) -> storage::Result<Vec<Finding>>;

    /// The location counted in another way than by walking it, `None` where there is none. Asked once, after
    /// the walk; where it fails, the profile says that it could not be told.
    async fn second_count(&self) -> storage::Result<Option<SecondCount>>;
}
