//! Metadata of a file in the user metadata of an object, under the keys that DataSync, Storage Gateway
//! and FSx for Lustre share.
//!
//! `file-owner` and `file-group` are decimal ids, `file-permissions` is `st_mode` in octal with the type of
//! the file (`0100644`, `0040755`, `0120777`), `file-mtime` and `file-atime` are nanoseconds since the epoch
//! with `ns` after them ("Exporting changes to the data repository", FSx for Lustre User Guide, read 2026-11).
//! An owner that the source knows by name only stands there by name.
//!
//! Other user metadata is kept as it is. A value that a header cannot carry (not ASCII, controls, outer
//! spaces, or what looks encoded already) is written as RFC 2047 encoded words in UTF-8, which is what S3
//! itself does, and read back from them.

use crate::fields::Fields;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use model::{Facets, Kind, Metadata, Posix, Principal, Timestamp};
use std::borrow::Cow;
use storage::{Error, ErrorKind, Result};

/// What every header of user metadata begins with.
const PREFIX: &str = "x-amz-meta-";
/// Names and values together, without the prefix ("User-defined object metadata", S3 User Guide).
const LIMIT: usize = 2048;

const OWNER: &str = "file-owner";
const GROUP: &str = "file-group";
const PERMISSIONS: &str = "file-permissions";
const MTIME: &str = "file-mtime";
const ATIME: &str = "file-atime";
const AGENT: &str = "user-agent";
const SELF: &str = "longshore";
const OWNER_FIELD: HeaderName = HeaderName::from_static("x-amz-meta-file-owner");
const GROUP_FIELD: HeaderName = HeaderName::from_static("x-amz-meta-file-group");
const PERMISSIONS_FIELD: HeaderName = HeaderName::from_static("x-amz-meta-file-permissions");
const MTIME_FIELD: HeaderName = HeaderName::from_static("x-amz-meta-file-mtime");
const ATIME_FIELD: HeaderName = HeaderName::from_static("x-amz-meta-file-atime");
const AGENT_FIELD: HeaderName = HeaderName::from_static("x-amz-meta-user-agent");

/// Metadata that an object can tell.
pub(crate) const READS: Facets = Facets::POSIX.and(Facets::USER_META).and(Facets::DIGESTS);
/// Metadata that an object can keep.
pub(crate) const WRITES: Facets = Facets::POSIX.and(Facets::USER_META);

/// The bits of `st_mode` that say what it is.
const TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const LINK: u32 = 0o120_000;

/// Adds the headers for `meta` and tells which facets they keep. `Invalid` when they are too long or a name
/// cannot be a header's.
pub(crate) fn write(fields: &mut Fields, meta: &Metadata, kind: &Kind) -> Result<Facets> {
    let before = fields.iter().count();
    let mut ours = false;
    if let Some(posix) = &meta.posix {
        add_principal(fields, OWNER_FIELD, &posix.owner);
        add_principal(fields, GROUP_FIELD, &posix.group);
    }
    let mode = meta.posix.as_ref().map(|posix| posix.mode & 0o7777);
    // Without its type a link would come back as a file.
    if let Some(mode) = mode.or(matches!(kind, Kind::Symlink { .. }).then_some(0o777)) {
        let kind = match kind {
            Kind::Dir => DIRECTORY,
            Kind::Symlink { .. } => LINK,
            Kind::File | Kind::Special(_) => REGULAR,
        };
        fields.add(PERMISSIONS_FIELD, format_args!("{:07o}", kind | mode));
        ours = true;
    }
    for (name, time) in [(MTIME_FIELD, meta.mtime), (ATIME_FIELD, meta.atime)] {
        if let Some(time) = time {
            add_time(fields, name, time);
            ours = true;
        }
    }
    if ours && !meta.user.iter().any(|(name, _)| name.eq_ignore_ascii_case(AGENT)) {
        fields.add(AGENT_FIELD, SELF);
    }
    for (name, value) in &meta.user {
        let header = HeaderName::try_from(format!("{PREFIX}{name}")).map_err(|_| {
            unfit(format!("the user metadata's name `{}` cannot be the name of a header", name.escape_debug()))
        })?;
        // What the metadata itself says wins over a leftover of the same name.
        if fields.iter().skip(before).all(|(there, _)| there != header.as_str()) {
            fields.add(header, carried(value));
        }
    }
    let size = fields.iter().skip(before).map(|(name, value)| name.len() - PREFIX.len() + value.len()).sum::<usize>();
    if size > LIMIT {
        return Err(unfit(format!("the metadata needs {size} bytes, an object holds {LIMIT}"))
            .hint("leave some of the user metadata behind"));
    }
    Ok(meta.facets().shared(WRITES))
}

