use super::*;
use crate::xdr::{Reader, Writer};
use futures::future::join_all;
use std::sync::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub(super) const LAST: u32 = 1 << 31;
pub(super) const SEVEN: Program = Program { number: 7, version: 8 };

/// A server of one connection that `serve` plays; it ends when dropped.
pub(super) struct Server {
    pub at: Address,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) async fn server<F: Future<Output = ()> + Send + 'static>(
    serve: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().into();
    let task = tokio::spawn(async move { serve(listener.accept().await.unwrap().0).await });
    Server { at, task }
}

/// The next call: its xid, and its body after the head.
async fn next_call(stream: &mut (impl AsyncRead + Unpin)) -> Option<(u32, Vec<u8>)> {
    let mark = stream.read_u32().await.ok()?;
    assert!(mark & LAST != 0);
    let mut record = vec![0; usize::try_from(mark & !LAST).unwrap()];
    stream.read_exact(&mut record).await.unwrap();
    let mut head = Reader(&record);
    let xid = head.u32().unwrap();
    let words: Vec<_> = (0..5).map(|_| head.u32().unwrap()).collect();
    assert_eq!(words, [0, 2, 7, 8, 9]);
    for _ in 0..2 {
        head.u32().unwrap();
        head.opaque(400).unwrap();
    }
    Some((xid, head.0.to_vec()))
}

pub(super) fn accepted(xid: u32, results: &[u8]) -> Vec<u8> {
    let record = [&reply_to(xid).into_bytes()[..], results].concat();
    [&(LAST | u32::try_from(record.len()).unwrap()).to_be_bytes()[..], &record].concat()
}

fn options() -> RpcOptions {
    RpcOptions { call_timeout: Duration::from_millis(300), ..RpcOptions::default() }
}

pub(super) async fn ask(rpc: &Rpc, body: impl Into<Bytes>) -> Result<Bytes, RpcError> {
    let who = Credential::sys(&AuthSys::default());
    rpc.call(7, 8, 9, &who, body.into()).await
}

/// Answers every call with its own body.
pub(super) async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    while let Some((xid, body)) = next_call(&mut stream).await {
        stream.write_all(&accepted(xid, &body)).await.unwrap();
    }
}

#[tokio::test]
async fn calls_in_flight_are_answered_in_any_order() {
    let server = server(|mut stream| async move {
        let mut calls = Vec::new();
        while calls.len() < 64 {
            calls.push(next_call(&mut stream).await.unwrap());
        }
        let backwards: Vec<u8> = calls.iter().rev().flat_map(|(xid, body)| accepted(*xid, body)).collect();
        stream.write_all(&backwards).await.unwrap();
        echo(stream).await;
    })
    .await;
    let rpc = Rpc::connect(&server.at, SEVEN, &options()).await.unwrap();
    let asked = join_all((0..64_u32).map(|n| ask(&rpc, n.to_be_bytes().to_vec()))).await;
    for (n, answer) in (0..64_u32).zip(asked) {
        assert_eq!(answer.unwrap(), n.to_be_bytes()[..]);
    }
    assert_eq!(ask(&rpc, &b"last"[..]).await.unwrap(), b"last"[..]);
    assert_eq!(rpc.under_way(), 0);
}

#[tokio::test]
async fn no_more_calls_are_sent_than_may_be_in_flight() {
    let seen = Arc::new(Mutex::new(0));
    let count = seen.clone();
    let server = server(|mut stream| async move {
        let mut calls = Vec::new();
        loop {
            while let Ok(call) = tokio::time::timeout(Duration::from_millis(30), next_call(&mut stream)).await {
                let Some(call) = call else { return };
                calls.push(call);
            }
            {
                let mut most = count.lock().unwrap();
                *most = calls.len().max(*most);
            }
            for (xid, body) in calls.drain(..) {
                stream.write_all(&accepted(xid, &body)).await.unwrap();
            }
        }
    })
    .await;
    let rpc = Rpc::connect(&server.at, SEVEN, &RpcOptions { in_flight: 5, ..options() }).await.unwrap();
    let asked = join_all((0..12).map(|_| ask(&rpc, Bytes::new()))).await;
    assert!(asked.iter().all(Result::is_ok));
    assert_eq!(*seen.lock().unwrap(), 5);
}

#[tokio::test]
async fn a_reply_that_nobody_waits_for_is_ignored() {
    let server = server(|mut stream| async move {
        let (xid, _) = next_call(&mut stream).await.unwrap();
        for stray in [xid.wrapping_add(1), xid.wrapping_sub(1), 0] {
            stream.write_all(&accepted(stray, b"not yours")).await.unwrap();
        }
        stream.write_all(&accepted(xid, b"good")).await.unwrap();
        stream.write_all(&accepted(xid, b"again")).await.unwrap();
        echo(stream).await;
    })
    .await;
    let rpc = Rpc::connect(&server.at, SEVEN, &options()).await.unwrap();
    assert_eq!(ask(&rpc, Bytes::new()).await.unwrap(), b"good"[..]);
    assert_eq!(ask(&rpc, &b"next"[..]).await.unwrap(), b"next"[..]);
}

