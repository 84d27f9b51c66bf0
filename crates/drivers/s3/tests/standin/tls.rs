//! An endpoint that is not what the location says: each ends soon, and says what is wrong and what to do.

use crate::{
    options,
    server::{Certificate, Reply, Standin, answer},
};
use futures::StreamExt as _;
use longshore_driver_s3::{S3Options, S3Store};
use model::RelPath;
use std::time::{Duration, Instant};
use storage::{Error, ErrorKind, ListSpec, Reach, Retry, Source as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// What comes of listing at this endpoint, which must not take long.
async fn asked(endpoint: &str, more: &str) -> Result<usize, Error> {
    let uri = format!("s3://bucket/pre?endpoint={endpoint}&region=us-east-1&flavour=aws{more}");
    let options = S3Options { connect_timeout: Duration::from_secs(1), ..options() };
    let begun = Instant::now();
    let answer = match S3Store::open(&uri.parse().unwrap(), options).await {
        Ok(store) => {
            let mut pages = store.list(&RelPath::ROOT, ListSpec::default());
            pages.next().await.unwrap().map(|page| page.entries.len())
        }
        Err(error) => Err(error),
    };
    assert!(begun.elapsed() < Duration::from_secs(15), "{endpoint} took {:?}", begun.elapsed());
    answer
}

async fn refused(endpoint: &str, more: &str) -> (Error, String) {
    let error = asked(endpoint, more).await.unwrap_err();
    let text = format!("{error} {} {}", error.cause().unwrap_or_default(), error.hint_text().unwrap_or_default());
    (error, text)
}

fn found() -> Reply {
    Reply::Say(answer("200 OK", &[], "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"))
}

/// A PEM file that the store may be told to trust.
fn bundle(server: &Standin) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, server.ca.as_ref().unwrap()).unwrap();
    let more = format!("&ca={}", file.display());
    (directory, more)
}

#[tokio::test]
async fn https_to_a_port_of_plain_http_names_http() {
    // As a server does that reads lines and meets a greeting of TLS.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut greeting = [0; 5];
            socket.read_exact(&mut greeting).await.unwrap();
            socket.write_all(answer("400 Bad Request", &[], "").as_bytes()).await.unwrap();
        }
    });
    let (error, text) = refused(&endpoint, "").await;
    assert_eq!((error.kind(), error.retry(), error.reach()), (ErrorKind::Disconnected, Retry::Never, Reach::Location));
    assert!(text.contains("does not speak TLS") && text.contains("http://"), "{text}");
}

#[tokio::test]
async fn plain_http_to_a_port_of_tls_names_https() {
    // One ends the connection with an alert of TLS, as rustls and OpenSSL do.
    let server = Standin::start(true, |_| found()).await;
    let (_, text) = refused(&format!("http://localhost:{}", server.address.port()), "").await;
    assert!(text.contains("https://"), "{text}");
    // Others answer in plain words: Go (so MinIO and versitygw), and nginx.
    for words in [
        "Client sent an HTTP request to an HTTPS server.\n",
        "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n</html>",
    ] {
        let server = Standin::start(false, move |_| Reply::SayAndClose(answer("400 Bad Request", &[], words))).await;
        let (error, text) = refused(&format!("http://localhost:{}", server.address.port()), "").await;
        assert!(text.contains("https://"), "{text}");
        assert_eq!((error.retry(), error.reach()), (Retry::Never, Reach::Location), "{text}");
    }
}

#[tokio::test]
async fn a_certificate_of_nobody_known_names_the_parameter_to_trust_it() {
    for of in [Certificate::Signed("localhost"), Certificate::SelfSigned("localhost")] {
        let server = Standin::start_as(of, |_| found()).await;
        let endpoint = format!("https://localhost:{}", server.address.port());
        let (error, text) = refused(&endpoint, "").await;
        assert_eq!((error.retry(), error.reach()), (Retry::Never, Reach::Location), "{text}");
        assert!(text.contains("certificate") && text.contains("?ca="), "{text}");
        let (_directory, more) = bundle(&server);
        asked(&endpoint, &more).await.unwrap_or_else(|error| panic!("{of:?} is trusted now: {error:?}"));
    }
}

#[tokio::test]
async fn a_certificate_of_another_name_tells_both() {
    let server = Standin::start_as(Certificate::Signed("minio.example"), |_| found()).await;
    let (_directory, more) = bundle(&server);
    let (error, text) = refused(&format!("https://localhost:{}", server.address.port()), &more).await;
    assert_eq!((error.retry(), error.reach()), (Retry::Never, Reach::Location), "{text}");
    assert!(text.contains("localhost") && text.contains("minio.example"), "{text}");
}

#[tokio::test]
async fn a_server_that_is_silent_or_hangs_up_in_the_handshake_ends_in_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let silent = tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            held.push(listener.accept().await.unwrap());
        }
    });
    let (_, text) = refused(&endpoint, "").await;
    assert!(text.contains("did not answer within 1 s"), "{text}");
    silent.abort();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        loop {
            listener.accept().await.unwrap().0.shutdown().await.unwrap();
        }
    });
    let (error, text) = refused(&endpoint, "").await;
    assert_eq!(error.kind(), ErrorKind::Disconnected, "{text}");
    assert!(text.contains("TLS"), "{text}");
}

#[tokio::test]
async fn a_bundle_that_cannot_be_read_is_named() {
    for (content, says) in [(None, "ca.pem"), (Some("nothing"), "no certificate")] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        let (_, text) = refused("https://localhost:1", &format!("&ca={}", file.display())).await;
        assert!(text.contains(says), "{text}");
    }
}
