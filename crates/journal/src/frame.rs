//! Frames: what stands in a file of the journal.
//!
//! A file begins with a header (magic, format version, number of its first record, CRC) and goes on with frames.
//! A frame is one batch: `len | crc32c | first | durable | count | body`, integers little-endian. `first` is the
//! number of its first record, `durable` how many records were durable when it was written. The last makes a torn
//! tail and damage two different things: a bad frame that a later one calls durable was damaged, any other bad
//! frame at the end was never promised to anybody. (A batch that was durable, is damaged, and is the very last
//! thing in the log cannot be told from a torn one: it is cut, and its items are compared with the target again.)

use crate::{
    Error, Record,
    codec::{self, Flaw, wide},
};
use std::{
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// Format versions of segments and snapshots, with what changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Version {
    /// The first: records 1 to 9 of the codec, frames as above.
    V1 = 1,
}

impl Version {
    /// What is written, and the newest that is read.
    pub const NEWEST: Self = Self::V1;

    /// The number in the file.
    pub const fn number(self) -> u16 {
        match self {
            Self::V1 => 1,
        }
    }
    /// The version of that number, where we know it.
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::V1),
            _ => None,
        }
    }
}

/// What a file of the journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// Records as they came.
    Segment,
    /// Their fold, sorted by key.
    Snapshot,
}

impl FileKind {
    const fn magic(self) -> [u8; 8] {
        match self {
            Self::Segment => *b"LSHR\x00LOG",
            Self::Snapshot => *b"LSHR\x00SNP",
        }
    }
    const fn word(self) -> &'static str {
        match self {
            Self::Segment => "journal segment of longshore",
            Self::Snapshot => "journal snapshot of longshore",
        }
    }
}

/// Bytes of a file's header: magic 8, version 2, zero 2, record number 8, CRC-32C of those 4.
pub(crate) const FILE_HEADER: usize = 24;
/// Bytes of a frame's header: length of the body 4, CRC-32C of all the rest 4, first 8, durable 8, count 4.
pub(crate) const FRAME_HEADER: usize = 28;
/// Largest body of a frame, in bytes; a longer one in a file is taken for damage and not for a reason to allocate.
pub(crate) const MAX_BODY: usize = 32 << 20;
/// Largest record, in bytes. A path has at most some thousand, a token of a driver less.
pub(crate) const MAX_RECORD: usize = 8 << 20;

/// The header of a file whose first record (segment) or last folded record (snapshot) is `number`.
pub(crate) fn file_header(kind: FileKind, number: u64) -> [u8; FILE_HEADER] {
    let mut header = [0; FILE_HEADER];
    header[..8].copy_from_slice(&kind.magic());
    header[8..10].copy_from_slice(&Version::NEWEST.number().to_le_bytes());
    header[12..20].copy_from_slice(&number.to_le_bytes());
    let crc = crc_fast::crc32_iscsi(&header[..20]);
    header[20..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// Records on their way into one frame. Holds the frame's header in front, so that a frame is one write.
#[derive(Debug)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    count: u32,
}

impl Default for Batch {
    fn default() -> Self {
        Self { bytes: vec![0; FRAME_HEADER], count: 0 }
    }
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == FRAME_HEADER
    }
    /// Records in it.
    pub fn count(&self) -> u32 {
        self.count
    }
    /// Bytes of the body so far.
    pub fn len(&self) -> usize {
        self.bytes.len() - FRAME_HEADER
    }
    pub fn clear(&mut self) {
        self.bytes.truncate(FRAME_HEADER);
        self.count = 0;
    }
    /// Appends a record; refuses one that no frame could hold.
    pub fn push(&mut self, record: &Record) -> Result<(), Error> {
        self.put("record", |body| codec::encode(record, body))
    }
    /// Appends what `write` writes and counts it as one.
    pub fn put(&mut self, what: &'static str, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Error> {
        let before = self.bytes.len();
        write(&mut self.bytes);
        let bytes = self.bytes.len() - before;
        if bytes > MAX_RECORD {
            self.bytes.truncate(before);
            return Err(Error::TooLarge { what, bytes, most: MAX_RECORD });
        }
        self.count += 1;
        Ok(())
    }
    /// Makes it a frame that holds no records, whatever is in it: the last of a snapshot.
    pub fn uncount(&mut self) {
        self.count = 0;
    }
    /// Fills in the header; the answer is the frame.
    pub fn seal(&mut self, first: u64, durable: u64) -> &[u8] {
        let len = u32::try_from(self.len()).expect("batches are handed on long before they hold 4 GiB");
        self.bytes[0..4].copy_from_slice(&len.to_le_bytes());
        self.bytes[8..16].copy_from_slice(&first.to_le_bytes());
        self.bytes[16..24].copy_from_slice(&durable.to_le_bytes());
        self.bytes[24..28].copy_from_slice(&self.count.to_le_bytes());
        let crc = frame_crc(&self.bytes[..4], &self.bytes[8..]);
        self.bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        &self.bytes
    }
}

