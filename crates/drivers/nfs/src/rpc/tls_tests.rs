//! Against servers that are played here: asked for TLS (RFC 9289), which no server of Debian 12 offers, and from the
//! first byte.

use super::{
    tests::{LAST, SEVEN, Server, accepted, ask, echo, server},
    *,
};
use crate::{NfsTls, TlsStart};
use futures::future::join_all;
use std::{path::PathBuf, time::Instant};
use storage::{ErrorKind, Retry};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;

/// A certificate for `filer.test` and a file that vouches for it.
struct Certified {
    acceptor: TlsAcceptor,
    bundle: PathBuf,
    _dir: tempfile::TempDir,
}

fn certified(versions: &[&'static rustls::SupportedProtocolVersion]) -> Certified {
    let made = rcgen::generate_simple_self_signed(["filer.test".to_owned()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let bundle = dir.path().join("ca.pem");
    std::fs::write(&bundle, made.cert.pem()).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"sunrpc".to_vec()];
    Certified { acceptor: TlsAcceptor::from(Arc::new(config)), bundle, _dir: dir }
}

fn options(start: TlsStart, name: &str, bundles: &[PathBuf]) -> RpcOptions {
    let tls = Tls::new(&NfsTls { start, ca_bundles: bundles.to_vec() }, name).unwrap();
    RpcOptions { tls: Some(tls), connect_timeout: Duration::from_secs(1), ..RpcOptions::default() }
}

/// The xid of a question for TLS, which must be one to the letter.
async fn question(stream: &mut TcpStream) -> u32 {
    let mut words = [0; 11];
    for word in &mut words {
        *word = stream.read_u32().await.unwrap();
    }
    let xid = words[1];
    assert_eq!(words, [LAST | 0x28, xid, 0, 2, 7, 8, 0, 7, 0, 0, 0]);
    xid
}

/// The record that says yes.
fn yes(xid: u32) -> Vec<u8> {
    let words = [LAST | 32, xid, 1, 0, 0, 8].map(u32::to_be_bytes).concat();
    [&words[..], b"STARTTLS", &[0; 4]].concat()
}

async fn refused(server: &Server, options: &RpcOptions) -> (RpcError, Duration) {
    let since = Instant::now();
    let error = Rpc::connect(&server.at, SEVEN, options).await.expect_err("it connected");
    (error, since.elapsed())
}

#[tokio::test]
async fn a_server_that_is_asked_for_tls_is_called_over_it() {
    let certified = certified(rustls::DEFAULT_VERSIONS);
    for (name, trusted) in [("filer.test", true), ("other.test", false)] {
        let acceptor = certified.acceptor.clone();
        let server = server(|mut stream| async move {
            let xid = question(&mut stream).await;
            stream.write_all(&yes(xid)).await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                let (_, tls) = stream.get_ref();
                assert_eq!(tls.alpn_protocol(), Some(&b"sunrpc"[..]));
                assert_eq!(tls.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
                echo(stream).await;
            }
        })
        .await;
        let options = options(TlsStart::Asked, name, std::slice::from_ref(&certified.bundle));
        if trusted {
            let rpc = Rpc::connect(&server.at, SEVEN, &options).await.unwrap();
            let large = vec![9; 2 << 20];
            let asked = join_all((0..4).map(|_| ask(&rpc, large.clone()))).await;
            assert!(asked.into_iter().all(|answer| answer.unwrap() == large));
        } else {
            let error = refused(&server, &options).await.0;
            assert!(matches!(error, RpcError::Tls(TlsError::WrongName(_))), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_tunnel_is_trusted_by_its_certificate() {
    for versions in [rustls::DEFAULT_VERSIONS, &[&rustls::version::TLS12]] {
        let certified = certified(versions);
        for (name, trusted) in [("filer.test", true), ("filer.test", false), ("other.test", true)] {
            let acceptor = certified.acceptor.clone();
            let server = server(|stream| async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    echo(stream).await;
                }
            })
            .await;
            // Somebody else's certificate, because a system may have none of its own.
            let other = super::tls_tests::certified(versions);
            let bundle = if trusted { &certified.bundle } else { &other.bundle };
            let answer =
                Rpc::connect(&server.at, SEVEN, &options(TlsStart::Direct, name, std::slice::from_ref(bundle))).await;
            match (name, trusted) {
                ("filer.test", true) => assert_eq!(ask(&answer.unwrap(), &b"six"[..]).await.unwrap(), b"six"[..]),
                ("filer.test", false) => {
                    let Err(RpcError::Tls(error)) = answer else { panic!("{answer:?}") };
                    assert!(matches!(error, TlsError::Untrusted(_) | TlsError::Refused(_)), "{error:?}");
                }
                _ => assert!(matches!(answer, Err(RpcError::Tls(TlsError::WrongName(_)))), "{answer:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_does_not_say_yes_is_not_spoken_to() {
    /// Whether it succeeds without a word, or says which `auth_stat`.
    fn no(xid: u32, auth: Option<u32>) -> Vec<u8> {
        match auth {
            None => accepted(xid, b""),
            Some(auth) => [LAST | 0x14, xid, 1, 1, 1, auth].map(u32::to_be_bytes).concat(),
        }
    }
    for (auth, told) in [(None, "without a word"), (Some(2), "AUTH_REJECTEDCRED"), (Some(1), "AUTH_BADCRED")] {
        let server = server(move |mut stream| async move {
            let xid = question(&mut stream).await;
            stream.write_all(&no(xid, auth)).await.unwrap();
            assert_eq!(stream.read(&mut [0; 9]).await.unwrap_or(0), 0, "it says more");
        })
        .await;
        let error = refused(&server, &options(TlsStart::Asked, "filer.test", &[])).await.0;
        assert!(matches!(&error, RpcError::Tls(TlsError::NotOffered(why)) if why.contains(told)), "{error:?}");
    }
}

#[tokio::test]
async fn what_comes_before_tls_is_not_taken_for_what_comes_in_it() {
    let server = server(|mut stream| async move {
        let xid = question(&mut stream).await;
        stream.write_all(&[yes(xid), accepted(1, b"smuggled")].concat()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
    })
    .await;
    let error = refused(&server, &options(TlsStart::Asked, "filer.test", &[])).await.0;
    assert!(matches!(error, RpcError::Malformed(_)), "{error:?}");
}

#[tokio::test]
async fn silence_ends_in_time_and_a_closed_connection_at_once() {
    for start in [TlsStart::Asked, TlsStart::Direct] {
        let silent = server(|stream| async move {
            let _held = stream;
            std::future::pending::<()>().await;
        })
        .await;
        let (error, took) = refused(&silent, &options(start, "filer.test", &[])).await;
        assert!(matches!(error, RpcError::Tls(TlsError::Silent(_))), "{error:?}");
        assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(3), "{took:?}");
        let told = match error {
            RpcError::Tls(error) => error.error("open"),
            _ => unreachable!(),
        };
        assert_eq!((told.kind(), told.retry()), (ErrorKind::Timeout, Retry::Backoff));
        assert!(told.hint_text().unwrap().contains("?tls=direct"));
        let closing = server(|mut stream| async move {
            stream.read_u32().await.unwrap_or_default();
        })
        .await;
        let (error, took) = refused(&closing, &options(start, "filer.test", &[])).await;
        assert!(matches!(&error, RpcError::Connect(why) if why.to_string().contains("TLS")), "{error:?}");
        assert!(took < Duration::from_millis(900), "{took:?}");
    }
}

#[tokio::test]
async fn the_wrong_manner_is_told() {
    // A handshake is answered plainly.
    let plain = server(|mut stream| async move {
        stream.write_all(&accepted(1, b"plain")).await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
    })
    .await;
    let error = refused(&plain, &options(TlsStart::Direct, "filer.test", &[])).await.0;
    assert!(matches!(error, RpcError::Tls(TlsError::NotSpoken)), "{error:?}");
    // A plain call, and the plain question for TLS, are answered with an alert.
    let alert = b"\x15\x03\x01\x00\x02\x02\x46";
    let tunnel = || {
        server(move |mut stream| async move {
            stream.read_u32().await.unwrap();
            stream.write_all(alert).await.unwrap();
            tokio::time::sleep(Duration::from_secs(5)).await;
        })
    };
    let error = refused(&tunnel().await, &options(TlsStart::Asked, "filer.test", &[])).await.0;
    assert!(matches!(error, RpcError::Tls(TlsError::Spoken)), "{error:?}");
    let tunnel = tunnel().await;
    let rpc = Rpc::connect(&tunnel.at, SEVEN, &RpcOptions::default()).await.unwrap();
    let Err(RpcError::Tls(error)) = ask(&rpc, &b"x"[..]).await else { panic!("no error of TLS") };
    let told = error.error("open");
    assert_eq!((told.kind(), told.retry()), (ErrorKind::Disconnected, Retry::Never));
    assert!(told.hint_text().unwrap().contains("?tls=direct"), "{told:?}");
}
