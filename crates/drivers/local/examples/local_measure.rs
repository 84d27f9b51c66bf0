//! Walks a directory and reads every file in it, and prints what that cost. Usage: `measure DIR [COPY-TO]`;
//! with a second directory each file is also written there, without `fsync`.

#![allow(clippy::print_stdout)] // that is its purpose

use futures::{StreamExt as _, TryStreamExt as _};
use longshore_driver_local::{LocalOptions, LocalStore};
use model::{Facets, RelPath};
use std::{ffi::OsString, num::NonZeroUsize, os::unix::ffi::OsStrExt as _, sync::Arc, time::Instant};
use storage::{
    Error, ReadSpec, Source as _, Target as _, WriteSpec, collect_body,
    walk::{WalkEvent, WalkSpec, walk},
};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut args = std::env::args_os().skip(1);
    let open = |dir: OsString| {
        let options = LocalOptions { durable: false, ..LocalOptions::default() };
        LocalStore::open(dir.as_bytes(), options).map(Arc::new)
    };
    let source = open(args.next().unwrap_or_else(|| ".".into()))?;
    let target = args.next().map(open).transpose()?;
    let started = Instant::now();
    let concurrency = NonZeroUsize::new(4).expect("4 is not 0");
    let mut walking = walk(source.clone(), WalkSpec { concurrency, want: Facets::POSIX, ..WalkSpec::default() });
    let (mut files, mut entries) = (Vec::<RelPath>::new(), 0_usize);
    while let Some(event) = walking.next().await? {
        match event {
            WalkEvent::Page { entries: page, .. } => {
                entries += page.len();
                files.extend(page.into_iter().filter(|entry| entry.kind.is_file()).map(|entry| entry.path));
            }
            WalkEvent::Unreadable { error, .. } | WalkEvent::UnreadableEntry { error, .. } => println!("{error:?}"),
            WalkEvent::Done { .. } | WalkEvent::Skipped { .. } | WalkEvent::Restarted { .. } => {}
        }
    }
    println!("walked {entries} entries in {:?}", started.elapsed());
    let started = Instant::now();
    let bytes: Vec<usize> = futures::stream::iter(&files)
        .map(|path| async {
            let body = source.read(path, ReadSpec::default()).await?.body;
            let data = collect_body(body, u64::MAX).await?;
            let len = data.iter().map(bytes::Bytes::len).sum();
            if let Some(target) = &target {
                target.put(path, WriteSpec::default(), data).await?;
            }
            Ok::<usize, Error>(len)
        })
        .buffer_unordered(16)
        .try_collect()
        .await?;
    println!("read {} files, {} bytes, in {:?}", bytes.len(), bytes.iter().sum::<usize>(), started.elapsed());
    Ok(())
}
