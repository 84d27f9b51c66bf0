//! A write in parts, at their offsets in one temporary file.

use crate::{
    LocalStore, Tree,
    attributes::entry_of,
    errno::failed,
    receipts::{self, Part},
    temporary, write,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use model::{Digests, Facets, RelPath};
use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, Mode, OFlags, fdatasync, openat, unlinkat},
    io::Errno,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use storage::{
    Error, ErrorKind, PartRules, Published, Receipt, Result, ResumeToken, Source as _, Target as _, Upload, WriteSpec,
    checksum,
};

const RESUME: &str = "resume the write of";

pub(crate) async fn create(store: &LocalStore, path: &RelPath, spec: WriteSpec) -> Result<Box<dyn Upload>> {
    let at = path.clone();
    let work = store.blocking("open a write of", path, move |tree| Work::create(tree, &at)).await?;
    Ok(Box::new(LocalUpload { store: store.clone(), path: path.clone(), spec, work: Arc::new(work) }))
}

pub(crate) async fn resume(
    store: &LocalStore,
    path: &RelPath,
    spec: WriteSpec,
    token: &ResumeToken,
) -> Result<(Box<dyn Upload>, Vec<Receipt>)> {
    let (at, token) = (path.clone(), token.clone());
    let work = store.blocking(RESUME, path, move |tree| Work::resume(tree, &at, &token)).await?;
    let receipts = work.parts().iter().map(|(index, part)| part.receipt(*index)).collect();
    Ok((Box::new(LocalUpload { store: store.clone(), path: path.clone(), spec, work: Arc::new(work) }), receipts))
}

/// The files of a write in progress.
struct Work {
    dir: OwnedFd,
    temporary: Vec<u8>,
    file: OwnedFd,
    records: OwnedFd,
    parts: Mutex<BTreeMap<u32, Part>>,
}

impl Work {
    fn create(tree: &Tree, path: &RelPath) -> Result<Self> {
        let broken = |error| failed(error, "open a write of", path);
        let (dir, temporary, file) = write::open_partial(tree, path)?;
        let dir = own(&dir).map_err(broken)?;
        let name = temporary::receipts_of(&temporary);
        // Left behind by a write whose content was removed by hand.
        unlinkat(&dir, &name[..], AtFlags::empty()).or_else(absent).map_err(broken)?;
        let records = receipts::open(&dir, &name).map_err(broken)?;
        write::sync_dir(tree, &dir, Some(&file)).map_err(broken)?;
        Ok(Self { dir, temporary, file, records, parts: Mutex::default() })
    }

    fn resume(tree: &Tree, path: &RelPath, token: &ResumeToken) -> Result<Self> {
        let gone = || Error::new(ErrorKind::NotFound, RESUME).at(path);
        let broken = |error| match error {
            Errno::NOENT | Errno::NOTDIR | Errno::LOOP => gone(),
            error => failed(error, RESUME, path),
        };
        tree.check_new(path, RESUME)?;
        let temporary = temporary::name_in(token, path).ok_or_else(gone)?;
        let (dir, _) = tree.root.parent(path).map_err(broken)?;
        let dir = own(&dir).map_err(broken)?;
        let file = openat(&dir, &temporary[..], write::PARTIAL, Mode::empty()).map_err(broken)?;
        let records = receipts::open(&dir, &temporary::receipts_of(&temporary)).map_err(broken)?;
        let parts = receipts::verified(tree, &records, &file, path)?;
        Ok(Self { dir, temporary, file, records, parts: Mutex::new(parts) })
    }

