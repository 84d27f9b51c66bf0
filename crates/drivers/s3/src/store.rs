//! A bucket, opened: what it can do, and its reading half.

use crate::{
    call::{Answer, Call, Condition},
    classes::ClassTally,
    client::Client,
    config::{Config, S3Options},
    encode::{bytes_of, crc32_value, crc64_value, md5_of_etag, query},
    errors::Failure,
    flavour::{Flavour, Quirks},
    listing, metadata, profile,
    target::{CRC32C, CRC64},
    xml,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use http::{HeaderName, Method, StatusCode, header};
use model::{Digests, Entry, Facets, Kind, Location, NameMap, RelPath, Stamp};
use std::{num::NonZeroU32, ops::Range, sync::Arc};
use storage::{
    Body, Capabilities, Error, ErrorKind, ListOrder, ListSpec, MetaWrite, NodeKinds, Page, PartRules, Publish,
    ReadSpec, Reading, Result, Source, Usage,
};

/// 5 GiB: the largest single PUT, part and copy ("Amazon S3 multipart upload limits", S3 User Guide).
pub(crate) const PIECE_MAX: u64 = 5 << 30;
/// 5 MiB: the smallest part but the last (same page).
const PART_MIN: u64 = 5 << 20;
/// Parts of one upload (same page).
const PARTS_MAX: u32 = 10_000;
/// Content up to this length is handed over in one piece.
const WHOLE: u64 = 256 << 10;
/// No link points further: twice Linux's PATH_MAX.
const LINK_MAX: u64 = 8192;

const CHECKSUM_MODE: HeaderName = HeaderName::from_static("x-amz-checksum-mode");
pub(crate) const CHECKSUM_TYPE: HeaderName = HeaderName::from_static("x-amz-checksum-type");
const CHECKSUM_SHA256: HeaderName = HeaderName::from_static("x-amz-checksum-sha256");
const ENCRYPTION: HeaderName = HeaderName::from_static("x-amz-server-side-encryption");
const CUSTOMER_ENCRYPTION: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-customer-algorithm");
const BUCKET_REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");

/// A bucket of S3 or of what speaks like it, perhaps from a prefix on.
///
/// Objects are files; an empty object whose key ends with `/` is a directory, presented without the slash; an
/// object whose metadata says so (`file-permissions` `0120777`) is a symbolic link whose content is the
/// target. A listing tells only size, time and tag of the *object*: `stat` and `read` tell links and the
/// metadata of the file. In a stamp, `mtime` is the object's `LastModified` in whole seconds; the file's own
/// time is `Metadata::mtime`.
///
/// A listing of one directory cannot show keys that begin with `/` (their first directory has no name) and
/// ends with `Unsupported` there; a recursive one shows them.
#[derive(Clone, Debug)]
pub struct S3Store {
    pub(crate) inner: Arc<Opened>,
}

/// What all clones and uploads share.
#[derive(Debug)]
pub(crate) struct Opened {
    pub config: Config,
    pub client: Client,
    pub flavour: Flavour,
    pub quirks: Quirks,
    pub caps: Capabilities,
    /// Requests of one recursive listing in flight.
    pub list_streams: NonZeroU32,
    pub classes: Option<Arc<ClassTally>>,
}

impl S3Store {
    /// Opens `s3://bucket/prefix`. Parameters: `endpoint` (`http://host:port`; Amazon S3 without it), `region`,
    /// `style` (`path` or `virtual`), `profile`, `ca` (a PEM file), `anonymous` (`true`), `flavour` (`aws`,
    /// `minio`, `generic`; else the server is asked), `checksum` (`crc64nvme`, `crc32c`, `md5`; else by
    /// flavour), `order` (`bytes` or `none`: whether listings come in the order of keys). `AWS_REGION`, `AWS_DEFAULT_REGION`, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, `AWS_PROFILE`,
    /// `AWS_CONFIG_FILE` and `AWS_CA_BUNDLE` mean what they mean to the `aws` command.
    ///
    /// One unsigned request goes out where the server has to say what it is, or which region a bucket of
    /// Amazon's is in; whether credentials are good is [`check`](Self::check)'s question. Errors:
    /// `Invalid` (the location), `Disconnected`, `Timeout`.
    pub async fn open(location: &Location, options: S3Options) -> Result<Self> {
        let environment = |name: &str| std::env::var(name).ok();
        let profile = profile::name(location.param("profile"), environment);
        let region = profile::settings(&profile, environment).get("region").cloned();
        let mut config = Config::read(location, environment, region)?;
        let client = |config: &Config| {
            Client::new(config, &options).map_err(|why| Error::new(ErrorKind::Invalid, "open the bucket").because(why))
        };
        let mut opened = client(&config)?;
        let mut flavour = config.flavour;
        if flavour.is_none() || (config.amazon && !config.region_named) {
            let answer = knock(&opened, &config).await?;
            flavour = flavour.or_else(|| Some(Flavour::of_server(answer.text(&header::SERVER).unwrap_or_default())));
            // Amazon names the bucket's region even to strangers.
            if let (true, false, Some(region)) =
                (config.amazon, config.region_named, answer.text(&BUCKET_REGION).map(str::to_owned))
                && region != config.region
            {
                config = Config::read(&location.clone().with_param("region", &region), environment, None)?;
                opened = client(&config)?;
            }
        }
        let flavour = flavour.unwrap_or(Flavour::Generic);
        let mut quirks = options.quirks.unwrap_or(flavour.quirks());
        if let Some(checksum) = config.checksum {
            quirks.checksum = checksum;
        }
        let caps = capabilities(&config, &quirks, options.parts_in_flight);
        tracing::debug!(bucket = config.bucket, endpoint = %config.endpoint.address, flavour = flavour.word(), "bucket opened");
        let list_streams = if quirks.begins_anywhere { options.list_streams } else { NonZeroU32::MIN };
        let classes = options.classes;
        Ok(Self { inner: Arc::new(Opened { config, client: opened, flavour, quirks, caps, list_streams, classes }) })
    }

    /// What kind of store answers.
    pub fn flavour(&self) -> Flavour {
        self.inner.flavour
    }

    /// What it does its own way.
    pub fn quirks(&self) -> &Quirks {
        &self.inner.quirks
    }

    /// The region that requests are signed for.
    pub fn region(&self) -> &str {
        &self.inner.config.region
    }
}

async fn knock(client: &Client, config: &Config) -> Result<Answer> {
    let doing = "reach the server";
    let call = Call::new("HeadBucket", doing, Method::HEAD, config.endpoint.bucket_path().to_owned());
    let known = |error: Error| error.with_reach(storage::Reach::Location);
    match client.knock(&call).await {
        Ok((answer, _)) => Ok(answer),
        Err(why) => Err(known(why.into_error(doing, Condition::None))),
    }
}

fn capabilities(config: &Config, quirks: &Quirks, in_flight: NonZeroU32) -> Capabilities {
    Capabilities {
        reads: metadata::READS,
        writes: metadata::WRITES,
        meta_write: MetaWrite::WithData,
        list: if config.ordered { ListOrder::ByteOrder } else { ListOrder::None },
        recursive_list: true,
        ranged_read: true,
        conditional_read: true,
        conditional_write: quirks.conditional_put,
        publish: Publish::Atomic,
        parts: PartRules {
            min: PART_MIN,
            max: PIECE_MAX,
            max_count: PARTS_MAX,
            equal_sizes: quirks.equal_parts,
            in_flight,
        },
        put_max: PIECE_MAX,
        names: quirks.names,
        prefix_len: config.prefix.len(),
        digests: quirks.checksum.kept(),
        nodes: NodeKinds { dirs: true, symlinks: true, hard_links: false, specials: false },
    }
}

#[async_trait]
impl Source for S3Store {
    fn caps(&self) -> &Capabilities {
        &self.inner.caps
    }

    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        listing::pages(Arc::clone(&self.inner), dir.clone(), spec)
    }

    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        self.inner.stat(path, want).await.map_err(|error| error.at(path))
    }

    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        self.inner.read(path, &spec).await.map_err(|error| error.at(path))
    }

    async fn usage(&self) -> Result<Option<Usage>> {
        Ok(None)
    }
}