fn unfit(why: String) -> Error {
    Error::new(ErrorKind::Invalid, "write the metadata").because(why)
}

fn add_principal(fields: &mut Fields, field: HeaderName, who: &Principal) {
    match who {
        Principal::Id(id) => fields.add(field, id),
        Principal::Name(name) => fields.add(field, carried(name)),
        Principal::Sid(_) => fields.add(field, who),
    }
}

/// `1595002920000000000ns`.
fn add_time(fields: &mut Fields, field: HeaderName, time: Timestamp) {
    // Nearly every time since 1901 fits; 128-bit division costs ten times as much.
    match time.secs.checked_mul(1_000_000_000).and_then(|nanos| nanos.checked_add(time.nanos.into())) {
        Some(nanos) => fields.add(field, format_args!("{nanos}ns")),
        None => fields.add(field, format_args!("{}ns", time.total_nanos())),
    }
}

/// What a head tells: the metadata, and whether it says "link".
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub meta: Metadata,
    pub link: bool,
}

/// Reads what [`write()`] writes, and what others write under the same keys: a time without `ns` is in
/// seconds, perhaps with a fraction. What cannot be read stays in the user metadata.
pub(crate) fn read(headers: &HeaderMap) -> Told {
    let mut told = Told::default();
    let (mut owner, mut group, mut mode) = (None, None, None);
    let user = &mut told.meta.user;
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix(PREFIX) else { continue };
        let text = decoded(value.as_bytes());
        let known = match name {
            OWNER => replaced(&mut owner, who(&text)),
            GROUP => replaced(&mut group, who(&text)),
            PERMISSIONS => replaced(&mut mode, u32::from_str_radix(text.trim_start_matches("0o"), 8).ok()),
            MTIME => replaced(&mut told.meta.mtime, time(&text)),
            ATIME => replaced(&mut told.meta.atime, time(&text)),
            AGENT => text == SELF,
            _ => false,
        };
        if !known {
            user.push((name.to_owned(), text));
        }
    }
    told.link = mode.is_some_and(|mode| mode & TYPE == LINK);
    match (owner, group, mode) {
        (Some(owner), Some(group), Some(mode)) => told.meta.posix = Some(Posix { mode: mode & 0o7777, owner, group }),
        // Half of it cannot be told as such: it stays what it was.
        (owner, group, mode) => {
            for (name, value) in [(OWNER, owner), (GROUP, group)] {
                user.extend(value.map(|who| (name.to_owned(), who.to_string())));
            }
            user.extend(
                mode.filter(|mode| mode & TYPE != LINK).map(|mode| (PERMISSIONS.to_owned(), format!("{mode:07o}"))),
            );
        }
    }
    user.sort_unstable();
    told
}

/// Does the head say "link"? Cheaper than [`read`].
pub(crate) fn is_link(headers: &HeaderMap) -> bool {
    headers
        .get(PERMISSIONS_FIELD)
        .and_then(|value| u32::from_str_radix(value.to_str().ok()?, 8).ok())
        .is_some_and(|mode| mode & TYPE == LINK)
}

