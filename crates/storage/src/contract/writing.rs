//! Writing a whole object at once, and removing.

use super::checks::{crc, noise, promise, refused_with};
use super::{Case, Failure, Need, SERVER_DIGESTS, Subject, TREE, WRITES, caps};
use crate::{ErrorKind, WriteSpec};
use bytes::Bytes;
use futures::future::join_all;
use model::{Digests, Facets};

const ABSENT: Need = Need::caps("conditional writes", |s| caps(s).conditional_write);

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("writing::what is put is there, in several pieces", [WRITES], put),
        Case::new("writing::a write replaces what was there", [WRITES], replaces),
        Case::new("writing::directories above are made", [WRITES], parents),
        Case::new("writing::the stamp of a write is what stat then shows", [WRITES], stamped),
        Case::new("writing::if absent leaves what is there", [WRITES, ABSENT], absent),
        Case::new("writing::a race of writes if absent has one winner", [WRITES, ABSENT], race),
        Case::new("writing::a right digest is checked and told", [WRITES, SERVER_DIGESTS], digest),
        Case::new("writing::a wrong digest is corrupt and nothing shows", [WRITES, SERVER_DIGESTS], wrong_digest),
        Case::new("writing::a write leaves nothing unfinished", [WRITES], tidy),
        Case::new("writing::what is removed is gone", [WRITES], remove),
        Case::new("writing::removing on an old stamp is refused", [WRITES], remove_stale),
        Case::new("writing::removing nothing is not found", [WRITES, TREE], remove_missing),
        Case::new("writing::a directory that holds something is not removed", [WRITES, TREE], remove_full),
    ]
}

fn spec_of(content: &[u8]) -> WriteSpec {
    WriteSpec { size: Some(content.len() as u64), ..WriteSpec::default() }
}

async fn put(s: Subject) -> Result<(), Failure> {
    let content = noise(1, 100_000);
    let pieces = content.chunks(7001).map(Bytes::copy_from_slice).collect();
    s.target().put(&s.at("file"), spec_of(&content), pieces).await?;
    promise!(s.content(&s.at("file")).await? == content, "the content is wrong");
    let pieces = vec![Bytes::new(), Bytes::from_static(b"x"), Bytes::new()];
    s.target().put(&s.at("small"), spec_of(b"x"), pieces).await?;
    promise!(s.content(&s.at("small")).await? == b"x", "empty pieces disturb");
    Ok(())
}

async fn replaces(s: Subject) -> Result<(), Failure> {
    for content in [noise(1, 300_000), noise(2, 100), noise(3, 300_001)] {
        s.target().put(&s.at("file"), spec_of(&content), vec![content.clone().into()]).await?;
        promise!(s.content(&s.at("file")).await? == content, "the content is not the new one");
    }
    promise!(s.names_in(&s.root).await? == [s.at("file")], "more than the file is there");
    Ok(())
}

async fn parents(s: Subject) -> Result<(), Failure> {
    s.target().put(&s.at("a/b/c/file"), spec_of(b"x"), vec![Bytes::from_static(b"x")]).await?;
    promise!(s.content(&s.at("a/b/c/file")).await? == b"x", "the content is wrong");
    promise!(s.source.stat(&s.at("a/b"), Facets::NONE).await?.kind.is_dir(), "a/b is no directory");
    Ok(())
}

async fn stamped(s: Subject) -> Result<(), Failure> {
    let path = s.at("file");
    let told = s.target().put(&path, spec_of(b"abc"), vec![Bytes::from_static(b"abc")]).await?.stamp;
    let found = s.source.stat(&path, Facets::NONE).await?.stamp;
    let agrees = told.size == found.size
        && (told.mtime.is_none() || told.mtime == found.mtime)
        && (told.change.is_none() || told.change == found.change)
        && (told.etag.is_none() || told.etag == found.etag)
        && (told.file_id.is_none() || told.file_id == found.file_id);
    promise!(agrees, "the write told {told:?}, stat tells {found:?}");
    Ok(())
}

async fn absent(s: Subject) -> Result<(), Failure> {
    let path = s.at("file");
    let spec = WriteSpec { if_absent: true, ..spec_of(b"one") };
    s.target().put(&path, spec.clone(), vec![Bytes::from_static(b"one")]).await?;
    let answer = s.target().put(&path, spec, vec![Bytes::from_static(b"two")]).await;
    promise!(refused_with(&answer, &[ErrorKind::AlreadyExists]), "the second write answers {answer:?}");
    promise!(s.content(&path).await? == b"one", "the loser wrote");
    Ok(())
}

