//! NFSv4.1: what only it has are full times, opens, a session with a lease, and the pseudo file system.

use crate::{
    refused,
    requests::Requests,
    restarts::{impatient, read_over_a_restart},
    version::{Server, Version},
    volume,
};
use futures::TryStreamExt as _;
use longshore_driver_nfs::{
    NfsOptions,
    v4::{Nfs4Store, pseudo_exports},
};
use model::{Facets, RelPath, Timestamp};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use storage::{Body, ErrorKind, ListSpec, ReadSpec, Source, collect_body};
use tokio::runtime::Runtime;

pub static VERSION: Version = Version {
    name: "NFSv4.1",
    parameter: "4.1",
    open: |at, options| {
        Box::pin(async move { Ok(Arc::new(Nfs4Store::connect(&at, options).await?) as Arc<dyn Source>) })
    },
    seconds: |seconds| seconds,
    denied: "NFS4ERR_ACCESS as uid",
    // What was not answered asks for a session anew, which is not answered either.
    hang: 4,
    own: &[
        ("times before 1970 and after 2106 come through", times),
        ("a file is read under an open that is closed again", opened),
        ("a path deeper than one request can look up is found", deep_path),
        ("the pseudo root leads into every export", pseudo_root),
        ("a path that does not exist is refused with the exports", not_exported),
        ("a server that cannot be reached is said to be so", unreachable),
        ("the volume tells its size and the server itself", told),
    ],
    slow: &[("an idle session outlives its lease", idle)],
    restarts: &[("a read under an open survives", opened_read_survives)],
};

async fn connected(server: &Server, options: NfsOptions) -> Nfs4Store {
    Nfs4Store::connect(&server.rig.location(), options).await.unwrap()
}

fn times(server: &Server) {
    let fresh = server.rig.fresh("times");
    let times = [(-315_619_200, 7), (-1, 999_999_999), (0, 0), (4_294_967_296, 1), (7_258_118_400, 123_456_789)];
    Runtime::new().unwrap().block_on(async {
        let store = connected(server, NfsOptions::default()).await;
        for (n, (secs, nanos)) in times.into_iter().enumerate() {
            let on_disk = fresh.on_disk.join(n.to_string());
            fs::write(&on_disk, "x").unwrap();
            let time = rustix::fs::Timespec { tv_sec: secs, tv_nsec: nanos };
            let both = rustix::fs::Timestamps { last_access: time, last_modification: time };
            rustix::fs::utimensat(rustix::fs::CWD, &on_disk, &both, rustix::fs::AtFlags::empty()).unwrap();
            let kept = on_disk.symlink_metadata().unwrap();
            assert_eq!((kept.mtime(), kept.mtime_nsec()), (secs, nanos), "the disk cannot hold it");
            let meta =
                store.stat(&fresh.path.join(n.to_string().as_bytes()), Facets::POSIX).await.unwrap().meta.unwrap();
            let expected = Some(Timestamp { secs, nanos: u32::try_from(nanos).unwrap() });
            assert_eq!((meta.mtime, meta.atime), (expected, expected));
        }
    });
}

fn opened(server: &Server) {
    let fresh = server.rig.fresh("opened");
    fs::write(fresh.on_disk.join("file"), vec![b'x'; 5 << 20]).unwrap();
    Runtime::new().unwrap().block_on(async {
        let requests = Arc::new(Requests::default());
        let store = connected(server, requests.told()).await.opening_files();
        let reading = store.read(&fresh.path.join(b"file"), ReadSpec::default()).await.unwrap();
        assert_eq!(collect_body(reading.body, u64::MAX).await.unwrap().concat(), vec![b'x'; 5 << 20]);
        tokio::time::sleep(Duration::from_millis(300)).await;
        store.close().await;
        let count = |name| requests.count(name);
        assert_eq!((count("OPEN"), count("CLOSE"), count("READ")), (1, 1, 5), "{requests:?}");
        assert_eq!((count("DESTROY_SESSION"), count("DESTROY_CLIENTID")), (1, 1), "{requests:?}");
    });
}

