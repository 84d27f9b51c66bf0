//! A directory of this host: what the system's list of mounts says of it.

use crate::{Collector, Protocol};
use async_trait::async_trait;
use driver_local::LocalStore;
use inventory::{Finding, SecondCount, System};
use model::{Facets, Location};
use std::{collections::BTreeMap, path::Path, sync::Arc};
use sysinfo::Disks;

/// A directory of this host.
#[derive(Debug)]
struct Local {
    location: Location,
}

/// Of an opened store; `location` is how it was called.
pub fn collector(store: LocalStore, location: &Location) -> Collector {
    Collector::new(location.clone(), Arc::new(store), Local { location: location.clone() })
}

#[async_trait]
impl Protocol for Local {
    fn told(&self, reads: Facets) -> Facets {
        reads
    }
    async fn identify(&self) -> storage::Result<System> {
        let mut details = BTreeMap::new();
        let path = self.location.prefix();
        let path = path.to_str().map(|path| format!("/{path}")).unwrap_or_default();
        let disks = Disks::new_with_refreshed_list();
        let holds =
            disks.iter().flat_map(|disks| disks.iter()).filter(|disk| Path::new(&path).starts_with(disk.mount_point()));
        if let Some(disk) = holds.max_by_key(|disk| disk.mount_point().as_os_str().len()) {
            details.insert("filesystem".to_owned(), disk.file_system().to_string_lossy().into_owned());
            details.insert("mount-point".to_owned(), disk.mount_point().to_string_lossy().into_owned());
            details.insert("device".to_owned(), disk.name().to_string_lossy().into_owned());
        }
        let product = details.get("filesystem").cloned();
        Ok(System { protocol: "local".to_owned(), product, version: None, details })
    }
    /// The walk tells all there is to tell.
    async fn findings(&self) -> storage::Result<Vec<Finding>> {
        Ok(Vec::new())
    }
    /// There is no other way to count but to walk.
    async fn second_count(&self) -> storage::Result<Option<SecondCount>> {
        Ok(None)
    }
}
