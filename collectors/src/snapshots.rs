//! Directories that are views of the past: walking them would count everything many times.

use futures::StreamExt as _;
use model::{Entry, Facets, RelPath};
use std::{borrow::Cow, sync::Arc, time::Duration};
use storage::{ListSpec, Source, walk::Exclude};

/// Kind of the problem that says that one was left out.
pub(crate) const SNAPSHOT: &str = "snapshot";
/// Kind of the problem that says that a directory is one of those that hold it.
pub(crate) const LOOP: &str = "loop";

/// NetApp's NFS and SMB views, ZFS's, and those of Btrfs' snapper and of Storage Scale (AWS DataSync's
/// documentation recommends to leave out `*/.snapshot`).
const NAMES: [&[u8]; 4] = [b".snapshot", b"~snapshot", b".zfs", b".snapshots"];

/// Snapshots that are named of one directory.
const NEWEST: usize = 3;
/// For the one page that may name them.
const WITHIN: Duration = Duration::from_secs(30);

/// Leaves snapshot directories out of a walk.
pub(crate) fn exclude() -> Exclude {
    Arc::new(|entry: &Entry| is_snapshot(entry).then_some(Cow::Borrowed("a directory of snapshots")))
}

pub(crate) fn is_snapshot(entry: &Entry) -> bool {
    entry.kind.is_dir() && NAMES.contains(&entry.path.file_name())
}

/// The newest snapshots in such a directory, as far as the first page of its listing tells; none where it cannot
/// be listed.
pub(crate) async fn newest(source: &dyn Source, dir: &RelPath) -> Vec<RelPath> {
    let at = if dir.file_name() == b".zfs" { dir.join(b"snapshot") } else { dir.clone() };
    let mut pages = source.list(&at, ListSpec { recursive: false, want: Facets::MTIME, from: None });
    let Ok(Some(Ok(page))) = tokio::time::timeout(WITHIN, pages.next()).await else { return Vec::new() };
    let mut found = page.entries;
    found.retain(|entry| entry.kind.is_dir());
    found.sort_by(|a, b| (b.stamp.mtime, &b.path).cmp(&(a.stamp.mtime, &a.path)));
    found.into_iter().take(NEWEST).map(|entry| entry.path).collect()
}
