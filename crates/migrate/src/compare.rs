//! What is to be done: source, target and our own record, joined key by key.

use crate::{
    Error, Result,
    ledger::Ledger,
    listing::{Listing, Placed, sort_key},
    meter::count,
};
use bytes::Bytes;
use journal::{Done, ItemState, OpenWrite, Snapshot, sort::Sorted};
use model::{Entry, Facets, Kind, Metadata, Posix, RelPath};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Action {
    /// Bring an item to the target.
    Bring(Box<Bring>),
    /// A directory that is as it should be; its times must be set again if we write into it.
    Settle(Box<Placed>),
    /// A write in parts was left open for an item that is not to be sent: remove it, and any whose token we do not
    /// know.
    Discard {
        /// Target path.
        path: RelPath,
        /// Writes that are known by their token.
        tokens: Vec<Bytes>,
    },
}

/// An item to bring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bring {
    /// The item.
    pub(crate) placed: Placed,
    /// Something of the same size is there and we have no record of it: it may be equal.
    pub(crate) maybe_equal: bool,
    /// Something is there.
    pub(crate) replaces: bool,
    /// A write in parts of this very content that can go on.
    pub(crate) resume: Option<Resume>,
    /// Writes in parts that were left open and are of no use.
    pub(crate) discard: Vec<Bytes>,
    /// Ask the target for writes in parts whose token we do not know.
    pub(crate) search: bool,
}

/// A write in parts that can go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Resume {
    pub(crate) token: Bytes,
    pub(crate) part_size: u64,
    /// Index, length, checksum and tag of each part that our journal has.
    pub(crate) parts: Vec<(u32, u64, u64, Bytes)>,
}

/// What a comparison needs to know besides the three streams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Metadata that the source tells and the target keeps.
    pub(crate) wanted: Facets,
    /// Writing into a directory of the target moves its times.
    pub(crate) settle: bool,
}

/// What is to be brought.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Work {
    pub(crate) count: journal::Count,
    /// Bytes of the largest file among it.
    pub(crate) largest: u64,
}

/// Joins the three and hands every action to `act`, in the order of keys.
pub(crate) fn compare(
    source: Listing,
    target: Listing,
    state: Snapshot,
    terms: Terms,
    ledger: &Ledger,
    mut act: impl FnMut(Action) -> Result<()>,
) -> Result<Work> {
    let unknown = [source.unreadable, target.unreadable].concat();
    let mut source = Stream::new(source.sorted)?;
    let mut target = Stream::new(target.sorted)?;
    let mut state = States::new(state)?;
    let mut work = Work::default();
    loop {
        let Some(key) = [source.key(), target.key(), state.key()].into_iter().flatten().min().cloned() else {
            return Ok(work);
        };
        let item = source.take(&key, |twin| collision(&twin, ledger))?;
        let there = target.take(&key, |_| ())?;
        let known = state.take(&key)?;
        if let Some(item) = item {
            ledger.found(&item.entry);
            if let Some(bring) = decide(item, there.as_ref().map(|p| &p.entry), known, terms, ledger, &mut act)? {
                let size = bring.placed.entry.stamp.size;
                count(&mut work.count, &bring.placed.entry.kind, size);
                if bring.placed.entry.kind.is_file() {
                    work.largest = work.largest.max(size);
                }
                act(Action::Bring(Box::new(bring)))?;
            }
        } else {
            if let Some(known) = known {
                discard_all(known, &mut act)?;
            }
            if let Some(there) = there {
                let path = there.target_path();
                // A directory that only our own keys below it imply is not extra.
                let implied = there.entry.kind.is_dir() && source.key().is_some_and(|next| next.starts_with(&key));
                let hidden = unknown.iter().any(|dir| path.starts_with(dir));
                if !implied && !hidden {
                    ledger.extra(path);
                }
            }
        }
    }
}

/// Two names of the source that would be one at the target: the first keeps it.
fn collision(twin: &Placed, ledger: &Ledger) {
    ledger.found(&twin.entry);
    let detail = format!("another name of the source also becomes `{}` at the target", twin.target_path());
    ledger.failed(&twin.entry.path, storage::ErrorKind::NameRefused.word(), detail, None);
}

