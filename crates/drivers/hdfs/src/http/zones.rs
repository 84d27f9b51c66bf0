//! Where the encryption zones begin. RPC lists them for superusers only and our crate not at all; a listing over WebHDFS
//! says of every entry whether it lies in one.

use super::{PATH, Web};
use crate::failure::Failure;
use percent_encoding::utf8_percent_encode;
use serde_json::Value;
use std::collections::VecDeque;

/// Zones are made by hand and near the root; a cluster has millions of directories.
const MOST_REQUESTS: usize = 200;
/// Directories that wait to be listed.
const MOST_WAITING: usize = 10_000;

/// One page of LISTSTATUS_BATCH: directories with whether they are encrypted, the last name, and how many names follow.
pub(super) struct Page {
    pub dirs: Vec<(String, bool)>,
    pub last: Option<String>,
    pub remaining: u64,
}

/// None when it makes no sense.
pub(super) fn page(body: &[u8]) -> Option<Page> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let listing = value.get("DirectoryListing")?;
    let all = listing.get("partialListing")?.get("FileStatuses")?.get("FileStatus")?.as_array()?;
    let name = |status: &Value| status.get("pathSuffix").and_then(Value::as_str).map(str::to_owned);
    let dirs = all.iter().filter(|status| status.get("type").and_then(Value::as_str) == Some("DIRECTORY"));
    let encrypted = |status: &Value| status.get("encBit").and_then(Value::as_bool).unwrap_or(false);
    Some(Page {
        dirs: dirs.filter_map(|status| Some((name(status)?, encrypted(status)))).collect(),
        last: all.last().and_then(name),
        remaining: listing.get("remainingEntries")?.as_u64()?,
    })
}

impl Web {
    /// Directories at or below `root` that are zones, sorted; `most` of them are looked for, breadth first, within
    /// [`MOST_REQUESTS`] requests. What may not be listed is passed over.
    pub async fn encryption_zones(&self, root: &str, most: u64) -> Result<Vec<String>, Failure> {
        if self.policies(root).await?.encrypted {
            return Ok(vec![root.to_owned()]);
        }
        let (mut zones, mut waiting) = (Vec::new(), VecDeque::from([(root.to_owned(), String::new())]));
        for _ in 0..MOST_REQUESTS {
            let Some((dir, after)) = waiting.pop_front().filter(|_| (zones.len() as u64) < most) else { break };
            let query = format!("op=LISTSTATUS_BATCH&startAfter={}", utf8_percent_encode(&after, PATH));
            let page = match self.webhdfs(&dir, &query).await {
                Ok(answer) => page(&answer.body),
                // Silence would cost the whole time limit each time.
                Err(failure) if failure.is_elsewhere() => break,
                Err(_) => None,
            };
            let Some(page) = page else { continue };
            for (name, encrypted) in page.dirs {
                let path = format!("{}/{name}", dir.trim_end_matches('/'));
                if encrypted {
                    zones.push(path);
                } else if waiting.len() < MOST_WAITING {
                    waiting.push_back((path, String::new()));
                }
            }
            if let Some(last) = page.last.filter(|last| page.remaining > 0 && *last != after) {
                waiting.push_back((dir, last));
            }
        }
        zones.sort();
        Ok(zones)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_tells_which_directories_are_encrypted() {
        let body = br#"{"DirectoryListing":{"partialListing":{"FileStatuses":{"FileStatus":[{"pathSuffix":"a","type":"DIRECTORY"},
            {"pathSuffix":"b","type":"FILE","encBit":true},{"encBit":true,"pathSuffix":"c","type":"DIRECTORY"}]}},"remainingEntries":2}}"#;
        let page = page(body).unwrap();
        assert_eq!(page.dirs, [("a".to_owned(), false), ("c".to_owned(), true)]);
        assert_eq!((page.last.as_deref(), page.remaining), (Some("c"), 2));
        assert!(super::page(b"{}").is_none());
    }
}
