//! Records as bytes: a tag, then the path where it has one, then its fields.
//!
//! Written by hand and not by a serde format: paths are bytes (`RelPath` serialises as text or base64), most parts
//! of a stamp are absent (one bit each here), and what an unknown tag means must be ours to say. Integers are
//! LEB128 varints, byte strings carry their length, so every record ends by itself.

use crate::{Done, Part, Record};
use bytes::Bytes;
use model::{Digests, FileId, Kind, RelPath, Special, Stamp, Timestamp};

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// They end too early, or a number or text in them cannot be.
    Malformed(&'static str),
    /// They hold something that this version does not know.
    Unknown {
        /// What is unknown: `record`, `kind`, `part of a stamp`, …
        what: &'static str,
        /// Its tag.
        tag: u8,
    },
}

/// Tags of records. Never renumbered; a new one makes a new [`crate::frame::Version`].
pub(crate) mod tag {
    pub const STARTED: u8 = 1;
    pub const INTENT: u8 = 2;
    pub const OPENED: u8 = 3;
    pub const PART: u8 = 4;
    pub const DROPPED: u8 = 5;
    pub const DONE: u8 = 6;
    pub const FAILED: u8 = 7;
    pub const REMOVED: u8 = 8;
    pub const FINISHED: u8 = 9;
}

/// Appends the bytes of `record` to `out`.
pub fn encode(record: &Record, out: &mut Vec<u8>) {
    out.push(tag_of(record));
    if let Some(path) = path_of(record) {
        put_bytes(out, path.as_bytes());
    }
    put_fields(record, out);
}

/// Takes one record from the front of `from`.
pub fn decode(from: &mut &[u8]) -> Result<Record, Flaw> {
    let mut reader = Reader(from);
    let tag = reader.byte()?;
    let path = match tag {
        tag::STARTED | tag::FINISHED => RelPath::ROOT,
        tag::INTENT..=tag::REMOVED => RelPath::from(reader.bytes()?),
        _ => return Err(Flaw::Unknown { what: "record", tag }),
    };
    let record = take_fields(tag, path, &mut reader)?;
    *from = reader.0;
    Ok(record)
}

/// The tag of a record.
pub(crate) const fn tag_of(record: &Record) -> u8 {
    match record {
        Record::Started { .. } => tag::STARTED,
        Record::Intent { .. } => tag::INTENT,
        Record::Opened { .. } => tag::OPENED,
        Record::Part { .. } => tag::PART,
        Record::Dropped { .. } => tag::DROPPED,
        Record::Done(_) => tag::DONE,
        Record::Failed { .. } => tag::FAILED,
        Record::Removed { .. } => tag::REMOVED,
        Record::Finished { .. } => tag::FINISHED,
    }
}

/// The path that a record is about.
pub(crate) const fn path_of(record: &Record) -> Option<&RelPath> {
    match record {
        Record::Started { .. } | Record::Finished { .. } => None,
        Record::Intent { path, .. }
        | Record::Opened { path, .. }
        | Record::Part { path, .. }
        | Record::Dropped { path }
        | Record::Failed { path, .. }
        | Record::Removed { path } => Some(path),
        Record::Done(done) => Some(&done.path),
    }
}

/// Everything of a record but its tag and path.
pub(crate) fn put_fields(record: &Record, out: &mut Vec<u8>) {
    match record {
        Record::Started { at, move_sha256 } => {
            put_time(out, *at);
            out.extend_from_slice(move_sha256);
        }
        Record::Intent { source, .. } => put_stamp(out, source),
        Record::Opened { source, part_size, token, .. } => {
            put_stamp(out, source);
            put_varint(out, *part_size);
            put_bytes(out, token);
        }
        Record::Part { part, .. } => put_part(out, part),
        Record::Dropped { .. } | Record::Removed { .. } => {}
        Record::Done(done) => put_done(out, done),
        Record::Failed { kind, detail, .. } => {
            put_bytes(out, kind.as_bytes());
            put_bytes(out, detail.as_bytes());
        }
        Record::Finished { at } => put_time(out, *at),
    }
}

/// Reads what [`put_fields`] wrote.
pub(crate) fn take_fields(tag: u8, path: RelPath, from: &mut Reader<'_>) -> Result<Record, Flaw> {
    Ok(match tag {
        tag::STARTED => Record::Started { at: from.time()?, move_sha256: from.array()? },
        tag::INTENT => Record::Intent { path, source: from.stamp()? },
        tag::OPENED => Record::Opened {
            path,
            source: from.stamp()?,
            part_size: from.varint()?,
            token: Bytes::copy_from_slice(from.bytes()?),
        },
        tag::PART => Record::Part { path, part: from.part()? },
        tag::DROPPED => Record::Dropped { path },
        tag::DONE => Record::Done(Box::new(from.done(path)?)),
        tag::FAILED => Record::Failed { path, kind: from.text()?, detail: from.text()? },
        tag::REMOVED => Record::Removed { path },
        tag::FINISHED => Record::Finished { at: from.time()? },
        _ => return Err(Flaw::Unknown { what: "record", tag }),
    })
}