fn discard_all(known: ItemState, act: &mut impl FnMut(Action) -> Result<()>) -> Result<()> {
    if known.open.is_empty() && !known.intents {
        return Ok(());
    }
    let tokens = known.open.into_iter().map(|open| open.token).collect();
    act(Action::Discard { path: known.path, tokens })
}

/// Is the item to be brought, and how? Books it when it is there already.
fn decide(
    item: Placed,
    there: Option<&Entry>,
    known: Option<ItemState>,
    terms: Terms,
    ledger: &Ledger,
    act: &mut impl FnMut(Action) -> Result<()>,
) -> Result<Option<Bring>> {
    let done = known.as_ref().and_then(|state| state.done.as_ref());
    let verdict = there.map_or(Verdict::Differs, |there| judge(&item.entry, there, done, terms));
    if verdict == Verdict::Equal {
        ledger.unchanged(&item.entry);
        if let Some(known) = known {
            discard_all(known, act)?;
        }
        if terms.settle && item.entry.kind.is_dir() {
            act(Action::Settle(Box::new(item)))?;
        }
        return Ok(None);
    }
    let (open, intents) = known.map_or((Vec::new(), false), |state| (state.open, state.intents));
    // The answer to an opening may have been lost and the opening repeated: where one write is known, another may be.
    let search = intents || !open.is_empty();
    let (mut resume, mut discard) = (None, Vec::new());
    for write in open {
        if resume.is_none() && of_this_content(&write, &item.entry) {
            resume = Some(Resume {
                token: write.token,
                part_size: write.part_size,
                parts: write.parts.into_iter().map(|p| (p.index, p.len, p.crc64nvme, p.tag)).collect(),
            });
        } else {
            discard.push(write.token);
        }
    }
    Ok(Some(Bring {
        placed: item,
        maybe_equal: verdict == Verdict::Perhaps,
        replaces: there.is_some(),
        resume,
        discard,
        search,
    }))
}

fn of_this_content(write: &OpenWrite, entry: &Entry) -> bool {
    write.source == entry.stamp && write.part_size > 0
}

/// Is what is there what should be there?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// By our own record, or by all that can be seen of something without content.
    Equal,
    /// Nothing speaks against it, nothing proves it.
    Perhaps,
    /// No.
    Differs,
}

fn judge(item: &Entry, there: &Entry, done: Option<&Done>, terms: Terms) -> Verdict {
    let recorded = done.is_some_and(|done| {
        done.source == item.stamp
            && (item.meta.is_none() || done.meta_hash == meta_hash(item.meta.as_deref(), terms.wanted))
    });
    match (&item.kind, &there.kind) {
        (Kind::Dir, Kind::Dir) => match (&item.meta, &there.meta) {
            (Some(_), Some(_)) if same_metadata(item, there, terms.wanted) => Verdict::Equal,
            // The target's listing does not tell: by our own record. The size and times of a directory say
            // nothing about its marker.
            (Some(meta), None) => {
                let same = done.is_some_and(|done| done.meta_hash == meta_hash(Some(meta), terms.wanted));
                if same { Verdict::Equal } else { Verdict::Differs }
            }
            (None, _) if recorded => Verdict::Equal,
            (Some(_), Some(_)) | (None, _) => Verdict::Differs,
        },
        (Kind::Symlink { target: a }, Kind::Symlink { target: b }) => {
            if a == b && same_metadata(item, there, terms.wanted.minus(Facets::MODE)) {
                Verdict::Equal
            } else {
                Verdict::Differs
            }
        }
        (Kind::Dir, _) | (_, Kind::Dir) => Verdict::Differs,
        _ => {
            if recorded && done.is_some_and(|done| done.target.describes(&there.stamp)) {
                Verdict::Equal
            } else if done.is_none() && item.kind.is_file() && item.stamp.size == there.stamp.size {
                Verdict::Perhaps
            } else {
                Verdict::Differs
            }
        }
    }
}

