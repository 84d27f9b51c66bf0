//! NFSv3: what a server says of itself in MOUNT, FSINFO and PATHCONF.

use crate::{Collector, Protocol};
use async_trait::async_trait;
use driver_nfs::NfsStore;
use inventory::{Finding, SecondCount, System};
use model::{Facets, RelPath};
use std::{collections::BTreeMap, sync::Arc};

/// A directory of an NFSv3 export.
#[derive(Debug)]
struct Nfs {
    store: NfsStore,
}

/// Of a mounted store.
pub fn collector(store: NfsStore) -> Collector {
    Collector::new(store.location().clone(), Arc::new(store.clone()), Nfs { store })
}

#[async_trait]
impl Protocol for Nfs {
    /// READDIRPLUS carries the whole `fattr3` of every entry.
    fn told(&self, reads: Facets) -> Facets {
        reads
    }
    /// NFSv3 has no word for product or version.
    async fn identify(&self) -> storage::Result<System> {
        let said = self.store.identify();
        let flavours: Vec<String> = said.auth_flavors.iter().map(u32::to_string).collect();
        let mut details = BTreeMap::from(
            [
                ("server", said.server.to_string()),
                ("export", RelPath::from_bytes(said.export.clone()).to_string()),
                ("auth-flavors", flavours.join(" ")),
                ("fsid", format!("{:#x}", said.volume)),
                ("rtmax", said.read_max.to_string()),
                ("rtpref", said.read_preferred.to_string()),
                ("wtmax", said.write_max.to_string()),
                ("dtpref", said.dir_preferred.to_string()),
                ("maxfilesize", said.max_file_size.to_string()),
                ("time-granularity-ns", said.time_granularity.to_string()),
                ("hard-links", said.hard_links.to_string()),
                ("symlinks", said.symlinks.to_string()),
                ("case-insensitive", said.case_insensitive.to_string()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let optional = [("linkmax", said.max_links), ("name-max", said.max_name)];
        details.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_string()))));
        // The list of exports is for people; a server that keeps it to itself is no less usable.
        if let Ok(exports) = self.store.exports().await {
            let names = exports.iter().map(|export| RelPath::from_bytes(export.path.clone()).to_string());
            details.insert("exports".to_owned(), names.collect::<Vec<_>>().join(" "));
        }
        Ok(System { protocol: "nfs3".to_owned(), product: None, version: None, details })
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
