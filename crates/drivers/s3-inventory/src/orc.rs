//! Rows of a report in ORC.
//!
//! A reader of our own, for flat rows of texts, numbers, truths and times, compressed by ZLIB, Snappy or not at
//! all: that is what Amazon writes. The crate for all of ORC brings a second release of Arrow and some hundred crates.
//! Memory: a compressed piece (256 KiB as a rule, 8 MiB at most) for each stream of a column that we need, and
//! dictionaries of texts, which are held to [`Dictionary`]'s limits.

mod columns;
mod integers;
mod proto;
mod stream;
mod tail;
mod truths;

use crate::row::{Columns, Fields, Row, invalid, wrong};
use columns::{Flags, Times, Wanted};
use std::{fs::File, io};

/// Reads every row of the file.
///
/// Errors: `InvalidData` when it is no ORC or damaged, `Unsupported` when it is made in a way that is not read.
pub(crate) fn rows(file: &File, mut give: impl FnMut(Row) -> io::Result<()>) -> io::Result<()> {
    let tail = tail::read(file)?;
    let wanted = Columns::of(tail.columns.iter().map(|(name, _, _)| name.as_str())).map_err(invalid)?;
    let mut number = 0;
    for stripe in &tail.stripes {
        let streams = stripe.streams(file, tail.codec)?;
        let column = |place: usize| {
            let (name, id, kind) = &tail.columns[place];
            Wanted { file, codec: tail.codec, streams: &streams, name, id: *id, kind: *kind }
        };
        let mut keys = column(wanted.key).texts()?;
        let mut sizes = column(wanted.size).numbers()?;
        let mut times = wanted.modified.map(|place| column(place).times()).transpose()?;
        let mut tags = wanted.etag.map(|place| column(place).texts()).transpose()?;
        let mut classes = wanted.class.map(|place| column(place).texts()).transpose()?;
        let mut latest = wanted.latest.map(|place| column(place).truths()).transpose()?;
        let mut markers = wanted.marker.map(|place| column(place).truths()).transpose()?;
        let (mut key, mut etag, mut class) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..stripe.rows {
            number += 1;
            keys.next(&mut key)?;
            let size =
                sizes.next()?.map(u64::try_from).transpose().map_err(|_| wrong(number, "its size is negative"))?;
            let modified = times.as_mut().map(Times::next).transpose()?.flatten();
            tags.as_mut().map(|tags| tags.next(&mut etag)).transpose()?;
            classes.as_mut().map(|classes| classes.next(&mut class)).transpose()?;
            let latest = latest.as_mut().map(Flags::next).transpose()?;
            let marker = markers.as_mut().map(Flags::next).transpose()?;
            let fields = Fields { key: &key, size, modified, etag: &etag, class: &class, latest, marker };
            give(fields.row().map_err(|why| wrong(number, why))?)?;
        }
    }
    Ok(())
}
