//! What WebHDFS answers (Hadoop's "WebHDFS REST API"), from JSON.

use crate::{DirectoryPolicies, HeldBySnapshots, SnapshottableDir};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;
use storage::Usage;

/// The class and the message of `{"RemoteException": …}`.
pub(crate) fn exception(body: &[u8]) -> Option<(String, String)> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let exception = value.get("RemoteException")?;
    let class = exception.get("javaClassName").or_else(|| exception.get("exception"))?.as_str()?;
    let words = exception.get("message").and_then(Value::as_str).unwrap_or_default();
    Some((class.to_owned(), words.to_owned()))
}

/// GET_BLOCK_LOCATIONS: is the file being written? (`isLastBlockComplete` is false for every empty file, too.)
pub(crate) fn under_construction(body: &[u8]) -> Option<bool> {
    let value: Value = serde_json::from_slice(body).ok()?;
    value.get("LocatedBlocks")?.get("isUnderConstruction")?.as_bool()
}

/// GETSTATUS: raw bytes of the volume.
pub(crate) fn usage(body: &[u8]) -> Option<Usage> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let status = value.get("FsStatus")?;
    let number = |name: &str| status.get(name)?.as_u64();
    let (capacity, used, available) = (number("capacity")?, number("used")?, number("remaining")?);
    Some(Usage { capacity, used: used.min(capacity), available: available.min(capacity), files: None })
}

/// GETCONTENTSUMMARY, as far as snapshots go; servers before Hadoop 3.0 do not tell.
pub(crate) fn held_by_snapshots(body: &[u8]) -> Option<HeldBySnapshots> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let summary = value.get("ContentSummary")?;
    let number = |name: &str| summary.get(name)?.as_u64();
    Some(HeldBySnapshots {
        files: number("snapshotFileCount")?,
        dirs: number("snapshotDirectoryCount")?,
        bytes: number("snapshotLength")?,
    })
}

/// GETSNAPSHOTTABLEDIRECTORYLIST; null when there are none.
pub(crate) fn snapshottable(body: &[u8]) -> Option<Vec<SnapshottableDir>> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let list = value.get("SnapshottableDirectoryList")?;
    let Some(list) = list.as_array() else { return list.is_null().then(Vec::new) };
    list.iter().map(one_snapshottable).collect()
}

fn one_snapshottable(dir: &Value) -> Option<SnapshottableDir> {
    let parent = dir.get("parentFullPath")?.as_str()?;
    let name = dir.get("dirStatus")?.get("pathSuffix")?.as_str()?;
    let path = if name.is_empty() { parent.to_owned() } else { format!("{}/{name}", parent.trim_end_matches('/')) };
    let snapshots = dir.get("snapshotNumber")?.as_u64()?;
    Some(SnapshottableDir { path, snapshots, limit: dir.get("snapshotQuota").and_then(Value::as_u64) })
}

/// GETSTORAGEPOLICY, GETECPOLICY (null when replicated) and GETFILESTATUS together.
pub(crate) fn policies(storage: &[u8], coding: &[u8], status: &[u8]) -> Option<DirectoryPolicies> {
    let storage: Value = serde_json::from_slice(storage).ok()?;
    let coding: Value = serde_json::from_slice(coding).ok()?;
    let status: Value = serde_json::from_slice(status).ok()?;
    let name = |value: &Value| value.get("name").and_then(Value::as_str).map(str::to_owned);
    Some(DirectoryPolicies {
        storage: storage.get("BlockStoragePolicy").and_then(name),
        erasure_coding: name(&coding),
        encrypted: status.get("FileStatus")?.get("encBit").and_then(Value::as_bool).unwrap_or(false),
    })
}

/// GETSERVERDEFAULTS: bytes of a block, and replicas.
pub(crate) fn defaults(body: &[u8]) -> Option<(u64, u64)> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let defaults = value.get("FsServerDefaults")?;
    Some((defaults.get("blockSize")?.as_u64()?, defaults.get("replication")?.as_u64()?))
}

/// GETXATTRS with `encoding=BASE64`: values begin with `0s`.
pub(crate) fn xattrs(body: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let value: Value = serde_json::from_slice(body).ok()?;
    value
        .get("XAttrs")?
        .as_array()?
        .iter()
        .map(|one| {
            let name = one.get("name")?.as_str()?.to_owned();
            // An attribute without a value has null here.
            let Some(text) = one.get("value").and_then(Value::as_str) else { return Some((name, Vec::new())) };
            Some((name, BASE64_STANDARD.decode(text.strip_prefix("0s")?).ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hadoop_answers_is_read() {
        assert_eq!(
            exception(br#"{"RemoteException":{"exception":"FileNotFoundException","javaClassName":"java.io.FileNotFoundException","message":"no"}}"#),
            Some(("java.io.FileNotFoundException".into(), "no".into()))
        );
        assert_eq!(
            under_construction(
                br#"{"LocatedBlocks":{"fileLength":0,"isLastBlockComplete":false,"isUnderConstruction":true}}"#
            ),
            Some(true)
        );
        assert_eq!(
            under_construction(br#"{"LocatedBlocks":{"isLastBlockComplete":true,"isUnderConstruction":false}}"#),
            Some(false)
        );
        let counted = br#"{"ContentSummary":{"directoryCount":1,"ecPolicy":"","fileCount":2,"length":4,"quota":-1,"snapshotDirectoryCount":0,"snapshotFileCount":1,"snapshotLength":2,"snapshotSpaceConsumed":4,"spaceConsumed":8,"spaceQuota":-1,"typeQuota":{}}}"#;
        assert_eq!(held_by_snapshots(counted), Some(HeldBySnapshots { files: 1, dirs: 0, bytes: 2 }));
        assert_eq!(held_by_snapshots(br#"{"ContentSummary":{"fileCount":2}}"#), None);
        assert_eq!(snapshottable(br#"{"SnapshottableDirectoryList":null}"#), Some(vec![]));
        let one = br#"{"SnapshottableDirectoryList":[{"dirStatus":{"pathSuffix":"bar"},"parentFullPath":"/","snapshotNumber":2,"snapshotQuota":65536}]}"#;
        assert_eq!(
            snapshottable(one),
            Some(vec![SnapshottableDir { path: "/bar".into(), snapshots: 2, limit: Some(65536) }])
        );
        assert_eq!(
            xattrs(br#"{"XAttrs":[{"name":"user.a","value":"0sAAEC"},{"name":"user.b","value":null}]}"#),
            Some(vec![("user.a".into(), vec![0, 1, 2]), ("user.b".into(), vec![])])
        );
        assert!(usage(br#"{"FsStatus":{"used":-1,"remaining":1,"capacity":1}}"#).is_none());
    }
}
