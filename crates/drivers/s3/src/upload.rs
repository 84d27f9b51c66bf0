//! Multipart uploads: parts in flight, found again after a crash, checked as a whole at the end.

use crate::{
    call::{Answer, Call, Condition},
    encode::{crc32_value, crc64_joined, crc64_text, crc64_value, query},
    errors::Failure,
    flavour::Checksum,
    listing::{answered, is_encoded, raw_key},
    metadata,
    store::{CHECKSUM_TYPE, Opened},
    target::{CRC32C, CRC64, storage_class, tag},
    xml,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderName, Method, header};
use model::{Digests, Facets, Kind, RelPath, Stamp};
use std::{fmt::Write as _, sync::Arc};
use storage::{Abandoned, Error, ErrorKind, PartRules, Published, Receipt, Result, ResumeToken, Upload, WriteSpec};

const OPEN: &str = "open an upload to";
const RESUME: &str = "resume the upload to";
const PART: &str = "write a part of";
const FINISH: &str = "finish the upload to";
const ABORT: &str = "abort the upload to";
const FIND: &str = "look for open uploads to";

const CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("x-amz-checksum-algorithm");

/// The server puts the parts together before it answers: for large objects that takes minutes.
const FINISH_PATIENCE: u32 = 15;

/// An upload in progress.
struct S3Upload {
    store: Arc<Opened>,
    path: RelPath,
    id: Bytes,
    spec: WriteSpec,
    kept: Facets,
}

/// CreateMultipartUpload.
pub(crate) async fn create(store: Arc<Opened>, path: &RelPath, spec: WriteSpec) -> Result<Box<dyn Upload>> {
    store.allow(path, OPEN)?;
    if spec.if_absent
        && !store.quirks.conditional_put
        && store.head(&store.config.key(path), false, OPEN).await?.is_some()
    {
        return Err(Error::new(ErrorKind::AlreadyExists, OPEN));
    }
    let mut call = store.call("CreateMultipartUpload", OPEN, Method::POST, &store.config.key(path));
    call.query = query(&mut [("uploads", b"")]);
    let kept = metadata::write(&mut call.fields, &spec.meta, &Kind::File)?;
    storage_class(&mut call, &spec)?;
    match store.quirks.checksum {
        Checksum::Crc64Nvme => {
            call.fields.add(CHECKSUM_ALGORITHM, "CRC64NVME");
            call.fields.add(CHECKSUM_TYPE, "FULL_OBJECT");
        }
        Checksum::Crc32c => call.fields.add(CHECKSUM_ALGORITHM, "CRC32C"),
        Checksum::Md5 => {}
    }
    call.send(Vec::new());
    let (_, body) = store.client.ask(&call).await.map_err(|why| why.into_error(OPEN, Condition::None))?;
    let opened: xml::Initiated = answered(&body, "InitiateMultipartUploadResult", OPEN)?;
    Ok(Box::new(S3Upload { store, path: path.clone(), id: opened.upload_id.into(), spec, kept }))
}

/// ListParts, as often as there are pages.
pub(crate) async fn resume(
    store: Arc<Opened>,
    path: &RelPath,
    spec: WriteSpec,
    token: &ResumeToken,
) -> Result<(Box<dyn Upload>, Vec<Receipt>)> {
    let mut receipts = Vec::new();
    let mut marker = 0_u32;
    loop {
        let mut call = store.call("ListParts", RESUME, Method::GET, &store.config.key(path));
        call.query = query(&mut [
            ("uploadId", &token.0),
            ("max-parts", b"1000"),
            ("part-number-marker", marker.to_string().as_bytes()),
        ]);
        let (_, body) = store.client.ask(&call).await.map_err(|why| why.into_error(RESUME, Condition::None))?;
        let page: xml::Parts = answered(&body, "ListPartsResult", RESUME)?;
        let last = page.held.last().map(|part| part.number);
        receipts.extend(page.held.into_iter().filter(|part| part.number > 0).map(|part| Receipt {
            index: part.number - 1,
            len: part.size,
            crc64nvme: part.crc64nvme.as_deref().and_then(crc64_value),
            tag: receipt_tag(&part.etag, part.crc32c.as_deref()),
        }));
        match page.next_part_number_marker.or(last) {
            Some(next) if page.is_truncated && next > marker => marker = next,
            _ => break,
        }
    }
    // What was kept was decided when the upload was opened, by the same rule.
    let kept = spec.meta.facets().shared(metadata::WRITES);
    Ok((Box::new(S3Upload { store, path: path.clone(), id: token.0.clone(), spec, kept }), receipts))
}

