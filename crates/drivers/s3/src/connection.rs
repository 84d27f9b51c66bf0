//! One HTTP/1.1 connection, driven by whoever uses it.
//!
//! There is no task per connection: the future that waits for an answer, and the body that is read from it,
//! poll the connection themselves. So dropping either closes the socket, a broken or half-read connection
//! can never be used again, and no request pays for a wake-up of another task.

use crate::endpoint::Address;
use bytes::Bytes;
use futures::task::noop_waker;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::{
    collections::VecDeque,
    convert::Infallible,
    fmt,
    future::poll_fn,
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, sleep},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The connection could not be made.
    Connect(String),
    /// TLS could not be agreed: a certificate, mostly.
    Tls(String),
    /// Nothing moved for this long.
    Quiet(Duration),
    /// It broke in the middle.
    Lost(String),
    /// The kept connection had gone before anything was sent; any request can go out on another.
    Stale,
    /// The server closed a kept connection and answered nothing to a request that crossed that on its way:
    /// most likely never read, so one that may be repeated can go out on another.
    Crossed,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(why) => write!(f, "no connection: {why}"),
            Self::Tls(why) => write!(f, "TLS: {why}"),
            Self::Quiet(span) => write!(f, "nothing moved for {} s", span.as_secs()),
            Self::Lost(why) => write!(f, "the connection broke: {why}"),
            Self::Stale | Self::Crossed => f.write_str("the server closed the kept connection"),
        }
    }
}

/// What a request sends: pieces as they came, never joined.
#[derive(Debug, Default)]
pub(crate) struct Payload {
    pieces: VecDeque<Bytes>,
    left: u64,
}

impl Payload {
    /// All pieces of a content.
    pub(crate) fn of(pieces: &[Bytes]) -> Self {
        let pieces: VecDeque<Bytes> = pieces.iter().filter(|piece| !piece.is_empty()).cloned().collect();
        let left = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { pieces, left }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.pieces.pop_front();
        if let Some(piece) = &piece {
            self.left -= piece.len() as u64;
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }
    fn is_end_stream(&self) -> bool {
        self.left == 0
    }
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Bytes of the requests and answers on one connection.
#[derive(Debug, Default)]
struct Traffic {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Traffic {
    fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
    fn both(&self) -> u64 {
        self.sent.load(Ordering::Relaxed) + self.received()
    }
}

/// A socket, with or without TLS, that counts what moves.
struct Wire {
    socket: Socket,
    traffic: Arc<Traffic>,
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    fn count_sent(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = polled {
            self.traffic.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        polled
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = match &mut self.socket {
            Socket::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Socket::Tls(socket) => Pin::new(socket).poll_read(cx, buffer),
        };
        let bytes = buffer.filled().len() - before;
        self.traffic.received.fetch_add(bytes as u64, Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let polled = match &mut self.socket {
            Socket::Plain(socket) => Pin::new(socket).poll_write(cx, data),
            Socket::Tls(socket) => Pin::new(socket).poll_write(cx, data),
        };
        self.count_sent(polled)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = match &mut self.socket {
            Socket::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, data),
            Socket::Tls(socket) => Pin::new(socket).poll_write_vectored(cx, data),
        };
        self.count_sent(polled)
    }
    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Plain(socket) => socket.is_write_vectored(),
            Socket::Tls(socket) => socket.is_write_vectored(),
        }
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Socket::Tls(socket) => Pin::new(socket).poll_flush(cx),
        }
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Socket::Tls(socket) => Pin::new(socket).poll_shutdown(cx),
        }
    }
}

type Connection = http1::Connection<TokioIo<Wire>, Payload>;

/// A connection and the half that sends on it.
pub(crate) struct Link {
    sender: SendRequest<Payload>,
    /// `None` once it has ended: a future that is done must not be polled again.
    connection: Option<Pin<Box<Connection>>>,
    traffic: Arc<Traffic>,
    used: bool,
    resting_since: Instant,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link(used: {}, open: {})", self.used, self.connection.is_some())
    }
}

/// Makes connections to one address.
pub(crate) async fn dial(address: &Address, tls: Option<Arc<ClientConfig>>, limit: Duration) -> Result<Link, Broken> {
    match tokio::time::timeout(limit, dial_patiently(address, tls)).await {
        Ok(dialed) => dialed,
        Err(_) => Err(Broken::Connect(format!("{address} did not answer within {} s", limit.as_secs()))),
    }
}