    fn parts(&self) -> BTreeMap<u32, Part> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write(&self, tree: &Tree, path: &RelPath, index: u32, part: Part, data: &[Bytes]) -> Result<Receipt> {
        let broken = |error| failed(error, "write a part of", path);
        if checksum::crc64nvme(data) != part.crc64nvme {
            return Err(Error::new(ErrorKind::Corrupt, "write a part of").at(path));
        }
        write::write_at(tree, &self.file, part.offset, data).map_err(broken)?;
        if tree.options.durable {
            tree.observed("fsync", || fdatasync(&self.file)).map_err(broken)?;
        }
        receipts::append(tree, &self.records, index, part).map_err(broken)?;
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).insert(index, part);
        Ok(part.receipt(index))
    }

    fn finish(
        &self,
        tree: &Tree,
        path: &RelPath,
        spec: &WriteSpec,
        receipts: &[Receipt],
        whole: &Digests,
    ) -> Result<Published> {
        let broken = |error| failed(error, "finish the write of", path);
        let crc = self.complete(tree, path, spec, receipts)?;
        if whole.crc64nvme.is_some_and(|meant| meant != crc) {
            let cause = "the parts together have another CRC-64/NVME";
            return Err(Error::new(ErrorKind::Corrupt, "finish the write of").at(path).because(cause));
        }
        let done = write::publish(tree, path, spec, &self.dir, &self.temporary, &self.file)?;
        let records = temporary::receipts_of(&self.temporary);
        unlinkat(&self.dir, &records[..], AtFlags::empty()).or_else(absent).map_err(broken)?;
        Ok(done)
    }

    /// Checks that the parts follow each other from the first byte to the last; gives the whole's
    /// CRC-64/NVME.
    fn complete(&self, tree: &Tree, path: &RelPath, spec: &WriteSpec, receipts: &[Receipt]) -> Result<u64> {
        let wrong = |cause: String| Error::new(ErrorKind::Invalid, "finish the write of").at(path).because(cause);
        let parts = self.parts();
        let mut receipts: Vec<&Receipt> = receipts.iter().collect();
        receipts.sort_by_key(|receipt| receipt.index);
        let (mut end, mut crc) = (0_u64, 0_u64);
        for (place, receipt) in receipts.iter().enumerate() {
            let part = parts.get(&receipt.index).filter(|part| part.len == receipt.len);
            let part = part.ok_or_else(|| wrong(format!("part {} was never written", receipt.index)))?;
            if u32::try_from(place) != Ok(receipt.index) || part.offset != end {
                return Err(wrong(format!("the part before part {} is missing", receipt.index)));
            }
            end += part.len;
            crc = checksum::combine_crc64nvme(crc, part.crc64nvme, part.len);
        }
        if spec.size.is_some_and(|size| size != end) {
            return Err(wrong(format!("the parts make {end} bytes, not {:?}", spec.size)));
        }
        let held = entry_of(&self.file, path, Facets::NONE).map_err(|e| failed(e, "finish the write of", path))?;
        if held.stamp.size != end {
            let cause = format!("the file holds {} bytes, the parts make {end}", held.stamp.size);
            return Err(Error::new(ErrorKind::Corrupt, "finish the write of").at(path).because(cause));
        }
        tracing::trace!(bytes = end, durable = tree.options.durable, "parts are complete");
        Ok(crc)
    }
}

/// A handle that outlives the call.
fn own(dir: &impl rustix::fd::AsFd) -> Result<OwnedFd, Errno> {
    openat(dir, ".", OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC), Mode::empty())
}

fn absent(error: Errno) -> Result<(), Errno> {
    if error == Errno::NOENT { Ok(()) } else { Err(error) }
}

/// One write in progress.
struct LocalUpload {
    store: LocalStore,
    path: RelPath,
    spec: WriteSpec,
    work: Arc<Work>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upload for LocalUpload {
    fn rules(&self) -> PartRules {
        self.store.caps().parts
    }

    fn token(&self) -> Option<ResumeToken> {
        Some(temporary::token(&self.work.temporary))
    }

    fn part(&self, index: u32, offset: u64, data: Vec<Bytes>, crc64nvme: u64) -> BoxFuture<'static, Result<Receipt>> {
        let (store, path, work) = (self.store.clone(), self.path.clone(), Arc::clone(&self.work));
        Box::pin(async move {
            let len = data.iter().map(|piece| piece.len() as u64).sum();
            let part = Part { offset, len, crc64nvme };
            let at = path.clone();
            store.blocking("write a part of", &path, move |tree| work.write(tree, &at, index, part, &data)).await
        })
    }

    async fn finish(self: Box<Self>, receipts: Vec<Receipt>, whole: Digests) -> Result<Published> {
        let Self { store, path, spec, work } = *self;
        let at = path.clone();
        store.blocking("finish the write of", &path, move |tree| work.finish(tree, &at, &spec, &receipts, &whole)).await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.store.discard(&self.path, &temporary::token(&self.work.temporary)).await
    }
}
