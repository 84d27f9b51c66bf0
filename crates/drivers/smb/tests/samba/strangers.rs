//! Whatever answers in place of an SMB server.

use crate::rig::{Rig, at, refused, run};
use longshore_driver_smb::SmbOptions;
use std::time::Duration;
use storage::{ErrorKind, Retry};

pub fn strangers(_rig: &Rig) {
    run(async {
        let options = || SmbOptions { request_timeout: Duration::from_secs(2), ..SmbOptions::default() };
        let error = refused(&at("smb://127.0.0.1:9/share"), options()).await;
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Disconnected, Retry::Backoff), "{error:?}");
        assert!(error.cause().unwrap().contains("127.0.0.1:9") && error.hint_text().is_some(), "{error:?}");
        let error = refused(&at("smb://no-such-host.invalid/share"), options()).await;
        assert_eq!(error.kind(), ErrorKind::Disconnected, "{error:?}");
        let answers: [(&[u8], ErrorKind, &str); 6] = [
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", ErrorKind::Unsupported, "HTTP"),
            (b"\x15\x03\x03\0\x02\x02\x46", ErrorKind::Unsupported, "TLS"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", ErrorKind::Unsupported, "SSH"),
            (b"", ErrorKind::Unsupported, "closed"),
            (b"\0\0\0\x24\xFFSMBr\0\0\0\0\x98\x01\x60aaaaaaaaaaaaaaaaaaaaaaaa", ErrorKind::Unsupported, "SMB 1"),
            (b"\0\xFF\xFF\xFFxx", ErrorKind::Unsupported, "bytes came"),
        ];
        for (answer, kind, words) in answers {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = tokio::spawn(async move {
                use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = vec![0; 300];
                let _ = stream.read(&mut asked).await.unwrap();
                stream.write_all(answer).await.unwrap();
                stream.shutdown().await.unwrap();
            });
            let error = refused(&at(&format!("smb://127.0.0.1:{port}/share")), options()).await;
            server.await.unwrap();
            assert_eq!(error.kind(), kind, "{error:?}");
            assert!(error.cause().unwrap().contains(words), "{words}: {error:?}");
        }
        // One that says nothing at all.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = refused(&at(&format!("smb://127.0.0.1:{port}/share")), options()).await;
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    });
}