const LOOK: &str = "look up";
const READ: &str = "read";

impl Opened {
    /// A request for a key.
    pub(crate) fn call(&self, name: &'static str, doing: &'static str, method: Method, key: &[u8]) -> Call {
        Call::new(name, doing, method, self.config.endpoint.path(key))
    }

    /// A request for the bucket.
    pub(crate) fn bucket_call(
        &self,
        name: &'static str,
        doing: &'static str,
        method: Method,
        pairs: &mut [(&str, &[u8])],
    ) -> Call {
        let mut call = Call::new(name, doing, method, self.config.endpoint.bucket_path().to_owned());
        call.query = query(pairs);
        call
    }

    /// `NameRefused` before anything is sent, where the store could not hold the name exactly.
    pub(crate) fn allow(&self, path: &RelPath, doing: &'static str) -> Result<()> {
        if path.is_root() {
            return Err(Error::new(ErrorKind::Invalid, doing).because("the root of a bucket is no object"));
        }
        NameMap::refusing(self.quirks.names)
            .under_prefix(self.config.prefix.len())
            .to(path)
            .map_err(|why| Error::new(ErrorKind::NameRefused, doing).because(why))?;
        // EF BF BE and EF BF BF: U+FFFE and U+FFFF.
        let unlisted = |bytes: &[u8]| matches!(bytes, [0xEF, 0xBF, 0xBE | 0xBF]);
        if self.quirks.plain_listing && path.as_bytes().windows(3).any(unlisted) {
            return Err(Error::new(ErrorKind::NameRefused, doing)
                .because("it holds U+FFFE or U+FFFF, which the store's listings cannot tell"));
        }
        let suffix = self.quirks.marker_suffix;
        if !suffix.is_empty() && path.components().any(|component| component.ends_with(suffix)) {
            return Err(Error::new(ErrorKind::NameRefused, doing).because(format!(
                "a component ends with `{}`, which the store takes for a directory",
                String::from_utf8_lossy(suffix)
            )));
        }
        Ok(())
    }

