//! Crossing to a store with other rules for names: one pure, reversible function.

use crate::RelPath;
use std::fmt;

/// What a store accepts as a name. Lengths are bytes; 0 means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about a store")]
pub struct NameRules {
    /// Longest component.
    pub max_component: u32,
    /// Longest whole path, from the store's root (a bucket, an export).
    pub max_path: u32,
    /// Names must be valid UTF-8.
    pub utf8_only: bool,
    /// `a` and `A` are two names.
    pub case_sensitive: bool,
    /// Empty components (`a//b`, `/a`, `dir/`) are names of their own.
    pub empty_components: bool,
    /// `.` and `..` are names like others.
    pub dot_components: bool,
    /// `. `, ` ..` and the like, dots with white space around them, are names like others.
    pub padded_dots: bool,
    /// One name may be both an item and a prefix of others (`a` and `a/b`).
    pub item_and_prefix: bool,
    /// Bytes that no name may hold.
    pub forbidden: &'static [u8],
}

impl NameRules {
    /// Any bytes at all: what an object store without opinions would take.
    pub const ANY: Self = Self {
        max_component: 0,
        max_path: 0,
        utf8_only: false,
        case_sensitive: true,
        empty_components: true,
        dot_components: true,
        padded_dots: true,
        item_and_prefix: true,
        forbidden: &[],
    };
    /// A POSIX file system: 255 bytes a component, no NUL, `/` separates, `.` and `..` are taken.
    pub const POSIX: Self = Self {
        max_component: 255,
        max_path: 0,
        utf8_only: false,
        case_sensitive: true,
        empty_components: false,
        dot_components: false,
        padded_dots: true,
        item_and_prefix: false,
        forbidden: &[0],
    };
}

/// Why a store cannot hold a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameRefusal {
    /// A component of this many bytes is longer than the store allows.
    ComponentTooLong {
        /// Bytes the component needs (after escaping, if that was allowed).
        needs: usize,
        /// What the store allows.
        limit: u32,
    },
    /// The whole path is longer than the store allows.
    PathTooLong {
        /// Bytes the path needs (after escaping, if that was allowed).
        needs: usize,
        /// What the store allows.
        limit: u32,
    },
    /// Not valid UTF-8.
    NotUtf8,
    /// An empty component, a `.` or a `..`, or one of these with white space around it.
    Reserved,
    /// Holds a byte that the store refuses.
    Forbidden(u8),
}

impl fmt::Display for NameRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ComponentTooLong { needs, limit } => {
                write!(f, "a component needs {needs} bytes, the target takes {limit}")
            }
            Self::PathTooLong { needs, limit } => write!(f, "the path needs {needs} bytes, the target takes {limit}"),
            Self::NotUtf8 => f.write_str("the name is not valid UTF-8, which the target demands"),
            Self::Reserved => f.write_str("an empty, `.` or `..` component, which the target cannot hold"),
            Self::Forbidden(byte) => write!(f, "the name holds byte 0x{byte:02X}, which the target refuses"),
        }
    }
}
impl std::error::Error for NameRefusal {}

/// Maps paths to what a store can hold, and back.
///
/// A byte that the store cannot hold becomes `␛XX` (U+241B, then two hexadecimal digits), an empty
/// component becomes `␛-`, and `␛` itself is doubled; everything else stays as it is. The mapping is
/// injective, and `restore` undoes it without knowing the rules.
#[derive(Clone, Copy, Debug)]
pub struct NameMap {
    rules: NameRules,
    escape: bool,
    /// Bytes of the target's own prefix, which count towards `max_path`.
    prefix_len: usize,
}

const ESCAPE: &[u8] = "\u{241B}".as_bytes();

impl NameMap {
    /// Refuses what the store cannot hold.
    pub const fn refusing(rules: NameRules) -> Self {
        Self { rules, escape: false, prefix_len: 0 }
    }
    /// Escapes what the store cannot hold, refuses only what is too long.
    pub const fn escaping(rules: NameRules) -> Self {
        Self { rules, escape: true, prefix_len: 0 }
    }
    /// Counts `bytes` of the target's own prefix towards the longest path.
    #[must_use]
    pub const fn under_prefix(mut self, bytes: usize) -> Self {
        self.prefix_len = bytes;
        self
    }

    /// The path at the target, or why there is none.
    pub fn to(&self, path: &RelPath) -> Result<RelPath, NameRefusal> {
        if path.is_root() {
            return Ok(path.clone());
        }
        let mapped = if self.escape && self.needs_escape(path) {
            let parts: Vec<Vec<u8>> = path.components().map(|c| self.escaped(c)).collect();
            RelPath::from_bytes(parts.join(&b'/'))
        } else {
            path.clone()
        };
        self.check(&mapped)?;
        Ok(mapped)
    }

    /// Undoes `to` of an escaping map. `None` where the name holds `␛` in a way `to` never writes it.
    pub fn restore(path: &RelPath) -> Option<RelPath> {
        if find(path.as_bytes(), ESCAPE).is_none() {
            return Some(path.clone());
        }
        let parts: Option<Vec<Vec<u8>>> = path.components().map(restored).collect();
        Some(RelPath::from_bytes(parts?.join(&b'/')))
    }

