//! What a `nfs://` URI with `version=4` says, checked.

use super::session::Party;
use crate::{
    NfsOptions,
    manner::Manner,
    rpc::{Address, AuthSys, Credential},
};
use bytes::Bytes;
use model::{Location, RelPath};
use std::time::{SystemTime, UNIX_EPOCH};
use storage::{Error, ErrorKind, Result};

/// Where NFSv4 is served, without a portmapper (RFC 8881, section 2.9.3).
const PORT: u16 = 2049;
/// Most further groups that AUTH_SYS carries (RFC 5531, appendix A: `gids<16>`).
const MAX_AUX_GIDS: usize = 16;
const FORM: &str = "write `nfs://host[:port]/dir?version=4.1`, with `&port=`, `&uid=`, `&gid=` where needed";

/// Where to connect, as whom, and which directory to open there.
#[derive(Debug)]
pub(super) struct Place {
    pub party: Party,
    pub path: RelPath,
    pub uid: u32,
    pub gid: u32,
}

impl Place {
    pub fn new(location: &Location, options: &NfsOptions) -> Result<Self> {
        let invalid =
            |why: String, hint: &str| Error::new(ErrorKind::Invalid, "use the location").because(why).hint(hint);
        if location.scheme() != "nfs" {
            return Err(invalid(format!("`{}` is not the scheme of NFS", location.scheme()), FORM));
        }
        if location.host().is_empty() {
            return Err(invalid("it names no host".to_owned(), FORM));
        }
        let mut port = location.port();
        let (mut uid, mut gid) = (options.uid, options.gid);
        for (key, value) in location.params() {
            let number = value.parse::<u32>().ok();
            let as_port = number.and_then(|n| u16::try_from(n).ok()).filter(|p| *p > 0);
            let understood = match key {
                "port" | "nfsport" => as_port.map(|p| port = Some(p)),
                "uid" => number.map(|id| uid = id),
                "gid" => number.map(|id| gid = id),
                "version" if matches!(value, "4" | "4.1") => Some(()),
                "version" => {
                    return Err(Error::new(ErrorKind::Unsupported, "use the location")
                        .because(format!("NFS version {value} is asked for"))
                        .hint("write `version=4.1` or `version=3`"));
                }
                // NFSv4 has no MOUNT; the same URI serves for NFSv3, where it matters.
                "mountport" => as_port.map(|_| ()),
                _ => return Err(invalid(format!("the parameter `{key}` means nothing for NFSv4"), FORM)),
            };
            if understood.is_none() {
                return Err(invalid(format!("`{value}` is not a value for `{key}`"), FORM));
            }
        }
        if options.aux_gids.len() > MAX_AUX_GIDS {
            let why = format!("{} further groups are given", options.aux_gids.len());
            let hint = "AUTH_SYS carries at most 16 further groups: leave out those that the share does not need";
            return Err(invalid(why, hint));
        }
        let path = path(location);
        super::tree::check_names(&path, "use the location")?;
        let who = AuthSys { stamp: 0, machine: "longshore".into(), uid, gid, aux_gids: options.aux_gids.clone() };
        let (owner, verifier) = name_ourselves();
        let party = Party {
            server: Address::new(location.host(), port.unwrap_or(PORT)),
            manner: Manner::new(options, location.host())?,
            credential: Credential::sys(&who),
            owner,
            verifier,
        };
        Ok(Self { party, path, uid, gid })
    }
}

/// The location's path from the server's root, without empty components.
fn path(location: &Location) -> RelPath {
    let names = location.path().split(|b| *b == b'/').filter(|name| !name.is_empty());
    names.fold(RelPath::ROOT, |path, name| path.join(name))
}

/// A name that nobody else has, not even another store of this process: a server ends the sessions of a client that
/// comes back under its name with another verifier.
fn name_ourselves() -> (Bytes, [u8; 8]) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let owner = format!("longshore {} {since:x} {:016x}", std::process::id(), fastrand::u64(..));
    (owner.into(), fastrand::u64(..).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(uri: &str) -> Result<Place> {
        Place::new(&uri.parse().unwrap(), &NfsOptions { uid: 1, gid: 2, ..NfsOptions::default() })
    }

    #[test]
    fn a_uri_says_host_port_path_and_who_we_are() {
        let at = place("nfs://filer:2050//export/home/?uid=0&gid=7&version=4.1").unwrap();
        assert_eq!(at.party.server, Address::new("filer", 2050));
        assert_eq!((at.path, at.uid, at.gid), ("export/home".into(), 0, 7));
        let at = place("nfs://filer?mountport=635&version=4").unwrap();
        assert_eq!((at.party.server.port, at.path.is_root(), at.uid), (2049, true, 1));
        assert_ne!(at.party.owner, place("nfs://filer?version=4").unwrap().party.owner);
    }

    #[test]
    fn what_a_uri_cannot_mean_is_refused() {
        for (uri, kind) in [
            ("nfs://h/e?version=4.0", ErrorKind::Unsupported),
            ("nfs://h/e?version=4.2", ErrorKind::Unsupported),
            ("nfs://h/e?version=4&mountport=x", ErrorKind::Invalid),
            ("nfs://h/e?port=0", ErrorKind::Invalid),
            ("nfs://h/e?uid=anna", ErrorKind::Invalid),
            ("nfs://h/a/../b", ErrorKind::NameRefused),
            ("nfs:///e", ErrorKind::Invalid),
            ("file:///e", ErrorKind::Invalid),
        ] {
            assert_eq!(place(uri).unwrap_err().kind(), kind, "{uri}");
        }
    }
}