/// ListMultipartUploads for exactly this key.
pub(crate) async fn abandoned(store: &Opened, path: &RelPath) -> Result<Vec<Abandoned>> {
    let key = store.config.key(path);
    let mut found = Vec::new();
    let mut from: Option<(Vec<u8>, String)> = None;
    loop {
        let mut pairs: Vec<(&str, &[u8])> =
            vec![("uploads", b""), ("encoding-type", b"url"), ("max-uploads", b"1000"), ("prefix", &key)];
        if let Some((key, id)) = &from {
            pairs.push(("key-marker", key));
            pairs.push(("upload-id-marker", id.as_bytes()));
        }
        let call = store.bucket_call("ListMultipartUploads", FIND, Method::GET, &mut pairs);
        let (_, body) = store.client.ask(&call).await.map_err(|why| why.into_error(FIND, Condition::None))?;
        let page: xml::Uploads = answered(&body, "ListMultipartUploadsResult", FIND)?;
        let encoded = is_encoded(page.encoding_type.as_deref());
        let mut beyond = false;
        for open in page.open {
            // Keys come in order: another one that only begins like ours means we are through.
            if raw_key(&open.key, encoded) != key {
                beyond = true;
                continue;
            }
            found.push(Abandoned {
                token: ResumeToken(open.upload_id.into()),
                since: open.initiated.as_deref().and_then(xml::iso_date),
            });
        }
        let next = page.next_key_marker.map(|key| raw_key(&key, encoded)).zip(page.next_upload_id_marker);
        match next {
            Some(next) if page.is_truncated && !beyond && from.as_ref() != Some(&next) => from = Some(next),
            _ => return Ok(found),
        }
    }
}

/// AbortMultipartUpload; one that is gone is no error.
pub(crate) async fn abort(store: &Opened, path: &RelPath, id: &[u8]) -> Result<()> {
    let mut call = store.call("AbortMultipartUpload", ABORT, Method::DELETE, &store.config.key(path));
    call.query = query(&mut [("uploadId", id)]);
    match store.client.ask(&call).await {
        Ok(_) => Ok(()),
        Err(why) if why.kind() == ErrorKind::NotFound => match why {
            // The bucket being gone is another matter.
            Failure::Refused(refusal) if refusal.code == "NoSuchBucket" => {
                Err(Failure::Refused(refusal).into_error(ABORT, Condition::None))
            }
            _ => Ok(()),
        },
        Err(why) => Err(why.into_error(ABORT, Condition::None)),
    }
}

/// A success whose body says that it failed after all: the server begins to answer before it knows.
pub(crate) fn late_error(answer: &Answer, body: &[u8], doing: &'static str) -> Result<()> {
    if xml::error(body).is_none() {
        return Ok(());
    }
    let mut refusal = answer.refusal(body);
    // The status was sent before; what the code does not tell is a failure inside the server.
    refusal.status = http::StatusCode::INTERNAL_SERVER_ERROR;
    Err(Failure::Refused(Box::new(refusal)).into_error(doing, Condition::Absent))
}

#[async_trait]
impl Upload for S3Upload {
    fn rules(&self) -> PartRules {
        self.store.caps.parts
    }

    fn token(&self) -> Option<ResumeToken> {
        Some(ResumeToken(self.id.clone()))
    }

