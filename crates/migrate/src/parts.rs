//! A file that is too large for one request: parts in flight together, resumable after a crash.
//!
//! Intent, effect, result: `Intent` is durable before the write is opened, `Opened` before its first part is
//! sent, so that whatever a crash leaves at the target can be found again, by token or by name.

use crate::{
    bring::{Arrival, confirm, metadata, record, write_spec, written},
    compare::{Bring, Resume},
    digest::digests,
    shop::{Shop, Trouble, lost},
};
use futures::{StreamExt as _, stream};
use journal::{Part, Record};
use model::{Digests, Entry, Facets, Kind, RelPath};
use std::{collections::BTreeMap, ops::Range};
use storage::{
    Error, ErrorKind, Published, ReadSpec, Receipt, ResumeToken, Retry, Upload, WriteSpec,
    checksum::{combine_crc64nvme, crc64nvme},
    collect_body,
};

/// Parts of one file in flight together, at most; the memory budget may allow fewer.
const PARTS_IN_FLIGHT: usize = 8;

/// Removes writes in parts that an earlier run left open for this item and that are of no use now.
pub(crate) async fn clear_leftovers(shop: &Shop, item: &mut Bring) -> Result<(), Trouble> {
    let to = item.placed.target_path().clone();
    let keep = item.resume.as_ref().map(|resume| resume.token.clone());
    let tokens = std::mem::take(&mut item.discard);
    let search = std::mem::replace(&mut item.search, false);
    discard(shop, &to, tokens, search, keep).await
}

/// Removes writes by token, and, when asked, whatever else is open under exactly this name.
pub(crate) async fn discard(
    shop: &Shop,
    to: &RelPath,
    tokens: Vec<bytes::Bytes>,
    search: bool,
    keep: Option<bytes::Bytes>,
) -> Result<(), Trouble> {
    let mut tokens: Vec<ResumeToken> = tokens.into_iter().map(ResumeToken).collect();
    if search {
        let found = shop.target.abandoned(to).await.map_err(|error| shop.target_trouble(error))?;
        tokens.extend(found.into_iter().map(|left| left.token).filter(|token| Some(&token.0) != keep.as_ref()));
    }
    if tokens.is_empty() {
        return Ok(());
    }
    for token in &tokens {
        shop.target.discard(to, token).await.map_err(|error| shop.target_trouble(error))?;
        shop.ledger.books().discarded_uploads += 1;
    }
    // With a write of this name to go on with, the record of it must stay.
    if keep.is_none() {
        shop.journal.append(Record::Dropped { path: to.clone() }).await?;
    }
    Ok(())
}

/// The plan of one write in parts.
struct Layout {
    size: u64,
    part: u64,
    count: u32,
}

impl Layout {
    fn of(&self, index: u32) -> Range<u64> {
        let start = u64::from(index) * self.part;
        start..(start + self.part).min(self.size)
    }
}

pub(crate) async fn file(shop: &Shop, item: &mut Bring, to: &RelPath) -> Result<Arrival, Trouble> {
    let resume = item.resume.take();
    let entry = &item.placed.entry;
    let size = entry.stamp.size;
    let meta = described(shop, entry).await?;
    let spec = write_spec(shop, size, &meta, Digests::default());
    let Open { upload, layout, mut held } = match reopen(shop, entry, to, &spec, resume).await? {
        Some(open) => open,
        None => open(shop, entry, to, spec).await?,
    };
    let token = upload.token();
    let sent = match send_missing(shop, entry, to, upload.as_ref(), &layout, &mut held).await {
        Ok(sent) => sent,
        // Left open on purpose: the next run goes on with it.
        Err(trouble @ (Trouble::Stopped | Trouble::Fatal(_))) => return Err(trouble),
        Err(trouble) => {
            if upload.abort().await.is_ok() {
                shop.journal.append(Record::Dropped { path: to.clone() }).await?;
            }
            return Err(trouble);
        }
    };
    let sums = digests(whole_checksum(&held));
    let receipts = held.into_values().collect();
    let published = match upload.finish(receipts, sums).await {
        Ok(published) => published,
        Err(error) => settle(shop, to, size, &sums, token, error).await?,
    };
    confirm(&published.digests, &sums, to)?;
    // An opening whose answer was lost was repeated, and nobody knows the token of the first.
    discard(shop, to, Vec::new(), true, None).await?;
    let lost = lost(Some(&meta), entry.nlink, published.kept);
    record(shop, entry, to, &Kind::File, &meta, published, sums, false).await?;
    Ok(Arrival::Sent { bytes: sent, lost })
}

