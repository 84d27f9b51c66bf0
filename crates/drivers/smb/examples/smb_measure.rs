//! How fast a share is walked and read: `smb_measure walk|large|small URI [AT_ONCE]`, on one line each.
//!
//! The password comes from `LONGSHORE_TEST_SMB_PASSWORD`. `walk` lists everything below the location, `small` and
//! `large` read every file there, so many at a time. CPU seconds are this process's own, as Linux counts them.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program to be run by hand")]

use futures::{StreamExt as _, stream};
use longshore_driver_smb::{Credentials, Secret, SmbOptions, SmbStore};
use model::{Entry, Facets, RelPath};
use std::{env, sync::Arc, time::Instant};
use storage::{
    Body, ReadSpec, Source,
    walk::{WalkEvent, WalkSpec, walk},
};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [what, uri, rest @ ..] = &arguments[..] else { panic!("smb_measure walk|large|small URI [AT_ONCE]") };
    let at_once = rest.first().map_or(32, |n| n.parse().unwrap());
    let password = env::var("LONGSHORE_TEST_SMB_PASSWORD").unwrap();
    let credentials =
        Credentials::Password { user: String::new(), domain: String::new(), password: Secret::new(password) };
    let options = SmbOptions { credentials, ..SmbOptions::default() };
    let store = Arc::new(SmbStore::connect(&uri.parse().unwrap(), options).await.unwrap());
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let mut files: Vec<Entry> = Vec::new();
    let mut listed: u32 = 0;
    walked(Arc::clone(&store), |entries| {
        listed += u32::try_from(entries.len()).unwrap();
        if what != "walk" {
            files.extend(entries.into_iter().filter(|entry| entry.kind.is_file()));
        }
    })
    .await;
    if what == "walk" {
        let (took, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        let rate = f64::from(listed) / took;
        println!("{listed} entries, {took:.2} s, {rate:.0}/s, cpu {cpu:.2} s, at most {} of memory", peak_memory());
        return;
    }
    let count = files.len();
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let lengths = stream::iter(files).map(|entry| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { read(&store, entry).await })
    });
    let total: u64 = lengths.buffer_unordered(at_once).map(Result::unwrap).fold(0, async |a, b| a + b).await;
    let (took, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let mib = f64::from(u32::try_from(total >> 10).unwrap()) / 1024.0;
    let rate = f64::from(u32::try_from(count).unwrap()) / took;
    println!(
        "{count} files, {mib:.0} MiB, {took:.2} s, {rate:.0} files/s, {:.0} MiB/s, cpu {cpu:.2} s, {:.2} s/GiB",
        mib / took,
        cpu / mib * 1024.0
    );
}

async fn walked(store: Arc<SmbStore>, mut take: impl FnMut(Vec<Entry>)) {
    let spec = WalkSpec { roots: vec![(RelPath::ROOT, None)], want: Facets::MTIME, ..WalkSpec::default() };
    let mut walk = walk(store, spec);
    while let Some(event) = walk.next().await.unwrap() {
        match event {
            WalkEvent::Page { entries, .. } => take(entries),
            WalkEvent::Unreadable { error, .. } | WalkEvent::UnreadableEntry { error, .. } => println!("{error:?}"),
            WalkEvent::Done { .. } | WalkEvent::Skipped { .. } | WalkEvent::Restarted { .. } => {}
        }
    }
}

async fn read(store: &SmbStore, entry: Entry) -> u64 {
    let spec = ReadSpec { if_stamp: Some(entry.stamp), ..ReadSpec::default() };
    let length = |data: &bytes::Bytes| data.len() as u64;
    match store.read(&entry.path, spec).await.unwrap().body {
        Body::Whole(data) => length(&data),
        Body::Stream(pieces) => pieces.fold(0, async |sum, piece| sum + length(&piece.unwrap())).await,
    }
}

/// The most memory that this process had (`/proc/self/status`).
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap().trim().to_owned()
}

/// User and system time of this process (`/proc/self/stat`, fields 14 and 15, in hundredths).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u32 = fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap();
    f64::from(ticks) / 100.0
}