    fn part(&self, index: u32, _offset: u64, data: Vec<Bytes>, crc64nvme: u64) -> BoxFuture<'static, Result<Receipt>> {
        let call = self.part_call(index, data, crc64nvme);
        let (store, path) = (Arc::clone(&self.store), self.path.clone());
        Box::pin(async move {
            let send = async {
                let (call, sent, len) = call?;
                let (answer, _) = store.client.ask(&call).await.map_err(|why| why.into_error(PART, Condition::None))?;
                let told = store.confirmed(&answer, &sent, PART)?;
                let tag = answer.headers.get(header::ETAG).ok_or_else(|| {
                    Error::new(ErrorKind::Unexpected, PART).because("the answer has no entity tag to finish with")
                })?;
                let tag = receipt_tag(&String::from_utf8_lossy(tag.as_bytes()), answer.text(&CRC32C));
                Ok(Receipt { index, len, crc64nvme: told.crc64nvme.or(Some(crc64nvme)), tag })
            };
            send.await.map_err(|error: Error| error.at(&path))
        })
    }

    async fn finish(self: Box<Self>, receipts: Vec<Receipt>, whole: Digests) -> Result<Published> {
        self.complete(receipts, &whole).await.map_err(|error| error.at(&self.path))
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        abort(&self.store, &self.path, &self.id).await.map_err(|error| error.at(&self.path))
    }
}

impl S3Upload {
    /// UploadPart.
    fn part_call(&self, index: u32, data: Vec<Bytes>, crc64nvme: u64) -> Result<(Call, Digests, u64)> {
        let rules = self.rules();
        let len: u64 = data.iter().map(|piece| piece.len() as u64).sum();
        if index >= rules.max_count || len > rules.max {
            return Err(Error::new(ErrorKind::Invalid, PART).because(format!(
                "part {} of {len} bytes: an upload takes {} parts of at most {} bytes",
                u64::from(index) + 1,
                rules.max_count,
                rules.max
            )));
        }
        let mut call = self.store.call("UploadPart", PART, Method::PUT, &self.store.config.key(&self.path));
        let number = (index + 1).to_string();
        call.query = query(&mut [("partNumber", number.as_bytes()), ("uploadId", &self.id)]);
        let known = Digests { crc64nvme: Some(crc64nvme), ..Digests::default() };
        let sent = self.store.checked(&mut call, &known, &data);
        call.send(data);
        Ok((call, sent, len))
    }

    /// CompleteMultipartUpload.
    async fn complete(&self, receipts: Vec<Receipt>, whole: &Digests) -> Result<Published> {
        let mut receipts = in_order(receipts)?;
        if receipts.is_empty() {
            // An upload has at least one part; that of an empty object is empty.
            receipts.push(self.part(0, 0, Vec::new(), 0).await?);
        }
        let size: u64 = receipts.iter().map(|receipt| receipt.len).sum();
        if let Some(stated) = self.spec.size.filter(|stated| *stated != size) {
            return Err(Error::new(ErrorKind::Invalid, FINISH)
                .because(format!("{stated} bytes were announced and {size} written")));
        }
        let store = &self.store;
        let mut call = store.call("CompleteMultipartUpload", FINISH, Method::POST, &store.config.key(&self.path));
        call.query = query(&mut [("uploadId", &self.id)]);
        call.patience = FINISH_PATIENCE;
        let mut sent = Digests::default();
        // MinIO takes an empty part, but not the checksum of an object that consists of one.
        if store.quirks.checksum == Checksum::Crc64Nvme && size > 0 {
            sent.crc64nvme = whole.crc64nvme.or_else(|| joined(&receipts));
            call.fields.add(CHECKSUM_TYPE, "FULL_OBJECT");
            if let Some(sum) = sent.crc64nvme {
                call.fields.add(CRC64, crc64_text(sum));
            }
        }
        if store.quirks.checks_object_size {
            call.fields.add(HeaderName::from_static("x-amz-mp-object-size"), size);
        }
        if self.spec.if_absent && store.quirks.conditional_put {
            call.fields.add(header::IF_NONE_MATCH, "*");
            call.condition = Condition::Absent;
        }
        call.fields.add(header::CONTENT_TYPE, "application/xml");
        call.send(vec![self.part_list(&receipts).into()]);
        let (answer, body) = store.client.ask(&call).await.map_err(|why| why.into_error(FINISH, call.condition))?;
        late_error(&answer, &body, FINISH)?;
        let done: xml::Completed = answered(&body, "CompleteMultipartUploadResult", FINISH)?;
        let digests = Digests {
            crc64nvme: done.crc64nvme.as_deref().and_then(crc64_value),
            crc32c: answer.text(&CRC32C).and_then(crc32_value),
            ..Digests::default()
        };
        if digests.agree(&sent) == Some(false) {
            return Err(Error::new(ErrorKind::Corrupt, FINISH)
                .because("the checksum that the server states is not that of what was sent"));
        }
        let stamp = Stamp { size, etag: tag(done.etag.as_deref()), ..Stamp::default() };
        Ok(Published { stamp, digests, kept: self.kept })
    }

