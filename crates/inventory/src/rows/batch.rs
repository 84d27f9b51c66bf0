//! Entries as Arrow columns.

use super::{SCHEMA, nanoseconds};
use crate::names;
use arrow::{
    array::{ArrayRef, BinaryBuilder, Int64Builder, StringBuilder, UInt32Builder, UInt64Builder},
    error::ArrowError,
    record_batch::RecordBatch,
};
use model::{Entry, Kind, Principal};
use std::sync::Arc;

/// Columns under construction; reused from batch to batch.
#[derive(Default)]
pub(super) struct Batch {
    rows: usize,
    path: BinaryBuilder,
    path_text: StringBuilder,
    top: BinaryBuilder,
    depth: UInt32Builder,
    extension: StringBuilder,
    kind: StringBuilder,
    size: UInt64Builder,
    allocated: UInt64Builder,
    mtime: Int64Builder,
    atime: Int64Builder,
    birth: Int64Builder,
    change: UInt64Builder,
    mode: UInt32Builder,
    owner: StringBuilder,
    group: StringBuilder,
    nlink: UInt32Builder,
    volume: UInt64Builder,
    inode: UInt64Builder,
    link_target: BinaryBuilder,
    etag: BinaryBuilder,
    /// The ids seen last, printed: neighbours mostly have one owner and one group.
    printed: [(u32, String); 2],
}

impl Batch {
    /// Rows added since [`Batch::take`].
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Adds one entry.
    pub(super) fn push(&mut self, entry: &Entry) {
        let path = &entry.path;
        let meta = entry.meta.as_deref();
        let depth = path.depth();
        let inside = depth > 1 || entry.kind.is_dir();
        self.path.append_value(path.as_bytes());
        self.path_text.append_option(path.to_str());
        self.top.append_option(path.components().next().filter(|_| inside));
        self.depth.append_value(u32::try_from(depth).unwrap_or(u32::MAX));
        let extension = if entry.kind.is_file() { names::extension(path.file_name()) } else { None };
        self.extension.append_option(extension);
        self.kind.append_value(entry.kind.word());
        self.size.append_value(entry.stamp.size);
        self.allocated.append_option(entry.allocated);
        let mtime = entry.stamp.mtime.or_else(|| meta?.mtime);
        self.mtime.append_option(mtime.map(nanoseconds));
        self.atime.append_option(meta.and_then(|m| m.atime).map(nanoseconds));
        self.birth.append_option(meta.and_then(|m| m.birth).map(nanoseconds));
        self.change.append_option(entry.stamp.change);
        let posix = meta.and_then(|m| m.posix.as_ref());
        self.mode.append_option(posix.map(|p| p.mode));
        let [owner, group] = &mut self.printed;
        append_principal(&mut self.owner, posix.map(|p| &p.owner), owner);
        append_principal(&mut self.group, posix.map(|p| &p.group), group);
        self.nlink.append_option(entry.nlink);
        self.volume.append_option(entry.stamp.file_id.map(|id| id.volume));
        self.inode.append_option(entry.stamp.file_id.map(|id| id.inode));
        self.link_target.append_option(match &entry.kind {
            Kind::Symlink { target } if !target.is_empty() => Some(target),
            Kind::Symlink { .. } | Kind::File | Kind::Dir | Kind::Special(_) => None,
        });
        self.etag.append_option(entry.stamp.etag.as_ref());
        self.rows += 1;
    }

    /// The rows so far as one batch; starts anew.
    pub(super) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.path.finish()),
            Arc::new(self.path_text.finish()),
            Arc::new(self.top.finish()),
            Arc::new(self.depth.finish()),
            Arc::new(self.extension.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.size.finish()),
            Arc::new(self.allocated.finish()),
            Arc::new(self.mtime.finish()),
            Arc::new(self.atime.finish()),
            Arc::new(self.birth.finish()),
            Arc::new(self.change.finish()),
            Arc::new(self.mode.finish()),
            Arc::new(self.owner.finish()),
            Arc::new(self.group.finish()),
            Arc::new(self.nlink.finish()),
            Arc::new(self.volume.finish()),
            Arc::new(self.inode.finish()),
            Arc::new(self.link_target.finish()),
            Arc::new(self.etag.finish()),
        ];
        RecordBatch::try_new(Arc::clone(&SCHEMA), columns)
    }
}

fn append_principal(column: &mut StringBuilder, who: Option<&Principal>, last: &mut (u32, String)) {
    match who {
        None => column.append_null(),
        Some(Principal::Id(id)) => {
            if *id != last.0 || last.1.is_empty() {
                *last = (*id, id.to_string());
            }
            column.append_value(&last.1);
        }
        Some(Principal::Name(name)) => column.append_value(name),
        Some(sid @ Principal::Sid(_)) => column.append_value(sid.to_string()),
    }
}
