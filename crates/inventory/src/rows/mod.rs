//! `entries/part-NNNNN.parquet`: one row for each entry of a system.
//!
//! | column | type | |
//! |---|---|---|
//! | `path` | BINARY | path below the root, as the server has it |
//! | `path_text` | STRING, null | the same where it is UTF-8 |
//! | `top` | BINARY, null | its first component; null for what lies directly in the root and is no directory |
//! | `depth` | UINT32 | components of the path |
//! | `extension` | STRING, null | in lower case; files only |
//! | `kind` | STRING | `file`, `dir`, `symlink`, `fifo`, `socket`, `block`, `char` |
//! | `size` | UINT64 | bytes |
//! | `allocated` | UINT64, null | bytes on disk |
//! | `mtime_ns`, `atime_ns`, `birth_ns` | INT64, null | nanoseconds since 1970-01-01T00:00:00Z |
//! | `change` | UINT64, null | moves with every change; for POSIX and NFSv3 the ctime in nanoseconds |
//! | `mode` | UINT32, null | permission bits |
//! | `owner`, `group` | STRING, null | uid and gid in decimal, a name, or a SID in hexadecimal |
//! | `nlink` | UINT32, null | names of the inode |
//! | `volume`, `inode` | UINT64, null | which inode |
//! | `link_target` | BINARY, null | of a symbolic link |
//! | `etag` | BINARY, null | of an object |
//!
//! A time beyond what 64-bit nanoseconds can hold (before 1677 or after 2262) is the smallest or the largest
//! INT64, which no file has by chance. Strings are plain Arrow strings, not Arrow dictionaries, because some
//! readers turn those into categories that no string function takes; Parquet's own dictionaries do the work.

mod batch;
mod reader;
mod writer;

pub use reader::{EntryRow, EntryRows, read_entries};
pub(crate) use writer::part_names;
pub use writer::{EntryWriter, PartFile};

use arrow::datatypes::{DataType, Field, Schema};
use model::Timestamp;
use std::sync::{Arc, LazyLock};

/// Schema name that every part carries in its file metadata under the key `schema`.
pub const ENTRIES_SCHEMA: &str = "longshore.entries/v1";

static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| {
    let needed = |name: &str, kind: DataType| Field::new(name, kind, false);
    let optional = |name: &str, kind: DataType| Field::new(name, kind, true);
    Arc::new(Schema::new(vec![
        needed("path", DataType::Binary),
        optional("path_text", DataType::Utf8),
        optional("top", DataType::Binary),
        needed("depth", DataType::UInt32),
        optional("extension", DataType::Utf8),
        needed("kind", DataType::Utf8),
        needed("size", DataType::UInt64),
        optional("allocated", DataType::UInt64),
        optional("mtime_ns", DataType::Int64),
        optional("atime_ns", DataType::Int64),
        optional("birth_ns", DataType::Int64),
        optional("change", DataType::UInt64),
        optional("mode", DataType::UInt32),
        optional("owner", DataType::Utf8),
        optional("group", DataType::Utf8),
        optional("nlink", DataType::UInt32),
        optional("volume", DataType::UInt64),
        optional("inode", DataType::UInt64),
        optional("link_target", DataType::Binary),
        optional("etag", DataType::Binary),
    ]))
});

/// Nanoseconds since the epoch, clamped to what 64 bits hold.
fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.total_nanos()).unwrap_or(if time.secs < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;
