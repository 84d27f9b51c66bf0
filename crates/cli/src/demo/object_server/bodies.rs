//! Content on its way in, on its way out, and from parts into a whole.

use super::{
    checksums::{self, Checksums, Digester},
    operations::ObjectServer,
    shelf::{Multipart, Object, Piece, hex, now_ms},
    terms::internal,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::HeaderMap;
use s3s::{
    Body, S3Error, S3ErrorCode, S3Request, S3Result,
    crypto::{Checksum as _, Md5},
    dto::StreamingBlob,
    s3_error,
};
use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    ops::Range,
    os::unix::fs::FileExt as _,
    path::Path,
};

/// Smallest part of an upload but the last, bytes: 5 MiB as in S3.
const PART_MIN: u64 = 5 << 20;
/// Bytes that go through memory at a time.
const CHUNK: usize = 256 << 10;
/// A body that was written to disk.
pub struct Received {
    /// What it is.
    pub piece: Piece,
    /// Every checksum that was computed of it.
    pub computed: Checksums,
}

impl ObjectServer {
    /// Writes a body to `path` and checks it against everything the request claims of it.
    pub(super) async fn receive<T>(
        &self,
        request: &S3Request<T>,
        body: Option<StreamingBlob>,
        path: &Path,
        file: String,
    ) -> S3Result<Received> {
        let received = self.receive_unchecked(request, body, path, file).await;
        if received.is_err() {
            // The bytes are named by nothing; what is left of them is swept at the next start.
            drop(std::fs::remove_file(path));
        }
        received
    }

    async fn receive_unchecked<T>(
        &self,
        request: &S3Request<T>,
        body: Option<StreamingBlob>,
        path: &Path,
        file: String,
    ) -> S3Result<Received> {
        let mut digester = Digester::new(&request.headers);
        let mut out = File::create(path).map_err(internal)?;
        let mut size = 0_u64;
        if let Some(mut body) = body {
            while let Some(data) = body.next().await {
                let data = data.map_err(|error| S3Error::with_source(S3ErrorCode::IncompleteBody, error))?;
                digester.update(&data);
                out.write_all(&data).map_err(internal)?;
                size += data.len() as u64;
            }
        }
        let (computed, md5) = digester.finish();
        let trailers = request.trailing_headers.as_ref().and_then(s3s::TrailingHeaders::take);
        let claimed =
            Checksums::claimed(&request.headers).or(trailers.as_ref().map(Checksums::claimed).unwrap_or_default());
        claimed.check(&computed)?;
        check_md5(&request.headers, md5)?;
        let checksums = claimed.kept(&computed);
        Ok(Received { piece: Piece { size, md5, checksums, file, modified_ms: now_ms() }, computed })
    }

    /// Joins the parts named by the client into one file of the bucket.
    pub(super) fn assemble(
        &self,
        bucket: &str,
        upload: &Multipart,
        wanted: &[(i32, Option<String>)],
    ) -> S3Result<Object> {
        let mut object = upload.object.clone();
        object.file = format!("{}.data", self.shelf.unique());
        let mut out = File::create(self.shelf.object_file(bucket, &object.file)).map_err(internal)?;
        let mut digester = Digester::new(&HeaderMap::new());
        let mut tags = Md5::new();
        let mut buffer = vec![0; CHUNK];
        for (place, (number, tag)) in wanted.iter().enumerate() {
            if place > 0 && wanted[place - 1].0 >= *number {
                return Err(s3_error!(InvalidPartOrder));
            }
            let part = upload.parts.get(number).ok_or_else(|| s3_error!(InvalidPart))?;
            if tag.as_ref().is_some_and(|tag| *tag != hex(&part.md5)) {
                return Err(s3_error!(InvalidPart));
            }
            if place + 1 < wanted.len() && part.size < PART_MIN {
                return Err(s3_error!(EntityTooSmall));
            }
            let mut input = File::open(self.shelf.part_file(bucket, &part.file)).map_err(internal)?;
            loop {
                let read = input.read(&mut buffer).map_err(internal)?;
                if read == 0 {
                    break;
                }
                digester.update(&buffer[..read]);
                out.write_all(&buffer[..read]).map_err(internal)?;
            }
            object.size += part.size;
            tags.update(&part.md5);
        }
        object.etag = format!("{}-{}", hex(&tags.finalize()), wanted.len());
        object.checksums = Checksums { crc64nvme: digester.finish().0.crc64nvme, ..Checksums::default() };
        object.modified_ms = now_ms();
        Ok(object)
    }
}

/// A range of a file as the body of an answer: at once where it is small, else piece by piece.
pub fn content(file: File, range: Range<u64>) -> S3Result<StreamingBlob> {
    if range.end - range.start <= CHUNK as u64 {
        let data = piece(&file, &range).map_err(internal)?;
        return Ok(StreamingBlob::from(Body::from(data)));
    }
    let pieces = stream::try_unfold((file, range), |(file, range)| async move {
        if range.start >= range.end {
            return Ok::<_, io::Error>(None);
        }
        let end = range.end.min(range.start + CHUNK as u64);
        let data = piece(&file, &(range.start..end))?;
        Ok(Some((data, (file, end..range.end))))
    });
    Ok(StreamingBlob::wrap(pieces))
}

fn piece(file: &File, range: &Range<u64>) -> io::Result<Bytes> {
    let mut data = vec![0; usize::try_from(range.end - range.start).map_err(io::Error::other)?];
    file.read_exact_at(&mut data, range.start)?;
    Ok(Bytes::from(data))
}

fn check_md5(headers: &HeaderMap, md5: [u8; 16]) -> S3Result<()> {
    match checksums::text(headers, "content-md5") {
        Some(claimed) if claimed != STANDARD.encode(md5) => {
            Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match what we received."))
        }
        _ => Ok(()),
    }
}