/// LEB128: seven bits a byte, the lowest first.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// A length in memory as a number in a file: no supported machine has addresses beyond 64 bits.
pub(crate) fn wide(len: usize) -> u64 {
    u64::try_from(len).expect("a length in memory fits 64 bits")
}

/// The length, then the bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, wide(bytes.len()));
    out.extend_from_slice(bytes);
}

pub(crate) fn put_time(out: &mut Vec<u8>, at: Timestamp) {
    // Zigzag, so that times before 1970 stay short.
    put_varint(out, ((at.secs << 1) ^ (at.secs >> 63)).cast_unsigned());
    put_varint(out, u64::from(at.nanos));
}

const STAMP_MTIME: u8 = 1;
const STAMP_CHANGE: u8 = 2;
const STAMP_ETAG: u8 = 4;
const STAMP_FILE_ID: u8 = 8;

pub(crate) fn put_stamp(out: &mut Vec<u8>, stamp: &Stamp) {
    let flags = bit(STAMP_MTIME, stamp.mtime.is_some())
        | bit(STAMP_CHANGE, stamp.change.is_some())
        | bit(STAMP_ETAG, stamp.etag.is_some())
        | bit(STAMP_FILE_ID, stamp.file_id.is_some());
    out.push(flags);
    put_varint(out, stamp.size);
    if let Some(at) = stamp.mtime {
        put_time(out, at);
    }
    if let Some(change) = stamp.change {
        put_varint(out, change);
    }
    if let Some(etag) = &stamp.etag {
        put_bytes(out, etag);
    }
    if let Some(id) = stamp.file_id {
        put_varint(out, id.volume);
        put_varint(out, id.inode);
    }
}

pub(crate) fn put_part(out: &mut Vec<u8>, part: &Part) {
    put_varint(out, u64::from(part.index));
    put_varint(out, part.len);
    out.extend_from_slice(&part.crc64nvme.to_le_bytes());
    put_bytes(out, &part.tag);
}

const DIGEST_CRC64: u8 = 1;
const DIGEST_CRC32C: u8 = 2;
const DIGEST_MD5: u8 = 4;
const DIGEST_SHA256: u8 = 8;

fn put_digests(out: &mut Vec<u8>, digests: &Digests) {
    let flags = bit(DIGEST_CRC64, digests.crc64nvme.is_some())
        | bit(DIGEST_CRC32C, digests.crc32c.is_some())
        | bit(DIGEST_MD5, digests.md5.is_some())
        | bit(DIGEST_SHA256, digests.sha256.is_some());
    out.push(flags);
    out.extend(digests.crc64nvme.iter().flat_map(|crc| crc.to_le_bytes()));
    out.extend(digests.crc32c.iter().flat_map(|crc| crc.to_le_bytes()));
    out.extend(digests.md5.iter().flatten());
    out.extend(digests.sha256.iter().flatten());
}

const KIND_FILE: u8 = 0;
const KIND_DIR: u8 = 1;
const KIND_SYMLINK: u8 = 2;
const KIND_FIFO: u8 = 3;
const KIND_SOCKET: u8 = 4;
const KIND_BLOCK: u8 = 5;
const KIND_CHAR: u8 = 6;

fn put_kind(out: &mut Vec<u8>, kind: &Kind) {
    match kind {
        Kind::File => out.push(KIND_FILE),
        Kind::Dir => out.push(KIND_DIR),
        Kind::Symlink { target } => {
            out.push(KIND_SYMLINK);
            put_bytes(out, target);
        }
        Kind::Special(Special::Fifo) => out.push(KIND_FIFO),
        Kind::Special(Special::Socket) => out.push(KIND_SOCKET),
        Kind::Special(Special::Block { rdev }) => {
            out.push(KIND_BLOCK);
            put_varint(out, *rdev);
        }
        Kind::Special(Special::Char { rdev }) => {
            out.push(KIND_CHAR);
            put_varint(out, *rdev);
        }
    }
}

const DONE_OTHER_SOURCE: u8 = 1;
const DONE_ADOPTED: u8 = 2;
const DONE_VERIFIED: u8 = 4;

/// Everything of a `Done` but its path.
pub(crate) fn put_done(out: &mut Vec<u8>, done: &Done) {
    let flags = bit(DONE_OTHER_SOURCE, done.source_path.is_some())
        | bit(DONE_ADOPTED, done.adopted)
        | bit(DONE_VERIFIED, done.verified);
    out.push(flags);
    if let Some(path) = &done.source_path {
        put_bytes(out, path.as_bytes());
    }
    put_kind(out, &done.kind);
    put_stamp(out, &done.source);
    out.extend_from_slice(&done.meta_hash.to_le_bytes());
    put_stamp(out, &done.target);
    put_digests(out, &done.digests);
}

/// `flag` where `set`.
pub(crate) const fn bit(flag: u8, set: bool) -> u8 {
    if set { flag } else { 0 }
}

