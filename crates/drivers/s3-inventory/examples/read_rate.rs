//! What reading a report costs: `read_rate DIRECTORY MANIFEST`, the directory being what the manifest names its files from.

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream, stream::BoxStream};
use longshore_driver_s3_inventory::InventoryStore;
use model::{Entry, Facets, Kind, RelPath, Stamp};
use std::{error::Error, fs::File, io::Read as _, path::PathBuf, time::Instant};
use storage::{Body, Capabilities, ErrorKind, ListSpec, Page, ReadSpec, Reading, Result, Source, Usage};

/// Files of a directory, in pieces of 1 MiB.
#[derive(Debug)]
struct Directory(PathBuf);

fn unread() -> storage::Error {
    storage::Error::new(ErrorKind::Unsupported, "use a directory of reports")
}

#[async_trait]
impl Source for Directory {
    fn caps(&self) -> &Capabilities {
        unreachable!("a report is only read")
    }
    fn list(&self, _: &RelPath, _: ListSpec) -> BoxStream<'static, Result<Page>> {
        stream::iter([Err(unread())]).boxed()
    }
    async fn stat(&self, _: &RelPath, _: Facets) -> Result<Entry> {
        Err(unread())
    }
    async fn read(&self, path: &RelPath, _: ReadSpec) -> Result<Reading> {
        let name = String::from_utf8_lossy(path.as_bytes()).into_owned();
        let failed = |why: std::io::Error| storage::Error::new(ErrorKind::NotFound, "read").because(why);
        let mut file = File::open(self.0.join(name)).map_err(failed)?;
        let pieces = std::iter::from_fn(move || {
            let mut piece = Vec::new();
            match file.by_ref().take(1 << 20).read_to_end(&mut piece) {
                Ok(0) => None,
                Ok(_) => Some(Ok(Bytes::from(piece))),
                Err(why) => Some(Err(storage::Error::new(ErrorKind::Unexpected, "read").because(why))),
            }
        });
        let entry = Entry::new(path.clone(), Kind::File, Stamp::default());
        Ok(Reading { entry, body: Body::Stream(stream::iter(pieces).boxed()) })
    }
    async fn usage(&self) -> Result<Option<Usage>> {
        Ok(None)
    }
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "this is its output")]
async fn main() -> std::result::Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "read_rate DIRECTORY MANIFEST";
    let directory = Directory(arguments.next().ok_or(usage)?.into());
    let manifest = arguments.next().ok_or(usage)?;
    let started = Instant::now();
    let store = InventoryStore::open(&directory, &manifest.as_str().into()).await?;
    println!("read and sorted in {:.2} s: {:?}", started.elapsed().as_secs_f64(), store.report());
    let started = Instant::now();
    let mut pages = store.list(&RelPath::ROOT, ListSpec { recursive: true, ..ListSpec::default() });
    let mut entries = 0;
    while let Some(page) = pages.next().await {
        entries += page?.entries.len();
    }
    println!("listed {entries} entries in {:.2} s", started.elapsed().as_secs_f64());
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("{line}"));
    }
    Ok(())
}