fn replaced<T>(slot: &mut Option<T>, value: Option<T>) -> bool {
    *slot = value;
    slot.is_some()
}

fn who(text: &str) -> Option<Principal> {
    (!text.is_empty()).then(|| text.parse().map_or_else(|_| Principal::Name(text.to_owned()), Principal::Id))
}

fn time(text: &str) -> Option<Timestamp> {
    if let Some(digits) = text.strip_suffix("ns") {
        return Timestamp::from_total_nanos(digits.parse().ok()?);
    }
    let text = text.strip_suffix('s').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let secs: i64 = whole.parse().ok()?;
    let digits = format!("{fraction:0<9.9}");
    let nanos: i128 = digits.parse().ok()?;
    let nanos = if whole.starts_with('-') { -nanos } else { nanos };
    Timestamp::from_total_nanos(i128::from(secs) * 1_000_000_000 + nanos)
}

/// A value as a header carries it.
fn carried(text: &str) -> Cow<'_, str> {
    let plain = text.bytes().all(|b| (b' '..=b'~').contains(&b)) && text.trim() == text && !text.contains("=?");
    if plain { Cow::Borrowed(text) } else { Cow::Owned(encoded(text)) }
}

/// RFC 2047 encoded words in UTF-8, none longer than the 75 characters that it allows.
fn encoded(text: &str) -> String {
    const OPEN: &str = "=?UTF-8?B?";
    /// Bytes whose base64 leaves room for the frame.
    const WORD: usize = (75 - OPEN.len() - 2) / 4 * 3;
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.len().min(WORD);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (word, after) = rest.split_at(end);
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(OPEN);
        STANDARD.encode_string(word, &mut out);
        out.push_str("?=");
        rest = after;
    }
    out
}

/// Undoes [`encoded`] (and the `Q` form, which others write); anything else is taken as it is, bytes that
/// are not UTF-8 as Latin-1.
fn decoded(raw: &[u8]) -> String {
    let text = std::str::from_utf8(raw).map_or_else(|_| raw.iter().map(|b| char::from(*b)).collect(), str::to_owned);
    if !text.starts_with("=?") {
        return text;
    }
    let words: Option<Vec<Vec<u8>>> = text.split(' ').map(word).collect();
    words.and_then(|words| String::from_utf8(words.concat()).ok()).unwrap_or(text)
}

fn word(text: &str) -> Option<Vec<u8>> {
    let inner = text.strip_prefix("=?")?.strip_suffix("?=")?;
    let mut parts = inner.splitn(3, '?');
    let (charset, form, content) = (parts.next()?, parts.next()?, parts.next()?);
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    match form {
        "B" | "b" => STANDARD.decode(content).ok(),
        "Q" | "q" => {
            // The same as percent-encoding with other letters.
            let text = content.replace('%', "%25").replace('=', "%").replace('_', " ");
            Some(percent_encoding::percent_decode(text.as_bytes()).collect())
        }
        _ => None,
    }
}