    fn part_list(&self, receipts: &[Receipt]) -> String {
        const STRING: &str = "writing to a string cannot fail";
        let mut text = String::from("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        for receipt in receipts {
            let tag = String::from_utf8_lossy(&receipt.tag);
            let (tag, crc32c) = tag.split_once(BESIDE).map_or((&*tag, None), |(tag, sum)| (tag, Some(sum)));
            let tag = xml::escaped(tag);
            let number = receipt.index + 1;
            write!(text, "<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag>").expect(STRING);
            if let (Some(sum), Checksum::Crc64Nvme) = (receipt.crc64nvme, self.store.quirks.checksum) {
                write!(text, "<ChecksumCRC64NVME>{}</ChecksumCRC64NVME>", crc64_text(sum)).expect(STRING);
            }
            if let Some(sum) = crc32c {
                write!(text, "<ChecksumCRC32C>{}</ChecksumCRC32C>", xml::escaped(sum)).expect(STRING);
            }
            text.push_str("</Part>");
        }
        text.push_str("</CompleteMultipartUpload>");
        text
    }
}

/// Stands between the entity tag and the CRC-32C of a part in its receipt.
const BESIDE: char = '\n';

/// What the store wants back for a part: its entity tag, and its CRC-32C where the upload is checked by that,
/// for then the whole is a digest of the parts' digests.
fn receipt_tag(etag: &str, crc32c: Option<&str>) -> Bytes {
    Bytes::from(crc32c.map_or_else(|| etag.to_owned(), |sum| format!("{etag}{BESIDE}{sum}")))
}

/// The parts in order, the last receipt of each; `Invalid` when one is missing, which the API would accept.
fn in_order(mut receipts: Vec<Receipt>) -> Result<Vec<Receipt>> {
    receipts.reverse();
    receipts.sort_by_key(|receipt| receipt.index);
    receipts.dedup_by_key(|receipt| receipt.index);
    for (expected, receipt) in (0_u32..).zip(&receipts) {
        if receipt.index != expected {
            return Err(
                Error::new(ErrorKind::Invalid, FINISH).because(format!("part {} is missing", u64::from(expected) + 1))
            );
        }
    }
    Ok(receipts)
}

/// The checksum of the whole from those of its parts.
fn joined(receipts: &[Receipt]) -> Option<u64> {
    let mut parts = receipts.iter();
    let mut sum = parts.next()?.crc64nvme?;
    for part in parts {
        sum = crc64_joined(sum, part.crc64nvme?, part.len);
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::crc64;

    fn receipt(index: u32, content: &'static [u8]) -> Receipt {
        let crc64nvme = Some(crc64(&[Bytes::from_static(content)]));
        Receipt { index, len: content.len() as u64, crc64nvme, tag: Bytes::from_static(content) }
    }

    #[test]
    fn a_missing_part_is_found_and_the_last_receipt_of_a_part_wins() {
        assert_eq!(in_order(vec![receipt(0, b"a"), receipt(2, b"c")]).unwrap_err().kind(), ErrorKind::Invalid);
        let parts = in_order(vec![receipt(1, b"old"), receipt(0, b"a"), receipt(1, b"new")]).unwrap();
        assert_eq!(parts[1].tag, "new");
        assert_eq!(joined(&parts), Some(crc64(&[Bytes::from_static(b"anew")])));
    }
}
