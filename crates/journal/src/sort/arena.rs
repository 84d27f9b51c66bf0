//! Entries in memory: bytes in chunks that never move, and a small slot for each entry, which is what gets sorted.

/// Bytes of a slot, twice: a stable sort may need as much again for a moment.
const SLOT: usize = 2 * size_of::<Slot>();
/// Largest chunk, in bytes.
const MOST_CHUNK: usize = 1 << 20;

/// Where an entry is.
#[derive(Clone, Copy, Debug)]
struct Slot {
    chunk: u32,
    start: u32,
    key: u32,
    value: u32,
}

#[derive(Debug)]
pub(super) struct Arena {
    memory: usize,
    chunk: usize,
    /// The last one is being filled; those in `spare` are empty.
    chunks: Vec<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    /// Capacity of all chunks, in bytes.
    held: usize,
    slots: Vec<Slot>,
}

impl Arena {
    pub fn new(memory: usize) -> Self {
        let chunk = (memory / 16).clamp(1 << 10, MOST_CHUNK);
        Self { memory, chunk, chunks: Vec::new(), spare: Vec::new(), held: 0, slots: Vec::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Can the entry be pushed without more than `memory` in use?
    pub fn has_room(&self, key: &[u8], value: &[u8]) -> bool {
        let bytes = key.len() + value.len();
        let more_chunk =
            if self.fits(bytes) || (bytes <= self.chunk && !self.spare.is_empty()) { 0 } else { self.chunk.max(bytes) };
        let slots = self.slots.capacity();
        let slots = if self.slots.len() < slots { slots } else { (slots * 2).max(64) };
        u32::try_from(self.chunks.len()).is_ok() && self.held + more_chunk + slots * SLOT <= self.memory
    }

    fn fits(&self, bytes: usize) -> bool {
        self.chunks.last().is_some_and(|chunk| chunk.capacity() - chunk.len() >= bytes)
    }

    /// The caller asked for room before, or wants it all the same: one entry always has a place.
    pub fn push(&mut self, key: &[u8], value: &[u8]) {
        let bytes = key.len() + value.len();
        if !self.fits(bytes) {
            let spare = if bytes <= self.chunk { self.spare.pop() } else { None };
            let chunk = spare.unwrap_or_else(|| {
                let capacity = self.chunk.max(bytes);
                self.held += capacity;
                Vec::with_capacity(capacity)
            });
            self.chunks.push(chunk);
        }
        let number = self.chunks.len() - 1;
        let Some(chunk) = self.chunks.last_mut() else { unreachable!("one was pushed if there was none") };
        let narrow = |n: usize| u32::try_from(n).expect("the sorter refuses entries far below 4 GiB");
        self.slots.push(Slot {
            chunk: narrow(number),
            start: narrow(chunk.len()),
            key: narrow(key.len()),
            value: narrow(value.len()),
        });
        chunk.extend_from_slice(key);
        chunk.extend_from_slice(value);
    }

    pub fn sort(&mut self) {
        let chunks = &self.chunks;
        // Stable, and quick on input that is sorted in stretches, as listings are.
        self.slots.sort_by(|a, b| entry(chunks, *a).0.cmp(entry(chunks, *b).0));
    }

    pub fn get(&self, at: usize) -> Option<(&[u8], &[u8])> {
        self.slots.get(at).map(|slot| entry(&self.chunks, *slot))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.slots.iter().map(|slot| entry(&self.chunks, *slot))
    }

    /// Forgets the entries, keeps the memory, but for chunks of unusual size.
    pub fn clear(&mut self) {
        self.slots.clear();
        for mut chunk in self.chunks.drain(..) {
            if chunk.capacity() == self.chunk {
                chunk.clear();
                self.spare.push(chunk);
            } else {
                self.held -= chunk.capacity();
            }
        }
    }
}

fn entry(chunks: &[Vec<u8>], slot: Slot) -> (&[u8], &[u8]) {
    let wide = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let start = wide(slot.start);
    let bytes = &chunks[wide(slot.chunk)][start..];
    bytes[..wide(slot.key) + wide(slot.value)].split_at(wide(slot.key))
}
