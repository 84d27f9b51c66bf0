//! The writing half: whole objects, metadata, directories and links, removal.

use crate::{
    call::{Answer, Call, Condition},
    encode::{base64, crc32_text, crc32_value, crc32c, crc64, crc64_text, crc64_value, md5, push_path},
    flavour::Checksum,
    listing::answered,
    metadata,
    store::{Opened, PIECE_MAX, S3Store, bare_etag, quoted, stamp, still, unfit_stamp},
    upload, xml,
};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, Method, header};
use model::{Digests, Facets, Kind, Metadata, RelPath, Stamp};
use std::sync::Arc;
use storage::{Abandoned, Error, ErrorKind, Node, Published, Receipt, Result, ResumeToken, Target, Upload, WriteSpec};

const WRITE: &str = "write";
const MAKE: &str = "make";
const APPLY: &str = "write the metadata of";
const REMOVE: &str = "remove";

pub(crate) const CRC64: HeaderName = HeaderName::from_static("x-amz-checksum-crc64nvme");
pub(crate) const CRC32C: HeaderName = HeaderName::from_static("x-amz-checksum-crc32c");
pub(crate) const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
pub(crate) const STORAGE_CLASS: HeaderName = HeaderName::from_static("x-amz-storage-class");

/// Headers of an object that a copy onto itself would drop.
const KEPT_BY_APPLY: [&str; 9] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
    "x-amz-server-side-encryption",
];

#[async_trait]
impl Target for S3Store {
    async fn put(&self, path: &RelPath, spec: WriteSpec, data: Vec<Bytes>) -> Result<Published> {
        self.inner.put(path, &spec, data).await.map_err(|error| error.at(path))
    }

    async fn create(&self, path: &RelPath, spec: WriteSpec) -> Result<Box<dyn Upload>> {
        upload::create(Arc::clone(&self.inner), path, spec).await.map_err(|error| error.at(path))
    }

    async fn resume(
        &self,
        path: &RelPath,
        spec: WriteSpec,
        token: &ResumeToken,
    ) -> Result<(Box<dyn Upload>, Vec<Receipt>)> {
        upload::resume(Arc::clone(&self.inner), path, spec, token).await.map_err(|error| error.at(path))
    }

    async fn abandoned(&self, path: &RelPath) -> Result<Vec<Abandoned>> {
        upload::abandoned(&self.inner, path).await.map_err(|error| error.at(path))
    }

    async fn discard(&self, path: &RelPath, token: &ResumeToken) -> Result<()> {
        upload::abort(&self.inner, path, &token.0).await.map_err(|error| error.at(path))
    }

    async fn apply(&self, path: &RelPath, meta: &Metadata, which: Facets) -> Result<Facets> {
        self.inner.apply(path, meta, which).await.map_err(|error| error.at(path))
    }

    async fn make(&self, path: &RelPath, node: Node, meta: &Metadata) -> Result<Published> {
        self.inner.make(path, node, meta).await.map_err(|error| error.at(path))
    }

    async fn remove(&self, path: &RelPath, if_stamp: Option<&Stamp>) -> Result<()> {
        self.inner.remove(path, if_stamp).await.map_err(|error| error.at(path))
    }
}

impl Opened {
    async fn put(&self, path: &RelPath, spec: &WriteSpec, data: Vec<Bytes>) -> Result<Published> {
        self.allow(path, WRITE)?;
        let size: u64 = data.iter().map(|piece| piece.len() as u64).sum();
        if let Some(stated) = spec.size.filter(|stated| *stated != size) {
            return Err(Error::new(ErrorKind::Invalid, WRITE)
                .because(format!("{stated} bytes were announced and {size} given")));
        }
        if size == 0 && path.as_bytes().ends_with(b"/") {
            return Err(Error::new(ErrorKind::NameRefused, WRITE)
                .because("an empty object whose key ends with `/` stands for a directory"));
        }
        self.put_key(&self.config.key(path), spec, data, size, &Kind::File, WRITE).await
    }

