//! Group commit: many tasks append, one thread writes and syncs.
//!
//! An append encodes its record into a shared batch and is done: no task, no channel slot, no wake-up of its own.
//! The thread is woken when a batch begins, lets it grow for `max_delay`, and writes it as one frame with one sync;
//! a full batch or somebody who waits for durability makes it go at once. While it syncs, the next batch fills,
//! so that all who wait meanwhile share the next sync.

use crate::{Error, Journal, Lsn, Record, frame::Batch};
use std::{
    mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::sync::{Notify, oneshot, watch};

/// When a batch is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitPolicy {
    /// A record waits at most about this long to be written and synced, however few there are.
    pub max_delay: Duration,
    /// A batch of this many records is written at once. Four times as many may wait while a sync is under way;
    /// whoever appends more has to wait too.
    pub max_batch: usize,
}

impl Default for CommitPolicy {
    /// 20 ms, which is at most 50 syncs a second and as much work to do again after a power cut; 4,096 records,
    /// about half a megabyte.
    fn default() -> Self {
        Self { max_delay: Duration::from_millis(20), max_batch: 4096 }
    }
}

/// A batch of this many bytes is written at once, whatever the number of records, and four times as many may wait.
const RIPE_BYTES: usize = 1 << 20;

/// The async door of a journal. Clones share it.
#[derive(Clone, Debug)]
pub struct Writer(Arc<Owner>);

/// The last clone to go ends the thread and waits for it, so that all is written and the lock is free.
#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    /// The journal, or why there is none any more; taken by the first who closes.
    handback: Mutex<Option<oneshot::Receiver<Result<Journal, Error>>>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    policy: CommitPolicy,
    state: Mutex<State>,
    /// Something for the thread to do.
    work: Condvar,
    /// There is room in the batch again.
    room: Notify,
    /// For those who ask; those who wait watch `progress`.
    durable: AtomicU64,
    progress: watch::Sender<Progress>,
}

#[derive(Debug)]
struct State {
    batch: Batch,
    /// The last record that was appended.
    appended: u64,
    /// Somebody waits for durability.
    urgent: bool,
    closing: bool,
    failed: Option<Error>,
}

#[derive(Clone, Debug)]
struct Progress {
    durable: u64,
    ended: Option<Error>,
}

impl Writer {
    /// Starts the thread.
    pub fn start(journal: Journal, policy: CommitPolicy) -> Self {
        let durable = journal.durable().0;
        let shared = Arc::new(Shared {
            policy,
            state: Mutex::new(State {
                batch: Batch::default(),
                appended: journal.appended().0,
                urgent: false,
                closing: false,
                failed: journal.failed.clone(),
            }),
            work: Condvar::new(),
            room: Notify::new(),
            durable: AtomicU64::new(durable),
            progress: watch::Sender::new(Progress { durable, ended: None }),
        });
        let (give, handback) = oneshot::channel();
        let of_thread = Arc::clone(&shared);
        let dir = journal.dir.clone();
        let thread = thread::Builder::new().name("journal".to_owned()).spawn(move || {
            let death = Death(&of_thread);
            let result = of_thread.run(journal);
            of_thread.end(result.as_ref().err().cloned().unwrap_or(Error::Closed));
            mem::forget(death);
            // Nobody may be there to take it: then it is dropped here, and the lock with it.
            drop(give.send(result));
        });
        let thread = match thread {
            Ok(thread) => Some(thread),
            Err(error) => {
                shared.end(Error::io("start the writer of", dir)(error));
                None
            }
        };
        Self(Arc::new(Owner { shared, handback: Mutex::new(Some(handback)), thread }))
    }

    /// Appends a record; waits only while too many wait already. When it is dropped before it is done, nothing
    /// was appended.
    pub async fn append(&self, record: Record) -> Result<Lsn, Error> {
        let shared = &self.0.shared;
        loop {
            if let Some(lsn) = shared.try_append(&record)? {
                return Ok(lsn);
            }
            // Registered before the second try, so that room made in between is not missed.
            let room = shared.room.notified();
            if let Some(lsn) = shared.try_append(&record)? {
                return Ok(lsn);
            }
            room.await;
        }
    }

