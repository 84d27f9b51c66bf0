//! Keys, queries and checksums as they stand in a request.

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use md5::Digest as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

/// Everything but `A-Z a-z 0-9 - . _ ~`, as SigV4 wants it.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same for a path, whose slashes stay.
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// Appends the key, encoded once; what is signed is what is sent.
pub(crate) fn push_path(out: &mut String, raw: &[u8]) {
    out.extend(percent_encode(raw, PATH));
}

/// A query in canonical form: encoded, sorted by name. The same text is signed and sent.
pub(crate) fn query(pairs: &mut [(&str, &[u8])]) -> String {
    pairs.sort_unstable();
    let mut out = String::new();
    for (i, (name, value)) in pairs.iter().enumerate() {
        if i > 0 {
            out.push('&');
        }
        out.extend(percent_encode(name.as_bytes(), QUERY));
        out.push('=');
        out.extend(percent_encode(value, QUERY));
    }
    out
}

/// Undoes `encoding-type=url`: `+` is a space, as in a form.
pub(crate) fn listed_key(text: &str) -> Vec<u8> {
    if !text.contains('+') {
        return percent_decode(text.as_bytes()).collect();
    }
    percent_decode(text.replace('+', " ").as_bytes()).collect()
}

/// Base64 of the big-endian value, as `x-amz-checksum-crc64nvme` wants it.
pub(crate) fn crc64_text(value: u64) -> String {
    STANDARD.encode(value.to_be_bytes())
}

/// Reads what [`crc64_text`] writes; a composite value (`…-3`) is not one.
pub(crate) fn crc64_value(text: &str) -> Option<u64> {
    Some(u64::from_be_bytes(bytes_of(text)?))
}

/// Base64 of the big-endian value, as `x-amz-checksum-crc32c` wants it.
pub(crate) fn crc32_text(value: u32) -> String {
    STANDARD.encode(value.to_be_bytes())
}

/// Reads what [`crc32_text`] writes.
pub(crate) fn crc32_value(text: &str) -> Option<u32> {
    Some(u32::from_be_bytes(bytes_of(text)?))
}

/// Base64 of raw bytes (`Content-MD5`).
pub(crate) fn base64(raw: &[u8]) -> String {
    STANDARD.encode(raw)
}

/// Base64 of exactly `N` bytes.
pub(crate) fn bytes_of<const N: usize>(text: &str) -> Option<[u8; N]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// The MD5 that an entity tag states; `None` for the tags of multipart uploads and of stores that make
/// up something else.
pub(crate) fn md5_of_etag(etag: &[u8]) -> Option<[u8; 16]> {
    if etag.len() != 32 {
        return None;
    }
    let mut out = [0; 16];
    for (byte, pair) in out.iter_mut().zip(etag.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

/// Lower-case hexadecimal.
pub(crate) fn push_hex(out: &mut String, raw: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in raw {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// SHA-256 of the pieces in lower-case hexadecimal.
pub(crate) fn sha256_hex(pieces: &[Bytes]) -> String {
    let mut sum = digest::Context::new(&digest::SHA256);
    for piece in pieces {
        sum.update(piece);
    }
    let mut out = String::with_capacity(64);
    push_hex(&mut out, sum.finish().as_ref());
    out
}

/// MD5 of the pieces.
pub(crate) fn md5(pieces: &[Bytes]) -> [u8; 16] {
    let mut sum = md5::Md5::new();
    for piece in pieces {
        sum.update(piece);
    }
    sum.finalize().into()
}

/// CRC-64/NVME of the pieces.
pub(crate) fn crc64(pieces: &[Bytes]) -> u64 {
    if let [piece] = pieces {
        return crc_fast::checksum(CrcAlgorithm::Crc64Nvme, piece);
    }
    let mut sum = Digest::new(CrcAlgorithm::Crc64Nvme);
    for piece in pieces {
        sum.update(piece);
    }
    sum.finalize()
}

/// CRC-32C of the pieces.
pub(crate) fn crc32c(pieces: &[Bytes]) -> u32 {
    let mut sum = Digest::new(CrcAlgorithm::Crc32Iscsi);
    for piece in pieces {
        sum.update(piece);
    }
    u32::try_from(sum.finalize()).expect("a 32-bit CRC fits 32 bits")
}

/// The CRC-64/NVME of two contents, one after the other.
pub(crate) fn crc64_joined(first: u64, second: u64, second_len: u64) -> u64 {
    crc_fast::checksum_combine(CrcAlgorithm::Crc64Nvme, first, second, second_len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_encoded_once_and_every_byte_comes_back() {
        let raw: Vec<u8> = (0..=255).collect();
        let mut path = String::new();
        push_path(&mut path, &raw);
        assert!(path.is_ascii());
        assert_eq!(percent_decode(path.as_bytes()).collect::<Vec<u8>>(), raw);
        let mut path = String::new();
        push_path(&mut path, "a b/c%20+~é".as_bytes());
        assert_eq!(path, "a%20b/c%2520%2B~%C3%A9");
    }

    #[test]
    fn a_query_is_sorted_and_encoded() {
        let text = query(&mut [("uploadId", b"a/b+c="), ("partNumber", b"1"), ("delimiter", b"/")]);
        assert_eq!(text, "delimiter=%2F&partNumber=1&uploadId=a%2Fb%2Bc%3D");
    }

    #[test]
    fn a_listed_key_reads_plus_as_a_space_and_escapes_as_bytes() {
        assert_eq!(listed_key("a+b%2Bc%FF/d"), b"a b+c\xFF/d");
    }

    #[test]
    fn checksums_are_the_published_check_values() {
        // Check values over "123456789": CRC-64/NVME and CRC-32/ISCSI of the CRC catalogue.
        let digits = [Bytes::from_static(b"1234"), Bytes::from_static(b"56789")];
        assert_eq!(crc64(&digits), 0xAE8B_1486_0A79_9888);
        assert_eq!(crc32c(&digits), 0xE306_9283);
        assert_eq!(crc64_joined(crc64(&digits[..1]), crc64(&digits[1..]), 5), crc64(&digits));
        assert_eq!(crc64_value(&crc64_text(7)), Some(7));
        assert_eq!(crc64_value("AAAAAAAAAAc=-2"), None);
        assert_eq!(crc32_value(&crc32_text(7)), Some(7));
        assert_eq!(md5_of_etag(b"9e107d9d372bb6826bd81d3542a419d6").unwrap()[0], 0x9e);
        assert_eq!(md5_of_etag(b"9e107d9d372bb6826bd81d3542a419d6-2"), None);
        assert_eq!(base64(&md5(&digits)), "JfnnlDI7RTiF9RgfG2JNCw==");
    }
}
