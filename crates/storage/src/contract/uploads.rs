//! Writing in parts: nothing shows before the end, everything can be resumed, nothing is left behind.

use super::checks::{crc, noise, promise, refused_with};
use super::{Case, Failure, Need, SERVER_DIGESTS, Subject, WRITES, caps};
use crate::{Error, ErrorKind, Publish, Receipt, Upload, WriteSpec};
use bytes::Bytes;
use futures::future::try_join_all;
use model::{Digests, RelPath};

const UNSEEN: Need = Need::caps("writes that show only when complete", |s| caps(s).publish != Publish::InPlace);
const ABSENT: Need = Need::caps("conditional writes", |s| caps(s).conditional_write);

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("uploads::sizes around a part come back", [WRITES], sizes),
        Case::new("uploads::an empty file in one empty part", [WRITES], empty),
        Case::new("uploads::parts in any order and together", [WRITES], unordered),
        Case::new("uploads::nothing shows before the end", [WRITES, UNSEEN], unseen),
        Case::new("uploads::without its middle part it does not finish", [WRITES], |s| incomplete(s, 1)),
        Case::new("uploads::without its first part it does not finish", [WRITES], |s| incomplete(s, 0)),
        Case::new("uploads::without its last part it does not finish", [WRITES], |s| incomplete(s, 2)),
        Case::new("uploads::a part with a wrong digest is corrupt", [WRITES, SERVER_DIGESTS], corrupt_part),
        Case::new("uploads::a wrong digest of the whole is corrupt", [WRITES, SERVER_DIGESTS], corrupt_whole),
        Case::new("uploads::abort leaves nothing", [WRITES], abort),
        Case::new("uploads::a dropped write is found and completed", [WRITES], resume),
        Case::new("uploads::a dropped write is discarded, twice without harm", [WRITES], discard),
        Case::new("uploads::what is unfinished belongs to its own path", [WRITES], own_path),
        Case::new("uploads::finishing if absent leaves what came meanwhile", [WRITES, ABSENT], absent),
        Case::new("uploads::finishing replaces what was there", [WRITES], replaces),
    ]
}

/// A part size that the store takes.
fn part_size(s: &Subject) -> usize {
    usize::try_from(s.target().caps().parts.min.max(64 << 10)).unwrap_or(64 << 10)
}

fn spec_of(content: &[u8]) -> WriteSpec {
    WriteSpec { size: Some(content.len() as u64), ..WriteSpec::default() }
}

fn digest_of(content: &[u8]) -> Digests {
    Digests { crc64nvme: Some(crc(content)), ..Digests::default() }
}

/// Sends the parts `indices` of `content`, all in flight together.
async fn send(
    upload: &dyn Upload,
    content: &[u8],
    size: usize,
    indices: impl IntoIterator<Item = usize>,
) -> Result<Vec<Receipt>, Error> {
    let part = |index: usize| {
        let piece = &content[(index * size).min(content.len())..((index + 1) * size).min(content.len())];
        let halves = piece.chunks(piece.len().div_ceil(2).max(1)).map(Bytes::copy_from_slice).collect();
        let number = u32::try_from(index).expect("few parts");
        upload.part(number, (index * size) as u64, halves, crc(piece))
    };
    let parts: Vec<_> = indices.into_iter().map(part).collect();
    try_join_all(parts).await
}

async fn written(s: &Subject, path: &RelPath, content: &[u8]) -> Result<(), Failure> {
    let size = part_size(s);
    let upload = s.target().create(path, spec_of(content)).await?;
    let mut receipts = send(&*upload, content, size, 0..content.len().div_ceil(size).max(1)).await?;
    receipts.sort_by_key(|receipt| receipt.index);
    let done = upload.finish(receipts, digest_of(content)).await?;
    promise!(done.digests.agree(&digest_of(content)) != Some(false), "the store tells {:?}", done.digests);
    promise!(done.stamp.size == content.len() as u64, "the store tells {:?}", done.stamp);
    promise!(s.content(path).await? == content, "the content is wrong");
    Ok(())
}

