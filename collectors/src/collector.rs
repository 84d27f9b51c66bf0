//! What discovery needs to know of a kind of system.

use async_trait::async_trait;
use inventory::System;
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
}
