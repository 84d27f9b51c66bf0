//! Temporary names: what is being written, beside where it will stand.

use crate::{Tree, errno::failed, paths::Dir};
use bytes::Bytes;
use model::{Facets, RelPath};
use rustix::{
    fs::{AtFlags, unlinkat},
    io::Errno,
};
use storage::{Abandoned, Error, ErrorKind, Result, ResumeToken};

const PREFIX: &[u8] = b".longshore-";
const CONTENT: &[u8] = b".partial";
const RECEIPTS: &[u8] = b".parts";
/// Writes to one name that can be unfinished together.
const SLOTS: u32 = 64;

/// The temporary names for `name`: 16 hexadecimal digits of its BLAKE3 hash, then a number from the
/// second on. All are known beforehand, so unfinished writes are found without listing the directory.
pub(crate) fn names(name: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let hash = blake3::hash(name).to_hex();
    (0..SLOTS).map(move |slot| {
        let number = if slot == 0 { String::new() } else { format!(".{slot}") };
        [PREFIX, &hash.as_bytes()[..16], number.as_bytes(), CONTENT].concat()
    })
}

/// Where the receipts of the write at `temporary` stand.
pub(crate) fn receipts_of(temporary: &[u8]) -> Vec<u8> {
    [temporary.strip_suffix(CONTENT).unwrap_or(temporary), RECEIPTS].concat()
}

/// Is this a name that only we make?
pub(crate) fn is_ours(name: &[u8]) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    let Some(middle) = rest.strip_suffix(CONTENT).or_else(|| rest.strip_suffix(RECEIPTS)) else { return false };
    let Some((hash, number)) = middle.split_at_checked(16) else { return false };
    let digits = number.strip_prefix(b".");
    hash.iter().all(u8::is_ascii_hexdigit)
        && (number.is_empty() || digits.is_some_and(|d| !d.is_empty() && d.iter().all(u8::is_ascii_digit)))
}

/// Tries `make` with each temporary name for `name` until one is free.
pub(crate) fn first_free<T>(
    name: &[u8],
    path: &RelPath,
    op: &'static str,
    mut make: impl FnMut(&[u8]) -> Result<T, Errno>,
) -> Result<(Vec<u8>, T)> {
    for temporary in names(name) {
        match make(&temporary) {
            Ok(made) => return Ok((temporary, made)),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(failed(error, op, path)),
        }
    }
    let cause = format!("{SLOTS} unfinished writes to this name are there");
    Err(Error::new(ErrorKind::AlreadyExists, op).at(path).because(cause).hint("remove its `.longshore-*` files"))
}

/// The temporary name in a token, if it belongs to `path`.
pub(crate) fn name_in(token: &ResumeToken, path: &RelPath) -> Option<Vec<u8>> {
    names(path.file_name()).find(|name| *name == token.0)
}

pub(crate) fn token(temporary: &[u8]) -> ResumeToken {
    ResumeToken(Bytes::copy_from_slice(temporary))
}

/// The directory of `path`, or `None` when it is not there.
fn holder<'a>(tree: &'a Tree, path: &RelPath, op: &'static str) -> Result<Option<Dir<'a>>> {
    if path.is_root() || tree.check_name(path, op).is_err() {
        return Ok(None);
    }
    match tree.root.dir(&path.parent().unwrap_or_default()) {
        Ok(dir) => Ok(Some(dir)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(error) => Err(failed(error, op, path)),
    }
}

pub(crate) fn abandoned(tree: &Tree, path: &RelPath) -> Result<Vec<Abandoned>> {
    const OP: &str = "look for unfinished writes of";
    let Some(dir) = holder(tree, path, OP)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for name in names(path.file_name()) {
        match crate::entry_at(&dir, &name, path, Facets::MTIME.and(Facets::BIRTH)) {
            Ok(entry) => {
                let meta = entry.meta.unwrap_or_default();
                found.push(Abandoned { token: token(&name), since: meta.birth.or(meta.mtime) });
            }
            Err(Errno::NOENT) => {}
            Err(error) => return Err(failed(error, OP, path)),
        }
    }
    Ok(found)
}

pub(crate) fn discard(tree: &Tree, path: &RelPath, token: &ResumeToken) -> Result<()> {
    const OP: &str = "drop the unfinished write of";
    let Some(name) = name_in(token, path) else { return Ok(()) };
    let Some(dir) = holder(tree, path, OP)? else { return Ok(()) };
    for name in [receipts_of(&name), name] {
        match unlinkat(&dir, &name[..], AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(failed(error, OP, path)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_names_are_ours_and_nearly_our_names_are_not() {
        for name in names(b"x") {
            assert!(is_ours(&name) && is_ours(&receipts_of(&name)));
        }
        for name in [
            &b".longshore-.partial"[..],
            b".longshore-0123456789abcdef",
            b".longshore-0123456789abcdef.partial.txt",
            b".longshore-0123456789abcdeg.partial",
            b".longshore-0123456789abcdef..partial",
            b"longshore-0123456789abcdef.partial",
        ] {
            assert!(!is_ours(name), "{}", RelPath::from(name));
        }
    }

    #[test]
    fn a_token_of_another_name_is_not_taken() {
        let first = names(b"x").next().unwrap();
        assert!(name_in(&token(&first), &"dir/x".into()).is_some());
        assert!(name_in(&token(&first), &"dir/y".into()).is_none());
        assert!(name_in(&token(b"../../etc/passwd"), &"dir/x".into()).is_none());
    }
}
