//! Writes images of our own making: for sizes that no NameNode here could hold, and for images that no NameNode
//! would write.
#![allow(dead_code)] // each of the programs that share this uses a part of it

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::Path,
};

pub const ROOT: u64 = 16385;

/// A protobuf message under way.
#[derive(Clone, Debug, Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    pub fn raw_varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }
    pub fn number(mut self, field: u32, number: u64) -> Self {
        self.raw_varint(u64::from(field) << 3);
        self.raw_varint(number);
        self
    }
    pub fn fixed64(mut self, field: u32, number: u64) -> Self {
        self.raw_varint(u64::from(field) << 3 | 1);
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }
    pub fn bytes(mut self, field: u32, content: &[u8]) -> Self {
        self.raw_varint(u64::from(field) << 3 | 2);
        self.raw_varint(content.len() as u64);
        self.0.extend_from_slice(content);
        self
    }
    pub fn packed(self, field: u32, numbers: impl IntoIterator<Item = u64>) -> Self {
        let mut content = Self::default();
        numbers.into_iter().for_each(|number| content.raw_varint(number));
        self.bytes(field, &content.0)
    }
}

/// An image under way. Sections are written one after the other.
pub struct ImageWriter {
    out: BufWriter<File>,
    at: u64,
    summary: Message,
    section: Option<(String, u64)>,
}

impl ImageWriter {
    pub fn create(path: &Path, codec: &str) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        out.write_all(b"HDFSIMG1")?;
        let layout = u64::from((-66_i32).cast_unsigned());
        let mut summary = Message::default().number(1, 1).number(2, layout);
        if !codec.is_empty() {
            summary = summary.bytes(3, codec.as_bytes());
        }
        Ok(Self { out, at: 8, summary, section: None })
    }
    pub fn begin(&mut self, name: &str) {
        self.section = Some((name.to_owned(), self.at));
    }
    pub fn raw(&mut self, content: &[u8]) -> io::Result<()> {
        self.at += content.len() as u64;
        self.out.write_all(content)
    }
    pub fn message(&mut self, message: &Message) -> io::Result<()> {
        let mut len = Message::default();
        len.raw_varint(message.0.len() as u64);
        self.raw(&len.0)?;
        self.raw(&message.0)
    }
    pub fn end(&mut self) {
        let (name, offset) = self.section.take().expect("a section is open");
        self.claim(&name, self.at - offset, offset);
    }
    /// Names a section in the summary, wherever it lies.
    pub fn claim(&mut self, name: &str, len: u64, offset: u64) {
        let section = Message::default().bytes(1, name.as_bytes()).number(2, len).number(3, offset);
        self.summary = std::mem::take(&mut self.summary).bytes(4, &section.0);
    }
    pub fn section(&mut self, name: &str, messages: &[Message]) -> io::Result<()> {
        self.begin(name);
        messages.iter().try_for_each(|message| self.message(message))?;
        self.end();
        Ok(())
    }
    /// The sections that every image has, with users and groups 1 and 2 in the older form of the string table.
    pub fn common(&mut self) -> io::Result<()> {
        let namespace = Message::default().number(1, 77).number(6, 4711);
        self.section("NS_INFO", &[namespace])?;
        let name = |id: u64, name: &str| Message::default().number(1, id).bytes(2, name.as_bytes());
        self.section("STRING_TABLE", &[Message::default().number(1, 2), name(1, "anna"), name(2, "staff")])
    }
    pub fn finish(mut self) -> io::Result<()> {
        let summary = std::mem::take(&mut self.summary);
        let before = self.at;
        self.message(&summary)?;
        let len = u32::try_from(self.at - before).expect("a short summary");
        self.raw(&len.to_be_bytes())?;
        self.out.flush()
    }
}

const PERMISSION: u64 = 1 << 40 | 2 << 16;

pub fn file(id: u64, name: &[u8], size: u64) -> Message {
    let block = Message::default().number(1, 0x4000_0000 + id).number(2, 1000 + id).number(3, size);
    let mut body = Message::default()
        .number(1, 3)
        .number(2, 1_700_000_000_000 + id)
        .number(3, 1_700_000_000_000)
        .number(4, 128 << 20)
        .fixed64(5, PERMISSION | 0o644);
    if size > 0 {
        body = body.bytes(6, &block.0);
    }
    Message::default().number(1, 1).number(2, id).bytes(3, name).bytes(4, &body.0)
}

pub fn directory(id: u64, name: &[u8]) -> Message {
    let body = Message::default().number(1, 1_700_000_000_000).fixed64(4, PERMISSION | 0o755);
    Message::default().number(1, 2).number(2, id).bytes(3, name).bytes(5, &body.0)
}

pub fn children(parent: u64, children: impl IntoIterator<Item = u64>) -> Message {
    Message::default().number(1, parent).packed(2, children)
}

/// A whole image of these inodes and links.
pub fn image(path: &Path, inodes: &[Message], links: &[Message]) -> io::Result<()> {
    let mut out = ImageWriter::create(path, "")?;
    out.common()?;
    out.begin("INODE");
    out.message(&Message::default().number(1, 99_999).number(2, inodes.len() as u64))?;
    inodes.iter().try_for_each(|inode| out.message(inode))?;
    out.end();
    out.section("INODE_DIR", links)?;
    out.finish()
}
