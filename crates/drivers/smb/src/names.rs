//! Names: UTF-16 on the wire, WTF-8 in a path, and back without loss.
//!
//! NTFS takes any sequence of 16-bit units. What is valid Unicode is plain UTF-8 here; a surrogate without its
//! other half becomes the three bytes that UTF-8 would give that number (WTF-8), which no valid UTF-8 holds.

use model::RelPath;
use storage::{Error, ErrorKind, Result};

/// Most 16-bit units of a name that is sent: its length is a 16-bit number of bytes ([MS-SMB2] 2.2.9, 2.2.13).
pub(crate) const LONGEST: usize = u16::MAX as usize / 2;
/// What is wrong with a longer one.
pub(crate) const TOO_LONG: &str = "the path is longer than a request of SMB can say";

/// WTF-8 of 16-bit units.
pub(crate) fn from_units(units: impl Iterator<Item = u16>) -> Vec<u8> {
    let (least, _) = units.size_hint();
    let mut out = Vec::with_capacity(least + least / 2);
    for decoded in char::decode_utf16(units) {
        match decoded {
            Ok(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(lone) => {
                let unit = lone.unpaired_surrogate();
                let [high, low] = unit.to_be_bytes();
                // 1110xxxx 10xxxxxx 10xxxxxx
                out.push(0xE0 | (high >> 4));
                out.push(0x80 | ((high & 0x0F) << 2) | (low >> 6));
                out.push(0x80 | (low & 0x3F));
            }
        }
    }
    out
}

/// WTF-8 of little-endian 16-bit units; an odd last byte is left out.
pub(crate) fn from_wire(raw: &[u8]) -> Vec<u8> {
    // Most names are ASCII, and a listing has a million of them.
    if raw.chunks_exact(2).all(|unit| unit[1] == 0 && unit[0] < 0x80) {
        return raw.chunks_exact(2).map(|unit| unit[0]).collect();
    }
    from_units(units(raw))
}

/// Text of little-endian 16-bit units for people to read; what is not Unicode becomes U+FFFD.
pub(crate) fn text(raw: &[u8]) -> String {
    char::decode_utf16(units(raw))
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .take_while(|c| *c != '\0')
        .collect()
}

fn units(raw: &[u8]) -> impl Iterator<Item = u16> {
    raw.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
}

/// 16-bit units of WTF-8; `None` where the bytes are neither UTF-8 nor a surrogate in that form.
pub(crate) fn to_units(raw: &[u8]) -> Option<Vec<u16>> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while !rest.is_empty() {
        match std::str::from_utf8(rest) {
            Ok(valid) => {
                out.extend(valid.encode_utf16());
                return Some(out);
            }
            Err(error) => {
                let (valid, after) = rest.split_at(error.valid_up_to());
                out.extend(std::str::from_utf8(valid).expect("from_utf8 said so").encode_utf16());
                let ([0xED, second @ 0xA0..=0xBF, third @ 0x80..=0xBF], after) = after.split_first_chunk::<3>()? else {
                    return None;
                };
                let unit = 0xD000 | (u16::from(second & 0x3F) << 6) | u16::from(third & 0x3F);
                // Two halves that belong together are one character, written as such: this form is not WTF-8.
                let pairs =
                    (0xDC00..=0xDFFF).contains(&unit) && out.last().is_some_and(|u| (0xD800..=0xDBFF).contains(u));
                if pairs {
                    return None;
                }
                out.push(unit);
                rest = after;
            }
        }
    }
    Some(out)
}

/// 16-bit units of text.
pub(crate) fn utf16(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

/// Little-endian bytes of 16-bit units.
pub(crate) fn le_bytes(units: &[u16]) -> Vec<u8> {
    units.iter().flat_map(|unit| unit.to_le_bytes()).collect()
}

/// A path as a CREATE takes it: 16-bit units with `\` between components; empty for the root of the share.
///
/// Errors: `NameRefused` for what no SMB server can hold under one name: an empty, `.` or `..` component, a
/// backslash (it separates), a colon (it would open a stream), NUL, or bytes that are not WTF-8.
pub(crate) fn wire_path(path: &RelPath, op: &'static str) -> Result<Vec<u16>> {
    let refused = |why: &'static str| Err(Error::new(ErrorKind::NameRefused, op).at(path).because(why));
    let mut out = Vec::with_capacity(path.len());
    for name in path.components() {
        if matches!(name, b"" | b"." | b"..") {
            return refused("an empty, `.` or `..` component has a meaning of its own");
        }
        if name.iter().any(|b| matches!(b, 0 | b'\\' | b':')) {
            return refused("NUL, backslash and colon cannot stand in a name of SMB");
        }
        let Some(units) = to_units(name) else { return refused("the name is not Unicode, as SMB has it") };
        if !out.is_empty() {
            out.push(u16::from(b'\\'));
        }
        out.extend(units);
    }
    if out.len() > LONGEST {
        return refused(TOO_LONG);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_sequence_of_units_comes_back(units in proptest::collection::vec(
            prop_oneof![any::<u16>(), 0xD7F0_u16..0xE010, Just(0x41_u16)], 0..40)) {
            let name = from_units(units.iter().copied());
            prop_assert_eq!(to_units(&name), Some(units.clone()));
            prop_assert_eq!(from_wire(&le_bytes(&units)), name);
        }
        #[test]
        fn no_two_byte_strings_are_one_name(raw in proptest::collection::vec(
            prop_oneof![Just(0xED_u8), 0x80_u8..=0xBF, Just(b'a'), any::<u8>()], 0..12)) {
            if let Some(units) = to_units(&raw) {
                prop_assert_eq!(from_units(units.into_iter()), raw);
            }
        }
    }

    #[test]
    fn a_lone_surrogate_is_three_bytes() {
        assert_eq!(from_units([0x61, 0xD800, 0x62].into_iter()), b"a\xED\xA0\x80b");
        assert_eq!(from_units([0xD83D, 0xDE00].into_iter()), "😀".as_bytes());
        assert_eq!(to_units(b"\xFF"), None);
    }

    #[test]
    fn a_name_that_means_something_else_is_refused() {
        for path in ["a//b", "a/../b", ".", "a:b", "a\\b", "/a", "a/"] {
            assert_eq!(wire_path(&path.into(), "stat").unwrap_err().kind(), ErrorKind::NameRefused, "{path}");
        }
        assert_eq!(wire_path(&"a/b".into(), "stat").unwrap(), utf16("a\\b"));
        assert!(wire_path(&RelPath::ROOT, "stat").unwrap().is_empty());
    }
}
