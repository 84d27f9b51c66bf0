//! A file of frames that is only added to, and that may be cut off anywhere: what was found since the last
//! checkpoint.
//!
//! It begins with 8 bytes that say what it is and 8 that say which checkpoint it follows. A frame is its length
//! (4 bytes), the CRC-64/NVME of its content (8 bytes), its content; numbers are little-endian. Reading stops at
//! the first frame that is not whole, and writing goes on there.

use crate::Error;
use crc_fast::CrcAlgorithm;
use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

/// What the file is.
const MAGIC: [u8; 8] = *b"lsframe1";
const HEADER: u64 = 16;
/// Held before it is written.
const BUFFER: usize = 256 * 1024;

/// The file while it is written.
#[derive(Debug)]
pub struct FrameLog {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    /// Written or in the buffer.
    bytes: u64,
    synced: u64,
}

impl FrameLog {
    /// Opens what follows the checkpoint `generation`, or makes it anew where the file follows another one.
    pub(crate) fn open(path: &Path, generation: u64) -> Result<Self, Error> {
        let open = || {
            let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
            let mut header = Vec::new();
            (&mut file).take(HEADER).read_to_end(&mut header)?;
            Ok((file, header))
        };
        let (file, found) = open().map_err(Error::io("open", path))?;
        let mut log = Self { path: path.to_owned(), file, buffer: Vec::new(), bytes: HEADER, synced: 0 };
        if found != header(generation) {
            log.restart(generation)?;
        }
        Ok(log)
    }

    /// Hands every whole frame to `take`, cuts off what follows the last of them, and goes on there.
    ///
    /// Errors: `Io`, and what `take` fails with.
    pub fn replay(&mut self, mut take: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<u64, Error> {
        let path = self.path.clone();
        let broken = |error| Error::io("read", path.clone())(error);
        let length = self.file.metadata().map_err(broken)?.len();
        self.file.seek(SeekFrom::Start(HEADER)).map_err(broken)?;
        let mut from = BufReader::with_capacity(BUFFER, &mut self.file);
        let (mut at, mut frames, mut frame) = (HEADER, 0, Vec::new());
        while let Some(next) = read_frame(&mut from, at, length, &mut frame).map_err(broken)? {
            take(&frame)?;
            (at, frames) = (next, frames + 1);
        }
        drop(from);
        let cut = |file: &mut File| {
            file.set_len(at)?;
            file.seek(SeekFrom::Start(at))
        };
        cut(&mut self.file).map_err(Error::io("cut", &self.path))?;
        (self.bytes, self.synced) = (at, at);
        Ok(frames)
    }

    /// Adds a frame. It survives the end of this process after [`FrameLog::flush`], a power cut after
    /// [`FrameLog::sync`].
    pub fn add(&mut self, frame: &[u8]) -> Result<(), Error> {
        let length = u32::try_from(frame.len()).map_err(|_| {
            Error::io("write", &self.path)(io::Error::new(io::ErrorKind::InvalidInput, "a frame of over 4 GiB"))
        })?;
        let crc = crc_fast::checksum(CrcAlgorithm::Crc64Nvme, frame);
        self.buffer.extend_from_slice(&length.to_le_bytes());
        self.buffer.extend_from_slice(&crc.to_le_bytes());
        self.buffer.extend_from_slice(frame);
        self.bytes += 12 + u64::from(length);
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// Hands everything to the operating system.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.file.write_all(&self.buffer).map_err(Error::io("write", &self.path))?;
        self.buffer.clear();
        Ok(())
    }

    /// Brings everything to disk.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.flush()?;
        if self.synced < self.bytes {
            self.file.sync_data().map_err(Error::io("sync", &self.path))?;
            self.synced = self.bytes;
        }
        Ok(())
    }

    /// Throws everything away: the checkpoint `generation` has it.
    pub fn restart(&mut self, generation: u64) -> Result<(), Error> {
        self.buffer.clear();
        let mut restart = || {
            self.file.set_len(0)?;
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(&header(generation))
        };
        restart().map_err(Error::io("begin", &self.path))?;
        (self.bytes, self.synced) = (HEADER, 0);
        Ok(())
    }

    /// Bytes in it.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn header(generation: u64) -> [u8; 16] {
    let mut header = [0; 16];
    header[..8].copy_from_slice(&MAGIC);
    header[8..].copy_from_slice(&generation.to_le_bytes());
    header
}

/// Reads the frame at `at` in a file of `length` bytes and tells where the next begins; `None` where there is no
/// whole frame.
fn read_frame(from: &mut impl io::Read, at: u64, length: u64, frame: &mut Vec<u8>) -> io::Result<Option<u64>> {
    let mut head = [0; 12];
    if length.saturating_sub(at) < 12 {
        return Ok(None);
    }
    from.read_exact(&mut head)?;
    let [size @ .., _, _, _, _, _, _, _, _] = head;
    let [_, _, _, _, crc @ ..] = head;
    let size = u64::from(u32::from_le_bytes(size));
    if length - at - 12 < size {
        return Ok(None);
    }
    frame.clear();
    from.take(size).read_to_end(frame)?;
    let whole = crc_fast::checksum(CrcAlgorithm::Crc64Nvme, frame) == u64::from_le_bytes(crc);
    Ok((whole && u64::try_from(frame.len()) == Ok(size)).then_some(at + 12 + size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(log: &mut FrameLog) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        log.replay(|frame| {
            frames.push(frame.to_vec());
            Ok(())
        })
        .unwrap();
        frames
    }

    proptest! {
        #[test]
        fn what_was_cut_off_or_damaged_ends_at_the_last_whole_frame_and_goes_on_there(
            frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 1..20),
            cut in any::<prop::sample::Index>(),
            flip in any::<Option<(prop::sample::Index, u8)>>(),
        ) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("journal");
            let mut log = FrameLog::open(&path, 3).unwrap();
            for frame in &frames {
                log.add(frame).unwrap();
            }
            log.flush().unwrap();
            drop(log);
            let mut raw = std::fs::read(&path).unwrap();
            raw.truncate(16 + cut.index(raw.len() - 15));
            if let Some((at, bits)) = flip && raw.len() > 16 {
                let at = 16 + at.index(raw.len() - 16);
                raw[at] ^= bits;
            }
            std::fs::write(&path, &raw).unwrap();
            let mut log = FrameLog::open(&path, 3).unwrap();
            let whole = read(&mut log);
            prop_assert!(frames.starts_with(&whole));
            log.add(b"more").unwrap();
            log.sync().unwrap();
            let mut log = FrameLog::open(&path, 3).unwrap();
            let again = read(&mut log);
            prop_assert_eq!(&again[..whole.len()], &whole[..]);
            prop_assert_eq!(&again[whole.len()..], &[b"more".to_vec()][..]);
        }
    }

    #[test]
    fn a_journal_of_another_checkpoint_is_thrown_away() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let mut log = FrameLog::open(&path, 1).unwrap();
        log.add(b"old").unwrap();
        log.flush().unwrap();
        assert_eq!(read(&mut FrameLog::open(&path, 1).unwrap()), [b"old"]);
        assert_eq!(read(&mut FrameLog::open(&path, 2).unwrap()), Vec::<Vec<u8>>::new());
        assert_eq!(read(&mut FrameLog::open(&path, 1).unwrap()), Vec::<Vec<u8>>::new());
        std::fs::write(&path, b"not a journal").unwrap();
        assert_eq!(read(&mut FrameLog::open(&path, 1).unwrap()), Vec::<Vec<u8>>::new());
    }
}
