//! `manifest.json` and the checksum beside it.

use md5::{Digest as _, Md5};
use model::{RelPath, Timestamp};
use serde::Deserialize;
use storage::{Error, ErrorKind, ReadSpec, Result, Source, collect_body};

pub(crate) const DOING: &str = "read the inventory report";
/// Some ten thousand files; no report has more of them than that.
const LARGEST: u64 = 64 << 20;

/// What a report says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The bucket that it is about.
    pub source_bucket: String,
    /// When its making began: what it says was true at about this time.
    pub created: Timestamp,
    /// Its data files: key in the destination bucket, size in bytes, MD5.
    pub files: Vec<(RelPath, u64, [u8; 16])>,
    /// What they are written in.
    pub format: Format,
    /// The columns, in order, as the format names them: `IsLatest` in CSV, `is_latest` in the others.
    pub columns: Vec<String>,
}

/// What data files are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines, compressed by gzip.
    Csv,
    /// Apache Parquet, compressed by Snappy.
    Parquet,
    /// Apache ORC, compressed by ZLIB.
    Orc,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    source_bucket: String,
    creation_timestamp: String,
    file_format: String,
    file_schema: String,
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    key: String,
    size: u64,
    #[serde(rename = "MD5checksum")]
    md5: String,
}

/// Reads the manifest at `path` and holds it to its checksum.
pub(crate) async fn read(reports: &dyn Source, path: &RelPath) -> Result<Manifest> {
    let text = whole(reports, path).await?;
    let beside = path.parent().unwrap_or_default().join(b"manifest.checksum");
    let sum = match whole(reports, &beside).await {
        Ok(sum) => sum,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(corrupt(&beside, "the checksum is written last, and is not there".to_owned())
                .hint("wait until the report is finished, or take the one before"));
        }
        Err(error) => return Err(error),
    };
    let wanted = std::str::from_utf8(&sum).ok().and_then(|text| hex(text.trim()));
    if wanted != Some(Md5::digest(&text).into()) {
        return Err(corrupt(path, "its MD5 is not that of `manifest.checksum`".to_owned()));
    }
    parse(&text).map_err(|why| corrupt(path, why))
}

fn parse(text: &[u8]) -> Result<Manifest, String> {
    let written: Written = serde_json::from_slice(text).map_err(|why| format!("it is not a manifest: {why}"))?;
    let format = match written.file_format.to_ascii_uppercase().as_str() {
        "CSV" => Format::Csv,
        "PARQUET" => Format::Parquet,
        "ORC" => Format::Orc,
        _ => return Err(format!("its files are {}; CSV, Parquet and ORC are read", written.file_format)),
    };
    let millis: i64 =
        written.creation_timestamp.parse().map_err(|_| "its `creationTimestamp` is no number".to_owned())?;
    let created =
        Timestamp::from_total_nanos(i128::from(millis) * 1_000_000).ok_or("its `creationTimestamp` is no time")?;
    let files: Option<Vec<_>> = written
        .files
        .into_iter()
        .map(|file| Some((RelPath::from_bytes(file.key.into_bytes()), file.size, hex(&file.md5)?)))
        .collect();
    Ok(Manifest {
        source_bucket: written.source_bucket,
        created,
        files: files.ok_or("an `MD5checksum` is none")?,
        format,
        columns: columns(format, &written.file_schema),
    })
}

/// The names in a schema. CSV: `Bucket, Key`; ORC: `struct<bucket:string,key:string>`; Parquet:
/// `message s3.inventory { required binary bucket (UTF8); }`.
fn columns(format: Format, schema: &str) -> Vec<String> {
    let within = |open: char, close: char| {
        let inner = schema.split_once(open).map_or(schema, |(_, inner)| inner);
        inner.rsplit_once(close).map_or(inner, |(inner, _)| inner)
    };
    let names: Vec<&str> = match format {
        Format::Csv => schema.split(',').collect(),
        Format::Orc => within('<', '>').split(',').filter_map(|column| column.split(':').next()).collect(),
        Format::Parquet => within('{', '}').split(';').filter_map(|column| column.split_whitespace().nth(2)).collect(),
    };
    names.into_iter().map(|name| name.trim().to_owned()).collect()
}

pub(crate) fn corrupt(path: &RelPath, why: String) -> Error {
    Error::new(ErrorKind::Corrupt, DOING).at(path).because(why)
}

async fn whole(reports: &dyn Source, path: &RelPath) -> Result<Vec<u8>> {
    let reading = reports.read(path, ReadSpec::default()).await?;
    Ok(collect_body(reading.body, LARGEST).await?.concat())
}

fn hex(text: &str) -> Option<[u8; 16]> {
    let raw = text.as_bytes();
    if raw.len() != 32 {
        return None;
    }
    let mut out = [0; 16];
    for (byte, pair) in out.iter_mut().zip(raw.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_reads_as_the_user_guide_shows_it() {
        let text = br#"{"sourceBucket":"example-source-bucket","destinationBucket":"arn:aws:s3:::d","version":"2016-11-30",
            "creationTimestamp":"1514944800000","fileFormat":"CSV","fileSchema":"Bucket, Key, Size",
            "files":[{"key":"Inventory/x.csv.gz","size":2147483647,"MD5checksum":"f11166069f1990abeb9c97ace9cdfabc"}]}"#;
        let manifest = parse(text).unwrap();
        assert_eq!((manifest.created.secs, manifest.columns.len()), (1_514_944_800, 3));
        assert_eq!(manifest.files[0].1, 2_147_483_647);
        let other = String::from_utf8_lossy(text).replace("CSV\"", "Avro\"");
        assert!(parse(other.as_bytes()).unwrap_err().contains("Avro"));
        assert!(parse(b"{}").is_err());
    }

    #[test]
    fn every_format_names_its_columns_its_own_way() {
        let orc = "struct<bucket:string,key:string,size:bigint,last_modified_date:timestamp>";
        let parquet = "message s3.inventory {  required binary bucket (UTF8);  required binary key (UTF8);  \
                       optional int64 size;  optional int64 last_modified_date (TIMESTAMP_MILLIS);}";
        let named = ["bucket", "key", "size", "last_modified_date"];
        assert_eq!(columns(Format::Orc, orc), named);
        assert_eq!(columns(Format::Parquet, parquet), named);
        assert_eq!(columns(Format::Csv, "Bucket, Key"), ["Bucket", "Key"]);
    }
}
