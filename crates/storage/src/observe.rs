//! How a driver tells what each of its server's operations cost.

use std::{fmt, time::Duration};

/// Told of every request that a driver sends, when the answer is there. Called on hot paths: it must not
/// block. Latency is the client's: queueing in the network is in it, queueing in us is not.
pub trait Probe: fmt::Debug + Send + Sync {
    /// `op` is the protocol's own word (`READDIRPLUS`, `GetObject`); `ok` is false when the server refused.
    fn observed(&self, op: &'static str, took: Duration, ok: bool);
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProbe;

impl Probe for NoProbe {
    fn observed(&self, _op: &'static str, _took: Duration, _ok: bool) {}
}
