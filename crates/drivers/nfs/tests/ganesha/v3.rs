//! NFSv3: what only it has is found by MOUNT and the portmapper.

use crate::{
    refused,
    version::{Server, Version},
    volume,
};
use longshore_driver_nfs::{NfsOptions, NfsStore, exports};
use std::sync::Arc;
use storage::{ErrorKind, Source};
use tokio::runtime::Runtime;

pub static VERSION: Version = Version {
    name: "NFSv3",
    parameter: "3",
    open: |at, options| {
        Box::pin(async move { Ok(Arc::new(NfsStore::connect(&at, options).await?) as Arc<dyn Source>) })
    },
    // Before 1970 its unsigned seconds wrap round.
    seconds: |seconds| seconds.rem_euclid(1 << 32),
    denied: "NFS3ERR_ACCES as uid",
    hang: 2,
    own: &[
        ("ports come from the portmapper or the uri", ports),
        ("a path that is not exported is refused with the list of exports", not_exported),
        ("a server that cannot be reached is said to be so", unreachable),
        ("the volume tells its size and the server itself", told),
    ],
    slow: &[],
    restarts: &[],
};

fn ports(server: &Server) {
    let (host, mount, nfs) = server.rig.ports();
    let path = String::from_utf8(server.rig.location().path().to_vec()).unwrap();
    Runtime::new().unwrap().block_on(async {
        for uri in [
            format!("nfs://{host}{path}"),
            format!("nfs://{host}{path}?mountport={mount}"),
            format!("nfs://{host}:{nfs}{path}"),
            format!("nfs://{host}{path}?port={nfs}&mountport={mount}&version=3"),
            format!("nfs://localhost:{nfs}{path}/?mountport={mount}"),
        ] {
            let store = NfsStore::connect(&uri.parse().unwrap(), NfsOptions::default()).await.unwrap();
            assert_eq!(store.identify().server.port(), nfs, "{uri}");
        }
        let swapped = format!("nfs://{host}:{mount}{path}?mountport={nfs}").parse().unwrap();
        let refused = NfsStore::connect(&swapped, NfsOptions::default()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused:?}");
    });
}

fn not_exported(server: &Server) {
    Runtime::new().unwrap().block_on(async {
        // Ganesha answers "access denied" for what does not exist, too.
        refused::not_exported(server, &[ErrorKind::Denied, ErrorKind::NotFound]).await;
        let shown = exports(&server.rig.elsewhere("/"), &NfsOptions::default()).await.unwrap();
        refused::are_listed(shown.iter().map(|export| &export.path[..]));
        // By the portmapper, and without a path.
        let host = format!("nfs://{}", server.rig.ports().0).parse().unwrap();
        assert_eq!(exports(&host, &NfsOptions::default()).await.unwrap(), shown);
    });
}

fn unreachable(server: &Server) {
    Runtime::new().unwrap().block_on(async {
        let closed = "nfs://127.0.0.1:9/data?mountport=9";
        let error = refused::nobody_there(server, closed, "nfs://no-such-host.invalid/data").await;
        assert!(error.hint_text().unwrap().contains("no-such-host.invalid"), "{error:?}");
        // Nothing of NFS listens at the portmapper's port.
        refused::not_nfs(server, 111).await;
    });
}

fn told(server: &Server) {
    Runtime::new().unwrap().block_on(async {
        let store = NfsStore::connect(&server.rig.location(), NfsOptions::default()).await.unwrap();
        volume::is_the_disks(&server.rig, &store).await;
        let identity = store.identify();
        assert!(
            identity.read_max >= 65536 && identity.max_name >= Some(255) && !identity.case_insensitive,
            "{identity:?}"
        );
        assert!(identity.auth_flavors.contains(&1), "{identity:?}");
        assert!(store.exports().await.unwrap().iter().any(|export| export.path == identity.export));
    });
}
