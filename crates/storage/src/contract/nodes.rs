//! Directories, links, special files.

use super::checks::{promise, refused_with};
use super::{Case, Failure, Need, Subject, TREE, WRITES, caps};
use crate::{ErrorKind, Node, WriteSpec};
use bytes::Bytes;
use model::{Facets, Kind, Metadata, Special};

const DIRS: Need = Need::caps("directories", |s| caps(s).nodes.dirs);
const SYMLINKS: Need = Need::caps("symbolic links", |s| caps(s).nodes.symlinks);
const HARD_LINKS: Need = Need::caps("hard links", |s| caps(s).nodes.hard_links);
const SPECIALS: Need = Need::caps("pipes, sockets, devices", |s| caps(s).nodes.specials);
const NOT_ALL: Need =
    Need::caps("a store without hard links or special files", |s| !caps(s).nodes.hard_links || !caps(s).nodes.specials);

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("nodes::a directory is made, and making it again is no error", [WRITES, DIRS], dir),
        Case::new("nodes::an empty directory is removed", [WRITES, DIRS], remove_dir),
        Case::new("nodes::a symbolic link keeps its target byte for byte", [WRITES, SYMLINKS], symlink),
        Case::new("nodes::a link replaces a file and is replaced by one", [WRITES, SYMLINKS], replaced),
        Case::new("nodes::nothing replaces a directory", [WRITES, SYMLINKS, TREE], dir_stays),
        Case::new("nodes::a symbolic link is never followed", [WRITES, SYMLINKS, TREE], not_followed),
        Case::new("nodes::a hard link is the same file", [WRITES, HARD_LINKS], hard_link),
        Case::new("nodes::a pipe and a socket are told", [WRITES, SPECIALS], specials),
        Case::new("nodes::what it does not claim to make it refuses", [WRITES, NOT_ALL], refused),
    ]
}

async fn dir(s: Subject) -> Result<(), Failure> {
    let path = s.at("a/dir");
    for _ in 0..2 {
        s.target().make(&path, Node::Dir, &Metadata::default()).await?;
        promise!(s.source.stat(&path, Facets::NONE).await?.kind == Kind::Dir, "it is no directory");
    }
    s.target().put(&path.join(b"file"), WriteSpec::default(), vec![Bytes::from_static(b"x")]).await?;
    s.target().make(&path, Node::Dir, &Metadata::default()).await?;
    promise!(s.content(&path.join(b"file")).await? == b"x", "making it again emptied it");
    promise!(s.names_in(&s.at("a")).await? == [path], "it is not listed once");
    Ok(())
}

async fn remove_dir(s: Subject) -> Result<(), Failure> {
    let path = s.at("dir");
    s.target().make(&path, Node::Dir, &Metadata::default()).await?;
    s.target().remove(&path, None).await?;
    s.promise_nothing_at(&path).await
}

fn link_to(target: &[u8]) -> Node {
    Node::Symlink { target: Bytes::copy_from_slice(target) }
}

async fn symlink(s: Subject) -> Result<(), Failure> {
    let targets: [&[u8]; 5] =
        [b"file", b"../../x/../y", b"/absolute//path/", b"dangling \xFF\xED\xA0\x80", &[b'x'; 1000]];
    for (n, to) in targets.into_iter().enumerate() {
        let path = s.at(format!("link-{n}"));
        s.target().make(&path, link_to(to), &Metadata::default()).await?;
        let found = s.source.stat(&path, Facets::NONE).await?.kind;
        promise!(found == Kind::Symlink { target: Bytes::copy_from_slice(to) }, "{to:?} came back as {found:?}");
    }
    Ok(())
}

async fn replaced(s: Subject) -> Result<(), Failure> {
    let (path, other) = (s.at("a"), s.at("other"));
    s.write(&other, b"other").await?;
    s.target().put(&path, WriteSpec::default(), vec![Bytes::from_static(b"x")]).await?;
    for to in [&b"other"[..], b"elsewhere", b"other"] {
        s.target().make(&path, link_to(to), &Metadata::default()).await?;
        let found = s.source.stat(&path, Facets::NONE).await?.kind;
        promise!(found == Kind::Symlink { target: Bytes::copy_from_slice(to) }, "the link is {found:?}");
    }
    s.target().put(&path, WriteSpec::default(), vec![Bytes::from_static(b"new")]).await?;
    promise!(s.source.stat(&path, Facets::NONE).await?.kind.is_file(), "the link is still there");
    promise!(s.content(&path).await? == b"new", "the content is wrong");
    promise!(s.content(&other).await? == b"other", "the write went through the link");
    promise!(s.names_in(&s.root).await? == [path, other], "something was left behind");
    Ok(())
}