#[tokio::test]
async fn a_slow_call_fails_alone_while_the_server_is_heard() {
    let server = server(|mut stream| async move {
        let slow = next_call(&mut stream).await.unwrap();
        for _ in 0..8 {
            let (xid, _) = next_call(&mut stream).await.unwrap();
            stream.write_all(&accepted(xid, b"fast")).await.unwrap();
        }
        stream.write_all(&accepted(slow.0, b"late")).await.unwrap();
        echo(stream).await;
    })
    .await;
    let rpc = Rpc::connect(&server.at, SEVEN, &options()).await.unwrap();
    let slow = ask(&rpc, &b"slow"[..]);
    let fast = async {
        for _ in 0..7 {
            assert_eq!(ask(&rpc, Bytes::new()).await.unwrap(), b"fast"[..]);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let (slow, ()) = tokio::join!(slow, fast);
    assert!(matches!(slow, Err(RpcError::Timeout(_))));
    assert!(!rpc.is_closed());
    assert_eq!(ask(&rpc, Bytes::new()).await.unwrap(), b"fast"[..]);
    assert_eq!(ask(&rpc, &b"after"[..]).await.unwrap(), b"after"[..]);
}

#[tokio::test]
async fn a_silent_server_is_given_up_and_all_calls_with_it() {
    let server = server(|stream| async move {
        tokio::time::sleep(Duration::from_mins(1)).await;
        drop(stream);
    })
    .await;
    let rpc = Rpc::connect(&server.at, SEVEN, &options()).await.unwrap();
    let later = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        ask(&rpc, Bytes::new()).await
    };
    let (first, later) = tokio::join!(ask(&rpc, Bytes::new()), later);
    assert!(matches!(first, Err(RpcError::Timeout(_))));
    assert!(matches!(later, Err(RpcError::Closed(_))), "{later:?}");
    assert!(rpc.is_closed() && matches!(ask(&rpc, Bytes::new()).await, Err(RpcError::Closed(_))));
}

#[tokio::test]
async fn a_large_answer_that_trickles_keeps_the_connection() {
    let server = server(|mut stream| async move {
        let (xid, _) = next_call(&mut stream).await.unwrap();
        let reply = accepted(xid, &vec![7; 100_000]);
        for piece in reply.chunks(10_000) {
            stream.write_all(piece).await.unwrap();
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        echo(stream).await;
    })
    .await;
    let rpc = Rpc::connect(&server.at, SEVEN, &options()).await.unwrap();
    assert!(matches!(ask(&rpc, Bytes::new()).await, Err(RpcError::Timeout(_))));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(ask(&rpc, &b"on"[..]).await.unwrap(), b"on"[..]);
}

#[tokio::test]
async fn the_end_of_the_connection_fails_every_call_at_once() {
    for cut in [&b""[..], b"\x80\0", b"\x80\0\0\x40\0\0"] {
        let server = server(move |mut stream| async move {
            for _ in 0..3 {
                next_call(&mut stream).await.unwrap();
            }
            stream.write_all(cut).await.unwrap();
        })
        .await;
        let rpc = Rpc::connect(&server.at, SEVEN, &RpcOptions::default()).await.unwrap();
        let asked = join_all((0..3).map(|_| ask(&rpc, Bytes::new()))).await;
        assert!(asked.iter().all(|answer| matches!(answer, Err(RpcError::Closed(_)))), "{asked:?}");
        assert!(rpc.is_closed() && matches!(ask(&rpc, Bytes::new()).await, Err(RpcError::Closed(_))));
    }
}

#[tokio::test]
async fn a_record_that_is_too_long_or_nonsense_ends_the_connection() {
    for (sent, too_long) in
        [(&b"\xff\xff\xff\xff"[..], true), (b"\x80\0\0\x04abcd", false), (b"\x80\0\0\x08abcdefgh", false)]
    {
        let server = server(move |mut stream| async move {
            next_call(&mut stream).await.unwrap();
            stream.write_all(sent).await.unwrap();
            tokio::time::sleep(Duration::from_mins(1)).await;
        })
        .await;
        let rpc = Rpc::connect(&server.at, SEVEN, &options()).await.unwrap();
        match ask(&rpc, Bytes::new()).await {
            Err(RpcError::TooLong { .. }) => assert!(too_long),
            Err(RpcError::Malformed(_)) => assert!(!too_long),
            other => panic!("{other:?}"),
        }
        assert!(rpc.is_closed());
    }
    let server = server(echo).await;
    let rpc = Rpc::connect(&server.at, SEVEN, &RpcOptions { record_max: 1000, ..options() }).await.unwrap();
    assert!(matches!(ask(&rpc, vec![0; 1000]).await, Err(RpcError::TooLong { .. })));
    assert!(ask(&rpc, vec![0; 900]).await.is_ok());
}

#[tokio::test]
async fn what_the_server_calls_is_answered_or_ignored() {
    for answers in [true, false] {
        let server = server(move |mut stream| async move {
            let mut call = Writer::default();
            call.u32(77).u32(0).u32(2);
            let call = call.into_bytes();
            stream.write_u32(LAST | u32::try_from(call.len()).unwrap()).await.unwrap();
            stream.write_all(&call).await.unwrap();
            if answers {
                assert_eq!(stream.read_u32().await.unwrap(), LAST | 0x18);
                let mut reply = [0; 24];
                stream.read_exact(&mut reply).await.unwrap();
                assert_eq!(reply[..8], [0, 0, 0, 77, 0, 0, 0, 1]);
            }
            echo(stream).await;
        })
        .await;
        let callback: Callback = Arc::new(|call| Some(reply_to(Reader(&call).u32().unwrap()).into_bytes()));
        let options = RpcOptions { callback: answers.then_some(callback), ..options() };
        let rpc = Rpc::connect(&server.at, SEVEN, &options).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(ask(&rpc, &b"on"[..]).await.unwrap(), b"on"[..]);
    }
}

#[tokio::test]
async fn a_callback_that_panics_ends_the_connection_and_nothing_else() {
    let server = server(|mut stream| async move {
        next_call(&mut stream).await.unwrap();
        stream.write_all(b"\x80\0\0\x08\0\0\0\x01\0\0\0\0").await.unwrap();
        echo(stream).await;
    })
    .await;
    let callback: Callback = Arc::new(|_| panic!("on purpose"));
    let rpc = Rpc::connect(&server.at, SEVEN, &RpcOptions { callback: Some(callback), ..options() }).await.unwrap();
    assert!(matches!(ask(&rpc, Bytes::new()).await, Err(RpcError::Closed(_))));
}

#[tokio::test]
async fn the_connection_ends_with_the_last_that_holds_it() {
    let (told, ended) = tokio::sync::oneshot::channel();
    let server = server(|stream| async move {
        echo(stream).await;
        told.send(()).unwrap();
    })
    .await;
    let rpc = Rpc::connect(&server.at, SEVEN, &options()).await.unwrap();
    let other = rpc.clone();
    drop(rpc);
    assert!(ask(&other, Bytes::new()).await.is_ok());
    drop(other);
    tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_dropped_call_is_forgotten() {
    let server = server(|mut stream| async move {
        let (first, _) = next_call(&mut stream).await.unwrap();
        let (second, _) = next_call(&mut stream).await.unwrap();
        stream.write_all(&[accepted(first, b"late"), accepted(second, b"good")].concat()).await.unwrap();
        echo(stream).await;
    })
    .await;
    let rpc = Rpc::connect(&server.at, SEVEN, &options()).await.unwrap();
    tokio::time::timeout(Duration::from_millis(20), ask(&rpc, Bytes::new())).await.unwrap_err();
    assert_eq!(rpc.under_way(), 0);
    assert_eq!(ask(&rpc, Bytes::new()).await.unwrap(), b"good"[..]);
}

#[tokio::test]
async fn a_port_where_nothing_listens_is_told_with_its_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = Address::new("localhost", listener.local_addr().unwrap().port());
    drop(listener);
    let Err(RpcError::Connect(why)) = Rpc::connect(&at, SEVEN, &options()).await else { panic!("it connected") };
    assert_eq!(why.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(why.to_string().contains(&at.port.to_string()), "{why}");
    let at = Address::new("no-such-host.invalid", 9);
    let Err(RpcError::Connect(why)) = Rpc::connect(&at, SEVEN, &options()).await else { panic!("it connected") };
    assert!(why.to_string().contains("no-such-host.invalid"), "{why}");
}

#[tokio::test]
async fn an_ipv6_literal_is_an_address() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else { return eprintln!("skipped: no IPv6 here") };
    let at: Address = listener.local_addr().unwrap().into();
    assert!(at.to_string().starts_with("[::1]:"));
    let task = tokio::spawn(async move { echo(listener.accept().await.unwrap().0).await });
    let rpc = Rpc::connect(&at, SEVEN, &options()).await.unwrap();
    assert_eq!(ask(&rpc, &b"six"[..]).await.unwrap(), b"six"[..]);
    task.abort();
}
