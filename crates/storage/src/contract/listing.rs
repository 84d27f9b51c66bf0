//! Listings: everything once, in pages that can be resumed.

use super::checks::{promise, refused_with};
use super::{Case, Failure, Need, Subject, TREE, caps};
use crate::{ErrorKind, ListOrder, ListSpec, Node};
use futures::{StreamExt as _, TryStreamExt as _};
use model::{Facets, Kind, Metadata, RelPath};
use std::collections::BTreeSet;

const RECURSIVE: Need = Need::caps("recursive listings", |s| caps(s).recursive_list);
const DIRS: Need = Need::caps("directories", |s| s.populate.caps().nodes.dirs);
const SYMLINKS: Need = Need::caps("symbolic links", |s| s.populate.caps().nodes.symlinks);

/// More than a page of any server we know (S3: 1000 keys).
const MANY: usize = 1203;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("listing::an empty directory has no entries", [DIRS], empty),
        Case::new("listing::one entry is listed with kind and size", [], one),
        Case::new("listing::every one of many entries comes once", [], many),
        Case::new("listing::from every cursor the rest comes, each entry once", [], resumed),
        Case::new("listing::an entry removed meanwhile disturbs no other", [], removed),
        Case::new("listing::what is deeper is not listed", [], shallow),
        Case::new("listing::links are listed as links", [SYMLINKS], links),
        Case::new("listing::a recursive listing has everything below, in its order", [RECURSIVE], recursive),
        Case::new("listing::a missing directory is not found", [TREE], missing),
        Case::new("listing::a file cannot be listed", [TREE], file),
        Case::new("listing::a listing dropped half way does no harm", [], dropped),
    ]
}

async fn empty(s: Subject) -> Result<(), Failure> {
    let dir = s.at("dir");
    s.populate.make(&dir, Node::Dir, &Metadata::default()).await?;
    let entries = s.listed(&dir, Facets::NONE).await?;
    promise!(entries.is_empty(), "an empty directory lists {entries:?}");
    let above = s.listed(&s.root, Facets::NONE).await?;
    promise!(above.len() == 1 && above[0].path == dir && above[0].kind.is_dir(), "its parent lists {above:?}");
    Ok(())
}

async fn one(s: Subject) -> Result<(), Failure> {
    let path = s.at("file");
    s.write(&path, b"12345").await?;
    let entries = s.listed(&s.root, Facets::NONE).await?;
    promise!(entries.len() == 1, "listed are {entries:?}");
    let entry = &entries[0];
    promise!(entry.path == path && entry.kind == Kind::File && entry.stamp.size == 5, "listed is {entry:?}");
    Ok(())
}

async fn filled(s: &Subject, count: usize) -> Result<Vec<RelPath>, Failure> {
    let names: Vec<RelPath> = (0..count).map(|n| s.at(format!("entry-{n:05}"))).collect();
    s.write_many(&names).await?;
    Ok(names)
}

async fn many(s: Subject) -> Result<(), Failure> {
    let names = filled(&s, MANY).await?;
    promise!(s.names_in(&s.root).await? == names, "not every entry came once");
    Ok(())
}

async fn resumed(s: Subject) -> Result<(), Failure> {
    let names = filled(&s, MANY).await?;
    let pages: Vec<_> = s.source.list(&s.root, ListSpec::default()).try_collect().await?;
    let mut before = Vec::new();
    for page in pages {
        before.extend(page.entries.into_iter().map(|entry| entry.path));
        let Some(from) = page.next else { continue };
        let spec = ListSpec { from: Some(from), ..ListSpec::default() };
        let rest: Vec<_> = s.source.list(&s.root, spec).try_collect().await?;
        let mut all = before.clone();
        all.extend(rest.into_iter().flat_map(|page| page.entries).map(|entry| entry.path));
        all.sort();
        promise!(all == names, "after {} entries the rest makes {} in all", before.len(), all.len());
    }
    Ok(())
}

