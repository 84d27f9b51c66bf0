//! Reading what was written: sizes, ranges, stamps.

use super::checks::{drained, noise, promise, refused_with};
use super::{Case, Failure, Need, Subject, caps};
use crate::{Body, ErrorKind, ReadSpec};
use futures::StreamExt as _;
use model::Facets;

const RANGES: Need = Need::caps("ranged reads", |s| caps(s).ranged_read);
const CONDITIONAL: Need = Need::caps("conditional reads", |s| caps(s).conditional_read);

/// Sizes on both sides of where drivers and servers change their ways: blocks, rsize, whole bodies, pieces.
const SIZES: [usize; 17] = [
    0,
    1,
    511,
    512,
    4095,
    4096,
    4097,
    (64 << 10) - 1,
    64 << 10,
    (64 << 10) + 1,
    (256 << 10) - 1,
    256 << 10,
    (256 << 10) + 1,
    (1 << 20) - 1,
    1 << 20,
    (1 << 20) + 1,
    (3 << 20) + 5,
];

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("content::an empty file is read back empty", [], |s| sized(s, &SIZES[..1])),
        Case::new("content::one byte is read back", [], |s| sized(s, &SIZES[1..2])),
        Case::new("content::sizes around every boundary are read back", [], |s| sized(s, &SIZES)),
        Case::new("content::a range from the first byte", [RANGES], |s| ranges(s, &[(0, 1), (0, 300_000)])),
        Case::new("content::a range to the last byte", [RANGES], |s| {
            ranges(s, &[(LEN - 1, LEN), (LEN - 300_000, LEN)])
        }),
        Case::new("content::ranges across pieces", [RANGES], |s| {
            ranges(s, &[(262_143, 262_145), (1 << 20, (1 << 20) + 1), (1000, LEN - 1000)])
        }),
        Case::new("content::a range's end is cut to the end", [RANGES], |s| {
            ranges(s, &[(LEN - 10, LEN + 10), (0, u64::MAX)])
        }),
        Case::new("content::an empty range is empty", [RANGES], |s| ranges(s, &[(0, 0), (1000, 1000)])),
        Case::new("content::a range that starts beyond the end is invalid", [RANGES], beyond),
        Case::new("content::a read dropped half way does no harm", [], dropped),
        Case::new("content::the stamp is the same in list, stat and read", [], stamps),
        Case::new("content::a read on a stamp that holds succeeds", [CONDITIONAL], unchanged),
        Case::new("content::a read on a stamp of older content is refused", [CONDITIONAL], changed),
    ]
}

async fn sized(s: Subject, sizes: &[usize]) -> Result<(), Failure> {
    for (seed, size) in sizes.iter().enumerate() {
        let (path, content) = (s.at(format!("file-{size}")), noise(seed as u64, *size));
        s.write(&path, &content).await?;
        let reading = s.source.read(&path, ReadSpec::default()).await?;
        promise!(reading.entry.stamp.size == *size as u64, "size is told as {:?}", reading.entry.stamp);
        promise!(reading.entry.path == path, "the entry's path is {:?}", reading.entry.path);
        let back = crate::collect_body(reading.body, u64::MAX).await?.concat();
        promise!(back == content, "{size} bytes came back as {} (or different)", back.len());
        let found = s.source.stat(&path, Facets::NONE).await?;
        promise!(found.stamp.size == *size as u64 && found.kind.is_file(), "stat tells {found:?}");
    }
    Ok(())
}

const LEN: u64 = 2_500_007;

async fn ranges(s: Subject, ranges: &'static [(u64, u64)]) -> Result<(), Failure> {
    let (path, content) = (s.at("file"), noise(7, usize::try_from(LEN).unwrap_or(0)));
    s.write(&path, &content).await?;
    for (start, end) in ranges {
        let back = s.part_of(&path, Some(*start..*end)).await?;
        let place = |at: u64| usize::try_from(at.min(LEN)).unwrap_or(0);
        promise!(back == content[place(*start)..place(*end)], "bytes {start}..{end} came as {} bytes", back.len());
    }
    Ok(())
}

async fn beyond(s: Subject) -> Result<(), Failure> {
    let path = s.at("file");
    s.write(&path, b"ten bytes.").await?;
    let answer = s.part_of(&path, Some(11..20)).await;
    promise!(refused_with(&answer, &[ErrorKind::Invalid]), "a range beyond the end answers {answer:?}");
    Ok(())
}

async fn dropped(s: Subject) -> Result<(), Failure> {
    let (path, content) = (s.at("file"), noise(3, 5 << 20));
    s.write(&path, &content).await?;
    for _ in 0..20 {
        let reading = s.source.read(&path, ReadSpec::default()).await?;
        if let Body::Stream(mut pieces) = reading.body {
            let first = pieces.next().await.ok_or_else(|| Failure("a body without a piece".into()))??;
            promise!(content.starts_with(&first), "the first piece is wrong");
        }
    }
    promise!(s.content(&path).await? == content, "after dropped reads the content is wrong");
    Ok(())
}

async fn stamps(s: Subject) -> Result<(), Failure> {
    let path = s.at("file");
    s.write(&path, b"content").await?;
    let stat = s.source.stat(&path, Facets::NONE).await?.stamp;
    let read = s.source.read(&path, ReadSpec::default()).await?.entry.stamp;
    let listed = s.listed(&s.root, Facets::NONE).await?;
    let listed = listed.into_iter().find(|entry| entry.path == path).map(|entry| entry.stamp);
    promise!(stat == read, "stat tells {stat:?}, read tells {read:?}");
    promise!(listed.as_ref() == Some(&stat), "stat tells {stat:?}, list tells {listed:?}");
    Ok(())
}

async fn unchanged(s: Subject) -> Result<(), Failure> {
    for size in [5, 700_000] {
        let (path, content) = (s.at(format!("file-{size}")), noise(1, size));
        s.write(&path, &content).await?;
        let if_stamp = Some(s.source.stat(&path, Facets::NONE).await?.stamp);
        let range = caps(&s).ranged_read.then_some(1..4);
        let back = drained(&*s.source, &path, ReadSpec { if_stamp: if_stamp.clone(), ..ReadSpec::default() }).await?;
        promise!(back == content, "the content is wrong");
        let back = drained(&*s.source, &path, ReadSpec { range, if_stamp, ..ReadSpec::default() }).await?;
        promise!(content.windows(back.len().max(1)).any(|w| w == back), "the content of a range is wrong");
    }
    Ok(())
}

async fn changed(s: Subject) -> Result<(), Failure> {
    for size in [5, 700_000] {
        let path = s.at(format!("file-{size}"));
        s.write(&path, &noise(1, size)).await?;
        let if_stamp = Some(s.source.stat(&path, Facets::NONE).await?.stamp);
        s.write(&path, &noise(2, size)).await?;
        let answer = drained(&*s.source, &path, ReadSpec { if_stamp, ..ReadSpec::default() }).await;
        promise!(
            refused_with(&answer, &[ErrorKind::Changed]),
            "changed content is read: {:?}",
            answer.map(|d| d.len())
        );
    }
    Ok(())
}
