//! Requests under way: their numbers, their credits, and who waits for them.

use crate::{
    crypto::Opener,
    failure::Failure,
    frame,
    message::{Envelope, Reply, Request},
    wire::{
        header::{FLAG_ASYNC, FLAG_DFS, FLAG_RELATED, FLAG_RESPONSE, FLAG_SIGNED, HEADER, RequestHeader, UNASKED},
        status::Status,
    },
};
use bytes::BytesMut;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// Credits that we try to have: 64 reads of 1 MiB, and some.
const WISHED: u32 = 1_280;
/// Credits to ask for at once, beyond those the request spends.
const ASK: u32 = 512;

/// What the tasks of a connection share.
pub(crate) struct Shared {
    pub state: Mutex<State>,
    /// Credits that we hold and have not spent.
    pub credits: Semaphore,
    /// Frames to be written. It holds no more than the credits allow.
    pub frames: mpsc::UnboundedSender<Vec<u8>>,
    pub opener: OnceLock<Opener>,
    /// Requests of more than 64 KiB are possible, and are counted.
    pub large: AtomicBool,
    /// Largest frame to take.
    pub most: AtomicUsize,
    /// Frames that came.
    pub heard: AtomicUsize,
    /// An answer did not come in time: no new requests.
    pub doubtful: AtomicBool,
}

/// Requests under way, and what they may cost.
#[derive(Default)]
pub(crate) struct State {
    pub next: u64,
    pub waiting: HashMap<u64, Waiter>,
    /// Credits that we hold, spent on requests under way or not.
    pub owned: u32,
    pub broken: Option<Arc<str>>,
}

/// Whoever waits for an answer.
pub(crate) struct Waiter {
    pub answer: oneshot::Sender<Reply>,
    /// The server said that it works on it.
    pub pending: Arc<AtomicBool>,
    pub charge: u32,
}

/// A request that was sent.
pub(crate) struct Sent {
    pub id: u64,
    pub answer: oneshot::Receiver<Reply>,
    pub pending: Arc<AtomicBool>,
}

impl Shared {
    pub fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn lost(&self) -> Failure {
        let why = self.state().broken.clone();
        Failure::Lost(why.unwrap_or_else(|| "the connection is closed".into()))
    }

    /// Ends everything: whoever waits is told.
    pub fn fail(&self, why: &str) {
        let waiting = {
            let mut state = self.state();
            if state.broken.is_none() {
                tracing::debug!(why, "connection lost");
                state.broken = Some(why.into());
            }
            std::mem::take(&mut state.waiting)
        };
        self.credits.close();
        drop(waiting);
    }

    /// Numbers, encodes, protects and queues a chain whose credits are spent. Nothing here waits.
    pub fn dispatch(
        &self,
        envelope: &Envelope<'_>,
        requests: &[Request],
        charges: &[u32],
    ) -> Result<(Vec<Sent>, Vec<u8>), Failure> {
        let mut state = self.state();
        if let Some(why) = &state.broken {
            return Err(Failure::Lost(Arc::clone(why)));
        }
        let spent: u32 = charges.iter().sum();
        let wish = WISHED.saturating_sub(state.owned).min(ASK);
        let mut sent = Vec::with_capacity(requests.len());
        let mut chain = Vec::new();
        let large = self.large.load(Ordering::Relaxed);
        for (number, (request, charge)) in requests.iter().zip(charges).enumerate() {
            let last = number + 1 == requests.len();
            let start = chain.len();
            let length = HEADER + request.body.len();
            let next = if last { 0 } else { length.next_multiple_of(8) };
            let id = state.next;
            state.next += u64::from(*charge);
            let mut flags = if number > 0 { FLAG_RELATED } else { 0 };
            if envelope.dfs {
                flags |= FLAG_DFS;
            }
            if envelope.signer.is_some() && envelope.sealer.is_none() {
                flags |= FLAG_SIGNED;
            }
            let asked = charge + if number == 0 { wish } else { 0 };
            RequestHeader {
                command: request.command,
                charge: if large { u16::try_from(*charge).unwrap_or(u16::MAX) } else { 0 },
                credits: u16::try_from(asked).unwrap_or(u16::MAX),
                flags,
                next: u32::try_from(next).expect("requests are small"),
                message_id: id,
                tree_id: envelope.tree_id,
                session_id: envelope.session_id,
            }
            .encode(&mut chain);
            chain.extend_from_slice(&request.body);
            if !last {
                chain.resize(start + next, 0);
            }
            if let (Some(signer), None) = (envelope.signer, envelope.sealer) {
                signer.sign(&mut chain[start..], id);
            }
            let (answer, receiver) = oneshot::channel();
            let pending = Arc::new(AtomicBool::new(false));
            state.waiting.insert(id, Waiter { answer, pending: Arc::clone(&pending), charge: *charge });
            sent.push(Sent { id, answer: receiver, pending });
        }
        tracing::trace!(spent, owned = state.owned, waiting = state.waiting.len(), "sent");
        let frame = match envelope.sealer {
            Some(sealer) => frame::finish(sealer.seal(&chain, frame::LENGTH)),
            None => frame::finish([&[0; frame::LENGTH][..], &chain].concat()),
        };
        // The writing task ends only when the connection is broken, and then every waiter is told.
        if self.frames.send(frame).is_err() {
            return Err(Failure::Lost("the connection is closed".into()));
        }
        Ok((sent, chain))
    }

