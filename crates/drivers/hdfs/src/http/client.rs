//! HTTP to one NameNode: GET only, with a limit on time and size, and Kerberos where it is asked for (RFC 4559).

use super::HttpEndpoint;
use crate::{HdfsOptions, failure::Failure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use kerberos::{Context, Credentials, Mechanism};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, rustls};

/// Largest answer that is held in memory. What is asked for comes to some KiB.
const LARGEST: usize = 8 << 20;
/// Connections that are kept for the next request.
const KEPT: usize = 8;

type Sender = http1::SendRequest<Empty<Bytes>>;

/// HTTP to one NameNode.
pub(crate) struct HttpClient {
    endpoint: HttpEndpoint,
    tls: Option<TlsConnector>,
    credentials: Option<Credentials>,
    connect_timeout: Duration,
    request_timeout: Duration,
    probe: Arc<dyn storage::Probe>,
    idle: Mutex<Vec<Sender>>,
    /// The server's proof that we proved who we are, good for some hours.
    cookie: Mutex<Option<String>>,
}

/// An answer, held in memory.
pub(crate) struct Answer {
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl HttpClient {
    pub fn new(
        endpoint: HttpEndpoint,
        credentials: Option<Credentials>,
        options: &HdfsOptions,
    ) -> Result<Self, Failure> {
        let tls = if endpoint.tls() { Some(connector()?) } else { None };
        Ok(Self {
            endpoint,
            tls,
            credentials,
            connect_timeout: options.connect_timeout,
            request_timeout: options.request_timeout,
            probe: options.probe.clone(),
            idle: Mutex::default(),
            cookie: Mutex::default(),
        })
    }

    pub fn endpoint(&self) -> &HttpEndpoint {
        &self.endpoint
    }

    /// The answer to a GET, when its status is 200. `op` is for the probe.
    pub async fn get(&self, op: &'static str, target: &str) -> Result<Answer, Failure> {
        let started = Instant::now();
        let answer = timeout(self.request_timeout, self.whole(target))
            .await
            .unwrap_or(Err(Failure::Timeout(self.request_timeout)));
        self.probe.observed(op, started.elapsed(), answer.is_ok());
        answer
    }

    async fn whole(&self, target: &str) -> Result<Answer, Failure> {
        let (response, sender) = self.send(target).await?;
        let (head, body) = response.into_parts();
        let body = collected(body).await?;
        self.keep(sender);
        if head.status != StatusCode::OK {
            return Err(refused(head.status, &body));
        }
        Ok(Answer { headers: head.headers, body })
    }

    /// A response with status 200 whose body is still to be read. The waits for its head are limited, not those for
    /// its body.
    pub async fn open(&self, op: &'static str, target: &str) -> Result<Response<Incoming>, Failure> {
        let started = Instant::now();
        let opened = timeout(self.request_timeout, async {
            let (response, _sender) = self.send(target).await?;
            if response.status() == StatusCode::OK {
                return Ok(response);
            }
            let status = response.status();
            Err(refused(status, &collected(response.into_body()).await?))
        });
        let opened = opened.await.unwrap_or(Err(Failure::Timeout(self.request_timeout)));
        self.probe.observed(op, started.elapsed(), opened.is_ok());
        opened
    }

    /// Sends, and proves who we are when the server asks for that.
    async fn send(&self, target: &str) -> Result<(Response<Incoming>, Sender), Failure> {
        let known = self.cookie.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (response, sender) = self.once(target, known.as_deref(), None).await?;
        if response.status() != StatusCode::UNAUTHORIZED || !negotiates(response.headers()) {
            return Ok((response, sender));
        }
        collected(response.into_body()).await?;
        self.keep(sender);
        let Some(credentials) = self.credentials.clone() else {
            return Err(Failure::Security(format!("{} wants Kerberos, and none is configured", self.endpoint)));
        };
        let service = format!("HTTP@{}", self.endpoint.host());
        // The library talks to the KDC and blocks.
        let first = tokio::task::spawn_blocking(move || {
            let mut context = Context::initiate(&service, &credentials, Mechanism::Negotiate)?;
            let step = context.step(None)?;
            Ok::<_, kerberos::Error>((context, step.token.unwrap_or_default()))
        });
        let (mut context, token) = first.await.map_err(|error| Failure::Panicked(error.to_string()))??;
        let proof = format!("Negotiate {}", BASE64_STANDARD.encode(token));
        let (response, sender) = self.once(target, None, Some(&proof)).await?;
        if response.status() == StatusCode::OK
            && let Some(answer) = token_of(response.headers())
        {
            // The server proves who it is, too.
            let checked = tokio::task::spawn_blocking(move || context.step(Some(&answer)));
            checked.await.map_err(|error| Failure::Panicked(error.to_string()))??;
        }
        if let Some(cookie) = cookie_of(response.headers()) {
            *self.cookie.lock().unwrap_or_else(PoisonError::into_inner) = Some(cookie);
        }
        Ok((response, sender))
    }

    /// One request. A kept connection may have been closed by the server meanwhile; then a new one is made.
    async fn once(
        &self,
        target: &str,
        cookie: Option<&str>,
        proof: Option<&str>,
    ) -> Result<(Response<Incoming>, Sender), Failure> {
        let broken = |error: hyper::Error| Failure::Connect(self.endpoint.to_string(), io::Error::other(error));
        loop {
            let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut sender) = kept else { break };
            if sender.ready().await.is_ok()
                && let Ok(response) = sender.send_request(self.request(target, cookie, proof)?).await
            {
                return Ok((response, sender));
            }
        }
        let mut sender = self.connect().await?;
        let response = sender.send_request(self.request(target, cookie, proof)?).await;
        match response {
            Ok(response) => Ok((response, sender)),
            Err(error) if error.is_parse() => {
                Err(Failure::NotHdfs(self.endpoint.to_string(), format!("it does not speak HTTP ({error})")))
            }
            Err(error) => Err(broken(error)),
        }
    }

