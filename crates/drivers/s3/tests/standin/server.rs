//! A server that says exactly what a test wants said, byte by byte, with or without TLS.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, rustls};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which connection it came on, from 0.
    pub connection: usize,
    /// How many came on it before.
    pub before: usize,
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What to say.
#[derive(Clone, Debug)]
pub enum Reply {
    /// These bytes, then the next request.
    Say(String),
    /// These bytes after a while.
    Later(Duration, String),
    /// These bytes, then the connection is closed.
    SayAndClose(String),
    /// Nothing, and the connection is closed.
    Close,
    /// Nothing, ever.
    Silence,
}

/// An answer with a length.
pub fn answer(status: &str, headers: &[(&str, &str)], body: &str) -> String {
    head(status, body.len(), headers) + body
}

/// The head of an answer that promises a body of `len` bytes.
pub fn head(status: &str, len: usize, headers: &[(&str, &str)]) -> String {
    let lines: String = headers.iter().map(|(name, value)| [name, ": ", value, "\r\n"].concat()).collect();
    format!("HTTP/1.1 {status}\r\ncontent-length: {len}\r\n{lines}\r\n")
}

/// An S3 error.
pub fn refusal(status: &str, code: &str, more: &str) -> Reply {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message>{more}</Error>");
    Reply::Say(answer(status, &[("x-amz-request-id", "REQ1")], &body))
}

type Script = dyn Fn(&Seen) -> Reply + Send + Sync;

/// The server; ends with its value.
pub struct Standin {
    pub address: SocketAddr,
    /// Certificate of its CA in PEM, with TLS.
    pub ca: Option<String>,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Standin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Standin {
    /// With or without TLS, by a certificate that a CA of its own made.
    pub async fn start(tls: bool, script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(tls.then_some(Certificate::Signed("localhost")), true, script).await
    }

    /// Without TLS and without a log of requests, which would grow for as long as it runs.
    pub async fn forgetful(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(None, false, script).await
    }

    /// With TLS by this certificate.
    pub async fn start_as(of: Certificate, script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(Some(of), true, script).await
    }

    async fn start_with(
        of: Option<Certificate>,
        logs: bool,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (acceptor, ca) = of.map(certificate).unzip();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Script> = Arc::new(script);
        let log = logs.then(|| Arc::clone(&seen));
        let task = tokio::spawn(async move {
            let connections = AtomicUsize::new(0);
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let connection = connections.fetch_add(1, Ordering::SeqCst);
                let (script, log, acceptor) = (Arc::clone(&script), log.clone(), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(socket, connection, &*script, log.as_deref()).await,
                        Some(acceptor) => {
                            if let Ok(socket) = acceptor.accept(socket).await {
                                serve(socket, connection, &*script, log.as_deref()).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, ca, seen, task }
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// A location in a bucket on it.
    pub fn uri(&self, more: &str) -> String {
        let scheme = if self.ca.is_some() { "https://localhost" } else { "http://127.0.0.1" };
        format!("s3://bucket/pre?endpoint={scheme}:{}&region=us-east-1{more}", self.address.port())
    }
}

async fn serve(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    script: &Script,
    log: Option<&Mutex<Vec<Seen>>>,
) {
    let mut buffer = Vec::new();
    for before in 0.. {
        let Some(seen) = request(&mut socket, &mut buffer, connection, before).await else { return };
        let reply = script(&seen);
        if let Some(log) = log {
            log.lock().unwrap().push(seen);
        }
        if let Reply::Later(delay, _) = &reply {
            tokio::time::sleep(*delay).await;
        }
        match reply {
            Reply::Say(text) | Reply::Later(_, text) => {
                // A client that hangs up is what some tests are about.
                if socket.write_all(text.as_bytes()).await.is_err() || socket.flush().await.is_err() {
                    return;
                }
            }
            Reply::SayAndClose(text) => {
                if socket.write_all(text.as_bytes()).await.is_ok() {
                    drop(socket.shutdown().await);
                }
                return;
            }
            Reply::Close => return,
            Reply::Silence => std::future::pending().await,
        }
    }
}

async fn request(
    socket: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    connection: usize,
    before: usize,
) -> Option<Seen> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> =
        lines.map(|line| line.split_once(':').unwrap()).map(|(n, v)| (n.to_lowercase(), v.trim().to_owned())).collect();
    let len: usize = headers.iter().find(|(n, _)| n == "content-length").map_or(0, |(_, v)| v.parse().unwrap());
    buffer.drain(..end + 4);
    while buffer.len() < len {
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = buffer.drain(..len).collect();
    Some(Seen { connection, before, method, target, headers, body })
}

/// Whose certificate a server shows: of which name, and made by whom.
#[derive(Clone, Copy, Debug)]
pub enum Certificate {
    /// A CA of its own.
    Signed(&'static str),
    /// Itself.
    SelfSigned(&'static str),
}

/// What accepts connections, and what a client has to trust, in PEM.
fn certificate(of: Certificate) -> (TlsAcceptor, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let named = |name: &str| rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let (shown, trusted) = match of {
        Certificate::Signed(name) => {
            let ca_key = rcgen::KeyPair::generate().unwrap();
            let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
            ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            let trusted = ca.self_signed(&ca_key).unwrap().pem();
            (named(name).signed_by(&key, &rcgen::Issuer::new(ca, ca_key)).unwrap(), trusted)
        }
        Certificate::SelfSigned(name) => {
            let shown = named(name).self_signed(&key).unwrap();
            let trusted = shown.pem();
            (shown, trusted)
        }
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![shown.der().clone()], key.into())
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), trusted)
}

/// A parameter of a request, decoded.
pub fn parameter(target: &str, name: &str) -> Option<Vec<u8>> {
    let (_, query) = target.split_once('?')?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(percent_decoded(value))
}

pub fn percent_decoded(text: &str) -> Vec<u8> {
    let raw = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < raw.len() {
        if raw[at] == b'%' {
            out.push(u8::from_str_radix(&text[at + 1..at + 3], 16).unwrap());
            at += 3;
        } else {
            out.push(raw[at]);
            at += 1;
        }
    }
    out
}

/// Every byte as `%XX`.
pub fn percent_encoded(raw: &[u8]) -> String {
    raw.iter().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}
