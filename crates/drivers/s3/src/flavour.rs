//! What differs between stores, as data. Nothing outside this file asks which store it talks to.

use model::{DigestKind, NameRules};

/// Which kind of store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// Amazon S3 itself.
    Aws,
    /// MinIO and what is built from it.
    Minio,
    /// versitygw over a file system.
    Versity,
    /// Anything else: the least that compatible stores have in common.
    Generic,
}

/// How the store is told what the content of a write must digest to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Checksum {
    /// `x-amz-checksum-crc64nvme`: of the whole object, also over parts.
    Crc64Nvme,
    /// `x-amz-checksum-crc32c`.
    Crc32c,
    /// `Content-MD5`, which every store knows; costs some fifteen times the CPU of a CRC.
    Md5,
}

/// What a store does its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about a store")]
pub struct Quirks {
    /// Which names it holds exactly.
    pub names: NameRules,
    /// What the store appends to the name of a directory's marker where it keeps it: no component may end
    /// with it, and the name of a directory must leave room for it. Empty where there is no such thing.
    pub marker_suffix: &'static [u8],
    /// It lists keys without encoding them, so it cannot list those that XML cannot hold.
    pub plain_listing: bool,
    /// A listing may begin anywhere for about what a page costs, so that several streams can share it.
    pub begins_anywhere: bool,
    /// How it checks content.
    pub checksum: Checksum,
    /// `If-None-Match: *` on PutObject and CompleteMultipartUpload has one winner.
    pub conditional_put: bool,
    /// `If-Match` on DeleteObject is honoured.
    pub conditional_delete: bool,
    /// The entity tag of an unencrypted single-part object is its MD5.
    pub etag_is_md5: bool,
    /// `x-amz-mp-object-size` on CompleteMultipartUpload is checked.
    pub checks_object_size: bool,
    /// Every part but the last must have the same size.
    pub equal_parts: bool,
}

impl Flavour {
    /// The word of `?flavour=`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Minio => "minio",
            Self::Versity => "versity",
            Self::Generic => "generic",
        }
    }
    /// The flavour for a word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Aws, Self::Minio, Self::Versity, Self::Generic].into_iter().find(|flavour| flavour.word() == word)
    }
    /// What the `Server` header of an answer tells.
    pub fn of_server(header: &str) -> Self {
        if header.starts_with("MinIO") {
            Self::Minio
        } else if header == "VERSITYGW" {
            Self::Versity
        } else if header == "AmazonS3" {
            Self::Aws
        } else {
            Self::Generic
        }
    }
    /// What this store does its own way.
    pub const fn quirks(self) -> Quirks {
        match self {
            Self::Aws => AWS,
            Self::Minio => MINIO,
            Self::Versity => VERSITY,
            Self::Generic => GENERIC,
        }
    }
}

impl Checksum {
    /// The word of `?checksum=`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Crc64Nvme => "crc64nvme",
            Self::Crc32c => "crc32c",
            Self::Md5 => "md5",
        }
    }
    /// The checksum for a word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Crc64Nvme, Self::Crc32c, Self::Md5].into_iter().find(|checksum| checksum.word() == word)
    }
    /// What the store keeps and tells of every object that was written this way, parts or not.
    pub const fn kept(self) -> &'static [DigestKind] {
        match self {
            Self::Crc64Nvme => &[DigestKind::Crc64Nvme],
            // Both are gone, or are a digest of digests, once an object was written in parts.
            Self::Crc32c | Self::Md5 => &[],
        }
    }
}

/// Amazon S3. Keys: 1,024 bytes of UTF-8 ("Naming Amazon S3 objects", S3 User Guide, read 2026-11). `.` and
/// `..` as components are stored, but its console and many clients refuse or resolve them, so they
/// would not come back for everybody; file trees never hold them.
const AWS: Quirks = Quirks {
    names: NameRules { max_path: 1024, utf8_only: true, dot_components: false, forbidden: &[0], ..NameRules::ANY },
    marker_suffix: b"",
    plain_listing: false,
    begins_anywhere: true,
    checksum: Checksum::Crc64Nvme,
    conditional_put: true,
    conditional_delete: true,
    etag_is_md5: true,
    checks_object_size: true,
    equal_parts: false,
};

