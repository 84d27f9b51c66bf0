//! Measures this driver against a server: `nfs_measure URI [walk] [CONNECTIONSxTOGETHER[xAHEAD]...]`.
//!
//! For each number of connections, of directories or files together, and of READs ahead in a stream: a walk, whole
//! reads of files up to 64 KiB by locator, and streams of files over 64 MiB. One line each on stdout with the wall
//! time, the rate, the CPU seconds of this process and the most memory it ever had. With `walk` only that, and the
//! entries are counted and dropped, so that the memory is the driver's own. NFSv4.1 when the URI says `version=4.1`.
#![allow(clippy::print_stdout)] // the table is what this program is for

use futures::{StreamExt as _, stream};
use longshore_driver_nfs::{NfsOptions, NfsStore, v4::Nfs4Store};
use model::{Entry, Facets, Location};
use std::{error::Error, num::NonZeroUsize, sync::Arc, time::Instant};
use storage::{
    Body, ReadSpec, Source,
    walk::{WalkEvent, WalkSpec, walk},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: nfs_measure URI [walk] [CONNECTIONSxTOGETHER[xAHEAD]...]";
    let location: Location = arguments.next().ok_or(usage)?.parse()?;
    let mut shapes: Vec<String> = arguments.collect();
    let only_walk = shapes.first().is_some_and(|first| first == "walk");
    if only_walk {
        shapes.remove(0);
    }
    if shapes.is_empty() {
        shapes = ["1x8", "1x32", "2x32", "4x32", "8x32"].map(str::to_owned).into();
    }
    for shape in shapes {
        let numbers: Vec<NonZeroUsize> = shape.split('x').map(str::parse).collect::<Result<_, _>>()?;
        let [connections, together, ahead @ ..] = &numbers[..] else { return Err(usage.into()) };
        let mut options = NfsOptions { connections: *connections, ..NfsOptions::default() };
        options.read_ahead = ahead.first().copied().unwrap_or(options.read_ahead);
        let store: Arc<dyn Source> = if location.param("version").is_some_and(|version| version.starts_with('4')) {
            Arc::new(Nfs4Store::connect(&location, options).await?)
        } else {
            Arc::new(NfsStore::connect(&location, options).await?)
        };
        let together = *together;

        let timer = Timer::start();
        let (mut count, mut entries) = (0, Vec::new());
        let spec = WalkSpec { concurrency: together, want: Facets::POSIX, ..WalkSpec::default() };
        let mut walk = walk(store.clone(), spec);
        while let Some(event) = walk.next().await? {
            match event {
                WalkEvent::Page { entries: page, .. } => {
                    count += page.len();
                    if !only_walk {
                        entries.extend(page);
                    }
                }
                WalkEvent::Unreadable { error, .. } | WalkEvent::UnreadableEntry { error, .. } => {
                    return Err(error.into());
                }
                WalkEvent::Done { .. } | WalkEvent::Skipped { .. } | WalkEvent::Restarted { .. } => {}
            }
        }
        timer.print(&shape, "walk", count, "entries");
        if only_walk {
            continue;
        }

        let files = |sizes: std::ops::Range<u64>| {
            entries.iter().filter(move |e| e.kind.is_file() && sizes.contains(&e.stamp.size))
        };
        let small: Vec<&Entry> = files(1..(64 << 10)).collect();
        let timer = Timer::start();
        let bytes = read_all(&store, &small, together.get()).await?;
        timer.print(&shape, "small", small.len(), "files");
        timer.print(&shape, "small", bytes >> 20, "MiB");

        let large: Vec<&Entry> = files(64 << 20..u64::MAX).collect();
        let timer = Timer::start();
        let bytes = read_all(&store, &large, 1).await?;
        timer.print(&shape, "large", bytes >> 20, "MiB");
    }
    Ok(())
}

async fn read_all(store: &Arc<dyn Source>, files: &[&Entry], together: usize) -> storage::Result<usize> {
    let reads = files.iter().map(|entry| {
        let (store, path) = (store.clone(), entry.path.clone());
        let spec =
            ReadSpec { if_stamp: Some(entry.stamp.clone()), locator: entry.locator.clone(), ..ReadSpec::default() };
        async move {
            match store.read(&path, spec).await?.body {
                Body::Whole(data) => Ok(data.len()),
                Body::Stream(mut pieces) => {
                    let mut len = 0;
                    while let Some(piece) = pieces.next().await {
                        len += piece?.len();
                    }
                    Ok(len)
                }
            }
        }
    });
    let mut reads = stream::iter(reads).buffer_unordered(together);
    let mut total = 0;
    while let Some(len) = reads.next().await {
        total += len?;
    }
    Ok(total)
}

struct Timer {
    since: Instant,
    cpu: f64,
}

impl Timer {
    fn start() -> Self {
        Self { since: Instant::now(), cpu: cpu_seconds() }
    }

    fn print(&self, shape: &str, what: &str, count: usize, unit: &str) {
        let wall = self.since.elapsed().as_secs_f64();
        let rate = f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / wall;
        let cpu = cpu_seconds() - self.cpu;
        println!(
            "{shape:8}  {what:5}  {count:7} {unit:7}  {wall:6.2} s  {rate:8.0} {unit}/s  cpu {cpu:.2} s  peak {} MiB",
            peak_mib()
        );
    }
}

/// User and system time of this process: fields 14 and 15 of proc(5)'s stat, in ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The most memory that this process ever had (proc(5), `VmHWM`).
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() / 1024
}
