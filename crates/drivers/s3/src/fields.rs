//! Header fields of a request, all values in one buffer: a small PUT has a dozen, and an allocation for each,
//! and one more when it is copied, would cost more than its signature.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::{fmt, io::Write as _, ops::Range};

/// Names, and values that a header can carry.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    names: Vec<(HeaderName, Range<usize>)>,
    values: Vec<u8>,
}

impl Fields {
    /// None yet, with room for those of a PUT.
    pub(crate) fn new() -> Self {
        Self { names: Vec::with_capacity(16), values: Vec::with_capacity(768) }
    }

    /// Adds a field whose value we made ourselves of visible ASCII.
    pub(crate) fn add(&mut self, name: HeaderName, value: impl fmt::Display) {
        let start = self.values.len();
        write!(self.values, "{value}").expect("writing to a vector cannot fail");
        debug_assert!(HeaderValue::from_bytes(&self.values[start..]).is_ok(), "{name} is not fit for a header");
        self.names.push((name, start..self.values.len()));
    }

    /// Adds a field whose value came from elsewhere; `None` when a header cannot carry it.
    pub(crate) fn try_add(&mut self, name: HeaderName, value: &[u8]) -> Option<()> {
        HeaderValue::from_bytes(value).ok()?;
        let start = self.values.len();
        self.values.extend_from_slice(value);
        self.names.push((name, start..self.values.len()));
        Some(())
    }

    /// Adds a field as another message had it.
    pub(crate) fn copy(&mut self, name: HeaderName, value: &HeaderValue) {
        self.try_add(name, value.as_bytes()).expect("it was the value of a header");
    }

    /// Every name and value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.names.iter().map(|(name, place)| (name.as_str(), &self.values[place.clone()]))
    }

    /// The same as a request carries it. What tells who we are is kept out of logs.
    pub(crate) fn into_map(self) -> HeaderMap {
        let values = Bytes::from(self.values);
        let mut map = HeaderMap::with_capacity(self.names.len());
        for (name, place) in self.names {
            let mut value =
                HeaderValue::from_maybe_shared(values.slice(place)).expect("it was looked at when it was added");
            value.set_sensitive(matches!(name.as_str(), "authorization" | "x-amz-security-token"));
            map.append(name, value);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_as_they_were_added_and_what_no_header_carries_is_refused() {
        let mut fields = Fields::new();
        fields.add(http::header::CONTENT_LENGTH, 12);
        assert!(fields.try_add(http::header::ETAG, b"\"x\"").is_some());
        assert!(fields.try_add(http::header::RANGE, b"a\nb").is_none());
        assert_eq!(fields.iter().collect::<Vec<_>>(), [("content-length", &b"12"[..]), ("etag", b"\"x\"")]);
        let map = fields.into_map();
        assert_eq!((map.len(), map["content-length"].as_bytes()), (2, &b"12"[..]));
    }
}
