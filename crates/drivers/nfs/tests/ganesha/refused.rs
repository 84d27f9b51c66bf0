//! What cannot be reached, opened or looked into, and how that is said.

use crate::version::Server;
use futures::TryStreamExt as _;
use std::{fs, os::unix::fs::PermissionsExt as _};
use storage::{Error, ErrorKind, ListSpec, ReadSpec};
use tokio::runtime::Runtime;

pub fn denied(server: &Server) {
    let rig = &server.rig;
    let fresh = rig.fresh("denied");
    let private = fresh.on_disk.join("private");
    fs::create_dir(&private).unwrap();
    fs::write(private.join("file"), "secret").unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o700)).unwrap();
    let (dir, file) = (fresh.path.join(b"private"), fresh.path.join(b"private/file"));
    Runtime::new().unwrap().block_on(async {
        // As another user, and as root where root is nobody.
        for at in [rig.location().with_param("uid", "65534").with_param("gid", "65534"), rig.elsewhere("/squash")] {
            let source = server.open(at.clone()).await.unwrap();
            let listed: storage::Result<Vec<_>> = source.list(&dir, ListSpec::default()).try_collect().await;
            let error = listed.unwrap_err();
            assert_eq!((error.kind(), error.path()), (ErrorKind::Denied, Some(&dir)), "{at}");
            assert!(error.cause().unwrap().contains(server.version.denied) && error.hint_text().is_some(), "{error:?}");
            assert_eq!(source.read(&file, ReadSpec::default()).await.unwrap_err().kind(), ErrorKind::Denied, "{at}");
        }
    });
}

/// Who may read a directory and not search it learns names, and not what they are: that is one refusal, and nothing is
/// taken for what it is not.
pub fn not_searched(server: &Server) {
    let fresh = server.rig.fresh("not-searched");
    fs::write(fresh.on_disk.join("file"), "content").unwrap();
    fs::create_dir(fresh.on_disk.join("dir")).unwrap();
    fs::set_permissions(&fresh.on_disk, fs::Permissions::from_mode(0o744)).unwrap();
    Runtime::new().unwrap().block_on(async {
        let at = server.rig.location().with_param("uid", "65534").with_param("gid", "65534");
        let source = server.open(at).await.unwrap();
        let listed: storage::Result<Vec<_>> = source.list(&fresh.path, ListSpec::default()).try_collect().await;
        let error = listed.unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Denied, Some(&fresh.path)), "{error:?}");
    });
}

/// What the server exports to us.
const EXPORTS: [&str; 3] = ["/data", "/scratch", "/squash"];

/// A path that is not there is an error of one of these kinds that names the exports, and one that is exported to
/// others is refused, too.
pub async fn not_exported(server: &Server, missing: &[ErrorKind]) {
    let error = server.open(server.rig.elsewhere("/no/such/export")).await.unwrap_err();
    assert!(missing.contains(&error.kind()), "{error:?}");
    let hint = error.hint_text().unwrap();
    assert!(EXPORTS.iter().all(|export| hint.contains(&format!("`{export}`"))), "{hint}");
    let error = server.open(server.rig.elsewhere("/closed")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Denied | ErrorKind::NotFound), "{error:?}");
}

/// The server's list of exports has them all.
pub fn are_listed<'a>(found: impl IntoIterator<Item = &'a [u8]>) {
    let found: Vec<_> = found.into_iter().map(String::from_utf8_lossy).collect();
    assert!(EXPORTS.iter().all(|export| found.iter().any(|path| path == export)), "{found:?}");
}

/// Nobody listens at `closed`, at port 9 of this machine, and `unknown` is of a host that has no address: its error.
pub async fn nobody_there(server: &Server, closed: &str, unknown: &str) -> Error {
    let error = server.open(closed.parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected, "{error:?}");
    assert!(error.cause().unwrap().contains("127.0.0.1:9") && error.hint_text().is_some(), "{error:?}");
    let error = server.open(unknown.parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected, "{error:?}");
    error
}

/// RPC is spoken at the server's port, but not NFS in this version.
pub async fn not_nfs(server: &Server, port: u16) -> Error {
    let error = server.open(server.rig.location().with_port(port)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    error
}
