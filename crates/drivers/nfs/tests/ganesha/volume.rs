//! What the server tells of the volume.

use crate::common::Rig;
use storage::Source;

/// The size is the disk's own.
pub async fn is_the_disks(rig: &Rig, source: &dyn Source) {
    let usage = source.usage().await.unwrap().unwrap();
    let disk = rustix::fs::statvfs(&rig.dir).unwrap();
    assert_eq!(usage.capacity, disk.f_blocks * disk.f_frsize);
    assert!(usage.used <= usage.capacity && usage.available <= usage.capacity && usage.files.unwrap() > 0, "{usage:?}");
}
