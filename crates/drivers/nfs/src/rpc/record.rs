//! Records from the stream (RFC 5531, section 11): fragments joined, lengths checked before they are believed.

use super::{RpcError, TlsError, message::LAST};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use std::{io, sync::Arc};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// One system call fetches many small replies. What a large record still lacks is read past it, straight to
/// where it stays.
const BUFFER: usize = 32 << 10;
/// Most fragments of a record: no server needs them, so nobody is kept busy with empty ones.
const FRAGMENTS: u32 = 64 << 10;

/// How a record of TLS begins that holds an alert or a handshake, of each version's number: as a mark it would stand
/// before 352 MB that are not the last, so nothing is mistaken for it.
const TLS_RECORDS: [u32; 8] = [0x15_0300, 0x15_0301, 0x15_0302, 0x15_0303, 0x16_0300, 0x16_0301, 0x16_0302, 0x16_0303];

/// Reads records from a stream.
pub(super) struct Records<R> {
    stream: R,
    /// Bytes that were read together with what came before them.
    ahead: BytesMut,
    most: usize,
}

impl<R: AsyncRead + Unpin> Records<R> {
    /// `most` is the length of the longest record that is taken.
    pub fn new(stream: R, most: usize) -> Self {
        Self { stream, ahead: BytesMut::with_capacity(BUFFER), most }
    }

    /// The next record, in one piece of memory of its size. `heard` is called whenever bytes arrived.
    pub async fn next(&mut self, heard: impl Fn()) -> Result<Bytes, RpcError> {
        let mut record = BytesMut::new();
        for _ in 0..FRAGMENTS {
            let mark = self.mark(&heard).await?;
            let len = usize::try_from(mark & !LAST).unwrap_or(usize::MAX);
            if record.is_empty() && TLS_RECORDS.contains(&(mark >> 8)) {
                return Err(TlsError::Spoken.into());
            }
            if len > self.most - record.len() {
                let len = record.len() as u64 + u64::from(mark & !LAST);
                return Err(RpcError::TooLong { len, most: self.most });
            }
            record.reserve(len);
            self.fill(&mut record, len, &heard).await?;
            if mark & LAST != 0 {
                return Ok(record.freeze());
            }
        }
        Err(RpcError::Malformed("a record of too many fragments"))
    }

    /// Did more arrive than was asked for so far?
    pub fn holds_more(&self) -> bool {
        !self.ahead.is_empty()
    }

    async fn mark(&mut self, heard: &impl Fn()) -> Result<u32, RpcError> {
        while self.ahead.len() < 4 {
            // All that is left moves to the front, where there is room again.
            self.ahead.reserve(BUFFER - self.ahead.len());
            self.read_ahead(heard).await?;
        }
        Ok(self.ahead.get_u32())
    }

    /// Appends `len` bytes to `record`.
    async fn fill(&mut self, record: &mut BytesMut, mut len: usize, heard: &impl Fn()) -> Result<(), RpcError> {
        loop {
            let known = len.min(self.ahead.len());
            record.extend_from_slice(&self.ahead[..known]);
            self.ahead.advance(known);
            len -= known;
            if len == 0 {
                return Ok(());
            }
            // Nothing is left ahead.
            if len < BUFFER / 2 {
                self.ahead.reserve(BUFFER);
                self.read_ahead(heard).await?;
                continue;
            }
            let read = self.stream.read_buf(&mut (&mut *record).limit(len)).await;
            len -= arrived(read, heard)?;
        }
    }

    async fn read_ahead(&mut self, heard: &impl Fn()) -> Result<(), RpcError> {
        let read = self.stream.read_buf(&mut self.ahead).await;
        arrived(read, heard).map(|_| ())
    }
}

