//! Discovers a local directory and prints what it cost: `measure DIRECTORY INVENTORY [CONCURRENCY]`.
#![allow(clippy::print_stdout)]

use driver_local::{LocalOptions, LocalStore};
use longshore_collectors::{DiscoverOptions, discover, local};
use model::{Location, Timestamp};
use std::{
    error::Error,
    path::Path,
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, out, rest @ ..] = &arguments[..] else { return Err("DIRECTORY INVENTORY [CONCURRENCY]".into()) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let mut options =
        DiscoverOptions::new(Timestamp { secs: i64::try_from(now.as_secs())?, nanos: now.subsec_nanos() });
    if let [concurrency, ..] = rest {
        options.concurrency = concurrency.parse()?;
    }
    let probe = Arc::clone(&options.latency);
    let store = LocalStore::open(directory.as_bytes(), LocalOptions { probe, ..LocalOptions::default() })?;
    let collector = local::collector(store, &Location::file(directory.as_bytes()));
    let began = Instant::now();
    let profile = discover(&collector, Path::new(out), options).await?;
    let entries = profile.counts.files + profile.counts.dirs;
    println!(
        "{entries} entries in {:.1} s, {:.0}/s",
        began.elapsed().as_secs_f64(),
        profile.walk.entries_per_second.value
    );
    println!("taken up again {} times", profile.walk.resumed);
    println!("peak {} MiB", profile.walk.peak_memory_bytes.unwrap_or(0) >> 20);
    for finding in &profile.findings {
        println!("{} {} {:?}: {}", finding.weight.word(), finding.kind, finding.count, finding.detail);
    }
    for count in &profile.second_counts {
        println!("{}: agrees {} {}", count.count.method, count.agrees, count.difference);
    }
    for network in &profile.walk.host.networks {
        println!("{network:?}");
    }
    Ok(())
}
