//! HDFS, by its NameNode's answers or by its NameNode's image.

use super::Opening;
use crate::{
    access,
    failure::{Code, Failure, Outcome},
    settings::env,
};
use collectors::{Collector, fsimage, hdfs};
use driver_fsimage::{FsimageOptions, FsimageStore};
use driver_hdfs::{HdfsOptions, HdfsStore, ImageFetched, StandbyChoice};
use model::Location;
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

pub(super) async fn open(location: &Location, how: &Opening<'_>) -> Outcome<Collector> {
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
            Ok(hdfs::collector(store))
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
async fn image(location: &Location, store: &HdfsStore, how: &Opening<'_>) -> Outcome<Collector> {
    // A directory for us alone, as an image names everything in the cluster; it goes with everything in it, however
    // this ends. What is read of the image lies in files without a name.
    let scratch = tempfile::Builder::new().prefix("longshore-fsimage-").tempdir().map_err(|error| {
        Failure::new(Code::File, "cannot make a directory for the image").because(error).hint("TMPDIR names the place")
    })?;
    let path = scratch.path().join("fsimage");
    let fetched = Box::pin(store.fetch_fsimage(&path)).await?;
    let below = location.prefix();
    let options = FsimageOptions { below, probe: Arc::clone(&how.probe), ..FsimageOptions::default() };
    let image = Box::pin(FsimageStore::open(&path, options)).await?;
    let whole = location.prefix().is_root();
    Ok(fsimage::collector(image, location, whole, facts(&fetched)))
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
