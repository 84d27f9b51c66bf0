//! The image of the namespace, as the NameNode's own checkpoints make it, fetched over HTTP.
//!
//! An image is as old as the last checkpoint; how old is always said. A checkpoint is never asked for: it stops the
//! cluster's writes.

use super::{HttpEndpoint, Web, bean, client::HttpClient, jmx};
use crate::{HdfsOptions, ImageFetched, StandbyChoice, attributes::timestamp, failure::Failure};
use http_body_util::BodyExt as _;
use hyper::{Response, body::Incoming};
use md5::{Digest as _, Md5};
use std::{fmt::Write as _, io, path::Path, time::Duration};
use storage::{Error, ErrorKind, Result};
use tokio::{fs::File, io::AsyncWriteExt as _, time::timeout};

const OP: &str = "fetch the image of the namespace";
const TARGET: &str = "/imagetransfer?getimage=1&txid=latest";
/// What must stay free on the disk that the image is written to.
const SPARE: u64 = 256 << 20;

const HINT: &str =
    "only the superuser and those of dfs.cluster.administrators may; or copy it by `hdfs dfsadmin -fetchImage DIR`";

/// Fetches the newest image from a standby of these NameNodes, or from the active one where there is no standby.
/// `into` is replaced only by a whole image whose MD5 is right.
///
/// Errors: `Denied` or `Unauthenticated`, `NoSpace` when it would not fit the disk, `Corrupt` when its MD5 is wrong,
/// `Disconnected` when no NameNode serves HTTP, `Timeout` when nothing came for `request_timeout`.
pub async fn fetch_fsimage(endpoints: &[HttpEndpoint], options: &HdfsOptions, into: &Path) -> Result<ImageFetched> {
    let web = Web::of(endpoints.iter().cloned(), options.credentials.as_ref(), options.user.as_deref(), options)?;
    web.fetch_image(options, into).await
}

impl Web {
    pub(crate) async fn fetch_image(&self, options: &HdfsOptions, into: &Path) -> Result<ImageFetched> {
        let mut ranked = Vec::new();
        let mut failed = None;
        for client in &self.clients {
            match bean(client, jmx::NAMESYSTEM).await {
                Ok((bean, _)) => {
                    let state = bean.text("tag.HAState");
                    let from = if state.as_deref() == Some("standby") {
                        StandbyChoice::Standby
                    } else {
                        StandbyChoice::Active
                    };
                    ranked.push((from, client));
                }
                Err(failure) => failed = Some(failure),
            }
        }
        ranked.sort_by_key(|(from, _)| *from == StandbyChoice::Active);
        for (from, client) in ranked {
            match fetch(client, from, options.request_timeout, into).await {
                // A standby may have no image yet, or be gone by now.
                Err(error) if from == StandbyChoice::Standby && !matches!(error.kind(), ErrorKind::NoSpace) => {
                    tracing::debug!(endpoint = %client.endpoint(), ?error, "a standby gives no image");
                    failed = failed.or(Some(Failure::Http(format!("{}: {error:?}", client.endpoint()))));
                }
                done => return done,
            }
        }
        Err(failed.unwrap_or_else(|| Failure::Http("no NameNode serves HTTP".into())).error(OP))
    }
}

