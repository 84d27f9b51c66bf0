//! Records to test with.

use bytes::Bytes;
use journal::{Done, Error, ItemState, Journal, Part, Record};
use model::{Digests, FileId, Kind, RelPath, Special, Stamp, Timestamp};
use proptest::{collection::vec, option, prelude::*};

pub fn bytes(most: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..most).prop_map(Bytes::from)
}

/// Few and close to each other, so that records meet: a directory beside an object, names that sort between `a`
/// and `a/`, names that are not text.
pub fn path() -> impl Strategy<Value = RelPath> {
    let known: Vec<&[u8]> =
        vec![b"", b"a", b"a/", b"a//", b"a!", b"a/b", b"a/b/c", b"a0", b"b", b"b/", b"\xFF", b"a\xFF\n", b"/a"];
    prop_oneof![
        8 => proptest::sample::select(known).prop_map(RelPath::from),
        1 => bytes(300).prop_map(RelPath::from_bytes),
    ]
}

fn time() -> impl Strategy<Value = Timestamp> {
    (any::<i64>(), 0..1_000_000_000_u32).prop_map(|(secs, nanos)| Timestamp { secs, nanos })
}

fn stamp() -> impl Strategy<Value = Stamp> {
    let file_id = (any::<u64>(), any::<u64>()).prop_map(|(volume, inode)| FileId { volume, inode });
    (any::<u64>(), option::of(time()), option::of(any::<u64>()), option::of(bytes(40)), option::of(file_id))
        .prop_map(|(size, mtime, change, etag, file_id)| Stamp { size, mtime, change, etag, file_id })
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        4 => Just(Kind::File),
        4 => Just(Kind::Dir),
        1 => bytes(50).prop_map(|target| Kind::Symlink { target }),
        1 => Just(Kind::Special(Special::Fifo)),
        1 => Just(Kind::Special(Special::Socket)),
        1 => any::<u64>().prop_map(|rdev| Kind::Special(Special::Block { rdev })),
        1 => any::<u64>().prop_map(|rdev| Kind::Special(Special::Char { rdev })),
    ]
}

fn digests() -> impl Strategy<Value = Digests> {
    (option::of(any::<u64>()), option::of(any::<u32>()), option::of(any::<[u8; 16]>()), option::of(any::<[u8; 32]>()))
        .prop_map(|(crc64nvme, crc32c, md5, sha256)| Digests { crc64nvme, crc32c, md5, sha256 })
}

fn done() -> impl Strategy<Value = Done> {
    let places = (path(), option::of(path()), kind());
    let rest = (stamp(), any::<u64>(), stamp(), digests(), any::<bool>(), any::<bool>());
    (places, rest).prop_map(|((path, source_path, kind), (source, meta_hash, target, digests, adopted, verified))| {
        Done { path, source_path, kind, source, meta_hash, target, digests, adopted, verified }
    })
}

pub fn record() -> impl Strategy<Value = Record> {
    let part = (0..6_u32, any::<u64>(), any::<u64>(), bytes(40)).prop_map(|(index, len, crc64nvme, tag)| Part {
        index,
        len,
        crc64nvme,
        tag,
    });
    // Few tokens, so that writes are taken up again.
    let token = proptest::sample::select(vec!["t1", "t2", "t3"]).prop_map(|token| Bytes::from_static(token.as_bytes()));
    prop_oneof![
        1 => (time(), any::<[u8; 32]>()).prop_map(|(at, move_sha256)| Record::Started { at, move_sha256 }),
        2 => (path(), stamp()).prop_map(|(path, source)| Record::Intent { path, source }),
        4 => (path(), stamp(), 0..3_u64, token)
            .prop_map(|(path, source, part_size, token)| Record::Opened { path, source, part_size, token }),
        6 => (path(), part).prop_map(|(path, part)| Record::Part { path, part }),
        1 => path().prop_map(|path| Record::Dropped { path }),
        4 => done().prop_map(|done| Record::Done(Box::new(done))),
        3 => (path(), "[a-zé]{0,9}", "[a-zé]{0,9}").prop_map(|(path, kind, detail)| Record::Failed { path, kind, detail }),
        2 => path().prop_map(|path| Record::Removed { path }),
        1 => time().prop_map(|at| Record::Finished { at }),
    ]
}

pub fn records(most: usize) -> impl Strategy<Value = Vec<Record>> {
    vec(record(), 0..most)
}

/// The item of number `n`, arrived; names sort as numbers do.
pub fn arrived(n: u64) -> Record {
    let stamp = Stamp { size: n, mtime: Some(Timestamp { secs: 1_700_000_000, nanos: 5 }), ..Stamp::default() };
    Record::Done(Box::new(Done {
        path: name(n),
        source_path: None,
        kind: Kind::File,
        source: stamp.clone(),
        meta_hash: n,
        target: Stamp { etag: Some(Bytes::from_static(b"5d41402abc4b2a76b9719d911017c592")), ..stamp },
        digests: Digests { crc64nvme: Some(n), ..Digests::default() },
        adopted: false,
        verified: true,
    }))
}

pub fn name(n: u64) -> RelPath {
    RelPath::from(format!("export/home/department-{:03}/project/file-{n:010}.dat", n / 10_000).as_str())
}

/// Appends the items of those numbers.
pub fn append(journal: &mut Journal, numbers: impl IntoIterator<Item = u64>) {
    for n in numbers {
        journal.append(&arrived(n)).unwrap();
    }
}

/// All items of the snapshot.
pub fn items(journal: &Journal) -> Result<Vec<ItemState>, Error> {
    journal.snapshot()?.collect()
}
