//! SMB: what a server says when it is asked for a session, and of the volume behind the share.

use crate::{Collector, Protocol};
use async_trait::async_trait;
use driver_smb::{Identity, Quotas, SmbStore};
use inventory::{Finding, SecondCount, System, Weight};
use model::{ByteSize, Facets, Location};
use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

/// A directory of a share.
#[derive(Debug)]
struct Smb {
    store: SmbStore,
}

/// Of a connected store; `location` is how it was called.
pub fn collector(store: SmbStore, location: &Location) -> Collector {
    Collector::new(location.clone(), Arc::new(store.clone()), Smb { store })
}

#[async_trait]
impl Protocol for Smb {
    /// A listing has names, sizes, times and attributes. Security descriptors and the names of streams cost
    /// requests of their own for each file: they are looked at by a move, not by a discovery.
    fn told(&self, reads: Facets) -> Facets {
        const LISTED: Facets = Facets::MTIME.and(Facets::ATIME).and(Facets::BIRTH).and(Facets::NTFS_ATTR);
        reads.shared(LISTED)
    }
    async fn identify(&self) -> storage::Result<System> {
        let said = self.store.identify();
        let mut details = facts(said);
        if let Some(quotas) = self.store.quotas().await? {
            details.extend(quota_facts(&quotas));
        }
        let product = said.dns_name.clone().or_else(|| said.netbios_name.clone());
        Ok(System { protocol: "smb".to_owned(), product, version: Some(said.dialect.to_string()), details })
    }
    async fn findings(&self) -> storage::Result<Vec<Finding>> {
        let said = self.store.identify();
        let mut findings = Vec::new();
        let mut add = |kind: &str, weight, detail: &str| findings.push(Finding::new(kind, weight, detail));
        if said.acls {
            add(
                "access-control-lists",
                Weight::Note,
                "files have NTFS security descriptors; FSx for Windows and FSx \
                for ONTAP keep them, other targets do not",
            );
        }
        if said.streams {
            add(
                "alternate-streams-possible",
                Weight::Note,
                "files may have alternate data streams, which a listing does \
                not show; only SMB targets keep them",
            );
        }
        if let Some(quotas) = self.store.quotas().await? {
            add("quotas", Weight::Note, &quota_words(&quotas));
        }
        if said.guest {
            add("guest", Weight::Warning, "the server took us for a guest, who may see less than there is");
        }
        if said.dfs_root {
            add(
                "dfs-root",
                Weight::Note,
                "the share is a namespace of DFS: what its links lead to is counted under \
                their paths, and again if those shares are discovered by themselves",
            );
        }
        if let Some(count @ 1..) = said.snapshots {
            let detail =
                "previous versions of the directory exist; they are not walked. A snapshot is a consistent source";
            findings.push(Finding::new("snapshots", Weight::Note, detail).counted(count.into()));
        }
        Ok(findings)
    }
    /// SMB counts nothing for us.
    async fn second_count(&self) -> storage::Result<Option<SecondCount>> {
        Ok(None)
    }
}

fn facts(said: &Identity) -> BTreeMap<String, String> {
    let guid = said.server_guid.iter().fold(String::new(), |mut all, byte| {
        write!(all, "{byte:02x}").expect("a String takes everything");
        all
    });
    let told = [
        ("server", Some(said.server.to_string())),
        ("server-guid", Some(guid)),
        ("dialect", Some(said.dialect.to_string())),
        ("signing-required", Some(said.signing_required.to_string())),
        ("signed", Some(said.signed.to_string())),
        ("encrypted", Some(said.encrypted.to_string())),
        ("cipher", said.cipher.map(|cipher| format!("{cipher:?}"))),
        ("guest", Some(said.guest.to_string())),
        ("dfs", Some(said.dfs.to_string())),
        ("max-transact", Some(said.max_transact.to_string())),
        ("max-read", Some(said.max_read.to_string())),
        ("netbios-name", said.netbios_name.clone()),
        ("netbios-domain", said.netbios_domain.clone()),
        ("dns-name", said.dns_name.clone()),
        ("dns-domain", said.dns_domain.clone()),
        ("os-version", said.os_version.map(|(major, minor, build)| format!("{major}.{minor}.{build}"))),
        ("file-system", Some(said.file_system.clone()).filter(|name| !name.is_empty())),
        ("volume-serial", Some(format!("{:#010x}", said.volume))),
        ("volume-label", Some(said.volume_label.clone()).filter(|label| !label.is_empty())),
        ("name-max", Some(said.max_name.to_string())),
        ("case-sensitive", Some(said.case_sensitive.to_string())),
        ("acls", Some(said.acls.to_string())),
        ("streams", Some(said.streams.to_string())),
        ("sparse", Some(said.sparse.to_string())),
        ("quotas", Some(said.quotas.to_string())),
        ("snapshots", said.snapshots.map(|count| count.to_string())),
    ];
    told.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// Most users whose quotas are facts of their own: those with the most data.
const USERS_TOLD: usize = 50;

fn quota_facts(quotas: &Quotas) -> Vec<(String, String)> {
    let bytes = |size: Option<u64>| size.map(|size| size.to_string());
    let users = quotas.users.as_deref().unwrap_or_default();
    let told = [
        ("quota-enforced", Some(quotas.enforced.to_string())),
        ("quota-default-warning", bytes(quotas.default_warning)),
        ("quota-default-limit", bytes(quotas.default_limit)),
        ("quota-own-limit", bytes(quotas.own.map(|own| own.limit))),
        ("quota-own-available", bytes(quotas.own.map(|own| own.available))),
        ("quota-users", quotas.users.as_ref().map(|users| users.len().to_string())),
    ];
    let mut facts: Vec<_> = told.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let mut largest: Vec<_> = users.iter().filter(|user| user.used > 0).collect();
    largest.sort_by(|a, b| b.used.cmp(&a.used).then_with(|| a.sid.cmp(&b.sid)));
    facts.extend(largest.into_iter().take(USERS_TOLD).map(|user| {
        let limit = user.limit.map_or_else(|| "no limit".to_owned(), |limit| format!("of {}", ByteSize(limit)));
        (format!("quota-of {}", user.sid), format!("{} {limit}", ByteSize(user.used)))
    }));
    facts
}

fn quota_words(quotas: &Quotas) -> String {
    let what = if quotas.enforced { "users have quotas" } else { "what users have is counted, and not limited," };
    let mut words = format!("{what} on this volume");
    if let Some(users) = &quotas.users {
        let over = users.iter().filter(|user| user.limit.is_some_and(|limit| user.used > limit)).count();
        write!(words, ": {} users are known, {over} are over their limit", users.len())
            .expect("a String takes everything");
    }
    words
}