fn deep_path(server: &Server) {
    let fresh = server.rig.fresh("deep");
    let deep: PathBuf = (0..150).map(|n| format!("level-{n}")).collect();
    fs::create_dir_all(fresh.on_disk.join(&deep)).unwrap();
    fs::write(fresh.on_disk.join(&deep).join("file"), "content").unwrap();
    let path = fresh.path.join(deep.as_os_str().as_bytes()).join(b"file");
    Runtime::new().unwrap().block_on(async {
        let store = connected(server, NfsOptions::default()).await;
        assert_eq!(store.stat(&path, Facets::NONE).await.unwrap().stamp.size, 7);
        let at = server.rig.location().below(&path.parent().unwrap());
        let store = Nfs4Store::connect(&at, NfsOptions::default()).await.unwrap();
        assert_eq!(store.stat(&"file".into(), Facets::NONE).await.unwrap().stamp.size, 7);
    });
}

fn pseudo_root(server: &Server) {
    let fresh = server.rig.fresh("pseudo");
    fs::write(fresh.on_disk.join("file"), "content").unwrap();
    Runtime::new().unwrap().block_on(async {
        let store = Nfs4Store::connect(&server.rig.elsewhere("/"), NfsOptions::default()).await.unwrap();
        let pages: Vec<_> = store.list(&RelPath::ROOT, ListSpec::default()).try_collect().await.unwrap();
        let exports: BTreeMap<_, _> =
            pages.iter().flat_map(|page| &page.entries).map(|entry| (entry.path.clone(), entry)).collect();
        assert!(["data", "scratch", "squash"].iter().all(|name| exports[&RelPath::from(*name)].kind.is_dir()));
        let root = store.stat(&RelPath::ROOT, Facets::NONE).await.unwrap().stamp.file_id.unwrap();
        let data = exports[&RelPath::from("data")].stamp.file_id.unwrap();
        assert_ne!(root.volume, data.volume);
        // The entry is the root of what is exported there, as the export itself tells it.
        let export = connected(server, NfsOptions::default()).await.stat(&RelPath::ROOT, Facets::NONE).await.unwrap();
        assert_eq!(export.stamp.file_id, Some(data));
        let path = RelPath::from("data").join(fresh.path.as_bytes()).join(b"file");
        let Body::Whole(data) = store.read(&path, ReadSpec::default()).await.unwrap().body else { panic!("not whole") };
        assert_eq!(data, "content");
    });
}

fn not_exported(server: &Server) {
    Runtime::new().unwrap().block_on(async {
        refused::not_exported(server, &[ErrorKind::NotFound]).await;
        let exports = pseudo_exports(&server.rig.elsewhere("/"), &NfsOptions::default()).await.unwrap();
        refused::are_listed(exports.iter().map(|export| &export[..]));
    });
}

fn unreachable(server: &Server) {
    Runtime::new().unwrap().block_on(async {
        let (closed, unknown) = ("nfs://127.0.0.1:9/data?version=4", "nfs://no-such-host.invalid/data?version=4");
        refused::nobody_there(server, closed, unknown).await;
        // RPC is spoken there, but not NFSv4: the portmapper and MOUNT.
        for port in [111, server.rig.ports().1] {
            let error = refused::not_nfs(server, port).await;
            assert!(error.hint_text().unwrap().contains("version=3"), "{error:?}");
        }
    });
}

fn told(server: &Server) {
    Runtime::new().unwrap().block_on(async {
        let store = connected(server, NfsOptions::default()).await;
        volume::is_the_disks(&server.rig, &store).await;
        let identity = store.identify();
        assert!(
            identity.read_max >= Some(65536)
                && identity.max_name >= Some(255)
                && identity.case_insensitive == Some(false),
            "{identity:?}"
        );
        assert!(identity.lease_seconds > Some(0) && !identity.server_owner.is_empty(), "{identity:?}");
        assert!(store.exports().await.unwrap().iter().any(|export| export == "/data"));
    });
}

fn idle(server: &Server) {
    Runtime::new().unwrap().block_on(async {
        let requests = Arc::new(Requests::default());
        let store = connected(server, requests.told()).await;
        let lease = u64::from(store.identify().lease_seconds.unwrap());
        tokio::time::sleep(Duration::from_secs(lease + 20)).await;
        store.stat(&RelPath::ROOT, Facets::NONE).await.unwrap();
        let count = |name| requests.count(name);
        assert!(count("SEQUENCE") >= 2 && count("CREATE_SESSION") == 1, "{requests:?}");
    });
}

fn opened_read_survives(server: &Server) {
    Runtime::new().unwrap().block_on(async {
        let store = connected(server, impatient(Duration::ZERO)).await.opening_files();
        read_over_a_restart(server, "restart-opened", Arc::new(store)).await;
    });
}
