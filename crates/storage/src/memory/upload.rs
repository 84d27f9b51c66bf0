//! A write in parts, kept in memory until it is finished.

use super::{MemoryStore, content};
use crate::{
    Error, ErrorKind, PartRules, Published, Receipt, Result, ResumeToken, Source as _, Upload, WriteSpec, checksum,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use model::{Digests, RelPath};
use std::collections::BTreeMap;

/// Parts that arrived so far.
pub(super) struct Pending {
    pub(super) path: RelPath,
    pub(super) parts: BTreeMap<u32, Part>,
}
pub(super) struct Part {
    offset: u64,
    content: Bytes,
    crc64nvme: u64,
}

impl Part {
    pub(super) fn receipt(&self, index: u32) -> Receipt {
        let tag = Bytes::from(format!("{:016x}", self.crc64nvme));
        Receipt { index, len: self.content.len() as u64, crc64nvme: Some(self.crc64nvme), tag }
    }
}

impl Pending {
    /// The content, if the receipts name every part from the first, without a gap.
    pub(super) fn assembled(&self, receipts: &[Receipt], min: u64) -> Result<Vec<Bytes>> {
        let wrong = |cause: String| Error::new(ErrorKind::Invalid, "finish the write of").at(&self.path).because(cause);
        let mut receipts: Vec<&Receipt> = receipts.iter().collect();
        receipts.sort_by_key(|receipt| receipt.index);
        let mut pieces = Vec::with_capacity(receipts.len());
        let mut at = 0_u64;
        for (place, receipt) in receipts.iter().enumerate() {
            let part = self.parts.get(&receipt.index).filter(|part| part.receipt(receipt.index) == **receipt);
            let part = part.ok_or_else(|| wrong(format!("part {} was never sent", receipt.index)))?;
            if u32::try_from(place) != Ok(receipt.index) || part.offset != at {
                return Err(wrong(format!("the part before part {} is missing", receipt.index)));
            }
            let len = part.content.len() as u64;
            if len < min && place + 1 < receipts.len() {
                return Err(wrong(format!("part {} is smaller than {min} bytes", receipt.index)));
            }
            at += len;
            pieces.push(part.content.clone());
        }
        Ok(pieces)
    }
}

pub(super) fn token_of(id: u64) -> ResumeToken {
    ResumeToken(Bytes::copy_from_slice(&id.to_be_bytes()))
}
pub(super) fn id_of(token: &ResumeToken) -> Option<u64> {
    token.0[..].try_into().ok().map(u64::from_be_bytes)
}

/// One write in progress.
pub(super) struct MemoryUpload {
    pub(super) store: MemoryStore,
    pub(super) path: RelPath,
    pub(super) spec: WriteSpec,
    pub(super) id: u64,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upload for MemoryUpload {
    fn rules(&self) -> PartRules {
        self.store.caps().parts
    }
    fn token(&self) -> Option<ResumeToken> {
        Some(token_of(self.id))
    }
    fn part(&self, index: u32, offset: u64, data: Vec<Bytes>, crc64nvme: u64) -> BoxFuture<'static, Result<Receipt>> {
        let (store, path, id) = (self.store.clone(), self.path.clone(), self.id);
        Box::pin(async move {
            if checksum::crc64nvme(&data) != crc64nvme {
                return Err(Error::new(ErrorKind::Corrupt, "write a part of").at(&path));
            }
            let part = Part { offset, content: content::joined(data), crc64nvme };
            let receipt = part.receipt(index);
            let mut names = store.names();
            let gone = || Error::new(ErrorKind::NotFound, "write a part of").at(&path);
            names.uploads.get_mut(&id).ok_or_else(gone)?.parts.insert(index, part);
            Ok(receipt)
        })
    }
    async fn finish(self: Box<Self>, receipts: Vec<Receipt>, whole: Digests) -> Result<Published> {
        let rules = (self.store.caps.parts.min, self.store.caps.writes);
        self.store.names().complete(self.id, &receipts, &whole, &self.spec, rules)
    }
    async fn abort(self: Box<Self>) -> Result<()> {
        self.store.names().drop_upload(&self.path, self.id);
        Ok(())
    }
}
