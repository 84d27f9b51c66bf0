//! How far along: one moving line on a terminal, one plain line every 30 seconds elsewhere. Always stderr.

use crate::{output::say, settings::Settings};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::{ByteSize, human_count, human_duration};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often the line on a terminal is drawn anew.
const FRAME: Duration = Duration::from_millis(200);
/// How often a line is printed where there is no terminal.
const LINE: Duration = Duration::from_secs(30);
/// How much of the past the rate looks at.
const WINDOW: Duration = Duration::from_secs(10);

/// How far along somebody is, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What is being done, one word.
    pub phase: &'static str,
    /// Items done.
    pub items: u64,
    /// Items to do; 0 while it is not known.
    pub of_items: u64,
    /// Bytes done.
    pub bytes: u64,
    /// Bytes to do; 0 while it is not known.
    pub of_bytes: u64,
    /// Items that failed.
    pub failed: u64,
}

/// Progress that is shown until it is dropped or finished.
#[derive(Debug)]
pub struct Progress {
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Progress {
    /// Shows what `read` tells, under a name.
    pub fn show(settings: &Settings, name: &str, read: impl Fn() -> Reading + Send + Sync + 'static) -> Self {
        let stop = CancellationToken::new();
        if settings.quiet {
            return Self { stop, task: None };
        }
        let (read, name): (Arc<dyn Fn() -> Reading + Send + Sync>, _) = (Arc::new(read), name.to_owned());
        let task = if settings.surroundings.stderr_is_terminal {
            tokio::spawn(moving(name, read, stop.clone()))
        } else {
            tokio::spawn(lines(name, read, stop.clone()))
        };
        Self { stop, task: Some(task) }
    }

    /// Takes the line away; later output does not mix with it.
    pub async fn finish(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::debug!(%error, "the progress line ended early");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn moving(name: String, read: Arc<dyn Fn() -> Reading + Send + Sync>, stop: CancellationToken) {
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
    let known = ProgressStyle::with_template("{prefix:.bold} {bar:24} {msg}").expect("the template is constant");
    let unknown = ProgressStyle::with_template("{prefix:.bold} {spinner} {msg}").expect("the template is constant");
    bar.set_prefix(name);
    let mut pace = Pace::default();
    let mut measured = None;
    while !stopped(&stop, FRAME).await {
        let reading = read();
        pace.note(Instant::now(), &reading);
        let (done, all) =
            if reading.of_bytes > 0 { (reading.bytes, reading.of_bytes) } else { (reading.items, reading.of_items) };
        if measured.replace(all > 0) != Some(all > 0) {
            bar.set_style(if all > 0 { known.clone() } else { unknown.clone() });
        }
        bar.set_length(all.max(1));
        bar.set_position(done.min(all));
        bar.set_message(line(&reading, &pace));
        bar.tick();
    }
    bar.finish_and_clear();
}

async fn lines(name: String, read: Arc<dyn Fn() -> Reading + Send + Sync>, stop: CancellationToken) {
    let mut pace = Pace::default();
    pace.note(Instant::now(), &read());
    while !stopped(&stop, LINE).await {
        let reading = read();
        pace.note(Instant::now(), &reading);
        say(&format!("{name}: {}", line(&reading, &pace)));
    }
}

/// Waits; true when it is over.
async fn stopped(stop: &CancellationToken, pause: Duration) -> bool {
    tokio::time::timeout(pause, stop.cancelled()).await.is_ok()
}

/// `transferring 1,200 of 3,021 items, 120.3 MiB of 300.1 MiB, 52.1 MiB/s, 3.4 s left, 2 failed`
fn line(reading: &Reading, pace: &Pace) -> String {
    let of = |done: String, all: u64, shown: String| if all > 0 { format!("{done} of {shown}") } else { done };
    let items = of(human_count(reading.items), reading.of_items, human_count(reading.of_items));
    let mut parts = vec![format!("{} {items} items", reading.phase)];
    if reading.bytes > 0 || reading.of_bytes > 0 {
        let all = ByteSize(reading.of_bytes).to_string();
        parts.push(of(ByteSize(reading.bytes).to_string(), reading.of_bytes, all));
    }
    let rate = pace.rate();
    if rate.bytes >= 1.0 {
        parts.push(format!("{}/s", ByteSize(whole(rate.bytes))));
    } else if rate.items >= 1.0 {
        parts.push(format!("{} items/s", human_count(whole(rate.items))));
    }
    if let Some(left) = pace.left(reading) {
        parts.push(format!("{} left", human_duration(left)));
    }
    if reading.failed > 0 {
        parts.push(format!("{} failed", human_count(reading.failed)));
    }
    parts.join(", ")
}

/// Readings of the last seconds, to tell the rate.
#[derive(Debug, Default)]
struct Pace {
    seen: Vec<(Instant, Reading)>,
}

/// Per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Rate {
    items: f64,
    bytes: f64,
}

impl Pace {
    fn note(&mut self, at: Instant, reading: &Reading) {
        if self.seen.last().is_some_and(|(_, last)| last.phase != reading.phase || last.items > reading.items) {
            self.seen.clear();
        }
        self.seen.push((at, reading.clone()));
        let old = self.seen.iter().take_while(|(then, _)| at.duration_since(*then) > WINDOW).count();
        // One reading beyond the window stays, so that two far apart still make a rate.
        self.seen.drain(..old.saturating_sub(1));
    }

    fn rate(&self) -> Rate {
        let (Some((from, first)), Some((to, last))) = (self.seen.first(), self.seen.last()) else {
            return Rate::default();
        };
        let span = to.duration_since(*from).as_secs_f64();
        if span < 0.1 {
            return Rate::default();
        }
        let per_second = |done: u64, before: u64| number(done.saturating_sub(before)) / span;
        Rate { items: per_second(last.items, first.items), bytes: per_second(last.bytes, first.bytes) }
    }

    /// Small files are paced by their number, large ones by their bytes: the slower of the two counts.
    fn left(&self, reading: &Reading) -> Option<Duration> {
        let rate = self.rate();
        let time = |done: u64, all: u64, rate: f64| {
            (all > done && rate > 0.0).then(|| number(all - done) / rate).filter(|seconds| *seconds < 1e8)
        };
        let bytes = time(reading.bytes, reading.of_bytes, rate.bytes);
        let items = time(reading.items, reading.of_items, rate.items);
        let seconds =
            bytes.into_iter().chain(items).fold(None, |worst: Option<f64>, s| Some(worst.map_or(s, |w| w.max(s))))?;
        Some(Duration::from_secs_f64(seconds))
    }
}

#[allow(clippy::cast_precision_loss)] // shown with one digit after the point
fn number(n: u64) -> f64 {
    n as f64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a rate is positive and far below 2^64
fn whole(n: f64) -> u64 {
    n as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(items: u64, bytes: u64) -> Reading {
        Reading { phase: "transferring", items, of_items: 1000, bytes, of_bytes: 100 << 20, failed: 2 }
    }

    #[test]
    fn the_line_tells_rate_and_time_left() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.note(start, &reading(0, 0));
        pace.note(start + Duration::from_secs(5), &reading(500, 10 << 20));
        // 90 MiB at 2 MiB/s take longer than 500 items at 100 a second.
        assert_eq!(
            line(&reading(500, 10 << 20), &pace),
            "transferring 500 of 1,000 items, 10.0 MiB of 100.0 MiB, 2.0 MiB/s, 45.0 s left, 2 failed"
        );
    }

    #[test]
    fn a_new_phase_begins_its_own_rate() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.note(start, &reading(900, 50));
        pace.note(start + Duration::from_secs(1), &Reading { phase: "verifying", ..reading(1, 0) });
        assert_eq!(pace.rate(), Rate::default());
    }

    #[test]
    fn nothing_is_said_of_the_end_while_the_work_is_not_known() {
        let mut pace = Pace::default();
        let listing = Reading { phase: "listing", items: 10, ..Reading::default() };
        pace.note(Instant::now(), &listing);
        assert_eq!(line(&listing, &pace), "listing 10 items");
    }
}
