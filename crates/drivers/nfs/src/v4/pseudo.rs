//! The exports of an NFSv4 server: there is no list of them, but a pseudo file system that leads to each
//! (RFC 8881, section 7.3). Where the file system changes on the way down, an export begins.

use super::{
    attributes::{Bitmap, bit},
    client::Client,
    compound::{Compound, op},
    entry::{DIR, FILE},
    failure::Failure,
    location::Place,
    status::Status,
    tree::lookup,
};
use crate::NfsOptions;
use bytes::Bytes;
use model::{Location, RelPath};
use storage::Result;

/// Directories of the pseudo file system that are looked into. A root with more below it is no pseudo file system.
const DIRECTORIES: usize = 1000;
/// Bytes of one READDIR.
const PAGE: u32 = 32 << 10;

const ASKED: Bitmap = Bitmap::of(&[bit::TYPE, bit::FSID, bit::RDATTR_ERROR, bit::FILEHANDLE]);

/// Paths of the server's exports, absolute, in byte order: directories with a file system of their own, and those
/// that the server does not let us look into (they may be exported to others, or for Kerberos). The root is among
/// them when it is an export itself. The path of the location is not used.
///
/// Errors: as for [`super::Nfs4Store::connect`]; `Denied` when the server does not show its root.
pub async fn pseudo_exports(location: &Location, options: &NfsOptions) -> Result<Vec<Bytes>> {
    const OP: &str = "list the exports";
    let place = Place::new(location, options)?;
    let client = Client::connect(place.party).await.map_err(|failure| failure.error(OP))?;
    let found = exports(&client).await;
    client.close().await;
    found.map_err(|failure| failure.error(OP))
}

/// The same over a client that is there.
pub(super) async fn exports(client: &Client) -> Result<Vec<Bytes>, Failure> {
    let (root, told) = lookup(client, None, &RelPath::ROOT, ASKED).await?;
    let pseudo = told.fsid;
    let mut found = Vec::new();
    let mut ahead = vec![(RelPath::ROOT, root)];
    let mut looked = 0;
    while let Some((dir, handle)) = ahead.pop() {
        looked += 1;
        if looked > DIRECTORIES {
            tracing::debug!(server = %client.party.server, "the root is no pseudo file system, but a large one");
            found.push(RelPath::ROOT);
            break;
        }
        let children = match children(client, &handle).await {
            Err(Failure::Status(Status::ACCESS | Status::PERM | Status::WRONGSEC)) if !dir.is_root() => {
                found.push(dir);
                continue;
            }
            Err(failure) if failure.is_gone() && !dir.is_root() => continue,
            children => children?,
        };
        for child in children {
            let path = dir.join(&child.name);
            match (child.kind, child.fsid, child.handle) {
                // A pseudo file system holds nothing but directories.
                (Some(FILE), fsid, _) if fsid == pseudo => {
                    found.push(RelPath::ROOT);
                    ahead.clear();
                    break;
                }
                (Some(DIR), fsid, Some(handle)) if fsid == pseudo => ahead.push((path, handle)),
                (Some(DIR), ..) => found.push(path),
                // Not told because it is not for us, or elsewhere.
                (None, ..) if !child.gone => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found.into_iter().map(|path| [b"/", path.as_bytes()].concat().into()).collect())
}

/// One name of the pseudo file system.
struct Child {
    name: Vec<u8>,
    kind: Option<u32>,
    fsid: Option<(u64, u64)>,
    handle: Option<Bytes>,
    gone: bool,
}

async fn children(client: &Client, dir: &Bytes) -> Result<Vec<Child>, Failure> {
    let (mut cookie, mut verifier) = (0, [0; 8]);
    let mut all = Vec::new();
    loop {
        let ask = Compound::new("READDIR").put(dir).readdir(cookie, verifier, PAGE, ASKED);
        let mut reply = client.call(&ask).await?;
        reply.done(op::PUTFH)?;
        let page = reply.directory()?;
        let last = page.names.last().map(|name| name.cookie);
        for name in page.names {
            let told = name.attributes;
            if matches!(name.name.as_slice(), b"" | b"." | b"..") || name.name.contains(&b'/') {
                continue;
            }
            let gone = told.error.is_some_and(|status| Status(status).is_gone());
            let kind = told.kind.filter(|_| told.error.is_none());
            all.push(Child { name: name.name, kind, fsid: told.fsid, handle: told.handle, gone });
        }
        match last {
            Some(next) if !page.end && next != cookie && all.len() < 100 * DIRECTORIES => {
                (cookie, verifier) = (next, page.verifier);
            }
            _ => return Ok(all),
        }
    }
}
