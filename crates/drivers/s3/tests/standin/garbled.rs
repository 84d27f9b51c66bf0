//! Answers that are nearly right: whatever a server says ends in a result or an error, and soon.

use crate::{
    options,
    server::{Reply, Seen, Standin, answer},
};
use futures::StreamExt as _;
use longshore_driver_s3::{ClassTally, S3Options, S3Store, SurveyLimits};
use model::{Facets, RelPath};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use storage::{ListSpec, ReadSpec, Source as _, collect_body};

/// What a good server says, by a word of the request.
const GOOD: [(&str, &str); 13] = [
    (
        "list-type=2",
        r#"<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>true</IsTruncated><NextContinuationToken>YQ==</NextContinuationToken><EncodingType>url</EncodingType><Contents><Key>pre%2Fa%2Bb</Key><LastModified>2026-11-22T13:00:00.123Z</LastModified><ETag>&quot;9e10&quot;</ETag><Size>12</Size><StorageClass>STANDARD</StorageClass></Contents><Contents><Key>pre/z</Key><Size>18446744073709551615</Size></Contents><CommonPrefixes><Prefix>pre/d/</Prefix></CommonPrefixes></ListBucketResult>"#,
    ),
    (
        "versions=",
        "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker><NextVersionIdMarker>v</NextVersionIdMarker><EncodingType>url</EncodingType><Version><Key>k</Key><IsLatest>true</IsLatest><Size>18446744073709551615</Size><StorageClass>COLD</StorageClass></Version><Version><Key>k</Key><IsLatest>true</IsLatest><Size>7</Size></Version><DeleteMarker><Key>d</Key><IsLatest>true</IsLatest></DeleteMarker></ListVersionsResult>",
    ),
    (
        "uploads=",
        "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker><Upload><Key>k%2F</Key><UploadId>u</UploadId><Initiated>2026-11-22T13:00:00.000Z</Initiated></Upload></ListMultipartUploadsResult>",
    ),
    (
        "uploadId=",
        "<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>1</NextPartNumberMarker><Part><PartNumber>1</PartNumber><Size>18446744073709551615</Size><ETag>e</ETag></Part><Part><PartNumber>2</PartNumber><Size>9</Size><ETag>e</ETag></Part></ListPartsResult>",
    ),
    ("location=", "<LocationConstraint xmlns=\"x\">eu-west-1</LocationConstraint>"),
    (
        "versioning=",
        "<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Disabled</MfaDelete></VersioningConfiguration>",
    ),
    (
        "encryption=",
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>arn</KMSMasterKeyID></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>",
    ),
    (
        "object-lock=",
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>4294967295</Days></DefaultRetention></Rule></ObjectLockConfiguration>",
    ),
    (
        "lifecycle=",
        "<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter><Expiration><Days>30</Days></Expiration><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>",
    ),
    (
        "replication=",
        "<ReplicationConfiguration><Role>r</Role><Rule><Status>Enabled</Status><Destination><Bucket>arn:aws:s3:::b</Bucket><StorageClass>STANDARD</StorageClass></Destination></Rule></ReplicationConfiguration>",
    ),
    (
        "publicAccessBlock=",
        "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls></PublicAccessBlockConfiguration>",
    ),
    ("policyStatus=", "<PolicyStatus><IsPublic>true</IsPublic></PolicyStatus>"),
    ("", "the content of an object"),
];

const HEADERS: [(&str, &str); 14] = [
    ("etag", "\"9e107d9d372bb6826bd81d3542a419d6-3\""),
    ("last-modified", "Sun, 22 Nov 2026 13:00:00 GMT"),
    ("date", "Sun, 22 Nov 2026 13:00:00 GMT"),
    ("content-range", "bytes 0-23/24"),
    ("content-type", "text/plain"),
    ("retry-after", "1"),
    ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="),
    ("x-amz-storage-class", "GLACIER"),
    ("x-amz-bucket-region", "eu-west-1"),
    ("x-amz-meta-file-mtime", "1700000000123456789ns"),
    ("x-amz-meta-file-permissions", "0100644"),
    ("x-amz-meta-file-owner", "1000"),
    ("x-amz-meta-user", "=?UTF-8?B?w6k=?="),
    ("x-amz-version-id", "v1"),
];

const REFUSAL: &str = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Words &amp; more.</Message><Region>eu-west-1</Region><ActualObjectSize>7</ActualObjectSize></Error>";

