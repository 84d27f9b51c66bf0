//! Working only at certain hours of the week.

use crate::{Capabilities, ListSpec, Page, ReadSpec, Reading, Result, Source, Usage};
use async_trait::async_trait;
use futures::{StreamExt as _, stream::BoxStream};
use model::{Entry, Facets, RelPath, Timestamp};
use std::{fmt, str::FromStr, sync::Arc, time::Duration};

/// Minutes of a day and of a week.
const DAY: u32 = 24 * 60;
const WEEK: u32 = 7 * DAY;
/// The clock is looked at again at least this often, for it may be set.
const LOOK: Duration = Duration::from_secs(30);

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Hours of the week: `mon-fri 20:00-06:00, sat-sun 00:00-24:00`. A window that ends before it begins ends on the
/// day after. Days may be left out (`20:00-06:00` is every day). Times are those of the clock that is given with
/// each question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Start and end in minutes since Monday 00:00; sorted, apart, `0..=WEEK`.
    open: Vec<(u32, u32)>,
}

/// Why a text is no windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowError {
    /// The part that is wrong.
    pub part: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl fmt::Display for WindowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no window: {}; write for example `mon-fri 20:00-06:00, sat-sun 00:00-24:00`",
            self.part, self.problem
        )
    }
}
impl std::error::Error for WindowError {}

impl FromStr for Windows {
    type Err = WindowError;
    fn from_str(text: &str) -> Result<Self, WindowError> {
        let mut minutes = Vec::new();
        for part in text.split(',') {
            let wrong = |problem| WindowError { part: part.trim().to_owned(), problem };
            let (days, hours) = match part.split_whitespace().collect::<Vec<_>>()[..] {
                [days, hours] => (days_of(days).map_err(wrong)?, hours),
                [hours] => ((0, 6), hours),
                _ => return Err(wrong("a window is days and hours, or hours alone")),
            };
            let (from, to) = hours.split_once('-').ok_or_else(|| wrong("hours are `HH:MM-HH:MM`"))?;
            let (from, to) = (minute_of(from).map_err(wrong)?, minute_of(to).map_err(wrong)?);
            if from == to || from == DAY {
                return Err(wrong("it is empty; the whole day is `00:00-24:00`"));
            }
            let length = if to > from { to - from } else { DAY - from + to };
            let count = (days.1 + 7 - days.0) % 7;
            for day in (0..=count).map(|day| (days.0 + day) % 7) {
                minutes.push((day * DAY + from, day * DAY + from + length));
            }
        }
        Ok(Self { open: joined(minutes) })
    }
}

/// Puts what runs over the end of the week to its beginning, and joins what touches.
fn joined(minutes: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    let mut apart = Vec::new();
    for (from, to) in minutes {
        apart.push((from, to.min(WEEK)));
        if to > WEEK {
            apart.push((0, to - WEEK));
        }
    }
    apart.sort_unstable();
    let mut open: Vec<(u32, u32)> = Vec::new();
    for (from, to) in apart {
        match open.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => open.push((from, to)),
        }
    }
    open
}

fn days_of(text: &str) -> Result<(u32, u32), &'static str> {
    let day = |name: &str| {
        let place = DAYS.iter().position(|day| name.eq_ignore_ascii_case(day));
        place.and_then(|place| u32::try_from(place).ok()).ok_or("a day is one of mon, tue, wed, thu, fri, sat, sun")
    };
    match text.split_once('-') {
        Some((first, last)) => Ok((day(first)?, day(last)?)),
        None => day(text).map(|day| (day, day)),
    }
}

fn minute_of(text: &str) -> Result<u32, &'static str> {
    const WRONG: &str = "a time is `HH:MM`, from 00:00 to 24:00";
    let (hours, minutes) = text.split_once(':').ok_or(WRONG)?;
    let two = |digits: &str| {
        (digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse::<u32>().ok())
    };
    let (hours, minutes) = (two(hours).flatten().ok_or(WRONG)?, two(minutes).flatten().ok_or(WRONG)?);
    let minute = hours * 60 + minutes;
    if minutes < 60 && minute <= DAY { Ok(minute) } else { Err(WRONG) }
}

