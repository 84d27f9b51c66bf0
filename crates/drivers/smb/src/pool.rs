//! Sessions with one server: as many as the load asks for, up to a limit, and new ones for those that broke.

use crate::{SmbOptions, failure::Failure, session::Session};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Requests under way on a connection before another one is opened.
const BUSY: usize = 16;
/// After a refusal the server is not asked again for so long: many workers that ask at once would lock the account.
const REFUSED: Duration = Duration::from_secs(30);
/// How long no further session is tried after one could not be opened while others stand.
const GROW_AGAIN: Duration = Duration::from_secs(5);
/// Pauses between attempts to reach a server that is away; they double.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// One server.
#[derive(Debug)]
pub(crate) struct Server {
    host: String,
    port: u16,
    options: SmbOptions,
    state: Mutex<State>,
    /// One session is opened at a time. Holds how the last try failed, and when.
    opening: tokio::sync::Mutex<Option<(Instant, Failure)>>,
}

#[derive(Debug, Default)]
struct State {
    sessions: Vec<Arc<Session>>,
    /// The server was there once: what is refused now may be a restart.
    met: bool,
    /// No further session is opened before.
    grow_at: Option<Instant>,
}

impl Server {
    pub fn new(host: String, port: u16, options: SmbOptions) -> Self {
        Self { host, port, options, state: Mutex::default(), opening: tokio::sync::Mutex::default() }
    }

