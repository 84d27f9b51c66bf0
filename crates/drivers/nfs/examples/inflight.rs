//! Many large reads at a time: `inflight URI PATH RUNS TOGETHER... [connections=N] [read_ahead=N] [in_flight=N]`.
//!
//! Reads the file at PATH below URI, in TOGETHER ranges of equal size at the same time, RUNS times for each
//! TOGETHER, and compares the digest of every range (FNV-1a over words, which sees pieces in the wrong order) with
//! that of the first run. One line each on stdout: MiB/s and the CPU of this process for each GiB.
#![allow(clippy::print_stdout)] // the table is what this program is for

use futures::{StreamExt as _, future::try_join_all};
use longshore_driver_nfs::{NfsOptions, NfsStore};
use model::{Facets, Location, RelPath};
use std::{collections::HashMap, error::Error, num::NonZeroUsize, time::Instant};
use storage::{Body, ReadSpec, Source};

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = NfsOptions::default();
    let mut plain = Vec::new();
    let mut threads = 2;
    for argument in std::env::args().skip(1) {
        match argument.split_once('=') {
            Some(("connections", n)) => options.connections = n.parse()?,
            Some(("read_ahead", n)) => options.read_ahead = n.parse()?,
            Some(("in_flight", n)) => options.in_flight = n.parse()?,
            Some(("threads", n)) => threads = n.parse()?,
            _ => plain.push(argument),
        }
    }
    let [uri, path, runs, together @ ..] = &plain[..] else {
        return Err("usage: inflight URI PATH RUNS TOGETHER... [connections=N] [read_ahead=N] [in_flight=N]".into());
    };
    let runs: usize = runs.parse()?;
    let location: Location = uri.parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    runtime.block_on(async {
        let store = NfsStore::connect(&location, options).await?;
        for together in together {
            measure(&store, &RelPath::from(path.as_str()), runs, together.parse()?).await?;
        }
        Ok(())
    })
}

async fn measure(store: &NfsStore, path: &RelPath, runs: usize, together: NonZeroUsize) -> Result<(), Box<dyn Error>> {
    let entry = store.stat(path, Facets::NONE).await?;
    let size = entry.stamp.size;
    let share = size.div_ceil(u64::try_from(together.get())?);
    let mut digests: HashMap<u64, u64> = HashMap::new();
    let (mut bytes, mut worst, mut best) = (0, f64::INFINITY, 0_f64);
    let (since, cpu) = (Instant::now(), cpu_seconds());
    for _ in 0..runs {
        let run = Instant::now();
        let ranges = (0..size).step_by(usize::try_from(share)?).map(|start| start..size.min(start + share));
        let reads = ranges.map(|range| {
            let (store, path, start) = (store.clone(), path.clone(), range.start);
            let spec = ReadSpec {
                range: Some(range),
                locator: entry.locator.clone(),
                if_stamp: Some(entry.stamp.clone()),
                ..ReadSpec::default()
            };
            async move {
                let task = tokio::spawn(async move { digest(&store, &path, spec).await });
                task.await.expect("no read panics").map(|digest| (start, digest))
            }
        });
        for (start, digest) in try_join_all(reads).await? {
            if *digests.entry(start).or_insert(digest) != digest {
                return Err(format!("the bytes from {start} on differ between two runs").into());
            }
        }
        bytes += size;
        let rate = mib(size) / run.elapsed().as_secs_f64();
        (worst, best) = (worst.min(rate), best.max(rate));
    }
    let wall = since.elapsed().as_secs_f64();
    let cpu = (cpu_seconds() - cpu) / (mib(bytes) / 1024.0);
    println!(
        "{together:3} together  {runs} runs  {:7.0} MiB/s (worst {worst:.0}, best {best:.0})  {cpu:.2} CPU s/GiB",
        mib(bytes) / wall
    );
    Ok(())
}

async fn digest(store: &NfsStore, path: &RelPath, spec: ReadSpec) -> storage::Result<u64> {
    let mut sum = Digest::default();
    match store.read(path, spec).await?.body {
        Body::Whole(data) => sum.add(&data),
        Body::Stream(mut pieces) => {
            while let Some(piece) = pieces.next().await {
                sum.add(&piece?);
            }
        }
    }
    Ok(sum.finish())
}

/// FNV-1a over words of eight bytes: cheap beside the network, and it sees pieces in the wrong order.
struct Digest(u64, Vec<u8>);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325, Vec::new())
    }
}

impl Digest {
    fn add(&mut self, mut data: &[u8]) {
        if !self.1.is_empty() {
            let missing = (8 - self.1.len()).min(data.len());
            self.1.extend_from_slice(&data[..missing]);
            data = &data[missing..];
            if let Ok(word) = <[u8; 8]>::try_from(&self.1[..]) {
                self.word(word);
                self.1.clear();
            }
        }
        let (words, rest) = data.as_chunks::<8>();
        for word in words {
            self.word(*word);
        }
        self.1.extend_from_slice(rest);
    }
    fn word(&mut self, word: [u8; 8]) {
        self.0 = (self.0 ^ u64::from_le_bytes(word)).wrapping_mul(0x0100_0000_01b3);
    }
    fn finish(mut self) -> u64 {
        let mut last = [0; 8];
        last[..self.1.len()].copy_from_slice(&self.1);
        self.word(last);
        self.0
    }
}

fn mib(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes >> 20).unwrap_or(u32::MAX))
}

/// User and system time of this process: fields 14 and 15 of proc(5)'s stat, in ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
