//! A request as an operation states it, and its answer.

use crate::{
    client::Pool,
    connection::{Broken, Link, Payload},
    errors::{Failure, Refusal},
    fields::Fields,
};
use bytes::{Bytes, BytesMut};
use futures::Stream;
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use hyper::body::{Body as _, Incoming};
use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use storage::Error;
use tokio::time::{Instant, Sleep, sleep};

/// No error body or small answer is longer; the longest page of a listing stays well under it (1,000 keys
/// of 1,024 bytes, each byte as `%XX`, with their tags).
pub(crate) const ANSWER_LIMIT: usize = 16 << 20;

/// What a request is to be refused for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Nothing.
    None,
    /// Something is there: a failed precondition means `AlreadyExists`.
    Absent,
    /// It is something else: a failed precondition means `Changed`.
    Same,
}

/// One request, ready to be signed and sent, perhaps more than once.
#[derive(Debug)]
pub(crate) struct Call {
    /// The API's own name, for the probe.
    pub name: &'static str,
    /// What we are doing, for an error: reads after "cannot".
    pub doing: &'static str,
    pub method: Method,
    /// Encoded, as sent and signed.
    pub path: String,
    /// Encoded and in canonical order, as sent and signed.
    pub query: String,
    pub fields: Fields,
    pub body: Vec<Bytes>,
    /// SHA-256 of the body in hexadecimal where it is known already.
    pub body_sha256: Option<String>,
    pub condition: Condition,
    /// How much longer than usual the server may think in silence.
    pub patience: u32,
    /// Goes to the service, not to the bucket.
    pub service: bool,
}

impl Call {
    /// A request without query, headers and body.
    pub(crate) fn new(name: &'static str, doing: &'static str, method: Method, path: String) -> Self {
        Self {
            name,
            doing,
            method,
            path,
            query: String::new(),
            fields: Fields::new(),
            body: Vec::new(),
            body_sha256: None,
            condition: Condition::None,
            patience: 1,
            service: false,
        }
    }
    /// Gives the body and its length.
    pub(crate) fn send(&mut self, body: Vec<Bytes>) {
        let len: u64 = body.iter().map(|piece| piece.len() as u64).sum();
        self.fields.add(header::CONTENT_LENGTH, len);
        self.body = body;
    }
    /// May it go out again when nobody knows whether it was read? An unconditional PUT, GET, HEAD or DELETE
    /// leaves the same behind twice; a conditional one would lose against itself.
    pub(crate) fn repeatable(&self) -> bool {
        self.method != Method::POST && self.condition == Condition::None
    }
    /// The body to send, shared, not copied.
    pub(crate) fn payload(&self) -> Payload {
        Payload::of(&self.body)
    }
}

/// The head of an answer, with its body still on the connection.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Download,
}

impl Answer {
    /// A header as text.
    pub(crate) fn text(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
    /// The length that the head states.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.text(&header::CONTENT_LENGTH)?.parse().ok()
    }
    /// Reads the body to its end.
    pub(crate) async fn whole(&mut self, limit: usize) -> Result<Bytes, Failure> {
        self.body.whole(limit).await.map_err(Failure::Broken)
    }
    /// What the server says it is.
    pub(crate) fn refusal(&self, body: &[u8]) -> Refusal {
        Refusal::of(self.status, &self.headers, body)
    }
}

/// A body that is read from its connection, which goes back to the pool at the end.
#[derive(Debug)]
pub(crate) struct Download {
    link: Option<Link>,
    incoming: Incoming,
    pool: Arc<Pool>,
    quiet: Duration,
    patience: Option<Pin<Box<Sleep>>>,
    seen: u64,
    /// For errors of the stream.
    doing: &'static str,
}

impl Download {
    pub(crate) fn new(link: Link, incoming: Incoming, pool: Arc<Pool>, quiet: Duration, doing: &'static str) -> Self {
        Self { link: Some(link), incoming, pool, quiet, patience: None, seen: 0, doing }
    }

    /// Polls for the next piece. After the end or an error there is nothing more.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let Some(link) = &mut self.link else { return Poll::Ready(None) };
        match link.poll_piece(&mut self.incoming, cx) {
            Poll::Ready(Some(Ok(piece))) => {
                self.patience = None;
                Poll::Ready(Some(Ok(piece)))
            }
            Poll::Ready(Some(Err(why))) => {
                self.link = None;
                Poll::Ready(Some(Err(why)))
            }
            Poll::Ready(None) => {
                self.finish(cx);
                Poll::Ready(None)
            }
            Poll::Pending => {
                let moved = link.moved();
                let patience = self.patience.get_or_insert_with(|| {
                    self.seen = moved;
                    Box::pin(sleep(self.quiet))
                });
                while patience.as_mut().poll(cx).is_ready() {
                    if moved == self.seen {
                        self.link = None;
                        return Poll::Ready(Some(Err(Broken::Quiet(self.quiet))));
                    }
                    self.seen = moved;
                    patience.as_mut().reset(Instant::now() + self.quiet);
                }
                Poll::Pending
            }
        }
    }

    /// The connection goes back, if it is fit for it.
    fn finish(&mut self, cx: &mut Context<'_>) {
        if let Some(link) = self.link.take().and_then(|link| link.rested(cx)) {
            self.pool.give_back(link);
        }
    }

    /// An answer without a body is at its end already: its connection goes back at once.
    pub(crate) async fn settle(&mut self) {
        if self.incoming.is_end_stream() {
            poll_fn(|cx| {
                self.finish(cx);
                Poll::Ready(())
            })
            .await;
        }
    }

    /// Reads to the end. Longer than `limit` is an error.
    pub(crate) async fn whole(&mut self, limit: usize) -> Result<Bytes, Broken> {
        let mut first = Bytes::new();
        let mut joined = BytesMut::new();
        while let Some(piece) = poll_fn(|cx| self.poll_piece(cx)).await {
            let piece = piece?;
            if first.len() + joined.len() + piece.len() > limit {
                self.link = None;
                return Err(Broken::Lost(format!("the answer is longer than {limit} bytes")));
            }
            // Small answers come in one piece, which is handed on as it is.
            if first.is_empty() && joined.is_empty() {
                first = piece;
            } else {
                if joined.is_empty() {
                    joined.extend_from_slice(&std::mem::take(&mut first));
                }
                joined.extend_from_slice(&piece);
            }
        }
        Ok(if joined.is_empty() { first } else { joined.freeze() })
    }
}

impl Stream for Download {
    type Item = storage::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let doing = self.doing;
        self.poll_piece(cx).map(|piece| piece.map(|piece| piece.map_err(|why| broken(why, doing))))
    }
}

/// A broken connection as the storage door states it.
pub(crate) fn broken(why: Broken, doing: &'static str) -> Error {
    Failure::Broken(why).into_error(doing, Condition::None)
}
