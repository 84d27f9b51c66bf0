//! HDFS.

use super::Opening;
use crate::{access, failure::Outcome, settings::env};
use collectors::{Collector, HdfsCollector};
use driver_hdfs::{HdfsOptions, HdfsStore};
use model::Location;
use std::{path::PathBuf, sync::Arc};

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
    let store = Box::pin(HdfsStore::connect(location, options)).await?;
    Ok(Box::new(HdfsCollector::new(store).wrapped(|source| how.around(source))))
}