    /// The key of a directory's marker; `NameRefused` where the store could not hold it, even though it can
    /// hold files in that directory.
    pub(crate) fn marker(&self, dir: &RelPath, doing: &'static str) -> Result<Vec<u8>> {
        let key = self.config.dir_key(dir);
        let names = self.quirks.names;
        let long = |needs: usize, limit: u32| limit > 0 && needs > usize::try_from(limit).unwrap_or(usize::MAX);
        let component = dir.file_name().len() + self.quirks.marker_suffix.len();
        if long(component, names.max_component) || long(key.len(), names.max_path) {
            return Err(Error::new(ErrorKind::NameRefused, doing).because(format!(
                "the name of the directory is too long for a marker: {component} bytes of {}, in all {} of {}",
                names.max_component,
                key.len(),
                names.max_path
            )));
        }
        Ok(key)
    }

    /// Could the store hold such a key at all? What it could not is not found, whatever it says.
    fn possible(&self, path: &RelPath, doing: &'static str) -> Result<()> {
        if self.quirks.names.utf8_only && path.to_str().is_none() {
            return Err(Error::new(ErrorKind::NotFound, doing).because("the store holds only names in UTF-8"));
        }
        Ok(())
    }

    /// HeadObject; `None` when nothing is there.
    pub(crate) async fn head(&self, key: &[u8], digests: bool, doing: &'static str) -> Result<Option<Answer>> {
        let mut call = self.call("HeadObject", doing, Method::HEAD, key);
        if digests {
            call.fields.add(CHECKSUM_MODE, "ENABLED");
        }
        match self.client.send(&call).await {
            Ok(answer) => Ok(Some(answer)),
            Err(Failure::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => Ok(None),
            Err(why) => Err(why.into_error(doing, Condition::None)),
        }
    }

    /// Is there anything under `prefix`? At most `most` keys of it.
    pub(crate) async fn peek(&self, prefix: &[u8], most: u16, doing: &'static str) -> Result<Vec<Vec<u8>>> {
        let page = self.page(prefix, false, None, None, most, doing).await?;
        let encoded = listing::is_encoded(page.encoding_type.as_deref());
        Ok(page.contents.iter().map(|listed| listing::raw_key(&listed.key, encoded)).collect())
    }

    pub(crate) async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        self.possible(path, LOOK)?;
        let digests = want.has(Facets::DIGESTS);
        if !path.is_root()
            && let Some(answer) = self.head(&self.config.key(path), digests, LOOK).await?
        {
            let size = answer.content_length().unwrap_or_default();
            // An empty object whose key ends with `/` is the directory without the slash, not this.
            if size > 0 || !path.as_bytes().ends_with(b"/") || path.len() == 1 {
                let mut entry = self.entry(path, &answer, size, want);
                if metadata::is_link(&answer.headers) {
                    entry.kind = metadata::link(self.link_target(path, size).await?);
                }
                return Ok(entry);
            }
        }
        let dir = self.config.dir_key(path);
        if let Ok(marker) = self.marker(path, LOOK)
            && !marker.is_empty()
            && let Some(answer) = self.head(&marker, false, LOOK).await?
            && answer.content_length() == Some(0)
        {
            let mut entry = self.entry(path, &answer, 0, want.minus(Facets::DIGESTS));
            entry.kind = Kind::Dir;
            return Ok(entry);
        }
        // The root of a bucket is there when the bucket is, whatever it holds.
        if !self.peek(&dir, 1, LOOK).await?.is_empty() || path.is_root() {
            return Ok(Entry::new(path.clone(), Kind::Dir, Stamp::default()));
        }
        Err(Error::new(ErrorKind::NotFound, LOOK).because("no object, no directory marker and nothing below it"))
    }

