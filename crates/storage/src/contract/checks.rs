//! What the cases share: writing, reading, listing and comparing in one line each.

use super::Subject;
use crate::{Body, Error, ErrorKind, ListSpec, Published, ReadSpec, Source, Target, WriteSpec, checksum, collect_body};
use bytes::Bytes;
use futures::{TryStreamExt as _, future::try_join_all};
use model::{Entry, Facets, RelPath};
use std::{fmt, ops::Range};

/// A promise that was not kept.
#[derive(Debug)]
pub struct Failure(pub(super) String);
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(format!("failed where it should not: {error:?}"))
    }
}

/// Ends the case with a message unless the condition holds.
macro_rules! promise {
    ($holds:expr, $($words:tt)+) => {
        if !$holds {
            return Err(super::Failure(format!($($words)+)));
        }
    };
}
pub(super) use promise;

impl Subject {
    /// The path of `name` in the case's own directory.
    pub(super) fn at(&self, name: impl AsRef<[u8]>) -> RelPath {
        self.root.join(name.as_ref())
    }
    /// The writing half; the case must need it.
    pub(super) fn target(&self) -> &dyn Target {
        self.target.as_deref().expect("a case that writes needs a target")
    }
    /// Puts a file there for reading.
    pub(super) async fn write(&self, path: &RelPath, content: &[u8]) -> Result<Published, Failure> {
        let spec = WriteSpec { size: Some(content.len() as u64), ..WriteSpec::default() };
        let written = self.populate.put(path, spec, vec![Bytes::copy_from_slice(content)]).await;
        written.map_err(|error| Failure(format!("cannot prepare the case: {error:?}")))
    }
    pub(super) async fn content(&self, path: &RelPath) -> Result<Vec<u8>, Error> {
        self.part_of(path, None).await
    }
    pub(super) async fn part_of(&self, path: &RelPath, range: Option<Range<u64>>) -> Result<Vec<u8>, Error> {
        let reading = self.source.read(path, ReadSpec { range, ..ReadSpec::default() }).await?;
        Ok(collect_body(reading.body, u64::MAX).await?.concat())
    }
    /// Everything directly in `dir`.
    pub(super) async fn listed(&self, dir: &RelPath, want: Facets) -> Result<Vec<Entry>, Error> {
        let pages = self.source.list(dir, ListSpec { want, ..ListSpec::default() });
        let pages: Vec<_> = pages.try_collect().await?;
        Ok(pages.into_iter().flat_map(|page| page.entries).collect())
    }
    /// Names directly in `dir`, sorted; none where a key space has no such prefix.
    pub(super) async fn names_in(&self, dir: &RelPath) -> Result<Vec<RelPath>, Error> {
        let listed = match self.listed(dir, Facets::NONE).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            listed => listed?,
        };
        let mut names: Vec<RelPath> = listed.into_iter().map(|entry| entry.path).collect();
        names.sort();
        Ok(names)
    }
    /// Fails unless nothing shows at `path`, neither by name nor in a listing of its directory.
    pub(super) async fn promise_nothing_at(&self, path: &RelPath) -> Result<(), Failure> {
        let found = self.source.stat(path, Facets::NONE).await;
        promise!(refused_with(&found, &[ErrorKind::NotFound]), "`{path}` should not be there: {found:?}");
        let dir = path.parent().unwrap_or_default();
        let names = self.names_in(&dir).await?;
        promise!(names.is_empty(), "`{dir}` should show nothing, but shows {names:?}");
        Ok(())
    }
    /// Makes many files at once.
    pub(super) async fn write_many(&self, names: &[RelPath]) -> Result<(), Failure> {
        for some in names.chunks(16) {
            try_join_all(some.iter().map(|path| self.write(path, path.file_name()))).await?;
        }
        Ok(())
    }
}

/// Bytes that differ from place to place, the same for the same `seed`.
pub(super) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

pub(super) fn crc(content: &[u8]) -> u64 {
    checksum::crc64nvme(&[Bytes::copy_from_slice(content)])
}

/// Was it refused, with one of these kinds?
pub(super) fn refused_with<T>(answer: &Result<T, Error>, kinds: &[ErrorKind]) -> bool {
    answer.as_ref().err().is_some_and(|error| kinds.contains(&error.kind()))
}

/// What a body is, for messages.
pub(super) async fn drained(source: &dyn Source, path: &RelPath, spec: ReadSpec) -> Result<Vec<u8>, Error> {
    let reading = source.read(path, spec).await?;
    match reading.body {
        Body::Whole(data) => Ok(data.to_vec()),
        body @ Body::Stream(_) => Ok(collect_body(body, u64::MAX).await?.concat()),
    }
}