async fn sizes(s: Subject) -> Result<(), Failure> {
    let size = part_size(&s);
    for (seed, len) in [1, size - 1, size, size + 1, 2 * size - 1, 2 * size].into_iter().enumerate() {
        written(&s, &s.at(format!("file-{len}")), &noise(seed as u64, len)).await?;
    }
    Ok(())
}

async fn empty(s: Subject) -> Result<(), Failure> {
    written(&s, &s.at("file"), b"").await
}

async fn unordered(s: Subject) -> Result<(), Failure> {
    let (path, size) = (s.at("file"), part_size(&s));
    let content = noise(9, 4 * size + 17);
    let upload = s.target().create(&path, spec_of(&content)).await?;
    let mut receipts = send(&*upload, &content, size, [4, 2]).await?;
    receipts.extend(send(&*upload, &content, size, [3, 0, 1]).await?);
    upload.finish(receipts, digest_of(&content)).await?;
    promise!(s.content(&path).await? == content, "the content is wrong");
    Ok(())
}

async fn unseen(s: Subject) -> Result<(), Failure> {
    let (path, size) = (s.at("file"), part_size(&s));
    let content = noise(9, size + 17);
    let upload = s.target().create(&path, spec_of(&content)).await?;
    s.promise_nothing_at(&path).await?;
    let receipts = send(&*upload, &content, size, 0..2).await?;
    s.promise_nothing_at(&path).await?;
    upload.finish(receipts, digest_of(&content)).await?;
    promise!(s.names_in(&s.root).await? == [path.clone()], "more than the file is there");
    promise!(s.target().abandoned(&path).await?.is_empty(), "a finished write counts as unfinished");
    Ok(())
}

async fn incomplete(s: Subject, missing: usize) -> Result<(), Failure> {
    let (path, size) = (s.at("file"), part_size(&s));
    let content = noise(9, 2 * size + 17);
    let upload = s.target().create(&path, spec_of(&content)).await?;
    let receipts = send(&*upload, &content, size, (0..3).filter(|n| *n != missing)).await?;
    let answer = upload.finish(receipts, Digests::default()).await;
    promise!(answer.is_err(), "a write without part {missing} finished: {answer:?}");
    s.promise_nothing_at(&path).await
}

async fn corrupt_part(s: Subject) -> Result<(), Failure> {
    let path = s.at("file");
    let upload = s.target().create(&path, spec_of(b"abc")).await?;
    let answer = upload.part(0, 0, vec![Bytes::from_static(b"abc")], 1).await;
    promise!(refused_with(&answer, &[ErrorKind::Corrupt]), "a wrong digest answers {answer:?}");
    upload.abort().await?;
    s.promise_nothing_at(&path).await
}

async fn corrupt_whole(s: Subject) -> Result<(), Failure> {
    let path = s.at("file");
    let upload = s.target().create(&path, spec_of(b"abc")).await?;
    let receipts = send(&*upload, b"abc", part_size(&s), [0]).await?;
    let answer = upload.finish(receipts, Digests { crc64nvme: Some(1), ..Digests::default() }).await;
    promise!(refused_with(&answer, &[ErrorKind::Corrupt]), "a wrong digest answers {answer:?}");
    s.promise_nothing_at(&path).await
}

async fn abort(s: Subject) -> Result<(), Failure> {
    let (path, size) = (s.at("file"), part_size(&s));
    let upload = s.target().create(&path, WriteSpec::default()).await?;
    send(&*upload, &noise(9, size + 17), size, 0..2).await?;
    upload.abort().await?;
    let left = s.target().abandoned(&path).await?;
    promise!(left.is_empty(), "after abort is left {left:?}");
    s.promise_nothing_at(&path).await
}

