//! Remote procedure calls over a named pipe: as much as it takes to list the shares of a server.

mod dce;
mod srvsvc;

pub use srvsvc::{Share, ShareKind, shares};

/// Tries every decoder of this module; how many bytes are kept.
#[cfg(test)]
pub(crate) fn decode_for_tests(raw: &[u8]) -> usize {
    dce::decode_for_tests(raw) + srvsvc::decode_for_tests(raw)
}
