//! ListObjectsV2 as pages of entries, in the order of the keys.

use crate::{
    call::Condition,
    encode::listed_key,
    errors::Failure,
    store::{Opened, bare_etag},
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

/// Where a listing stands.
struct Walk {
    store: Arc<Opened>,
    dir: RelPath,
    recursive: bool,
    next: Next,
}

/// What the next page begins with.
enum Next {
    /// The beginning.
    First,
    /// After this key, relative to the location. A resumed listing does not know the server's token.
    After(Bytes),
    /// The server's own token; the key is for those who resume.
    Token(String, Bytes),
    /// There is none.
    End,
}

/// Pages of a directory, or of everything below it.
pub(crate) fn pages(store: Arc<Opened>, dir: RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
    let next = spec.from.map_or(Next::First, |cursor| Next::After(cursor.0));
    let walk = Walk { store, dir, recursive: spec.recursive, next };
    stream::unfold(Some(walk), |walk| async move {
        let mut walk = walk?;
        if matches!(walk.next, Next::End) {
            return None;
        }
        match walk.page().await {
            Ok(page) => Some((Ok(page), Some(walk))),
            Err(error) => Some((Err(error.at(&walk.dir)), None)),
        }
    })
    .boxed()
}

impl Walk {
    async fn page(&mut self) -> Result<Page> {
        let (store, config) = (&self.store, &self.store.config);
        let base = config.dir_key(&self.dir);
        let after = match &self.next {
            Next::First | Next::End => None,
            Next::After(key) | Next::Token(_, key) => Some(key.clone()),
        };
        let token = match &self.next {
            Next::Token(token, _) => Some(token.as_str()),
            Next::First | Next::After(_) | Next::End => None,
        };
        let start = after.as_ref().filter(|_| token.is_none()).map(|key| [&config.prefix[..], key].concat());
        let listing = store.page(&base, !self.recursive, start.as_deref(), token, PAGE, DOING).await?;
        let encoded = listing.encoding_type.is_some();
        let mut found: Vec<(Bytes, Option<Entry>)> = Vec::with_capacity(listing.contents.len());
        let mut itself = false;
        for listed in &listing.contents {
            let key = raw_key(&listed.key, encoded);
            let Some(relative) = key.strip_prefix(&config.prefix[..]) else { continue };
            itself |= key == base;
            // The directory's own marker stands for the directory, which is not in its listing.
            let entry = (key != base || listed.size > 0).then(|| object(relative, listed)).flatten();
            found.push((Bytes::copy_from_slice(relative), entry));
        }
        for common in &listing.common_prefixes {
            let key = raw_key(&common.prefix, encoded);
            let Some(relative) = key.strip_prefix(&config.prefix[..]) else { continue };
            let path = RelPath::from(relative.strip_suffix(b"/").unwrap_or(relative));
            if path.is_root() {
                return Err(Error::new(ErrorKind::Unsupported, DOING)
                    .because("there are keys that begin with `/`, so below a directory without a name")
                    .hint("list it recursively"));
            }
            let entry = Entry::new(path, Kind::Dir, Stamp::default());
            found.push((Bytes::copy_from_slice(relative), Some(entry)));
        }
        // The server sorts objects and directories each for itself.
        found.sort_by(|a, b| a.0.cmp(&b.0));
        if matches!(self.next, Next::First) && found.is_empty() && !itself && !self.dir.is_root() {
            return Err(self.nothing().await);
        }
        let last = found.last().map(|(key, _)| key.clone());
        self.next = match (listing.is_truncated, listing.next_continuation_token, last.or_else(|| after.clone())) {
            (false, _, _) => Next::End,
            (true, Some(token), last) => Next::Token(token, last.unwrap_or_default()),
            (true, None, Some(last)) if Some(&last) != after.as_ref() => Next::After(last),
            (true, None, _) => {
                return Err(Error::new(ErrorKind::Unexpected, DOING)
                    .because("the server says there is more, but not where to go on"));
            }
        };
        let next = match &self.next {
            Next::After(key) | Next::Token(_, key) => Some(Cursor(key.clone())),
            Next::First | Next::End => None,
        };
        // After a directory, the server may name that directory again: its keys come after its name.
        let entries = found
            .into_iter()
            .filter(|(key, _)| after.as_ref().is_none_or(|after| key > after))
            .filter_map(|(_, entry)| entry)
            .collect();
        Ok(Page { entries, next })
    }

    /// Nothing is below: is it a file, or not there at all?
    async fn nothing(&self) -> Error {
        match self.store.head(&self.store.config.key(&self.dir), false, DOING).await {
            Ok(Some(_)) => Error::new(ErrorKind::Invalid, DOING).because("it is not a directory"),
            Ok(None) => Error::new(ErrorKind::NotFound, DOING),
            Err(error) => error,
        }
    }
}

/// An object of a listing; `None` where its key is the location's own prefix.
fn object(relative: &[u8], listed: &xml::Listed) -> Option<Entry> {
    let stamp = Stamp {
        size: listed.size,
        mtime: listed.last_modified.as_deref().and_then(xml::iso_date),
        etag: listed.etag.as_deref().map(bare_etag),
        ..Stamp::default()
    };
    let marker = relative.strip_suffix(b"/").filter(|dir| listed.size == 0 && !dir.is_empty());
    let (path, kind) = marker.map_or((relative, Kind::File), |dir| (dir, Kind::Dir));
    (!path.is_empty()).then(|| Entry::new(RelPath::from(path), kind, stamp))
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
