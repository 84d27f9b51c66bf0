//! Everything below a place, listed by several streams at once and delivered as one, in the order of keys.
//!
//! It begins as one stream. Once some pages have come and there is more, the keys ahead are cut into ranges of about
//! [`DEEP`] pages ([`split`](super::split)), each listed from its lower bound by `start-after` until a key passes its
//! upper bound. What comes is kept until its turn; only so many pages are kept, so a slow consumer slows the requests.
//! A cut that meets little makes cuts rarer, so a small or patchy listing costs a few requests more at most. How many
//! streams there are is told by what they bring ([`pace`](super::pace)). A server that refuses or ignores `start-after`
//! is listed by the one stream again.

use super::{Fetched, Found, Start, delivered, disorder, fetch, lost, nothing, pace::Streams, split};
use crate::store::Opened;
use bytes::Bytes;
use futures::{StreamExt as _, stream, stream::BoxStream};
use model::RelPath;
use std::{collections::VecDeque, sync::Arc};
use storage::{Cursor, Error, ErrorKind, Page, Result};
use tokio::task::JoinSet;

/// Pages that a range is meant to have, and that are kept of one.
const DEEP: usize = 12;
/// Pages kept of all ranges, so that about 100,000 entries wait at most.
const KEPT: usize = 96;
/// Useful pages before there is a second stream.
const ALONE: i32 = 8;
/// Useful pages for each further stream.
const EACH: i32 = 4;
/// What a page that hardly met anything takes away again.
const WASTED: i32 = 4;
/// Pages that tell the pace of the keys.
const PACE: usize = 12;

/// Pages of everything below `dir`, after the key of the cursor.
pub(super) fn pages(store: Arc<Opened>, dir: RelPath, from: Option<Cursor>) -> BoxStream<'static, Result<Page>> {
    let after = from.map(|cursor| cursor.0);
    let start = after.clone().map_or(Start::Beginning, Start::After);
    let delivered = after.clone();
    let first = Range { proven: true, at: after, ..Range::new(0, start, None) };
    let listing = Listing {
        streams: i32::try_from(store.list_streams.get()).unwrap_or(i32::MAX),
        pace: Streams::new(store.list_streams.get()),
        store,
        dir,
        ranges: VecDeque::from([first]),
        tasks: JoinSet::new(),
        alphabets: split::Alphabets::default(),
        credit: 0,
        cuts: true,
        ids: 0,
        page: 1,
        passed: Trace::default(),
        delivered,
        ended: false,
    };
    stream::unfold(Some(listing), |listing| async move {
        let mut listing = listing?;
        match listing.next().await? {
            Ok(page) => Some((Ok(page), Some(listing))),
            Err(error) => Some((Err(error.at(&listing.dir)), None)),
        }
    })
    .boxed()
}

/// Where a range stands.
#[derive(Debug)]
enum State {
    /// Its next request begins here.
    Idle(Start),
    /// A request is under way.
    Busy,
    /// A request failed while others were before it: it is sent again when its turn has come.
    Held(Start),
    /// All its keys are here. With the server's word that nothing at all comes after it?
    Done { last: bool },
    /// The request failed that everything waits for.
    Failed(Error),
}

/// Keys after one text, up to another.
struct Range {
    id: u64,
    state: State,
    /// The last key that it may hold; `None` without end.
    upto: Option<Bytes>,
    /// The last key that came; before one came, the lower bound.
    at: Option<Bytes>,
    /// Its last pages.
    recent: Trace,
    ready: VecDeque<Vec<Found>>,
    /// The server has begun it where it should.
    proven: bool,
}

impl Range {
    fn new(id: u64, start: Start, upto: Option<Bytes>) -> Self {
        let at = if let Start::After(key) = &start { Some(key.clone()) } else { None };
        Self {
            id,
            state: State::Idle(start),
            upto,
            at,
            recent: Trace::default(),
            ready: VecDeque::new(),
            proven: false,
        }
    }
    fn is_done(&self) -> bool {
        matches!(self.state, State::Done { .. })
    }
}

/// First key and length of some pages on end.
#[derive(Debug, Default)]
struct Trace(VecDeque<(Bytes, usize)>);

impl Trace {
    fn add(&mut self, found: &[Found]) {
        let Some(first) = found.first() else { return };
        if self.is_full() {
            self.0.pop_front();
        }
        self.0.push_back((first.key.clone(), found.len()));
    }
    fn is_full(&self) -> bool {
        self.0.len() == PACE
    }
    /// The pace up to the last key of them.
    fn pace(&self, last: Option<&Bytes>) -> Option<split::Pace> {
        let keys = self.0.iter().map(|(_, keys)| keys).sum::<usize>();
        let (first, _) = self.0.front()?;
        Some(split::Pace { first: first.clone(), last: last?.clone(), keys: u64::try_from(keys).ok()? })
    }
}

