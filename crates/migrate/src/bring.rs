//! Brings one item to the target: whole, in parts, or without content.

use crate::{
    compare::{Bring, meta_hash},
    digest::digests,
    parts,
    shop::{Shop, Trouble, lost},
};
use journal::{Done, Record};
use model::{Digests, Entry, Facets, Kind, Metadata, RelPath, Stamp};
use storage::{Error, ErrorKind, MetaWrite, Node, Published, ReadSpec, WriteSpec, checksum::crc64nvme, collect_body};

/// How often an item that changes while it is read is tried again.
const CHANGES: u32 = 3;

/// How an item got to the target.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// It was sent: bytes on the wire, facets that the target did not keep.
    Sent { bytes: u64, lost: Facets },
    /// Its content was there already.
    Adopted,
    /// A directory whose metadata is written at the end, when nothing below it changes any more.
    Postponed,
}

/// Brings an item, again from the start when it changes under our hands.
pub(crate) async fn bring(shop: &Shop, item: &mut Bring) -> Result<Arrival, Trouble> {
    for left in (0..CHANGES).rev() {
        match once(shop, item).await {
            Err(Trouble::Item(error)) if error.kind() == ErrorKind::Changed && left > 0 => {
                let path = &item.placed.entry.path;
                tracing::debug!(%path, "changed while it was read, taking it from the start");
                let seen = shop.source.stat(path, shop.source.caps().reads.minus(Facets::DIGESTS)).await;
                let mut fresh = seen.map_err(|error| shop.source_trouble(error)).map_err(vanished)?;
                fresh.locator = item.placed.entry.locator.take();
                item.placed.entry = fresh;
                item.maybe_equal = false;
            }
            Err(trouble) => return Err(vanished(trouble)),
            Ok(arrival) => return Ok(arrival),
        }
    }
    unreachable!("the last try returns")
}

/// An item that the source had when it was listed and has not any more is no failure.
fn vanished(trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Item(error) if error.kind() == ErrorKind::NotFound && error.op() != "write" => Trouble::Vanished,
        other => other,
    }
}

async fn once(shop: &Shop, item: &mut Bring) -> Result<Arrival, Trouble> {
    parts::clear_leftovers(shop, item).await?;
    let to = item.placed.target_path().clone();
    match item.placed.entry.kind.clone() {
        Kind::Dir => directory(shop, &item.placed.entry, &to).await,
        Kind::Symlink { .. } => {
            let entry = with_target(shop, &item.placed.entry).await?;
            link(shop, &item.placed.entry, &entry, &to).await
        }
        Kind::File if item.maybe_equal => match adopt(shop, &item.placed.entry, &to).await? {
            Some(arrival) => Ok(arrival),
            None => send(shop, item, &to).await,
        },
        Kind::File => send(shop, item, &to).await,
        Kind::Special(_) => Err(Trouble::Item(Error::new(ErrorKind::Unsupported, "move").at(&item.placed.entry.path))),
    }
}

async fn send(shop: &Shop, item: &mut Bring, to: &RelPath) -> Result<Arrival, Trouble> {
    let whole = shop.target.caps().put_max.min(shop.spec.part_size.0);
    if item.placed.entry.stamp.size <= whole {
        whole_file(shop, &item.placed.entry, to).await
    } else {
        parts::file(shop, item, to).await
    }
}