    /// PutObject.
    async fn put_key(
        &self,
        key: &[u8],
        spec: &WriteSpec,
        data: Vec<Bytes>,
        size: u64,
        kind: &Kind,
        doing: &'static str,
    ) -> Result<Published> {
        if size > PIECE_MAX {
            return Err(Error::new(ErrorKind::Invalid, doing)
                .because(format!("{size} bytes do not fit into one request, which takes {PIECE_MAX}"))
                .hint("write it in parts"));
        }
        let mut call = self.call("PutObject", doing, Method::PUT, key);
        let kept = metadata::write(&mut call.fields, &spec.meta, kind)?;
        storage_class(&mut call, spec)?;
        if let Some(sum) = spec.digests.sha256 {
            let mut text = String::with_capacity(64);
            crate::encode::push_hex(&mut text, &sum);
            call.body_sha256 = Some(text);
        }
        if let Some(sum) = spec.digests.crc32c
            && self.quirks.checksum != Checksum::Crc32c
            && crc32c(&data) != sum
        {
            // The store takes one kind of checksum a request; this one we can see for ourselves.
            return Err(Error::new(ErrorKind::Corrupt, doing).because("the content's CRC-32C is not the one stated"));
        }
        let sent = self.checked(&mut call, &spec.digests, &data);
        if spec.if_absent {
            if self.quirks.conditional_put {
                call.fields.add(header::IF_NONE_MATCH, "*");
                call.condition = Condition::Absent;
            } else if self.head(key, false, doing).await?.is_some() {
                return Err(Error::new(ErrorKind::AlreadyExists, doing));
            }
        }
        call.send(data);
        let (answer, _) = self.client.ask(&call).await.map_err(|why| why.into_error(doing, call.condition))?;
        let digests = self.confirmed(&answer, &sent, doing)?;
        let stamp = Stamp { size, ..stamp(&answer, size) };
        Ok(Published { stamp, digests, kept })
    }

    /// Adds the checksum header for `data` and tells what it states. A digest that the caller knows is sent
    /// as it is, so that the server finds out when the content is no longer that.
    pub(crate) fn checked(&self, call: &mut Call, known: &Digests, data: &[Bytes]) -> Digests {
        let mut sent = Digests::default();
        match self.quirks.checksum {
            Checksum::Crc64Nvme => {
                let sum = known.crc64nvme.unwrap_or_else(|| crc64(data));
                call.fields.add(CRC64, crc64_text(sum));
                sent.crc64nvme = Some(sum);
            }
            Checksum::Crc32c => {
                let sum = known.crc32c.unwrap_or_else(|| crc32c(data));
                call.fields.add(CRC32C, crc32_text(sum));
                sent.crc32c = Some(sum);
            }
            Checksum::Md5 => {}
        }
        if let Some(sum) = known.md5.or_else(|| (self.quirks.checksum == Checksum::Md5).then(|| md5(data))) {
            call.fields.add(CONTENT_MD5, base64(&sum));
            sent.md5 = Some(sum);
        }
        sent
    }

    /// What the server confirms of what was sent: what its answer tells, and an MD5, which every store checks.
    /// `Corrupt` when it tells something else.
    pub(crate) fn confirmed(&self, answer: &Answer, sent: &Digests, doing: &'static str) -> Result<Digests> {
        let mut told = Digests {
            crc64nvme: answer.text(&CRC64).and_then(crc64_value),
            crc32c: answer.text(&CRC32C).and_then(crc32_value),
            ..Digests::default()
        };
        if told.agree(sent) == Some(false) {
            return Err(Error::new(ErrorKind::Corrupt, doing)
                .because("the checksum that the server states is not that of what was sent"));
        }
        told.md5 = sent.md5.or_else(|| self.md5(answer));
        Ok(told)
    }

