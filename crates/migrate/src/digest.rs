//! One pass over the bytes for every digest.

use crc_fast::{CrcAlgorithm::Crc64Nvme, Digest};
use model::Digests;

/// The digests that a transfer knows of what it read.
pub(crate) fn digests(crc64nvme: u64) -> Digests {
    Digests { crc64nvme: Some(crc64nvme), ..Digests::default() }
}

/// What a read-back computes of one side: a cryptographic hash of its own, so that the proof does not rest
/// on the checksum that the transfer used, and the checksum, to compare with what the server says.
#[derive(Debug)]
pub(crate) struct ReadBack {
    strong: blake3::Hasher,
    crc: Digest,
    len: u64,
}

/// The content of one side, as a read-back saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) hash: blake3::Hash,
    pub(crate) crc64nvme: u64,
    pub(crate) len: u64,
}

impl ReadBack {
    pub(crate) fn new() -> Self {
        Self { strong: blake3::Hasher::new(), crc: Digest::new(Crc64Nvme), len: 0 }
    }
    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.strong.update(piece);
        self.crc.update(piece);
        self.len += piece.len() as u64;
    }
    pub(crate) fn finish(self) -> Content {
        Content { hash: self.strong.finalize(), crc64nvme: self.crc.finalize(), len: self.len }
    }
}