impl Windows {
    /// How long to wait at this moment (seconds since 1970-01-01 of the clock on the wall, that is UTC plus the
    /// offset of its zone); zero where it is open. Never more than a week.
    pub fn wait(&self, wall_clock_seconds: i64) -> Duration {
        // 1970-01-01 was a Thursday.
        let week = i64::from(WEEK) * 60;
        let at = (wall_clock_seconds + 3 * i64::from(DAY) * 60).rem_euclid(week);
        let seconds = |minute: u32| i64::from(minute) * 60;
        if self.open.iter().any(|(from, to)| (seconds(*from)..seconds(*to)).contains(&at)) {
            return Duration::ZERO;
        }
        let next = self.open.iter().map(|(from, _)| (seconds(*from) - at).rem_euclid(week)).min();
        Duration::from_secs(next.and_then(|next| u64::try_from(next).ok()).unwrap_or(0))
    }
}

/// The text that it was read from, in one form: a window for each stretch.
impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (from, to) in &self.open {
            let mut at = *from;
            while at < *to {
                let day = at / DAY;
                let end = (*to).min((day + 1) * DAY);
                let name = DAYS[usize::try_from(day % 7).unwrap_or(0)];
                let clock = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
                let comma = if first { "" } else { ", " };
                write!(f, "{comma}{name} {}-{}", clock(at - day * DAY), clock(end - day * DAY))?;
                (first, at) = (false, end);
            }
        }
        Ok(())
    }
}

/// When it is, and where a wait is told.
pub trait WallClock: Send + Sync + 'static {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;
    /// Seconds that the clock on the wall is ahead of UTC.
    fn offset(&self) -> i64;
    /// No request is started before this moment (UTC); `None`: the wait is over.
    fn waiting(&self, until: Option<Timestamp>);
}

/// Starts no request outside of the windows. What was started goes on.
pub struct Windowed<S: ?Sized> {
    inner: Arc<S>,
    windows: Arc<Windows>,
    clock: Arc<dyn WallClock>,
}

impl<S: ?Sized> Windowed<S> {
    /// Wraps `inner`.
    pub fn new(inner: Arc<S>, windows: Windows, clock: Arc<dyn WallClock>) -> Self {
        Self { inner, windows: Arc::new(windows), clock }
    }
    async fn open(&self) {
        open(&self.windows, &*self.clock).await;
    }
}

async fn open(windows: &Windows, clock: &dyn WallClock) {
    let mut waited = false;
    loop {
        let now = clock.now();
        let wait = windows.wait(now.secs.saturating_add(clock.offset()));
        if wait.is_zero() {
            break;
        }
        let seconds = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
        clock.waiting(Some(Timestamp { secs: now.secs.saturating_add(seconds), nanos: 0 }));
        waited = true;
        tokio::time::sleep(wait.min(LOOK)).await;
    }
    if waited {
        clock.waiting(None);
    }
}

