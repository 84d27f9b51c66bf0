//! Listing no faster than a server in production bears.
//!
//! The latency of listings is watched. While it stays near the best that was seen, as many listings run together
//! as the caller starts. When it rises well above that, somebody suffers (us or others), and half as many may
//! run; when it has recovered, one more at a time. Nothing has to be configured, and nothing else is held back.

use crate::{
    Abandoned, Capabilities, ListSpec, Node, Page, Published, ReadSpec, Reading, Receipt, Result, ResumeToken, Source,
    Target, Upload, Usage, WriteSpec,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use model::{Entry, Facets, Metadata, RelPath, Stamp};
use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// When to step back, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Listings in flight together at most, and at first.
    pub in_flight: NonZeroUsize,
    /// So many times the best latency is too much, 4 at first.
    pub factor: u32,
    /// A latency below this never is, 20 ms at first.
    pub at_least: Duration,
}

impl Patience {
    /// The usual measure for so many listings in flight.
    pub fn new(in_flight: NonZeroUsize) -> Self {
        Self { in_flight, factor: 4, at_least: Duration::from_millis(20) }
    }
}

/// Runs fewer listings together while their latency is far above the best that was seen.
#[derive(Debug)]
pub struct Considerate<S: ?Sized> {
    inner: Arc<S>,
    pacer: Arc<Pacer>,
}

impl<S: ?Sized> Considerate<S> {
    /// Wraps `inner`.
    pub fn new(inner: Arc<S>, patience: Patience) -> Self {
        Self { inner, pacer: Arc::new(Pacer::new(patience)) }
    }
    /// What it thinks of the server, for whoever shows progress.
    pub fn pacer(&self) -> Arc<Pacer> {
        Arc::clone(&self.pacer)
    }
}

/// How many listings may run together just now.
#[derive(Debug)]
pub struct Pacer {
    patience: Patience,
    state: Mutex<State>,
    freed: Notify,
}

/// Latencies in microseconds.
#[derive(Debug)]
struct State {
    in_flight: usize,
    allowed: usize,
    /// The first latencies, until there are enough to say what is good.
    first: Vec<u64>,
    best: Option<u64>,
    smoothed: u64,
    /// Listings that ended since `allowed` changed.
    since: usize,
}

/// Listings that show how fast a server can be.
const FIRST: usize = 32;
/// A new latency counts one part in this.
const SMOOTH: u64 = 8;
/// One listing alone that stays slow shows, in about so many listings, that it is not our number of them.
const GETTING_USED: u64 = 1000;

impl Pacer {
    fn new(patience: Patience) -> Self {
        let state = State {
            in_flight: 0,
            allowed: patience.in_flight.get(),
            first: Vec::with_capacity(FIRST),
            best: None,
            smoothed: 0,
            since: 0,
        };
        Self { patience, state: Mutex::new(state), freed: Notify::new() }
    }

