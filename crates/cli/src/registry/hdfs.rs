//! HDFS, by its NameNode's answers or by its NameNode's image.

use super::Opening;
use crate::{
    access,
    failure::{Code, Failure, Outcome},
    settings::env,
};
use collectors::{Collector, FsimageCollector, HdfsCollector};
use driver_fsimage::{FsimageOptions, FsimageStore};
use driver_hdfs::{HdfsOptions, HdfsStore, ImageFetched, StandbyChoice};
use model::Location;
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

pub(super) async fn open(location: &Location, how: &Opening<'_>) -> Outcome<Box<dyn Collector>> {
    let settings = how.settings;
    let credentials = access::tickets(location);
    let options = HdfsOptions {
        conf: settings.surroundings.variable(env::HADOOP_CONF_DIR).map(PathBuf::from),
        credentials: (credentials != kerberos::Credentials::default()).then_some(credentials),
        connect_timeout: settings.connect_timeout.value.0,
        request_timeout: settings.operation_timeout.value.0,
        probe: Arc::clone(&how.probe),
        ..HdfsOptions::default()
    };
    match location.param("via") {
        None => {
            let store = Box::pin(HdfsStore::connect(location, options)).await?;
            Ok(Box::new(HdfsCollector::new(store).wrapped(|source| how.around(source))))
        }
        Some("fsimage") => {
            let bare = location.clone().without_params(&["via"]);
            let store = Box::pin(HdfsStore::connect(&bare, options)).await?;
            image(location, &store, how).await
        }
        Some(other) => Err(Failure::new(Code::Location, format!("`via={other}` is no way to read HDFS"))
            .hint("leave it out, or write `via=fsimage`")),
    }
}

/// Fetches the newest image, from a standby where there is one, and shows the directory of the location in it. No
/// checkpoint is ever asked for: the image is as old as it is, and says so.
async fn image(location: &Location, store: &HdfsStore, how: &Opening<'_>) -> Outcome<Box<dyn Collector>> {
    let scratch = std::env::temp_dir();
    let path = scratch.join(format!("longshore-fsimage-{}-{:x}", std::process::id(), super::seed()));
    let fetched = Box::pin(store.fetch_fsimage(&path)).await;
    let read = match &fetched {
        Ok(_) => {
            let below = location.prefix();
            let options = FsimageOptions { below, probe: Arc::clone(&how.probe), ..FsimageOptions::default() };
            Some(Box::pin(FsimageStore::open(&path, options)).await)
        }
        Err(_) => None,
    };
    // What was read of it lies in files without a name now.
    std::fs::remove_file(&path).ok();
    let fetched = fetched?;
    let image = read.transpose()?.ok_or_else(|| Failure::new(Code::File, "the image was not read"))?;
    let whole = location.prefix().is_root();
    let collector = FsimageCollector::new(image, location, whole).fetched(facts(&fetched));
    Ok(Box::new(collector.wrapped(|source| how.around(source))))
}

fn facts(fetched: &ImageFetched) -> BTreeMap<String, String> {
    let from = match fetched.from {
        StandbyChoice::Standby => "a standby",
        StandbyChoice::Active => "the active NameNode (there is no standby)",
    };
    let made = fetched.taken_at.map(|time| jiff::Timestamp::from_second(time.secs).unwrap_or_default().to_string());
    let told = [
        ("fetched-from", Some(format!("{}, {from}", fetched.source))),
        ("md5-checked", Some(fetched.md5_checked.to_string())),
        ("checkpoint-made", made),
        ("transactions-since", fetched.transactions_since.map(|count| count.to_string())),
    ];
    told.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
