//! Lists an image: `dump IMAGE [BELOW] [--delimited]`.
//!
//! Without `--delimited` it prints the facts, how long reading and listing took, and the peak of memory. With it,
//! the columns of `hdfs oiv -p Delimited -delimiter` with byte 1 between them and byte 2 at the end of a row, so
//! that names may hold anything: path, replication, modification time and access time (milliseconds), block size,
//! blocks, size, quota of names, quota of bytes, permission, user, group, then inode, access control list, target.
#![allow(clippy::print_stdout)] // the output is what this program is for

use futures::TryStreamExt as _;
use longshore_driver_fsimage::{Details, FsimageOptions, FsimageStore};
use model::{Entry, Facets, Kind, RelPath, Timestamp};
use std::{error::Error, fmt::Write as _, io::Write as _, path::Path, time::Instant};
use storage::{ListSpec, Source as _};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (flags, words): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|a| a.starts_with("--"));
    let image = words.first().ok_or("usage: dump IMAGE [BELOW] [--delimited]")?;
    let below = words.get(1).map_or(RelPath::ROOT, |below| RelPath::from(below.trim_matches('/')));
    let delimited = flags.iter().any(|flag| flag == "--delimited");
    let started = Instant::now();
    let options = FsimageOptions { below, ..FsimageOptions::default() };
    let store = FsimageStore::open(Path::new(image), options).await?;
    let opened = started.elapsed();
    let listing = Instant::now();
    let after_open = peak_kib();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut seen = 1_u64;
    let mut bytes = 0;
    let spec = ListSpec { want: Facets::POSIX, ..ListSpec::default() };
    if delimited {
        let root = store.stat(&RelPath::ROOT, Facets::POSIX).await?;
        out.write_all(&row(&root, &store.details(&RelPath::ROOT).await?)?)?;
    }
    let mut waiting = vec![RelPath::ROOT];
    while let Some(dir) = waiting.pop() {
        let mut pages = store.list_detailed(&dir, spec.clone());
        while let Some(page) = pages.try_next().await? {
            for (entry, details) in page.entries {
                seen += 1;
                bytes += entry.stamp.size;
                if delimited {
                    out.write_all(&row(&entry, &details)?)?;
                }
                if entry.kind.is_dir() {
                    waiting.push(entry.path);
                }
            }
        }
    }
    out.flush()?;
    if !delimited {
        let facts = store.facts();
        println!("{facts:#?}");
        println!("read in {opened:.1?}, listed in {:.1?}", listing.elapsed());
        println!("entries {seen} bytes {bytes}");
        println!("peak memory {after_open} KiB after reading, {} KiB after listing", peak_kib());
        println!("scratch {} bytes", facts.scratch_peak);
    }
    Ok(())
}

fn row(entry: &Entry, more: &Details) -> Result<Vec<u8>, Box<dyn Error>> {
    let meta = entry.meta.as_ref().ok_or("no metadata")?;
    let posix = meta.posix.as_ref().ok_or("no owner")?;
    let millis = |at: Option<Timestamp>| at.map_or(0, |at| at.total_nanos() / 1_000_000);
    let mut row = b"/".to_vec();
    row.extend_from_slice(entry.path.as_bytes());
    let quota = |quota: Option<u64>| quota.map_or_else(|| "-".to_owned(), |quota| quota.to_string());
    let kind = match entry.kind {
        Kind::Dir => 'd',
        Kind::Symlink { .. } => 'l',
        Kind::File | Kind::Special(_) => '-',
    };
    let acl: Vec<String> = more.acl.iter().map(ToString::to_string).collect();
    let mut text = String::new();
    for column in [
        more.replication.to_string(),
        millis(meta.mtime).to_string(),
        millis(meta.atime).to_string(),
        more.block_size.to_string(),
        more.blocks.to_string(),
        entry.stamp.size.to_string(),
        quota(more.name_quota),
        quota(more.space_quota),
        format!("{kind}{:04o}", posix.mode),
        posix.owner.to_string(),
        posix.group.to_string(),
        more.inode.to_string(),
        acl.join(","),
    ] {
        write!(text, "\u{1}{column}")?;
    }
    row.extend_from_slice(text.as_bytes());
    row.push(1);
    if let Kind::Symlink { target } = &entry.kind {
        row.extend_from_slice(target);
    }
    row.push(2);
    Ok(row)
}

/// The peak of resident memory of this process, as Linux counts it.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
