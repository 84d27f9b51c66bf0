//! Wrappers: each is a store over a store and adds one thing, so that drivers need not.
//!
//! A usual stack, from the outside: [`Retrying`] over [`Windowed`] over [`Limited`] over [`Considerate`] over
//! [`Deadline`] over [`Timed`] over the driver, so that a pause holds no permit and waiting for a permit is no
//! timeout. [`Faulty`] goes around
//! the driver in tests. All work over `Arc<dyn Source>` and over
//! `Arc<dyn Target>`; over the latter they are targets themselves. Time is tokio's, so a paused clock
//! works, and chance comes from a seed.

mod considerate;
mod deadline;
mod fault;
mod limit;
mod retry;
mod retry_upload;
mod timed;
mod window;

pub use considerate::{Considerate, Pacer, Patience};
pub use deadline::{Deadline, Deadlines};
pub use fault::{Door, Fault, FaultPlan, FaultRule, Faulty, Injected, When};
pub use limit::{Gate, Limited, Limits};
pub use retry::{RetryPolicy, Retrying};
pub use timed::Timed;
pub use window::{WallClock, WindowError, Windowed, Windows};

use bytes::Bytes;

/// Bytes in all pieces.
fn total(pieces: &[Bytes]) -> u64 {
    pieces.iter().map(|piece| piece.len() as u64).sum()
}
