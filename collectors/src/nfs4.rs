//! NFSv4.1: what a server says of itself when a session is made, and of the file system that was opened.

use crate::{Collector, Protocol};
use async_trait::async_trait;
use driver_nfs::v4::Nfs4Store;
use inventory::{Finding, SecondCount, System};
use model::{Facets, RelPath};
use std::{collections::BTreeMap, sync::Arc};

/// A directory of an NFSv4.1 server.
#[derive(Debug)]
struct Nfs4 {
    store: Nfs4Store,
}

/// Of a connected store.
pub fn collector(store: Nfs4Store) -> Collector {
    Collector::new(store.location().clone(), Arc::new(store.clone()), Nfs4 { store })
}

#[async_trait]
impl Protocol for Nfs4 {
    /// READDIR carries every attribute that is asked for. An ACL can be as large as the rest of the entries
    /// together, and whether there is one beyond the mode cannot be told from its presence: it is left out.
    fn told(&self, reads: Facets) -> Facets {
        reads.minus(Facets::NFS4_ACL)
    }
    async fn identify(&self) -> storage::Result<System> {
        fn text<T: ToString>(value: Option<T>) -> Option<String> {
            value.map(|value| value.to_string())
        }
        let said = self.store.identify();
        let told = [
            ("server", Some(said.server.to_string())),
            ("server-owner", Some(RelPath::from_bytes(said.server_owner.clone()).to_string())),
            ("server-scope", Some(RelPath::from_bytes(said.server_scope.clone()).to_string())),
            ("lease-seconds", text(said.lease_seconds)),
            ("session-slots", text(Some(said.session_slots))),
            ("session-operations", text(Some(said.session_operations))),
            ("fsid", said.fsid.map(|(major, minor)| format!("{major:#x}:{minor:#x}"))),
            ("maxread", text(said.read_max)),
            ("maxwrite", text(said.write_max)),
            ("maxfilesize", text(said.max_file_size)),
            ("name-max", text(said.max_name)),
            ("linkmax", text(said.max_links)),
            ("time-granularity-ns", text(said.time_granularity)),
            ("hard-links", text(said.hard_links)),
            ("symlinks", text(said.symlinks)),
            ("case-insensitive", text(said.case_insensitive)),
            ("acl", text(Some(said.acl))),
        ];
        let details: BTreeMap<String, String> =
            told.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        Ok(System {
            protocol: format!("nfs4.{}", said.minor_version),
            product: said.implementation_name.clone(),
            version: None,
            details,
        })
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