/// Metadata goes along with the opening of the write, so it must be known before any content is read.
async fn described(shop: &Shop, entry: &Entry) -> Result<model::Metadata, Trouble> {
    if entry.meta.is_some() {
        return Ok(metadata(entry, entry));
    }
    let want = shop.source.caps().reads.minus(Facets::DIGESTS);
    let seen = shop.source.stat(&entry.path, want).await.map_err(|error| shop.source_trouble(error))?;
    Ok(metadata(entry, &seen))
}

/// A write in parts, ready for what is missing.
struct Open {
    upload: Box<dyn Upload>,
    layout: Layout,
    /// Parts that the target holds already.
    held: BTreeMap<u32, Receipt>,
}

async fn open(shop: &Shop, entry: &Entry, to: &RelPath, spec: WriteSpec) -> Result<Open, Trouble> {
    let size = entry.stamp.size;
    let refused = |why: String| Trouble::Item(Error::new(ErrorKind::Unsupported, "write").at(to).because(why));
    let rules = shop.target.caps().parts;
    let part = rules
        .part_size(size, shop.spec.part_size.0)
        .ok_or_else(|| refused(format!("the target takes no object of {}", model::ByteSize(size))))?;
    if part > shop.spec.memory.0 {
        return Err(refused(format!(
            "an object of {} needs parts of {}, but the plan's `memory` is {}",
            model::ByteSize(size),
            model::ByteSize(part),
            model::ByteSize(shop.spec.memory.0)
        )));
    }
    let intent = Record::Intent { path: to.clone(), source: entry.stamp.clone() };
    let lsn = shop.journal.append(intent).await?;
    shop.journal.durable(lsn).await?;
    let upload = shop.target.create(to, spec).await.map_err(|error| shop.target_trouble(written(error)))?;
    if let Some(token) = upload.token() {
        let opened = Record::Opened { path: to.clone(), source: entry.stamp.clone(), part_size: part, token: token.0 };
        let lsn = shop.journal.append(opened).await?;
        shop.journal.durable(lsn).await?;
    }
    let count = u32::try_from(size.div_ceil(part)).map_err(|_| refused("too many parts".to_owned()))?;
    Ok(Open { upload, layout: Layout { size, part, count }, held: BTreeMap::new() })
}

/// Goes on with a write that an earlier run left open. `None` when the target knows nothing of it any more.
async fn reopen(
    shop: &Shop,
    entry: &Entry,
    to: &RelPath,
    spec: &WriteSpec,
    resume: Option<Resume>,
) -> Result<Option<Open>, Trouble> {
    let Some(resume) = resume else { return Ok(None) };
    let token = ResumeToken(resume.token);
    let size = entry.stamp.size;
    let (upload, there) = match shop.target.resume(to, spec.clone(), &token).await {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            shop.journal.append(Record::Dropped { path: to.clone() }).await?;
            return Ok(None);
        }
        Err(error) => return Err(shop.target_trouble(error)),
    };
    let Ok(count) = u32::try_from(size.div_ceil(resume.part_size)) else { return Ok(None) };
    let layout = Layout { size, part: resume.part_size, count };
    let there: BTreeMap<u32, Receipt> = there.into_iter().map(|receipt| (receipt.index, receipt)).collect();
    // A part counts when our journal knows its checksum and the target still holds those very bytes.
    let held: BTreeMap<u32, Receipt> = resume
        .parts
        .into_iter()
        .filter_map(|(index, len, crc, tag)| {
            let said = there.get(&index)?;
            let range = layout.of(index);
            let same = said.len == len
                && len == range.end - range.start
                && said.tag == tag
                && said.crc64nvme.is_none_or(|theirs| theirs == crc);
            same.then_some((index, Receipt { index, len, crc64nvme: Some(crc), tag }))
        })
        .collect();
    shop.ledger.books().resumed_uploads += 1;
    shop.meter.bytes(held.values().map(|receipt| receipt.len).sum());
    Ok(Some(Open { upload, layout, held }))
}

