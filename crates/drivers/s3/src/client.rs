//! Sends signed requests over connections that are kept.

use crate::{
    call::{ANSWER_LIMIT, Answer, Call, Download},
    config::{Config, S3Options},
    connection::{Broken, Link, Payload, dial},
    credentials::Credentials,
    encode::sha256_hex,
    endpoint::Address,
    errors::Failure,
    fields::Fields,
    sign::{EMPTY, SigningKey, SigningTime, Target, UNSIGNED},
    tls,
};
use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header, uri::PathAndQuery};
use rustls::ClientConfig;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant, SystemTime},
};
use storage::Probe;

/// A connection that was idle for longer is not used again: a firewall may have forgotten it without a word, and
/// then the request would wait for nothing.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// Connections that lie idle, and how to make more of them.
#[derive(Debug)]
pub(crate) struct Pool {
    address: Address,
    idle: Mutex<Vec<Link>>,
    most: usize,
    connect_timeout: Duration,
    certificates: Vec<PathBuf>,
    tls: OnceLock<Result<Arc<ClientConfig>, String>>,
}

impl Pool {
    /// A connection that was lying idle and still stands, the last used first; `None` when there is none.
    fn kept(&self) -> Option<Link> {
        loop {
            let mut link = self.idle.lock().expect("nobody panics while holding the lock").pop()?;
            if link.idle_for() < KEPT_FOR && link.is_fresh() {
                return Some(link);
            }
        }
    }

    /// A new connection.
    async fn made(&self) -> Result<Link, Broken> {
        dial(&self.address, self.tls()?, self.connect_timeout).await
    }

    fn tls(&self) -> Result<Option<Arc<ClientConfig>>, Broken> {
        if !self.address.tls {
            return Ok(None);
        }
        self.tls.get_or_init(|| tls::client(&self.certificates)).clone().map(Some).map_err(Broken::Tls)
    }

    /// Keeps a connection for the next request.
    pub(crate) fn give_back(&self, link: Link) {
        let mut idle = self.idle.lock().expect("nobody panics while holding the lock");
        if idle.len() < self.most {
            idle.push(link);
        }
    }
}

/// A store's connections, credentials and clock.
#[derive(Debug)]
pub(crate) struct Client {
    pool: Arc<Pool>,
    host: HeaderValue,
    /// Host of the service, where it is not the bucket's.
    service: Option<Arc<Pool>>,
    service_host: HeaderValue,
    credentials: Option<Credentials>,
    probe: Arc<dyn Probe>,
    quiet: Duration,
    /// Over TLS the payload need not be hashed for the signature: TLS and the checksum header guard it.
    unsigned: bool,
}

impl Client {
    /// A client for a location; nothing is sent yet.
    pub(crate) fn new(config: &Config, options: &S3Options) -> Result<Self, String> {
        let pool = |address: &Address| {
            Arc::new(Pool {
                address: address.clone(),
                idle: Mutex::default(),
                most: options.idle_connections,
                connect_timeout: options.connect_timeout,
                certificates: config.certificates.clone(),
                tls: OnceLock::new(),
            })
        };
        let host = |address: &Address| {
            HeaderValue::from_str(&address.host_header()).map_err(|_| format!("`{address}` is not ASCII"))
        };
        let endpoint = &config.endpoint;
        Ok(Self {
            pool: pool(&endpoint.address),
            host: host(&endpoint.address)?,
            service: (endpoint.service != endpoint.address).then(|| pool(&endpoint.service)),
            service_host: host(&endpoint.service)?,
            credentials: (!config.anonymous).then(|| Credentials::new(config, options.keys.as_ref())),
            probe: Arc::clone(&options.probe),
            quiet: options.quiet_timeout,
            unsigned: endpoint.address.tls,
        })
    }

