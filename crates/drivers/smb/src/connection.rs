//! One TCP connection with many requests under way, told apart by their MessageId.
//!
//! A request spends credits, one for each 64 KiB it moves, and answers bring new ones ([MS-SMB2] 3.2.4.1.2): a
//! semaphore counts those we hold. Requests go to a writing task as whole frames, so a caller that is dropped
//! leaves no half of one behind. A receiving task hands out answers and never waits for anybody, so answers keep
//! coming however many requests wait for credits. An answer that nobody waits for any more still brings its credits.

use crate::{
    crypto::{Opener, Preauth},
    failure::Failure,
    frame::{self, MOST_HANDSHAKE, Memory},
    inflight::{Sent, Shared, State},
    message::{charge, protected},
    wire::{header::Command, session, status::Status},
};
use std::{
    fmt,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use storage::Probe;
use tokio::{
    net::{TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

pub(crate) use crate::message::{CREDIT, Envelope, Reply, Request};

/// A connection without a word from the server for so long is asked whether it lives.
const QUIET: Duration = Duration::from_secs(30);

/// A connection. Dropping it ends its tasks and closes it.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    request_timeout: Duration,
    probe: Arc<dyn Probe>,
    _tasks: [AbortOnDropHandle<()>; 2],
    keepalive: OnceLock<AbortOnDropHandle<()>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    /// Takes over a fresh TCP connection.
    pub fn new(stream: TcpStream, request_timeout: Duration, probe: Arc<dyn Probe>) -> Self {
        let (reading, writing) = stream.into_split();
        let (frames, queue) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            state: Mutex::new(State { owned: 1, ..State::default() }),
            credits: Semaphore::new(1),
            frames,
            opener: OnceLock::new(),
            large: AtomicBool::new(false),
            most: AtomicUsize::new(MOST_HANDSHAKE),
            heard: AtomicUsize::new(0),
            doubtful: AtomicBool::new(false),
        });
        let receive = AbortOnDropHandle::new(tokio::spawn(receive(reading, Arc::clone(&shared))));
        let write = AbortOnDropHandle::new(tokio::spawn(write(writing, queue, Arc::clone(&shared))));
        Self { shared, request_timeout, probe, _tasks: [receive, write], keepalive: OnceLock::new() }
    }

    /// Takes answers of this size from now on, and counts large requests if the server does.
    pub fn negotiated(&self, largest_answer: u32, large: bool) {
        self.shared.most.store(frame::most(largest_answer), Ordering::Relaxed);
        self.shared.large.store(large, Ordering::Relaxed);
    }

    /// Decrypts with this from now on.
    pub fn decrypt_with(&self, opener: Opener) {
        self.shared.opener.set(opener).expect("a connection has one session, which is set up once");
    }

    /// Asks the server for a sign of life whenever it was quiet for long.
    pub fn keep_alive(&self) {
        let (shared, patience) = (Arc::clone(&self.shared), self.request_timeout);
        self.keepalive.get_or_init(|| AbortOnDropHandle::new(tokio::spawn(keepalive(shared, patience))));
    }

    /// May new requests be sent?
    pub fn is_usable(&self) -> bool {
        !self.shared.doubtful.load(Ordering::Relaxed) && self.shared.state().broken.is_none()
    }

    /// Sends nothing more over it; what is under way may still come.
    pub fn distrust(&self) {
        self.shared.doubtful.store(true, Ordering::Relaxed);
    }

    /// Requests under way.
    pub fn load(&self) -> usize {
        self.shared.state().waiting.len()
    }

    /// Most bytes that one request may bring just now, with the credits we have.
    pub fn room(&self) -> u32 {
        if self.shared.large.load(Ordering::Relaxed) {
            self.shared.state().owned.max(1).saturating_mul(CREDIT)
        } else {
            CREDIT
        }
    }

    /// Sends one request before there are keys, and hashes what was said.
    pub async fn handshake(
        &self,
        op: &'static str,
        session_id: u64,
        request: Request,
        preauth: &mut Preauth,
    ) -> Result<Reply, Failure> {
        let envelope = Envelope { session_id, ..Envelope::default() };
        let since = Instant::now();
        let (sent, frame) = self.send(&envelope, &[request]).await?;
        preauth.add(&frame);
        let reply = self.answers(sent).await.map(|mut replies| replies.swap_remove(0));
        let took = since.elapsed();
        self.probe.observed(
            op,
            took,
            reply.as_ref().is_ok_and(|r| !r.status().is_error() || r.status() == Status::MORE_PROCESSING_REQUIRED),
        );
        reply
    }

    /// Sends requests as one chain, each working on what the one before it opened, and waits for every answer.
    pub async fn exchange(
        &self,
        op: &'static str,
        envelope: &Envelope<'_>,
        requests: &[Request],
    ) -> Result<Vec<Reply>, Failure> {
        let (sent, _) = self.send(envelope, requests).await?;
        let since = Instant::now();
        let replies = self.answers(sent).await;
        let good = replies.as_ref().is_ok_and(|replies| replies.iter().all(|reply| !reply.status().is_error()));
        self.probe.observed(op, since.elapsed(), good);
        let replies = replies?;
        for reply in &replies {
            protected(envelope, reply)?;
            if reply.status().ends_session() {
                // The rest of the chain means nothing, and its signatures do not fit (Samba 4.17).
                break;
            }
        }
        Ok(replies)
    }

    /// Sends a request whose answer nobody needs, if that can be done at once.
    pub fn post(&self, envelope: &Envelope<'_>, request: &Request) -> bool {
        let Ok(permit) = self.shared.credits.try_acquire() else { return false };
        permit.forget();
        self.shared.dispatch(envelope, std::slice::from_ref(request), &[1]).is_ok()
    }

    async fn send(&self, envelope: &Envelope<'_>, requests: &[Request]) -> Result<(Vec<Sent>, Vec<u8>), Failure> {
        let large = self.shared.large.load(Ordering::Relaxed);
        let charges: Vec<u32> = requests.iter().map(|request| charge(request, large)).collect();
        let permit = match timeout(self.request_timeout, self.shared.credits.acquire_many(charges.iter().sum())).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_closed)) => return Err(self.shared.lost()),
            Err(_elapsed) => {
                self.distrust();
                return Err(Failure::Timeout(self.request_timeout));
            }
        };
        permit.forget();
        self.shared.dispatch(envelope, requests, &charges)
    }

    async fn answers(&self, sent: Vec<Sent>) -> Result<Vec<Reply>, Failure> {
        let mut deadline = tokio::time::Instant::now() + self.request_timeout;
        let mut replies = Vec::with_capacity(sent.len());
        for mut one in sent {
            let answer = match tokio::time::timeout_at(deadline, &mut one.answer).await {
                Err(_elapsed) if one.pending.load(Ordering::Relaxed) => {
                    // The server is alive and works on it, perhaps recalls the file from tape.
                    deadline = tokio::time::Instant::now() + self.request_timeout;
                    tokio::time::timeout_at(deadline, &mut one.answer).await
                }
                answer => answer,
            };
            match answer {
                Ok(Ok(reply)) => replies.push(reply),
                Ok(Err(_gone)) => return Err(self.shared.lost()),
                Err(_elapsed) => {
                    tracing::debug!(message = one.id, "no answer in time");
                    self.distrust();
                    return Err(Failure::Timeout(self.request_timeout));
                }
            }
        }
        Ok(replies)
    }
}

