//! What the embedded S3 server computes over the bytes it takes, and what the client claimed of them.

use http::HeaderMap;
use s3s::{
    S3Result,
    checksum::ChecksumHasher,
    crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256},
    s3_error,
};
use serde::{Deserialize, Serialize};

/// Checksums of one object or part, in base64 as the protocol has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Checksums {
    /// `x-amz-checksum-crc32`
    pub crc32: Option<String>,
    /// `x-amz-checksum-crc32c`
    pub crc32c: Option<String>,
    /// `x-amz-checksum-crc64nvme`
    pub crc64nvme: Option<String>,
    /// `x-amz-checksum-sha1`
    pub sha1: Option<String>,
    /// `x-amz-checksum-sha256`
    pub sha256: Option<String>,
}

impl Checksums {
    /// What the headers (or trailers) of a request claim.
    pub fn claimed(headers: &HeaderMap) -> Self {
        let of = |name: &str| text(headers, &format!("x-amz-checksum-{name}"));
        Self {
            crc32: of("crc32"),
            crc32c: of("crc32c"),
            crc64nvme: of("crc64nvme"),
            sha1: of("sha1"),
            sha256: of("sha256"),
        }
    }

    /// These, and the other's where these say nothing.
    pub fn or(self, other: Self) -> Self {
        Self {
            crc32: self.crc32.or(other.crc32),
            crc32c: self.crc32c.or(other.crc32c),
            crc64nvme: self.crc64nvme.or(other.crc64nvme),
            sha1: self.sha1.or(other.sha1),
            sha256: self.sha256.or(other.sha256),
        }
    }

    /// `BadDigest` when something claimed is not what was computed.
    pub fn check(&self, computed: &Self) -> S3Result<()> {
        for (name, claimed, computed) in [
            ("CRC32", &self.crc32, &computed.crc32),
            ("CRC32C", &self.crc32c, &computed.crc32c),
            ("CRC64NVME", &self.crc64nvme, &computed.crc64nvme),
            ("SHA1", &self.sha1, &computed.sha1),
            ("SHA256", &self.sha256, &computed.sha256),
        ] {
            if claimed.is_some() && claimed != computed {
                return Err(s3_error!(BadDigest, "The {name} you specified did not match the calculated checksum."));
            }
        }
        Ok(())
    }

    /// The checksums that S3 keeps: those that were claimed, else CRC64NVME.
    pub fn kept(&self, computed: &Self) -> Self {
        let kept = Self {
            crc32: self.crc32.clone(),
            crc32c: self.crc32c.clone(),
            crc64nvme: self.crc64nvme.clone(),
            sha1: self.sha1.clone(),
            sha256: self.sha256.clone(),
        };
        if kept == Self::default() { Self { crc64nvme: computed.crc64nvme.clone(), ..kept } } else { kept }
    }
}

/// Digests bytes as they arrive.
pub struct Digester {
    sums: ChecksumHasher,
    md5: Md5,
}

impl Digester {
    /// Computes MD5 and CRC-64/NVME always, the rest where a header says that it will be claimed.
    pub fn new(headers: &HeaderMap) -> Self {
        let named = text(headers, "x-amz-trailer").unwrap_or_default().to_ascii_lowercase();
        let wanted = |name: &str| {
            let header = format!("x-amz-checksum-{name}");
            headers.contains_key(&header) || named.contains(&header)
        };
        let sums = ChecksumHasher {
            crc32: wanted("crc32").then(Crc32::new),
            crc32c: wanted("crc32c").then(Crc32c::new),
            sha1: wanted("sha1").then(Sha1::new),
            sha256: wanted("sha256").then(Sha256::new),
            crc64nvme: Some(Crc64Nvme::new()),
        };
        Self { sums, md5: Md5::new() }
    }

    /// Takes more bytes.
    pub fn update(&mut self, data: &[u8]) {
        self.sums.update(data);
        self.md5.update(data);
    }

    /// The checksums and the MD5.
    pub fn finish(self) -> (Checksums, [u8; 16]) {
        let sums = self.sums.finalize();
        let computed = Checksums {
            crc32: sums.checksum_crc32,
            crc32c: sums.checksum_crc32c,
            crc64nvme: sums.checksum_crc64nvme,
            sha1: sums.checksum_sha1,
            sha256: sums.checksum_sha256,
        };
        (computed, self.md5.finalize())
    }
}

/// A header as text; `None` where it is absent or not text.
pub fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