async fn dir_stays(s: Subject) -> Result<(), Failure> {
    let dir = s.at("dir");
    s.write(&s.at("dir/file"), b"x").await?;
    let link = s.target().make(&dir, link_to(b"x"), &Metadata::default()).await;
    promise!(refused_with(&link, &[ErrorKind::AlreadyExists]), "a link over a directory answers {link:?}");
    let file = s.target().put(&dir, WriteSpec::default(), vec![Bytes::from_static(b"x")]).await;
    promise!(
        refused_with(&file, &[ErrorKind::AlreadyExists, ErrorKind::Invalid]),
        "a file over a directory answers {file:?}"
    );
    promise!(s.content(&s.at("dir/file")).await? == b"x", "what it held is gone");
    promise!(s.names_in(&s.root).await? == [dir], "something was left behind");
    Ok(())
}

async fn not_followed(s: Subject) -> Result<(), Failure> {
    s.write(&s.at("real/file"), b"secret").await?;
    s.write(&s.at("real/sub/file"), b"secret").await?;
    s.target().make(&s.at("dir"), link_to(b"real"), &Metadata::default()).await?;
    s.target().make(&s.at("file"), link_to(b"real/file"), &Metadata::default()).await?;
    for path in [s.at("dir/file"), s.at("dir/sub/file"), s.at("file")] {
        let answer = s.content(&path).await;
        promise!(answer.is_err(), "reading `{path}` went through a link: {answer:?}");
        promise!(
            !refused_with(&answer, &[ErrorKind::Unexpected]),
            "reading `{path}` through a link is not recognised: {answer:?}"
        );
    }
    for (dir, below) in [("dir", "dir/file"), ("dir/sub", "dir/sub/file")] {
        let answer = s.listed(&s.at(dir), Facets::NONE).await;
        promise!(answer.is_err(), "listing went through a link: {answer:?}");
        let answer = s.target().put(&s.at(dir).join(b"new"), WriteSpec::default(), vec![]).await;
        promise!(answer.is_err(), "writing went through a link: {answer:?}");
        let answer = s.target().remove(&s.at(below), None).await;
        promise!(answer.is_err(), "removing went through a link: {answer:?}");
    }
    for path in ["real/file", "real/sub/file"] {
        promise!(s.content(&s.at(path)).await? == b"secret", "the file behind the link changed");
    }
    Ok(())
}

async fn hard_link(s: Subject) -> Result<(), Failure> {
    let (path, other) = (s.at("file"), s.at("dir/other"));
    s.write(&path, b"content").await?;
    let node = Node::HardLink { to: path.clone() };
    for _ in 0..2 {
        s.target().make(&other, node.clone(), &Metadata::default()).await?;
        let (a, b) = (s.source.stat(&path, Facets::NONE).await?, s.source.stat(&other, Facets::NONE).await?);
        promise!(a.stamp == b.stamp && a.stamp.file_id.is_some(), "two names, two files: {a:?}, {b:?}");
        promise!(a.nlink == Some(2), "it has {:?} names, not 2", a.nlink);
        promise!(s.content(&other).await? == b"content", "the content is wrong");
    }
    promise!(s.names_in(&s.at("dir")).await? == [other], "something was left behind");
    let answer = s.target().make(&s.at("x"), Node::HardLink { to: s.at("no") }, &Metadata::default()).await;
    promise!(refused_with(&answer, &[ErrorKind::NotFound]), "a link to nothing answers {answer:?}");
    Ok(())
}

async fn specials(s: Subject) -> Result<(), Failure> {
    for (name, special) in [("pipe", Special::Fifo), ("socket", Special::Socket)] {
        let path = s.at(name);
        s.target().make(&path, Node::Special(special), &Metadata::default()).await?;
        let found = s.source.stat(&path, Facets::NONE).await?.kind;
        promise!(found == Kind::Special(special), "a {name} came back as {found:?}");
        let answer = s.content(&path).await;
        promise!(refused_with(&answer, &[ErrorKind::Invalid]), "reading a {name} answers {answer:?}");
    }
    Ok(())
}

async fn refused(s: Subject) -> Result<(), Failure> {
    s.write(&s.at("file"), b"x").await?;
    let nodes = caps(&s).nodes;
    let unclaimed = [
        (nodes.hard_links, Node::HardLink { to: s.at("file") }),
        (nodes.specials, Node::Special(Special::Fifo)),
        (nodes.symlinks, link_to(b"file")),
    ];
    for (_, node) in unclaimed.into_iter().filter(|(claimed, _)| !claimed) {
        let answer = s.target().make(&s.at("new"), node.clone(), &Metadata::default()).await;
        promise!(refused_with(&answer, &[ErrorKind::Unsupported]), "making {node:?} answers {answer:?}");
    }
    promise!(s.names_in(&s.root).await? == [s.at("file")], "something was made all the same");
    Ok(())
}
