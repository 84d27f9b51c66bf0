//! Metadata: what is claimed is kept exactly, what is not kept is not said to be.

use super::checks::promise;
use super::{Case, Failure, Need, Subject, WRITES, caps};
use crate::{Node, ReadSpec, WriteSpec};
use bytes::Bytes;
use model::{Digests, Facets, Metadata, Posix, Principal, RelPath, Timestamp};

const KEEPS: Need = Need::caps("metadata that can be written", |s| !kept_facets(s).is_empty());
const DIRS: Need = Need::caps("directories with metadata", |s| caps(s).nodes.dirs && !kept_facets(s).is_empty());
const SYMLINKS: Need =
    Need::caps("symbolic links with metadata", |s| caps(s).nodes.symlinks && !kept_facets(s).is_empty());
const READS: Need = Need::caps("metadata that can be read and prepared", |s| {
    !caps(s).reads.shared(s.populate.caps().writes).shared(Facets::POSIX).is_empty()
});

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("metadata::a file's comes back exactly", [READS], prepared),
        Case::new("metadata::written with a file comes back exactly", [WRITES, KEEPS], with_file),
        Case::new("metadata::written with an upload comes back exactly", [WRITES, KEEPS], with_upload),
        Case::new("metadata::applied later comes back exactly", [WRITES, KEEPS], applied),
        Case::new("metadata::applying one facet leaves the others", [WRITES, KEEPS], one_facet),
        Case::new("metadata::of a directory comes back exactly", [WRITES, DIRS], of_dir),
        Case::new("metadata::of a symbolic link comes back as far as kept", [WRITES, SYMLINKS], of_symlink),
        Case::new("metadata::set-uid, set-gid and sticky bits with an owner", [WRITES, KEEPS], set_bits),
        Case::new("metadata::times before 1970 and far from now", [WRITES, KEEPS], odd_times),
        Case::new("metadata::what is not claimed is not said to be kept", [WRITES], unclaimed),
    ]
}

/// What can be written and read back.
fn kept_facets(s: &Subject) -> Facets {
    caps(s).writes.shared(caps(s).reads).minus(Facets::HARD_LINKS)
}

const fn time(secs: i64, nanos: u32) -> Timestamp {
    Timestamp { secs, nanos }
}

/// Something of every facet that more than one store has.
fn sample() -> Metadata {
    Metadata {
        mtime: Some(time(1_234_567_890, 123_456_789)),
        atime: Some(time(1_300_000_001, 1)),
        posix: Some(Posix { mode: 0o640, owner: Principal::Id(12_345), group: Principal::Id(54_321) }),
        user: vec![("colour".into(), "dark green".into()), ("note".into(), "a=b&c".into())],
        ..Metadata::default()
    }
}

/// Fails unless `found` has the facets `which` of `meant` exactly.
fn promise_equal(found: Option<&Metadata>, meant: &Metadata, which: Facets) -> Result<(), Failure> {
    let none = Metadata::default();
    let found = found.unwrap_or(&none);
    let posix = |meta: &Metadata| meta.posix.clone();
    let compared = [
        (Facets::MTIME, found.mtime == meant.mtime, format!("{:?}", found.mtime)),
        (Facets::ATIME, found.atime == meant.atime, format!("{:?}", found.atime)),
        (Facets::MODE, posix(found).map(|p| p.mode) == posix(meant).map(|p| p.mode), format!("{:?}", found.posix)),
        (
            Facets::OWNER,
            posix(found).map(|p| (p.owner, p.group)) == posix(meant).map(|p| (p.owner, p.group)),
            format!("{:?}", found.posix),
        ),
        (Facets::USER_META, sorted(&found.user) == sorted(&meant.user), format!("{:?}", found.user)),
    ];
    for (facet, same, words) in compared {
        promise!(!which.has(facet) || same, "{facet} came back as {words}, not as in {meant:?}");
    }
    Ok(())
}

fn sorted(pairs: &[(String, String)]) -> Vec<(String, String)> {
    let mut pairs = pairs.to_vec();
    pairs.sort();
    pairs
}

async fn promise_at(s: &Subject, path: &RelPath, meant: &Metadata, which: Facets) -> Result<(), Failure> {
    let entry = s.source.stat(path, which).await?;
    promise_equal(entry.meta.as_deref(), meant, which)
}

async fn prepared(s: Subject) -> Result<(), Failure> {
    let (path, meta) = (s.at("file"), sample());
    let spec = WriteSpec { meta: meta.clone(), ..WriteSpec::default() };
    let kept = s.populate.put(&path, spec, vec![Bytes::from_static(b"x")]).await?.kept.shared(caps(&s).reads);
    promise_at(&s, &path, &meta, kept).await?;
    let listed = s.listed(&s.root, kept).await?;
    promise!(listed.len() == 1, "listed are {listed:?}");
    if let Some(meta_listed) = &listed[0].meta {
        let told = meta_listed.facets().shared(kept).minus(Facets::USER_META);
        promise_equal(Some(meta_listed), &meta, told)?;
    }
    // Reading content must not change what a reader can see of it: access times stay as they were kept.
    let reading = s.source.read(&path, ReadSpec { want: kept, ..ReadSpec::default() }).await?;
    if let Some(meta_read) = &reading.entry.meta {
        promise_equal(Some(meta_read), &meta, meta_read.facets().shared(kept))?;
    }
    Ok(())
}

async fn with_file(s: Subject) -> Result<(), Failure> {
    let (path, meta) = (s.at("file"), sample());
    let spec = WriteSpec { meta: meta.clone(), ..WriteSpec::default() };
    let kept = s.target().put(&path, spec, vec![Bytes::from_static(b"x")]).await?.kept;
    let claimed = kept_facets(&s).shared(meta.facets());
    promise!(kept.has(claimed), "claimed is {claimed}, kept was {kept}");
    promise_at(&s, &path, &meta, kept).await
}

