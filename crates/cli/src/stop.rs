//! Ending cleanly when asked to.

use crate::exit::Exit;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Told of SIGINT and SIGTERM.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Cancelled at the first signal: stop taking up work, write down what is done.
    pub token: CancellationToken,
    terminated: Arc<AtomicBool>,
}

impl Stop {
    /// Listens for signals. The first one asks for a clean end; the second ends the process at once, which the
    /// journal is made to survive.
    pub fn listen() -> std::io::Result<Self> {
        let stop = Self::default();
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let told = stop.clone();
        tokio::spawn(async move {
            for first in [true, false] {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => told.terminated.store(true, Ordering::Relaxed),
                }
                if first {
                    told.token.cancel();
                    crate::output::say("stopping; what is done is kept (once more to end at once)");
                } else {
                    end_at_once(told.exit());
                }
            }
        });
        Ok(stop)
    }

    /// How the process ends when it was interrupted.
    pub fn exit(&self) -> Exit {
        if self.terminated.load(Ordering::Relaxed) { Exit::Terminated } else { Exit::Interrupted }
    }

    /// Was it asked to stop?
    pub fn asked(&self) -> bool {
        self.token.is_cancelled()
    }
}

/// Without unwinding and without waiting for anybody: what was asked for twice.
#[allow(clippy::exit)]
fn end_at_once(exit: Exit) -> ! {
    std::process::exit(i32::from(exit.number()))
}
