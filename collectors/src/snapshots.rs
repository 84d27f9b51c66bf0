//! Directories that are views of the past: walking them would count everything many times.

use model::Entry;
use std::{borrow::Cow, sync::Arc};
use storage::walk::Exclude;

/// Kind of the problem that says that one was left out.
pub(crate) const SNAPSHOT: &str = "snapshot";

/// NetApp's NFS and SMB views, and ZFS's (AWS DataSync's documentation recommends to leave out `*/.snapshot`).
const NAMES: [&[u8]; 3] = [b".snapshot", b"~snapshot", b".zfs"];

/// Leaves snapshot directories out of a walk.
pub(crate) fn exclude() -> Exclude {
    Arc::new(|entry: &Entry| is_snapshot(entry).then_some(Cow::Borrowed("a directory of snapshots")))
}

pub(crate) fn is_snapshot(entry: &Entry) -> bool {
    entry.kind.is_dir() && NAMES.contains(&entry.path.file_name())
}
