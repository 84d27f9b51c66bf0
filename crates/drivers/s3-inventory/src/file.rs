//! One data file of a report: fetched, held to its size and MD5, and read to its end.
//!
//! CSV is read while it comes. Parquet and ORC are told from their ends, so they are kept on disk first: their MD5
//! needs every byte anyway, and ranges read from the store would send most of them twice.

use crate::{
    csv,
    manifest::{DOING, Format, corrupt},
    orc, parquet,
    row::Columns,
    store::Counted,
};
use flate2::write::MultiGzDecoder;
use futures::{StreamExt as _, stream, stream::BoxStream};
use md5::{Digest as _, Md5};
use model::RelPath;
use std::{
    fs::File,
    io::{self, Write},
};
use storage::{Body, Error, ErrorKind, Reach, ReadSpec, Result, Source};

/// Takes all rows of a file in: key, size in bytes and MD5 are those of the manifest.
pub(crate) async fn take(
    reports: &dyn Source,
    listed: &(RelPath, u64, [u8; 16]),
    format: Format,
    columns: Columns,
    mut all: Counted,
) -> Result<Counted> {
    let (path, ..) = listed;
    let ended = match format {
        Format::Csv => {
            let mut decoder = MultiGzDecoder::new(csv::Rows::new(columns, |row| all.add(row)));
            fetch(reports, listed, &mut decoder).await?;
            decoder.finish().and_then(|mut rows| rows.end()).map(|()| all)
        }
        Format::Parquet | Format::Orc => {
            let mut held = tempfile::tempfile().map_err(disk)?;
            fetch(reports, listed, &mut held).await?;
            let read = tokio::task::spawn_blocking(move || columnar(held, format, all));
            // The Parquet reader is not ours: what it does not expect costs this report, not the program.
            read.await.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::InvalidData, "its reader gave up on it")))
        }
    };
    ended.map_err(|why| failed(path, why))
}

fn columnar(file: File, format: Format, mut all: Counted) -> io::Result<Counted> {
    match format {
        Format::Parquet => parquet::rows(file, |row| all.add(row))?,
        Format::Orc | Format::Csv => orc::rows(&file, |row| all.add(row))?,
    }
    Ok(all)
}

/// Writes the content of a file to `into`, and tells whether it is what the manifest says.
async fn fetch(
    reports: &dyn Source,
    (path, size, md5): &(RelPath, u64, [u8; 16]),
    into: &mut impl Write,
) -> Result<()> {
    let mut pieces: BoxStream<'static, _> = match reports.read(path, ReadSpec::default()).await?.body {
        Body::Whole(data) => stream::iter([Ok(data)]).boxed(),
        Body::Stream(pieces) => pieces,
    };
    let (mut sum, mut seen) = (Md5::new(), 0_u64);
    let mut trouble = None;
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        seen += piece.len() as u64;
        if seen > *size {
            break;
        }
        sum.update(&piece);
        // A broken file is told by its checksum rather than by the first row that makes no sense.
        if trouble.is_none() {
            trouble = into.write_all(&piece).err();
        }
    }
    if seen != *size || <[u8; 16]>::from(sum.finalize()) != *md5 {
        return Err(corrupt(
            path,
            format!("{seen} bytes came, and size or MD5 are not those of the manifest ({size} bytes)"),
        ));
    }
    trouble.map_or(Ok(()), |why| Err(failed(path, why)))
}

fn failed(path: &RelPath, why: io::Error) -> Error {
    match why.kind() {
        io::ErrorKind::StorageFull => disk(why),
        io::ErrorKind::Unsupported => {
            Error::new(ErrorKind::Unsupported, DOING).at(path).because(why).hint("have the report made as CSV")
        }
        _ => corrupt(path, why.to_string()),
    }
}

pub(crate) fn disk(why: io::Error) -> Error {
    Error::new(ErrorKind::NoSpace, "sort the inventory report").with_reach(Reach::Location).because(why).hint(
        "point TMPDIR at a disk with room: a report needs about 100 bytes for each object, and its key; in Parquet or \
         ORC, its largest file too",
    )
}