impl<S: fmt::Debug + ?Sized> fmt::Debug for Windowed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Windowed({:?}, {})", &self.inner, self.windows)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Source + ?Sized> Source for Windowed<S> {
    fn caps(&self) -> &Capabilities {
        self.inner.caps()
    }

    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        let start = (self.inner.list(dir, spec), Arc::clone(&self.windows), Arc::clone(&self.clock));
        let step = |(mut pages, windows, clock): (
            BoxStream<'static, Result<Page>>,
            Arc<Windows>,
            Arc<dyn WallClock>,
        )| async move {
            open(&windows, &*clock).await;
            let page = pages.next().await?;
            Some((page, (pages, windows, clock)))
        };
        futures::stream::unfold(start, step).boxed()
    }

    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        self.open().await;
        self.inner.stat(path, want).await
    }

    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        self.open().await;
        self.inner.read(path, spec).await
    }

    async fn usage(&self) -> Result<Option<Usage>> {
        self.open().await;
        self.inner.usage().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryStore, Node, Target as _};
    use model::Metadata;
    use proptest::prelude::*;
    use std::sync::Mutex;

    /// Seconds of a minute of the week that began on Monday, 1970-01-05.
    fn at(day: i64, hours: i64, minutes: i64) -> i64 {
        ((4 + day) * 24 + hours) * 3600 + minutes * 60
    }
    fn hours(text: &str, at: i64) -> u64 {
        text.parse::<Windows>().unwrap().wait(at).as_secs() / 60
    }

    #[test]
    fn nights_and_weekends() {
        let text = "mon-fri 20:00-06:00, sat-sun 00:00-24:00";
        for open in [at(0, 20, 0), at(1, 5, 59), at(4, 23, 59), at(5, 3, 0), at(6, 23, 59), at(5, 12, 0)] {
            assert_eq!(hours(text, open), 0, "{open}");
        }
        assert_eq!(hours(text, at(0, 6, 0)), 14 * 60);
        assert_eq!(hours(text, at(0, 0, 0)), 20 * 60, "the night from Sunday is not in it");
        assert_eq!(hours("sun 22:00-02:00", at(0, 1, 59)), 0, "over the end of the week");
        assert_eq!(hours("fri-mon 01:00-02:00", at(2, 0, 0)), (2 * 24 + 1) * 60);
    }

    #[test]
    fn what_is_no_window_is_refused_with_the_part_that_is_wrong() {
        for text in [
            "",
            "mon",
            "mon 8-9",
            "xyz 01:00-02:00",
            "25:00-26:00",
            "01:00-01:00",
            "mon 01:00-02:00 x",
            "1:00-02:00",
            "24:00-01:00",
            "00:60-02:00",
        ] {
            let error = text.parse::<Windows>().unwrap_err();
            assert!(error.to_string().contains("for example"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_wait_ends_where_it_is_open_and_not_before(
            windows in proptest::collection::vec((0..7_usize, 0..7_usize, 0..1440_u32, 0..1440_u32), 1..4),
            now in -1_000_000_000..4_000_000_000_i64,
        ) {
            let clock = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
            let part = |(first, last, from, to): &(usize, usize, u32, u32)| {
                let to = if from == to { (to + 1) % 1440 } else { *to };
                format!("{}-{} {}-{}", DAYS[*first], DAYS[*last], clock(*from), clock(to))
            };
            let text = windows.iter().map(part).collect::<Vec<_>>().join(",");
            let windows: Windows = text.parse().unwrap();
            let wait = i64::try_from(windows.wait(now).as_secs()).unwrap();
            prop_assert!(wait < 7 * 24 * 3600);
            prop_assert!(windows.wait(now + wait).is_zero());
            if wait > 0 {
                prop_assert!(!windows.wait(now + wait - 1).is_zero());
                prop_assert!(!windows.wait(now + wait / 2).is_zero());
            }
            prop_assert_eq!(windows.to_string().parse::<Windows>().unwrap(), windows);
        }
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "[a-z0-9:, -]{0,40}") {
            text.parse::<Windows>().ok();
        }
    }

    /// A clock that follows tokio's.
    #[derive(Default)]
    struct Told {
        began: Option<tokio::time::Instant>,
        said: Mutex<Vec<Option<i64>>>,
    }
    impl WallClock for Told {
        fn now(&self) -> Timestamp {
            let elapsed = self.began.unwrap().elapsed().as_secs();
            Timestamp { secs: at(0, 7, 0) + i64::try_from(elapsed).unwrap(), nanos: 0 }
        }
        fn offset(&self) -> i64 {
            3600
        }
        fn waiting(&self, until: Option<Timestamp>) {
            self.said.lock().unwrap().push(until.map(|until| until.secs));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_request_starts_outside_of_the_window() {
        let clock = Arc::new(Told { began: Some(tokio::time::Instant::now()), ..Told::default() });
        let windows = "10:00-11:00".parse().unwrap();
        let store = Windowed::new(Arc::new(MemoryStore::tree()), windows, Arc::clone(&clock) as Arc<dyn WallClock>);
        let began = tokio::time::Instant::now();
        store.usage().await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 2 * 3600, "07:00 UTC is 08:00 on the wall");
        let said = clock.said.lock().unwrap().clone();
        assert_eq!((said[0], said.last().copied().unwrap()), (Some(at(0, 9, 0)), None));
        store.usage().await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 2 * 3600);
    }
    #[tokio::test(start_paused = true)]
    async fn each_page_of_a_listing_waits_for_the_window() {
        let store = MemoryStore::tree().with_page(1);
        for dir in ["a", "b"] {
            store.make(&dir.into(), Node::Dir, &Metadata::default()).await.unwrap();
        }
        let began = tokio::time::Instant::now();
        let clock = Arc::new(Told { began: Some(began), ..Told::default() });
        // 08:00 on the wall at first: closed for two hours, then open for one.
        let store = Windowed::new(Arc::new(store), "10:00-11:00".parse().unwrap(), clock as Arc<dyn WallClock>);
        let mut pages = store.list(&RelPath::ROOT, ListSpec::default());
        assert_eq!(pages.next().await.unwrap().unwrap().entries.len(), 1);
        assert_eq!(began.elapsed().as_secs(), 2 * 3600);
        tokio::time::sleep(Duration::from_hours(2)).await;
        assert_eq!(pages.next().await.unwrap().unwrap().entries.len(), 1);
        assert_eq!(began.elapsed().as_secs(), 26 * 3600, "the next morning");
    }
}