fn frame_crc(len: &[u8], rest: &[u8]) -> u32 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    digest.update(len);
    digest.update(rest);
    u32::try_from(digest.finalize()).expect("CRC-32C has 32 bits")
}

/// A frame's header, as it stands in a file.
#[derive(Clone, Copy, Debug)]
struct FrameHead {
    len: usize,
    crc: u32,
    first: u64,
    durable: u64,
    count: u32,
}

impl FrameHead {
    fn parse(raw: &[u8; FRAME_HEADER]) -> Self {
        let four = |at: usize| u32::from_le_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]]);
        let eight = |at: usize| u64::from(four(at)) | u64::from(four(at + 4)) << 32;
        Self {
            len: usize::try_from(four(0)).unwrap_or(usize::MAX),
            crc: four(4),
            first: eight(8),
            durable: eight(16),
            count: four(24),
        }
    }
}

/// A good frame.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Where it begins in its file.
    pub offset: u64,
    /// How many records it holds.
    pub count: u32,
    /// The records.
    pub body: Vec<u8>,
}

/// What comes next in a file.
#[derive(Debug)]
pub(crate) enum Next {
    /// A good frame.
    Frame(Frame),
    /// The end, right after a frame.
    End,
    /// Neither: the file is cut or damaged there.
    Bad {
        /// Where the bad frame begins.
        offset: u64,
        /// What is wrong.
        problem: &'static str,
    },
}

/// How a file begins.
#[derive(Debug)]
pub(crate) enum Opened {
    /// Well: the frames, and the number in the header.
    Good(FrameReader, u64),
    /// The file ends within or right after a header that was not wholly written: as a header is durable before the
    /// first record is written, nothing behind it ever was.
    Torn,
}

/// Reads a file frame by frame.
pub(crate) struct FrameReader {
    file: PathBuf,
    from: BufReader<Box<dyn Read + Send>>,
    offset: u64,
    expected: u64,
}

