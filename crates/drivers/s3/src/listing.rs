//! ListObjectsV2 as pages of entries.
//!
//! One directory, or a store without order, is one stream of pages (here). Everything below a place of a store
//! with order is listed by several streams at once (`ranges`), and comes out as one.

mod pace;
mod ranges;
mod split;

use crate::{
    call::Condition,
    encode::listed_key,
    errors::Failure,
    store::{Opened, bare_etag},
    survey::any_below,
    xml::{self, Listing},
};
use bytes::Bytes;
use futures::{StreamExt as _, stream, stream::BoxStream};
use http::Method;
use model::{Entry, Kind, RelPath, Stamp};
use std::sync::Arc;
use storage::{Cursor, Error, ErrorKind, ListSpec, Page, Result};

/// Keys on one page: the most that the API gives.
const PAGE: u16 = 1000;
const DOING: &str = "list";
/// U+FFFD: what servers write for what they cannot.
const LOSS: [u8; 3] = [0xEF, 0xBF, 0xBD];

/// Pages of a directory, or of everything below it.
pub(crate) fn pages(store: Arc<Opened>, dir: RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
    if spec.recursive && store.config.ordered {
        return ranges::pages(store, dir, spec.from);
    }
    let start = match spec.from {
        None => Start::Beginning,
        Some(Cursor(key)) if store.config.ordered => Start::After(key),
        // Without order there is no "after": only the server knows where it was.
        Some(Cursor(token)) => Start::Token(String::from_utf8_lossy(&token).into_owned()),
    };
    let walk = Walk { store, dir, recursive: spec.recursive, after: None, start: Some(start) };
    stream::unfold(Some(walk), |walk| async move {
        let mut walk = walk?;
        match walk.page().await? {
            Ok(page) => Some((Ok(page), Some(walk))),
            Err(error) => Some((Err(error.at(&walk.dir)), None)),
        }
    })
    .boxed()
}

/// Where a request begins. Keys are relative to the location.
#[derive(Clone, Debug)]
pub(super) enum Start {
    Beginning,
    After(Bytes),
    /// The server's own word for it.
    Token(String),
}

/// One thing on a page.
pub(super) struct Found {
    /// Relative to the location; a directory's ends with `/`.
    pub key: Bytes,
    /// `None` for the marker of what is listed.
    pub entry: Option<Entry>,
    pub class: Option<Arc<str>>,
}

/// One answer.
pub(super) struct Fetched {
    /// In byte order.
    pub found: Vec<Found>,
    /// The marker of the directory itself was among them.
    pub itself: bool,
    /// There is more.
    pub more: bool,
    pub token: Option<String>,
    /// The server's order was not that of bytes.
    pub disorder: bool,
}

/// A listing by one stream.
struct Walk {
    store: Arc<Opened>,
    dir: RelPath,
    recursive: bool,
    /// The key that came last, where there is an order.
    after: Option<Bytes>,
    /// `None` at the end.
    start: Option<Start>,
}

impl Walk {
    async fn page(&mut self) -> Option<Result<Page>> {
        let start = self.start.take()?;
        Some(self.page_from(start).await)
    }

    async fn page_from(&mut self, start: Start) -> Result<Page> {
        let ordered = self.store.config.ordered;
        if let Start::After(key) = &start {
            self.after = Some(key.clone());
        }
        let fetched = fetch(&self.store, &self.dir, self.recursive, &start).await?;
        if matches!(start, Start::Beginning) && fetched.found.is_empty() && !fetched.itself && !self.dir.is_root() {
            // Directory buckets list a directory, too, that has nothing but uploads under way (ListObjectsV2, Amazon S3
            // API Reference, read 2026-11). To say that it is not there would be an error where the walk found it.
            let begun = !ordered && any_below(&self.store, &self.store.config.dir_key(&self.dir), DOING).await?;
            return if begun { Ok(Page::new(Vec::new(), None)) } else { Err(nothing(&self.store, &self.dir).await) };
        }
        let after = self.after.clone();
        if ordered {
            // Only what the server continues by its own token has no business to come before what was there.
            let back = matches!(start, Start::Token(_))
                && fetched.found.first().zip(after.as_ref()).is_some_and(|(first, after)| first.key < *after);
            if back {
                return Err(disorder());
            }
            self.after = fetched.found.last().map(|last| last.key.clone()).or_else(|| after.clone());
        }
        self.start = match (fetched.more, fetched.token, &self.after) {
            (false, _, _) => None,
            (true, Some(token), _) => Some(Start::Token(token)),
            (true, None, Some(last)) if ordered && Some(last) != after.as_ref() => Some(Start::After(last.clone())),
            (true, None, _) => return Err(lost()),
        };
        let next = match &self.start {
            None => None,
            Some(Start::Token(token)) if !ordered => Some(Cursor(Bytes::from(token.clone()))),
            Some(_) => Some(Cursor(self.after.clone().unwrap_or_default())),
        };
        // After a directory, the server may name that directory again: its keys come after its name.
        let fresh = |found: &Found| !ordered || after.as_ref().is_none_or(|after| found.key > *after);
        Ok(delivered(&self.store, fetched.found.into_iter().filter(fresh).collect(), next))
    }
}

