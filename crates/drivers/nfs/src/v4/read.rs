//! Reading a file: one READ where it fits, else [`pieces`](crate::pieces).

use super::{
    attributes::{Attributes, Bitmap, HANDLE_MAX},
    compound::{Compound, Reply, StateId, op},
    entry::{self, FILE, STAMP},
    failure::Failure,
    open::Opened,
    tree::Shared,
};
use crate::{
    again::surely,
    names::check_names,
    pieces::{self, Known, OP, Piece, Reads, changed, same_content},
};
use bytes::Bytes;
use model::{RelPath, Stamp};
use std::sync::{Arc, atomic::Ordering};
use storage::{Error, ErrorKind, ReadSpec, Reading, Result};

/// Content of the file at `path`.
pub(crate) async fn read(tree: &Shared, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
    check_names(path, OP)?;
    // A locator that led nowhere is not tried twice: the path decides.
    let mut locator = spec.locator.clone().filter(|handle| (1..=HANDLE_MAX).contains(&handle.len()));
    let first = surely!(&**tree, path, begin(tree, path, locator.take(), &spec).await);
    let First { file, told, piece, steady } = match first {
        Ok(first) => first,
        Err(failure) => return Err(tree.error(failure, OP, path).await),
    };
    let kind = told.kind;
    let Some(entry) = entry::entry(path.clone(), file.known.handle.clone(), told, spec.want) else {
        return Err(Error::new(ErrorKind::Unexpected, OP).at(path).because("the server does not tell what it is"));
    };
    if kind != Some(FILE) {
        let why = format!("it is a {}, not a file", entry.kind.word());
        return Err(Error::new(ErrorKind::Invalid, OP).at(path).because(why));
    }
    let wanted = pieces::agreed(&spec, &entry)?;
    if !steady {
        return Err(changed(path, "it was written while it was read"));
    }
    let body = pieces::body(file, wanted, piece)?;
    Ok(Reading { entry, body })
}

/// What the first request told.
struct First {
    file: File,
    /// As they were before anything was read: reading moves the time of last access.
    told: Attributes,
    /// Content from the start of what is wanted.
    piece: Piece,
    /// The file was the same before and after.
    steady: bool,
}

async fn begin(tree: &Shared, path: &RelPath, locator: Option<Bytes>, spec: &ReadSpec) -> Result<First, Failure> {
    let asked = entry::asked(spec.want);
    let (handle, known) = if let Some(handle) = locator {
        (handle, None)
    } else {
        let (handle, told) = tree.find(path, asked).await?;
        (handle, Some(told))
    };
    let expected = pieces::expected(spec, known.as_ref().and_then(|told| told.size));
    let is_file = known.as_ref().is_none_or(|told| told.kind == Some(FILE));
    let file = |handle, stamp| File {
        tree: tree.clone(),
        known: Known { path: path.clone(), handle, stamp },
        opened: Arc::default(),
    };
    if expected == 0 || !is_file {
        // Nothing to read; what it is still has to be told, and an empty file may have grown.
        let told = match known {
            Some(told) => told,
            None => super::tree::getattr(&tree.client, &handle, asked).await?,
        };
        let file = file(handle, entry::stamp(&told));
        return Ok(First { file, told, piece: Piece::default(), steady: true });
    }
    let count = u32::try_from(expected).unwrap_or(u32::MAX).min(tree.read_size);
    let mut file = file(handle, Stamp::default());
    if tree.opens.load(Ordering::Relaxed) {
        file.reopen(StateId::ANONYMOUS).await?;
    }
    let (told, piece, steady) = file.first_read(pieces::wanted(spec).start, count, asked).await?;
    file.known.stamp = entry::stamp(&told);
    Ok(First { file, told, piece: piece.cut(count), steady })
}

/// The file that is being read.
struct File {
    tree: Shared,
    known: Known,
    /// Where the server wants the file to be open.
    opened: Arc<tokio::sync::Mutex<Option<Arc<Opened>>>>,
}

impl File {
    /// Sends what `request` makes of the state under which we read; when the server does not take that state, once
    /// more under another.
    async fn call<T>(
        &self,
        request: impl Fn(StateId) -> Compound + Send + Sync,
        decode: impl Fn(Reply) -> Result<T, Failure> + Send + Sync,
    ) -> Result<T, Failure> {
        let client = &self.tree.client;
        let state = self.opened.lock().await.as_ref().map_or(StateId::ANONYMOUS, |opened| opened.state);
        match client.call(&request(state)).await.and_then(&decode) {
            Err(Failure::Status(status)) if status.wants_open() => {
                tracing::debug!(server = %client.party.server, %status, "the file is opened for reading");
                let state = self.reopen(state).await?;
                let answer = client.call(&request(state)).await.and_then(&decode);
                if answer.is_ok() {
                    self.tree.opens.store(true, Ordering::Relaxed);
                }
                answer
            }
            answer => answer,
        }
    }

    /// Attributes, one READ, and whether the file was still the same after it.
    async fn first_read(&self, at: u64, count: u32, asked: Bitmap) -> Result<(Attributes, Piece, bool), Failure> {
        self.call(
            |state| {
                Compound::new("READ").put(&self.known.handle).attributes(asked).read(state, at, count).attributes(STAMP)
            },
            |mut reply| {
                reply.done(op::PUTFH)?;
                let told = reply.attributes()?;
                if told.kind != Some(FILE) {
                    return Ok((told, Piece { data: Bytes::new(), end: true }, true));
                }
                let (data, end) = reply.content()?;
                let steady = same_content(&entry::stamp(&told), &entry::stamp(&reply.attributes()?));
                Ok((told, Piece { data, end }, steady))
            },
        )
        .await
    }

    /// Opens the file, unless somebody did since `refused` was the state.
    async fn reopen(&self, refused: StateId) -> Result<StateId, Failure> {
        let mut opened = self.opened.lock().await;
        if let Some(other) = opened.as_ref().filter(|opened| opened.state != refused) {
            return Ok(other.state);
        }
        let fresh = Opened::new(&self.tree, &self.known.handle).await?;
        let state = fresh.state;
        *opened = Some(Arc::new(fresh));
        Ok(state)
    }
}

impl Reads for File {
    type Failure = Failure;

    fn known(&self) -> &Known {
        &self.known
    }
    fn step(&self) -> u32 {
        self.tree.read_size
    }
    fn ahead(&self) -> usize {
        self.tree.client.party.manner.read_ahead
    }

    async fn read_once(&self, handle: &Bytes, at: u64, count: u32) -> Result<(Piece, Stamp), Failure> {
        self.call(
            |state| Compound::new("READ").put(handle).read(state, at, count).attributes(STAMP),
            |mut reply| {
                reply.done(op::PUTFH)?;
                let (data, end) = reply.content()?;
                Ok((Piece { data, end }, entry::stamp(&reply.attributes()?)))
            },
        )
        .await
    }

    async fn find_again(&self) -> Result<Bytes, Failure> {
        self.tree.find_anew(&self.known.path, STAMP).await
    }

    async fn error(&self, failure: Failure) -> Error {
        self.tree.error(failure, OP, &self.known.path).await
    }
}
