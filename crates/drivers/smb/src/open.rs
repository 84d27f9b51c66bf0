//! Opening what is there, and never leaving it open.

use crate::{
    client::Place,
    connection::{Reply, Request},
    failure::Failure,
    session::{Session, Tree},
    wire::{
        file::{self, Created, OpenId, RELATED},
        header::Command,
        status::Status,
    },
};
use std::sync::Arc;

/// A chain that opens, does what is in the middle, and closes: one round trip.
pub(crate) fn chain(
    name: &[u16],
    access: u32,
    options: u32,
    middle: impl IntoIterator<Item = Request>,
) -> Vec<Request> {
    let mut all = vec![Request::new(Command::Create, file::create(name, access, options))];
    all.extend(middle);
    all.push(Request::new(Command::Close, file::close(&RELATED, false)));
    all
}

/// Opens, does what is in the middle, and closes. Gives the answers to what was in the middle.
pub(crate) async fn visit(
    place: &Place,
    op: &'static str,
    access: u32,
    options: u32,
    middle: Vec<Request>,
) -> Result<Vec<Reply>, Failure> {
    let requests = chain(&place.name, access, options, middle);
    let mut replies = place.session.exchange(op, &place.tree, &requests).await?;
    let created = Created::decode(replies[0].good()?)?;
    let closed = replies.pop().expect("as many answers as requests, and CLOSE is one");
    if closed.status() != Status::SUCCESS {
        // Some servers end a chain at its first failure, and leave open what was opened.
        drop(Handle::new(place, created.id));
    }
    replies.remove(0);
    Ok(replies)
}

/// Something that is open. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Handle {
    session: Arc<Session>,
    tree: Arc<Tree>,
    id: OpenId,
    open: bool,
}

impl Handle {
    fn new(place: &Place, id: OpenId) -> Self {
        Self { session: Arc::clone(&place.session), tree: Arc::clone(&place.tree), id, open: true }
    }

    /// Opens, and does what comes after within the same round trip. In a task of its own, so that what was
    /// opened is closed even when the caller is dropped meanwhile.
    pub async fn open(
        place: &Place,
        op: &'static str,
        access: u32,
        options: u32,
        then: Vec<Request>,
    ) -> Result<(Self, Created, Vec<Reply>), Failure> {
        let place = place.clone();
        let opening = tokio::spawn(async move {
            let mut requests = vec![Request::new(Command::Create, file::create(&place.name, access, options))];
            requests.extend(then);
            let mut replies = place.session.exchange(op, &place.tree, &requests).await?;
            let created = Created::decode(replies[0].good()?)?;
            replies.remove(0);
            Ok((Self::new(&place, created.id), created, replies))
        });
        opening.await.unwrap_or_else(|_panic| Err(Failure::Lost("the task that opens failed".into())))
    }

    /// The session it is open in.
    pub fn session(&self) -> &Session {
        &self.session
    }
    /// Its name on the wire.
    pub fn id(&self) -> &OpenId {
        &self.id
    }

    /// Sends a request about it.
    pub async fn request(&self, op: &'static str, request: Request) -> Result<Reply, Failure> {
        self.session.request(op, &self.tree, request).await
    }

    /// Closes it and gives the answer, which tells times and sizes as they are at the end. Nothing can be asked of it
    /// afterwards.
    pub async fn close(&mut self) -> Result<Reply, Failure> {
        self.open = false;
        self.request("CLOSE", Request::new(Command::Close, file::close(&self.id, true))).await
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if !self.open || !self.session.connection.is_usable() {
            return;
        }
        let request = Request::new(Command::Close, file::close(&self.id, false));
        if self.session.connection.post(&self.session.envelope(Some(&self.tree)), &request) {
            return;
        }
        // No credit is free just now.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (session, tree) = (Arc::clone(&self.session), Arc::clone(&self.tree));
            drop(runtime.spawn(async move {
                if let Err(failure) = session.request("CLOSE", &tree, request).await {
                    tracing::debug!(%failure, "a file was left open until the session ends");
                }
            }));
        }
    }
}