/// A page for the caller; what is on it counts from now on.
fn delivered(store: &Opened, found: Vec<Found>, next: Option<Cursor>) -> Page {
    if let Some(tally) = &store.classes {
        let objects = found.iter().filter(|found| found.class.is_some() || !found.key.ends_with(b"/"));
        tally.add(objects.filter_map(|found| Some((found.class.as_deref(), found.entry.as_ref()?.stamp.size))));
    }
    Page::new(found.into_iter().filter_map(|found| found.entry).collect(), next)
}

fn disorder() -> Error {
    Error::new(ErrorKind::Unexpected, DOING)
        .because("the server does not list in the order of keys, as S3 does")
        .hint("add `?order=none` to the location")
}

fn lost() -> Error {
    Error::new(ErrorKind::Unexpected, DOING).because("the server says there is more, but not where to go on")
}

/// Nothing is below: is it a file, or not there at all?
async fn nothing(store: &Opened, dir: &RelPath) -> Error {
    match store.head(&store.config.key(dir), false, DOING).await {
        Ok(Some(_)) => Error::new(ErrorKind::Invalid, DOING).because("it is not a directory"),
        Ok(None) => Error::new(ErrorKind::NotFound, DOING),
        Err(error) => error,
    }
}

/// One request of a listing.
async fn fetch(store: &Opened, dir: &RelPath, recursive: bool, start: &Start) -> Result<Fetched> {
    let config = &store.config;
    let base = config.dir_key(dir);
    let (after, token) = match start {
        Start::Beginning => (None, None),
        Start::After(key) => (Some([&config.prefix[..], key].concat()), None),
        Start::Token(token) => (None, Some(token.as_str())),
    };
    let listing = store.page(&base, !recursive, after.as_deref(), token, PAGE, DOING).await?;
    let encoded = is_encoded(listing.encoding_type.as_deref());
    let mut found: Vec<Found> = Vec::with_capacity(listing.contents.len() + listing.common_prefixes.len());
    let mut itself = false;
    let mut known: Vec<Arc<str>> = Vec::new();
    for listed in &listing.contents {
        let key = Bytes::from(raw_key(&listed.key, encoded));
        // A server that lists what was not asked for is not believed.
        if !key.starts_with(&base) {
            continue;
        }
        itself |= key == base;
        let relative = key.slice(config.prefix.len()..);
        // The directory's own marker stands for the directory, which is not in its listing.
        let entry = (key != base || listed.size > 0).then(|| object(&relative, listed)).flatten();
        let class = listed.storage_class.as_deref().map(|class| interned(&mut known, class));
        found.push(Found { key: relative, entry, class });
    }
    if !encoded && let Some(lossy) = found.iter().find(|found| found.key.windows(3).any(|c| c == LOSS)) {
        let name = RelPath::from_bytes(lossy.key.clone());
        if config.ordered {
            return Err(Error::new(ErrorKind::Unexpected, DOING)
                .because(format!(
                    "the server does not encode the keys it lists, and one of them cannot be told that way: it shows as `{name}`"
                ))
                .hint("list with `?order=none`, rename the object at the server, or read the store below the server"));
        }
        tracing::warn!(shown = %name, "the server lists a key that it cannot tell; reading it will fail");
    }
    let disorder = found.windows(2).any(|pair| pair[0].key > pair[1].key);
    for common in &listing.common_prefixes {
        let key = Bytes::from(raw_key(&common.prefix, encoded));
        if !key.starts_with(&base) {
            continue;
        }
        let relative = key.slice(config.prefix.len()..);
        let path = RelPath::from_bytes(relative.slice(..relative.len() - usize::from(relative.ends_with(b"/"))));
        if path.is_root() {
            return Err(Error::new(ErrorKind::Unsupported, DOING)
                .because("there are keys that begin with `/`, so below a directory without a name")
                .hint("list it recursively"));
        }
        found.push(Found { key: relative, entry: Some(Entry::new(path, Kind::Dir, Stamp::default())), class: None });
    }
    // The server sorts objects and directories each for itself.
    if config.ordered && !recursive {
        found.sort_by(|a, b| a.key.cmp(&b.key));
    }
    Ok(Fetched { found, itself, more: listing.is_truncated, token: listing.next_continuation_token, disorder })
}

fn interned(known: &mut Vec<Arc<str>>, class: &str) -> Arc<str> {
    if let Some(class) = known.iter().find(|held| ***held == *class) {
        return Arc::clone(class);
    }
    let class: Arc<str> = Arc::from(class);
    // A server has a handful of classes; one that has more is only told slower.
    if known.len() < 16 {
        known.push(Arc::clone(&class));
    }
    class
}

