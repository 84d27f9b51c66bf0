//! A parallel walk over a store in bounded memory, which can be interrupted and resumed.
//!
//! The consumer pulls. Each directory is listed by a task of its own that hands over one page at a time,
//! at most [`WalkSpec::concurrency`] of them together; when nobody pulls, they wait. Directories that are
//! still to be listed are a stack (so the walk stays close to depth first and the stack small), whose
//! older half goes to an unnamed temporary file when it grows.
//!
//! What has been delivered decides what is left: [`Walk::frontier`] changes only in the moment in which
//! [`Walk::next`] hands out a page. A walk that starts from that frontier yields exactly the entries that
//! were not delivered.

mod pending;
mod place;

pub use place::{Line, Place};

use crate::{Cursor, Error, ErrorKind, ListSpec, Page, Reach, Result, Source};
use futures::{FutureExt as _, Stream, StreamExt as _};
use model::{Entry, Facets, RelPath};
use pending::Pending;
use std::{
    any::Any,
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
    fmt, io,
    num::NonZeroUsize,
    panic::AssertUnwindSafe,
    sync::Arc,
};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

/// Directories that are still to be listed and kept in memory; more go to a temporary file.
const IN_MEMORY: usize = 100_000;
/// How often one directory is listed from its beginning again before it counts as unreadable.
const RESTARTS: u32 = 3;
/// The reason of [`WalkEvent::Skipped`] for a directory that is one of those that hold it, by a bind mount or
/// a junction: below it, everything would come again without end.
pub const LOOP: &str = "it is one of the directories that hold it";

/// Tells for a directory why it is left out; `None` to walk it.
pub type Exclude = Arc<dyn Fn(&Entry) -> Option<Cow<'static, str>> + Send + Sync>;

/// What to walk, and how.
#[derive(Clone)]
pub struct WalkSpec {
    /// Where to start, or where an earlier walk stopped: its [`Walk::frontier`]. Very many are better given one
    /// by one to [`Walk::push`].
    pub roots: Vec<(RelPath, Option<Cursor>)>,
    /// Listings in flight together. A store with `recursive_list` has one for each root.
    pub concurrency: NonZeroUsize,
    /// Metadata that the consumer can use.
    pub want: Facets,
    /// Directories to leave out, such as `.snapshot`. Not asked in a recursive listing, where leaving out
    /// would save no request. Asked more than once for one directory, so it must answer alike.
    pub exclude: Option<Exclude>,
    /// Directories still to be listed that are held in memory; 100,000 at first.
    pub pending_in_memory: usize,
}

impl Default for WalkSpec {
    /// Everything, eight listings in flight.
    fn default() -> Self {
        Self {
            roots: vec![(RelPath::ROOT, None)],
            concurrency: NonZeroUsize::new(8).expect("8 is not 0"),
            want: Facets::NONE,
            exclude: None,
            pending_in_memory: IN_MEMORY,
        }
    }
}

impl fmt::Debug for WalkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WalkSpec")
            .field("roots", &self.roots)
            .field("concurrency", &self.concurrency)
            .field("want", &self.want)
            .finish_non_exhaustive()
    }
}