    async fn apply(&self, path: &RelPath, meta: &Metadata, which: Facets) -> Result<Facets> {
        let which = which.shared(metadata::WRITES).shared(meta.facets());
        let key = self.config.key(path);
        let found = if path.is_root() { None } else { self.head(&key, false, APPLY).await? };
        let Some(head) = found else { return self.apply_dir(path, meta, which).await };
        if which.is_empty() {
            return Ok(which);
        }
        let size = head.content_length().unwrap_or_default();
        if size > PIECE_MAX {
            return Err(Error::new(ErrorKind::Unsupported, APPLY)
                .because(format!("the store copies objects of at most {PIECE_MAX} bytes onto themselves"))
                .hint("write the object again with its metadata"));
        }
        let told = metadata::read(&head.headers);
        let kind = if told.link { metadata::link(Bytes::new()) } else { Kind::File };
        let mut call = self.call("CopyObject", APPLY, Method::PUT, &key);
        metadata::write(&mut call.fields, &merged(told.meta, meta, which), &kind)?;
        for name in KEPT_BY_APPLY {
            if let Some(value) = head.headers.get(name) {
                call.fields.copy(HeaderName::from_static(name), value);
            }
        }
        let mut source = String::from("/");
        push_path(&mut source, self.config.bucket.as_bytes());
        source.push('/');
        push_path(&mut source, &key);
        call.fields.add(HeaderName::from_static("x-amz-copy-source"), &source);
        call.fields.add(HeaderName::from_static("x-amz-metadata-directive"), "REPLACE");
        if self.quirks.checksum == Checksum::Crc64Nvme {
            call.fields.add(HeaderName::from_static("x-amz-checksum-algorithm"), "CRC64NVME");
        }
        if let Some(etag) = head.headers.get(header::ETAG) {
            call.fields.copy(HeaderName::from_static("x-amz-copy-source-if-match"), etag);
            call.condition = Condition::Same;
        }
        // The server copies up to 5 GiB before it answers.
        call.patience = 10;
        call.send(Vec::new());
        let (answer, body) = self.client.ask(&call).await.map_err(|why| why.into_error(APPLY, call.condition))?;
        upload::late_error(&answer, &body, APPLY)?;
        answered::<xml::Copied>(&body, "CopyObjectResult", APPLY).map(|copied| {
            tracing::trace!(etag = copied.etag, "metadata written");
            which
        })
    }

    /// A directory's metadata stands in its marker, which is empty and so is written anew.
    async fn apply_dir(&self, path: &RelPath, meta: &Metadata, which: Facets) -> Result<Facets> {
        let entry = self.stat(path, metadata::WRITES).await?;
        let dir = self.marker(path, APPLY)?;
        if dir.is_empty() || which.is_empty() {
            return Ok(Facets::NONE);
        }
        let meta = merged(entry.meta.map(|old| *old).unwrap_or_default(), meta, which);
        self.put_marker(&dir, meta, APPLY).await?;
        Ok(which)
    }

    async fn put_marker(&self, key: &[u8], meta: Metadata, doing: &'static str) -> Result<Published> {
        let spec = WriteSpec { meta, ..WriteSpec::default() };
        self.put_key(key, &spec, Vec::new(), 0, &Kind::Dir, doing).await
    }

    async fn make(&self, path: &RelPath, node: Node, meta: &Metadata) -> Result<Published> {
        match node {
            Node::Dir => {
                let dir = self.marker(path, MAKE)?;
                if dir.is_empty() {
                    // The bucket itself: it is there, and holds no metadata.
                    return Ok(Published::default());
                }
                if !path.is_root() {
                    self.allow(path, MAKE)?;
                    let key = self.config.key(path);
                    if self.head(&key, false, MAKE).await?.is_some() {
                        self.delete(&key, None, MAKE).await?;
                    }
                }
                self.put_marker(&dir, meta.clone(), MAKE).await
            }
            Node::Symlink { target } => {
                self.allow(path, MAKE)?;
                if !self.peek(&self.config.dir_key(path), 1, MAKE).await?.is_empty() {
                    return Err(Error::new(ErrorKind::AlreadyExists, MAKE).because("a directory is there"));
                }
                let size = target.len() as u64;
                let spec = WriteSpec { meta: meta.clone(), ..WriteSpec::default() };
                let kind = metadata::link(target.clone());
                self.put_key(&self.config.key(path), &spec, vec![target], size, &kind, MAKE).await
            }
            Node::HardLink { .. } => Err(Error::new(ErrorKind::Unsupported, MAKE)
                .because("objects have one name each")
                .hint("copy the file under each of its names")),
            Node::Special(_) => {
                Err(Error::new(ErrorKind::Unsupported, MAKE)
                    .because("an object store holds no pipes, sockets or devices"))
            }
        }
    }

