//! COMPOUND (RFC 8881, section 16.2): several operations in one request, and their results one by one.

use super::{
    attributes::{Attributes, Bitmap, HANDLE_MAX},
    failure::Failure,
    status::Status,
};
use crate::xdr::{Decoded, Malformed, Reader, Writer};
use bytes::Bytes;

/// Program of NFS.
pub(crate) const PROGRAM: u32 = 100_003;
/// Version 4; the minor version stands in each COMPOUND.
pub(crate) const VERSION: u32 = 4;
/// The only procedure besides NULL.
pub(crate) const COMPOUND: u32 = 1;
/// NFSv4.1.
pub(crate) const MINOR: u32 = 1;

/// Operation numbers (RFC 8881, section 18).
pub(crate) mod op {
    pub const CLOSE: u32 = 4;
    pub const DELEGRETURN: u32 = 8;
    pub const GETATTR: u32 = 9;
    pub const GETFH: u32 = 10;
    pub const LOOKUP: u32 = 15;
    pub const OPEN: u32 = 18;
    pub const PUTFH: u32 = 22;
    pub const PUTROOTFH: u32 = 24;
    pub const READ: u32 = 25;
    pub const READDIR: u32 = 26;
    pub const READLINK: u32 = 27;
    pub const BIND_CONN_TO_SESSION: u32 = 41;
    pub const EXCHANGE_ID: u32 = 42;
    pub const CREATE_SESSION: u32 = 43;
    pub const DESTROY_SESSION: u32 = 44;
    pub const SEQUENCE: u32 = 53;
    pub const DESTROY_CLIENTID: u32 = 57;
    pub const RECLAIM_COMPLETE: u32 = 58;
    /// What a server puts in the place of an operation that it does not know.
    pub const ILLEGAL: u32 = 10_044;
}

/// A state id (RFC 8881, section 3.3.12): sequence id and 12 opaque bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StateId(pub [u8; 16]);

impl StateId {
    /// Reads without an open; the server still minds what others lock (section 8.2.3).
    pub const ANONYMOUS: Self = Self([0; 16]);
}

/// Operations to be sent together.
#[derive(Clone, Debug)]
pub(crate) struct Compound {
    /// The operation that this is about, for those who watch.
    pub word: &'static str,
    pub count: u32,
    pub body: Writer,
}

impl Compound {
    pub fn new(word: &'static str) -> Self {
        Self { word, count: 0, body: Writer::default() }
    }
    /// An operation; its arguments are written next.
    pub fn op(&mut self, number: u32) -> &mut Writer {
        self.count += 1;
        self.body.u32(number)
    }
    pub fn put_root(mut self) -> Self {
        self.op(op::PUTROOTFH);
        self
    }
    pub fn put(mut self, handle: &[u8]) -> Self {
        self.op(op::PUTFH).opaque(handle);
        self
    }
    pub fn lookup(mut self, name: &[u8]) -> Self {
        self.op(op::LOOKUP).opaque(name);
        self
    }
    pub fn handle(mut self) -> Self {
        self.op(op::GETFH);
        self
    }
    pub fn attributes(mut self, asked: Bitmap) -> Self {
        asked.write(self.op(op::GETATTR));
        self
    }
    pub fn read(mut self, state: StateId, offset: u64, count: u32) -> Self {
        self.op(op::READ).fixed(&state.0).u64(offset).u32(count);
        self
    }
    pub fn readlink(mut self) -> Self {
        self.op(op::READLINK);
        self
    }
    pub fn readdir(mut self, cookie: u64, verifier: [u8; 8], size: u32, asked: Bitmap) -> Self {
        // The first size counts names and cookies only, the second everything.
        asked.write(self.op(op::READDIR).u64(cookie).fixed(&verifier).u32(size).u32(size));
        self
    }

    /// The whole request: `first` is what comes before the operations (a SEQUENCE), with its own count.
    pub fn request(&self, first: &Writer, first_count: u32) -> Bytes {
        let mut all = Writer::default();
        all.0.reserve(12 + first.0.len() + self.body.0.len());
        // The tag is for people who read packet traces.
        all.opaque(b"").u32(MINOR).u32(first_count + self.count);
        all.fixed(&first.0).fixed(&self.body.0);
        all.into_bytes()
    }
}

/// Results, taken in the order of the operations.
#[derive(Debug)]
pub(crate) struct Reply {
    raw: Bytes,
    at: usize,
    /// Status of the last operation that was carried out.
    status: Status,
    left: usize,
}

impl Reply {
    pub fn new(raw: Bytes) -> Decoded<Self> {
        let mut from = Reader(&raw);
        let status = Status(from.u32()?);
        from.opaque(1024)?;
        let left = from.count(8)?;
        let at = raw.len() - from.0.len();
        Ok(Self { raw, at, status, left })
    }

