//! `longshore source bench URI`: how fast a store lists and reads, as this host sees it.
//!
//! Every run of a read gives a digest of the whole file; runs that do not agree end the bench as corrupt.

use crate::{
    args::Bench,
    commands::Shell,
    exit::Exit,
    failure::{Failure, Outcome},
    registry,
};
use futures::{StreamExt as _, TryStreamExt as _};
use model::{ByteSize, Facets, Location, RelPath};
use serde::Serialize;
use std::{
    fmt::Write as _,
    num::NonZeroUsize,
    os::unix::ffi::OsStrExt as _,
    sync::Arc,
    time::{Duration, Instant},
};
use storage::{
    ErrorKind, ReadSpec, Source,
    checksum::Crc64Nvme,
    collect_body,
    walk::{WalkEvent, WalkSpec, walk},
};

/// What was measured.
#[derive(Serialize)]
struct Measured {
    location: Location,
    /// What was done: `walk` or `read`.
    what: &'static str,
    series: Vec<Series>,
}

/// The runs with one number of requests in flight.
#[derive(Serialize)]
struct Series {
    in_flight: u32,
    runs: u32,
    /// Entries listed, or bytes read, in each run.
    each: u64,
    /// Seconds of the fastest, the middle and the slowest run.
    seconds: [f64; 3],
    /// Processor seconds of this process over all runs.
    cpu_seconds: f64,
    /// CRC-64/NVME of the whole file, the same in all runs.
    digest: Option<String>,
    /// Directories that could not be listed.
    unreadable: u64,
}

/// Measures.
pub async fn run(typed: &Bench, shell: &Shell) -> Outcome<Exit> {
    let location = registry::location(&typed.location)?;
    let at = |failure: Failure| failure.at(&location);
    let collector = registry::open(&location, &registry::Opening::plain(&shell.settings)).await.map_err(at)?;
    let source = collector.source();
    let mut measured = Measured {
        location: location.clone(),
        what: if typed.read.is_some() { "read" } else { "walk" },
        series: Vec::new(),
    };
    for &in_flight in &typed.in_flight {
        let series = match &typed.read {
            Some(path) => {
                let path = RelPath::from(path.as_bytes());
                Box::pin(reads(&source, &path, in_flight, typed)).await
            }
            None => Box::pin(walks(&source, collector.told(), in_flight, typed)).await,
        };
        measured.series.push(series.map_err(at)?);
        if shell.stop.asked() {
            return Ok(shell.stop.exit());
        }
    }
    if shell.out.json {
        shell.out.named_document("longshore.source-bench/v1", &measured)?;
    } else {
        shell.out.text(&text(&measured))?;
    }
    Ok(Exit::Done)
}

async fn walks(source: &Arc<dyn Source>, want: Facets, in_flight: u32, typed: &Bench) -> Outcome<Series> {
    let concurrency = usize::try_from(in_flight).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN);
    let mut times = Vec::new();
    let (mut entries, mut unreadable) = (0, 0);
    let busy = processor_time();
    for _ in 0..typed.runs {
        let began = Instant::now();
        (entries, unreadable) = (0, 0);
        let mut walk = walk(Arc::clone(source), WalkSpec { concurrency, want, ..WalkSpec::default() });
        while let Some(event) = walk.next().await? {
            match event {
                WalkEvent::Page { entries: page, .. } => entries += u64::try_from(page.len()).unwrap_or(u64::MAX),
                WalkEvent::Unreadable { dir, error } if dir.is_root() => return Err(error.into()),
                WalkEvent::Unreadable { .. } | WalkEvent::UnreadableEntry { .. } => unreadable += 1,
                WalkEvent::Done { .. } | WalkEvent::Skipped { .. } | WalkEvent::Restarted { .. } => {}
            }
        }
        times.push(began.elapsed());
    }
    Ok(Series { unreadable, ..Series::new(in_flight, entries, times, busy, None) })
}