/// What happened on the walk.
#[derive(Debug)]
pub enum WalkEvent {
    /// Some entries of a directory, exactly as the driver gave them.
    Page {
        /// The directory, or the root of a recursive listing.
        dir: RelPath,
        /// What the driver gave.
        entries: Vec<Entry>,
        /// Where this directory goes on; `None` when this was its last page.
        next: Option<Cursor>,
    },
    /// A directory came to its end. A walk that is resumed between the last page and this does not say
    /// it again.
    Done {
        /// The directory.
        dir: RelPath,
        /// Entries that this walk delivered of it.
        entries: u64,
    },
    /// A directory could not be read, or not further. The walk goes on.
    Unreadable {
        /// The directory.
        dir: RelPath,
        /// Why.
        error: Error,
    },
    /// An entry could not be read: its name was listed, but the server does not tell what it is. Comes before the
    /// page that it is missing from.
    UnreadableEntry {
        /// The entry.
        path: RelPath,
        /// Why.
        error: Error,
    },
    /// A directory was left out because [`WalkSpec::exclude`] said so, or because it is a [`LOOP`]. Comes before
    /// the page that holds it.
    Skipped {
        /// The directory.
        dir: RelPath,
        /// The reason that `exclude` gave, or [`LOOP`].
        reason: Cow<'static, str>,
    },
    /// The server no longer knew the place where the listing was to go on, so the directory is listed from
    /// its beginning: entries of it, and directories below it, may come twice.
    Restarted {
        /// The directory.
        dir: RelPath,
    },
}

/// A walk in progress. Dropping it ends its listings.
pub struct Walk {
    source: Arc<dyn Source>,
    want: Facets,
    exclude: Option<Exclude>,
    concurrency: usize,
    recursive: bool,
    pending: Pending,
    /// Listings that have not delivered their last page, in the order they were started.
    active: BTreeMap<u64, Active>,
    started: u64,
    tasks: JoinSet<()>,
    sender: mpsc::Sender<(u64, Step)>,
    receiver: mpsc::Receiver<(u64, Step)>,
    /// Steps that arrived and are next to be delivered.
    ready: VecDeque<(u64, Step)>,
    /// Of the event delivered last.
    place: Option<Place>,
}

/// A directory that is being listed, as the consumer knows it.
struct Active {
    place: Place,
    task: AbortHandle,
    entries: u64,
    /// Its last page was delivered; only `Done` is left to say.
    complete: bool,
}

/// What a listing task tells, and what is made of it.
enum Step {
    Skipped { dir: RelPath, reason: Cow<'static, str> },
    Page(Page),
    UnreadableEntry(Error),
    Restarted,
    Failed(Error),
    Ended,
}

/// Starts a walk. Must be called within a tokio runtime; nothing is listed before [`Walk::next`].
pub fn walk(source: Arc<dyn Source>, spec: WalkSpec) -> Walk {
    let recursive = source.caps().recursive_list;
    let concurrency = spec.concurrency.get();
    let (sender, receiver) = mpsc::channel(concurrency);
    let mut pending = Pending::new(spec.pending_in_memory);
    pending.push_all(spec.roots.into_iter().map(|(dir, cursor)| Place::new(dir, cursor)).collect());
    Walk {
        source,
        want: spec.want,
        exclude: spec.exclude,
        concurrency,
        recursive,
        pending,
        active: BTreeMap::new(),
        started: 0,
        tasks: JoinSet::new(),
        sender,
        receiver,
        ready: VecDeque::new(),
        place: None,
    }
}

impl Walk {
    /// The next event; `None` at the end. Can be dropped and called again without losing one.
    ///
    /// Errors: only when directories that were moved to the temporary file cannot be read back, which
    /// ends the walk (`Reach::Run`). What cannot be listed is an event, not an error.
    pub async fn next(&mut self) -> Result<Option<WalkEvent>> {
        loop {
            if let Some((id, step)) = self.ready.pop_front() {
                if let Some(event) = self.deliver(id, step) {
                    return Ok(Some(event));
                }
                continue;
            }
            self.start_listings()?;
            if self.active.is_empty() {
                return Ok(None);
            }
            let (id, mut step) = self.receiver.recv().await.expect("the walk holds a sender itself");
            if let Step::Page(page) = &mut step {
                self.ready.extend(page.unread.drain(..).map(|error| (id, Step::UnreadableEntry(error))));
            }
            if let (Step::Page(page), Some(active), false) = (&step, self.active.get(&id), self.recursive) {
                for dir in page.entries.iter().filter(|entry| entry.kind.is_dir()) {
                    if let Some(reason) = self.left_out(dir, &active.place.line) {
                        self.ready.push_back((id, Step::Skipped { dir: dir.path.clone(), reason }));
                    }
                }
            }
            self.ready.push_back((id, step));
        }
    }

