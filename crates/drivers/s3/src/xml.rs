//! The XML that S3 answers with, and its two ways to write a time.

use model::Timestamp;
use quick_xml::de;
use serde::Deserialize;

/// An error body. Everything may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename = "Error", rename_all = "PascalCase", default)]
pub(crate) struct ErrorBody {
    pub code: String,
    pub message: String,
    pub request_id: Option<String>,
    pub region: Option<String>,
    pub actual_object_size: Option<u64>,
}

/// Reads an error body; `None` when it is something else (a page of a proxy, nothing).
pub(crate) fn error(body: &[u8]) -> Option<ErrorBody> {
    let text = std::str::from_utf8(body).ok()?;
    (root(text)? == "Error").then(|| de::from_str(text).ok()).flatten()
}

/// The name of the outermost element, without its namespace.
pub(crate) fn root(text: &str) -> Option<&str> {
    let mut rest = text.trim_start();
    while let Some(after) = rest.strip_prefix("<?").or_else(|| rest.strip_prefix("<!")) {
        rest = after.split_once('>')?.1.trim_start();
    }
    let name = rest.strip_prefix('<')?;
    let name = name.split(|c: char| c.is_whitespace() || c == '>' || c == '/').next()?;
    Some(name.rsplit(':').next().unwrap_or(name))
}

/// A page of ListObjectsV2.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Listing {
    #[serde(default)]
    pub is_truncated: bool,
    pub next_continuation_token: Option<String>,
    pub encoding_type: Option<String>,
    #[serde(default)]
    pub contents: Vec<Listed>,
    #[serde(default)]
    pub common_prefixes: Vec<CommonPrefix>,
}

/// One object of a listing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Listed {
    pub key: String,
    #[serde(default)]
    pub size: u64,
    pub last_modified: Option<String>,
    #[serde(rename = "ETag")]
    pub etag: Option<String>,
    pub storage_class: Option<String>,
}

/// One directory of a listing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CommonPrefix {
    pub prefix: String,
}

/// The answer to CreateMultipartUpload.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Initiated {
    pub upload_id: String,
}

/// The answer to CompleteMultipartUpload.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Completed {
    #[serde(rename = "ETag")]
    pub etag: Option<String>,
    #[serde(rename = "ChecksumCRC64NVME")]
    pub crc64nvme: Option<String>,
}

/// The answer to CopyObject.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Copied {
    #[serde(rename = "ETag")]
    pub etag: Option<String>,
}

/// A page of ListParts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Parts {
    #[serde(default)]
    pub is_truncated: bool,
    pub next_part_number_marker: Option<u32>,
    #[serde(default, rename = "Part")]
    pub held: Vec<Part>,
}

/// One part that the server holds.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Part {
    #[serde(rename = "PartNumber")]
    pub number: u32,
    pub size: u64,
    #[serde(rename = "ETag")]
    pub etag: String,
    #[serde(rename = "ChecksumCRC64NVME")]
    pub crc64nvme: Option<String>,
    #[serde(rename = "ChecksumCRC32C")]
    pub crc32c: Option<String>,
}

/// A page of ListMultipartUploads.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Uploads {
    #[serde(default)]
    pub is_truncated: bool,
    pub next_key_marker: Option<String>,
    pub next_upload_id_marker: Option<String>,
    pub encoding_type: Option<String>,
    #[serde(default, rename = "Upload")]
    pub open: Vec<Open>,
}

/// One upload that is open.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Open {
    pub key: String,
    pub upload_id: String,
    pub initiated: Option<String>,
}

/// The answer to ListBuckets.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Buckets {
    #[serde(default)]
    pub buckets: BucketList,
    pub continuation_token: Option<String>,
}

/// Its list.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BucketList {
    #[serde(default, rename = "Bucket")]
    pub buckets: Vec<Bucket>,
}

/// One bucket.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Bucket {
    pub name: String,
    pub creation_date: Option<String>,
    #[serde(rename = "BucketRegion")]
    pub region: Option<String>,
}

/// Text that may stand in an element or an attribute.
pub(crate) fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

/// `2026-11-22T13:00:00.000Z`, cut to the second: HEAD and GET tell no more, and a stamp must be the same
/// whoever asks.
pub(crate) fn iso_date(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp { secs: at.as_second(), nanos: 0 })
}

/// `Sun, 22 Nov 2026 13:00:00 GMT`.
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    let at = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp { secs: at.timestamp().as_second(), nanos: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_reads_with_its_namespace() {
        let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix></Prefix>
<IsTruncated>true</IsTruncated><NextContinuationToken>tok==</NextContinuationToken><EncodingType>url</EncodingType>
<Contents><Key>a+b%0A</Key><LastModified>2026-11-22T13:00:00.123Z</LastModified><ETag>&quot;9e10&quot;</ETag><Size>12</Size><StorageClass>STANDARD</StorageClass></Contents>
<CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes>
<Contents><Key>e</Key><LastModified>2026-11-22T13:00:00Z</LastModified><ETag>"x"</ETag><Size>0</Size></Contents>
</ListBucketResult>"#;
        let page: Listing = de::from_str(text).unwrap();
        assert_eq!((page.contents.len(), page.common_prefixes.len(), page.is_truncated), (2, 1, true));
        assert_eq!((page.contents[0].key.as_str(), page.contents[0].etag.as_deref()), ("a+b%0A", Some("\"9e10\"")));
        assert_eq!(
            iso_date(page.contents[0].last_modified.as_deref().unwrap()),
            http_date("Sun, 22 Nov 2026 13:00:00 GMT")
        );
    }

    #[test]
    fn an_error_is_told_from_a_success_and_from_a_web_page() {
        let text = "<?xml version=\"1.0\"?>\n\n  <Error><Code>InternalError</Code><Message>x</Message></Error>";
        assert_eq!(error(text.as_bytes()).unwrap().code, "InternalError");
        assert!(error(b"<CompleteMultipartUploadResult/>").is_none());
        assert!(error(b"<!DOCTYPE html><html><body>Error</body></html>").is_none());
        assert_eq!(root("<!DOCTYPE html>\n<html>"), Some("html"));
        assert_eq!(root("plain"), None);
    }
}
