//! The client over its sessions: sends requests, makes another session when one is lost, keeps the lease while
//! nobody asks for anything.

use super::{
    attributes::{Bitmap, bit},
    compound::{Compound, Reply},
    failure::Failure,
    session::{OPERATIONS_LEAST, Party, Session},
};
use crate::handles::lock;
use std::{
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio_util::task::AbortOnDropHandle;

/// How often one request is sent at most: a session can be lost again while the request waits for another.
const TRIES: u32 = 4;
/// Pauses between attempts to reach a server that is away; they double.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The lease of most servers, until ours tells its own.
const LEASE: Duration = Duration::from_secs(90);

/// A client of one server. Everything that a store does goes through here.
#[derive(Debug)]
pub(crate) struct Client {
    pub party: Arc<Party>,
    current: Mutex<Option<Arc<Session>>>,
    /// The server was there once.
    met: AtomicBool,
    opening: tokio::sync::Mutex<()>,
    /// Attempts to make a session that failed, and how the last one did.
    failed: AtomicU64,
    last_failure: Mutex<Option<Failure>>,
    renewal: Mutex<Option<AbortOnDropHandle<()>>>,
}

impl Client {
    /// Makes the first session.
    pub async fn connect(party: Party) -> Result<Arc<Self>, Failure> {
        let client = Arc::new(Self {
            party: Arc::new(party),
            current: Mutex::default(),
            met: AtomicBool::new(false),
            opening: tokio::sync::Mutex::default(),
            failed: AtomicU64::new(0),
            last_failure: Mutex::default(),
            renewal: Mutex::default(),
        });
        client.session().await?;
        let lease = client.lease().await?;
        let renewal = tokio::spawn(renew(Arc::downgrade(&client), lease / 3));
        *lock(&client.renewal) = Some(AbortOnDropHandle::new(renewal));
        Ok(client)
    }

    /// Sends the request and waits for its answer. A request that was lost with its session is sent again in the
    /// next: whatever we send can be repeated.
    pub async fn call(&self, compound: &Compound) -> Result<Reply, Failure> {
        let mut tries = 1;
        let since = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let session = match self.session().await {
                // It was there once: what is refused now may be a restart.
                Err(failure)
                    if failure.is_of_the_connection()
                        && self.met.load(Ordering::Relaxed)
                        && since.elapsed() + pause <= self.party.manner.reconnect_for =>
                {
                    tracing::debug!(server = %self.party.server, %failure, ?pause, "the server is away");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
                session => session?,
            };
            match session.call(&self.party, compound).await {
                Err(failure) if failure.wants_new_session() && tries < TRIES => {
                    tracing::debug!(server = %self.party.server, %failure, tries, "another session is needed");
                    session.give_up();
                    tries += 1;
                }
                answer => return answer,
            }
        }
    }

    /// The session that works; made anew where there is none.
    pub async fn session(&self) -> Result<Arc<Session>, Failure> {
        if let Some(session) = self.working() {
            return Ok(session);
        }
        let failed = self.failed.load(Ordering::Relaxed);
        let _one_at_a_time = self.opening.lock().await;
        if let Some(session) = self.working() {
            return Ok(session);
        }
        // Somebody tried while we waited for our turn: a dead server is not asked once for each of us.
        if self.failed.load(Ordering::Relaxed) != failed
            && let Some(failure) = lock(&self.last_failure).clone()
        {
            return Err(failure);
        }
        let opened = Session::open(&self.party).await;
        match opened {
            Ok(session) => {
                self.met.store(true, Ordering::Relaxed);
                let before = lock(&self.current).replace(Arc::clone(&session));
                if let Some(before) = before {
                    tracing::warn!(server = %self.party.server, "the session was lost, another one is made");
                    // After a restart of the server there is no such client any more.
                    if before.client == session.client {
                        session.destroy(&self.party, &before.id).await;
                    }
                }
                Ok(session)
            }
            Err(failure) => {
                *lock(&self.last_failure) = Some(failure.clone());
                self.failed.fetch_add(1, Ordering::Relaxed);
                Err(failure)
            }
        }
    }

    /// Operations that one request holds, SEQUENCE included.
    pub fn operations(&self) -> u32 {
        lock(&self.current).as_ref().map_or(OPERATIONS_LEAST, |session| session.granted.operations)
    }

    /// Ends session and client at the server.
    pub async fn close(&self) {
        lock(&self.renewal).take();
        let session = lock(&self.current).take();
        if let Some(session) = session {
            session.close(&self.party).await;
        }
    }

    fn working(&self) -> Option<Arc<Session>> {
        lock(&self.current).clone().filter(|session| !session.is_broken())
    }

    async fn lease(&self) -> Result<Duration, Failure> {
        let ask = Compound::new("GETATTR").put_root().attributes(Bitmap::of(&[bit::LEASE_TIME]));
        let mut reply = self.call(&ask).await?;
        reply.done(super::compound::op::PUTROOTFH)?;
        let told = reply.attributes()?.lease_time;
        Ok(told.filter(|seconds| *seconds > 0).map_or(LEASE, |seconds| Duration::from_secs(seconds.into())))
    }
}

/// What nobody closed is closed behind their back, where there still is a runtime to do that.
impl Drop for Client {
    fn drop(&mut self) {
        let session = lock(&self.current).take();
        if let (Some(session), Ok(runtime)) = (session, tokio::runtime::Handle::try_current()) {
            let party = Arc::clone(&self.party);
            drop(runtime.spawn(async move { session.close(&party).await }));
        }
    }
}

/// Sends a SEQUENCE whenever nothing was sent for `pause`. A session that is lost is not made anew for its own
/// sake: the next who needs one does that.
async fn renew(client: Weak<Client>, pause: Duration) {
    let pause = pause.max(Duration::from_secs(1));
    loop {
        tokio::time::sleep(pause / 2).await;
        let Some(client) = client.upgrade() else { return };
        if let Some(session) = client.working().filter(|session| session.idle() >= pause / 2)
            && let Err(failure) = session.call(&client.party, &Compound::new("SEQUENCE")).await
        {
            tracing::debug!(server = %client.party.server, %failure, "the lease was not renewed");
        }
    }
}