    fn needs_escape(&self, path: &RelPath) -> bool {
        let raw = path.as_bytes();
        (self.rules.utf8_only && path.to_str().is_none())
            || raw.iter().any(|b| self.rules.forbidden.contains(b))
            || path.components().any(|c| self.reserved(c))
            || find(raw, ESCAPE).is_some()
    }
    fn reserved(&self, component: &[u8]) -> bool {
        (component.is_empty() && !self.rules.empty_components)
            || (matches!(component, b"." | b"..") && !self.rules.dot_components)
            || (!self.rules.padded_dots && is_padded_dots(component))
    }
    fn escaped(&self, component: &[u8]) -> Vec<u8> {
        if component.is_empty() && !self.rules.empty_components {
            return [ESCAPE, b"-"].concat();
        }
        let dots = self.reserved(component);
        let mut out = Vec::with_capacity(component.len() + 16);
        let quote = |out: &mut Vec<u8>, byte: u8| {
            out.extend_from_slice(ESCAPE);
            out.extend_from_slice(format!("{byte:02X}").as_bytes());
        };
        for chunk in component.utf8_chunks() {
            for c in chunk.valid().chars() {
                let mut buffer = [0; 4];
                let raw = c.encode_utf8(&mut buffer).as_bytes();
                if raw == ESCAPE {
                    out.extend_from_slice(ESCAPE);
                    out.extend_from_slice(ESCAPE);
                } else if raw.iter().any(|b| self.rules.forbidden.contains(b)) || (dots && c == '.') {
                    for byte in raw {
                        quote(&mut out, *byte);
                    }
                } else {
                    out.extend_from_slice(raw);
                }
            }
            for byte in chunk.invalid() {
                if self.rules.utf8_only || self.rules.forbidden.contains(byte) {
                    quote(&mut out, *byte);
                } else {
                    out.push(*byte);
                }
            }
        }
        out
    }

    fn check(&self, path: &RelPath) -> Result<(), NameRefusal> {
        let rules = &self.rules;
        if rules.utf8_only && path.to_str().is_none() {
            return Err(NameRefusal::NotUtf8);
        }
        if let Some(byte) = path.as_bytes().iter().find(|b| rules.forbidden.contains(b)) {
            return Err(NameRefusal::Forbidden(*byte));
        }
        for component in path.components() {
            if self.reserved(component) {
                return Err(NameRefusal::Reserved);
            }
            if rules.max_component > 0 && component.len() > rules.max_component as usize {
                return Err(NameRefusal::ComponentTooLong { needs: component.len(), limit: rules.max_component });
            }
        }
        let needs = self.prefix_len + path.len();
        if rules.max_path > 0 && needs > rules.max_path as usize {
            return Err(NameRefusal::PathTooLong { needs, limit: rules.max_path });
        }
        Ok(())
    }
}

/// Dots with white space (Unicode's) around them.
fn is_padded_dots(component: &[u8]) -> bool {
    std::str::from_utf8(component).is_ok_and(|text| text.trim() != text && matches!(text.trim(), "." | ".."))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

fn restored(component: &[u8]) -> Option<Vec<u8>> {
    if component.strip_prefix(ESCAPE) == Some(b"-") {
        return Some(Vec::new());
    }
    let mut out = Vec::with_capacity(component.len());
    let mut rest = component;
    while let Some(at) = find(rest, ESCAPE) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + ESCAPE.len()..];
        if let Some(after) = rest.strip_prefix(ESCAPE) {
            out.extend_from_slice(ESCAPE);
            rest = after;
        } else {
            let hex = std::str::from_utf8(rest.get(..2)?).ok()?;
            out.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &rest[2..];
        }
    }
    out.extend_from_slice(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STRICT: NameRules = NameRules {
        utf8_only: true,
        empty_components: false,
        dot_components: false,
        padded_dots: false,
        forbidden: b"\\\n",
        ..NameRules::ANY
    };

    /// Names made of what is likely to collide: escapes, dots, slashes, bad bytes.
    fn nasty() -> impl Strategy<Value = RelPath> {
        let piece = prop_oneof![
            Just(&b"\xE2\x90\x9B"[..]),
            Just(&b"-"[..]),
            Just(&b"FF"[..]),
            Just(&b"\xFF"[..]),
            Just(&b"."[..]),
            Just(&b".."[..]),
            Just(&b"/"[..]),
            Just(&b"2E"[..]),
            Just(&b"\\"[..]),
            Just(&b"\xED\xA0\x80"[..]),
            Just(&b"a"[..]),
        ];
        proptest::collection::vec(piece, 1..8).prop_map(|p| RelPath::from_bytes(p.concat()))
    }

    proptest! {
        #[test]
        fn every_mapped_name_is_held_and_comes_back(path in nasty()) {
            let mapped = NameMap::escaping(STRICT).to(&path).unwrap();
            prop_assert_eq!(NameMap::refusing(STRICT).check(&mapped), Ok(()));
            prop_assert_eq!(NameMap::restore(&mapped), Some(path));
        }
        #[test]
        fn two_names_never_become_one(a in nasty(), b in nasty()) {
            let map = NameMap::escaping(STRICT);
            prop_assert_eq!(map.to(&a) == map.to(&b), a == b);
        }
    }

    #[test]
    fn names_that_are_too_long_are_refused_with_figures() {
        let rules = NameRules { max_component: 255, max_path: 1024, utf8_only: true, ..NameRules::ANY };
        let bad = RelPath::from_bytes([b'\xFF'; 100].to_vec());
        assert_eq!(NameMap::escaping(rules).to(&bad), Err(NameRefusal::ComponentTooLong { needs: 500, limit: 255 }));
        assert_eq!(NameMap::refusing(rules).to(&bad), Err(NameRefusal::NotUtf8));
        let long = RelPath::from("a/".repeat(500).as_str());
        assert_eq!(
            NameMap::refusing(rules).under_prefix(30).to(&long),
            Err(NameRefusal::PathTooLong { needs: 1030, limit: 1024 })
        );
    }
}
