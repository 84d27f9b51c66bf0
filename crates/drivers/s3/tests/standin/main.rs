//! What no real server does on demand: closed connections, late errors, cut bodies, silence, a CA of its own.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod credentials;
mod express;
mod garbled;
mod ranges;
mod server;
mod tls;

use bytes::Bytes;
use futures::StreamExt as _;
use longshore_driver_s3::{Flavour, Keys, S3Options, S3Store};
use model::{Digests, Facets, RelPath};
use server::{Reply, Seen, Standin, answer, head, refusal};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use storage::{Body, ErrorKind, Reach, ReadSpec, Retry, Source as _, Target as _, WriteSpec};

fn options() -> S3Options {
    let keys = Keys { access: "AKID".into(), secret: "secret".into(), token: None };
    S3Options { keys: Some(keys), quiet_timeout: Duration::from_millis(300), ..S3Options::default() }
}

async fn open(server: &Standin, more: &str) -> S3Store {
    S3Store::open(&server.uri(more).parse().unwrap(), options()).await.unwrap()
}

fn fine() -> Reply {
    Reply::Say(answer("200 OK", &[("etag", "\"e\"")], ""))
}

fn one(text: &'static str) -> Vec<Bytes> {
    vec![Bytes::from_static(text.as_bytes())]
}

#[tokio::test]
async fn over_tls_with_its_own_ca_the_payload_is_unsigned_and_its_checksum_a_header() {
    let server = Standin::start(true, |_| fine()).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, server.ca.as_ref().unwrap()).unwrap();
    let store = open(&server, &format!("&flavour=aws&ca={}", file.display())).await;
    store
        .put(
            &"a b/\u{e9}".into(),
            WriteSpec::default(),
            vec![Bytes::from_static(b"1234"), Bytes::from_static(b"56789")],
        )
        .await
        .unwrap();
    let seen = server.seen().remove(0);
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("PUT", "/bucket/pre/a%20b/%C3%A9"));
    assert_eq!(seen.body, b"123456789");
    assert_eq!(seen.header("x-amz-content-sha256"), Some("UNSIGNED-PAYLOAD"));
    assert_eq!(seen.header("x-amz-checksum-crc64nvme"), Some("rosUhgp5mIg="));
    assert_eq!(seen.header("content-length"), Some("9"));
    assert_eq!(seen.header("transfer-encoding"), None);
    assert_eq!(seen.header("content-encoding"), None);
    let signed = seen.header("authorization").unwrap();
    assert!(
        signed.contains("SignedHeaders=host;x-amz-checksum-crc64nvme;x-amz-content-sha256;x-amz-date,"),
        "{signed}"
    );
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_with_what_to_do() {
    let server = Standin::start(true, |_| fine()).await;
    let store = open(&server, "&flavour=aws").await;
    let error = store.put(&"x".into(), WriteSpec::default(), one("x")).await.unwrap_err();
    assert_eq!((error.kind(), error.retry(), error.reach()), (ErrorKind::Disconnected, Retry::Never, Reach::Location));
    assert!(error.hint_text().unwrap().contains("?ca="), "{error:?}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn over_plain_http_the_payload_is_signed() {
    let server = Standin::start(false, |_| fine()).await;
    let store = open(&server, "&flavour=aws").await;
    store.put(&"x".into(), WriteSpec::default(), one("abc")).await.unwrap();
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(server.seen()[0].header("x-amz-content-sha256"), Some(digest));
}

#[tokio::test]
async fn one_connection_carries_one_request_after_another() {
    let server =
        Standin::start(
            false,
            |seen| {
                if seen.method == "GET" { Reply::Say(answer("200 OK", &[], "content")) } else { fine() }
            },
        )
        .await;
    let store = open(&server, "&flavour=aws").await;
    for _ in 0..20 {
        store.put(&"x".into(), WriteSpec::default(), one("abc")).await.unwrap();
        store.read(&"x".into(), ReadSpec::default()).await.unwrap();
    }
    assert!(server.seen().iter().all(|seen| seen.connection == 0), "{:?}", server.seen().last());
}

#[tokio::test]
async fn a_body_dropped_half_way_takes_its_connection_with_it() {
    let long: &'static str = "x".repeat(2 << 20).leak();
    let server = Standin::start(false, move |_| Reply::Say(answer("200 OK", &[], long))).await;
    let store = open(&server, "&flavour=aws").await;
    for round in 0..3 {
        let reading = store.read(&"x".into(), ReadSpec::default()).await.unwrap();
        let Body::Stream(mut pieces) = reading.body else { panic!("two MiB come as a stream") };
        pieces.next().await.unwrap().unwrap();
        drop(pieces);
        assert_eq!(server.seen().last().unwrap().connection, round);
    }
}

#[tokio::test]
async fn a_request_that_meets_a_closed_connection_goes_out_again() {
    // Every connection is closed after its first answer, without a word in the answer.
    let server = Standin::start(false, |_| Reply::SayAndClose(answer("200 OK", &[("etag", "\"e\"")], ""))).await;
    let store = open(&server, "&flavour=aws").await;
    for _ in 0..5 {
        store.put(&"x".into(), WriteSpec::default(), one("abc")).await.unwrap();
    }
    // Now it closes only when the second request has arrived: that one crossed the closing.
    let server = Standin::start(false, |seen| if seen.before > 0 { Reply::Close } else { fine() }).await;
    let store = open(&server, "&flavour=aws").await;
    store.put(&"x".into(), WriteSpec::default(), one("abc")).await.unwrap();
    store.put(&"x".into(), WriteSpec::default(), one("abc")).await.unwrap();
    assert_eq!(server.seen().len(), 3);
    // A conditional write could lose against itself, so it is for the caller to look.
    let spec = WriteSpec { if_absent: true, ..WriteSpec::default() };
    let error = store.put(&"x".into(), spec, one("abc")).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Disconnected, Retry::Backoff));
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn a_content_cut_short_is_an_error_and_never_an_end() {
    let server = Standin::start(false, |_| {
        Reply::SayAndClose("HTTP/1.1 200 OK\r\ncontent-length: 600000\r\n\r\nshort".to_owned())
    })
    .await;
    let store = open(&server, "&flavour=aws").await;
    let reading = store.read(&"x".into(), ReadSpec::default()).await.unwrap();
    let error = storage::collect_body(reading.body, 1 << 20).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
}

