//! How fast a store is listed, and at what cost: `list_rate URI [STREAMS [SECONDS]]`, at most so long.

use futures::StreamExt as _;
use longshore_driver_s3::{ClassTally, S3Options, S3Store};
use model::{Location, RelPath};
use std::{
    collections::BTreeMap,
    error::Error,
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use storage::{ListSpec, Probe, Source as _};

#[derive(Debug, Default)]
struct Count(Mutex<BTreeMap<&'static str, (u64, Duration)>>);

impl Probe for Count {
    fn observed(&self, op: &'static str, took: Duration, _: bool) {
        let mut counts = self.0.lock().expect("nobody panics while holding the lock");
        let count = counts.entry(op).or_default();
        count.0 += 1;
        count.1 += took;
    }
}

#[tokio::main(worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "this is its output")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let location: Location = arguments.next().ok_or("list_rate URI [STREAMS [SECONDS]]")?.parse()?;
    let streams: NonZeroU32 = arguments.next().map_or(Ok(NonZeroU32::MIN), |text| text.parse())?;
    let limit = arguments.next().map_or(Ok(f64::INFINITY), |text| text.parse())?;
    let probe = Arc::new(Count::default());
    let classes = Arc::new(ClassTally::default());
    let options = S3Options {
        probe: Arc::clone(&probe) as Arc<dyn Probe>,
        list_streams: streams,
        classes: Some(Arc::clone(&classes)),
        ..S3Options::default()
    };
    let store = S3Store::open(&location, options).await?;
    let started = Instant::now();
    let mut pages = store.list(&RelPath::ROOT, ListSpec { recursive: true, ..ListSpec::default() });
    let (mut entries, mut last) = (0_u64, None);
    while let Some(page) = pages.next().await {
        for entry in page?.entries {
            let key = entry.sort_key();
            if last.as_ref().is_some_and(|last| *last >= key) {
                return Err(format!("{} is out of order", entry.path).into());
            }
            last = Some(key);
            entries += 1;
        }
        if started.elapsed().as_secs_f64() > limit {
            break;
        }
    }
    println!("{streams} streams: {entries} entries in {:.1} s", started.elapsed().as_secs_f64());
    println!("{:?} {:?}", probe.0.lock().expect("nobody panics while holding the lock"), classes.counts());
    // Fields 14 and 15 of proc_pid_stat(5); the name before them may hold spaces.
    let cpu = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = cpu.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    if let Some([user, system]) = fields.get(11..13) {
        println!("CPU {user} user, {system} system (hundredths of a second)");
    }
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("{line}"));
    }
    Ok(())
}
