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
    /// The columns, in order.
    pub columns: Vec<String>,
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
    if !written.file_format.eq_ignore_ascii_case("CSV") {
        return Err(format!("its files are {}; only CSV is read: have the report made as CSV", written.file_format));
    }
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
        columns: written.file_schema.split(',').map(|column| column.trim().to_owned()).collect(),
    })
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
        let other = String::from_utf8_lossy(text).replace("CSV\"", "ORC\"");
        assert!(parse(other.as_bytes()).unwrap_err().contains("only CSV"));
        assert!(parse(b"{}").is_err());
    }
}