async fn receive(mut reading: OwnedReadHalf, shared: Arc<Shared>) {
    let mut memory = Memory::default();
    let why = loop {
        match frame::read(&mut reading, shared.most.load(Ordering::Relaxed), &mut memory).await {
            Ok(raw) => {
                shared.heard.fetch_add(1, Ordering::Relaxed);
                if let Err(failure) = shared.deliver(raw) {
                    break failure.to_string();
                }
            }
            Err(failure) => break failure.to_string(),
        }
    };
    shared.fail(&why);
}

async fn write(mut writing: OwnedWriteHalf, mut queue: mpsc::UnboundedReceiver<Vec<u8>>, shared: Arc<Shared>) {
    while let Some(frame) = queue.recv().await {
        if let Err(error) = frame::write(&mut writing, &frame).await {
            shared.fail(&error.to_string());
            return;
        }
    }
}

async fn keepalive(shared: Arc<Shared>, patience: Duration) {
    loop {
        let heard = shared.heard.load(Ordering::Relaxed);
        tokio::time::sleep(QUIET).await;
        if shared.heard.load(Ordering::Relaxed) != heard {
            continue;
        }
        // Without credits there are requests under way, whose own patience decides.
        let Ok(permit) = shared.credits.try_acquire() else { continue };
        permit.forget();
        let echo = Request::new(Command::Echo, session::echo());
        let Ok((mut sent, _)) = shared.dispatch(&Envelope::default(), &[echo], &[1]) else { return };
        if timeout(patience, &mut sent.swap_remove(0).answer).await.is_err() {
            shared.fail("the server gives no sign of life");
            return;
        }
    }
}
