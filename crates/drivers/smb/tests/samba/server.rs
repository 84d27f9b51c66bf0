//! What a server says of itself: versions, shares, the size of the volume.

use crate::{
    common::{elsewhere, options},
    rig::{Rig, refused, run, variable},
};
use longshore_driver_smb::{Cipher, Credentials, Demand, Dialect, ShareKind, Signing, SmbOptions, SmbStore, shares};
use std::{env, process::Command};
use storage::{ErrorKind, Source as _};

pub fn identity(rig: &Rig) {
    run(async {
        let store = rig.store().await;
        let known = store.identify();
        assert_eq!((known.dialect, known.server.port()), (Dialect::Smb311, 445));
        assert!(known.server_guid != [0; 16] && known.dfs && !known.guest && !known.signed && !known.encrypted);
        assert_eq!((known.signing, known.cipher), (Signing::AesGmac, Some(Cipher::Aes128Gcm)), "{known:?}");
        assert!(known.max_read >= 1 << 20 && known.max_name == 255 && known.volume != 0, "{known:?}");
        assert!(
            known.netbios_name.is_some() && known.os_version.is_some() && !known.file_system.is_empty(),
            "{known:?}"
        );
        assert!(known.time.unwrap().secs > 1_700_000_000);
        let agreed = async |name: &str, options: SmbOptions| {
            SmbStore::connect(&variable(name), options).await.unwrap().identify().clone()
        };
        let signed = agreed("LONGSHORE_TEST_SMB_SIGN", options()).await;
        assert!(signed.signed && signed.signing_required && !signed.encrypted);
        let sealed = agreed("LONGSHORE_TEST_SMB_ENC", options()).await;
        assert!(sealed.encrypted);
        let old = agreed("LONGSHORE_TEST_SMB_21", options()).await;
        assert_eq!((old.dialect, old.signing, old.cipher), (Dialect::Smb210, Signing::HmacSha256, None));
        let old = agreed("LONGSHORE_TEST_SMB_21", SmbOptions { signing: Demand::Required, ..options() }).await;
        assert!(old.signed);
        let middle = agreed("LONGSHORE_TEST_SMB_30", SmbOptions { encryption: Demand::Required, ..options() }).await;
        assert_eq!(
            (middle.dialect, middle.signing, middle.cipher, middle.encrypted),
            (Dialect::Smb300, Signing::AesCmac, Some(Cipher::Aes128Ccm), true)
        );
        let share = SmbStore::connect(&rig.share("enc"), options()).await.unwrap();
        assert!(share.identify().encrypted && share.identify().share_flags & 0x8000 != 0);
        // The words of the URI.
        let uri = rig.location().with_param("sign", "required");
        assert!(SmbStore::connect(&uri, options()).await.unwrap().identify().signed);
        let error = refused(&variable("LONGSHORE_TEST_SMB_21").with_param("encrypt", "required"), options()).await;
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    });
}

pub fn share_list(rig: &Rig) {
    run(async {
        let all = shares(&rig.location(), &options()).await.unwrap();
        let found = |name: &str| all.iter().find(|share| share.name == name).unwrap_or_else(|| panic!("{all:?}"));
        assert_eq!((found("data").kind, found("data").comment.as_str()), (ShareKind::Disk, "the rig's folder of data"));
        assert!(found("hidden$").hidden && !found("hidden$").administrative && !found("data").hidden);
        assert_eq!((found("IPC$").kind, found("IPC$").hidden), (ShareKind::Ipc, true));
        // Where all is signed or encrypted, too, and for a guest.
        for name in ["LONGSHORE_TEST_SMB_SIGN", "LONGSHORE_TEST_SMB_ENC", "LONGSHORE_TEST_SMB_21"] {
            assert_eq!(shares(&variable(name), &options()).await.unwrap().len(), all.len());
        }
        let guest = SmbOptions { credentials: Credentials::Guest, ..options() };
        assert!(!shares(&elsewhere(&rig.location(), "", false), &guest).await.unwrap().is_empty());
        let nobody = SmbOptions { credentials: Credentials::Anonymous, ..options() };
        assert!(!shares(&elsewhere(&rig.location(), "", false), &nobody).await.unwrap().is_empty());
    });
}

pub fn volume(rig: &Rig) {
    run(async {
        let store = rig.store().await;
        let usage = store.usage().await.unwrap().unwrap();
        let told = Command::new("stat").args(["-f", "-c", "%b %S"]).arg(&rig.dir).output().unwrap();
        let numbers: Vec<u64> =
            String::from_utf8(told.stdout).unwrap().split_whitespace().map(|n| n.parse().unwrap()).collect();
        assert_eq!(usage.capacity, numbers[0] * numbers[1]);
        assert!(usage.used <= usage.capacity && usage.available <= usage.capacity, "{usage:?}");
    });
}

pub fn quotas(rig: &Rig) {
    run(async {
        // A file system that could have quotas and has none: silence.
        assert_eq!(rig.store().await.quotas().await.unwrap(), None);
        let store = SmbStore::connect(&rig.share("quota"), options()).await.unwrap();
        let found = store.quotas().await.unwrap().unwrap();
        println!("{found:?}");
        assert!(found.enforced);
        assert_eq!((found.default_warning, found.default_limit), (Some(1000 << 10), Some(2000 << 10)));
        let users = found.users.unwrap();
        let of = |used: u64| users.iter().find(|user| user.used == used << 10).unwrap_or_else(|| panic!("{users:?}"));
        assert_eq!((of(3000).warning, of(3000).limit), (Some(8000 << 10), Some(9000 << 10)));
        assert_eq!((of(7000).warning, of(7000).limit), (Some(4000 << 10), Some(6000 << 10)));
        assert!(users.iter().all(|user| user.sid.starts_with("S-1-")), "{users:?}");
        // Only an administrator may know.
        let user = env::var("LONGSHORE_TEST_SMB_USER").unwrap();
        let store = SmbStore::connect(&rig.share("quota").with_user(&user), options()).await.unwrap();
        println!("{:?}", store.quotas().await.unwrap());
        assert!(store.quotas().await.unwrap().is_none_or(|found| found.users.is_none()));
    });
}