async fn resume(s: Subject) -> Result<(), Failure> {
    let (path, size) = (s.at("file"), part_size(&s));
    let content = noise(9, 3 * size + 17);
    let upload = s.target().create(&path, spec_of(&content)).await?;
    let sent = send(&*upload, &content, size, [0, 2]).await?;
    let Some(token) = upload.token() else {
        return Err(Failure("no token, so a crash loses the write".into()));
    };
    drop(upload);
    let left = s.target().abandoned(&path).await?;
    promise!(left.len() == 1 && left[0].token == token, "unfinished are {left:?}, not {token:?}");
    let (upload, mut known) = s.target().resume(&path, spec_of(&content), &token).await?;
    known.sort_by_key(|receipt| receipt.index);
    let same = |a: &Receipt, b: &Receipt| (a.index, a.len, &a.tag) == (b.index, b.len, &b.tag);
    promise!(known.len() == 2 && same(&known[0], &sent[0]) && same(&known[1], &sent[1]), "held are {known:?}");
    known.extend(send(&*upload, &content, size, [3, 1]).await?);
    upload.finish(known, digest_of(&content)).await?;
    promise!(s.content(&path).await? == content, "the content is wrong");
    promise!(s.target().abandoned(&path).await?.is_empty(), "a finished write counts as unfinished");
    let again = s.target().resume(&path, spec_of(&content), &token).await.map(|_| ());
    promise!(refused_with(&again, &[ErrorKind::NotFound]), "resuming a finished write answers {again:?}");
    promise!(s.names_in(&s.root).await? == [path], "more than the file is there");
    Ok(())
}

async fn discard(s: Subject) -> Result<(), Failure> {
    let (path, size) = (s.at("file"), part_size(&s));
    let upload = s.target().create(&path, WriteSpec::default()).await?;
    send(&*upload, &noise(9, size + 17), size, [0]).await?;
    drop(upload);
    for left in s.target().abandoned(&path).await? {
        s.target().discard(&path, &left.token).await?;
        s.target().discard(&path, &left.token).await?;
        let again = s.target().resume(&path, WriteSpec::default(), &left.token).await.map(|_| ());
        promise!(refused_with(&again, &[ErrorKind::NotFound]), "resuming a discarded write answers {again:?}");
    }
    promise!(s.target().abandoned(&path).await?.is_empty(), "after discard something is left");
    s.promise_nothing_at(&path).await
}

async fn own_path(s: Subject) -> Result<(), Failure> {
    let upload = s.target().create(&s.at("file"), WriteSpec::default()).await?;
    for other in ["fil", "file2", "file/x"] {
        let left = s.target().abandoned(&s.at(other)).await?;
        promise!(left.is_empty(), "unfinished for `{other}` are {left:?}");
    }
    promise!(s.target().abandoned(&s.at("file")).await?.len() == 1, "its own path does not know it");
    upload.abort().await?;
    Ok(())
}

async fn absent(s: Subject) -> Result<(), Failure> {
    let path = s.at("file");
    let spec = WriteSpec { if_absent: true, ..spec_of(b"two") };
    let upload = s.target().create(&path, spec).await?;
    let receipts = send(&*upload, b"two", part_size(&s), [0]).await?;
    s.target().put(&path, spec_of(b"one"), vec![Bytes::from_static(b"one")]).await?;
    let answer = upload.finish(receipts, digest_of(b"two")).await;
    promise!(refused_with(&answer, &[ErrorKind::AlreadyExists]), "finishing answers {answer:?}");
    promise!(s.content(&path).await? == b"one", "the loser wrote");
    Ok(())
}

async fn replaces(s: Subject) -> Result<(), Failure> {
    let path = s.at("file");
    s.write(&path, &noise(1, 100_000)).await?;
    written(&s, &path, b"new").await?;
    promise!(s.names_in(&s.root).await? == [path], "more than the file is there");
    Ok(())
}
