//! Rows of a report in Parquet.
//!
//! The `parquet` crate decodes; before it does, [`pages`] holds every page that will be read to limits, because the
//! crate believes the sizes that a file claims. Memory: a page and a dictionary for each column that we need, and some
//! thousand rows.

mod pages;

use crate::row::{Columns, Fields, LONGEST, Row, invalid, unsupported, wrong};
use arrow::{
    array::{Array as _, ArrayRef, AsArray as _},
    datatypes::{
        DataType, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, TimestampSecondType,
    },
};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    },
    errors::ParquetError,
};
use std::{fs::File, io};

/// Rows that are decoded at once.
const BATCH: usize = 4096;

/// Reads every row of the file.
///
/// Errors: `InvalidData` when it is no Parquet or damaged, `Unsupported` when it is made in a way that is not read.
pub(crate) fn rows(file: File, mut give: impl FnMut(Row) -> io::Result<()>) -> io::Result<()> {
    let again = file.try_clone()?;
    // The Arrow schema that some writers leave in the file may ask for other types than the columns have.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(broken)?;
    let schema = builder.parquet_schema();
    if schema.columns().iter().any(|column| column.max_rep_level() > 0 || column.path().parts().len() != 1) {
        return Err(unsupported("its rows are not flat"));
    }
    let all = Columns::of(schema.columns().iter().map(|column| column.name())).map_err(invalid)?;
    let needed = [Some(all.key), Some(all.size), all.modified, all.etag, all.class, all.latest, all.marker];
    let mut needed: Vec<usize> = needed.into_iter().flatten().collect();
    needed.sort_unstable();
    pages::check(&again, builder.metadata(), &needed)?;
    let mask = ProjectionMask::leaves(schema, needed.iter().copied());
    let reader = builder.with_projection(mask).with_batch_size(BATCH).build().map_err(broken)?;
    let mut number = 0;
    for batch in reader {
        let batch = batch.map_err(invalid)?;
        let columns =
            Columns::of(batch.schema().fields().iter().map(|field| field.name().as_str())).map_err(invalid)?;
        let column = |place: usize| batch.column(place);
        let keys = Texts::of(column(columns.key))?;
        let sizes = Numbers::of(column(columns.size))?;
        let times = columns.modified.map(|place| Numbers::of(column(place))).transpose()?;
        let tags = columns.etag.map(|place| Texts::of(column(place))).transpose()?;
        let classes = columns.class.map(|place| Texts::of(column(place))).transpose()?;
        let latest = columns.latest.map(|place| Truths::of(column(place))).transpose()?;
        let markers = columns.marker.map(|place| Truths::of(column(place))).transpose()?;
        for row in 0..batch.num_rows() {
            number += 1;
            let size =
                sizes.get(row).map(u64::try_from).transpose().map_err(|_| wrong(number, "its size is negative"))?;
            let fields = Fields {
                key: keys.get(row),
                size,
                modified: times.as_ref().and_then(|times| times.get(row)),
                etag: tags.as_ref().map(|tags| tags.get(row)).unwrap_or_default(),
                class: classes.as_ref().map(|classes| classes.get(row)).unwrap_or_default(),
                latest: latest.as_ref().map(|latest| latest.get(row)),
                marker: markers.as_ref().map(|markers| markers.get(row)),
            };
            if [fields.key, fields.etag, fields.class].iter().any(|text| text.len() > LONGEST) {
                return Err(wrong(number, "a text is longer than 64 KiB"));
            }
            give(fields.row().map_err(|why| wrong(number, why))?)?;
        }
    }
    Ok(())
}

fn broken(why: ParquetError) -> io::Error {
    match why {
        ParquetError::NYI(why) => unsupported(why),
        why => invalid(why),
    }
}

/// A column of texts; nothing is empty.
struct Texts<'a>(&'a ArrayRef, fn(&ArrayRef, usize) -> &[u8]);

impl<'a> Texts<'a> {
    fn of(column: &'a ArrayRef) -> io::Result<Self> {
        match column.data_type() {
            DataType::Utf8 => Ok(Self(column, |column, row| column.as_string::<i32>().value(row).as_bytes())),
            DataType::Binary => Ok(Self(column, |column, row| column.as_binary::<i32>().value(row))),
            other => Err(unsupported(format!("a column that should hold text is of {other}"))),
        }
    }
    fn get(&self, row: usize) -> &'a [u8] {
        if self.0.is_null(row) { &[] } else { self.1(self.0, row) }
    }
}

/// A column of whole numbers, or of times as whole seconds.
struct Numbers<'a>(&'a ArrayRef, fn(&ArrayRef, usize) -> i64);