    /// What is left to do: directories not yet listed, and those in progress with the place to go on.
    /// Belongs to the events delivered so far; give it as [`WalkSpec::roots`] to a new walk. For walks of which
    /// it is known that this is little; else see [`Walk::each_place`].
    ///
    /// Errors: directories that were moved to the temporary file cannot be read back (`Reach::Run`).
    pub fn frontier(&mut self) -> Result<Vec<(RelPath, Option<Cursor>)>> {
        let mut all = Vec::with_capacity(self.pending.len() + self.active.len());
        self.each_place(|place| {
            all.push((place.dir.clone(), place.cursor.clone()));
            Ok(())
        })?;
        all.reverse();
        Ok(all)
    }

    /// Shows what is left to do, one place after the other, in the order in which [`Walk::push`] puts it into a
    /// new walk that goes on as this one would. Memory does not grow with the number of places.
    ///
    /// Errors: what `show` fails with, or directories that were moved to the temporary file cannot be read back
    /// (`Reach::Run`).
    pub fn each_place(&mut self, mut show: impl FnMut(&Place) -> io::Result<()>) -> Result<()> {
        self.pending.each(&mut show).map_err(lost)?;
        // Those in progress last: the next walk takes the last first, as this one would go on with them.
        let mut unfinished = self.active.values().rev().filter(|active| !active.complete);
        unfinished.try_for_each(|active| show(&active.place)).map_err(lost)
    }

    /// The directory of the last [`WalkEvent::Page`] or [`WalkEvent::Unreadable`], and where it goes on.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// Ends the listing of a directory that is under way: nothing more of it will be delivered. `None` when it
    /// is not under way.
    pub fn forget(&mut self, dir: &RelPath) -> Option<Place> {
        let id = *self.active.iter().find(|(_, active)| active.place.dir == *dir)?.0;
        let active = self.active.remove(&id)?;
        active.task.abort();
        Some(active.place)
    }

    /// Adds a place that is to be listed before those that were added earlier.
    pub fn push(&mut self, place: Place) {
        self.pending.push(place);
    }

