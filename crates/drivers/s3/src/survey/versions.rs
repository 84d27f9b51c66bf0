//! Versions that are not current, and marks of deletion: what a listing does not show and a bill does.

use super::DOING;
use crate::{
    call::Condition,
    classes::ClassCount,
    listing::{answered, is_encoded, raw_key},
    store::Opened,
};
use http::Method;
use serde::Deserialize;
use std::collections::BTreeMap;
use storage::{Error, ErrorKind, Result};

/// What ListObjectVersions told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// Objects as they are now.
    pub current: ClassCount,
    /// Versions that were replaced or deleted.
    pub noncurrent: ClassCount,
    /// Both, by storage class; empty where the server names none.
    pub classes: BTreeMap<String, ClassCount>,
    /// Marks of deletion, old ones included.
    pub delete_markers: u64,
    /// Of these, how many hide an object now.
    pub deleted: u64,
    /// `true`: there is more than was counted.
    pub partial: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_version_id_marker: Option<String>,
    encoding_type: Option<String>,
    #[serde(default, rename = "Version")]
    versions: Vec<Version>,
    #[serde(default, rename = "DeleteMarker")]
    markers: Vec<Marker>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    #[serde(default)]
    is_latest: bool,
    #[serde(default)]
    size: u64,
    storage_class: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Marker {
    #[serde(default)]
    is_latest: bool,
}

impl Versions {
    fn add(&mut self, page: &Page) {
        for version in &page.versions {
            let class = version.storage_class.as_deref().unwrap_or_default();
            let place = if version.is_latest { &mut self.current } else { &mut self.noncurrent };
            for count in [place, self.classes.entry(class.to_owned()).or_default()] {
                count.objects += 1;
                count.bytes = count.bytes.saturating_add(version.size);
            }
        }
        for marker in &page.markers {
            self.delete_markers += 1;
            self.deleted += u64::from(marker.is_latest);
        }
    }
}

/// Adds up at most `pages` pages.
pub(super) async fn count(store: &Opened, pages: u32) -> Result<Versions> {
    let mut sum = Versions { partial: pages == 0, ..Versions::default() };
    let mut place: Option<(Vec<u8>, String)> = None;
    for number in 1..=pages {
        let mut pairs: Vec<(&str, &[u8])> =
            vec![("versions", b""), ("encoding-type", b"url"), ("max-keys", b"1000"), ("prefix", &store.config.prefix)];
        if let Some((key, version)) = &place {
            pairs.push(("key-marker", key));
            if !version.is_empty() {
                pairs.push(("version-id-marker", version.as_bytes()));
            }
        }
        let call = store.bucket_call("ListObjectVersions", DOING, Method::GET, &mut pairs);
        let (_, body) = store.client.ask(&call).await.map_err(|why| why.into_error(DOING, Condition::None))?;
        let page: Page = answered(&body, "ListVersionsResult", DOING)?;
        sum.add(&page);
        if !page.is_truncated {
            return Ok(sum);
        }
        let encoded = is_encoded(page.encoding_type.as_deref());
        let next =
            page.next_key_marker.map(|key| (raw_key(&key, encoded), page.next_version_id_marker.unwrap_or_default()));
        if next.is_none() || next == place {
            return Err(Error::new(ErrorKind::Unexpected, DOING)
                .because("the server says there are more versions, but not where to go on"));
        }
        place = next;
        sum.partial = number == pages;
    }
    Ok(sum)
}
