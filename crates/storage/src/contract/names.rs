//! Names: held byte for byte where the rules say so, refused where they say not.

use super::checks::{promise, refused_with};
use super::{Case, Failure, Need, Subject, caps};
use crate::{Capabilities, ErrorKind, WriteSpec};
use bytes::Bytes;
use model::{NameMap, NameRefusal, RelPath};

const CASES: Need = Need::caps("names that differ by case", |s| caps(s).names.case_sensitive);
const ITEM_AND_PREFIX: Need = Need::caps("names that are item and prefix", |s| caps(s).names.item_and_prefix);
const LONGEST: Need = Need::caps("a limit on the length of a path", |s| caps(s).names.max_path > 0);

pub(super) fn cases() -> Vec<Case> {
    let nasty: [(&str, &[u8]); 27] = [
        ("a component of 255 bytes", &[b'x'; 255]),
        ("a component of 256 bytes", &[b'x'; 256]),
        ("invalid UTF-8", b"x\xFF\xFEy"),
        ("a lone surrogate", b"x\xED\xA0\x80y"),
        ("a trailing space", b"x "),
        ("a trailing dot", b"x."),
        ("two dots inside", b"x..y/..z/w.."),
        ("a dot component", b"x/./y"),
        ("a dot-dot component", b"x/../y"),
        ("a newline", b"x\ny"),
        ("a carriage return", b"x\ry"),
        ("a tab", b"x\ty"),
        ("a control character", b"x\x01y"),
        ("a delete character", b"x\x7Fy"),
        ("a backslash", b"x\\y"),
        ("an empty component", b"x//y"),
        ("a leading slash", b"/x"),
        ("a trailing slash", b"x/"),
        ("a leading dash", b"-rf"),
        ("percent and plus", b"%41+%2F"),
        ("ampersand and angle brackets", b"a&b<c>\"d'"),
        ("question mark, star, colon, hash", b"a?b*c:d#e"),
        ("an emoji", "😀".as_bytes()),
        ("a right-to-left override", "a\u{202E}b".as_bytes()),
        ("characters XML cannot hold", "a\u{FFFE}b".as_bytes()),
        ("our own escape sign", "a\u{241B}2Fb".as_bytes()),
        ("only dots", b"..."),
    ];
    let one = |(what, name): (&str, &'static [u8])| Case::new(format!("names::{what}"), [], move |s| held(s, name));
    // The slices above are constants, so they live as long as the program.
    let mut cases: Vec<Case> = nasty.map(one).into();
    cases.extend([
        Case::new("names::case twins are two files", [CASES], |s| twins(s, b"Straw", b"straw")),
        Case::new("names::composed and decomposed twins are two files", [], |s| {
            twins(s, "caf\u{e9}".as_bytes(), "cafe\u{301}".as_bytes())
        }),
        Case::new("names::a name may be item and prefix", [ITEM_AND_PREFIX], |s| twins(s, b"a", b"a/b")),
        Case::new("names::the longest path is held, one byte more is refused", [LONGEST], longest),
        Case::new("names::a path of eleven hundred bytes", [], |s| held(s, &LONG)),
    ]);
    cases
}

/// Eleven components of 100 bytes.
static LONG: [u8; 1110] = {
    let mut path = [b'p'; 1110];
    let mut at = 100;
    while at < path.len() {
        path[at] = b'/';
        at += 101;
    }
    path
};

fn refusal(caps: &Capabilities, path: &RelPath) -> Option<NameRefusal> {
    NameMap::refusing(caps.names).under_prefix(caps.prefix_len).to(path).err()
}

async fn held(s: Subject, name: &[u8]) -> Result<(), Failure> {
    let path = s.at(name);
    if let Some(reason) = refusal(caps(&s), &path) {
        if let Some(target) = &s.target {
            let answer = target.put(&path, WriteSpec::default(), vec![Bytes::from_static(b"abc")]).await;
            promise!(
                refused_with(&answer, &[ErrorKind::NameRefused]),
                "the rules refuse it ({reason}), but writing answers {answer:?}"
            );
            let answer = target.create(&path, WriteSpec::default()).await.map(|_| ());
            promise!(
                refused_with(&answer, &[ErrorKind::NameRefused]),
                "the rules refuse it ({reason}), but opening a write answers {answer:?}"
            );
        }
        return Ok(());
    }
    if refusal(s.populate.caps(), &path).is_some() {
        return Ok(()); // a reader that would hold it, over a tree that cannot
    }
    s.write(&path, b"abc").await?;
    promise!(s.content(&path).await? == b"abc", "the content of {path:?} is wrong");
    // Down from the case's own directory, so that every directory on the way must be listed by its name.
    let mut dirs = vec![s.root.clone()];
    let mut found = false;
    while let Some(dir) = dirs.pop() {
        for entry in s.listed(&dir, model::Facets::NONE).await? {
            found |= entry.path == path && entry.kind.is_file();
            if entry.kind.is_dir() {
                dirs.push(entry.path);
            }
        }
    }
    promise!(found, "{path:?} is not found by listing");
    Ok(())
}

async fn twins(s: Subject, a: &[u8], b: &[u8]) -> Result<(), Failure> {
    let (a, b) = (s.at(a), s.at(b));
    if refusal(caps(&s), &a).is_some() || refusal(caps(&s), &b).is_some() {
        return Ok(());
    }
    s.write(&a, b"one").await?;
    s.write(&b, b"two").await?;
    promise!(s.content(&a).await? == b"one" && s.content(&b).await? == b"two", "{a:?} and {b:?} are one file");
    let names = s.names_in(&s.root).await?;
    promise!(names.contains(&a) && (names.contains(&b) || b.starts_with(&a)), "listed are {names:?}");
    Ok(())
}

async fn longest(s: Subject) -> Result<(), Failure> {
    let room = caps(&s).names.max_path as usize - caps(&s).prefix_len - s.root.len() - 1;
    let mut name: Vec<u8> = b"abcdefghi/".iter().copied().cycle().take(room).collect();
    if let Some(last) = name.last_mut() {
        *last = b'z'; // never a slash at the end
    }
    held(s.clone(), &name).await?;
    name.push(b'z');
    promise!(refusal(caps(&s), &s.at(&name)).is_some(), "one byte more should be refused by the rules");
    held(s, &name).await
}