fn arrived(read: io::Result<usize>, heard: &impl Fn()) -> Result<usize, RpcError> {
    match read {
        Ok(0) => Err(RpcError::closed(io::ErrorKind::UnexpectedEof, "the server closed it")),
        Ok(len) => {
            heard();
            Ok(len)
        }
        Err(error) => Err(RpcError::Closed(Arc::new(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The records in `sent`, and what ended them. Read in pieces of `step` bytes.
    async fn received(sent: &[u8], step: usize) -> (Vec<Bytes>, RpcError) {
        let (mut server, client) = tokio::io::duplex(step);
        let sent = sent.to_vec();
        let server = tokio::spawn(async move {
            tokio::io::AsyncWriteExt::write_all(&mut server, &sent).await.unwrap_or_default();
        });
        let mut records = Records::new(client, 4 << 20);
        let mut all = Vec::new();
        let end = loop {
            match records.next(|| ()).await {
                Ok(record) => all.push(record),
                Err(error) => break error,
            }
        };
        drop(records);
        server.await.unwrap();
        (all, end)
    }

    /// Never more than came, and nothing before its length was checked: records of at most 64 KiB here.
    #[test]
    fn marks_and_fragments() {
        use futures::FutureExt as _;
        let sent = b"\0\0\0\x03abc\0\0\0\0\x80\0\0\x02de\x80\0\0\x01f\x80\0\0\0\x80\0\0\x08longlast";
        crate::mutations::mutilated("record marks", sent, |raw| {
            let mut records = Records::new(&raw[..], 64 << 10);
            let mut total = 0;
            // Nothing waits: all of it is there.
            while let Ok(record) = records.next(|| ()).now_or_never().expect("a slice is read at once") {
                assert!(record.len() <= 64 << 10);
                total += record.len();
            }
            assert!(total <= raw.len());
            total
        });
    }

    #[tokio::test]
    async fn fragments_arrive_as_one_record() {
        let sent = b"\0\0\0\x03abc\0\0\0\0\x80\0\0\x02de\x80\0\0\x01f\x80\0\0\0";
        for step in [1, 2, 3, 5, 100] {
            let (all, end) = received(sent, step).await;
            assert_eq!(all, [&b"abcde"[..], b"f", b""], "{step}");
            assert!(matches!(end, RpcError::Closed(_)));
        }
    }

    #[tokio::test]
    async fn large_and_small_records_follow_each_other() {
        let mut sent = Vec::new();
        let lens = [1, 70_000, 5, 0, 1 << 20, 16_383, 16_384, 16_385, 32_768, 40_000, 3, 4 << 20];
        for (n, len) in lens.iter().enumerate() {
            sent.extend_from_slice(&(LAST | u32::try_from(*len).unwrap()).to_be_bytes());
            sent.extend((0..*len).map(|at| u8::try_from((at * 7 + n) % 251).unwrap()));
        }
        for step in [1000, 33_000, 1 << 20] {
            let (all, _) = received(&sent, step).await;
            assert_eq!(all.iter().map(Bytes::len).collect::<Vec<_>>(), lens);
            for (n, record) in all.iter().enumerate() {
                assert!(record.iter().enumerate().all(|(at, b)| usize::from(*b) == (at * 7 + n) % 251), "{n}");
            }
        }
    }

    #[tokio::test]
    async fn a_record_of_absurd_length_is_refused_before_it_is_read() {
        for sent in [&b"\xff\xff\xff\xff"[..], b"\x80\x40\x00\x01", b"\0\x20\0\0"] {
            let sent = [sent, &vec![0; 2 << 20], b"\x80\x20\0\x01"].concat();
            assert!(matches!(received(&sent, 1 << 20).await.1, RpcError::TooLong { .. }));
        }
    }

    #[tokio::test]
    async fn an_answer_in_tls_is_told_from_a_record() {
        for sent in [&b"\x15\x03\x01\0\x02\x02\x46"[..], b"\x15\x03\x03\0\x02\x02\x28", b"\x16\x03\x03\0\x7a"] {
            let (all, end) = received(sent, 64).await;
            assert!(all.is_empty() && matches!(end, RpcError::Tls(TlsError::Spoken)), "{end:?}");
        }
    }

    #[tokio::test]
    async fn a_closed_connection_is_an_error_and_not_an_endless_read() {
        for cut in [&b""[..], b"\x80\0", b"\x80\0\0\x05ab", b"\0\0\0\x02ab"] {
            let (all, end) = received(cut, 64).await;
            assert!(all.is_empty() && matches!(end, RpcError::Closed(_)), "{cut:?}");
        }
    }

    #[tokio::test]
    async fn empty_fragments_for_ever_come_to_an_end() {
        let (all, end) = received(&vec![0; 1 << 20], 64 << 10).await;
        assert!(all.is_empty() && matches!(end, RpcError::Malformed(_)), "{end:?}");
    }
}
