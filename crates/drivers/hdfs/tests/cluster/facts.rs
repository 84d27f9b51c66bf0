//! What the cluster says of itself.

use crate::{
    filling::{self, Filling},
    rig::{below, block_on, fresh, store, tool},
};
use bytes::Bytes;
use hdfs_native::{
    WriteOptions,
    acl::{AclEntry as Wire, AclEntryScope, AclEntryType, FsAction},
};
use longshore_driver_hdfs::{AclWho, Finding, HdfsOptions, HttpEndpoint, StandbyChoice, fetch_fsimage};
use std::fs;
use storage::Source as _;

pub fn cluster() {
    block_on(async {
        let store = store(&filling::location().unwrap()).await;
        let facts = store.identify().await;
        assert_eq!(
            (facts.cluster_id.as_deref(), facts.version.as_deref(), facts.security),
            (Some("lab"), Some("3.4.3"), false)
        );
        assert_eq!((facts.live_data_nodes, facts.name_nodes.len(), facts.http_silent.as_deref()), (Some(2), 1, None));
        assert_eq!(facts.name_nodes[0].state.as_deref(), Some("active"));
        assert!(facts.capacity > facts.remaining && facts.inodes.is_some() && facts.blocks.is_some(), "{facts:?}");
        let usage = store.usage().await.unwrap().unwrap();
        assert_eq!(Some(usage.capacity), facts.capacity);
        // Silence is said, not passed over, and reading goes on.
        let deaf = filling::location().unwrap().with_param("http", "http://127.0.0.1:1");
        let deaf = crate::rig::store(&deaf).await;
        let facts = deaf.identify().await;
        assert!(facts.http_silent.unwrap().contains("127.0.0.1:1") && facts.capacity.is_none());
        assert!(
            matches!(&deaf.findings().await.unwrap()[..], [Finding::OpenFilesUnknown { why }] if why.contains("refused"))
        );
        assert_eq!(deaf.usage().await.unwrap(), None);
    });
}

pub fn directories() {
    block_on(async {
        let at = filling::location().unwrap();
        let filling = Filling::new(&at, HdfsOptions::default()).await.unwrap();
        let (root, store) = (fresh("facts"), store(&at).await);
        let path = |name: &str| format!("{root}/{name}");
        for name in ["quota", "snap", "cold", "ec", "plain", "zone"] {
            filling.client.mkdirs(&path(name), 0o755, true).await.unwrap();
        }
        filling.file(&path("quota/file"), &[Bytes::from_static(b"12345")], WriteOptions::default()).await.unwrap();
        tool(&["plain", "dfsadmin", "-setQuota", "10", &path("quota")]);
        tool(&["plain", "dfsadmin", "-setSpaceQuota", "1g", &path("quota")]);
        let summary = store.content_summary(&below(&path("quota"))).await.unwrap();
        assert_eq!((summary.files, summary.dirs, summary.bytes, summary.space_consumed), (1, 1, 5, 10));
        assert_eq!((summary.quota, summary.space_quota), (Some(10), Some(1 << 30)));
        let counted = tool(&["plain", "dfs", "-count", "-q", &path("quota")]);
        assert_eq!(
            counted.split_whitespace().take(7).collect::<Vec<_>>(),
            ["10", "8", "1073741824", "1073741814", "1", "1", "5"]
        );
        assert_eq!(store.content_summary(&below(&path("plain"))).await.unwrap().quota, None);

        tool(&["plain", "dfsadmin", "-allowSnapshot", &path("snap")]);
        for name in ["snap/gone", "snap/here"] {
            filling.file(&path(name), &[Bytes::from_static(b"four")], WriteOptions::default()).await.unwrap();
        }
        tool(&["plain", "dfs", "-createSnapshot", &path("snap"), "first"]);
        filling.client.delete(&path("snap/gone"), false).await.unwrap();
        let held = store.held_by_snapshots(&below(&path("snap"))).await.unwrap().unwrap();
        let all = store.content_summary(&below(&path("snap"))).await.unwrap();
        assert_eq!((all.files, all.bytes), (2, 8), "what only a snapshot holds is counted");
        assert_eq!((held.files, held.dirs, held.bytes), (1, 0, 4));
        let dirs = store.snapshottable_dirs().await.unwrap();
        let ours = dirs.iter().find(|dir| dir.path == path("snap")).unwrap();
        assert_eq!(ours.snapshots, 1);
        assert!(store.findings().await.unwrap().iter().any(|finding| matches!(finding, Finding::Snapshots { .. })));

        tool(&["plain", "storagepolicies", "-setStoragePolicy", "-path", &path("cold"), "-policy", "COLD"]);
        tool(&["plain", "ec", "-setPolicy", "-path", &path("ec"), "-policy", "RS-6-3-1024k"]);
        let policies = |name| {
            let (store, at) = (store.clone(), below(&path(name)));
            async move { store.policies(&at).await.unwrap() }
        };
        assert_eq!(policies("cold").await.storage.as_deref(), Some("COLD"));
        assert_eq!(policies("ec").await.erasure_coding.as_deref(), Some("RS-6-3-1024k"));
        assert_eq!(policies("plain").await.erasure_coding, None);

        tool(&["plain", "dfs", "-setfattr", "-n", "user.colour", "-v", "0x00ff41", &path("plain")]);
        assert_eq!(store.xattrs(&below(&path("plain"))).await.unwrap(), [("user.colour".to_owned(), vec![0, 255, 65])]);

        let named = |kind, scope, action, name: Option<&str>| Wire {
            r#type: kind,
            scope,
            permissions: action,
            name: name.map(str::to_owned),
        };
        let acl = vec![
            named(AclEntryType::User, AclEntryScope::Access, FsAction::ReadWrite, Some("anna")),
            named(AclEntryType::Group, AclEntryScope::Default, FsAction::Read, Some("staff")),
        ];
        filling.client.modify_acl_entries(&path("plain"), acl).await.unwrap();
        let told = store.acl(&below(&path("plain"))).await.unwrap();
        assert!(
            told.entries
                .iter()
                .any(|entry| entry.who == AclWho::User("anna".into()) && entry.permissions == 6 && !entry.default),
            "{told:?}"
        );
        assert!(
            told.entries
                .iter()
                .any(|entry| entry.who == AclWho::Group("staff".into()) && entry.permissions == 4 && entry.default),
            "{told:?}"
        );
        tool(&["plain", "dfs", "-deleteSnapshot", &path("snap"), "first"]);
        tool(&["plain", "dfsadmin", "-disallowSnapshot", &path("snap")]);
        filling.client.delete(&root, true).await.unwrap();
    });
}

pub fn image() {
    block_on(async {
        let at = filling::location().unwrap();
        let store = store(&at).await;
        let dir = tempfile::tempdir().unwrap();
        let into = dir.path().join("fsimage");
        let fetched = store.fetch_fsimage(&into).await.unwrap();
        println!("{fetched:?}");
        assert_eq!(
            (fetched.bytes, fetched.md5_checked, fetched.from),
            (fs::metadata(&into).unwrap().len(), true, StandbyChoice::Active)
        );
        assert!(fs::read(&into).unwrap().starts_with(b"HDFSIMG1"));
        assert!(fetched.taken_at.is_some() && fetched.transactions_since.is_some());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        // The free function, by addresses.
        let endpoint = HttpEndpoint::parse(&filling::http().unwrap()).unwrap();
        let again = fetch_fsimage(&[endpoint], &HdfsOptions::default(), &into).await.unwrap();
        assert_eq!(again.txid, fetched.txid);
    });
}