    /// Gives every message of a frame to whoever waits for it.
    pub fn deliver(&self, mut raw: BytesMut) -> Result<(), Failure> {
        let sealed = frame::is_sealed(&raw);
        if sealed {
            let opener =
                self.opener.get().ok_or(Failure::Tampered("an encrypted message came before there were keys"))?;
            raw = opener.open(raw)?;
        }
        for (header, message) in frame::messages(raw)? {
            self.hand_out(Reply { header, message, sealed });
        }
        Ok(())
    }

    fn hand_out(&self, reply: Reply) {
        let header = &reply.header;
        // An oplock that is broken was never asked for.
        if header.flags & FLAG_RESPONSE == 0 || header.message_id == UNASKED {
            return;
        }
        let granted = u32::from(header.credits);
        let waiter = {
            let mut state = self.state();
            let interim = reply.status() == Status::PENDING && header.flags & FLAG_ASYNC != 0;
            let waiter = if interim {
                if let Some(waiter) = state.waiting.get(&header.message_id) {
                    waiter.pending.store(true, Ordering::Relaxed);
                }
                None
            } else {
                state.waiting.remove(&header.message_id)
            };
            state.owned =
                state.owned.saturating_add(granted).saturating_sub(waiter.as_ref().map_or(0, |waiter| waiter.charge));
            waiter
        };
        if granted > 0 {
            self.credits.add_permits(usize::from(header.credits));
        }
        if let Some(waiter) = waiter {
            // Nobody waits any more when a request was given up.
            drop(waiter.answer.send(reply));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::header::{Command, MAGIC};

    /// What the tasks of a connection share, which has spent its only credit; frames that are written go nowhere.
    fn shared() -> (Shared, mpsc::UnboundedReceiver<Vec<u8>>) {
        let (frames, queue) = mpsc::unbounded_channel();
        let shared = Shared {
            state: Mutex::new(State { owned: 1, ..State::default() }),
            credits: Semaphore::new(0),
            frames,
            opener: OnceLock::new(),
            large: AtomicBool::new(false),
            most: AtomicUsize::new(1 << 20),
            heard: AtomicUsize::new(0),
            doubtful: AtomicBool::new(false),
        };
        (shared, queue)
    }

    /// An answer that grants so many credits.
    fn answer(id: u64, status: Status, flags: u32, credits: u16) -> BytesMut {
        let mut raw = BytesMut::zeroed(HEADER);
        raw[..4].copy_from_slice(&MAGIC);
        raw[4..6].copy_from_slice(&64_u16.to_le_bytes());
        raw[8..12].copy_from_slice(&status.0.to_le_bytes());
        raw[14..16].copy_from_slice(&credits.to_le_bytes());
        raw[16..20].copy_from_slice(&(flags | FLAG_RESPONSE).to_le_bytes());
        raw[24..32].copy_from_slice(&id.to_le_bytes());
        raw
    }

    fn sent(shared: &Shared) -> Sent {
        let echo = Request::new(Command::Echo, vec![4, 0, 0, 0]);
        shared.dispatch(&Envelope::default(), &[echo], &[1]).unwrap().0.swap_remove(0)
    }

    #[test]
    fn the_answer_of_a_request_that_was_given_up_still_brings_its_credits() {
        let (shared, _queue) = shared();
        let given_up = sent(&shared).id;
        // Nobody holds the other end of the answer any more.
        shared.deliver(answer(given_up, Status::SUCCESS, 0, 3)).unwrap();
        assert_eq!((shared.credits.available_permits(), shared.state().owned), (3, 3));
        assert!(shared.state().waiting.is_empty());
        // An interim answer brings credits as well, and the final one that follows none.
        let mut slow = sent(&shared);
        shared.deliver(answer(slow.id, Status::PENDING, FLAG_ASYNC, 2)).unwrap();
        assert!(slow.pending.load(Ordering::Relaxed) && slow.answer.try_recv().is_err());
        shared.deliver(answer(slow.id, Status::SUCCESS, FLAG_ASYNC, 0)).unwrap();
        assert_eq!(slow.answer.try_recv().unwrap().status(), Status::SUCCESS);
        assert_eq!(shared.credits.available_permits(), 5);
        // And one to a request that there never was.
        shared.deliver(answer(99, Status::SUCCESS, 0, 1)).unwrap();
        assert_eq!(shared.credits.available_permits(), 6);
    }
}
