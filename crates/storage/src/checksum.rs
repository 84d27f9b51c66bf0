//! The two checksums that stores and we compute alike, over content in pieces.

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};

/// CRC-64/NVME over `pieces` in order.
pub fn crc64nvme(pieces: &[Bytes]) -> u64 {
    over(CrcAlgorithm::Crc64Nvme, pieces)
}

/// CRC-32C (Castagnoli) over `pieces` in order.
pub fn crc32c(pieces: &[Bytes]) -> u32 {
    u32::try_from(over(CrcAlgorithm::Crc32Iscsi, pieces)).expect("a 32-bit CRC fits 32 bits")
}

/// CRC-64/NVME of two pieces of content in a row, from the CRC of each and the length of the second.
pub fn combine_crc64nvme(first: u64, second: u64, second_len: u64) -> u64 {
    crc_fast::checksum_combine(CrcAlgorithm::Crc64Nvme, first, second, second_len)
}

/// CRC-64/NVME of content that comes piece by piece.
#[derive(Clone, Debug)]
pub struct Crc64Nvme(Digest);

impl Default for Crc64Nvme {
    fn default() -> Self {
        Self(Digest::new(CrcAlgorithm::Crc64Nvme))
    }
}

impl Crc64Nvme {
    /// The next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }
    /// Over all that came so far.
    pub fn value(&self) -> u64 {
        self.0.finalize()
    }
}

fn over(algorithm: CrcAlgorithm, pieces: &[Bytes]) -> u64 {
    if let [one] = pieces {
        return crc_fast::checksum(algorithm, one);
    }
    let mut digest = Digest::new(algorithm);
    for piece in pieces {
        digest.update(piece);
    }
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_values_of_the_catalogue_of_crcs_come_out() {
        let pieces = [Bytes::from_static(b"1234"), Bytes::from_static(b"56789")];
        assert_eq!(crc64nvme(&pieces), 0xae8b_1486_0a79_9888);
        assert_eq!(crc32c(&pieces), 0xe306_9283);
        let mut running = Crc64Nvme::default();
        for piece in &pieces {
            running.update(piece);
        }
        assert_eq!(running.value(), 0xae8b_1486_0a79_9888);
        let joined = combine_crc64nvme(crc64nvme(&pieces[..1]), crc64nvme(&pieces[1..]), 5);
        assert_eq!(joined, 0xae8b_1486_0a79_9888);
    }
}