impl std::fmt::Debug for FrameReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameReader").field("file", &self.file).field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl FrameReader {
    /// Reads the header. In a segment, frames are expected to count on from its number; in a snapshot from 1.
    /// `written` is the number that was written to the header, where the caller knows.
    pub fn open(
        file: &Path,
        kind: FileKind,
        written: Option<u64>,
        from: Box<dyn Read + Send>,
    ) -> Result<Opened, Error> {
        let mut from = BufReader::with_capacity(64 << 10, from);
        let mut header = Vec::with_capacity(FILE_HEADER);
        from.by_ref().take(wide(FILE_HEADER)).read_to_end(&mut header).map_err(Error::io("read", file))?;
        let Some(header) = header.first_chunk::<FILE_HEADER>() else { return Ok(Opened::Torn) };
        let whole = written.map(|number| file_header(kind, number));
        let ends = from.fill_buf().map_err(Error::io("read", file))?.is_empty();
        if let Some(whole) = whole
            && ends
            && *header != whole
            && header.iter().zip(whole).all(|(is, should)| *is == 0 || *is == should)
        {
            return Ok(Opened::Torn);
        }
        if header[..8] != kind.magic() {
            return Err(Error::NotOurs { file: file.to_owned(), wanted: kind.word() });
        }
        // The version first: a newer one may have another header.
        let found = u16::from_le_bytes([header[8], header[9]]);
        let crc = u32::from_le_bytes([header[20], header[21], header[22], header[23]]);
        let intact = crc_fast::crc32_iscsi(&header[..20]) == crc;
        if Version::from_number(found).is_none() && (intact || found > Version::NEWEST.number()) {
            return Err(Error::NewerFormat { file: file.to_owned(), found, known: Version::NEWEST.number() });
        }
        if !intact {
            let problem = "the header does not match its checksum";
            return Err(Error::Damaged { file: file.to_owned(), offset: 0, problem });
        }
        let number = u64::from_le_bytes(*header[12..].first_chunk().expect("a header is longer"));
        let expected = if kind == FileKind::Segment { number } else { 1 };
        Ok(Opened::Good(Self { file: file.to_owned(), from, offset: wide(FILE_HEADER), expected }, number))
    }

    /// Number of the record after the last one that was read.
    pub fn expected(&self) -> u64 {
        self.expected
    }

    /// The next frame. After `Bad`, only [`FrameReader::was_durable`] makes sense.
    pub fn next(&mut self) -> Result<Next, Error> {
        let (offset, file) = (self.offset, &self.file);
        let bad = |problem| Ok(Next::Bad { offset, problem });
        let mut raw = [0; FRAME_HEADER];
        match read_up_to(&mut self.from, &mut raw).map_err(Error::io("read", file))? {
            0 => return Ok(Next::End),
            FRAME_HEADER => {}
            _ => return bad("the file ends within a frame"),
        }
        let head = FrameHead::parse(&raw);
        if head.len > MAX_BODY {
            return bad("the length of a frame is impossible");
        }
        let mut body = vec![0; head.len];
        if read_up_to(&mut self.from, &mut body).map_err(Error::io("read", file))? < head.len {
            return bad("the file ends within a frame");
        }
        let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
        for piece in [&raw[..4], &raw[8..], &body] {
            digest.update(piece);
        }
        if digest.finalize() != u64::from(head.crc) {
            return bad("a frame does not match its checksum");
        }
        if head.first != self.expected {
            return bad("a frame is out of its place");
        }
        self.offset += wide(FRAME_HEADER + head.len);
        self.expected += u64::from(head.count);
        Ok(Next::Frame(Frame { offset, count: head.count, body }))
    }

    /// The next frame of a file that must be whole.
    pub fn next_whole(&mut self) -> Result<Option<Frame>, Error> {
        match self.next()? {
            Next::Frame(frame) => Ok(Some(frame)),
            Next::End => Ok(None),
            Next::Bad { offset, problem } => Err(Error::Damaged { file: self.file.clone(), offset, problem }),
        }
    }

    /// Was the bad frame that begins at the front of `rest` durable once, by what a later frame says? `missing` is
    /// the number of the record that should have come there.
    pub fn was_durable(rest: &[u8], missing: u64) -> bool {
        (1..rest.len().saturating_sub(FRAME_HEADER - 1)).any(|at| {
            let frame = &rest[at..];
            let head = FrameHead::parse(frame.first_chunk().expect("the range ends a header before the end"));
            // Almost every position fails these comparisons, so that the checksum is hardly ever computed in vain.
            head.durable >= missing
                && head.first > head.durable
                && head.count > 0
                && head.len <= MAX_BODY
                && frame
                    .get(8..FRAME_HEADER + head.len)
                    .is_some_and(|covered| frame_crc(&frame[..4], covered) == head.crc)
        })
    }
}

/// Fills `into` as far as the file goes; the answer is how far.
fn read_up_to(from: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match from.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A flaw in a frame whose checksum is right.
pub(crate) fn flawed(file: &Path, offset: u64) -> impl Fn(Flaw) -> Error {
    let file = file.to_owned();
    move |flaw| match flaw {
        Flaw::Malformed(problem) => Error::Damaged { file: file.clone(), offset, problem },
        Flaw::Unknown { what, tag } => Error::Unknown { file: file.clone(), offset, what, tag },
    }
}
