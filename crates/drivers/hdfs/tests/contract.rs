//! The contract against a real NameNode and DataNodes: `tests/rig/rig start hdfs`, then
//! `tests/rig/rig exec cargo test -p longshore-driver-hdfs`.
#![allow(clippy::unwrap_used, clippy::large_futures, clippy::print_stdout, clippy::print_stderr)]

mod filling;

use filling::Filling;
use libtest_mimic::Arguments;
use longshore_driver_hdfs::HdfsOptions;
use model::RelPath;
use std::{process::ExitCode, sync::Arc};
use storage::contract::{self, NoSubject, Subject};

fn main() -> ExitCode {
    contract::run(&Arguments::from_args(), "hdfs", |name| async move {
        let Some(location) = filling::location() else {
            return Err(NoSubject::Skip("LONGSHORE_TEST_HDFS is not set".into()));
        };
        let filling = Filling::new(&location, HdfsOptions::default()).await?;
        let root = RelPath::from(format!("contract-{}-{name}", std::process::id()).as_str());
        Ok(Subject::readable(Arc::new(filling.store.clone()), filling, root))
    })
}
