//! Listing a key space: everything below a prefix in byte order, or one level of it.

use super::namespace::Namespace;
use crate::{Cursor, Page};
use bytes::Bytes;
use model::{Entry, Facets, Kind, RelPath, Stamp};
use std::ops::Bound;

/// The entries below `dir` after the key in `from`, at most `limit`.
///
/// One level at a time, keys that share the next component are one directory. A key that starts with a
/// slash has no directory that a path could name (the empty path is the root), so it is listed itself.
pub(super) fn page(
    names: &Namespace,
    dir: &RelPath,
    recursive: bool,
    from: Option<&Cursor>,
    want: Facets,
    limit: usize,
) -> Page {
    let prefix = if dir.is_root() { Bytes::new() } else { dir.join(b"").to_bytes() };
    let mut after = match from {
        Some(Cursor(last)) => Bound::Excluded(last.clone()),
        None => Bound::Included(prefix.clone()),
    };
    let mut entries = Vec::new();
    let mut last = Bytes::new();
    while let Some((key, _)) = names.names.range((after, Bound::Unbounded)).next() {
        if !key.starts_with(&prefix) {
            break;
        }
        after = Bound::Excluded(key.clone());
        if *key == prefix && names.marks_dir(key) {
            continue; // the marker of `dir` itself
        }
        if entries.len() == limit {
            return Page::new(entries, Some(Cursor(last)));
        }
        let slash = key[prefix.len()..].iter().position(|b| *b == b'/').map(|at| prefix.len() + at);
        match slash.filter(|at| !recursive && *at > 0 && !(names.marks_dir(key) && *at + 1 == key.len())) {
            Some(at) => {
                let path = RelPath::from_bytes(key.slice(..at));
                let marker = path.join(b"").to_bytes();
                entries.push(if names.marks_dir(&marker) {
                    names.entry(&marker, want)
                } else {
                    Entry::new(path, Kind::Dir, Stamp::default())
                });
            }
            None => entries.push(names.entry(key, want)),
        }
        last = key.clone();
        if let Some(at) = slash.filter(|at| !recursive && *at > 0) {
            // Go on behind everything that starts with this component: `/` is followed by `0`.
            let end = Bytes::from([&key[..at], b"0"].concat());
            last = names.names.range(..end.clone()).next_back().map_or(last, |(key, _)| key.clone());
            after = Bound::Included(end);
        }
    }
    Page::new(entries, None)
}
