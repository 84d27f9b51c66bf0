//! Listing a directory: QUERY_DIRECTORY, one answer a page.
//!
//! Opening, the first answer and the second (which says, for most directories, that there is no more) travel in one
//! chain, so a small directory costs one round trip.

use crate::{
    attributes,
    client::{self, Client, Place},
    connection::Request,
    failure::Failure,
    look, names,
    open::Handle,
    resume::Mark,
    wire::{
        cursor::Malformed,
        directory::{self, Item},
        file::{ATTRIBUTE_REPARSE, RELATED, access, option},
        header::Command,
        query, reparse,
        status::Status,
    },
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use model::{Entry, Facets, RelPath};
use std::{collections::VecDeque, sync::Arc};
use storage::{
    Error, ErrorKind, ListSpec, Page, Result,
    pages::{Listing, pages},
};

const OP: &str = "list";

/// Room for the first answers: some 500 entries each, one credit each.
const FIRST: u32 = 64 << 10;
/// Room for later ones, if the server grants it: some 8,000 entries.
const LATER: u32 = 1 << 20;
/// Entries that are looked at by themselves at a time, when more is wanted than a listing tells.
const AT_ONCE: usize = 32;

/// Pages of `dir`.
pub(crate) fn list(client: Arc<Client>, dir: &RelPath, spec: &ListSpec) -> BoxStream<'static, Result<Page>> {
    pages(Pages::start(client, dir, spec))
}

struct Pages {
    client: Arc<Client>,
    dir: RelPath,
    units: Vec<u16>,
    want: Facets,
    /// The place up to which was delivered.
    mark: Mark,
    /// Where to go on, while it is not yet found again.
    resume: Option<Mark>,
    open: Option<Open>,
}

/// The directory as it is open on the server.
struct Open {
    handle: Handle,
    /// Answers that came and are not delivered.
    waiting: VecDeque<Bytes>,
    end: bool,
}

impl Listing for Pages {
    async fn page(&mut self) -> Result<Page> {
        loop {
            let raw = self.next_answer().await.map_err(|failure| failure.at(OP, &self.dir))?;
            let Some(raw) = raw else {
                if self.resume.is_some() {
                    return Err(self.changed());
                }
                return Ok(Page::new(Vec::new(), None));
            };
            let entries = self.entries(&raw)?;
            let ended = self.open.as_ref().is_some_and(|open| open.end && open.waiting.is_empty());
            if ended && self.resume.is_some() {
                return Err(self.changed());
            }
            // A page of nothing but what was delivered before is none.
            if entries.is_empty() && !ended {
                continue;
            }
            let entries = self.complete(entries).await?;
            return Ok(Page::new(entries, (!ended).then(|| self.mark.cursor())));
        }
    }
}

impl Pages {
    fn start(client: Arc<Client>, dir: &RelPath, spec: &ListSpec) -> Result<Self> {
        let units = client::units(dir, OP)?;
        if spec.recursive {
            return Err(Error::new(ErrorKind::Unsupported, OP).at(dir).because("SMB lists one directory at a time"));
        }
        let resume = match &spec.from {
            None => None,
            Some(cursor) => Some(Mark::from_cursor(cursor).ok_or_else(|| {
                Error::new(ErrorKind::Changed, OP).at(dir).because("the cursor is not one of this driver")
            })?),
        };
        Ok(Self { client, dir: dir.clone(), units, want: spec.want, mark: Mark::default(), resume, open: None })
    }

    fn changed(&self) -> Error {
        Error::new(ErrorKind::Changed, OP)
            .at(&self.dir)
            .because("the directory is no longer what was listed, and where to go on cannot be told")
    }

