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
    /// Serial number of the volume that holds it.
    volume: u32,
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
        let volume = self.client.mount(&self.units).or_else(|| self.open.as_ref().map(|open| open.volume)).unwrap_or(0);
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
        if ask {
            let told = look::add_reparse(&self.client, &mut entry).await;
            if !self.is_there(&entry, told)? {
                return Ok(None);
            }
        }
        if security {
            let told = look::add_security(&self.client, &mut entry).await;
            if !self.is_there(&entry, told)? {
                return Ok(None);
            }
        }
        Ok(Some(entry))
    }

    /// Is it still there? What is wrong with it alone is no reason to hide it, or the directory: it stands there as it
    /// was listed.
    fn is_there(&self, entry: &Entry, told: Result<(), Failure>) -> Result<bool> {
        let Err(failure) = told else { return Ok(true) };
        let link = client::units(&entry.path, OP).ok().and_then(|units| self.client.link(&units));
        // A link stands there even where what it leads to is gone or away.
        if failure.is_of_item() || link == Some(true) || (link.is_some() && failure.is_missing()) {
            tracing::debug!(path = %entry.path, %failure, "listed without all that is wanted");
            return Ok(true);
        }
        if failure.is_missing() { Ok(false) } else { Err(failure.at(OP, &entry.path)) }
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
    let mut open = Open { handle, volume: place.volume, waiting: VecDeque::new(), end: false };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::Base,
        names::{le_bytes, utf16},
        scripted::{Say, Scripted, controlled, created, guest, output},
        wire::{cursor::Writer, reparse::tag},
    };
    use model::{Acl, Kind};
    use std::sync::Mutex;

    type Listed = (&'static str, u32, u32);

    /// `FileIdBothDirectoryInformation` of names with their attributes and tags.
    fn directory(items: &[Listed]) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, (name, attributes, tag)) in items.iter().enumerate() {
            let name = le_bytes(&utf16(name));
            let len = (104 + name.len()).next_multiple_of(8);
            let next = if number + 1 == items.len() { 0 } else { len.try_into().unwrap() };
            let mut item = Writer::default();
            item.u32(next).u32(0).zeros(48).u32(*attributes).u32(name.len().try_into().unwrap()).u32(*tag);
            out.extend(item.zeros(28).u64(1).bytes(&name).align(8).done());
        }
        out
    }

    /// The least that is a security descriptor.
    const DESCRIPTOR: [u8; 20] = [1, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    /// A directory of these where `other` is refused with `status`. It can be listed once, and then a directory of
    /// `below`.
    async fn served(items: &[Listed], below: &[Listed], status: Status) -> (Scripted, Arc<Client>) {
        let listing = Mutex::new(vec![directory(below), Vec::new(), directory(items)]);
        let opened = Mutex::new(String::new());
        let scripted = Scripted::start(move |asked| {
            let mut opened = opened.lock().unwrap();
            if asked.is(Command::Create) {
                *opened = asked.name().trim_start_matches("dir\\").to_owned();
                return match opened.as_str() {
                    "other" => Say::Refuse(status),
                    "gone" => Say::Refuse(Status::OBJECT_NAME_NOT_FOUND),
                    _ => created(),
                };
            }
            match (asked.info(), opened.as_str()) {
                _ if asked.is(Command::QueryDirectory) => match listing.lock().unwrap().pop() {
                    Some(raw) if !raw.is_empty() => output(&raw),
                    _ => Say::Refuse(Status::NO_MORE_FILES),
                },
                (Some((2, 1)), "volume") => output(&Writer::default().u64(0).u32(77).u32(0).u16(0).done()),
                (Some((3, 0)), "bad") => output(b"none"),
                (Some((3, 0)), _) => output(&DESCRIPTOR),
                (_, "volume") if asked.is(Command::Ioctl) => {
                    let name = le_bytes(&utf16(r"\??\Volume{0}\"));
                    let mut raw = Writer::default();
                    let len = name.len().try_into().unwrap();
                    raw.u32(tag::MOUNT_POINT).u16(len + 8 + 4).u16(0).u16(0).u16(len).u16(len + 2).u16(0);
                    controlled(&raw.bytes(&name).zeros(4).done())
                }
                _ if asked.is(Command::Ioctl) => controlled(&[0x14, 0, 0, 0x80, 3, 0, 0, 0, 1, 2, 3]),
                _ => Say::Usual,
            }
        });
        let scripted = scripted.await;
        let base = Base { host: "127.0.0.1".into(), port: scripted.port, share: utf16("share"), dir: Vec::new() };
        (scripted, Arc::new(Client::new(base, guest())))
    }

    async fn listed(client: &Arc<Client>, dir: &str) -> Result<Vec<Entry>> {
        let spec = ListSpec { want: Facets::NTFS_SD, ..ListSpec::default() };
        let pages: Vec<Page> = list(Arc::clone(client), &dir.into(), &spec).try_collect().await?;
        Ok(pages.into_iter().flat_map(|page| page.entries).collect())
    }

    #[tokio::test]
    async fn an_entry_that_cannot_be_looked_at_stands_there_as_it_was_listed() {
        let items = [
            ("file", 0x80, 0),
            ("a:b", 0x80, 0),
            ("c\\d", 0x10, 0),
            ("other", 0x10, 0),
            ("bad", 0x80, 0),
            ("gone", 0x80, 0),
            ("broken", ATTRIBUTE_REPARSE, tag::NFS),
            ("volume", ATTRIBUTE_REPARSE | 0x10, tag::MOUNT_POINT),
        ];
        let link = Kind::Symlink { target: Bytes::new() };
        let expected = [
            ("file", Kind::File, true),
            ("a:b", Kind::File, false),
            ("c\\d", Kind::Dir, false),
            ("other", Kind::Dir, false),
            ("bad", Kind::File, false),
            ("broken", link, true),
            ("volume", Kind::Dir, true),
        ];
        for status in [Status::ACCESS_DENIED, Status::OBJECT_NAME_INVALID, Status::NOT_SUPPORTED] {
            let (_scripted, client) = served(&items, &[], status).await;
            let entries = listed(&client, "dir").await.unwrap();
            let told = entries.iter().map(|entry| {
                let acl = entry.meta.as_ref().and_then(|meta| meta.acl.as_ref());
                let name = std::str::from_utf8(entry.path.file_name()).unwrap();
                (name, entry.kind.clone(), matches!(acl, Some(Acl::NtfsDescriptor(_))))
            });
            assert_eq!(told.collect::<Vec<_>>(), expected, "{status}");
        }
        // What passes, or is wrong with more than the entry, is for whoever tries again.
        for status in [Status::INSUFFICIENT_RESOURCES, Status::SHARING_VIOLATION, Status::NETWORK_NAME_DELETED] {
            let (_scripted, client) = served(&items, &[], status).await;
            listed(&client, "dir").await.unwrap_err();
        }
    }

    #[tokio::test]
    async fn inodes_of_a_volume_in_a_folder_are_not_those_of_the_volume_above() {
        let items = [("file", 0x80, 0), ("volume", ATTRIBUTE_REPARSE | 0x10, tag::MOUNT_POINT)];
        let (_scripted, client) = served(&items, &[("below", 0x80, 0)], Status::ACCESS_DENIED).await;
        let volumes =
            |entries: Vec<Entry>| entries.iter().map(|entry| entry.stamp.file_id.unwrap().volume).collect::<Vec<_>>();
        assert_eq!(volumes(listed(&client, "dir").await.unwrap()), [0, 0]);
        assert_eq!(volumes(listed(&client, "dir/volume").await.unwrap()), [77]);
        let place = async |path: &str| client.place(&utf16(path)).await.unwrap().volume;
        assert_eq!(
            (place("dir\\volume").await, place("dir\\volume\\x").await, place("dir\\volumes").await),
            (0, 77, 0)
        );
    }
}