type Answer = (u64, Start, Result<Fetched>);

/// A listing under way.
struct Listing {
    store: Arc<Opened>,
    dir: RelPath,
    /// In order and without gaps; the front one is being delivered.
    ranges: VecDeque<Range>,
    tasks: JoinSet<Answer>,
    alphabets: split::Alphabets,
    /// The most that there may be.
    streams: i32,
    pace: Streams,
    /// How well cutting went.
    credit: i32,
    /// May the keys be cut at all?
    cuts: bool,
    ids: u64,
    /// Keys on the longest page.
    page: usize,
    /// The pages delivered last.
    passed: Trace,
    /// The key delivered last.
    delivered: Option<Bytes>,
    ended: bool,
}

impl Listing {
    async fn next(&mut self) -> Option<Result<Page>> {
        if self.ended {
            return None;
        }
        loop {
            while let Some(answer) = self.tasks.try_join_next() {
                if let Err(error) = self.arrived(joined(answer)).await {
                    return Some(Err(error));
                }
            }
            self.dispatch();
            let Some(front) = self.ranges.front_mut() else { return Some(Ok(self.end(Vec::new()))) };
            if let Some(found) = front.ready.pop_front() {
                if self.ranges.iter().all(|range| range.is_done() && range.ready.is_empty()) {
                    return Some(Ok(self.end(found)));
                }
                let Some(cursor) = found.last().map(|last| Cursor(last.key.clone())) else { continue };
                self.passed.add(&found);
                self.delivered = Some(cursor.0.clone());
                self.dispatch();
                return Some(Ok(delivered(&self.store, found, Some(cursor))));
            }
            if front.is_done() {
                self.ranges.pop_front();
                continue;
            }
            if let State::Failed(_) = front.state {
                let State::Failed(error) = std::mem::replace(&mut front.state, State::Busy) else { continue };
                return Some(Err(error));
            }
            let answer = self.tasks.join_next().await.expect("the front range is under way, or it would be done");
            if let Err(error) = self.arrived(joined(answer)).await {
                return Some(Err(error));
            }
        }
    }

    fn end(&mut self, found: Vec<Found>) -> Page {
        self.ended = true;
        delivered(&self.store, found, None)
    }

    /// Sends what may be sent: first the ranges that are there, in their order, then a new one.
    fn dispatch(&mut self) {
        let paid = 1 + (self.credit - ALONE).max(0) / EACH;
        let workers = paid.min(i32::try_from(self.pace.now()).unwrap_or(i32::MAX));
        while self.tasks.len() < usize::try_from(workers).unwrap_or(1) {
            let kept: usize = self.tasks.len() + self.ranges.iter().map(|range| range.ready.len()).sum::<usize>();
            let place = self.ranges.iter().enumerate().position(|(place, range)| match &range.state {
                State::Idle(_) => range.ready.len() < DEEP && (place == 0 || kept < KEPT),
                State::Held(_) => place == 0,
                State::Busy | State::Done { .. } | State::Failed(_) => false,
            });
            match place.or_else(|| if kept < KEPT { self.cut() } else { None }) {
                Some(place) => self.send(place),
                None => break,
            }
        }
    }

    fn send(&mut self, place: usize) {
        let range = &mut self.ranges[place];
        match std::mem::replace(&mut range.state, State::Busy) {
            State::Idle(start) | State::Held(start) => {
                let (store, dir, id) = (Arc::clone(&self.store), self.dir.clone(), range.id);
                self.tasks.spawn(async move {
                    let fetched = fetch(&store, &dir, true, &start).await;
                    (id, start, fetched)
                });
            }
            other => range.state = other,
        }
    }

    /// Cuts the first range that is long enough; the place of the new one.
    fn cut(&mut self) -> Option<usize> {
        let open = self.ranges.iter().filter(|range| !range.is_done()).count();
        if !self.cuts || open > usize::try_from(self.streams).unwrap_or(1) * 2 {
            return None;
        }
        let ahead = u64::try_from(DEEP * self.page).unwrap_or(u64::MAX);
        let (place, text) = self.ranges.iter().enumerate().find_map(|(place, range)| {
            // Where a range begins is known with its first page only: there may be a gap.
            if range.is_done() || range.recent.0.is_empty() {
                return None;
            }
            let at = range.at.as_ref()?;
            // Within a directory that ends soon, only what was delivered knows how long directories are.
            let all = self.passed.pace(self.delivered.as_ref()).filter(|pace| self.passed.is_full() && pace.suits(at));
            let own = range.recent.pace(Some(at));
            let pace = if range.recent.is_full() { own.or(all) } else { all.or(own) }?;
            Some((place, Bytes::from(split::ahead(&pace, at, ahead, range.upto.as_deref(), &self.alphabets)?)))
        })?;
        self.ids += 1;
        let upto = self.ranges[place].upto.replace(text.clone());
        self.ranges.insert(place + 1, Range::new(self.ids, Start::After(text), upto));
        Some(place + 1)
    }

