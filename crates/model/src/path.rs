//! A path as the wire had it: bytes, never text.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// A path relative to a location's root: raw bytes, `/`-separated, never normalised.
///
/// NFS and HDFS hand us bytes; SMB's UTF-16 (lone surrogates included) is held as WTF-8; object keys
/// are kept as they are, so `a//b`, `/a`, `a/../b` and `dir/` are four distinct paths. Directories
/// carry no trailing slash; the root is the empty path. Order is byte order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RelPath(Bytes);

/// Why a text form of a path could not be read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTextError {
    /// Byte offset of the broken escape in the text.
    pub at: usize,
}

impl fmt::Display for PathTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken escape in a path at byte {}", self.at)
    }
}
impl std::error::Error for PathTextError {}

impl RelPath {
    /// The root of a location.
    pub const ROOT: Self = Self(Bytes::new());

    /// Takes the bytes as they are.
    pub fn from_bytes(raw: impl Into<Bytes>) -> Self {
        Self(raw.into())
    }
    /// The bytes as they came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
    /// The same bytes, shared without a copy.
    pub fn to_bytes(&self) -> Bytes {
        self.0.clone()
    }
    /// The path as text where it is valid UTF-8.
    pub fn to_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
    /// Is this the root of the location?
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Is the path empty, that is, the root?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The path of `name` in this directory. The name is appended as it is, even when it is empty.
    #[must_use]
    pub fn join(&self, name: &[u8]) -> Self {
        if self.0.is_empty() {
            return Self(Bytes::copy_from_slice(name));
        }
        let mut joined = Vec::with_capacity(self.0.len() + 1 + name.len());
        joined.extend_from_slice(&self.0);
        joined.push(b'/');
        joined.extend_from_slice(name);
        Self(joined.into())
    }
    /// The directory that holds this path; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.0.is_empty() {
            return None;
        }
        Some(self.0.iter().rposition(|b| *b == b'/').map_or(Self::ROOT, |at| Self(self.0.slice(..at))))
    }
    /// The bytes after the last `/`.
    pub fn file_name(&self) -> &[u8] {
        self.0.iter().rposition(|b| *b == b'/').map_or(&self.0[..], |at| &self.0[at + 1..])
    }
    /// The parts between slashes; the root has none, `a//b` has an empty one.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        let root = self.0.is_empty();
        self.0.split(|b| *b == b'/').filter(move |_| !root)
    }
    /// How many components the path has; the root has none.
    pub fn depth(&self) -> usize {
        self.components().count()
    }
    /// Does this path lie in `dir` (or is it `dir`)?
    pub fn starts_with(&self, dir: &Self) -> bool {
        dir.0.is_empty() || self.0.strip_prefix(&dir.0[..]).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }
    /// Reads the form that `Display` prints.
    pub fn from_text(text: &str) -> Result<Self, PathTextError> {
        let raw = text.as_bytes();
        let mut out = Vec::with_capacity(raw.len());
        let mut at = 0;
        while at < raw.len() {
            if raw[at] != b'\\' {
                out.push(raw[at]);
                at += 1;
                continue;
            }
            match raw.get(at + 1) {
                Some(b'\\') => {
                    out.push(b'\\');
                    at += 2;
                }
                Some(b'x') => {
                    let hex = raw.get(at + 2..at + 4).and_then(|h| std::str::from_utf8(h).ok());
                    let byte = hex.and_then(|h| u8::from_str_radix(h, 16).ok()).ok_or(PathTextError { at })?;
                    out.push(byte);
                    at += 4;
                }
                _ => return Err(PathTextError { at }),
            }
        }
        Ok(Self(out.into()))
    }
}

/// Reversible: bytes that are not printable UTF-8 print as `\xNN`, `\` as `\\`.
impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c == '\\' {
                    f.write_str("\\\\")?;
                } else if c.is_control() || is_invisible(c) {
                    for b in c.encode_utf8(&mut [0; 4]).bytes() {
                        write!(f, "\\x{b:02X}")?;
                    }
                } else {
                    write!(f, "{c}")?;
                }
            }
            for b in chunk.invalid() {
                write!(f, "\\x{b:02X}")?;
            }
        }
        Ok(())
    }
}

/// Characters that reorder or hide text on a terminal (bidirectional controls, zero width, BOM).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

impl From<&str> for RelPath {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}
impl From<&[u8]> for RelPath {
    fn from(raw: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(raw))
    }
}

/// `{"text":"…"}` where the bytes are UTF-8, else `{"bytes":"<base64>"}`: ripgrep's form. Binary formats
/// get the bytes as they are.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Form {
    Text(String),
    Bytes(String),
}

impl Serialize for RelPath {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        use base64::Engine as _;
        if !out.is_human_readable() {
            return self.0.serialize(out);
        }
        match self.to_str() {
            Some(text) => Form::Text(text.to_owned()),
            None => Form::Bytes(base64::engine::general_purpose::STANDARD.encode(&self.0)),
        }
        .serialize(out)
    }
}
impl<'de> Deserialize<'de> for RelPath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use base64::Engine as _;
        if !from.is_human_readable() {
            return Bytes::deserialize(from).map(Self);
        }
        match Form::deserialize(from)? {
            Form::Text(text) => Ok(Self(text.into_bytes().into())),
            Form::Bytes(b64) => base64::engine::general_purpose::STANDARD
                .decode(b64)
                .map(|raw| Self(raw.into()))
                .map_err(de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_path_reads_back_from_its_printed_form(raw in proptest::collection::vec(any::<u8>(), 0..64)) {
            let path = RelPath::from_bytes(raw);
            prop_assert_eq!(RelPath::from_text(&path.to_string()), Ok(path.clone()));
            let json = serde_json::to_string(&path).unwrap();
            prop_assert_eq!(serde_json::from_str::<RelPath>(&json).unwrap(), path);
        }
        #[test]
        fn a_joined_name_comes_apart_again(dir in "[a-c/]{0,8}", name in "[a-c]{1,4}") {
            let dir = RelPath::from(dir.as_str());
            let path = dir.join(name.as_bytes());
            prop_assert_eq!(path.file_name(), name.as_bytes());
            prop_assert_eq!(path.parent(), Some(dir));
        }
    }

    #[test]
    fn control_and_reordering_characters_never_reach_a_terminal_raw() {
        let path = RelPath::from_bytes(&b"a\nb\xFF\\\xE2\x80\xAE"[..]);
        assert_eq!(path.to_string(), r"a\x0Ab\xFF\\\xE2\x80\xAE");
    }
}
