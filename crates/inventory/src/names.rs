//! What can be said of one name by itself: its extension, what other systems refuse in it, and the keys
//! by which siblings are found that other systems cannot tell apart.

use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization as _;

/// Longer ones are part of a name, not an extension.
const LONGEST_EXTENSION: usize = 32;

/// The extension of a name in lower case: what follows the last dot, where that is UTF-8, not empty, at most
/// 32 bytes, without white space, and not the whole name (`.bashrc` has none).
pub fn extension(name: &[u8]) -> Option<Cow<'_, str>> {
    let dot = name.iter().rposition(|b| *b == b'.')?;
    let raw = &name[dot + 1..];
    if dot == 0 || raw.is_empty() || raw.len() > LONGEST_EXTENSION {
        return None;
    }
    let text = std::str::from_utf8(raw).ok()?;
    if text.contains(char::is_whitespace) || text.contains(char::is_control) {
        return None;
    }
    let lower = text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase());
    Some(if lower { Cow::Borrowed(text) } else { Cow::Owned(text.to_lowercase()) })
}

/// What other stores may refuse in a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusals {
    pub not_utf8: bool,
    pub control: bool,
    pub not_windows: bool,
}

/// Looks at one component of a path.
pub(crate) fn refusals(name: &[u8]) -> Refusals {
    let mut found = Refusals::default();
    let mut ascii = true;
    for byte in name {
        match byte {
            0x00..=0x1F => {
                found.control = true;
                found.not_windows = true;
            }
            0x7F => found.control = true,
            b'<' | b'>' | b':' | b'"' | b'|' | b'?' | b'*' | b'\\' => found.not_windows = true,
            0x80.. => ascii = false,
            _ => {}
        }
    }
    found.not_windows |= matches!(name.last(), Some(b'.' | b' ')) || is_windows_device(name);
    found.not_utf8 = !ascii && std::str::from_utf8(name).is_err();
    found
}

/// `CON`, `PRN`, `AUX`, `NUL`, `COM1` to `COM9`, `LPT1` to `LPT9` (the digits also as superscripts), with or
/// without an extension: "Naming Files, Paths, and Namespaces", learn.microsoft.com/windows/win32/fileio.
fn is_windows_device(name: &[u8]) -> bool {
    let stem = name.split(|b| *b == b'.').next().unwrap_or(name).trim_ascii_end();
    let Some((base, digit)) = stem.split_at_checked(3) else { return false };
    if digit.is_empty() {
        return [&b"con"[..], b"prn", b"aux", b"nul"].iter().any(|device| base.eq_ignore_ascii_case(device));
    }
    let numbered = base.eq_ignore_ascii_case(b"com") || base.eq_ignore_ascii_case(b"lpt");
    numbered && (matches!(digit, [b'1'..=b'9']) || matches!(digit, [0xC2, 0xB9 | 0xB2 | 0xB3]))
}

/// A key that names share which differ only in case. Not a normal form: `É` in two normal forms has two keys.
pub(crate) fn case_key(name: &[u8]) -> u64 {
    let mut hash = Fnv::new();
    match std::str::from_utf8(name) {
        Ok(text) if !text.is_ascii() => {
            for c in text.chars().flat_map(char::to_lowercase) {
                hash.write(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        _ => name.iter().for_each(|b| hash.write(&[b.to_ascii_lowercase()])),
    }
    hash.0
}

/// A key that names share which differ only in their Unicode normal form; `None` for names that have only
/// one (ASCII) or none (not UTF-8). The few letters that normalise to ASCII (the Kelvin sign) find each
/// other, but not their ASCII form.
pub(crate) fn normal_key(name: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(name).ok().filter(|text| !text.is_ascii())?;
    let mut hash = Fnv::new();
    for c in text.nfc() {
        hash.write(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Some(hash.0)
}

/// FNV-1a, 64 bits (draft-eastlake-fnv): the same in every build, because checkpoints keep its values.
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_is_what_follows_the_last_dot_of_a_name() {
        for (name, expected) in [
            (&b"a.TXT"[..], Some("txt")),
            (b"a.tar.gz", Some("gz")),
            (b"R\xC3\x89SUM.\xC3\x89", Some("é")),
            (b".bashrc", None),
            (b"README", None),
            (b"end.", None),
            (b"Mr. Smith", None),
            (b"a.\xFF", None),
            (b"a.0123456789012345678901234567890123456789", None),
        ] {
            assert_eq!(extension(name).as_deref(), expected, "{name:?}");
        }
    }

    #[test]
    fn what_windows_refuses_is_seen() {
        for name in [
            &b"a:b"[..],
            b"what?",
            b"a\\b",
            b"dot.",
            b"space ",
            b"CON",
            b"nul.txt",
            b"Com1",
            b"lpt9.x.y",
            b"aux .c",
            b"COM\xC2\xB9",
            b"tab\t",
        ] {
            assert!(refusals(name).not_windows, "{name:?}");
        }
        for name in [&b"con1"[..], b"com0", b"com10", b"console", b"a.con", b"nu", b".hidden", b"caf\xC3\xA9"] {
            assert!(!refusals(name).not_windows, "{name:?}");
        }
        assert_eq!(refusals(b"\x7F"), Refusals { control: true, ..Refusals::default() });
        assert_eq!(refusals(b"x\xFF"), Refusals { not_utf8: true, ..Refusals::default() });
    }

    #[test]
    fn twins_share_a_key_and_others_do_not() {
        assert_eq!(case_key(b"ReadMe"), case_key(b"README"));
        assert_eq!(case_key("ÉTÉ".as_bytes()), case_key("été".as_bytes()));
        assert_eq!(case_key(b"A\xFF"), case_key(b"a\xFF"));
        assert_ne!(case_key(b"readme"), case_key(b"readme2"));
        assert_eq!(normal_key("e\u{301}".as_bytes()), normal_key("é".as_bytes()));
        assert_ne!(normal_key("É".as_bytes()), normal_key("é".as_bytes()));
        assert_ne!(case_key("e\u{301}".as_bytes()), case_key("é".as_bytes()));
        assert_eq!(normal_key(b"plain"), None);
    }
}