    /// What a head says of an object, as a file.
    pub(crate) fn entry(&self, path: &RelPath, answer: &Answer, size: u64, want: Facets) -> Entry {
        let mut entry = Entry::new(path.clone(), Kind::File, stamp(answer, size));
        if !want.shared(metadata::WRITES).is_empty() {
            entry.meta = Some(Box::new(metadata::read(&answer.headers).meta));
        }
        if want.has(Facets::DIGESTS) {
            entry.digests = Some(Box::new(self.digests(answer)));
        }
        entry
    }

    /// The digests that a head tells of the whole content.
    pub(crate) fn digests(&self, answer: &Answer) -> Digests {
        let whole = answer.text(&CHECKSUM_TYPE) != Some("COMPOSITE");
        let told = |name: &HeaderName| if whole { answer.text(name) } else { None };
        Digests {
            crc64nvme: told(&CRC64).and_then(crc64_value),
            crc32c: told(&CRC32C).and_then(crc32_value),
            sha256: told(&CHECKSUM_SHA256).and_then(bytes_of),
            md5: self.md5(answer),
        }
    }

    /// The entity tag as an MD5, only where it is one for sure: a single part, not encrypted with a key of
    /// KMS or of the client.
    pub(crate) fn md5(&self, answer: &Answer) -> Option<[u8; 16]> {
        let encrypted = answer.text(&ENCRYPTION).is_some_and(|how| how != "AES256")
            || answer.headers.contains_key(CUSTOMER_ENCRYPTION);
        // Directory buckets make up their tags.
        let made_up = !self.quirks.etag_is_md5 || self.config.bucket.ends_with("--x-s3") || encrypted;
        if made_up { None } else { md5_of_etag(&etag(answer)?) }
    }

    async fn link_target(&self, path: &RelPath, size: u64) -> Result<Bytes> {
        if size > LINK_MAX {
            return Err(Error::new(ErrorKind::Invalid, LOOK).because(format!(
                "its metadata says it is a symbolic link, but its target would be {size} bytes long"
            )));
        }
        let call = self.call("GetObject", LOOK, Method::GET, &self.config.key(path));
        let (_, target) = self.client.ask(&call).await.map_err(|why| why.into_error(LOOK, Condition::None))?;
        Ok(target)
    }

    async fn read(&self, path: &RelPath, spec: &ReadSpec) -> Result<Reading> {
        if path.is_root() {
            return Err(Error::new(ErrorKind::Invalid, READ).because("it is a directory"));
        }
        self.possible(path, READ)?;
        let mut call = self.call("GetObject", READ, Method::GET, &self.config.key(path));
        if let Some(range) = &spec.range {
            if range.start >= range.end {
                return self.read_nothing(path, range, spec).await;
            }
            call.fields.add(header::RANGE, format_args!("bytes={}-{}", range.start, range.end - 1));
        }
        if spec.want.has(Facets::DIGESTS) {
            call.fields.add(CHECKSUM_MODE, "ENABLED");
        }
        if let Some(etag) = spec.if_stamp.as_ref().and_then(|stamp| stamp.etag.as_ref()) {
            call.fields.try_add(header::IF_MATCH, &quoted(etag)).ok_or_else(|| unfit_stamp(READ))?;
            call.condition = Condition::Same;
        }
        let mut answer = match self.client.send(&call).await {
            Ok(answer) => answer,
            Err(Failure::Refused(refusal)) if refusal.status == StatusCode::RANGE_NOT_SATISFIABLE => {
                // A range that begins right at the end has nothing in it; one beyond it is a mistake.
                if let (Some(range), Some(size)) = (&spec.range, refusal.actual_size)
                    && range.start == size
                {
                    return self.read_nothing(path, range, spec).await;
                }
                return Err(Failure::Refused(refusal).into_error(READ, call.condition));
            }
            Err(why) if why.kind() == ErrorKind::NotFound => return Err(self.missing(path, why).await),
            Err(why) => return Err(why.into_error(READ, call.condition)),
        };
        let here = answer.content_length();
        let size = total(&answer).or(here).ok_or_else(|| {
            Error::new(ErrorKind::Unexpected, READ).because("the answer does not state the length of its content")
        })?;
        let mut entry = self.entry(path, &answer, size, spec.want);
        still(&entry.stamp, spec.if_stamp.as_ref())?;
        let link = metadata::is_link(&answer.headers);
        let body = if here.is_some_and(|len| len <= WHOLE) {
            let limit = usize::try_from(WHOLE).expect("256 KiB fits");
            let data = answer.whole(limit).await.map_err(|why| why.into_error(READ, call.condition))?;
            Body::Whole(data)
        } else {
            Body::Stream(Box::pin(answer.body))
        };
        if link {
            let target = match &body {
                Body::Whole(data) if data.len() as u64 == size => data.clone(),
                Body::Whole(_) | Body::Stream(_) => Bytes::new(),
            };
            entry.kind = metadata::link(target);
        }
        Ok(Reading { entry, body })
    }

