//! Encryption zones.

use crate::{
    filling::{self, Filling},
    rig::{below, block_on, fresh, store, tool, walked},
};
use longshore_driver_hdfs::{Finding, HdfsOptions, HdfsStore};
use std::{fs, sync::Arc, time::Duration};
use storage::{ErrorKind, ReadSpec, Source as _};

/// What is stored in a zone is never given out as content, and discovery says where zones are.
pub fn refused() {
    block_on(async {
        let at = filling::location().unwrap();
        let filling = Filling::new(&at, HdfsOptions::default()).await.unwrap();
        let root = fresh("zones");
        let (zone, plain) = (format!("{root}/some/zone"), format!("{root}/some/plain"));
        for dir in [&zone, &plain] {
            filling.client.mkdirs(dir, 0o755, true).await.unwrap();
        }
        // The rig makes the key before the NameNode starts.
        tool(&["plain", "crypto", "-createZone", "-keyName", "zone-key", "-path", &zone]);
        let local = tempfile::tempdir().unwrap();
        let secret = local.path().join("secret");
        let content = b"what was written ".repeat(1000);
        fs::write(&secret, &content).unwrap();
        tool(&["plain", "dfs", "-put", secret.to_str().unwrap(), &zone]);
        tool(&["plain", "dfs", "-touchz", &format!("{zone}/empty")]);
        tool(&["plain", "dfs", "-put", secret.to_str().unwrap(), &plain]);
        // Hadoop's own client has the key, which shows that the file is what it should be.
        assert_eq!(tool(&["plain", "dfs", "-cat", &format!("{zone}/secret")]).as_bytes(), content);

        let store = store(&at).await;
        // Hadoop puts a `.Trash` into each zone.
        assert_eq!(walked(store.clone(), below(&root)).await.entries.len(), 7);
        for name in ["secret", "empty"] {
            let path = below(&format!("{zone}/{name}"));
            let error = store.read(&path, ReadSpec::default()).await.map(|reading| format!("{reading:?}")).unwrap_err();
            println!("{error:?}; {:?}", error.hint_text());
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
            assert!(error.cause().unwrap().contains("encryption zone"), "{error:?}");
            assert!(error.hint_text().unwrap().contains("distcp"), "{error:?}");
        }
        store.read(&below(&format!("{plain}/secret")), ReadSpec::default()).await.unwrap();

        // The superuser's view of what is stored: the client crate reads it, and we do not.
        let raw = format!("/.reserved/raw{zone}/secret");
        let stored = filling.client.read(&raw).await.unwrap().read_range(0, content.len()).await.unwrap();
        assert!(stored.len() == content.len() && stored[..] != content[..], "the raw view is not encrypted");
        let error =
            store.read(&below(&raw), ReadSpec::default()).await.map(|reading| format!("{reading:?}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
        let location = format!("{}.reserved/raw{zone}", std::env::var(crate::PLAIN).unwrap());
        let error = HdfsStore::connect(&location.parse().unwrap(), HdfsOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");

        // The counter of zones follows after the metrics' interval.
        let mut named = None;
        for _ in 0..60 {
            let findings = store.findings().await.unwrap();
            named = findings.into_iter().find_map(|finding| match finding {
                Finding::EncryptionZones { count, dirs } => Some((count, dirs)),
                _ => None,
            });
            if named.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let (count, dirs) = named.unwrap();
        assert!(count >= 1 && dirs.contains(&zone), "{count} {dirs:?}");
        assert!(store.policies(&below(&zone)).await.unwrap().encrypted);
        let inside = Arc::new(
            HdfsStore::connect(
                &format!("{}{}", std::env::var(crate::PLAIN).unwrap(), &zone[1..])
                    .parse::<model::Location>()
                    .unwrap()
                    .with_param("http", &filling::http().unwrap()),
                HdfsOptions::default(),
            )
            .await
            .unwrap(),
        );
        assert!(
            inside
                .findings()
                .await
                .unwrap()
                .iter()
                .any(|finding| matches!(finding, Finding::EncryptionZones { dirs, .. } if dirs[..] == [zone.clone()]))
        );
        filling.client.delete(&root, true).await.unwrap();
    });
}