/// The target of a link from the content of its object.
pub(crate) fn link(target: Bytes) -> Kind {
    Kind::Symlink { target }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(meta: &Metadata, kind: &Kind) -> (HeaderMap, Told) {
        let mut fields = Fields::new();
        let kept = write(&mut fields, meta, kind).unwrap();
        assert_eq!(kept, meta.facets().shared(WRITES));
        let headers = fields.into_map();
        let told = read(&headers);
        (headers, told)
    }

    #[test]
    fn posix_metadata_stands_under_datasyncs_keys_and_comes_back() {
        let meta = Metadata {
            mtime: Some(Timestamp { secs: 1_595_002_920, nanos: 0 }),
            atime: Some(Timestamp { secs: -1, nanos: 999_999_999 }),
            posix: Some(Posix { mode: 0o4755, owner: Principal::Id(1000), group: Principal::Name("staff".into()) }),
            ..Metadata::default()
        };
        let (headers, told) = round(&meta, &Kind::File);
        let text = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(text("x-amz-meta-file-owner"), "1000");
        assert_eq!(text("x-amz-meta-file-group"), "staff");
        assert_eq!(text("x-amz-meta-file-permissions"), "0104755");
        assert_eq!(text("x-amz-meta-file-mtime"), "1595002920000000000ns");
        assert_eq!(text("x-amz-meta-file-atime"), "-1ns");
        assert_eq!(text("x-amz-meta-user-agent"), "longshore");
        assert_eq!((told.meta, told.link), (meta.clone(), false));
        assert_eq!(round(&meta, &Kind::Dir).0["x-amz-meta-file-permissions"], "0044755");
        let (headers, told) = round(&Metadata::default(), &link(Bytes::new()));
        assert_eq!(headers["x-amz-meta-file-permissions"], "0120777");
        assert!(told.link && is_link(&headers) && told.meta.user.is_empty());
    }

    #[test]
    fn user_metadata_comes_back_whatever_it_holds() {
        let long = "é".repeat(200);
        let user: Vec<(String, String)> = [
            ("a", ""),
            ("b", "plain, with  spaces"),
            ("c", " outer "),
            ("d", "caf\u{e9}\n"),
            ("e", "=?UTF-8?B?eA==?="),
            ("f", &long),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .to_vec();
        let meta = Metadata { user, ..Metadata::default() };
        let (headers, told) = round(&meta, &Kind::File);
        assert_eq!(told.meta, meta);
        assert_eq!(headers["x-amz-meta-b"], "plain, with  spaces");
        assert!(!headers.contains_key("x-amz-meta-user-agent"));
        assert_eq!(decoded(b"=?UTF-8?Q?caf=C3=A9_?="), "café ");
    }

    #[test]
    fn no_field_stands_twice() {
        let posix = Posix { mode: 0o600, owner: Principal::Id(1), group: Principal::Id(2) };
        let user = vec![("file-owner".to_owned(), "9".to_owned())];
        let (headers, told) = round(&Metadata { posix: Some(posix.clone()), user, ..Metadata::default() }, &Kind::File);
        assert_eq!(headers.get_all("x-amz-meta-file-owner").iter().count(), 1);
        assert_eq!(told.meta, Metadata { posix: Some(posix), ..Metadata::default() });
    }

    #[test]
    fn what_others_write_is_read_leniently_and_nothing_is_lost() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-amz-meta-file-mtime", "1595002920"),
            ("x-amz-meta-file-atime", "1595002920.5"),
            ("x-amz-meta-file-permissions", "0755"),
            ("x-amz-meta-file-owner", "7"),
            ("x-amz-meta-user-agent", "aws-datasync"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let told = read(&headers);
        assert_eq!(told.meta.mtime, Some(Timestamp { secs: 1_595_002_920, nanos: 0 }));
        assert_eq!(told.meta.atime, Some(Timestamp { secs: 1_595_002_920, nanos: 500_000_000 }));
        assert_eq!(told.meta.posix, None);
        let kept = ["file-owner", "file-permissions", "user-agent"];
        assert_eq!(told.meta.user.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), kept);
        assert_eq!(time("12s"), Some(Timestamp { secs: 12, nanos: 0 }));
        assert_eq!(time("-1.25"), Some(Timestamp { secs: -2, nanos: 750_000_000 }));
        assert_eq!(time("yesterday"), None);
    }

    #[test]
    fn more_than_an_object_holds_is_refused_before_it_is_sent() {
        let user = vec![("note".to_owned(), "x".repeat(2045))];
        let refused = write(&mut Fields::new(), &Metadata { user, ..Metadata::default() }, &Kind::File).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert!(refused.cause().unwrap().contains("2049"));
        let user = vec![("a b".to_owned(), String::new())];
        assert!(write(&mut Fields::new(), &Metadata { user, ..Metadata::default() }, &Kind::File).is_err());
    }
}
