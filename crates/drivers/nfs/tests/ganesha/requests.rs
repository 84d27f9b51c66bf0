//! What a store asked of the server.

use longshore_driver_nfs::NfsOptions;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use storage::Probe;

/// The requests that were sent, by the protocol's names. None of them may fail.
#[derive(Debug, Default)]
pub struct Requests(Mutex<Vec<&'static str>>);

impl Requests {
    /// How many of this name.
    pub fn count(&self, name: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|sent| **sent == name).count()
    }

    /// Tells them here.
    pub fn told(self: &Arc<Self>) -> NfsOptions {
        NfsOptions { probe: self.clone(), ..NfsOptions::default() }
    }
}

impl Probe for Requests {
    fn observed(&self, op: &'static str, _took: Duration, ok: bool) {
        assert!(ok, "{op}");
        self.0.lock().unwrap().push(op);
    }
}