#[tokio::test]
async fn silence_is_a_timeout_before_and_in_the_body() {
    let server = Standin::start(false, |_| Reply::Silence).await;
    let store = open(&server, "&flavour=aws").await;
    let error = store.put(&"x".into(), WriteSpec::default(), one("abc")).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, Retry::Backoff));
    let server = Standin::start(false, |seen| {
        if seen.before == 0 && seen.method == "GET" {
            Reply::Say("HTTP/1.1 200 OK\r\ncontent-length: 600000\r\n\r\nslow".to_owned())
        } else {
            Reply::Silence
        }
    })
    .await;
    let store = open(&server, "&flavour=aws").await;
    let reading = store.read(&"x".into(), ReadSpec::default()).await.unwrap();
    assert_eq!(storage::collect_body(reading.body, 1 << 20).await.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn an_error_after_a_success_is_an_error() {
    let server = Standin::start(false, |seen| match seen.method.as_str() {
        "POST" if seen.target.ends_with("uploads=") => Reply::Say(answer(
            "200 OK",
            &[],
            "<InitiateMultipartUploadResult><UploadId>u/1</UploadId></InitiateMultipartUploadResult>",
        )),
        "POST" => {
            let late = "<?xml version=\"1.0\"?>\n   <Error><Code>InternalError</Code><Message>late</Message></Error>";
            Reply::Say(answer("200 OK", &[("x-amz-request-id", "REQ1")], late))
        }
        _ => fine(),
    })
    .await;
    let store = open(&server, "&flavour=aws").await;
    let upload = store.create(&"x".into(), WriteSpec::default()).await.unwrap();
    let receipt = upload.part(0, 0, one("123456789"), 0xAE8B_1486_0A79_9888).await.unwrap();
    let error = upload.finish(vec![receipt], Digests::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Throttled, Retry::Backoff));
    assert_eq!(error.cause().unwrap(), "InternalError: late (HTTP 500, request REQ1)");
    let finish = server.seen().pop().unwrap();
    assert_eq!(finish.target, "/bucket/pre/x?uploadId=u%2F1");
    assert_eq!(finish.header("x-amz-checksum-crc64nvme"), Some("rosUhgp5mIg="));
    assert_eq!(finish.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
    assert_eq!(finish.header("x-amz-mp-object-size"), Some("9"));
    let list = String::from_utf8(finish.body).unwrap();
    assert!(
        list.contains("<Part><PartNumber>1</PartNumber><ETag>&quot;e&quot;</ETag><ChecksumCRC64NVME>rosUhgp5mIg=</"),
        "{list}"
    );
}

#[tokio::test]
async fn a_checksum_that_differs_from_what_was_sent_is_corrupt() {
    let server = Standin::start(false, |_| {
        Reply::Say(answer("200 OK", &[("etag", "\"e\""), ("x-amz-checksum-crc64nvme", "AAAAAAAAAAE=")], ""))
    })
    .await;
    let store = open(&server, "&flavour=aws").await;
    let error = store.put(&"x".into(), WriteSpec::default(), one("abc")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn an_expired_token_is_renewed_once_and_the_request_sent_again() {
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    let server = Standin::start(false, move |_| {
        if count.fetch_add(1, Ordering::SeqCst) == 0 { refusal("400 Bad Request", "ExpiredToken", "") } else { fine() }
    })
    .await;
    let store = open(&server, "&flavour=aws").await;
    store.put(&"x".into(), WriteSpec::default(), one("abc")).await.unwrap();
    assert_eq!(server.seen().len(), 2);
    let server = Standin::start(false, |_| refusal("400 Bad Request", "ExpiredToken", "")).await;
    let store = open(&server, "&flavour=aws").await;
    let error = store.put(&"x".into(), WriteSpec::default(), one("abc")).await.unwrap_err();
    assert_eq!((error.kind(), error.reach(), server.seen().len()), (ErrorKind::Unauthenticated, Reach::Location, 2));
}

#[tokio::test]
async fn what_a_preflight_meets_is_told_apart() {
    let said = Arc::new(Mutex::new(Reply::Close));
    let script = Arc::clone(&said);
    let server = Standin::start(false, move |_: &Seen| script.lock().unwrap().clone()).await;
    let store = open(&server, "&flavour=aws").await;
    let skewed = answer(
        "403 Forbidden",
        &[("date", "Fri, 24 May 2013 00:00:00 GMT")],
        "<Error><Code>RequestTimeTooSkewed</Code><Message>no</Message></Error>",
    );
    for (reply, kind, hint) in [
        (refusal("404 Not Found", "NoSuchBucket", ""), ErrorKind::NotFound, "create the bucket"),
        (refusal("403 Forbidden", "AccessDenied", ""), ErrorKind::Denied, "policies"),
        (refusal("403 Forbidden", "SignatureDoesNotMatch", ""), ErrorKind::Unauthenticated, "secret key"),
        (refusal("403 Forbidden", "InvalidAccessKeyId", ""), ErrorKind::Unauthenticated, "access key"),
        (Reply::Say(skewed), ErrorKind::Unauthenticated, "s ahead of the server's"),
        (
            refusal("400 Bad Request", "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
            ErrorKind::Invalid,
            "?region=eu-west-1",
        ),
        (
            Reply::Say(answer("301 Moved Permanently", &[("x-amz-bucket-region", "eu-west-3")], "")),
            ErrorKind::Invalid,
            "?region=eu-west-3",
        ),
        (
            Reply::Say(answer("200 OK", &[], "<!DOCTYPE html><html></html>")),
            ErrorKind::Unexpected,
            "check the endpoint",
        ),
    ] {
        *said.lock().unwrap() = reply;
        let error = store.check().await.unwrap_err();
        assert_eq!((error.kind(), error.reach()), (kind, Reach::Location), "{error:?}");
        assert!(error.hint_text().is_some_and(|text| text.contains(hint)), "{error:?}: {:?}", error.hint_text());
    }
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let uri = format!("s3://bucket?endpoint=http://{closed}");
    let error = S3Store::open(&uri.parse().unwrap(), options()).await.unwrap_err();
    assert_eq!((error.kind(), error.reach()), (ErrorKind::Disconnected, Reach::Location), "{error:?}");
    assert!(error.hint_text().unwrap().contains("check the endpoint"), "{error:?}");
}

#[tokio::test]
async fn the_server_is_asked_what_it_is_without_a_signature() {
    for (name, flavour) in [("MinIO", Flavour::Minio), ("Ceph Object Gateway", Flavour::Generic)] {
        let server = Standin::start(false, move |_| Reply::Say(answer("403 Forbidden", &[("server", name)], ""))).await;
        assert_eq!(open(&server, "").await.flavour(), flavour);
        let seen = server.seen().remove(0);
        assert_eq!(
            (seen.method.as_str(), seen.target.as_str(), seen.header("authorization")),
            ("HEAD", "/bucket", None)
        );
    }
}

#[derive(Debug, Default)]
struct Heard(Mutex<Vec<(&'static str, bool)>>);

impl storage::Probe for Heard {
    fn observed(&self, op: &'static str, _took: Duration, ok: bool) {
        self.0.lock().unwrap().push((op, ok));
    }
}

#[tokio::test]
async fn a_probe_hears_of_every_request_under_the_apis_name() {
    let server = Standin::start(false, |seen| match seen.method.as_str() {
        "PUT" => fine(),
        _ => refusal("503 Slow Down", "SlowDown", ""),
    })
    .await;
    let heard = Arc::new(Heard::default());
    let options = S3Options { probe: Arc::clone(&heard) as _, ..options() };
    let store = S3Store::open(&server.uri("&flavour=aws").parse().unwrap(), options).await.unwrap();
    store.put(&"x".into(), WriteSpec::default(), one("abc")).await.unwrap();
    let error = store.read(&"x".into(), ReadSpec::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Throttled, Retry::Backoff));
    assert_eq!(*heard.0.lock().unwrap(), [("PutObject", true), ("GetObject", false)]);
}

#[tokio::test]
async fn nothing_is_signed_for_an_anonymous_reader() {
    let server = Standin::start(false, |_| Reply::Say(answer("200 OK", &[], "content"))).await;
    let store = open(&server, "&flavour=aws&anonymous=true").await;
    store.read(&"x".into(), ReadSpec::default()).await.unwrap();
    assert!(server.seen()[0].headers.iter().all(|(name, _)| name != "authorization" && name != "x-amz-date"));
}

#[tokio::test]
async fn digests_are_told_only_where_they_are_of_the_whole_content() {
    const MD5: &str = "\"9e107d9d372bb6826bd81d3542a419d6\"";
    type Headers = [(&'static str, &'static str)];
    let cases: [(&Headers, bool, bool); 5] = [
        (
            &[("etag", MD5), ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="), ("x-amz-checksum-type", "FULL_OBJECT")],
            true,
            true,
        ),
        (
            &[("etag", "\"9e107d9d372bb6826bd81d3542a419d6-3\""), ("x-amz-checksum-crc64nvme", "rosUhgp5mIg=")],
            false,
            true,
        ),
        (
            &[("etag", MD5), ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="), ("x-amz-checksum-type", "COMPOSITE")],
            true,
            false,
        ),
        (&[("etag", MD5), ("x-amz-server-side-encryption", "aws:kms")], false, false),
        (&[("etag", MD5), ("x-amz-server-side-encryption", "AES256")], true, false),
    ];
    for (headers, md5, crc) in cases {
        let head = head("200 OK", 9, headers);
        let server = Standin::start(false, move |_| Reply::Say(head.clone())).await;
        let store = open(&server, "&flavour=aws").await;
        let digests = store.stat(&"x".into(), Facets::DIGESTS).await.unwrap().digests.unwrap();
        assert_eq!((digests.md5.is_some(), digests.crc64nvme.is_some()), (md5, crc), "{headers:?}");
        assert_eq!(server.seen()[0].header("x-amz-checksum-mode"), Some("ENABLED"));
    }
}

#[tokio::test]
async fn a_page_that_shows_a_directory_again_after_a_resume_shows_it_once() {
    let page = |more: &str| {
        answer("200 OK", &[], &format!("<ListBucketResult><EncodingType>url</EncodingType>{more}</ListBucketResult>"))
    };
    let server = Standin::start(false, move |seen| {
        Reply::Say(if seen.target.contains("start-after=pre%2Fd%2F") {
            page(
                "<Contents><Key>pre/e+f</Key><Size>1</Size></Contents><CommonPrefixes><Prefix>pre/d/</Prefix></CommonPrefixes>",
            )
        } else {
            page(
                "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>\
                 <Contents><Key>pre/c</Key><Size>1</Size></Contents><CommonPrefixes><Prefix>pre/d/</Prefix></CommonPrefixes>",
            )
        })
    })
    .await;
    let store = open(&server, "&flavour=aws").await;
    let first = store.list(&RelPath::ROOT, storage::ListSpec::default()).next().await.unwrap().unwrap();
    assert_eq!(first.entries.iter().map(|e| e.path.clone()).collect::<Vec<_>>(), [RelPath::from("c"), "d".into()]);
    let spec = storage::ListSpec { from: first.next, ..storage::ListSpec::default() };
    let second = store.list(&RelPath::ROOT, spec).next().await.unwrap().unwrap();
    assert_eq!(second.entries.iter().map(|e| e.path.clone()).collect::<Vec<_>>(), [RelPath::from("e f")]);
    assert!(second.next.is_none());
}