    async fn remove(&self, path: &RelPath, if_stamp: Option<&Stamp>) -> Result<()> {
        if path.is_root() {
            return Err(Error::new(ErrorKind::Invalid, REMOVE).because("the root of a location is not removed"));
        }
        let key = self.config.key(path);
        if let Some(head) = self.head(&key, false, REMOVE).await? {
            let now = stamp(&head, head.content_length().unwrap_or_default());
            if now.size > 0 || !path.as_bytes().ends_with(b"/") {
                still(&now, if_stamp)?;
                let etag = if_stamp.and(now.etag.as_ref()).filter(|_| self.quirks.conditional_delete);
                return self.delete(&key, etag, REMOVE).await;
            }
        }
        let dir = self.config.dir_key(path);
        let below = self.peek(&dir, 2, REMOVE).await?;
        match below.as_slice() {
            [] => Err(Error::new(ErrorKind::NotFound, REMOVE)),
            [marker] if *marker == dir => self.delete(&dir, None, REMOVE).await,
            _ => Err(Error::new(ErrorKind::Invalid, REMOVE).because("the directory is not empty")),
        }
    }

    /// DeleteObject.
    async fn delete(&self, key: &[u8], etag: Option<&Bytes>, doing: &'static str) -> Result<()> {
        let mut call = self.call("DeleteObject", doing, Method::DELETE, key);
        if let Some(etag) = etag {
            call.fields.try_add(header::IF_MATCH, &quoted(etag)).ok_or_else(|| unfit_stamp(doing))?;
            call.condition = Condition::Same;
        }
        self.client.ask(&call).await.map(drop).map_err(|why| why.into_error(doing, call.condition))
    }
}

/// The storage class of a write, where one is wanted.
pub(crate) fn storage_class(call: &mut Call, spec: &WriteSpec) -> Result<()> {
    if let Some(class) = &spec.storage_class {
        call.fields.try_add(STORAGE_CLASS, class.as_bytes()).ok_or_else(|| {
            Error::new(ErrorKind::Invalid, call.doing)
                .because(format!("`{}` is no storage class", class.escape_debug()))
        })?;
    }
    Ok(())
}

/// What is there, with the facets of `which` from `new`.
fn merged(mut old: Metadata, new: &Metadata, which: Facets) -> Metadata {
    if which.has(Facets::MTIME) {
        old.mtime = new.mtime;
    }
    if which.has(Facets::ATIME) {
        old.atime = new.atime;
    }
    if let Some(posix) = &new.posix {
        match &mut old.posix {
            Some(merged) => {
                if which.has(Facets::MODE) {
                    merged.mode = posix.mode;
                }
                if which.has(Facets::OWNER) {
                    merged.owner = posix.owner.clone();
                    merged.group = posix.group.clone();
                }
            }
            // Mode and owner stand together or not at all.
            None if which.has(Facets::MODE) || which.has(Facets::OWNER) => old.posix = Some(posix.clone()),
            None => {}
        }
    }
    if which.has(Facets::USER_META) {
        old.user.clone_from(&new.user);
    }
    old
}

/// An entity tag that an XML body states.
pub(crate) fn tag(text: Option<&str>) -> Option<Bytes> {
    text.map(bare_etag)
}