    /// Listings that may run together now.
    pub fn allowed(&self) -> usize {
        self.state().allowed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn enter(self: &Arc<Self>) -> Inside {
        loop {
            let freed = self.freed.notified();
            {
                let mut state = self.state();
                if state.in_flight < state.allowed {
                    state.in_flight += 1;
                    return Inside(Arc::clone(self));
                }
            }
            freed.await;
        }
    }

    fn observed(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let mut state = self.state();
        let state = &mut *state;
        state.since = state.since.saturating_add(1);
        let Some(best) = state.best else {
            state.first.push(took);
            if state.first.len() == FIRST {
                state.first.sort_unstable();
                // Not the very best: that may have been an empty directory in a cache.
                state.best = Some(state.first[FIRST / 4]);
                state.smoothed = state.first[FIRST / 2];
                state.first = Vec::new();
                state.since = 0;
            }
            return;
        };
        // One listing that took minutes must not speak for all that follow.
        let took = took.min(state.smoothed.saturating_mul(SMOOTH));
        state.smoothed = (state.smoothed * (SMOOTH - 1) + took).div_ceil(SMOOTH);
        let at_least = u64::try_from(self.patience.at_least.as_micros()).unwrap_or(u64::MAX);
        let too_slow = best.saturating_mul(u64::from(self.patience.factor)).max(at_least);
        // So many listings were under way when the number changed; they tell of before.
        let settled = state.since >= state.allowed.max(8);
        if state.smoothed > too_slow {
            if state.allowed > 1 && settled {
                state.allowed /= 2;
                state.since = 0;
                tracing::debug!(allowed = state.allowed, "the server answers slowly: fewer listings together");
            } else if state.allowed == 1 {
                state.best = Some(best + (state.smoothed - best).div_ceil(GETTING_USED));
            }
        } else if state.smoothed < too_slow / 2 {
            state.best = Some(best.min(state.smoothed));
            if state.allowed < self.patience.in_flight.get() && state.since >= 2 * state.allowed.max(8) {
                state.allowed += 1;
                state.since = 0;
                self.freed.notify_waiters();
            }
        }
    }
}

/// A listing that is in flight.
struct Inside(Arc<Pacer>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.state().in_flight -= 1;
        // All of them look again: which of them was first in line is not known once somebody gave up.
        self.0.freed.notify_waiters();
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Source + ?Sized> Source for Considerate<S> {
    fn caps(&self) -> &Capabilities {
        self.inner.caps()
    }

    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        let start = (self.inner.list(dir, spec), Arc::clone(&self.pacer));
        let step = |(mut pages, pacer): (BoxStream<'static, Result<Page>>, Arc<Pacer>)| async move {
            let inside = pacer.enter().await;
            let began = Instant::now();
            let page = pages.next().await?;
            pacer.observed(began.elapsed());
            drop(inside);
            Some((page, (pages, pacer)))
        };
        futures::stream::unfold(start, step).boxed()
    }

    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        self.inner.stat(path, want).await
    }

    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        self.inner.read(path, spec).await
    }

    async fn usage(&self) -> Result<Option<Usage>> {
        self.inner.usage().await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Target + ?Sized> Target for Considerate<S> {
    async fn put(&self, path: &RelPath, spec: WriteSpec, data: Vec<Bytes>) -> Result<Published> {
        self.inner.put(path, spec, data).await
    }
    async fn create(&self, path: &RelPath, spec: WriteSpec) -> Result<Box<dyn Upload>> {
        self.inner.create(path, spec).await
    }
    async fn resume(
        &self,
        path: &RelPath,
        spec: WriteSpec,
        token: &ResumeToken,
    ) -> Result<(Box<dyn Upload>, Vec<Receipt>)> {
        self.inner.resume(path, spec, token).await
    }
    async fn abandoned(&self, path: &RelPath) -> Result<Vec<Abandoned>> {
        self.inner.abandoned(path).await
    }
    async fn discard(&self, path: &RelPath, token: &ResumeToken) -> Result<()> {
        self.inner.discard(path, token).await
    }
    async fn apply(&self, path: &RelPath, meta: &Metadata, which: Facets) -> Result<Facets> {
        self.inner.apply(path, meta, which).await
    }
    async fn make(&self, path: &RelPath, node: Node, meta: &Metadata) -> Result<Published> {
        self.inner.make(path, node, meta).await
    }
    async fn remove(&self, path: &RelPath, if_stamp: Option<&Stamp>) -> Result<()> {
        self.inner.remove(path, if_stamp).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacer(in_flight: usize) -> Arc<Pacer> {
        Arc::new(Pacer::new(Patience::new(NonZeroUsize::new(in_flight).unwrap())))
    }
    fn tell(pacer: &Pacer, ms: u64, times: usize) {
        (0..times).for_each(|_| pacer.observed(Duration::from_millis(ms)));
    }

    #[test]
    fn a_server_that_slows_down_is_asked_less_and_more_again_when_it_recovers() {
        let pacer = pacer(16);
        tell(&pacer, 10, 100);
        assert_eq!(pacer.allowed(), 16);
        tell(&pacer, 30, 500);
        assert_eq!(pacer.allowed(), 16, "three times the best is what our own queue makes");
        tell(&pacer, 200, 60);
        assert!(pacer.allowed() <= 4, "{}", pacer.allowed());
        tell(&pacer, 200, 60);
        assert_eq!(pacer.allowed(), 1);
        tell(&pacer, 10, 60);
        let after = pacer.allowed();
        assert!((2..6).contains(&after), "slowly: {after}");
        tell(&pacer, 10, 1000);
        assert_eq!(pacer.allowed(), 16);
    }

    #[test]
    fn latencies_of_a_few_milliseconds_are_never_too_much() {
        let pacer = pacer(8);
        tell(&pacer, 1, 50);
        tell(&pacer, 19, 1000);
        assert_eq!(pacer.allowed(), 8);
    }

    #[test]
    fn one_slow_directory_is_no_slow_server() {
        let pacer = pacer(8);
        tell(&pacer, 30, 100);
        tell(&pacer, 600_000, 1);
        tell(&pacer, 30, 30);
        assert_eq!(pacer.allowed(), 8);
    }

    #[test]
    fn what_stays_slow_with_one_listing_is_how_the_server_is() {
        let pacer = pacer(8);
        tell(&pacer, 10, 50);
        tell(&pacer, 100, 200);
        assert_eq!(pacer.allowed(), 1);
        tell(&pacer, 100, 3000);
        assert_eq!(pacer.allowed(), 1, "and it stays there until it is faster than that");
        tell(&pacer, 45, 2000);
        assert_eq!(pacer.allowed(), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_listings_run_than_are_allowed() {
        let pacer = pacer(4);
        let most = Arc::new(Mutex::new((0_usize, 0_usize)));
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..400_u64 {
            let (pacer, most) = (Arc::clone(&pacer), Arc::clone(&most));
            tasks.spawn(async move {
                let inside = pacer.enter().await;
                {
                    let mut most = most.lock().unwrap();
                    most.0 += 1;
                    assert!(most.0 <= pacer.patience.in_flight.get());
                    most.1 = most.1.max(most.0);
                }
                let takes = Duration::from_millis(if n < 50 { 10 } else { 400 });
                tokio::time::sleep(takes).await;
                pacer.observed(takes);
                most.lock().unwrap().0 -= 1;
                drop(inside);
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        assert_eq!((most.lock().unwrap().1, pacer.allowed(), pacer.state().in_flight), (4, 1, 0));
    }
}