    /// A session that can be used. A server that was there and is away is waited for.
    pub async fn session(&self) -> Result<Arc<Session>, Failure> {
        let since = Instant::now();
        let patience = self.options.reconnect_for.min(self.options.request_timeout);
        let mut pause = FIRST_PAUSE;
        loop {
            match self.session_now().await {
                Err(failure) if failure.is_unconnected() && self.state().met && since.elapsed() + pause <= patience => {
                    tracing::debug!(server = self.host, %failure, ?pause, "the server is away");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                session => return session,
            }
        }
    }

    /// A session that can be used, or why there is none just now.
    pub async fn session_now(&self) -> Result<Arc<Session>, Failure> {
        if let Some(session) = self.any() {
            if !self.should_grow(&session) {
                return Ok(session);
            }
            // One more would be good, but nobody waits for it who can use one there is.
            let Ok(mut last) = self.opening.try_lock() else { return Ok(session) };
            return Ok(self.opened(&mut last).await.unwrap_or_else(|failure| {
                tracing::debug!(server = self.host, %failure, "no further session");
                let pause = if failure.is_refusal() { REFUSED } else { GROW_AGAIN };
                self.state().grow_at = Some(Instant::now() + pause);
                self.any().unwrap_or(session)
            }));
        }
        let asked = Instant::now();
        let mut last = self.opening.lock().await;
        if let Some(session) = self.any() {
            return Ok(session);
        }
        if let Some((when, failure)) = &*last
            // What another caller found out while this one waited holds for both.
            && (*when >= asked || (failure.is_refusal() && when.elapsed() < REFUSED))
        {
            return Err(failure.clone());
        }
        self.opened(&mut last).await
    }

    async fn opened(&self, last: &mut Option<(Instant, Failure)>) -> Result<Arc<Session>, Failure> {
        match Session::open(&self.host, self.port, &self.options).await {
            Ok(session) => {
                let session = Arc::new(session);
                let mut state = self.state();
                state.met = true;
                state.sessions.push(Arc::clone(&session));
                *last = None;
                Ok(session)
            }
            Err(failure) => {
                let failure = match failure {
                    // It does speak SMB, but hangs up while it starts or ends.
                    Failure::NotSmb(why) if self.state().met => Failure::Lost(why.into()),
                    failure => failure,
                };
                *last = Some((Instant::now(), failure.clone()));
                Err(failure)
            }
        }
    }

    /// Should another be opened, when this one has the least to do?
    fn should_grow(&self, session: &Session) -> bool {
        let state = self.state();
        session.connection.load() >= BUSY
            && state.sessions.len() < self.options.connections.get()
            && state.grow_at.is_none_or(|at| Instant::now() >= at)
    }

    /// The session with the least to do.
    fn any(&self) -> Option<Arc<Session>> {
        let mut state = self.state();
        state.sessions.retain(|session| session.connection.is_usable());
        state.sessions.iter().min_by_key(|session| session.connection.load()).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        connection::Request,
        scripted::{Say, Scripted, guest},
        wire::{header::Command, session, status::Status},
    };
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn server(port: u16, options: SmbOptions) -> Arc<Server> {
        Arc::new(Server::new("127.0.0.1".to_owned(), port, options))
    }

    async fn lost(session: &Session) {
        while session.connection.is_usable() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn a_server_that_was_there_is_waited_for() {
        let scripted = Scripted::start(|_| Say::Usual).await;
        let port = scripted.port;
        let patient = server(port, guest());
        let hasty = server(port, SmbOptions { reconnect_for: Duration::from_millis(300), ..guest() });
        let sessions = [patient.session().await.unwrap(), hasty.session().await.unwrap()];
        drop(scripted);
        for session in &sessions {
            lost(session).await;
        }
        let since = Instant::now();
        let failure = hasty.session().await.unwrap_err();
        assert!(matches!(failure, Failure::Connect(_)), "{failure:?}");
        assert!((100..1000).contains(&since.elapsed().as_millis()), "{:?}", since.elapsed());
        let since = Instant::now();
        let failure = server(port, guest()).session().await.unwrap_err();
        assert!(matches!(failure, Failure::Connect(_)) && since.elapsed() < Duration::from_millis(100), "{failure:?}");
        let back = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(400)).await;
            // At first it accepts and hangs up, as what stands before a server that starts does.
            let hangs_up = Scripted::at(port, None, |_| Say::HangUp).await;
            tokio::time::sleep(Duration::from_millis(700)).await;
            drop(hangs_up);
            Scripted::at(port, None, |_| Say::Usual).await
        });
        patient.session().await.unwrap();
        back.await.unwrap();
    }

    #[tokio::test]
    async fn only_a_refusal_that_stays_is_remembered() {
        for (status, tries) in [(Status::NO_LOGON_SERVERS, 2), (Status::LOGON_FAILURE, 1)] {
            let asked = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&asked);
            let scripted = Scripted::start(move |request| {
                if !request.is(Command::SessionSetup) || count.fetch_add(1, Ordering::Relaxed) > 0 {
                    return Say::Usual;
                }
                Say::Refuse(status)
            });
            let scripted = scripted.await;
            let server = server(scripted.port, guest());
            assert!(matches!(server.session().await, Err(Failure::Login(_))));
            let again = server.session().await;
            assert_eq!((again.is_ok(), asked.load(Ordering::Relaxed)), (tries == 2, tries), "{again:?}");
        }
    }

    #[tokio::test]
    async fn a_session_that_cannot_be_added_stalls_nobody_who_can_use_another() {
        let logins = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&logins);
        let scripted = Scripted::start(move |request| {
            let further = request.is(Command::SessionSetup) && count.fetch_add(1, Ordering::Relaxed) > 0;
            if further || request.is(Command::Echo) { Say::Silence } else { Say::Usual }
        });
        let scripted = scripted.await;
        let server = server(scripted.port, SmbOptions { request_timeout: Duration::from_secs(2), ..guest() });
        let session = server.session().await.unwrap();
        let echo = Request::new(Command::Echo, session::echo());
        for _ in 0..BUSY {
            assert!(session.connection.post(&session.envelope(None), &echo));
        }
        let grows = tokio::spawn({
            let server = Arc::clone(&server);
            async move { server.session().await }
        });
        while logins.load(Ordering::Relaxed) < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let since = Instant::now();
        server.session().await.unwrap();
        assert!(since.elapsed() < Duration::from_millis(500), "{:?}", since.elapsed());
        grows.await.unwrap().unwrap();
        let since = Instant::now();
        server.session().await.unwrap();
        assert!(since.elapsed() < Duration::from_millis(500), "{:?}", since.elapsed());
        assert_eq!(logins.load(Ordering::Relaxed), 2);
    }
}