    fn request(
        &self,
        target: &str,
        cookie: Option<&str>,
        proof: Option<&str>,
    ) -> Result<Request<Empty<Bytes>>, Failure> {
        let mut request =
            Request::get(target).header(header::HOST, self.endpoint.authority()).header(header::ACCEPT, "*/*");
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        if let Some(proof) = proof {
            request = request.header(header::AUTHORIZATION, proof);
        }
        request.body(Empty::new()).map_err(|error| Failure::Http(format!("the request cannot be written: {error}")))
    }

    async fn connect(&self) -> Result<Sender, Failure> {
        let whom = || self.endpoint.to_string();
        let made = timeout(self.connect_timeout, async {
            let stream =
                TcpStream::connect(self.endpoint.authority()).await.map_err(|error| Failure::Connect(whom(), error))?;
            stream.set_nodelay(true).map_err(|error| Failure::Connect(whom(), error))?;
            match &self.tls {
                None => begin(TokioIo::new(stream), &whom()).await,
                Some(tls) => {
                    let name = rustls_pki_types::ServerName::try_from(self.endpoint.host().to_owned())
                        .map_err(|error| Failure::Http(format!("{}: {error}", whom())))?;
                    let stream = tls.connect(name, stream).await.map_err(|error| Failure::Connect(whom(), error))?;
                    begin(TokioIo::new(stream), &whom()).await
                }
            }
        });
        made.await.unwrap_or(Err(Failure::Timeout(self.connect_timeout)))
    }

    fn keep(&self, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT && !sender.is_closed() {
            idle.push(sender);
        }
    }
}

async fn begin<S>(stream: S, whom: &str) -> Result<Sender, Failure>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) =
        http1::handshake(stream).await.map_err(|error| Failure::Connect(whom.to_owned(), io::Error::other(error)))?;
    // It ends with the sender, or with the connection.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "an HTTP connection broke");
        }
    });
    Ok(sender)
}

/// The `Date` of a response, in seconds since 1970.
pub(super) fn date_of(headers: &HeaderMap) -> Option<i64> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_second())
}

/// Trusts what the host trusts.
fn connector() -> Result<TlsConnector, Failure> {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(Failure::Http("this host has no certificates of authorities (Debian: ca-certificates)".into()));
    }
    let config = rustls::ClientConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::Http(error.to_string()))?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}

async fn collected(mut body: Incoming) -> Result<Bytes, Failure> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::Connect("an HTTP answer".into(), io::Error::other(error)))?;
        let Ok(data) = frame.into_data() else { continue };
        if all.len() + data.len() > LARGEST {
            return Err(Failure::Http("an HTTP answer is larger than 8 MiB".into()));
        }
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

/// What a status besides 200 means: mostly there is an exception of Hadoop's in the body.
fn refused(status: StatusCode, body: &[u8]) -> Failure {
    if let Some((class, words)) = super::webhdfs::exception(body) {
        return Failure::Remote(class, words);
    }
    let text = String::from_utf8_lossy(&body[..body.len().min(64 << 10)]).into_owned();
    // Jetty puts the reason into the title of a page.
    let title = text.split_once("<title>").and_then(|(_, rest)| Some(rest.split_once("</title>")?.0.to_owned()));
    Failure::Status(status.as_u16(), title.unwrap_or_else(|| status.canonical_reason().unwrap_or_default().to_owned()))
}

fn negotiates(headers: &HeaderMap) -> bool {
    let asked = headers.get_all(header::WWW_AUTHENTICATE).iter();
    asked
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.trim().to_ascii_lowercase().starts_with("negotiate"))
}

fn token_of(headers: &HeaderMap) -> Option<Vec<u8>> {
    let told = headers.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let token = told
        .filter_map(|value| value.trim().split_once(' '))
        .find(|(scheme, _)| scheme.eq_ignore_ascii_case("negotiate"))?
        .1;
    BASE64_STANDARD.decode(token.trim()).ok().filter(|token| !token.is_empty())
}

fn cookie_of(headers: &HeaderMap) -> Option<String> {
    let set = headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = set.filter_map(|value| value.split(';').next()).filter(|pair| pair.starts_with("hadoop.auth="));
    cookies.find(|pair| pair.len() > "hadoop.auth=".len()).map(str::to_owned)
}
