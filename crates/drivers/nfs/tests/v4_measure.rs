//! Figures of the NFSv4.1 driver: with `LONGSHORE_MEASURE_NFS4` set to a URI, prints for the tree there the wall
//! time, the rate and the CPU seconds of this process for a walk, for whole reads of files up to 64 KiB, and for
//! streams of files over 64 MiB; then `LONGSHORE_MEASURE_RUNS` times 64 streams together. Else says `skipped`.
#![allow(clippy::print_stdout)] // the table is what this program is for

use futures::{StreamExt as _, stream};
use longshore_driver_nfs::{NfsOptions, v4::Nfs4Store};
use model::{Entry, Facets, Location};
use std::{env, error::Error, num::NonZeroUsize, sync::Arc, time::Instant};
use storage::{
    Body, ReadSpec, Source,
    walk::{WalkEvent, WalkSpec, walk},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Ok(uri) = env::var("LONGSHORE_MEASURE_NFS4") else {
        println!("skipped: LONGSHORE_MEASURE_NFS4 is not set");
        return Ok(());
    };
    let location: Location = uri.parse()?;
    let number = |name: &str| env::var(name).ok().and_then(|value| value.parse::<usize>().ok());
    let widths = number("LONGSHORE_MEASURE_CONNECTIONS").map_or(vec![1, 4], |width| vec![width]);
    for connections in widths {
        let connections = NonZeroUsize::new(connections).ok_or("not 0")?;
        let options = NfsOptions { connections, ..NfsOptions::default() };
        let store = Arc::new(Nfs4Store::connect(&location, options).await?);
        let width = connections.get();
        let mut entries = Vec::new();
        for listings in [1, 8, 32] {
            let timer = Timer::start();
            entries.clear();
            let concurrency = NonZeroUsize::new(listings).ok_or("not 0")?;
            let mut walk = walk(store.clone(), WalkSpec { concurrency, want: Facets::POSIX, ..WalkSpec::default() });
            while let Some(event) = walk.next().await? {
                match event {
                    WalkEvent::Page { entries: page, .. } => entries.extend(page),
                    WalkEvent::Unreadable { error, .. } | WalkEvent::UnreadableEntry { error, .. } => {
                        return Err(error.into());
                    }
                    WalkEvent::Done { .. } | WalkEvent::Skipped { .. } | WalkEvent::Restarted { .. } => {}
                }
            }
            timer.print(width, &format!("walk, {listings} listings"), entries.len(), "entries");
        }
        let files = |sizes: std::ops::Range<u64>| {
            entries.iter().filter(move |e| e.kind.is_file() && sizes.contains(&e.stamp.size))
        };
        let small: Vec<&Entry> = files(1..(64 << 10)).collect();
        for together in [1, 32] {
            let timer = Timer::start();
            read_all(&store, small.iter().copied(), together).await?;
            timer.print(width, &format!("small, {together} together"), small.len(), "files");
        }
        let large: Vec<&Entry> = files(64 << 20..u64::MAX).collect();
        let timer = Timer::start();
        let bytes = read_all(&store, large.iter().copied(), 1).await?;
        timer.print(width, "large, one by one", bytes >> 20, "MiB");
        if let Some(runs) = number("LONGSHORE_MEASURE_RUNS") {
            let of = files(1 << 20..64 << 20).collect::<Vec<_>>();
            let timer = Timer::start();
            let mut bytes = 0;
            for _ in 0..runs {
                bytes += read_all(&store, of.iter().copied().cycle().take(64), 64).await?;
            }
            timer.print(width, &format!("{runs} x 64 streams together"), bytes >> 20, "MiB");
        }
        store.close().await;
    }
    Ok(())
}

async fn read_all<'a>(
    store: &Arc<Nfs4Store>,
    files: impl Iterator<Item = &'a Entry>,
    together: usize,
) -> storage::Result<usize> {
    let reads = files.map(|entry| {
        let (store, path, size) = (store.clone(), entry.path.clone(), entry.stamp.size);
        let spec =
            ReadSpec { if_stamp: Some(entry.stamp.clone()), locator: entry.locator.clone(), ..ReadSpec::default() };
        async move {
            let mut len = 0;
            match store.read(&path, spec).await?.body {
                Body::Whole(data) => len += data.len(),
                Body::Stream(mut pieces) => {
                    while let Some(piece) = pieces.next().await {
                        len += piece?.len();
                    }
                }
            }
            assert_eq!(len as u64, size, "{path}");
            Ok(len)
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

    fn print(&self, connections: usize, what: &str, count: usize, unit: &str) {
        let wall = self.since.elapsed().as_secs_f64();
        let rate = f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / wall;
        let cpu = cpu_seconds() - self.cpu;
        println!(
            "{connections} connections  {what:26}  {count:7} {unit:7}  {wall:6.2} s  {rate:8.0} {unit}/s  cpu {cpu:.2} s"
        );
    }
}

/// User and system time of this process: fields 14 and 15 of proc(5)'s stat, in ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