    /// Did every operation succeed?
    pub fn succeeded(&self) -> bool {
        self.status == Status::OK
    }

    /// Takes the result of an operation, which `decode` reads where it succeeded.
    pub fn take<'a, T>(
        &'a mut self,
        number: u32,
        decode: impl FnOnce(&mut Reader<'a>) -> Decoded<T>,
    ) -> Result<T, Failure> {
        if self.left == 0 {
            return Err(match self.status {
                Status::OK => Malformed("a result is missing").into(),
                refused => Failure::Status(refused),
            });
        }
        let mut from = Reader(&self.raw[self.at..]);
        let (told, status) = (from.u32()?, Status(from.u32()?));
        if told != number && told != op::ILLEGAL {
            return Err(Malformed("the results are not of the operations that were sent").into());
        }
        if status != Status::OK {
            return Err(Failure::Status(status));
        }
        let taken = decode(&mut from)?;
        self.at = self.raw.len() - from.0.len();
        self.left -= 1;
        Ok(taken)
    }

    /// An operation without a result of its own.
    pub fn done(&mut self, number: u32) -> Result<(), Failure> {
        self.take(number, |_| Ok(()))
    }
    pub fn handle(&mut self) -> Result<Bytes, Failure> {
        self.take(op::GETFH, |from| from.opaque(HANDLE_MAX).map(Bytes::copy_from_slice))
    }
    pub fn attributes(&mut self) -> Result<Attributes, Failure> {
        self.take(op::GETATTR, Attributes::read)
    }
    /// Where a symbolic link points.
    pub fn link(&mut self) -> Result<Bytes, Failure> {
        self.take(op::READLINK, |from| from.opaque(usize::MAX).map(Bytes::copy_from_slice))
    }
    /// Content, and whether the file ends after it. The content is a part of the answer, not a copy.
    pub fn content(&mut self) -> Result<(Bytes, bool), Failure> {
        let raw = self.raw.clone();
        self.take(op::READ, |from| {
            let end = from.bool()?;
            Ok((raw.slice_ref(from.opaque(usize::MAX)?), end))
        })
    }
    /// A page of a directory.
    pub fn directory(&mut self) -> Result<DirectoryPage, Failure> {
        self.take(op::READDIR, DirectoryPage::read)
    }
}

/// What one READDIR tells.
#[derive(Debug)]
pub(crate) struct DirectoryPage {
    pub verifier: [u8; 8],
    pub names: Vec<DirectoryName>,
    pub end: bool,
}

/// One name of a directory.
#[derive(Debug)]
pub(crate) struct DirectoryName {
    pub cookie: u64,
    pub name: Vec<u8>,
    pub attributes: Attributes,
}

impl DirectoryPage {
    fn read(from: &mut Reader<'_>) -> Decoded<Self> {
        let verifier = from.array()?;
        let mut names = Vec::new();
        while from.bool()? {
            let cookie = from.u64()?;
            let name = from.opaque(usize::MAX)?.to_vec();
            names.push(DirectoryName { cookie, name, attributes: Attributes::read(from)? });
        }
        Ok(Self { verifier, names, end: from.bool()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_its_operations() {
        let first = Writer::default();
        let raw = Compound::new("LOOKUP").put_root().lookup(b"abc").handle().request(&first, 0);
        let expected = b"\0\0\0\0\0\0\0\x01\0\0\0\x03\0\0\0\x18\0\0\0\x0f\0\0\0\x03abc\0\0\0\0\x0a";
        assert_eq!(raw, &expected[..]);
    }

    #[test]
    fn a_failed_operation_ends_the_results_with_its_status() {
        let mut raw = Writer::default();
        raw.u32(2).opaque(b"").u32(2).u32(op::PUTROOTFH).u32(0).u32(op::LOOKUP).u32(2);
        let mut reply = Reply::new(raw.into_bytes()).unwrap();
        reply.done(op::PUTROOTFH).unwrap();
        assert!(matches!(reply.done(op::LOOKUP), Err(Failure::Status(Status::NOENT))));
    }

    #[test]
    fn a_refused_minor_version_has_no_results() {
        let mut raw = Writer::default();
        raw.u32(10021).opaque(b"").u32(0);
        let mut reply = Reply::new(raw.into_bytes()).unwrap();
        assert!(matches!(reply.done(op::SEQUENCE), Err(Failure::Status(Status::MINOR_VERS_MISMATCH))));
    }

    #[test]
    fn results_of_something_else_are_refused() {
        let mut raw = Writer::default();
        raw.u32(0).opaque(b"").u32(1).u32(op::READ).u32(0);
        let mut reply = Reply::new(raw.into_bytes()).unwrap();
        assert!(matches!(reply.done(op::PUTFH), Err(Failure::Malformed(_))));
    }
}