async fn removed(s: Subject) -> Result<(), Failure> {
    let names = filled(&s, MANY).await?;
    let mut pages = s.source.list(&s.root, ListSpec::default());
    let first = pages.next().await.ok_or_else(|| Failure("no page".into()))??;
    let mut seen: Vec<RelPath> = first.entries.into_iter().map(|entry| entry.path).collect();
    let known: BTreeSet<&RelPath> = seen.iter().collect();
    let unseen = names.iter().find(|name| !known.contains(name)).cloned();
    let gone = [seen.first().cloned(), unseen];
    for path in gone.iter().flatten() {
        s.populate.remove(path, None).await?;
    }
    while let Some(page) = pages.next().await {
        seen.extend(page?.entries.into_iter().map(|entry| entry.path));
    }
    let once: BTreeSet<RelPath> = seen.iter().cloned().collect();
    promise!(once.len() == seen.len(), "an entry came twice");
    let lost = names.iter().find(|name| !once.contains(name) && !gone.contains(&Some((*name).clone())));
    promise!(lost.is_none(), "{lost:?} was lost");
    Ok(())
}

async fn shallow(s: Subject) -> Result<(), Failure> {
    for name in ["a/b/c/d", "a/x", "e"] {
        s.write(&s.at(name), b"").await?;
    }
    let names = s.names_in(&s.root).await?;
    promise!(names == [s.at("a"), s.at("e")], "listed are {names:?}");
    let names = s.names_in(&s.at("a")).await?;
    promise!(names == [s.at("a/b"), s.at("a/x")], "listed are {names:?}");
    Ok(())
}

async fn links(s: Subject) -> Result<(), Failure> {
    let (link, to) = (s.at("link"), &b"../where/\xFF nothing is"[..]);
    let meant = Kind::Symlink { target: to.into() };
    if s.populate.make(&link, Node::Symlink { target: to.into() }, &Metadata::default()).await.is_err() {
        return Err(Failure("cannot prepare the case: no link was made".into()));
    }
    let entries = s.listed(&s.root, Facets::POSIX).await?;
    let untold = Kind::Symlink { target: bytes::Bytes::new() };
    promise!(entries.len() == 1 && [&meant, &untold].contains(&&entries[0].kind), "listed are {entries:?}");
    let found = s.source.stat(&link, Facets::NONE).await?;
    promise!(found.kind == meant, "stat tells {:?}", found.kind);
    Ok(())
}

async fn recursive(s: Subject) -> Result<(), Failure> {
    let mut names: Vec<RelPath> =
        ["a", "a-b", "a.b/c", "b/c/d", "b/c-d", "b/e", "c/x", "c0"].map(|name| s.at(name)).into();
    s.write_many(&names).await?;
    names.sort();
    let spec = ListSpec { recursive: true, ..ListSpec::default() };
    let pages: Vec<_> = s.source.list(&s.root, spec).try_collect().await?;
    let entries = pages.into_iter().flat_map(|page| page.entries);
    let mut listed: Vec<_> = entries.filter(|entry| entry.kind.is_file()).map(|entry| entry.path).collect();
    if caps(&s).list != ListOrder::ByteOrder {
        listed.sort();
    }
    promise!(listed == names, "listed are {listed:?}");
    Ok(())
}

async fn missing(s: Subject) -> Result<(), Failure> {
    s.write(&s.at("file"), b"").await?;
    let answer = s.listed(&s.at("nothing"), Facets::NONE).await;
    promise!(refused_with(&answer, &[ErrorKind::NotFound]), "listing nothing answers {answer:?}");
    Ok(())
}

async fn file(s: Subject) -> Result<(), Failure> {
    s.write(&s.at("file"), b"").await?;
    let answer = s.listed(&s.at("file"), Facets::NONE).await;
    promise!(refused_with(&answer, &[ErrorKind::Invalid]), "listing a file answers {answer:?}");
    Ok(())
}

async fn dropped(s: Subject) -> Result<(), Failure> {
    let names = filled(&s, 100).await?;
    for _ in 0..20 {
        let first = s.source.list(&s.root, ListSpec::default()).next().await;
        promise!(first.is_some(), "no page came");
    }
    promise!(s.names_in(&s.root).await? == names, "after dropped listings not every entry came once");
    Ok(())
}
