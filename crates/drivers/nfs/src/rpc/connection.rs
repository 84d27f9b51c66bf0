//! What the callers of a connection share with the task that reads and writes it.

use super::{
    Callback, RpcError, RpcOptions,
    message::{Call, Incoming, LAST, incoming, results},
    record::Records,
    socket::Stream,
};
use bytes::Bytes;
use std::{
    collections::HashMap,
    io::ErrorKind,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    sync::{Notify, Semaphore, oneshot},
};

/// Memory of sent requests that is kept for the next ones.
const KEPT: usize = 64 << 10;

type Answer = Result<Bytes, RpcError>;

/// One connection, as its callers and its task see it.
pub(super) struct Connection {
    call_timeout: Duration,
    record_max: usize,
    /// Not in TLS.
    plain: bool,
    in_flight: usize,
    turns: Semaphore,
    state: Mutex<State>,
    /// There is something to write.
    written: Notify,
    /// The connection is to end.
    ended: Notify,
    since: Instant,
    /// When bytes last came, microseconds after `since`; 0 before any came.
    heard: AtomicU64,
}

struct State {
    next_xid: u32,
    /// Calls that wait for an answer.
    waiting: HashMap<u32, oneshot::Sender<Answer>>,
    /// Records that were not given to the socket yet: at most `in_flight` calls, and answers to the server.
    outgoing: Vec<u8>,
    end: Option<RpcError>,
}