/// MinIO keeps objects as directories of a file system, and refuses most of what those cannot hold. Two things
/// it takes and then does not show: `a/b` beside an object `a` (missing in listings, though it can be read),
/// and a component that ends like its own name for a directory's marker (listed under another name). It is slower
/// with each stream that lists it, so it gets one (figures at [`S3Options::list_streams`](crate::S3Options)). Every
/// row is held by `tests/servers.rs` against a real server, byte by byte.
const MINIO: Quirks = Quirks {
    names: NameRules {
        max_component: 255,
        max_path: 1024,
        utf8_only: true,
        empty_components: false,
        dot_components: false,
        padded_dots: false,
        item_and_prefix: false,
        forbidden: &[0],
        ..NameRules::ANY
    },
    marker_suffix: b"__XLDIR__",
    plain_listing: false,
    begins_anywhere: false,
    checksum: Checksum::Crc64Nvme,
    conditional_put: true,
    conditional_delete: false,
    etag_is_md5: true,
    checks_object_size: false,
    equal_parts: false,
};

/// Control characters that XML cannot hold (XML 1.0, 2.2), and NUL.
const NOT_IN_XML: &[u8] = &[
    0, 1, 2, 3, 4, 5, 6, 7, 8, 0x0B, 0x0C, 0x0E, 0x0F, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19,
    0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F,
];

/// versitygw (1.8.0) keeps objects as files. It lists keys as they are, whatever encoding is asked for, so a key
/// that XML cannot hold is listed as another one. U+FFFE and U+FFFF are such keys too, which rules of bytes
/// cannot say: [`Quirks::plain_listing`] refuses them. A name of more than 226 bytes can be made but never replaced
/// (409: its temporary name is too long).
const VERSITY: Quirks = Quirks {
    names: NameRules {
        max_component: 226,
        max_path: 1024,
        utf8_only: true,
        empty_components: false,
        dot_components: false,
        item_and_prefix: false,
        forbidden: NOT_IN_XML,
        ..NameRules::ANY
    },
    marker_suffix: b"",
    plain_listing: true,
    begins_anywhere: true,
    checksum: Checksum::Crc64Nvme,
    conditional_put: true,
    conditional_delete: true,
    etag_is_md5: true,
    checks_object_size: true,
    equal_parts: false,
};

/// [`NOT_IN_XML`] and the backslash, which is a slash to some.
const GENERIC_FORBIDDEN: &[u8] = &[
    0, 1, 2, 3, 4, 5, 6, 7, 8, 0x0B, 0x0C, 0x0E, 0x0F, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19,
    0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F, b'\\',
];

/// A store that nobody told us about: what a file system below it could hold and XML could list, `Content-MD5`, no
/// conditions.
const GENERIC: Quirks = Quirks {
    names: NameRules {
        max_component: 255,
        max_path: 1024,
        utf8_only: true,
        empty_components: false,
        dot_components: false,
        item_and_prefix: false,
        forbidden: GENERIC_FORBIDDEN,
        ..NameRules::ANY
    },
    marker_suffix: b"",
    plain_listing: false,
    begins_anywhere: true,
    checksum: Checksum::Md5,
    conditional_put: false,
    conditional_delete: false,
    etag_is_md5: false,
    checks_object_size: false,
    equal_parts: true,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_header_tells_the_flavour_and_words_read_back() {
        assert_eq!(Flavour::of_server("MinIO"), Flavour::Minio);
        assert_eq!(Flavour::of_server("MinIO/DEVELOPMENT.GOGET"), Flavour::Minio);
        assert_eq!(Flavour::of_server("AmazonS3"), Flavour::Aws);
        assert_eq!(Flavour::of_server("nginx"), Flavour::Generic);
        for flavour in [Flavour::Aws, Flavour::Minio, Flavour::Versity, Flavour::Generic] {
            assert_eq!(Flavour::from_word(flavour.word()), Some(flavour));
        }
    }
}