/// A file that fits one request.
async fn whole_file(shop: &Shop, entry: &Entry, to: &RelPath) -> Result<Arrival, Trouble> {
    let size = entry.stamp.size;
    let _room = shop.budget.room(size).await;
    let spec = ReadSpec {
        range: None,
        if_stamp: Some(entry.stamp.clone()),
        locator: entry.locator.clone(),
        want: shop.source.caps().reads.minus(Facets::DIGESTS),
    };
    let reading = shop.source.read(&entry.path, spec).await.map_err(|error| shop.source_trouble(error))?;
    let served = reading.entry;
    let data = collect_body(reading.body, size).await.map_err(|error| shop.source_trouble(grown(error, entry)))?;
    if data.iter().map(|piece| piece.len() as u64).sum::<u64>() != size {
        return Err(Trouble::Item(Error::new(ErrorKind::Changed, "read").at(&entry.path)));
    }
    // What an object listing shows as a file may turn out, when read, to be the record of a link.
    if let Kind::Symlink { .. } = served.kind {
        let target = data.concat().into();
        let resolved = Entry { kind: Kind::Symlink { target }, ..served };
        return link(shop, entry, &resolved, to).await;
    }
    let meta = metadata(entry, &served);
    let sums = digests(crc64nvme(&data));
    let write = write_spec(shop, size, &meta, sums);
    let published = shop.target.put(to, write, data).await.map_err(|error| shop.target_trouble(written(error)))?;
    confirm(&published.digests, &sums, to)?;
    shop.meter.bytes(size);
    let lost = lost(Some(&meta), entry.nlink, published.kept);
    record(shop, entry, to, &Kind::File, &meta, published, sums, false).await?;
    Ok(Arrival::Sent { bytes: size, lost })
}

/// The specification of a write.
pub(crate) fn write_spec(shop: &Shop, size: u64, meta: &Metadata, sums: Digests) -> WriteSpec {
    WriteSpec {
        size: Some(size),
        meta: meta.clone(),
        if_absent: false,
        digests: sums,
        storage_class: shop.spec.configuration.get("StorageClass").cloned(),
    }
}

/// The metadata to write: what the listing told, else what came with the content.
pub(crate) fn metadata(listed: &Entry, served: &Entry) -> Metadata {
    listed.meta.as_deref().or(served.meta.as_deref()).cloned().unwrap_or_default()
}

/// `NotFound` of a write is the target's, not an item that vanished from the source.
pub(crate) fn written(error: Error) -> Error {
    if error.kind() != ErrorKind::NotFound {
        return error;
    }
    let path = error.path().cloned().unwrap_or_default();
    Error::new(ErrorKind::NotFound, "write").at(&path).because(error)
}

/// More bytes than the listing said: the file grew.
fn grown(error: Error, entry: &Entry) -> Error {
    if error.kind() == ErrorKind::Invalid && error.op() == "hold the content in memory" {
        return Error::new(ErrorKind::Changed, "read").at(&entry.path);
    }
    error
}

/// What the target says of the bytes must be what we read.
pub(crate) fn confirm(said: &Digests, ours: &Digests, to: &RelPath) -> Result<(), Trouble> {
    if said.agree(ours) == Some(false) {
        return Err(Trouble::Item(
            Error::new(ErrorKind::Corrupt, "write")
                .at(to)
                .because("the target reports another checksum than the one we sent"),
        ));
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "each is one column of the record")]
pub(crate) async fn record(
    shop: &Shop,
    entry: &Entry,
    to: &RelPath,
    kind: &Kind,
    meta: &Metadata,
    published: Published,
    digests: Digests,
    adopted: bool,
) -> Result<(), Trouble> {
    let done = Done {
        path: to.clone(),
        source_path: (*to != entry.path).then(|| entry.path.clone()),
        kind: kind.clone(),
        source: entry.stamp.clone(),
        meta_hash: meta_hash(Some(meta), shop.wanted),
        target: published.stamp,
        digests,
        adopted,
        verified: false,
    };
    shop.journal.append(Record::Done(Box::new(done))).await?;
    Ok(())
}

/// The entry of a link with its target, which a listing may leave out.
async fn with_target(shop: &Shop, entry: &Entry) -> Result<Entry, Trouble> {
    match &entry.kind {
        Kind::Symlink { target } if !target.is_empty() => Ok(entry.clone()),
        _ => {
            let want = shop.source.caps().reads.minus(Facets::DIGESTS);
            shop.source.stat(&entry.path, want).await.map_err(|error| shop.source_trouble(error))
        }
    }
}

async fn link(shop: &Shop, listed: &Entry, resolved: &Entry, to: &RelPath) -> Result<Arrival, Trouble> {
    let Kind::Symlink { target } = &resolved.kind else {
        return Err(Trouble::Item(Error::new(ErrorKind::Changed, "read").at(&listed.path)));
    };
    let meta = metadata(listed, resolved);
    let node = Node::Symlink { target: target.clone() };
    let published = shop.target.make(to, node, &meta).await.map_err(|error| shop.target_trouble(written(error)))?;
    // Whoever keeps links as inodes has no mode for them.
    let lost = lost(Some(&meta), None, published.kept.and(Facets::MODE));
    // Stores differ in what they call the content of a link: where it points is compared itself.
    record(shop, listed, to, &resolved.kind, &meta, published, Digests::default(), false).await?;
    Ok(Arrival::Sent { bytes: 0, lost })
}