    /// An empty range: only the head is asked for.
    async fn read_nothing(&self, path: &RelPath, range: &Range<u64>, spec: &ReadSpec) -> Result<Reading> {
        let digests = spec.want.has(Facets::DIGESTS);
        let Some(answer) = self.head(&self.config.key(path), digests, READ).await? else {
            return Err(Error::new(ErrorKind::NotFound, READ));
        };
        let size = answer.content_length().unwrap_or_default();
        if range.start > size {
            return Err(Error::new(ErrorKind::Invalid, READ)
                .because(format!("the range begins at {}, the content ends at {size}", range.start)));
        }
        let entry = self.entry(path, &answer, size, spec.want);
        still(&entry.stamp, spec.if_stamp.as_ref())?;
        Ok(Reading { entry, body: Body::Whole(Bytes::new()) })
    }

    /// No object of that name: a directory, or nothing at all?
    async fn missing(&self, path: &RelPath, why: Failure) -> Error {
        match self.peek(&self.config.dir_key(path), 1, READ).await {
            Ok(below) if !below.is_empty() => Error::new(ErrorKind::Invalid, READ).because("it is a directory"),
            Ok(_) | Err(_) => why.into_error(READ, Condition::None),
        }
    }
}

/// `Changed` where what is there differs from what the caller saw.
pub(crate) fn still(now: &Stamp, then: Option<&Stamp>) -> Result<()> {
    let Some(then) = then else { return Ok(()) };
    let moved = now.size != then.size
        || then.mtime.is_some_and(|mtime| now.mtime != Some(mtime))
        || then.etag.as_ref().is_some_and(|etag| now.etag.as_ref() != Some(etag));
    if moved {
        return Err(Error::new(ErrorKind::Changed, READ).because("size, time or entity tag is not what it was"));
    }
    Ok(())
}

/// The length of the whole object, where only a range of it was sent.
fn total(answer: &Answer) -> Option<u64> {
    answer.text(&header::CONTENT_RANGE)?.rsplit_once('/')?.1.parse().ok()
}

/// The stamp that a head tells.
pub(crate) fn stamp(answer: &Answer, size: u64) -> Stamp {
    Stamp {
        size,
        mtime: answer.text(&header::LAST_MODIFIED).and_then(xml::http_date),
        etag: etag(answer),
        ..Stamp::default()
    }
}

/// The entity tag of a head, without quotes.
pub(crate) fn etag(answer: &Answer) -> Option<Bytes> {
    answer.text(&header::ETAG).map(bare_etag)
}

/// An entity tag without quotes and mark of weakness.
pub(crate) fn bare_etag(text: &str) -> Bytes {
    let text = text.strip_prefix("W/").unwrap_or(text);
    Bytes::copy_from_slice(text.trim_matches('"').as_bytes())
}

/// An entity tag as a condition wants it.
pub(crate) fn quoted(etag: &[u8]) -> Vec<u8> {
    [b"\"", etag, b"\""].concat()
}

pub(crate) fn unfit_stamp(doing: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, doing).because("the entity tag of the stamp is not one")
}
