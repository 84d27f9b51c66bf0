//! Rows of a report in CSV: quoted fields without a header, keys as in a query (`%41`, `+`).

use crate::row::{Columns, Fields, LONGEST, Row, wrong};
use percent_encoding::percent_decode;
use std::io::{self, Write};

/// Takes bytes as they are decompressed and gives rows.
pub(crate) struct Rows<F> {
    columns: Columns,
    line: Vec<u8>,
    quoted: bool,
    number: u64,
    give: F,
}

impl<F: FnMut(Row) -> io::Result<()>> Rows<F> {
    pub(crate) fn new(columns: Columns, give: F) -> Self {
        Self { columns, line: Vec::new(), quoted: false, number: 0, give }
    }

    /// Gives the last row, which may have no line end.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        if self.quoted {
            return Err(wrong(self.number + 1, "it ends within quotes"));
        }
        self.row()
    }

    fn row(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        let text = line.strip_suffix(b"\r").unwrap_or(&line);
        if text.is_empty() {
            return Ok(());
        }
        self.number += 1;
        let row = read(text, self.columns).map_err(|why| wrong(self.number, why))?;
        (self.give)(row)
    }
}

impl<F: FnMut(Row) -> io::Result<()>> Write for Rows<F> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        for byte in data {
            if *byte == b'\n' && !self.quoted {
                self.row()?;
                continue;
            }
            self.quoted ^= *byte == b'"';
            if self.line.len() == LONGEST {
                return Err(wrong(self.number + 1, "it is longer than 64 KiB"));
            }
            self.line.push(*byte);
        }
        Ok(data.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn read(line: &[u8], columns: Columns) -> Result<Row, &'static str> {
    let fields = fields(line)?;
    let text = |place: Option<usize>| place.and_then(|place| fields.get(place)).map(Vec::as_slice);
    let truth = |place: Option<usize>| match text(place) {
        None => Ok(None),
        Some(word) if word.eq_ignore_ascii_case(b"true") => Ok(Some(true)),
        Some(word) if word.eq_ignore_ascii_case(b"false") || word.is_empty() => Ok(Some(false)),
        Some(_) => Err("a column that is true or false is neither"),
    };
    let size = std::str::from_utf8(text(Some(columns.size)).ok_or("it has too few columns")?).ok();
    let key: Vec<u8> = text(Some(columns.key)).unwrap_or_default().iter().copied().map(spaced).collect();
    let modified = match text(columns.modified).filter(|time| !time.is_empty()) {
        None => None,
        Some(time) => Some(time_of(time).ok_or("its time is none")?),
    };
    Fields {
        key: &percent_decode(&key).collect::<Vec<u8>>(),
        size: size.and_then(|size| size.parse().ok()),
        modified,
        etag: text(columns.etag).unwrap_or_default(),
        class: text(columns.class).unwrap_or_default(),
        latest: truth(columns.latest)?,
        marker: truth(columns.marker)?,
    }
    .row()
}

/// A space of a key is a `+`.
fn spaced(byte: u8) -> u8 {
    if byte == b'+' { b' ' } else { byte }
}

/// Whole seconds, as listings tell them.
fn time_of(text: &[u8]) -> Option<i64> {
    let at: jiff::Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(at.as_second())
}

fn fields(line: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let mut out = vec![Vec::new()];
    let (mut quoted, mut closed) = (false, false);
    let mut bytes = line.iter().peekable();
    while let Some(byte) = bytes.next() {
        let field = out.last_mut().ok_or("it has no field")?;
        match (byte, quoted) {
            (b'"', true) if bytes.next_if_eq(&&b'"').is_some() => field.push(b'"'),
            (b'"', true) => (quoted, closed) = (false, true),
            (b'"', false) if field.is_empty() && !closed => quoted = true,
            (b',', false) => {
                out.push(Vec::new());
                closed = false;
            }
            (_, false) if closed => return Err("something follows a closing quote"),
            (byte, _) => field.push(*byte),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Columns {
        Columns::of(
            ["Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker", "Size", "LastModifiedDate", "ETag"]
                .into_iter(),
        )
        .unwrap()
    }

    fn parsed(text: &[u8], piece: usize) -> io::Result<Vec<Row>> {
        let mut found = Vec::new();
        let mut rows = Rows::new(columns(), |row| {
            found.push(row);
            Ok(())
        });
        for piece in text.chunks(piece.max(1)) {
            rows.write_all(piece)?;
        }
        rows.end()?;
        Ok(found)
    }

    #[test]
    fn rows_are_told_by_what_they_are() {
        let text = b"\"b\",\"a+b%2Bc%FF\",\"v\",\"true\",\"false\",\"7\",\"2026-11-22T13:00:00.000Z\",\"e-2\"\r\n\
                     \"b\",\"a\",\"v\",\"false\",\"false\",\"5\",\"2026-11-22T13:00:00.000Z\",\"e\"\n\
                     \"b\",\"a\",\"v\",\"true\",\"true\",\"\",\"2026-11-22T13:00:00.000Z\",\"\"";
        let rows = parsed(text, 1).unwrap();
        assert_eq!(rows, parsed(text, 1000).unwrap());
        let Row::Current(record, _) = &rows[0] else { panic!("{rows:?}") };
        assert_eq!((&record.key[..], record.size, record.modified), (&b"a b+c\xFF"[..], 7, Some(1_795_352_400)));
        assert_eq!(rows[1..], [Row::Noncurrent(5), Row::Marker]);
        for broken in
            ["\"b\",\"a", "\"b\",\"a\"", "\"b\",\"\",\"\",\"true\",\"false\",\"1\"", "b,k,v,true,false,x", "\"b\"x,k"]
        {
            assert!(parsed(broken.as_bytes(), 3).is_err(), "{broken}");
        }
        assert!(Columns::of(["Key"].into_iter()).unwrap_err().contains("Size"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_rows_or_an_error(text in proptest::collection::vec(proptest::num::u8::ANY, 0..300), piece in 1_usize..40) {
            let whole = parsed(&text, text.len()).ok();
            proptest::prop_assert_eq!(whole, parsed(&text, piece).ok());
        }
    }
}