    /// The walk as a stream, for those who need no frontier.
    pub fn into_stream(self) -> impl Stream<Item = Result<WalkEvent>> {
        futures::stream::unfold(Some(self), |walk| async {
            let mut walk = walk?;
            match walk.next().await {
                Ok(event) => event.map(|event| (Ok(event), Some(walk))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    fn start_listings(&mut self) -> Result<()> {
        while self.tasks.try_join_next().is_some() {}
        while self.active.len() < self.concurrency {
            let Some(place) = self.pending.pop().map_err(lost)? else { break };
            let id = self.started;
            self.started += 1;
            let spec = ListSpec { recursive: self.recursive, want: self.want, from: place.cursor.clone() };
            let (source, dir, sender) = (Arc::clone(&self.source), place.dir.clone(), self.sender.clone());
            let task = self.tasks.spawn(Listing { source, dir, spec, id, sender }.run());
            self.active.insert(id, Active { place, task, entries: 0, complete: false });
        }
        Ok(())
    }

    /// Makes the event of a step, and takes its effect on what is left to do.
    fn deliver(&mut self, id: u64, step: Step) -> Option<WalkEvent> {
        let active = self.active.get_mut(&id)?;
        let dir = active.place.dir.clone();
        match step {
            Step::Skipped { dir, reason } => Some(WalkEvent::Skipped { dir, reason }),
            Step::UnreadableEntry(error) => {
                let path = error.path().cloned().unwrap_or(dir);
                Some(WalkEvent::UnreadableEntry { path, error })
            }
            Step::Restarted => {
                active.place.cursor = None;
                Some(WalkEvent::Restarted { dir })
            }
            Step::Failed(error) => {
                self.place = self.active.remove(&id).map(|active| active.place);
                Some(WalkEvent::Unreadable { dir, error })
            }
            Step::Ended => {
                let entries = active.entries;
                self.active.remove(&id);
                Some(WalkEvent::Done { dir, entries })
            }
            Step::Page(page) => {
                active.entries += page.entries.len() as u64;
                active.place.cursor.clone_from(&page.next);
                if page.next.is_none() {
                    active.complete = true;
                    self.ready.push_back((id, Step::Ended));
                }
                let line = active.place.line.clone();
                self.place = Some(active.place.clone());
                self.push_children(&page, &line);
                Some(WalkEvent::Page { dir, entries: page.entries, next: page.next })
            }
        }
    }

    fn push_children(&mut self, page: &Page, line: &Line) {
        if self.recursive {
            return;
        }
        let walked = |entry: &&Entry| entry.kind.is_dir() && self.left_out(entry, line).is_none();
        let child = |entry: &Entry| Place::of(entry, line);
        let children: Vec<_> = page.entries.iter().filter(walked).map(child).collect();
        self.pending.push_all(children);
    }

    /// Why a directory found in one whose line is `line` is not walked.
    fn left_out(&self, dir: &Entry, line: &Line) -> Option<Cow<'static, str>> {
        let excluded = self.exclude.as_ref().and_then(|exclude| exclude(dir));
        excluded.or_else(|| line.holds(dir).then_some(Cow::Borrowed(LOOP)))
    }
}

impl fmt::Debug for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Walk of {:?}: {} in progress, {} pending", self.source, self.active.len(), self.pending.len())
    }
}

fn lost(error: io::Error) -> Error {
    Error::new(ErrorKind::Unexpected, "read back the list of directories still to be walked")
        .with_reach(Reach::Run)
        .because(error)
        .hint("the temporary directory (TMPDIR) must stay readable and have room while a walk runs")
}

/// One directory, listed by a task of its own.
struct Listing {
    source: Arc<dyn Source>,
    dir: RelPath,
    spec: ListSpec,
    id: u64,
    sender: mpsc::Sender<(u64, Step)>,
}

impl Listing {
    /// Sends pages until the end. A closed channel means that the walk was dropped.
    async fn run(self) {
        let (id, sender, dir) = (self.id, self.sender.clone(), self.dir.clone());
        let last = match AssertUnwindSafe(self.pages()).catch_unwind().await {
            Ok(last) => last,
            Err(panic) => {
                let error = Error::new(ErrorKind::Unexpected, "list").at(&dir).because(words(panic.as_ref()));
                Some(Step::Failed(error))
            }
        };
        if let Some(step) = last {
            sender.send((id, step)).await.ok();
        }
    }

    /// The last step, unless it was a page without a cursor: that ends the directory by itself.
    async fn pages(mut self) -> Option<Step> {
        let mut restarts = 0;
        loop {
            let mut pages = self.source.list(&self.dir, self.spec.clone());
            let broken = loop {
                match pages.next().await {
                    None => return Some(Step::Ended),
                    Some(Err(error)) => break error,
                    Some(Ok(page)) => {
                        let end = page.next.is_none();
                        self.spec.from.clone_from(&page.next);
                        if self.sender.send((self.id, Step::Page(page))).await.is_err() || end {
                            return None;
                        }
                    }
                }
            };
            let stale = broken.kind() == ErrorKind::Changed && self.spec.from.is_some();
            if !stale || restarts == RESTARTS {
                return Some(Step::Failed(broken));
            }
            restarts += 1;
            self.spec.from = None;
            if self.sender.send((self.id, Step::Restarted)).await.is_err() {
                return None;
            }
        }
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the driver panicked: {}", said.unwrap_or("without a word"))
}

#[cfg(test)]
mod tests;