async fn reads(source: &Arc<dyn Source>, path: &RelPath, in_flight: u32, typed: &Bench) -> Outcome<Series> {
    let size = source.stat(path, Facets::NONE).await?.stamp.size;
    let piece = typed.piece.0.max(1);
    let window = usize::try_from(in_flight).unwrap_or(1);
    let mut times = Vec::new();
    let mut digest = None;
    let busy = processor_time();
    for _ in 0..typed.runs {
        let began = Instant::now();
        let found = futures::stream::iter((0..size.div_ceil(piece)).map(|number| {
            let range = number * piece..(number * piece + piece).min(size);
            let source = Arc::clone(source);
            async move {
                let len = range.end - range.start;
                let spec = ReadSpec { range: Some(range), ..ReadSpec::default() };
                let body = collect_body(source.read(path, spec).await?.body, len).await?;
                let got: usize = body.iter().map(bytes::Bytes::len).sum();
                if u64::try_from(got).ok() != Some(len) {
                    return Err(storage::Error::new(ErrorKind::Corrupt, "read").at(path).because("the piece is short"));
                }
                Ok(body)
            }
        }))
        .buffered(window)
        .try_fold(Crc64Nvme::default(), |mut whole, body| {
            for piece in &body {
                whole.update(piece);
            }
            std::future::ready(Ok(whole))
        })
        .await?
        .value();
        times.push(began.elapsed());
        if digest.is_some_and(|digest| digest != found) {
            return Err(Failure::from(
                storage::Error::new(ErrorKind::Corrupt, "read").at(path).because("two runs gave different content"),
            ));
        }
        digest = Some(found);
    }
    Ok(Series::new(in_flight, size, times, busy, digest))
}

impl Series {
    fn new(in_flight: u32, each: u64, mut times: Vec<Duration>, busy: Duration, digest: Option<u64>) -> Self {
        times.sort_unstable();
        let at = |place: usize| times.get(place).map_or(0.0, Duration::as_secs_f64);
        Self {
            in_flight,
            runs: u32::try_from(times.len()).unwrap_or(u32::MAX),
            each,
            seconds: [at(0), at(times.len() / 2), at(times.len().saturating_sub(1))],
            cpu_seconds: processor_time().saturating_sub(busy).as_secs_f64(),
            digest: digest.map(|digest| format!("{digest:016x}")),
            unreadable: 0,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits than a float has")]
fn text(measured: &Measured) -> String {
    let read = measured.what == "read";
    let mut table = format!("{}: {}\n", measured.location, measured.what);
    table += if read {
        "  in flight  runs      size   MiB/s (slowest, middle, fastest)   CPU s per GiB   CRC-64/NVME\n"
    } else {
        "  in flight  runs   entries   entries/s (slowest, middle, fastest)   CPU us per entry   unreadable\n"
    };
    for series in &measured.series {
        let unit = if read { 1_048_576.0 } else { 1.0 };
        let amount = series.each as f64 / unit;
        let [fast, middle, slow] = series.seconds.map(|seconds| amount / seconds.max(1e-9));
        let all = amount * f64::from(series.runs);
        let cost = series.cpu_seconds / all.max(1e-9) * if read { 1024.0 } else { 1e6 };
        let each = if read { ByteSize(series.each).to_string() } else { model::human_count(series.each) };
        let rates = format!("{slow:.0}, {middle:.0}, {fast:.0}");
        let last = series.digest.clone().unwrap_or_else(|| series.unreadable.to_string());
        let (in_flight, runs) = (series.in_flight, series.runs);
        writeln!(table, "  {in_flight:>9}  {runs:>4}  {each:>8}   {rates:<32} {cost:>14.2}   {last}")
            .expect("a String takes everything");
    }
    table
}

/// Processor time of this process so far, user and system; zero where there is no `/proc`.
fn processor_time() -> Duration {
    // proc_pid_stat(5): fields 14 and 15, counted after the name in parentheses, in ticks of USER_HZ, which is 100
    // on every Linux.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