async fn dial_patiently(address: &Address, tls: Option<Arc<ClientConfig>>) -> Result<Link, Broken> {
    let refused = |why: io::Error| Broken::Connect(format!("{address}: {why}"));
    let tcp = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(refused)?;
    // A request is written in one go; waiting for more would only delay it.
    tcp.set_nodelay(true).map_err(refused)?;
    let socket = match tls {
        None => Socket::Plain(tcp),
        Some(config) => {
            let name = ServerName::try_from(address.host.clone())
                .map_err(|_| Broken::Tls(format!("`{}` is not a name that a certificate can hold", address.host)))?;
            let stream = TlsConnector::from(config).connect(name, tcp).await;
            Socket::Tls(Box::new(stream.map_err(|why| Broken::Tls(format!("{address}: {}", tls_trouble(&why))))?))
        }
    };
    let traffic = Arc::new(Traffic::default());
    let wire = TokioIo::new(Wire { socket, traffic: Arc::clone(&traffic) });
    let (sender, connection) =
        http1::Builder::new().handshake(wire).await.map_err(|why| Broken::Connect(format!("{address}: {why}")))?;
    Ok(Link { sender, connection: Some(Box::pin(connection)), traffic, used: false, resting_since: Instant::now() })
}

/// What went wrong with TLS. What is no TLS at all is most likely plain HTTP.
fn tls_trouble(why: &io::Error) -> String {
    let cause = why.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidMessage(_)) => {
            format!("the server does not speak TLS there ({why}); for plain HTTP write `http://`")
        }
        _ => why.to_string(),
    }
}

impl Link {
    /// Drives the connection as far as it goes. Afterwards `is_open` tells whether it still stands.
    fn drive(&mut self, cx: &mut Context<'_>) -> Option<String> {
        let connection = self.connection.as_mut()?;
        match connection.as_mut().poll(cx) {
            Poll::Pending => None,
            Poll::Ready(end) => {
                self.connection = None;
                Some(end.err().map_or_else(|| "the server closed it".to_owned(), |why| told(&why)))
            }
        }
    }

    /// Does it still stand, with nothing under way? For a connection that was lying idle.
    pub(crate) fn is_fresh(&mut self) -> bool {
        let waker = noop_waker();
        self.drive(&mut Context::from_waker(&waker));
        self.connection.is_some() && self.sender.is_ready()
    }

    /// How long nobody has used it.
    pub(crate) fn idle_for(&self) -> Duration {
        self.resting_since.elapsed()
    }

    /// Sends a request and waits for the head of the answer. `quiet` is how long nothing may move.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Payload>,
        quiet: Duration,
    ) -> Result<Response<Incoming>, Broken> {
        let mut patience = pin!(sleep(quiet));
        let mut seen = self.traffic.both();
        let received = self.traffic.received();
        let mut answer = pin!(self.sender.try_send_request(request));
        let was_used = std::mem::replace(&mut self.used, true);
        poll_fn(|cx| {
            let ended = self.drive(cx);
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(answer.map_err(|mut error| {
                    if error.take_message().is_some() {
                        Broken::Stale
                    } else if was_used && self.traffic.received() == received {
                        Broken::Crossed
                    } else {
                        let why = told(error.error());
                        let foreign = error.error().is_parse();
                        let hint = if foreign { "; if the server speaks TLS there, write `https://`" } else { "" };
                        Broken::Lost(format!("{why}{hint}"))
                    }
                }));
            }
            if let Some(why) = ended {
                return Poll::Ready(Err(Broken::Lost(why)));
            }
            while patience.as_mut().poll(cx).is_ready() {
                let now = self.traffic.both();
                if now == seen {
                    return Poll::Ready(Err(Broken::Quiet(quiet)));
                }
                seen = now;
                patience.as_mut().reset(Instant::now() + quiet);
            }
            Poll::Pending
        })
        .await
    }

    /// Lets the connection come to rest after an answer was read to its end; `None` when it is not fit to be
    /// used again (the server closes it, or the request's body was not sent to its end).
    pub(crate) fn rested(mut self, cx: &mut Context<'_>) -> Option<Self> {
        self.drive(cx);
        self.resting_since = Instant::now();
        (self.connection.is_some() && self.sender.is_ready()).then_some(self)
    }

    /// Polls for the next piece of an answer's body, driving the connection.
    pub(crate) fn poll_piece(
        &mut self,
        incoming: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        loop {
            let mut polled = Pin::new(&mut *incoming).poll_frame(cx);
            if polled.is_pending() {
                // A connection that ends may still have left pieces in the channel: look once more.
                let ended = self.drive(cx);
                polled = Pin::new(&mut *incoming).poll_frame(cx);
                if let (Poll::Pending, Some(why)) = (&polled, ended) {
                    return Poll::Ready(Some(Err(Broken::Lost(why))));
                }
            }
            return match polled {
                Poll::Pending => Poll::Pending,
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Ready(Some(Err(why))) => Poll::Ready(Some(Err(Broken::Lost(told(&why))))),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(piece) => Poll::Ready(Some(Ok(piece))),
                    Err(_) => continue, // trailers: nothing we asked for
                },
            };
        }
    }

    /// Bytes moved so far in both directions.
    pub(crate) fn moved(&self) -> u64 {
        self.traffic.both()
    }
}

/// An error and all its causes in one line.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
