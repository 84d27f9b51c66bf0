//! The memory that content in flight may take.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A budget of memory, counted in KiB. A reader asks *before* it reads and gives back when the target has
/// taken the bytes; memory is therefore this budget plus one page for each open listing.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    permits: Arc<Semaphore>,
    total_kib: u32,
}

/// Room for some bytes, given back on drop.
#[derive(Debug)]
pub(crate) struct Room {
    _permit: OwnedSemaphorePermit,
}

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        let total_kib = u32::try_from((bytes >> 10).max(1)).unwrap_or(u32::MAX >> 4);
        Self { permits: Arc::new(Semaphore::new(total_kib as usize)), total_kib }
    }
    /// Waits for room. More than the whole budget is granted as the whole budget: the caller has checked
    /// at the start that no part is larger.
    pub(crate) async fn room(&self, bytes: u64) -> Room {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).clamp(1, self.total_kib);
        let permit = self.permits.clone().acquire_many_owned(kib).await.expect("the budget is never closed");
        Room { _permit: permit }
    }
}