/// What is left to decode.
pub(crate) struct Reader<'a>(pub &'a [u8]);

const SHORT: Flaw = Flaw::Malformed("it ends too early");

impl<'a> Reader<'a> {
    pub fn byte(&mut self) -> Result<u8, Flaw> {
        let (first, rest) = self.0.split_first().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*first)
    }
    pub fn varint(&mut self) -> Result<u64, Flaw> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Flaw::Malformed("a number in it is larger than 64 bits"))
    }
    pub fn narrow(&mut self) -> Result<u32, Flaw> {
        u32::try_from(self.varint()?).map_err(|_| Flaw::Malformed("a number in it is larger than 32 bits"))
    }
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let (array, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*array)
    }
    pub fn bytes(&mut self) -> Result<&'a [u8], Flaw> {
        let len = usize::try_from(self.varint()?).map_err(|_| SHORT)?;
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(SHORT)?;
        self.0 = rest;
        Ok(bytes)
    }
    pub fn text(&mut self) -> Result<String, Flaw> {
        let text = std::str::from_utf8(self.bytes()?).map_err(|_| Flaw::Malformed("a text in it is not UTF-8"))?;
        Ok(text.to_owned())
    }
    /// A byte of flags of which only those in `known` may be set.
    pub fn flags(&mut self, known: u8, what: &'static str) -> Result<u8, Flaw> {
        let flags = self.byte()?;
        if flags & !known == 0 { Ok(flags) } else { Err(Flaw::Unknown { what, tag: flags & !known }) }
    }
    pub fn time(&mut self) -> Result<Timestamp, Flaw> {
        let zigzag = self.varint()?;
        let secs = (zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed());
        Ok(Timestamp { secs, nanos: self.narrow()? })
    }
    pub fn stamp(&mut self) -> Result<Stamp, Flaw> {
        let flags = self.flags(STAMP_MTIME | STAMP_CHANGE | STAMP_ETAG | STAMP_FILE_ID, "part of a stamp")?;
        let size = self.varint()?;
        let mtime = if flags & STAMP_MTIME == 0 { None } else { Some(self.time()?) };
        let change = if flags & STAMP_CHANGE == 0 { None } else { Some(self.varint()?) };
        let etag = if flags & STAMP_ETAG == 0 { None } else { Some(Bytes::copy_from_slice(self.bytes()?)) };
        let file_id = if flags & STAMP_FILE_ID == 0 {
            None
        } else {
            Some(FileId { volume: self.varint()?, inode: self.varint()? })
        };
        Ok(Stamp { size, mtime, change, etag, file_id })
    }
    pub fn part(&mut self) -> Result<Part, Flaw> {
        Ok(Part {
            index: self.narrow()?,
            len: self.varint()?,
            crc64nvme: u64::from_le_bytes(self.array()?),
            tag: Bytes::copy_from_slice(self.bytes()?),
        })
    }
    fn digests(&mut self) -> Result<Digests, Flaw> {
        let flags = self.flags(DIGEST_CRC64 | DIGEST_CRC32C | DIGEST_MD5 | DIGEST_SHA256, "digest")?;
        Ok(Digests {
            crc64nvme: if flags & DIGEST_CRC64 == 0 { None } else { Some(u64::from_le_bytes(self.array()?)) },
            crc32c: if flags & DIGEST_CRC32C == 0 { None } else { Some(u32::from_le_bytes(self.array()?)) },
            md5: if flags & DIGEST_MD5 == 0 { None } else { Some(self.array()?) },
            sha256: if flags & DIGEST_SHA256 == 0 { None } else { Some(self.array()?) },
        })
    }
    fn kind(&mut self) -> Result<Kind, Flaw> {
        Ok(match self.byte()? {
            KIND_FILE => Kind::File,
            KIND_DIR => Kind::Dir,
            KIND_SYMLINK => Kind::Symlink { target: Bytes::copy_from_slice(self.bytes()?) },
            KIND_FIFO => Kind::Special(Special::Fifo),
            KIND_SOCKET => Kind::Special(Special::Socket),
            KIND_BLOCK => Kind::Special(Special::Block { rdev: self.varint()? }),
            KIND_CHAR => Kind::Special(Special::Char { rdev: self.varint()? }),
            tag => return Err(Flaw::Unknown { what: "kind", tag }),
        })
    }
    pub fn done(&mut self, path: RelPath) -> Result<Done, Flaw> {
        let flags = self.flags(DONE_OTHER_SOURCE | DONE_ADOPTED | DONE_VERIFIED, "mark of a finished item")?;
        let source_path = if flags & DONE_OTHER_SOURCE == 0 { None } else { Some(RelPath::from(self.bytes()?)) };
        Ok(Done {
            path,
            source_path,
            kind: self.kind()?,
            source: self.stamp()?,
            meta_hash: u64::from_le_bytes(self.array()?),
            target: self.stamp()?,
            digests: self.digests()?,
            adopted: flags & DONE_ADOPTED != 0,
            verified: flags & DONE_VERIFIED != 0,
        })
    }
}
