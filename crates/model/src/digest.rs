//! Digests of content, ours or a server's.

use serde::{Deserialize, Serialize};

/// A way to digest content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DigestKind {
    /// RFC 1321; S3's ETag of a single-part object.
    Md5,
    /// Castagnoli, RFC 3720.
    Crc32c,
    /// CRC-64/NVME, the default of S3 since December 2024; full-object even for multipart.
    Crc64Nvme,
    /// FIPS 180-4.
    Sha256,
    /// HDFS's composite CRC of a file.
    HdfsCompositeCrc,
}

/// The digests known of one piece of content. Two sets agree when every kind that *both* have is equal
/// and they share at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Digests {
    /// CRC-64/NVME over the whole content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<u64>,
    /// CRC-32C over the whole content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc32c: Option<u32>,
    /// MD5 over the whole content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<[u8; 16]>,
    /// SHA-256 over the whole content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<[u8; 32]>,
}

impl Digests {
    /// Is nothing known?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
    /// `Some(true)`: they share a kind and all shared kinds are equal. `Some(false)`: a shared kind
    /// differs. `None`: nothing to compare.
    pub fn agree(&self, other: &Self) -> Option<bool> {
        let shared = [
            self.crc64nvme.zip(other.crc64nvme).map(|(a, b)| a == b),
            self.crc32c.zip(other.crc32c).map(|(a, b)| a == b),
            self.md5.zip(other.md5).map(|(a, b)| a == b),
            self.sha256.zip(other.sha256).map(|(a, b)| a == b),
        ];
        let mut known = shared.into_iter().flatten().peekable();
        known.peek()?;
        Some(known.all(|same| same))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_without_a_common_kind_prove_nothing() {
        let a = Digests { crc64nvme: Some(1), ..Digests::default() };
        let b = Digests { md5: Some([0; 16]), ..Digests::default() };
        assert_eq!(a.agree(&b), None);
        assert_eq!(a.agree(&a), Some(true));
        assert_eq!(a.agree(&Digests { crc64nvme: Some(2), ..b }), Some(false));
    }
}
