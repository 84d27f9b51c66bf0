//! Reading: whole files, ranges, and below the export.

use crate::{tree::big_file, version::Server};
use longshore_driver_nfs::NfsOptions;
use std::fs;
use storage::{Body, ErrorKind, ReadSpec, collect_body};
use tokio::runtime::Runtime;

pub fn large_file(server: &Server) {
    let fresh = server.rig.fresh("large");
    let (path, expected) = big_file(&fresh, "200MiB");
    Runtime::new().unwrap().block_on(async {
        let source = server.export(NfsOptions::default()).await;
        let reading = source.read(&path, ReadSpec::default()).await.unwrap();
        assert_eq!(reading.entry.stamp.size, 200 << 20);
        assert!(collect_body(reading.body, u64::MAX).await.unwrap().concat() == expected);
        let range = 123_456_789..123_456_789 + 5_000_001;
        let reading = source.read(&path, ReadSpec { range: Some(range), ..ReadSpec::default() }).await.unwrap();
        assert!(collect_body(reading.body, u64::MAX).await.unwrap().concat() == expected[123_456_789..][..5_000_001]);
    });
}

pub fn below_the_export(server: &Server) {
    let fresh = server.rig.fresh("below");
    fs::create_dir_all(fresh.on_disk.join("a/b")).unwrap();
    fs::write(fresh.on_disk.join("a/b/file"), "content").unwrap();
    Runtime::new().unwrap().block_on(async {
        let at = server.rig.location().below(&fresh.path.join(b"a/b"));
        let source = server.open(at).await.unwrap();
        let Body::Whole(data) = source.read(&"file".into(), ReadSpec::default()).await.unwrap().body else {
            panic!("not whole")
        };
        assert_eq!(data, "content");
        let missing = server.rig.location().below(&fresh.path.join(b"a/c"));
        let error = server.open(missing).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    });
}
