//! What a server refuses, in words that help.

use crate::{
    common::{elsewhere, options},
    rig::{Rig, refused, run, walked},
};
use futures::StreamExt as _;
use longshore_driver_smb::{Credentials, Secret, SmbOptions, SmbStore};
use std::{
    env, fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    sync::Arc,
};
use storage::{ErrorKind, ListSpec, ReadSpec, Source as _};

pub fn refusals(rig: &Rig) {
    let fresh = rig.fresh("denied");
    fs::create_dir(fresh.on_disk.join("private")).unwrap();
    fs::write(fresh.on_disk.join("private/file"), "secret").unwrap();
    fs::set_permissions(fresh.on_disk.join("private"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(fresh.on_disk.join("unreadable"), "secret").unwrap();
    fs::set_permissions(fresh.on_disk.join("unreadable"), fs::Permissions::from_mode(0o600)).unwrap();
    symlink("nothing", fresh.on_disk.join("dangling")).unwrap();
    let password = |user: &str, word: &str| {
        let credentials =
            Credentials::Password { user: user.to_owned(), domain: String::new(), password: Secret::new(word) };
        SmbOptions { credentials, ..SmbOptions::default() }
    };
    let right = env::var("LONGSHORE_TEST_SMB_PASSWORD").unwrap();
    let user = env::var("LONGSHORE_TEST_SMB_USER").unwrap();
    let bare = elsewhere(&rig.location(), "data", false);
    run(async {
        let error = refused(&bare, password("root", "wrong")).await;
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
        assert!(error.cause().unwrap().contains("STATUS_LOGON_FAILURE for user `root`"), "{error:?}");
        assert!(!format!("{error:?}").contains("wrong") && error.hint_text().is_some(), "{error:?}");
        // Samba makes a guest of whoever it does not know: we must not take that for a login.
        let error = refused(&bare, password("nosuchuser", &right)).await;
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
        let error = refused(&rig.share("no-such-share"), options()).await;
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
        assert!(error.hint_text().unwrap().contains("`data`"), "{error:?}");
        let error = refused(&rig.share("closed"), options()).await;
        assert_eq!((error.kind(), error.reach()), (ErrorKind::Denied, storage::Reach::Location), "{error:?}");
        let error = refused(&rig.share(""), options()).await;
        assert!(error.kind() == ErrorKind::Invalid && error.hint_text().unwrap().contains("`data`"), "{error:?}");
        let error = refused(&rig.location().below(&"no/such/dir".into()), options()).await;
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
        let error = refused(&rig.location().below(&fresh.path.join(b"unreadable")), options()).await;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
        let guest = SmbOptions { credentials: Credentials::Guest, ..SmbOptions::default() };
        let error = refused(&bare, guest).await;
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        let store = SmbStore::connect(&bare, password(&user, &right)).await.unwrap();
        let private = fresh.path.join(b"private");
        let error = store.list(&private, ListSpec::default()).next().await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Denied, Some(&private)), "{error:?}");
        let error = store.read(&fresh.path.join(b"unreadable"), ReadSpec::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        let (_, errors) = walked(Arc::new(store), fresh.path.clone()).await;
        assert_eq!(errors.len(), 1, "{errors:?}");
    });
}