/// An object of a listing; `None` where its key is the location's own prefix.
fn object(relative: &Bytes, listed: &xml::Listed) -> Option<Entry> {
    let stamp = Stamp {
        size: listed.size,
        mtime: listed.last_modified.as_deref().and_then(xml::iso_date),
        etag: listed.etag.as_deref().map(bare_etag),
        ..Stamp::default()
    };
    let marker = relative.len() > 1 && relative.ends_with(b"/") && listed.size == 0;
    let path = if marker { relative.slice(..relative.len() - 1) } else { relative.clone() };
    let kind = if marker { Kind::Dir } else { Kind::File };
    (!path.is_empty()).then(|| Entry::new(RelPath::from_bytes(path), kind, stamp))
}

/// Does the answer say that its keys are percent-encoded? versitygw sends an empty element, and keys as they are.
pub(crate) fn is_encoded(said: Option<&str>) -> bool {
    said == Some("url")
}

/// The bytes of a key as a listing writes it.
pub(crate) fn raw_key(text: &str, encoded: bool) -> Vec<u8> {
    if encoded { listed_key(text) } else { text.as_bytes().to_vec() }
}

impl Opened {
    /// One page of keys that begin with `prefix`.
    pub(crate) async fn page(
        &self,
        prefix: &[u8],
        one_level: bool,
        start_after: Option<&[u8]>,
        token: Option<&str>,
        most: u16,
        doing: &'static str,
    ) -> Result<Listing> {
        let most = most.to_string();
        let mut pairs: Vec<(&str, &[u8])> =
            vec![("list-type", b"2"), ("encoding-type", b"url"), ("max-keys", most.as_bytes()), ("prefix", prefix)];
        if one_level {
            pairs.push(("delimiter", b"/"));
        }
        if let Some(key) = start_after {
            pairs.push(("start-after", key));
        }
        if let Some(token) = token {
            pairs.push(("continuation-token", token.as_bytes()));
        }
        let call = self.bucket_call("ListObjectsV2", doing, Method::GET, &mut pairs);
        let (_, body) = self.client.ask(&call).await.map_err(|why| match why {
            // A token grows old; the keys did not go away.
            Failure::Refused(refusal) if token.is_some() && refusal.code == "InvalidArgument" => {
                Error::new(ErrorKind::Changed, doing).because(refusal.message)
            }
            why => why.into_error(doing, Condition::None),
        })?;
        answered(&body, "ListBucketResult", doing)
    }
}

/// Reads a success that must be a certain document.
pub(crate) fn answered<T: serde::de::DeserializeOwned>(body: &[u8], root: &str, doing: &'static str) -> Result<T> {
    let strange = |why: String| Error::new(ErrorKind::Unexpected, doing).because(why);
    let text = std::str::from_utf8(body).map_err(|why| strange(format!("the answer is not UTF-8: {why}")))?;
    match xml::root(text) {
        Some(name) if name == root => {}
        other => {
            let got = other.map_or_else(|| "no XML".to_owned(), |name| format!("<{name}>"));
            return Err(strange(format!("the answer should be <{root}>, but is {got}: is this an S3 server?")));
        }
    }
    quick_xml::de::from_str(text).map_err(|why| strange(format!("<{root}> cannot be read: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    const PAGE_OF_MINIO: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix></Prefix><KeyCount>2</KeyCount><MaxKeys>2</MaxKeys><IsTruncated>true</IsTruncated><NextContinuationToken>YQ==</NextContinuationToken><EncodingType>url</EncodingType><Contents><Key>a%2Bb</Key><LastModified>2026-11-22T13:00:00.123Z</LastModified><ETag>&quot;9e10&quot;</ETag><Size>12</Size><StorageClass>STANDARD</StorageClass></Contents><CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes></ListBucketResult>"#;

    /// Runs for as many seconds as `LONGSHORE_FUZZ_SECONDS` says, else for a moment.
    #[test]
    fn a_page_cut_or_garbled_is_a_page_or_an_error() {
        let seconds = std::env::var("LONGSHORE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
        let until = Instant::now() + seconds.map_or(Duration::from_millis(300), Duration::from_secs);
        let good = PAGE_OF_MINIO.as_bytes();
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        let mut chance = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed >> 16).expect("48 bits fit") % below
        };
        while Instant::now() < until {
            let mut text = good.to_vec();
            for _ in 0..=chance(4) {
                let at = chance(text.len());
                match chance(4) {
                    0 => text.truncate(at),
                    1 => text[at] = u8::try_from(chance(256)).expect("below 256"),
                    2 => drop(text.remove(at)),
                    _ => {
                        let copy: Vec<u8> = good[chance(good.len())..].iter().take(chance(60)).copied().collect();
                        text.splice(at..at, copy);
                    }
                }
                if text.is_empty() {
                    text.push(b'<');
                }
            }
            if let Ok(page) = answered::<Listing>(&text, "ListBucketResult", DOING) {
                let encoded = is_encoded(page.encoding_type.as_deref());
                for listed in &page.contents {
                    object(&Bytes::from(raw_key(&listed.key, encoded)), listed);
                }
            }
            xml::error(&text);
        }
        assert_eq!(answered::<Listing>(good, "ListBucketResult", DOING).unwrap().contents.len(), 1);
    }
}