/// Sends the parts that the target does not hold; returns the bytes sent.
async fn send_missing(
    shop: &Shop,
    entry: &Entry,
    to: &RelPath,
    upload: &dyn Upload,
    layout: &Layout,
    held: &mut BTreeMap<u32, Receipt>,
) -> Result<u64, Trouble> {
    let missing: Vec<u32> = (0..layout.count).filter(|index| !held.contains_key(index)).collect();
    let together = usize::try_from(upload.rules().in_flight.get()).unwrap_or(1).min(PARTS_IN_FLIGHT);
    let jobs = missing.into_iter().map(|index| send_part(shop, entry, to, upload, index, layout.of(index)));
    let mut flight = stream::iter(jobs).buffer_unordered(together);
    let mut sent = 0;
    while let Some(receipt) = flight.next().await {
        let receipt = receipt?;
        sent += receipt.len;
        held.insert(receipt.index, receipt);
    }
    Ok(sent)
}

async fn send_part(
    shop: &Shop,
    entry: &Entry,
    to: &RelPath,
    upload: &dyn Upload,
    index: u32,
    range: Range<u64>,
) -> Result<Receipt, Trouble> {
    if shop.closing() {
        return Err(Trouble::Stopped);
    }
    let len = range.end - range.start;
    let _room = shop.budget.room(len).await;
    let spec = ReadSpec {
        range: Some(range.clone()),
        if_stamp: Some(entry.stamp.clone()),
        locator: entry.locator.clone(),
        want: Facets::NONE,
    };
    let reading = shop.source.read(&entry.path, spec).await.map_err(|error| shop.source_trouble(error))?;
    let data = collect_body(reading.body, len).await.map_err(|error| shop.source_trouble(error))?;
    if data.iter().map(|piece| piece.len() as u64).sum::<u64>() != len {
        return Err(Trouble::Item(Error::new(ErrorKind::Changed, "read").at(&entry.path)));
    }
    let crc = crc64nvme(&data);
    let sent = upload.part(index, range.start, data, crc).await;
    let mut receipt = sent.map_err(|error| shop.target_trouble(written(error)))?;
    receipt.crc64nvme = Some(crc);
    let part = Part { index, len, crc64nvme: crc, tag: receipt.tag.clone() };
    shop.journal.append(Record::Part { path: to.clone(), part }).await?;
    shop.meter.bytes(len);
    Ok(receipt)
}

fn whole_checksum(held: &BTreeMap<u32, Receipt>) -> u64 {
    let mut parts = held.values();
    let first = parts.next().and_then(|receipt| receipt.crc64nvme).unwrap_or_default();
    parts.fold(first, |sum, receipt| combine_crc64nvme(sum, receipt.crc64nvme.unwrap_or_default(), receipt.len))
}

/// `finish` failed: perhaps the answer was lost and the object stands. The target knows.
async fn settle(
    shop: &Shop,
    to: &RelPath,
    size: u64,
    sums: &Digests,
    token: Option<ResumeToken>,
    error: Error,
) -> Result<Published, Trouble> {
    if (error.retry() != Retry::Never || error.kind() == ErrorKind::NotFound)
        && let Ok(there) = shop.target.stat(to, shop.wanted.and(Facets::DIGESTS)).await
    {
        let said = there.digests.as_deref().copied().unwrap_or_default();
        if there.stamp.size == size && said.agree(sums) == Some(true) {
            return Ok(Published { stamp: there.stamp, digests: said, kept: shop.wanted });
        }
    }
    let trouble = shop.target_trouble(written(error));
    if let (Trouble::Item(_), Some(token)) = (&trouble, token) {
        discard(shop, to, vec![token.0], true, None).await?;
    }
    Err(trouble)
}