async fn race(s: Subject) -> Result<(), Failure> {
    let path = s.at("file");
    let target = s.target();
    let path = &path;
    let answers = join_all((0..8_u8).map(|n| async move {
        let content = vec![n; 1000];
        let spec = WriteSpec { if_absent: true, ..spec_of(&content) };
        target.put(path, spec, vec![content.into()]).await
    }))
    .await;
    let winners: Vec<usize> = (0..answers.len()).filter(|n| answers[*n].is_ok()).collect();
    promise!(winners.len() == 1, "{} of 8 writers won: {answers:?}", winners.len());
    let losers = answers.iter().filter(|answer| refused_with(answer, &[ErrorKind::AlreadyExists])).count();
    promise!(losers == 7, "the losers were told {answers:?}");
    let content = s.content(path).await?;
    promise!(content.len() == 1000 && content.iter().all(|b| usize::from(*b) == winners[0]), "the loser wrote");
    promise!(s.names_in(&s.root).await? == [path.clone()], "the losers left something");
    Ok(())
}

async fn digest(s: Subject) -> Result<(), Failure> {
    let (path, content) = (s.at("file"), noise(5, 10_000));
    let digests = Digests { crc64nvme: Some(crc(&content)), ..Digests::default() };
    let done = s.target().put(&path, WriteSpec { digests, ..spec_of(&content) }, vec![content.into()]).await?;
    promise!(done.digests.crc64nvme == digests.crc64nvme, "the write told {:?}", done.digests);
    let found = s.source.stat(&path, Facets::DIGESTS).await?.digests;
    promise!(found.as_ref().is_some_and(|d| d.crc64nvme == digests.crc64nvme), "stat tells {found:?}");
    Ok(())
}

async fn wrong_digest(s: Subject) -> Result<(), Failure> {
    let path = s.at("file");
    let digests = Digests { crc64nvme: Some(1), ..Digests::default() };
    let answer =
        s.target().put(&path, WriteSpec { digests, ..spec_of(b"abc") }, vec![Bytes::from_static(b"abc")]).await;
    promise!(refused_with(&answer, &[ErrorKind::Corrupt]), "a wrong digest answers {answer:?}");
    s.promise_nothing_at(&path).await
}

async fn tidy(s: Subject) -> Result<(), Failure> {
    let path = s.at("file");
    s.target().put(&path, spec_of(b"abc"), vec![Bytes::from_static(b"abc")]).await?;
    let left = s.target().abandoned(&path).await?;
    promise!(left.is_empty(), "left behind: {left:?}");
    promise!(s.names_in(&s.root).await? == [path], "more than the file is there");
    Ok(())
}

async fn remove(s: Subject) -> Result<(), Failure> {
    let path = s.at("file");
    s.target().put(&path, spec_of(b"abc"), vec![Bytes::from_static(b"abc")]).await?;
    let stamp = s.source.stat(&path, Facets::NONE).await?.stamp;
    s.target().remove(&path, Some(&stamp)).await?;
    s.promise_nothing_at(&path).await
}

async fn remove_stale(s: Subject) -> Result<(), Failure> {
    let path = s.at("file");
    s.target().put(&path, spec_of(b"abc"), vec![Bytes::from_static(b"abc")]).await?;
    let stamp = s.source.stat(&path, Facets::NONE).await?.stamp;
    s.target().put(&path, spec_of(b"abcd"), vec![Bytes::from_static(b"abcd")]).await?;
    let answer = s.target().remove(&path, Some(&stamp)).await;
    promise!(refused_with(&answer, &[ErrorKind::Changed]), "removing on an old stamp answers {answer:?}");
    promise!(s.content(&path).await? == b"abcd", "it is gone all the same");
    Ok(())
}

async fn remove_missing(s: Subject) -> Result<(), Failure> {
    s.write(&s.at("other"), b"").await?;
    let answer = s.target().remove(&s.at("file"), None).await;
    promise!(refused_with(&answer, &[ErrorKind::NotFound]), "removing nothing answers {answer:?}");
    Ok(())
}

async fn remove_full(s: Subject) -> Result<(), Failure> {
    let path = s.at("dir/file");
    s.write(&path, b"abc").await?;
    let answer = s.target().remove(&s.at("dir"), None).await;
    promise!(refused_with(&answer, &[ErrorKind::Invalid]), "removing a full directory answers {answer:?}");
    promise!(s.content(&path).await? == b"abc", "what it held is gone");
    s.target().remove(&path, None).await?;
    s.target().remove(&s.at("dir"), None).await?;
    s.promise_nothing_at(&s.at("dir")).await
}
