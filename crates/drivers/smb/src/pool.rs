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

/// One server.
#[derive(Debug)]
pub(crate) struct Server {
    host: String,
    port: u16,
    options: SmbOptions,
    sessions: Mutex<Vec<Arc<Session>>>,
    /// One session is opened at a time. Holds how the last try failed, and when.
    opening: tokio::sync::Mutex<Option<(Instant, Failure)>>,
}

impl Server {
    pub fn new(host: String, port: u16, options: SmbOptions) -> Self {
        Self { host, port, options, sessions: Mutex::default(), opening: tokio::sync::Mutex::default() }
    }

    /// A session that can be used.
    pub async fn session(&self) -> Result<Arc<Session>, Failure> {
        if let Some(session) = self.idle() {
            return Ok(session);
        }
        let asked = Instant::now();
        let mut last = self.opening.lock().await;
        if let Some(session) = self.idle() {
            return Ok(session);
        }
        if let Some((when, failure)) = &*last {
            // What another caller found out while this one waited holds for both.
            let refused = matches!(failure, Failure::Login(_) | Failure::MadeGuest) && when.elapsed() < REFUSED;
            if *when >= asked || refused {
                return self.any().ok_or_else(|| failure.clone());
            }
        }
        match Session::open(&self.host, self.port, &self.options).await {
            Ok(session) => {
                let session = Arc::new(session);
                self.sessions().push(Arc::clone(&session));
                *last = None;
                Ok(session)
            }
            Err(failure) => {
                *last = Some((Instant::now(), failure.clone()));
                // One more would have been good, but those there are will do.
                self.any().ok_or(failure)
            }
        }
    }

    /// The session with the least to do, unless another should be opened.
    fn idle(&self) -> Option<Arc<Session>> {
        let session = self.any()?;
        let full = self.sessions().len() >= self.options.connections.get();
        (full || session.connection.load() < BUSY).then_some(session)
    }

    /// The session with the least to do.
    fn any(&self) -> Option<Arc<Session>> {
        let mut sessions = self.sessions();
        sessions.retain(|session| session.connection.is_usable());
        sessions.iter().min_by_key(|session| session.connection.load()).cloned()
    }

    fn sessions(&self) -> MutexGuard<'_, Vec<Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