    /// Sends a request and waits for the head of the answer. A status that is no success is a refusal, with
    /// its body read. Expired credentials are renewed and the request sent once more.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, Failure> {
        let mut renewed = false;
        let mut fresh = false;
        loop {
            let (request, key) = self.signed(call).await?;
            let mut answer = match self.exchange(call, request, fresh).await {
                Ok(answer) => answer,
                // What a kept connection swallowed goes out once more on a new one, where that is safe.
                Err(Broken::Stale) if !fresh => {
                    fresh = true;
                    continue;
                }
                Err(Broken::Crossed) if !fresh && call.repeatable() => {
                    fresh = true;
                    continue;
                }
                Err(why) => return Err(Failure::Broken(why)),
            };
            if answer.status.is_success() {
                return Ok(answer);
            }
            let body = answer.whole(ANSWER_LIMIT).await.unwrap_or_default();
            let refusal = answer.refusal(&body);
            if let (Some(credentials), Some(key), false) = (&self.credentials, &key, renewed)
                && refusal.is_expiry(key.is_temporary())
            {
                credentials.expired(key);
                renewed = true;
                continue;
            }
            return Err(Failure::Refused(Box::new(refusal)));
        }
    }

    /// Sends a request and reads the whole answer, which must be small.
    pub(crate) async fn ask(&self, call: &Call) -> Result<(Answer, Bytes), Failure> {
        let mut answer = self.send(call).await?;
        let body = answer.whole(ANSWER_LIMIT).await?;
        Ok((answer, body))
    }

    /// The answer to a request whatever its status, without credentials: for learning who is there.
    pub(crate) async fn knock(&self, call: &Call) -> Result<(Answer, Bytes), Failure> {
        let request = built(call, self.fields(call))?;
        let mut answer = self.exchange(call, request, true).await.map_err(Failure::Broken)?;
        let body = answer.whole(ANSWER_LIMIT).await?;
        Ok((answer, body))
    }

    /// Over a kept connection if one stands and `fresh` does not forbid it, else over a new one.
    async fn exchange(&self, call: &Call, request: Request<Payload>, fresh: bool) -> Result<Answer, Broken> {
        let pool = if call.service { self.service.as_ref().unwrap_or(&self.pool) } else { &self.pool };
        let kept = if fresh { None } else { pool.kept() };
        let mut link = match kept {
            Some(link) => link,
            None => pool.made().await?,
        };
        let quiet = self.quiet * call.patience;
        let started = Instant::now();
        let exchanged = link.exchange(request, quiet).await;
        let ok = exchanged.as_ref().is_ok_and(|response| response.status().is_success());
        self.probe.observed(call.name, started.elapsed(), ok);
        let (head, incoming) = exchanged?.into_parts();
        let mut body = Download::new(link, incoming, Arc::clone(pool), quiet, call.doing);
        body.settle().await;
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    fn fields(&self, call: &Call) -> Fields {
        let mut fields = call.fields.clone();
        fields.copy(header::HOST, if call.service { &self.service_host } else { &self.host });
        fields
    }

    async fn signed(&self, call: &Call) -> Result<(Request<Payload>, Option<Arc<SigningKey>>), Failure> {
        let mut fields = self.fields(call);
        let Some(credentials) = &self.credentials else { return Ok((built(call, fields)?, None)) };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let time = SigningTime::at(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        let key = credentials.key(&time).await.map_err(Failure::Credentials)?;
        let hashed;
        let payload = match &call.body_sha256 {
            Some(known) => known.as_str(),
            None if call.body.is_empty() => EMPTY,
            None if self.unsigned => UNSIGNED,
            None => {
                hashed = sha256_hex(&call.body);
                &hashed
            }
        };
        let target = Target { method: call.method.as_str(), path: &call.path, query: &call.query, payload };
        key.sign(&target, &mut fields, &time);
        Ok((built(call, fields)?, Some(key)))
    }
}

fn built(call: &Call, fields: Fields) -> Result<Request<Payload>, Failure> {
    let mut target = call.path.clone();
    if !call.query.is_empty() {
        target.push('?');
        target.push_str(&call.query);
    }
    // Not parsed as a whole URI: a path that begins with `//` would be taken for a host.
    let target = PathAndQuery::try_from(target).map_err(|_| Failure::TooLong)?;
    let mut request = Request::new(call.payload());
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = Uri::from(target);
    *request.headers_mut() = fields.into_map();
    Ok(request)
}