impl<'a> Numbers<'a> {
    fn of(column: &'a ArrayRef) -> io::Result<Self> {
        let get: fn(&ArrayRef, usize) -> i64 = match column.data_type() {
            DataType::Int64 => |column, row| column.as_primitive::<Int64Type>().value(row),
            DataType::Int32 => |column, row| i64::from(column.as_primitive::<Int32Type>().value(row)),
            DataType::Timestamp(TimeUnit::Second, _) => {
                |column, row| column.as_primitive::<TimestampSecondType>().value(row)
            }
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                |column, row| column.as_primitive::<TimestampMillisecondType>().value(row).div_euclid(1_000)
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                |column, row| column.as_primitive::<TimestampMicrosecondType>().value(row).div_euclid(1_000_000)
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                |column, row| column.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1_000_000_000)
            }
            other => return Err(unsupported(format!("a column that should hold numbers or times is of {other}"))),
        };
        Ok(Self(column, get))
    }
    fn get(&self, row: usize) -> Option<i64> {
        (!self.0.is_null(row)).then(|| self.1(self.0, row))
    }
}

/// A column of truths; nothing is not true, as in CSV.
struct Truths<'a>(&'a ArrayRef);

impl<'a> Truths<'a> {
    fn of(column: &'a ArrayRef) -> io::Result<Self> {
        match column.data_type() {
            DataType::Boolean => Ok(Self(column)),
            other => Err(unsupported(format!("a column that should hold truths is of {other}"))),
        }
    }
    fn get(&self, row: usize) -> bool {
        !self.0.is_null(row) && self.0.as_boolean().value(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::{
        array::{BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray},
        datatypes::{Field, Schema},
    };
    use parquet::arrow::ArrowWriter;
    use std::{io::Seek as _, sync::Arc};

    /// One row: key, size, time (milliseconds), tag, class, is it the latest, is it a mark of deletion.
    type Told<'a> =
        (Option<&'a str>, Option<i64>, Option<i64>, Option<&'a str>, Option<&'a str>, Option<bool>, Option<bool>);

    /// What is read of a file with this row, behind one that has everything.
    fn read(told: Told<'_>) -> io::Result<Row> {
        let rows =
            [(Some("first"), Some(7), Some(1_999), Some("tag"), Some("STANDARD"), Some(true), Some(false)), told];
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("key", Arc::new(rows.iter().map(|row| row.0).collect::<StringArray>())),
            ("version_id", Arc::new(rows.iter().map(|_| None::<&str>).collect::<StringArray>())),
            ("size", Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>())),
            ("last_modified_date", Arc::new(rows.iter().map(|row| row.2).collect::<TimestampMillisecondArray>())),
            ("e_tag", Arc::new(rows.iter().map(|row| row.3).collect::<StringArray>())),
            ("storage_class", Arc::new(rows.iter().map(|row| row.4).collect::<StringArray>())),
            ("is_latest", Arc::new(rows.iter().map(|row| row.5).collect::<BooleanArray>())),
            ("is_delete_marker", Arc::new(rows.iter().map(|row| row.6).collect::<BooleanArray>())),
        ];
        let fields: Vec<_> =
            columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns.into_iter().map(|(_, column)| column).collect());
        let mut file = tempfile::tempfile().unwrap();
        let mut writer = ArrowWriter::try_new(file.try_clone().unwrap(), schema, None).unwrap();
        writer.write(&batch.unwrap()).unwrap();
        writer.close().unwrap();
        file.rewind().unwrap();
        let mut all = Vec::new();
        rows_of(file, &mut all)?;
        assert_eq!(all.len(), 2);
        Ok(all.swap_remove(1))
    }

    fn rows_of(file: File, all: &mut Vec<Row>) -> io::Result<()> {
        rows(file, |row| {
            all.push(row);
            Ok(())
        })
    }

    #[test]
    fn nothing_is_nothing_and_neither_zero_nor_empty() {
        let (key, latest, not) = (Some("a"), Some(true), Some(false));
        let Row::Current(record, class) = read((key, Some(0), None, None, None, latest, not)).unwrap() else {
            panic!("it is current")
        };
        assert_eq!((record.size, record.modified, record.etag.len(), class.as_str()), (0, None, 0, ""));
        // An object of unknown size is no object of no bytes, and one without a name cannot be told.
        let refused = |told| read(told).unwrap_err().to_string();
        assert!(refused((key, None, Some(1), None, None, latest, not)).contains("row 2: its size is no number"));
        assert!(refused((None, Some(1), Some(1), None, None, latest, not)).contains("row 2: it has no key"));
        // Whether it is current and whether it is a mark: nothing is not true, as in CSV.
        assert_eq!(read((key, Some(5), None, None, None, None, None)).unwrap(), Row::Noncurrent(5));
        assert_eq!(read((key, None, None, None, None, latest, Some(true))).unwrap(), Row::Marker);
    }
}