/// Chance that can be repeated.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).expect("48 bits fit") % limit.max(1)
    }

    fn garbled(&mut self, good: &str) -> String {
        let mut text: Vec<char> = good.chars().collect();
        for _ in 0..self.below(5) {
            let at = self.below(text.len());
            match self.below(5) {
                _ if text.is_empty() => text.push('<'),
                0 => text.truncate(at),
                1 => text[at] = char::from_u32(u32::try_from(self.below(0x300)).unwrap()).unwrap(),
                2 => drop(text.remove(at)),
                3 => text[at] = ['9', '<', '>', '&', '-', '"', '\0', '\u{FFFD}'][self.below(8)],
                _ => {
                    let from = self.below(text.len());
                    let piece: Vec<char> = text[from..].iter().take(self.below(60)).copied().collect();
                    text.splice(at..at, piece);
                }
            }
        }
        text.into_iter().collect()
    }

    fn reply(&mut self, seen: &Seen) -> Reply {
        let good = GOOD.iter().find(|(word, _)| seen.target.contains(word)).expect("the last is in all").1;
        let (status, body) = match self.below(12) {
            0 => (["403 No", "404 No", "301 No", "503 No", "400 No", "304 No", "416 No"][self.below(7)], REFUSAL),
            1 => ("206 Partial Content", good),
            _ => ("200 OK", good),
        };
        let mut headers: Vec<(&str, String)> = Vec::new();
        for (name, value) in HEADERS {
            if self.below(3) > 0 {
                let value = if self.below(4) == 0 { self.garbled(value) } else { value.to_owned() };
                headers.push((name, value.replace(['\r', '\n', '\0'], " ")));
            }
        }
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let body = self.garbled(body);
        let text = if seen.method == "HEAD" {
            answer(status, &headers, "").replace("content-length: 0", &format!("content-length: {}", body.len()))
        } else {
            answer(status, &headers, &body)
        };
        match self.below(60) {
            0 => Reply::SayAndClose(self.garbled(&text)),
            1 => Reply::Close,
            _ => Reply::Say(text),
        }
    }
}

/// Runs for as many seconds as `LONGSHORE_FUZZ_SECONDS` says, else for a moment.
#[tokio::test]
async fn garbled_answers_end_in_a_result_or_an_error() {
    let seconds = std::env::var("LONGSHORE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let until = Instant::now() + seconds.map_or(Duration::from_secs(2), Duration::from_secs);
    let chance = Mutex::new(Chance(0x9E37_79B9_7F4A_7C15));
    let server = Standin::forgetful(move |seen| chance.lock().unwrap().reply(seen)).await;
    let (mut rounds, mut fine) = ([0_u64; 5], 0_u64);
    while Instant::now() < until {
        let classes = Some(Arc::new(ClassTally::default()));
        let options = S3Options { quiet_timeout: Duration::from_millis(100), classes, ..options() };
        let order = if rounds[0] % 2 == 0 { "" } else { "&order=none" };
        let store =
            S3Store::open(&server.uri(&format!("&flavour=aws{order}")).parse().unwrap(), options).await.unwrap();
        for _ in 0..200 {
            let turn = usize::try_from(rounds.iter().sum::<u64>() % 5).unwrap();
            rounds[turn] += 1;
            let done = async {
                match turn {
                    0 | 1 => {
                        let spec = ListSpec { recursive: turn == 1, ..ListSpec::default() };
                        let mut pages = store.list(&RelPath::ROOT, spec);
                        // A server that never comes to an end is for the caller to leave.
                        for _ in 0..4 {
                            let Some(page) = pages.next().await else { break };
                            page?;
                        }
                        Ok(())
                    }
                    2 => store.stat(&"a".into(), Facets::POSIX).await.map(drop),
                    3 => {
                        let reading = store.read(&"a".into(), ReadSpec::default()).await?;
                        collect_body(reading.body, 1 << 20).await.map(drop)
                    }
                    _ => {
                        let limits = SurveyLimits { version_pages: 3, upload_pages: 3, uploads_sized: 3 };
                        store.survey(&limits).await.map(drop)
                    }
                }
            };
            let done = tokio::time::timeout(Duration::from_secs(20), done).await;
            fine += u64::from(done.expect("it ends").is_ok());
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    eprintln!("lists, deep lists, looks, reads, surveys: {rounds:?}; {fine} of them went well; {peak}");
    assert!(fine > 0 && fine < rounds.iter().sum());
}