async fn with_upload(s: Subject) -> Result<(), Failure> {
    let (path, meta) = (s.at("file"), sample());
    let upload = s.target().create(&path, WriteSpec { meta: meta.clone(), ..WriteSpec::default() }).await?;
    let part = upload.part(0, 0, vec![Bytes::from_static(b"x")], super::checks::crc(b"x")).await?;
    let kept = upload.finish(vec![part], Digests::default()).await?.kept;
    let claimed = kept_facets(&s).shared(meta.facets());
    promise!(kept.has(claimed), "claimed is {claimed}, kept was {kept}");
    promise_at(&s, &path, &meta, kept).await
}

async fn applied(s: Subject) -> Result<(), Failure> {
    let (path, meta) = (s.at("file"), sample());
    s.target().put(&path, WriteSpec::default(), vec![Bytes::from_static(b"x")]).await?;
    let which = meta.facets();
    let kept = s.target().apply(&path, &meta, which).await?;
    let claimed = kept_facets(&s).shared(which);
    promise!(kept.has(claimed), "claimed is {claimed}, kept was {kept}");
    promise_at(&s, &path, &meta, kept).await?;
    promise!(s.content(&path).await? == b"x", "the content changed");
    Ok(())
}

async fn one_facet(s: Subject) -> Result<(), Failure> {
    let (path, meta) = (s.at("file"), sample());
    let spec = WriteSpec { meta: meta.clone(), ..WriteSpec::default() };
    let kept = s.target().put(&path, spec, vec![Bytes::from_static(b"x")]).await?.kept;
    let mut other = meta.clone();
    other.mtime = Some(time(1_000_000_000, 7));
    other.atime = Some(time(1_000_000_001, 8));
    other.posix = Some(Posix { mode: 0o444, owner: Principal::Id(1), group: Principal::Id(2) });
    for facet in [Facets::MODE, Facets::MTIME].into_iter().filter(|facet| kept.has(*facet)) {
        let wrote = s.target().apply(&path, &other, facet).await?;
        promise!(wrote == facet, "asked for {facet}, wrote {wrote}");
        promise_at(&s, &path, &other, facet).await?;
    }
    promise_at(&s, &path, &meta, kept.minus(Facets::MODE.and(Facets::MTIME))).await
}

async fn of_dir(s: Subject) -> Result<(), Failure> {
    let (path, mut meta) = (s.at("dir"), sample());
    meta.user.clear();
    if let Some(posix) = &mut meta.posix {
        posix.mode = 0o2750;
    }
    for _ in 0..2 {
        let kept = s.target().make(&path, Node::Dir, &meta).await?.kept;
        let claimed = kept_facets(&s).shared(meta.facets());
        promise!(kept.has(claimed), "claimed is {claimed}, kept was {kept}");
        promise_at(&s, &path, &meta, kept).await?;
    }
    Ok(())
}

async fn of_symlink(s: Subject) -> Result<(), Failure> {
    let (path, mut meta) = (s.at("link"), sample());
    meta.user.clear();
    let node = Node::Symlink { target: Bytes::from_static(b"somewhere") };
    let kept = s.target().make(&path, node, &meta).await?.kept;
    promise!(caps(&s).writes.has(kept), "kept was {kept}");
    promise_at(&s, &path, &meta, kept).await
}

async fn set_bits(s: Subject) -> Result<(), Failure> {
    for mode in [0o4755, 0o2755, 0o6751, 0o1777, 0o7777, 0o000] {
        let (path, mut meta) = (s.at(format!("file-{mode:o}")), sample());
        meta.posix = Some(Posix { mode, owner: Principal::Id(4000), group: Principal::Id(4001) });
        let spec = WriteSpec { meta: meta.clone(), ..WriteSpec::default() };
        let kept = s.target().put(&path, spec, vec![Bytes::from_static(b"x")]).await?.kept;
        promise_at(&s, &path, &meta, kept).await?;
        let kept = s.target().apply(&path, &meta, meta.facets()).await?;
        promise_at(&s, &path, &meta, kept).await?;
    }
    Ok(())
}

async fn odd_times(s: Subject) -> Result<(), Failure> {
    for (n, mtime) in
        [time(-1, 999_999_999), time(-86_400, 0), time(0, 0), time(4_000_000_000, 5)].into_iter().enumerate()
    {
        let path = s.at(format!("file-{n}"));
        let meta = Metadata { mtime: Some(mtime), ..Metadata::default() };
        let spec = WriteSpec { meta: meta.clone(), ..WriteSpec::default() };
        let kept = s.target().put(&path, spec, vec![Bytes::from_static(b"x")]).await?.kept;
        promise_at(&s, &path, &meta, kept).await?;
    }
    Ok(())
}

async fn unclaimed(s: Subject) -> Result<(), Failure> {
    let mut meta = sample();
    meta.birth = Some(time(1_111_111_111, 0));
    meta.ntfs_attributes = Some(0x20);
    meta.xattrs = vec![(Bytes::from_static(b"user.x"), Bytes::from_static(b"y"))];
    meta.tags = vec![("k".into(), "v".into())];
    let spec = WriteSpec { meta: meta.clone(), ..WriteSpec::default() };
    let kept = s.target().put(&s.at("file"), spec, vec![Bytes::from_static(b"x")]).await?.kept;
    promise!(caps(&s).writes.has(kept), "claimed is {}, but kept is said {kept}", caps(&s).writes);
    let kept = s.target().apply(&s.at("file"), &meta, meta.facets()).await?;
    promise!(caps(&s).writes.has(kept), "claimed is {}, but applied is said {kept}", caps(&s).writes);
    Ok(())
}
