//! Trying again in the middle of a write.

use super::retry::{Backoff, Tries};
use crate::{
    Body, Error, ErrorKind, PartRules, Published, ReadSpec, Receipt, Result, ResumeToken, Target, Upload, WriteSpec,
    checksum,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{TryStreamExt as _, future::BoxFuture};
use model::{Digests, Facets, Metadata, RelPath};
use std::sync::{Arc, Mutex, PoisonError};

/// An upload in the hands of its parts in flight, until it is finished.
type Shared = Arc<Mutex<Option<Box<dyn Upload>>>>;

pub(super) struct RetryingUpload<S: ?Sized> {
    store: Arc<S>,
    backoff: Arc<Backoff>,
    path: RelPath,
    spec: WriteSpec,
    rules: PartRules,
    token: Option<ResumeToken>,
    upload: Shared,
}

impl<S: Target + ?Sized> RetryingUpload<S> {
    pub(super) fn new(
        store: &Arc<S>,
        backoff: &Arc<Backoff>,
        path: &RelPath,
        spec: WriteSpec,
        upload: Box<dyn Upload>,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            backoff: Arc::clone(backoff),
            path: path.clone(),
            spec,
            rules: upload.rules(),
            token: upload.token(),
            upload: Arc::new(Mutex::new(Some(upload))),
        }
    }
    fn take(&self) -> Result<Box<dyn Upload>> {
        let over = || Error::new(ErrorKind::Invalid, "finish the write of").at(&self.path);
        self.upload.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(over)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Target + ?Sized> Upload for RetryingUpload<S> {
    fn rules(&self) -> PartRules {
        self.rules
    }

    fn token(&self) -> Option<ResumeToken> {
        self.token.clone()
    }

    fn part(&self, index: u32, offset: u64, data: Vec<Bytes>, crc64nvme: u64) -> BoxFuture<'static, Result<Receipt>> {
        let (upload, backoff, path) = (Arc::clone(&self.upload), Arc::clone(&self.backoff), self.path.clone());
        let attempt = move || {
            let upload = upload.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(upload) = &*upload {
                return upload.part(index, offset, data.clone(), crc64nvme);
            }
            let over = Error::new(ErrorKind::Invalid, "write a part of").at(&path).because("the write is over");
            Box::pin(std::future::ready(Err(over)))
        };
        Box::pin(async move { backoff.again(attempt).await })
    }

    /// A finish uses up the upload, so to try again it is resumed; when it cannot be found any more, the
    /// first try has probably done its work.
    async fn finish(self: Box<Self>, receipts: Vec<Receipt>, whole: Digests) -> Result<Published> {
        let mut upload = self.take()?;
        let size = receipts.iter().map(|receipt| receipt.len).sum();
        let mut tries = Tries::default();
        loop {
            let error = match upload.finish(receipts.clone(), whole).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let Some(token) = &self.token else { return Err(error) };
            let lost_race = error.kind() == ErrorKind::AlreadyExists && tries.repeated();
            if !lost_race && !self.backoff.pause(&error, &mut tries).await {
                return Err(error);
            }
            let again = self.backoff.again(|| self.store.resume(&self.path, self.spec.clone(), token)).await;
            upload = match again {
                Ok((upload, _)) if !lost_race => upload,
                Err(gone) if gone.kind() != ErrorKind::NotFound => return Err(gone),
                Ok(_) | Err(_) => {
                    let digests = expected(&whole, &receipts);
                    let written = landed(&*self.store, &self.backoff, &self.path, &self.spec, size, &digests).await;
                    return written?.ok_or(error);
                }
            };
        }
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        let mut tries = Tries::default();
        let error = match self.take()?.abort().await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        match &self.token {
            Some(token) if self.backoff.pause(&error, &mut tries).await => {
                self.backoff.again(|| self.store.discard(&self.path, token)).await
            }
            _ => Err(error),
        }
    }
}

/// What stands at `path`, if it is what we were about to write: of the same size and with the same
/// content, by the store's own digest or, where it keeps none, read back.
pub(super) async fn landed<S: Target + ?Sized>(
    store: &S,
    backoff: &Backoff,
    path: &RelPath,
    spec: &WriteSpec,
    size: u64,
    digests: &Digests,
) -> Result<Option<Published>> {
    let want = spec.meta.facets().and(Facets::DIGESTS);
    let entry = match backoff.again(|| store.stat(path, want)).await {
        Ok(entry) if entry.kind.is_file() && entry.stamp.size == size => entry,
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(_) | Err(_) => return Ok(None),
    };
    let found = entry.digests.map(|digests| *digests).unwrap_or_default();
    let ours = match found.agree(digests) {
        Some(same) => same,
        None if digests.crc64nvme.is_none() => false,
        None => digests.crc64nvme == Some(backoff.again(|| read_back(store, path)).await?),
    };
    let kept = entry.meta.map_or(Facets::NONE, |meta| equal(&meta, &spec.meta));
    let kept = kept.shared(store.caps().writes);
    Ok(ours.then_some(Published { stamp: entry.stamp, digests: found, kept }))
}

async fn read_back<S: Target + ?Sized>(store: &S, path: &RelPath) -> Result<u64> {
    match store.read(path, ReadSpec::default()).await?.body {
        Body::Whole(data) => Ok(checksum::crc64nvme(&[data])),
        Body::Stream(mut pieces) => {
            let mut so_far = 0;
            while let Some(piece) = pieces.try_next().await? {
                let len = piece.len() as u64;
                so_far = checksum::combine_crc64nvme(so_far, checksum::crc64nvme(&[piece]), len);
            }
            Ok(so_far)
        }
    }
}

/// The digest of the whole, from the caller or from those of the parts.
fn expected(whole: &Digests, receipts: &[Receipt]) -> Digests {
    let mut receipts: Vec<&Receipt> = receipts.iter().collect();
    receipts.sort_by_key(|receipt| receipt.index);
    let joined = receipts
        .iter()
        .try_fold(0, |so_far, receipt| Some(checksum::combine_crc64nvme(so_far, receipt.crc64nvme?, receipt.len)));
    Digests { crc64nvme: whole.crc64nvme.or(joined), ..*whole }
}

/// Facets that both have, and with the same value.
fn equal(found: &Metadata, meant: &Metadata) -> Facets {
    let same = |same: bool, facet| if same { facet } else { Facets::NONE };
    let posix = found.posix.as_ref().zip(meant.posix.as_ref());
    same(meant.mtime.is_some() && found.mtime == meant.mtime, Facets::MTIME)
        .and(same(meant.atime.is_some() && found.atime == meant.atime, Facets::ATIME))
        .and(same(meant.birth.is_some() && found.birth == meant.birth, Facets::BIRTH))
        .and(same(posix.is_some_and(|(a, b)| a.mode == b.mode), Facets::MODE))
        .and(same(posix.is_some_and(|(a, b)| (&a.owner, &a.group) == (&b.owner, &b.group)), Facets::OWNER))
        .and(same(meant.acl.is_some() && found.acl == meant.acl, meant.facets().shared(ACLS)))
        .and(same(!meant.xattrs.is_empty() && found.xattrs == meant.xattrs, Facets::XATTR))
        .and(same(!meant.user.is_empty() && found.user == meant.user, Facets::USER_META))
        .and(same(!meant.tags.is_empty() && found.tags == meant.tags, Facets::TAGS))
}

const ACLS: Facets = Facets::POSIX_ACL.and(Facets::NFS4_ACL).and(Facets::NTFS_SD);