fn same_metadata(a: &Entry, b: &Entry, wanted: Facets) -> bool {
    meta_hash(a.meta.as_deref(), wanted) == meta_hash(b.meta.as_deref(), wanted)
}

/// A fingerprint of the metadata that a move is to keep. The time of last read is not in it: reading
/// changes it.
pub(crate) fn meta_hash(meta: Option<&Metadata>, wanted: Facets) -> u64 {
    let mut hasher = blake3::Hasher::new();
    let Some(meta) = meta else { return 0 };
    if wanted.has(Facets::MTIME)
        && let Some(at) = meta.mtime
    {
        hasher.update(b"m").update(&at.total_nanos().to_le_bytes());
    }
    if let Some(Posix { mode, owner, group }) = &meta.posix {
        if wanted.has(Facets::MODE) {
            hasher.update(b"p").update(&mode.to_le_bytes());
        }
        if wanted.has(Facets::OWNER) {
            hasher.update(format!("o{owner}\0g{group}\0").as_bytes());
        }
    }
    if wanted.has(Facets::USER_META) {
        for (key, value) in &meta.user {
            hasher.update(format!("u{key}\0{value}\0").as_bytes());
        }
    }
    u64::from_le_bytes(hasher.finalize().as_bytes()[..8].try_into().expect("a hash has 32 bytes"))
}

/// A sorted listing with its next key in sight. The same entry listed twice (its directory was restarted)
/// counts once, the later listing wins.
struct Stream {
    sorted: Sorted,
    next: Option<(Bytes, Placed)>,
}

impl Stream {
    fn new(sorted: Sorted) -> Result<Self> {
        let mut stream = Self { sorted, next: None };
        stream.next = stream.pull()?;
        Ok(stream)
    }
    fn pull(&mut self) -> Result<Option<(Bytes, Placed)>> {
        let Some((key, value)) = self.sorted.next()? else { return Ok(None) };
        let placed = postcard::from_bytes(value)
            .map_err(|_| Error::Spool { path: RelPath::from_bytes(Bytes::copy_from_slice(key)) })?;
        Ok(Some((Bytes::copy_from_slice(key), placed)))
    }
    fn key(&self) -> Option<&Bytes> {
        self.next.as_ref().map(|(key, _)| key)
    }
    /// The entry at `key`; others that were mapped to the same key go to `twin`.
    fn take(&mut self, key: &[u8], mut twin: impl FnMut(Placed)) -> Result<Option<Placed>> {
        let mut found: Option<Placed> = None;
        while self.key().is_some_and(|next| next.as_ref() == key) {
            let following = self.pull()?;
            let Some((_, placed)) = std::mem::replace(&mut self.next, following) else { break };
            match &found {
                Some(first) if first.entry.path != placed.entry.path => twin(placed),
                _ => found = Some(placed),
            }
        }
        Ok(found)
    }
}

/// Our own record with its next key in sight.
struct States {
    snapshot: Snapshot,
    next: Option<(Bytes, ItemState)>,
}

impl States {
    fn new(snapshot: Snapshot) -> Result<Self> {
        let mut states = Self { snapshot, next: None };
        states.next = states.pull()?;
        Ok(states)
    }
    fn pull(&mut self) -> Result<Option<(Bytes, ItemState)>> {
        let Some(state) = self.snapshot.next().transpose()? else { return Ok(None) };
        let kind = state.done.as_ref().map_or(&Kind::File, |done| &done.kind);
        Ok(Some((sort_key(&state.path, kind), state)))
    }
    fn key(&self) -> Option<&Bytes> {
        self.next.as_ref().map(|(key, _)| key)
    }
    fn take(&mut self, key: &[u8]) -> Result<Option<ItemState>> {
        match self.key().map(|next| next.as_ref().cmp(key)) {
            Some(Ordering::Equal) => {
                let following = self.pull()?;
                Ok(std::mem::replace(&mut self.next, following).map(|(_, state)| state))
            }
            _ => Ok(None),
        }
    }
}
