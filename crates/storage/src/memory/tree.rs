//! Listing one directory of a file tree.

use super::namespace::Namespace;
use crate::{Cursor, Error, ErrorKind, Page, Result};
use bytes::Bytes;
use model::{Facets, RelPath};
use std::ops::Bound;

/// The entries of `dir` after the one that `from` names, at most `limit`.
pub(super) fn page(
    names: &Namespace,
    dir: &RelPath,
    from: Option<&Cursor>,
    want: Facets,
    limit: usize,
) -> Result<Page> {
    if !names.find(dir, Facets::NONE, "list")?.kind.is_dir() {
        return Err(Error::new(ErrorKind::Invalid, "list").at(dir).because("it is not a directory"));
    }
    let prefix = if dir.is_root() { Bytes::new() } else { dir.join(b"").to_bytes() };
    let mut entries = Vec::new();
    let mut after = match from {
        Some(Cursor(last)) => Bound::Excluded(last.clone()),
        None if dir.is_root() => Bound::Excluded(Bytes::new()),
        None => Bound::Included(prefix.clone()),
    };
    while let Some((key, _)) = names.names.range((after, Bound::Unbounded)).next() {
        let Some(name) = key.strip_prefix(&prefix[..]) else { break };
        if let Some(slash) = name.iter().position(|b| *b == b'/') {
            // Below a child: everything that starts with `child/` sorts before `child0`.
            let child = &key[..prefix.len() + slash];
            after = Bound::Included([child, b"0"].concat().into());
            continue;
        }
        if entries.len() == limit {
            let last: &model::Entry = entries.last().expect("a page holds at least one entry");
            let next = Some(Cursor(last.path.to_bytes()));
            return Ok(Page::new(entries, next));
        }
        entries.push(names.entry(key, want));
        after = Bound::Excluded(key.clone());
    }
    Ok(Page::new(entries, None))
}
