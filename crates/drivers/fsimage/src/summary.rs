//! The frame of an image: magic, sections, summary.
//!
//! `FILE := "HDFSIMG1" SECTION* FileSummary length` (fsimage.proto, head of the file). The last four bytes are
//! the big-endian length of the summary with its own length prefix; the summary names every section with offset
//! and length. Sub-sections (`INODE_SUB`, `INODE_DIR_SUB`, …; HDFS-14617) lie inside their section and repeat
//! its bytes, so they are checked and otherwise left alone.

use crate::{
    codec::Codec,
    failure::{Broken, Outcome, corrupt, misread},
    wire::{Fields, varint},
};
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
};

const MAGIC: &[u8; 8] = b"HDFSIMG1";
const FILE: &str = "the file";
/// Largest summary taken, bytes: it holds some 40 bytes for each section or sub-section.
const MAX_SUMMARY: u64 = 4 << 20;
/// `FSImageUtil.FILE_VERSION`, the only version of the frame there is.
const ONDISK_VERSION: u32 = 1;
/// `LayoutVersion.Feature.PROTOBUF_FORMAT`: images before this layout are not protobuf. Versions count downwards.
const FIRST_LAYOUT: i32 = -52;

/// An image that is open, with what its summary says.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    file: Arc<File>,
    pub(crate) layout_version: i32,
    /// The codec's class as the image names it; empty for none.
    pub(crate) codec_class: String,
    codec: Codec,
    pub(crate) sections: Vec<Section>,
    /// Bytes of the file.
    pub(crate) len: u64,
}

/// Where a section lies.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

impl Image {
    /// Opens the image and reads its summary.
    pub(crate) fn open(path: &Path) -> Outcome<Self> {
        let file = File::open(path).map_err(Broken::Image)?;
        let meta = file.metadata().map_err(Broken::Image)?;
        if meta.is_dir() {
            return Err(Broken::Image(io::ErrorKind::IsADirectory.into()));
        }
        let len = meta.len();
        let mut magic = [0; 8];
        let short = |_| corrupt(FILE, "it is too short for an fsimage");
        file.read_exact_at(&mut magic, 0).map_err(short)?;
        if &magic != MAGIC {
            return Err(Broken::Unsupported(
                "the file does not start with HDFSIMG1: it is no fsimage, or one of Hadoop before 2.4".to_owned(),
            ));
        }
        let body = len.checked_sub(12).ok_or_else(|| corrupt(FILE, "it is too short for an fsimage"))?;
        let mut tail = [0; 4];
        file.read_exact_at(&mut tail, len - 4).map_err(Broken::Image)?;
        let summary = u64::from(u32::from_be_bytes(tail));
        if summary == 0 || summary > body || summary > MAX_SUMMARY {
            return Err(corrupt(FILE, "its summary has a length that cannot be: the file is cut off or still written"));
        }
        let end = len - 4 - summary;
        let mut raw = vec![0; usize::try_from(summary).map_err(|_| corrupt(FILE, "a summary too long"))?];
        file.read_exact_at(&mut raw, end).map_err(Broken::Image)?;

        let mut image = Self {
            file: Arc::new(file),
            layout_version: 0,
            codec_class: String::new(),
            codec: Codec::None,
            sections: Vec::new(),
            len,
        };
        image.read_summary(&raw, end)?;
        image.codec = Codec::from_class(&image.codec_class)?;
        Ok(image)
    }

    fn read_summary(&mut self, mut raw: &[u8], end: u64) -> Outcome<()> {
        let wrong = misread("FileSummary");
        let stated = varint(&mut raw).map_err(&wrong)?;
        if u64::try_from(raw.len()) != Ok(stated) {
            return Err(corrupt(FILE, "its summary has two lengths: the file is cut off or still written"));
        }
        let mut fields = Fields(raw);
        let mut ondisk = 0;
        while let Some((field, value)) = fields.next().map_err(&wrong)? {
            match field {
                1 => ondisk = value.number32().map_err(&wrong)?,
                // A negative number in an unsigned field.
                2 => self.layout_version = value.number32().map_err(&wrong)?.cast_signed(),
                3 => self.codec_class = String::from_utf8_lossy(value.bytes().map_err(&wrong)?).into_owned(),
                4 => self.sections.push(Section::read(value.bytes().map_err(&wrong)?, end)?),
                _ => {}
            }
        }
        if ondisk != ONDISK_VERSION {
            return Err(Broken::Unsupported(format!("the image's frame has version {ondisk}, not {ONDISK_VERSION}")));
        }
        if self.layout_version > FIRST_LAYOUT {
            return Err(Broken::Unsupported(format!(
                "the image's layout version {} is older than protobuf images ({FIRST_LAYOUT})",
                self.layout_version
            )));
        }
        for (at, section) in self.sections.iter().enumerate() {
            let again = self.sections[..at].iter().any(|other| other.name == section.name);
            if again && !section.is_sub() {
                return Err(corrupt(&section.name, "the section is there twice"));
            }
        }
        Ok(())
    }

    /// The section of that name.
    pub(crate) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// The uncompressed content of a section.
    pub(crate) fn content(&self, section: &Section) -> Box<dyn Read + Send> {
        let (at, end) = (section.offset, section.offset + section.len);
        self.codec.open(Slice { file: Arc::clone(&self.file), at, end })
    }
}

impl Section {
    fn read(raw: &[u8], end: u64) -> Outcome<Self> {
        let wrong = misread("FileSummary");
        let mut fields = Fields(raw);
        let mut section = Self { name: String::new(), offset: 0, len: 0 };
        while let Some((field, value)) = fields.next().map_err(&wrong)? {
            match field {
                1 => section.name = String::from_utf8_lossy(value.bytes().map_err(&wrong)?).into_owned(),
                2 => section.len = value.number().map_err(&wrong)?,
                3 => section.offset = value.number().map_err(&wrong)?,
                _ => {}
            }
        }
        let inside = section.offset >= 8 && section.offset.checked_add(section.len).is_some_and(|last| last <= end);
        if inside { Ok(section) } else { Err(corrupt(&section.name, "the section reaches beyond the file")) }
    }

    /// Is it a part of another section, repeated for loaders that read in parallel?
    pub(crate) fn is_sub(&self) -> bool {
        self.name.ends_with("_SUB")
    }
}

/// A range of the file.
#[derive(Debug)]
struct Slice {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Slice {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let room = left.min(out.len());
        let count = self.file.read_at(&mut out[..room], self.at)?;
        if count == 0 && room > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += u64::try_from(count).map_err(io::Error::other)?;
        Ok(count)
    }
}