    /// Takes an answer in. An error is one of the listing as a whole.
    async fn arrived(&mut self, (id, start, fetched): Answer) -> Result<()> {
        // A range that was given up while its request was under way.
        let Some(place) = self.ranges.iter().position(|range| range.id == id) else { return Ok(()) };
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(error) => {
                self.failed(place, start, error);
                return Ok(());
            }
        };
        if fetched.disorder {
            return Err(disorder());
        }
        if matches!(start, Start::Beginning) && fetched.found.is_empty() && !fetched.itself && !self.dir.is_root() {
            return Err(nothing(&self.store, &self.dir).await);
        }
        let range = &mut self.ranges[place];
        if let (Some(first), Some(at)) = (fetched.found.first(), &range.at)
            && first.key <= *at
        {
            match start {
                Start::Token(_) if first.key < *at && range.proven && self.cuts => return Err(disorder()),
                // `start-after` means nothing to this server.
                Start::After(_) if !range.proven => {
                    self.cuts = false;
                    self.give_up(place);
                    return Ok(());
                }
                Start::After(_) => self.cuts = false,
                Start::Token(_) | Start::Beginning => {}
            }
        }
        self.take(place, fetched)
    }

    fn take(&mut self, place: usize, fetched: Fetched) -> Result<()> {
        let range = &mut self.ranges[place];
        range.proven = true;
        let all = fetched.found.len();
        let mut found = fetched.found;
        if let Some(at) = &range.at {
            let skip = found.partition_point(|found| found.key <= *at);
            found.drain(..skip);
        }
        self.page = self.page.max(all);
        let server_last = found.last().map(|found| found.key.clone());
        let within = range.upto.as_ref().map_or(found.len(), |upto| found.partition_point(|found| found.key <= *upto));
        let passed = within < found.len();
        found.truncate(within);
        self.pace.came(within, std::time::Instant::now());
        if place > 0 || self.ranges.len() > 1 {
            self.credit += if within * 4 < all || all == 0 { -WASTED } else { 1 };
        } else {
            self.credit += 1;
        }
        self.credit = self.credit.clamp(0, ALONE + EACH * self.streams.saturating_mul(2));
        let range = &mut self.ranges[place];
        range.state = if passed {
            State::Done { last: false }
        } else if !fetched.more {
            State::Done { last: true }
        } else if let Some(token) = fetched.token {
            State::Idle(Start::Token(token))
        } else {
            match server_last.clone() {
                Some(last) => State::Idle(Start::After(last)),
                None => return Err(lost()),
            }
        };
        if let Some(last) = found.last() {
            range.at = Some(last.key.clone());
            range.recent.add(&found);
            for key in found.iter().step_by(16) {
                self.alphabets.learn(&key.key);
            }
            range.ready.push_back(found);
        }
        Ok(())
    }

    fn failed(&mut self, place: usize, start: Start, error: Error) {
        let range = &mut self.ranges[place];
        tracing::debug!(%error, place, "a request of a listing failed");
        match start {
            // Where the order is known, a token that grew old is no loss.
            Start::Token(_) if error.kind() == ErrorKind::Changed && range.at.is_some() => {
                let at = range.at.clone().unwrap_or_default();
                range.state = State::Idle(Start::After(at));
            }
            // A bound of our own making that the server does not take, or a moment that was bad for guessing.
            Start::After(_) if !range.proven => {
                self.credit = 0;
                self.give_up(place);
            }
            _ if place == 0 => range.state = State::Failed(error),
            start => {
                self.credit /= 2;
                range.state = State::Held(start);
            }
        }
    }

    /// Gives a range, and what was begun behind it in vain, back to the one before it.
    fn give_up(&mut self, place: usize) {
        let Some(gone) = self.ranges.remove(place) else { return };
        let Some(before) = place.checked_sub(1).and_then(|place| self.ranges.get_mut(place)) else {
            // All up to its lower bound was delivered: it goes on as a resumed listing would.
            let start = self.delivered.clone().map_or(Start::Beginning, Start::After);
            self.ids += 1;
            self.ranges.push_front(Range { proven: true, ..Range::new(self.ids, start, gone.upto) });
            return;
        };
        before.upto = gone.upto;
        if let State::Done { last: false } = before.state {
            let start = before.at.clone().map_or(Start::Beginning, Start::After);
            before.state = State::Idle(start);
        }
    }
}

fn joined(answer: std::result::Result<Answer, tokio::task::JoinError>) -> Answer {
    answer.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))
}
