//! Listing a directory: getListing, in pages that resume after a name.
//!
//! A NameNode can start a listing after any name, but the crate always starts at the first. A listing that goes on
//! from a cursor therefore reads over what came before; only a run that was interrupted pays for that.

use crate::{
    attributes,
    cluster::{Shared, words_of},
    failure::Failure,
};
use bytes::Bytes;
use futures::{FutureExt as _, stream::BoxStream};
use hdfs_native::client::{FileStatus, ListStatusIterator};
use model::{Entry, Facets, RelPath};
use std::{cmp::Ordering, panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Instant};
use storage::{
    Cursor, Error, ErrorKind, ListSpec, Page, Result,
    pages::{Listing, pages},
};
use tokio::task::unconstrained;

const OP: &str = "list";

/// As many as a NameNode gives in one answer (`dfs.ls.limit`).
const PAGE: usize = 1000;

/// Pages of `dir`.
pub(crate) fn list(cluster: Shared, dir: &RelPath, spec: &ListSpec) -> BoxStream<'static, Result<Page>> {
    pages(Pages::start(cluster, dir, spec))
}

struct Pages {
    cluster: Shared,
    dir: RelPath,
    absolute: String,
    want: Facets,
    names: Arc<ListStatusIterator>,
    generation: usize,
    /// The last name of the page before.
    after: Option<Bytes>,
    /// Read, but of the next page.
    ahead: Option<Entry>,
    /// Names up to `after` are still to be passed over.
    passing: bool,
    first: bool,
}

impl Listing for Pages {
    async fn page(&mut self) -> Result<Page> {
        let mut entries: Vec<Entry> = self.ahead.take().into_iter().collect();
        let limit = if self.first { PAGE } else { PAGE + 1 };
        while entries.len() < limit {
            let Some(status) = self.next().await.map_err(|failure| failure.at(OP, &self.dir))? else {
                return Ok(Page::new(entries, None));
            };
            if let Some(entry) = self.entry(&status)? {
                entries.push(entry);
            }
        }
        // Whether there is more shows only by asking, and the caller wants to know now.
        loop {
            let Some(status) = self.next().await.map_err(|failure| failure.at(OP, &self.dir))? else {
                return Ok(Page::new(entries, None));
            };
            if let Some(entry) = self.entry(&status)? {
                let last = entries.last().expect("a full page has a last entry").path.file_name();
                let last = Bytes::copy_from_slice(last);
                self.ahead = Some(entry);
                self.first = false;
                return Ok(Page::new(entries, Some(Cursor(last))));
            }
        }
    }
}

impl Pages {
    fn start(cluster: Shared, dir: &RelPath, spec: &ListSpec) -> Result<Self> {
        if spec.recursive {
            return Err(Error::new(ErrorKind::Unsupported, OP).at(dir).because("HDFS lists one directory at a time"));
        }
        let absolute = cluster.absolute(dir, OP)?;
        let (generation, client) = cluster.client();
        let names = Arc::new(client.list_status_iter(&absolute, false));
        let after = spec.from.as_ref().map(|cursor| cursor.0.clone());
        let (dir, want, passing) = (dir.clone(), spec.want, after.is_some());
        Ok(Self { cluster, dir, absolute, want, names, generation, after, ahead: None, passing, first: true })
    }

    /// The next status, within the time limit. The future is polled here, so a panic of the crate ends here.
    async fn next(&self) -> Result<Option<FileStatus>, Failure> {
        let names = self.names.clone();
        let mut next = pin!(AssertUnwindSafe(unconstrained(async move { names.next().await })).catch_unwind());
        // Most names are there already; only waiting is a request.
        let answer = match futures::poll!(next.as_mut()) {
            std::task::Poll::Ready(answer) => answer,
            std::task::Poll::Pending => {
                let started = Instant::now();
                let limit = self.cluster.options.request_timeout;
                let answer = tokio::time::timeout(limit, next).await;
                let ok = matches!(&answer, Ok(Ok(None | Some(Ok(_)))));
                self.cluster.options.probe.observed("getListing", started.elapsed(), ok);
                answer.map_err(|_| {
                    self.cluster.renew(self.generation);
                    Failure::Timeout(limit)
                })?
            }
        };
        match answer {
            Err(panic) => Err(Failure::Panicked(words_of(panic.as_ref()))),
            Ok(None) => Ok(None),
            Ok(Some(status)) => Ok(Some(status?)),
        }
    }

    /// The entry, unless it was on a page before.
    fn entry(&mut self, status: &FileStatus) -> Result<Option<Entry>> {
        let broken = |why: &'static str| Error::new(ErrorKind::Unexpected, OP).at(&self.dir).because(why);
        if status.path == self.absolute {
            return Err(Error::new(ErrorKind::Invalid, OP).at(&self.dir).because("it is a file, not a directory"));
        }
        let below = status.path.strip_prefix(self.absolute.trim_end_matches('/'));
        let name = below
            .and_then(|name| name.strip_prefix('/'))
            .ok_or_else(|| broken("the server sent a name outside the directory"))?;
        if name.is_empty() || name.contains(['/', '\0']) {
            return Err(broken("the server sent a name that is empty or holds a slash or NUL"));
        }
        if self.passing {
            let after = self.after.as_deref().unwrap_or_default();
            match in_order(name.as_bytes(), after) {
                Ordering::Less | Ordering::Equal => return Ok(None),
                Ordering::Greater => self.passing = false,
            }
        }
        Ok(Some(attributes::entry(self.dir.join(name.as_bytes()), status, self.want)))
    }
}

/// The order in which a NameNode lists: bytes as signed numbers (`DFSUtilClient.compareBytes`), so that names that
/// begin with other than ASCII come first.
fn in_order(a: &[u8], b: &[u8]) -> Ordering {
    a.iter().map(|byte| byte.cast_signed()).cmp(b.iter().map(|byte| byte.cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_ascii_come_first() {
        let mut names = ["b", "é", "a", "ab", "😀", ""].map(str::as_bytes);
        names.sort_by(|a, b| in_order(a, b));
        assert_eq!(names, ["", "é", "😀", "a", "ab", "b"].map(str::as_bytes));
    }
}