impl Connection {
    pub fn new(options: &RpcOptions) -> Self {
        let state = State {
            // A server remembers answers by xid, address and port for a while: a new connection from the same
            // port must not ask with the numbers of the one before.
            next_xid: fastrand::u32(..),
            waiting: HashMap::new(),
            outgoing: Vec::new(),
            end: None,
        };
        let in_flight = options.in_flight.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            call_timeout: options.call_timeout,
            record_max: options.record_max,
            plain: options.tls.is_none(),
            in_flight,
            turns: Semaphore::new(in_flight),
            state: Mutex::new(state),
            written: Notify::new(),
            ended: Notify::new(),
            since: Instant::now(),
            heard: AtomicU64::new(0),
        }
    }

    pub async fn call(&self, call: &Call<'_>) -> Answer {
        if call.len() > self.record_max {
            return Err(RpcError::TooLong { len: call.len() as u64, most: self.record_max });
        }
        let Ok(_turn) = self.turns.acquire().await else { return Err(self.end()) };
        let (xid, answer) = self.send(call)?;
        let mut waits = Waits { connection: self, xid, answered: false };
        match tokio::time::timeout(self.call_timeout, answer).await {
            Ok(answer) => {
                waits.answered = true;
                results(&answer.unwrap_or_else(|_| Err(self.end()))?)
            }
            Err(_elapsed) => {
                drop(waits);
                self.close_when_silent();
                Err(RpcError::Timeout(self.call_timeout))
            }
        }
    }

    pub fn is_closed(&self) -> bool {
        self.turns.is_closed()
    }

    pub fn under_way(&self) -> usize {
        self.in_flight - self.turns.available_permits()
    }

    fn send(&self, call: &Call<'_>) -> Result<(u32, oneshot::Receiver<Answer>), RpcError> {
        let (sender, answer) = oneshot::channel();
        let mut state = self.state();
        if let Some(end) = &state.end {
            return Err(end.clone());
        }
        let xid = state.free_xid();
        state.waiting.insert(xid, sender);
        call.write(xid, &mut state.outgoing);
        drop(state);
        self.written.notify_one();
        Ok((xid, answer))
    }

    /// Why it ended.
    fn end(&self) -> RpcError {
        let end = self.state().end.clone();
        end.unwrap_or_else(|| RpcError::closed(ErrorKind::ConnectionAborted, "it was closed here"))
    }

    /// Ends the connection; the first reason counts. Every call in flight gets it.
    fn close(&self, why: &RpcError) {
        let waiting = {
            let mut state = self.state();
            state.end.get_or_insert_with(|| why.clone());
            state.outgoing = Vec::new();
            mem::take(&mut state.waiting)
        };
        self.turns.close();
        self.ended.notify_one();
        for sender in waiting.into_values() {
            // Whoever waited may have gone meanwhile.
            drop(sender.send(Err(why.clone())));
        }
    }

    fn close_when_silent(&self) {
        let heard = Duration::from_micros(self.heard.load(Ordering::Relaxed));
        if self.since.elapsed().saturating_sub(heard) >= self.call_timeout {
            self.close(&RpcError::closed(ErrorKind::TimedOut, "the server was silent for too long"));
        }
    }

    /// The end of a connection, with what it most likely means when nothing ever came.
    fn without_a_word(&self, end: RpcError) -> RpcError {
        match end {
            RpcError::Closed(why) if self.plain && self.heard.load(Ordering::Relaxed) == 0 => {
                let text = format!("{why}, without a word; where a TLS tunnel listens at this port, add `?tls=direct`");
                RpcError::Closed(Arc::new(std::io::Error::new(why.kind(), text)))
            }
            end => end,
        }
    }

    fn heard(&self) {
        let now = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.heard.store(now.max(1), Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads until the connection ends.
    async fn read(&self, stream: impl AsyncRead + Unpin, callback: Option<Callback>) -> RpcError {
        let mut records = Records::new(stream, self.record_max);
        loop {
            let record = match records.next(|| self.heard()).await {
                Ok(record) => record,
                Err(end) => return self.without_a_word(end),
            };
            match incoming(&record) {
                Ok(Incoming::Reply(xid)) => {
                    // An xid that nobody waits for belongs to a call that timed out or was dropped.
                    if let Some(sender) = self.state().waiting.remove(&xid) {
                        drop(sender.send(Ok(record)));
                    }
                }
                Ok(Incoming::Call) => {
                    if let Some(reply) = callback.as_ref().and_then(|callback| callback(record)) {
                        self.answer(&reply);
                    }
                }
                Err(nonsense) => return nonsense.into(),
            }
        }
    }

    /// Queues an answer to the server. A server that asks without taking answers gets none.
    fn answer(&self, reply: &[u8]) {
        let mut state = self.state();
        if state.outgoing.len() + reply.len() > self.record_max {
            tracing::debug!("an answer to the server was dropped: it does not read");
            return;
        }
        let mark = LAST | u32::try_from(reply.len()).expect("shorter than the longest record");
        state.outgoing.extend_from_slice(&mark.to_be_bytes());
        state.outgoing.extend_from_slice(reply);
        drop(state);
        self.written.notify_one();
    }

    /// Writes until the connection ends: all that was queued meanwhile in one piece.
    async fn write(&self, mut stream: impl AsyncWrite + Unpin) -> RpcError {
        let mut batch = Vec::new();
        loop {
            mem::swap(&mut batch, &mut self.state().outgoing);
            if batch.is_empty() {
                self.written.notified().await;
                continue;
            }
            let written = async {
                stream.write_all(&batch).await?;
                stream.flush().await
            };
            if let Err(error) = written.await {
                return RpcError::Closed(Arc::new(error));
            }
            batch.clear();
            batch.shrink_to(KEPT);
        }
    }
}

impl State {
    fn free_xid(&mut self) -> u32 {
        loop {
            self.next_xid = self.next_xid.wrapping_add(1);
            // After 2^32 calls one may still wait.
            if !self.waiting.contains_key(&self.next_xid) {
                return self.next_xid;
            }
        }
    }
}

/// A call that waits; forgotten when dropped.
struct Waits<'a> {
    connection: &'a Connection,
    xid: u32,
    answered: bool,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.connection.state().waiting.remove(&self.xid);
        }
    }
}

/// Reads and writes the stream of `connection` until it ends.
pub(super) async fn run(connection: Arc<Connection>, stream: Stream, callback: Option<Callback>) {
    /// Also when the task is dropped, or the callback panics: nobody waits for a connection that is gone.
    struct End(Arc<Connection>);
    impl Drop for End {
        fn drop(&mut self) {
            self.0.close(&RpcError::closed(ErrorKind::ConnectionAborted, "its task ended"));
        }
    }
    let end = End(connection);
    let why = match stream {
        Stream::Plain(stream) => {
            let (read, write) = stream.into_split();
            serve(&end.0, read, write, callback).await
        }
        Stream::Tls(stream) => {
            let (read, write) = tokio::io::split(*stream);
            serve(&end.0, read, write, callback).await
        }
    };
    end.0.close(&why);
}

async fn serve(
    connection: &Connection,
    read: impl AsyncRead + Unpin,
    write: impl AsyncWrite + Unpin,
    callback: Option<Callback>,
) -> RpcError {
    tokio::select! {
        why = connection.read(read, callback) => why,
        why = connection.write(write) => why,
        () = connection.ended.notified() => connection.end(),
    }
}
