//! What a small PUT costs: client CPU for each 10,000 objects of 8 KiB at 64 in flight, against a stand-in server
//! in a process of its own, beside a bare hyper loop that sends the same bytes unsigned.
//!
//! `cargo run --release -p longshore-driver-s3 --example put_rate [OBJECTS] [ROUNDS]`

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement, not a part of the program")]

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{client::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use longshore_driver_s3::{Keys, S3Options, S3Store};
use model::{Metadata, Posix, Principal, RelPath, Timestamp};
use std::{
    convert::Infallible,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};
use storage::{Target as _, WriteSpec};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

const IN_FLIGHT: usize = 64;
const SIZE: usize = 8 << 10;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("serve") {
        return serve().await;
    }
    let objects: usize = first.map_or(50_000, |text| text.parse().unwrap());
    let rounds: usize = arguments.next().map_or(5, |text| text.parse().unwrap());
    let me = std::env::current_exe().unwrap();
    let mut server = Command::new(me).arg("serve").stdout(Stdio::piped()).spawn().unwrap();
    let mut port = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let port: u16 = port.trim().parse().unwrap();
    println!("{objects} objects of {SIZE} B, {IN_FLIGHT} in flight; client CPU s per 10,000 objects");
    for _ in 0..rounds {
        let (floor, floor_rate) = timed(objects, bare(port, objects)).await;
        let (plain, plain_rate) = timed(objects, ours(port, objects, false)).await;
        let (full, full_rate) = timed(objects, ours(port, objects, true)).await;
        println!(
            "bare hyper, unsigned {floor:.3} ({floor_rate:.0}/s) | put, signed, checked {plain:.3} ({plain_rate:.0}/s) | \
             put with POSIX metadata {full:.3} ({full_rate:.0}/s) | ratio {:.2}",
            full / floor
        );
    }
    server.kill().unwrap();
    server.wait().unwrap();
}

/// CPU seconds of this process for each 10,000 objects, and objects a second.
async fn timed(objects: usize, work: impl Future<Output = ()>) -> (f64, f64) {
    let (cpu, wall) = (cpu_seconds(), Instant::now());
    work.await;
    let count = f64::from(u32::try_from(objects).unwrap());
    ((cpu_seconds() - cpu) * 10_000.0 / count, count / wall.elapsed().as_secs_f64())
}

/// User and system time of this process; the kernel counts in hundredths.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

async fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        let answer = service_fn(|request: Request<hyper::body::Incoming>| async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body.len(), SIZE);
            let answer = Response::builder().header("etag", "\"9e107d9d372bb6826bd81d3542a419d6\"");
            Ok::<_, Infallible>(answer.body(Full::new(Bytes::new())).unwrap())
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), answer));
    }
}

async fn bare(port: u16, objects: usize) {
    let (next, data) = (Arc::new(AtomicUsize::new(0)), Bytes::from(vec![7_u8; SIZE]));
    let mut workers = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (next, data) = (Arc::clone(&next), data.clone());
        workers.spawn(async move {
            let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            socket.set_nodelay(true).unwrap();
            let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.unwrap();
            let driver = tokio::spawn(connection);
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= objects {
                    break;
                }
                let request = Request::put(format!("/bucket/dir-{}/file-{number}.dat", number % 100))
                    .header("host", "127.0.0.1")
                    .body(Full::new(data.clone()))
                    .unwrap();
                let answer = sender.send_request(request).await.unwrap();
                assert!(answer.status().is_success());
                answer.into_body().collect().await.unwrap();
                sender.ready().await.unwrap();
            }
            drop(sender);
            driver.await.unwrap().unwrap();
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }
}

async fn ours(port: u16, objects: usize, with_metadata: bool) {
    let keys = Keys { access: "AKIDEXAMPLE".into(), secret: "secret".into(), token: None };
    let options = S3Options { keys: Some(keys), ..S3Options::default() };
    let location = format!("s3://bucket?endpoint=http://127.0.0.1:{port}&flavour=aws&region=us-east-1");
    let store = Arc::new(S3Store::open(&location.parse().unwrap(), options).await.unwrap());
    let (next, data) = (Arc::new(AtomicUsize::new(0)), Bytes::from(vec![7_u8; SIZE]));
    let mut workers = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (store, next, data) = (Arc::clone(&store), Arc::clone(&next), data.clone());
        workers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= objects {
                    break;
                }
                let path = RelPath::from(format!("dir-{}/file-{number}.dat", number % 100).as_str());
                let mut spec = WriteSpec { size: Some(SIZE as u64), ..WriteSpec::default() };
                if with_metadata {
                    spec.meta = metadata(number);
                }
                store.put(&path, spec, vec![data.clone()]).await.unwrap();
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }
}

fn metadata(number: usize) -> Metadata {
    let time = Some(Timestamp { secs: 1_700_000_000, nanos: u32::try_from(number).unwrap() });
    let posix = Posix { mode: 0o644, owner: Principal::Id(1000), group: Principal::Id(1000) };
    Metadata { mtime: time, atime: time, posix: Some(posix), ..Metadata::default() }
}