async fn directory(shop: &Shop, entry: &Entry, to: &RelPath) -> Result<Arrival, Trouble> {
    let described = if entry.meta.is_some() {
        entry.clone()
    } else {
        let want = shop.source.caps().reads.minus(Facets::DIGESTS);
        shop.source.stat(&entry.path, want).await.map_err(|error| shop.source_trouble(error))?
    };
    let meta = metadata(entry, &described);
    if shop.target.caps().meta_write == MetaWrite::AnyTime {
        // Its mode may forbid us to write into it, and writing into it moves its times.
        let made = shop.target.make(to, Node::Dir, &Metadata::default()).await;
        made.map_err(|error| shop.target_trouble(written(error)))?;
        return Ok(Arrival::Postponed);
    }
    let published =
        shop.target.make(to, Node::Dir, &meta).await.map_err(|error| shop.target_trouble(written(error)))?;
    let lost = lost(Some(&meta), None, published.kept);
    record(shop, entry, to, &Kind::Dir, &meta, published, Digests::default(), false).await?;
    Ok(Arrival::Sent { bytes: 0, lost })
}

/// Something of the same size is there, of which we have no record: from a run that was killed in between, or
/// from another tool. Its content is proved equal, or it is sent again.
async fn adopt(shop: &Shop, entry: &Entry, to: &RelPath) -> Result<Option<Arrival>, Trouble> {
    let want = shop.wanted.and(Facets::DIGESTS);
    let Ok(there) = shop.target.stat(to, want).await else { return Ok(None) };
    if !there.kind.is_file() || there.stamp.size != entry.stamp.size {
        return Ok(None);
    }
    let theirs = match there.digests.as_deref() {
        Some(said) if said.crc64nvme.is_some() => *said,
        _ => match checksum(shop, Of::Target, to, &there).await {
            Ok((sum, _)) => sum,
            Err(_) => return Ok(None),
        },
    };
    let (ours, served) =
        checksum(shop, Of::Source, &entry.path, entry).await.map_err(|error| shop.source_trouble(error))?;
    if ours.agree(&theirs) != Some(true) || !served.kind.is_file() {
        return Ok(None);
    }
    let meta = metadata(entry, &served);
    let mut stamp: Stamp = there.stamp.clone();
    if meta_hash(Some(&meta), shop.wanted) != meta_hash(there.meta.as_deref(), shop.wanted) {
        let applied = shop.target.apply(to, &meta, shop.wanted).await;
        applied.map_err(|error| shop.target_trouble(written(error)))?;
        stamp = shop.target.stat(to, Facets::NONE).await.map_err(|error| shop.target_trouble(written(error)))?.stamp;
    }
    let published = Published { stamp, digests: theirs, kept: shop.wanted };
    record(shop, entry, to, &Kind::File, &meta, published, ours, true).await?;
    shop.meter.bytes(entry.stamp.size);
    Ok(Some(Arrival::Adopted))
}

enum Of {
    Source,
    Target,
}

/// Reads content to the end for its checksum; memory is one piece.
async fn checksum(shop: &Shop, of: Of, path: &RelPath, entry: &Entry) -> storage::Result<(Digests, Entry)> {
    let _room = shop.budget.room(2 << 20).await;
    let spec = ReadSpec {
        if_stamp: Some(entry.stamp.clone()),
        locator: entry.locator.clone(),
        want: shop.source.caps().reads.minus(Facets::DIGESTS),
        ..ReadSpec::default()
    };
    let reading = match of {
        Of::Source => shop.source.read(path, spec).await?,
        Of::Target => shop.target.read(path, spec).await?,
    };
    let content = crate::verify::content(reading.body).await?;
    Ok((digests(content.crc64nvme), reading.entry))
}