async fn fetch(client: &HttpClient, from: StandbyChoice, limit: Duration, into: &Path) -> Result<ImageFetched> {
    let told = |failure: Failure| {
        let refused = matches!(failure, Failure::Status(401 | 403, _));
        let error = failure.error(OP);
        if refused { error.hint(HINT) } else { error }
    };
    // Asked before, so that the image is at least as new as what is said of it.
    let (system, _) = bean(client, jmx::NAMESYSTEM).await.map_err(told)?;
    let response = client.open("imagetransfer", TARGET).await.map_err(told)?;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let txid = header("content-disposition").as_deref().and_then(txid);
    let txid = txid.ok_or_else(|| told(Failure::Http("the answer does not name an image (fsimage_N)".into())))?;
    let digest = header("x-md5-digest").map(|text| text.to_ascii_lowercase());
    let stated = header("content-length").and_then(|text| text.parse::<u64>().ok());
    let partial = into.with_added_extension("partial");
    let written = write(response, &partial, stated, limit).await;
    let (bytes, found) = match written {
        Ok(written) => written,
        Err(error) => {
            let _gone_anyway = tokio::fs::remove_file(&partial).await;
            return Err(error);
        }
    };
    let wrong = if digest.as_ref().is_some_and(|digest| *digest != found) {
        Some(format!("its MD5 is {found}, the NameNode stated {}", digest.as_deref().unwrap_or_default()))
    } else {
        stated.filter(|stated| *stated != bytes).map(|stated| format!("{bytes} bytes came of {stated}"))
    };
    if let Some(why) = wrong {
        let _gone_anyway = tokio::fs::remove_file(&partial).await;
        return Err(Error::new(ErrorKind::Corrupt, OP)
            .because(why)
            .hint("try again; an image may be replaced while it is sent"));
    }
    tokio::fs::rename(&partial, into).await.map_err(|error| on_disk(&error))?;
    Ok(ImageFetched {
        txid,
        bytes,
        md5_checked: digest.is_some(),
        taken_at: system.number("LastCheckpointTime").filter(|millis| *millis > 0).map(timestamp),
        transactions_since: system.number("LastWrittenTransactionId").map(|last| last.saturating_sub(txid)),
        from,
        source: client.endpoint().to_string(),
    })
}

/// The number in `attachment; filename=fsimage_0000000000000000042`.
fn txid(disposition: &str) -> Option<u64> {
    let (_, rest) = disposition.split_once("fsimage_")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn on_disk(error: &io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::NoSpace,
        io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Unexpected,
    };
    Error::new(kind, "write the image of the namespace").because(error.to_string())
}

/// Bytes and MD5 of what was written.
async fn write(
    response: Response<Incoming>,
    path: &Path,
    stated: Option<u64>,
    limit: Duration,
) -> Result<(u64, String)> {
    let mut file = File::create(path).await.map_err(|error| on_disk(&error))?;
    let free = free(path)?.saturating_sub(SPARE);
    let full = || {
        Error::new(ErrorKind::NoSpace, OP).because(format!(
            "the image has {} bytes, and {free} may be used",
            stated.map_or("too many".to_owned(), |n| n.to_string())
        ))
    };
    if stated.is_some_and(|bytes| bytes > free) {
        return Err(full());
    }
    let (mut bytes, mut md5, mut body) = (0_u64, Md5::new(), response.into_body());
    loop {
        let frame = timeout(limit, body.frame()).await.map_err(|_| Failure::Timeout(limit).error(OP))?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| Failure::Connect("the image".into(), io::Error::other(error)).error(OP))?;
        let Ok(data) = frame.into_data() else { continue };
        bytes += data.len() as u64;
        if bytes > stated.unwrap_or(free) {
            return Err(full());
        }
        md5.update(&data);
        file.write_all(&data).await.map_err(|error| on_disk(&error))?;
    }
    file.sync_all().await.map_err(|error| on_disk(&error))?;
    let mut text = String::new();
    for byte in md5.finalize() {
        write!(text, "{byte:02x}").expect("a string takes all");
    }
    Ok((bytes, text))
}

fn free(path: &Path) -> Result<u64> {
    let disk = rustix::fs::statvfs(path).map_err(|error| on_disk(&error.into()))?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_image_has_its_number() {
        assert_eq!(txid("attachment; filename=fsimage_0000000000000000042"), Some(42));
        assert_eq!(txid("attachment; filename=edits_1"), None);
        assert_eq!(txid("fsimage_99999999999999999999999"), None);
    }
}
