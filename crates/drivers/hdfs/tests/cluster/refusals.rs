//! Doors that do not open say why.

use crate::rig::{block_on, hasty};
use longshore_driver_hdfs::HdfsStore;
use std::time::{Duration, Instant};
use storage::{Error, ErrorKind};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

async fn refused(uri: &str) -> Error {
    HdfsStore::connect(&uri.parse().unwrap(), hasty(4)).await.unwrap_err()
}

/// A server that answers every connection with these bytes, or with nothing at all.
async fn server(answer: Option<&'static [u8]>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            if let Some(answer) = answer {
                let mut seen = [0; 16];
                let _read = stream.read(&mut seen).await;
                let _written = stream.write_all(answer).await;
            }
            open.push(stream);
        }
    });
    port
}

pub fn not_a_name_node() {
    block_on(async {
        let cases: [(&'static [u8], &str); 4] = [
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", "an answer of"),
            (b"SSH-2.0-OpenSSH_9.2p1\r\n", "an answer of"),
            (b"\x00\x00\x00\x04\xff\xff\xff\xff", "header"),
            (b"\x00\x00\x00\x00", "header"),
        ];
        for (answer, words) in cases {
            let port = server(Some(answer)).await;
            let error = refused(&format!("hdfs://127.0.0.1:{port}/")).await;
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
            assert!(error.cause().unwrap().contains(words) && error.hint_text().unwrap().contains("9870"), "{error:?}");
        }
        // The NameNode's own web page.
        let error = refused("hdfs://127.0.0.1:8070/").await;
        assert!(matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Disconnected), "{error:?}");
    });
}

pub fn unreachable() {
    block_on(async {
        let error = refused("hdfs://127.0.0.1:1/").await;
        assert_eq!(error.kind(), ErrorKind::Disconnected, "{error:?}");
        assert!(error.hint_text().unwrap().contains("nothing listens"), "{error:?}");
        let error = refused("hdfs://no-such-nameservice/").await;
        assert!(error.hint_text().unwrap().contains("?conf="), "{error:?}");
        let dir = tempfile::tempdir().unwrap();
        let site =
            "<configuration><property><name>dfs.nameservices</name><value>prod,test</value></property></configuration>";
        std::fs::write(dir.path().join("hdfs-site.xml"), site).unwrap();
        let error = refused(&format!("hdfs://pord/?conf={}", dir.path().display())).await;
        assert!(error.hint_text().unwrap().contains("prod, test"), "{error:?}");
        let started = Instant::now();
        let port = server(None).await;
        let error = refused(&format!("hdfs://127.0.0.1:{port}/")).await;
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
        let error = refused("hdfs://127.0.0.1:8020/no/such/dir").await;
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    });
}