    /// Waits until the record and all before it survive a power cut, and has that done soon.
    pub async fn durable(&self, lsn: Lsn) -> Result<(), Error> {
        if self.is_durable(lsn) {
            return Ok(());
        }
        let shared = &self.0.shared;
        let mut progress = shared.progress.subscribe();
        {
            let mut state = shared.lock();
            if lsn.0 > state.appended {
                return Err(state.failed.clone().unwrap_or(Error::NeverAppended(lsn)));
            }
            if !mem::replace(&mut state.urgent, true) {
                shared.work.notify_one();
            }
        }
        let progress = progress.wait_for(|progress| progress.durable >= lsn.0 || progress.ended.is_some()).await;
        let Ok(progress) = progress else { return Err(Error::WriterDied) };
        match &progress.ended {
            Some(error) if progress.durable < lsn.0 => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Does the record survive a power cut by now?
    pub fn is_durable(&self, lsn: Lsn) -> bool {
        self.0.shared.durable.load(Ordering::Acquire) >= lsn.0
    }

    /// Makes durable what was appended and gives the journal back. From now on clones that are left get
    /// `Error::Closed`, or the error that ended the writing.
    pub async fn close(self) -> Result<Journal, Error> {
        let handback = self.0.handback.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.0.shared.close();
        let ended = || self.0.shared.lock().failed.clone().unwrap_or(Error::Closed);
        match handback {
            Some(handback) => handback.await.unwrap_or_else(|_| Err(ended())),
            None => Err(ended()),
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the journal's writer panicked");
        }
    }
}

/// Says that the thread died, if it does.
struct Death<'a>(&'a Shared);

impl Drop for Death<'_> {
    fn drop(&mut self) {
        self.0.end(Error::WriterDied);
    }
}

impl Shared {
    /// The state is whole at every moment a panic could strike, so poison means nothing.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().closing = true;
        self.work.notify_one();
        // Those who wait for room learn that there will be none.
        self.room.notify_waiters();
    }

    /// Is it large enough to be written at once?
    fn is_ripe(&self, batch: &Batch) -> bool {
        records(batch) >= self.policy.max_batch || batch.len() >= RIPE_BYTES
    }

    /// `None`: no room.
    fn try_append(&self, record: &Record) -> Result<Option<Lsn>, Error> {
        let mut state = self.lock();
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        if state.closing {
            return Err(Error::Closed);
        }
        let most = self.policy.max_batch.saturating_mul(4).max(1);
        if records(&state.batch) >= most || state.batch.len() >= 4 * RIPE_BYTES {
            return Ok(None);
        }
        let (begins, was_ripe) = (state.batch.is_empty(), self.is_ripe(&state.batch));
        state.batch.push(record)?;
        state.appended += 1;
        let lsn = Lsn(state.appended);
        if begins || (!was_ripe && self.is_ripe(&state.batch)) {
            self.work.notify_one();
        }
        Ok(Some(lsn))
    }

    /// The thread's work, until it is told to close or fails.
    fn run(&self, mut journal: Journal) -> Result<Journal, Error> {
        let mut batch = Batch::default();
        // What the journal had waiting when it was handed over.
        self.reached(journal.sync()?);
        loop {
            let mut state = self.lock();
            while state.batch.is_empty() && !state.closing {
                state.urgent = false;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let may_grow = |state: &mut State| !state.urgent && !state.closing && !self.is_ripe(&state.batch);
            let waited = self.work.wait_timeout_while(state, self.policy.max_delay, may_grow);
            let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if state.batch.is_empty() && state.closing {
                return Ok(journal);
            }
            mem::swap(&mut state.batch, &mut batch);
            state.urgent = false;
            drop(state);
            self.room.notify_waiters();
            journal.commit(&mut batch)?;
            self.reached(journal.sync()?);
        }
    }

    fn reached(&self, durable: Lsn) {
        self.durable.store(durable.0, Ordering::Release);
        self.progress.send_modify(|progress| progress.durable = durable.0);
    }

    /// Tells everybody that nothing will be written any more.
    fn end(&self, why: Error) {
        self.lock().failed.get_or_insert(why.clone());
        self.progress.send_modify(|progress| progress.ended = Some(why));
        self.room.notify_waiters();
    }
}

fn records(batch: &Batch) -> usize {
    usize::try_from(batch.count()).unwrap_or(usize::MAX)
}
