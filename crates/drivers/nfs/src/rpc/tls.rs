//! TLS below RPC: asked for as RFC 9289 says (section 4.1), or from the first byte of the connection, as a TLS tunnel
//! in front of a server has it.

use super::{
    Program, RpcError,
    message::{probe, tls_is_offered},
    record::Records,
};
use crate::{NfsTls, TlsStart};
use rustls::{CertificateError, ClientConfig};
use rustls_pki_types::ServerName;
use std::{
    fmt, io,
    sync::Arc,
    time::{Duration, Instant},
};
use storage::{Error, ErrorKind, Reach, Retry};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The protocol's name in the handshake, which RFC 9289 demands (section 5.1).
const ALPN: &[u8] = b"sunrpc";
/// Longest answer to the question for TLS that is taken: it has no results.
const ANSWER: usize = 1024;

/// How connections to one server are put into TLS.
#[derive(Clone)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    pub start: TlsStart,
    /// Name that the server's certificate must be for.
    name: String,
}

impl Tls {
    /// For a server that the user calls `host`. The text of an error is for a person.
    pub fn new(tls: &NfsTls, host: &str) -> Result<Self, String> {
        let mut config = tls::client(&tls.ca_bundles, "`?ca=FILE`", versions(tls.start))?;
        if tls.start == TlsStart::Asked {
            config.alpn_protocols = vec![ALPN.to_vec()];
        }
        Ok(Self { config: Arc::new(config), start: tls.start, name: host.to_owned() })
    }

    /// Puts the connection into TLS before `program` is called over it. Errors: `Tls`, `Connect` (the connection
    /// broke), and those of an answer that makes no sense.
    pub(super) async fn secure(
        &self,
        mut stream: TcpStream,
        program: Program,
        limit: Duration,
    ) -> Result<TlsStream<TcpStream>, RpcError> {
        let until = Instant::now() + limit;
        let name = ServerName::try_from(self.name.clone())
            .map_err(|_| TlsError::WrongName(format!("`{}` is not a name that a certificate can hold", self.name)))?;
        let silent = |_elapsed| RpcError::Tls(TlsError::Silent(limit));
        if self.start == TlsStart::Asked {
            tokio::time::timeout(limit, ask(&mut stream, program)).await.map_err(silent)??;
        }
        let shaking = TlsConnector::from(self.config.clone()).connect(name, stream);
        let shaken = tokio::time::timeout(until.saturating_duration_since(Instant::now()), shaking);
        shaken.await.map_err(silent)?.map_err(|error| why(&error))
    }
}

/// RFC 9289 wants TLS 1.3 at least; a tunnel may be older.
fn versions(start: TlsStart) -> &'static [&'static rustls::SupportedProtocolVersion] {
    static NEW: [&rustls::SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
    match start {
        TlsStart::Asked => &NEW,
        TlsStart::Direct => rustls::DEFAULT_VERSIONS,
    }
}

/// Asks for TLS by a NULL call with the flavour AUTH_TLS.
async fn ask(stream: &mut TcpStream, program: Program) -> Result<(), RpcError> {
    let xid = fastrand::u32(..);
    let connection = |error: io::Error| RpcError::Connect(Arc::new(error));
    stream.write_all(&probe(program, xid)).await.map_err(connection)?;
    let mut records = Records::new(stream, ANSWER);
    let answer = match records.next(|| ()).await {
        Err(RpcError::Closed(why)) => {
            let text = format!("the connection ended when TLS was asked for ({why}); a TLS tunnel needs `?tls=direct`");
            return Err(connection(io::Error::new(why.kind(), text)));
        }
        answer => answer?,
    };
    // What was sent before the handshake must not be taken for what comes in TLS (RFC 9289, section 7.1).
    if records.holds_more() {
        return Err(RpcError::Malformed("it is followed by more before TLS began"));
    }
    match tls_is_offered(&answer, xid)? {
        Ok(()) => Ok(()),
        Err(refusal) => Err(TlsError::NotOffered(refusal).into()),
    }
}

/// What a handshake that failed says.
fn why(error: &io::Error) -> RpcError {
    let Some(cause) = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) else {
        let text = format!("the connection ended in the TLS handshake ({error}): is TLS spoken at this port?");
        return RpcError::Connect(Arc::new(io::Error::new(error.kind(), text)));
    };
    let text = cause.to_string();
    RpcError::Tls(match cause {
        rustls::Error::InvalidMessage(_) => TlsError::NotSpoken,
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => TlsError::WrongName(text),
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            TlsError::Untrusted(text)
        }
        _ => TlsError::Refused(text),
    })
}

/// Why there is no connection in TLS where there should be one, or one in TLS where there should be none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TlsError {
    /// The server was asked and did not say yes, but this.
    NotOffered(String),
    /// What answers the handshake is no TLS.
    NotSpoken,
    /// Nothing came for so long.
    Silent(Duration),
    /// Nobody whom we trust signed the server's certificate.
    Untrusted(String),
    /// The certificate is for another name.
    WrongName(String),
    /// Any other end of the handshake.
    Refused(String),
    /// We speak plainly, and the server answers in TLS.
    Spoken,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOffered(answer) => write!(f, "asked for TLS (RFC 9289), the server answers: {answer}"),
            Self::NotSpoken => f.write_str("what answers at this port is no TLS"),
            Self::Silent(limit) => write!(f, "no TLS handshake within {limit:?}"),
            Self::Untrusted(why) | Self::WrongName(why) | Self::Refused(why) => write!(f, "TLS failed: {why}"),
            Self::Spoken => f.write_str("the server answers in TLS at this port, and it was not asked to"),
        }
    }
}

impl From<TlsError> for RpcError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

impl TlsError {
    /// The error for whoever asked to do `op`. None of it passes by waiting, but for silence.
    pub fn error(&self, op: &'static str) -> Error {
        let (kind, retry) = match self {
            Self::Silent(_) => (ErrorKind::Timeout, Retry::Backoff),
            _ => (ErrorKind::Disconnected, Retry::Never),
        };
        Error::new(kind, op).with_retry(retry).with_reach(Reach::Location).hint(match self {
            Self::NotOffered(_) => {
                "enable TLS on the server, write `?tls=direct` where a TLS tunnel stands before it, or leave `?tls` out"
            }
            Self::NotSpoken | Self::Silent(_) => {
                "check the port; `?tls=direct` is for a TLS tunnel, `?tls` asks a server that has TLS itself (RFC 9289)"
            }
            Self::Untrusted(_) => "name the CA that signed the server's certificate with `?ca=FILE`",
            Self::WrongName(_) => "open the server under a name that its certificate holds",
            Self::Refused(_) => "the server's log may say more",
            Self::Spoken => "add `?tls=direct`, or name the port where the server speaks plainly",
        })
    }
}
