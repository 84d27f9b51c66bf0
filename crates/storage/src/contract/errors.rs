//! Errors of the right kind, and the figures of the volume.

use super::checks::{promise, refused_with};
use super::{Case, Failure, Need, Subject, TREE, WRITES};
use crate::{ErrorKind, ReadSpec, WriteSpec};
use bytes::Bytes;
use model::{Facets, Metadata};

const DIRS: Need = Need::caps("directories", |s| s.populate.caps().nodes.dirs);

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("errors::what is missing is not found", [], missing),
        Case::new("errors::metadata of what is missing is not found", [WRITES], missing_apply),
        Case::new("errors::a directory is not read as a file", [DIRS], directory),
        Case::new("errors::nothing is below a file", [], below_file),
        Case::new("errors::nothing is written below a file", [WRITES, TREE], write_below_file),
        Case::new("errors::an error says where", [], says_where),
        Case::new("volume::its figures make sense", [], usage),
        Case::new("volume::the root can be looked at", [], root),
    ]
}

async fn missing(s: Subject) -> Result<(), Failure> {
    s.write(&s.at("other"), b"").await?;
    for name in ["file", "no/such/dir/file"] {
        let answer = s.source.stat(&s.at(name), Facets::POSIX).await;
        promise!(refused_with(&answer, &[ErrorKind::NotFound]), "looking at nothing answers {answer:?}");
        let answer = s.content(&s.at(name)).await;
        promise!(refused_with(&answer, &[ErrorKind::NotFound]), "reading nothing answers {answer:?}");
    }
    Ok(())
}

async fn missing_apply(s: Subject) -> Result<(), Failure> {
    let meta = Metadata { mtime: Some(model::Timestamp { secs: 1, nanos: 0 }), ..Metadata::default() };
    let answer = s.target().apply(&s.at("file"), &meta, Facets::MTIME).await;
    promise!(refused_with(&answer, &[ErrorKind::NotFound]), "applying to nothing answers {answer:?}");
    Ok(())
}

async fn directory(s: Subject) -> Result<(), Failure> {
    s.populate.make(&s.at("dir"), crate::Node::Dir, &Metadata::default()).await?;
    s.write(&s.at("dir/file"), b"x").await?;
    let answer = s.content(&s.at("dir")).await;
    // In a key space the directory's own key may simply not be there.
    let keys = s.source.caps().names.item_and_prefix;
    let kinds = if keys { &[ErrorKind::Invalid, ErrorKind::NotFound][..] } else { &[ErrorKind::Invalid] };
    promise!(refused_with(&answer, kinds), "reading a directory answers {answer:?}");
    Ok(())
}

async fn below_file(s: Subject) -> Result<(), Failure> {
    s.write(&s.at("file"), b"x").await?;
    let path = s.at("file/below");
    let kinds = [ErrorKind::NotFound, ErrorKind::Invalid];
    let answer = s.source.stat(&path, Facets::NONE).await;
    promise!(refused_with(&answer, &kinds), "looking below a file answers {answer:?}");
    let answer = s.content(&path).await;
    promise!(refused_with(&answer, &kinds), "reading below a file answers {answer:?}");
    Ok(())
}

async fn write_below_file(s: Subject) -> Result<(), Failure> {
    s.write(&s.at("file"), b"x").await?;
    let path = s.at("file/below");
    let kinds = [ErrorKind::Invalid, ErrorKind::AlreadyExists, ErrorKind::NotFound];
    let answer = s.target().put(&path, WriteSpec::default(), vec![Bytes::from_static(b"y")]).await;
    promise!(refused_with(&answer, &kinds), "writing below a file answers {answer:?}");
    promise!(s.content(&s.at("file")).await? == b"x", "the file changed");
    Ok(())
}

async fn says_where(s: Subject) -> Result<(), Failure> {
    let path = s.at("no\nsuch");
    let Err(error) = s.source.read(&path, ReadSpec::default()).await else {
        return Err(Failure("reading nothing succeeds".into()));
    };
    promise!(error.path() == Some(&path), "the error is at {:?}, not at {path:?}", error.path());
    promise!(!error.op().is_empty(), "the error does not say what was tried");
    Ok(())
}

async fn usage(s: Subject) -> Result<(), Failure> {
    s.write(&s.at("file"), b"x").await?;
    if let Some(usage) = s.source.usage().await? {
        let sane = usage.used <= usage.capacity && usage.available <= usage.capacity && usage.capacity > 0;
        promise!(sane, "the volume says {usage:?}");
    }
    Ok(())
}

async fn root(s: Subject) -> Result<(), Failure> {
    let root = s.source.stat(&model::RelPath::ROOT, Facets::POSIX).await?;
    promise!(root.kind.is_dir() && root.path.is_root(), "the root is {root:?}");
    Ok(())
}