    /// What QUERY_DIRECTORY brings next; `None` at the end.
    async fn next_answer(&mut self) -> Result<Option<Bytes>, Failure> {
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(self.client.at(&self.units, opened).await?),
        };
        if let Some(raw) = open.waiting.pop_front() {
            return Ok(Some(raw));
        }
        if open.end {
            return Ok(None);
        }
        let room = open.handle.session().transact_room().min(LATER);
        let body = query::directory(open.handle.id(), room, false);
        let reply =
            open.handle.request("QUERY_DIRECTORY", Request::bringing(Command::QueryDirectory, body, room)).await?;
        if is_end(reply.status()) {
            open.end = true;
            return Ok(None);
        }
        query::output(reply.good()?).map(Some).map_err(Failure::Malformed)
    }

    /// The entries of an answer that are new, with a mark after them.
    fn entries(&mut self, raw: &Bytes) -> Result<Vec<(Entry, bool)>> {
        let broken = |what: Malformed| Failure::from(what).at(OP, &self.dir);
        let volume = self.open.as_ref().map_or(0, |open| open.handle.tree().volume);
        let mut entries = Vec::new();
        for item in directory::items(raw) {
            let item = item.map_err(broken)?;
            if item.is_dots() {
                continue;
            }
            self.mark.add(item.name);
            if let Some(resume) = &self.resume {
                match resume.compare(&self.mark, item.name) {
                    None => return Err(self.changed()),
                    Some(delivered) if delivered => {
                        if self.mark.count >= resume.count && !resume.sorted() {
                            self.resume = None;
                        }
                        continue;
                    }
                    Some(_) => self.resume = None,
                }
            }
            entries.push(self.entry(&item, volume)?);
        }
        Ok(entries)
    }

    /// The entry, and whether its reparse point must be asked for what it is.
    fn entry(&self, item: &Item<'_>, volume: u32) -> Result<(Entry, bool)> {
        let name = names::from_wire(item.name);
        if name.is_empty() || name.contains(&b'/') || name.contains(&0) || item.name.len() % 2 == 1 {
            let what = Malformed("a name is empty, or holds a slash or NUL");
            return Err(Failure::from(what).at(OP, &self.dir.join(&name)));
        }
        let ask = item.attributes & ATTRIBUTE_REPARSE != 0 && reparse::needs_data(item.ea_or_tag);
        Ok((attributes::listed(self.dir.join(&name), item, volume, self.want), ask))
    }

    /// Adds what a listing does not tell and must be known.
    async fn complete(&self, entries: Vec<(Entry, bool)>) -> Result<Vec<Entry>> {
        let security = self.want.has(Facets::NTFS_SD);
        if !security && !entries.iter().any(|(_, ask)| *ask) {
            return Ok(entries.into_iter().map(|(entry, _)| entry).collect());
        }
        let completed =
            stream::iter(entries).map(|(entry, ask)| self.completed(entry, ask, security)).buffered(AT_ONCE);
        completed.try_filter_map(|entry| std::future::ready(Ok(entry))).try_collect().await
    }

    /// One entry with everything; `None` when it is gone.
    async fn completed(&self, mut entry: Entry, ask: bool, security: bool) -> Result<Option<Entry>> {
        let path = entry.path.clone();
        let more = async {
            if ask {
                look::add_reparse(&self.client, &mut entry).await?;
            }
            if security {
                match look::add_security(&self.client, &mut entry).await {
                    // That it is not told to us is no reason to hide the entry: it stands there without one.
                    Err(Failure::Status(Status::ACCESS_DENIED)) => {}
                    done => done?,
                }
            }
            Ok(entry)
        };
        match more.await {
            Ok(entry) => Ok(Some(entry)),
            Err(failure @ Failure::Status(_)) if failure.is_missing() => Ok(None),
            Err(failure) => Err(failure.at(OP, &path)),
        }
    }
}

async fn opened(place: Place) -> Result<Open, Failure> {
    let rights = access::READ_DATA | access::READ_ATTRIBUTES | access::SYNCHRONIZE;
    let ask = |_| Request::bringing(Command::QueryDirectory, query::directory(&RELATED, FIRST, false), FIRST);
    let (handle, _, replies) = Handle::open(
        &place,
        "CREATE+QUERY_DIRECTORY",
        rights,
        option::DIRECTORY | option::BACKUP,
        (0..2).map(ask).collect(),
    )
    .await?;
    let mut open = Open { handle, waiting: VecDeque::new(), end: false };
    for reply in &replies {
        if is_end(reply.status()) {
            open.end = true;
            break;
        }
        open.waiting.push_back(query::output(reply.good()?)?);
    }
    Ok(open)
}

/// Is there no more? An empty directory may not even have dots.
fn is_end(status: Status) -> bool {
    matches!(status, Status::NO_MORE_FILES | Status::NO_SUCH_FILE)
}
