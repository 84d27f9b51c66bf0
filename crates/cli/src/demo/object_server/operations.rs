//! The S3 operations that longshore and the usual clients send.

use super::{
    bodies::{Received, content},
    checksums::Checksums,
    shelf::{Bucket, Object, Piece, Shelf, hex, now_ms},
    terms::{allowed, encoded, internal, named, signed, user_metadata},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use s3s::{
    S3, S3Request, S3Response, S3Result,
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumType, CommonPrefix,
        CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput,
        CopyObjectResult, CopySource, CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput,
        CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput,
        DeletedObject, ETag, GetBucketLocationInput, GetBucketLocationOutput, GetObjectInput, GetObjectOutput,
        HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput, ListBucketsOutput,
        ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput,
        ListPartsOutput, MetadataDirective, MultipartUpload, ObjectStorageClass, Part, PutObjectInput, PutObjectOutput,
        StorageClass, Timestamp, UploadPartInput, UploadPartOutput,
    },
    s3_error,
};
use std::{
    collections::BTreeMap,
    fs::File,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

/// Longest page of any listing.
const PAGE: i32 = 1000;

/// The server's operations over its shelf.
#[derive(Debug)]
pub struct ObjectServer {
    pub(super) shelf: Shelf,
}

impl ObjectServer {
    /// Serves what is on the shelf.
    pub const fn new(shelf: Shelf) -> Self {
        Self { shelf }
    }

    fn object(&self, bucket: &str, key: &str) -> S3Result<Arc<Object>> {
        let buckets = self.shelf.read();
        let bucket = buckets.get(bucket).ok_or_else(|| s3_error!(NoSuchBucket))?;
        bucket.objects.get(key).cloned().ok_or_else(|| s3_error!(NoSuchKey))
    }

    /// Does something with a bucket that changes it.
    fn change<T>(&self, name: &str, change: impl FnOnce(&Shelf, &mut Bucket) -> S3Result<T>) -> S3Result<T> {
        let mut buckets = self.shelf.write();
        let bucket = buckets.get_mut(name).ok_or_else(|| s3_error!(NoSuchBucket))?;
        change(&self.shelf, bucket)
    }
}

#[async_trait::async_trait]
impl S3 for ObjectServer {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        if self.shelf.create_bucket(&req.input.bucket).map_err(internal)? {
            Ok(S3Response::new(CreateBucketOutput::default()))
        } else {
            Err(s3_error!(BucketAlreadyOwnedByYou))
        }
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        if self.shelf.read().contains_key(&req.input.bucket) {
            Ok(S3Response::new(HeadBucketOutput::default()))
        } else {
            Err(s3_error!(NoSuchBucket))
        }
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        if self.shelf.read().contains_key(&req.input.bucket) {
            Ok(S3Response::new(GetBucketLocationOutput::default()))
        } else {
            Err(s3_error!(NoSuchBucket))
        }
    }

    async fn list_buckets(&self, _req: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let bucket = |name: &String| s3s::dto::Bucket { name: Some(name.clone()), ..s3s::dto::Bucket::default() };
        let buckets = self.shelf.read().keys().map(bucket).collect();
        Ok(S3Response::new(ListBucketsOutput { buckets: Some(buckets), ..ListBucketsOutput::default() }))
    }

    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        if !self.shelf.read().contains_key(&req.input.bucket) {
            return Err(s3_error!(NoSuchBucket));
        }
        let file = format!("{}.data", self.shelf.unique());
        let path = self.shelf.object_file(&req.input.bucket, &file);
        let body = req.input.body.take();
        let Received { piece, .. } = self.receive(&req, body, &path, file).await?;
        let input = req.input;
        let etag = hex(&piece.md5);
        let object = Object {
            key: input.key,
            size: piece.size,
            etag: etag.clone(),
            modified_ms: now_ms(),
            content_type: input.content_type,
            storage_class: input.storage_class.map(|class| class.as_str().to_owned()),
            metadata: input.metadata.unwrap_or_default().into_iter().collect(),
            checksums: piece.checksums,
            file: piece.file,
        };
        let sums = object.checksums.clone();
        self.change(&input.bucket, |shelf, bucket| {
            let there = bucket.objects.get(&object.key);
            allowed(there, input.if_match.as_ref(), input.if_none_match.as_ref()).inspect_err(|_| {
                drop(std::fs::remove_file(&path));
            })?;
            shelf.publish(&input.bucket, bucket, object).map_err(internal)
        })?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(etag)),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            checksum_type: Some(ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
            ..PutObjectOutput::default()
        }))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = req.input;
        let object = self.object(&input.bucket, &input.key)?;
        allowed(Some(&object), input.if_match.as_ref(), None)?;
        let range = match &input.range {
            Some(range) => range.check(object.size)?,
            None => 0..object.size,
        };
        let whole = range == (0..object.size);
        let file = File::open(self.shelf.object_file(&input.bucket, &object.file)).map_err(internal)?;
        let content_range = input
            .range
            .is_some()
            .then(|| format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), object.size));
        let asked = input.checksum_mode.is_some() && whole;
        let sums = if asked { object.checksums.clone() } else { Checksums::default() };
        Ok(S3Response::new(GetObjectOutput {
            content_length: Some(signed(range.end - range.start)),
            body: Some(content(file, range)?),
            content_range,
            accept_ranges: Some("bytes".to_owned()),
            last_modified: Some(Timestamp::from(object.modified())),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            content_type: object.content_type.clone(),
            metadata: Some(user_metadata(&object)),
            storage_class: object.storage_class.clone().map(StorageClass::from),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            checksum_type: asked.then(|| ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = req.input;
        let object = self.object(&input.bucket, &input.key)?;
        allowed(Some(&object), input.if_match.as_ref(), None)?;
        let asked = input.checksum_mode.is_some();
        let sums = if asked { object.checksums.clone() } else { Checksums::default() };
        Ok(S3Response::new(HeadObjectOutput {
            content_length: Some(signed(object.size)),
            accept_ranges: Some("bytes".to_owned()),
            last_modified: Some(Timestamp::from(object.modified())),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            content_type: object.content_type.clone(),
            metadata: Some(user_metadata(&object)),
            storage_class: object.storage_class.clone().map(StorageClass::from),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            checksum_type: asked.then(|| ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
            ..HeadObjectOutput::default()
        }))
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = req.input;
        self.change(&input.bucket, |shelf, bucket| {
            if input.if_match.is_some() {
                allowed(bucket.objects.get(&input.key), input.if_match.as_ref(), None)?;
            }
            shelf.remove(&input.bucket, bucket, &input.key).map_err(internal)
        })?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let input = req.input;
        let deleted = self.change(&input.bucket, |shelf, bucket| {
            let remove = |object: s3s::dto::ObjectIdentifier| {
                shelf.remove(&input.bucket, bucket, &object.key).map_err(internal)?;
                Ok(DeletedObject { key: Some(object.key), ..DeletedObject::default() })
            };
            input.delete.objects.into_iter().map(remove).collect::<S3Result<Vec<_>>>()
        })?;
        Ok(S3Response::new(DeleteObjectsOutput { deleted: Some(deleted), ..DeleteObjectsOutput::default() }))
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = req.input;
        let CopySource::Bucket { bucket: from_bucket, key: from_key, .. } = &input.copy_source else {
            return Err(s3_error!(NotImplemented));
        };
        let source = self.object(from_bucket, from_key)?;
        allowed(Some(&source), input.copy_source_if_match.as_ref(), None)?;
        let replace = input.metadata_directive.as_ref().is_some_and(|d| d.as_str() == MetadataDirective::REPLACE);
        let file = format!("{}.data", self.shelf.unique());
        let mut object = Object { key: input.key, file, modified_ms: now_ms(), ..(*source).clone() };
        if replace {
            object.metadata = input.metadata.unwrap_or_default().into_iter().collect();
            object.content_type = input.content_type;
        }
        object.storage_class = input.storage_class.map(|class| class.as_str().to_owned());
        let from = self.shelf.object_file(from_bucket, &source.file);
        std::fs::copy(from, self.shelf.object_file(&input.bucket, &object.file)).map_err(internal)?;
        let object =
            self.change(&input.bucket, |shelf, bucket| shelf.publish(&input.bucket, bucket, object).map_err(internal))?;
        let result = CopyObjectResult {
            e_tag: Some(ETag::Strong(object.etag.clone())),
            last_modified: Some(Timestamp::from(object.modified())),
            checksum_crc64nvme: object.checksums.crc64nvme.clone(),
            ..CopyObjectResult::default()
        };
        Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() }))
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let limit = input.max_keys.unwrap_or(PAGE).clamp(0, PAGE);
        let token = input.continuation_token.as_deref().map(|token| {
            let raw = URL_SAFE_NO_PAD.decode(token).map_err(|_| s3_error!(InvalidArgument))?;
            String::from_utf8(raw).map_err(|_| s3_error!(InvalidArgument))
        });
        let after = match token {
            Some(token) => Some(token?),
            None => input.start_after.clone(),
        };
        let prefix = input.prefix.clone().unwrap_or_default();
        let page = {
            let buckets = self.shelf.read();
            let bucket = buckets.get(&input.bucket).ok_or_else(|| s3_error!(NoSuchBucket))?;
            let delimiter = input.delimiter.as_deref().filter(|d| !d.is_empty());
            bucket.list(&prefix, delimiter, after.as_deref(), usize::try_from(limit).unwrap_or(0))
        };
        let coded = |text: &str| encoded(text, input.encoding_type.as_ref());
        let object = |object: &Arc<Object>| s3s::dto::Object {
            key: Some(coded(&object.key)),
            size: Some(signed(object.size)),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            last_modified: Some(Timestamp::from(object.modified())),
            storage_class: Some(ObjectStorageClass::from(
                object.storage_class.clone().unwrap_or_else(|| "STANDARD".to_owned()),
            )),
            ..s3s::dto::Object::default()
        };
        let count = page.objects.len() + page.prefixes.len();
        Ok(S3Response::new(ListObjectsV2Output {
            contents: Some(page.objects.iter().map(object).collect()),
            common_prefixes: Some(page.prefixes.iter().map(|p| CommonPrefix { prefix: Some(coded(p)) }).collect()),
            key_count: i32::try_from(count).ok(),
            max_keys: Some(limit),
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.map(|next| URL_SAFE_NO_PAD.encode(next)),
            continuation_token: input.continuation_token,
            prefix: Some(coded(&prefix)),
            delimiter: input.delimiter.as_deref().map(coded),
            start_after: input.start_after.as_deref().map(coded),
            name: Some(input.bucket),
            encoding_type: input.encoding_type.clone(),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = req.input;
        let object = Object {
            key: input.key.clone(),
            size: 0,
            etag: String::new(),
            modified_ms: now_ms(),
            content_type: input.content_type,
            storage_class: input.storage_class.map(|class| class.as_str().to_owned()),
            metadata: input.metadata.unwrap_or_default().into_iter().collect(),
            checksums: Checksums::default(),
            file: String::new(),
        };
        let id =
            self.change(&input.bucket, |shelf, bucket| shelf.begin(&input.bucket, bucket, object).map_err(internal))?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            checksum_algorithm: input.checksum_algorithm,
            checksum_type: input.checksum_type,
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(&self, mut req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let open = |buckets: &BTreeMap<String, Bucket>, input: &UploadPartInput| -> S3Result<()> {
            let bucket = buckets.get(&input.bucket).ok_or_else(|| s3_error!(NoSuchBucket))?;
            named(bucket, &input.upload_id, &input.key).map(drop)
        };
        open(&self.shelf.read(), &req.input)?;
        if !(1..=10_000).contains(&req.input.part_number) {
            return Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive"));
        }
        let file = format!("{}.data", self.shelf.unique());
        let path = self.shelf.part_file(&req.input.bucket, &file);
        let body = req.input.body.take();
        let Received { piece, computed } = self.receive(&req, body, &path, file).await?;
        let input = req.input;
        let (etag, sums) = (hex(&piece.md5), piece.checksums.clone().or(computed));
        self.change(&input.bucket, |shelf, bucket| {
            let upload = bucket.uploads.get_mut(&input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
            shelf.add_part(&input.bucket, &input.upload_id, upload, input.part_number, piece).map_err(internal)
        })?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(ETag::Strong(etag)),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            ..UploadPartOutput::default()
        }))
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let input = req.input;
        let buckets = self.shelf.read();
        let bucket = buckets.get(&input.bucket).ok_or_else(|| s3_error!(NoSuchBucket))?;
        let upload = named(bucket, &input.upload_id, &input.key)?;
        let after = input.part_number_marker.as_ref().and_then(|m| m.to_string().parse::<i32>().ok()).unwrap_or(0);
        let limit = usize::try_from(input.max_parts.unwrap_or(PAGE).clamp(1, PAGE)).unwrap_or(1);
        let rest: Vec<_> = upload.parts.range(after.saturating_add(1)..).collect();
        let page = &rest[..rest.len().min(limit)];
        let part = |(number, piece): &(&i32, &Piece)| Part {
            part_number: Some(**number),
            size: Some(signed(piece.size)),
            e_tag: Some(ETag::Strong(hex(&piece.md5))),
            last_modified: Some(Timestamp::from(UNIX_EPOCH + Duration::from_millis(piece.modified_ms))),
            checksum_crc32: piece.checksums.crc32.clone(),
            checksum_crc32c: piece.checksums.crc32c.clone(),
            checksum_crc64nvme: piece.checksums.crc64nvme.clone(),
            checksum_sha1: piece.checksums.sha1.clone(),
            checksum_sha256: piece.checksums.sha256.clone(),
        };
        let truncated = rest.len() > page.len();
        Ok(S3Response::new(ListPartsOutput {
            parts: Some(page.iter().map(part).collect()),
            is_truncated: Some(truncated),
            next_part_number_marker: page.last().filter(|_| truncated).map(|(number, _)| **number),
            bucket: Some(input.bucket.clone()),
            key: Some(input.key.clone()),
            upload_id: Some(input.upload_id.clone()),
            ..ListPartsOutput::default()
        }))
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = req.input;
        let buckets = self.shelf.read();
        let bucket = buckets.get(&input.bucket).ok_or_else(|| s3_error!(NoSuchBucket))?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let marker = (input.key_marker.as_deref(), input.upload_id_marker.as_deref());
        let later = |key: &str, id: &str| match marker {
            (None, _) => true,
            (Some(after), None) => key > after,
            (Some(after), Some(after_id)) => (key, id) > (after, after_id),
        };
        let mut open: Vec<(&str, &str, u64)> = bucket
            .uploads
            .iter()
            .map(|(id, upload)| (upload.object.key.as_str(), id.as_str(), upload.object.modified_ms))
            .filter(|(key, id, _)| key.starts_with(&prefix) && later(key, id))
            .collect();
        open.sort_unstable();
        let limit = usize::try_from(input.max_uploads.unwrap_or(PAGE).clamp(1, PAGE)).unwrap_or(1);
        let page = &open[..open.len().min(limit)];
        let coded = |text: &str| encoded(text, input.encoding_type.as_ref());
        let upload = |(key, id, since): &(&str, &str, u64)| MultipartUpload {
            key: Some(coded(key)),
            upload_id: Some((*id).to_owned()),
            initiated: Some(Timestamp::from(UNIX_EPOCH + Duration::from_millis(*since))),
            ..MultipartUpload::default()
        };
        let more = page.last().filter(|_| open.len() > page.len());
        Ok(S3Response::new(ListMultipartUploadsOutput {
            uploads: Some(page.iter().map(upload).collect()),
            is_truncated: Some(more.is_some()),
            next_key_marker: more.map(|(key, _, _)| coded(key)),
            next_upload_id_marker: more.map(|(_, id, _)| (*id).to_owned()),
            bucket: Some(input.bucket.clone()),
            prefix: Some(coded(&prefix)),
            encoding_type: input.encoding_type.clone(),
            ..ListMultipartUploadsOutput::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let claimed = Checksums::claimed(&req.headers);
        let input = req.input;
        let wanted: Vec<(i32, Option<String>)> = input
            .multipart_upload
            .and_then(|upload| upload.parts)
            .unwrap_or_default()
            .into_iter()
            .map(|part| (part.part_number.unwrap_or(0), part.e_tag.map(ETag::into_value)))
            .collect();
        if wanted.is_empty() {
            return Err(s3_error!(MalformedXML));
        }
        let object = self.change(&input.bucket, |shelf, bucket| {
            let upload = named(bucket, &input.upload_id, &input.key)?;
            allowed(bucket.objects.get(&input.key), input.if_match.as_ref(), input.if_none_match.as_ref())?;
            let object = self.assemble(&input.bucket, upload, &wanted)?;
            claimed.check(&object.checksums.clone().or(claimed.clone()))?;
            let object = shelf.publish(&input.bucket, bucket, object).map_err(internal)?;
            shelf.forget(&input.bucket, bucket, &input.upload_id).map_err(internal)?;
            Ok(object)
        })?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            checksum_crc64nvme: object.checksums.crc64nvme.clone(),
            checksum_type: Some(ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = req.input;
        self.change(&input.bucket, |shelf, bucket| {
            named(bucket, &input.upload_id, &input.key)?;
            shelf.forget(&input.bucket, bucket, &input.upload_id).map_err(internal)
        })?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}
