//! What a `nfs://` URI with `version=4` says, checked.

use super::session::Party;
use crate::{
    NfsOptions,
    address::{self, Version},
    manner::Manner,
    names::check_names,
    rpc::Address,
};
use bytes::Bytes;
use model::{Location, RelPath};
use std::time::{SystemTime, UNIX_EPOCH};
use storage::Result;

/// Where NFSv4 is served, without a portmapper (RFC 8881, section 2.9.3).
const PORT: u16 = 2049;

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
        let address = address::Address::new(location, options, Version::Four)?;
        let path = path(location);
        check_names(&path, "use the location")?;
        let (owner, verifier) = name_ourselves();
        let party = Party {
            server: Address::new(location.host(), address.port.unwrap_or(PORT)),
            manner: Manner::new(options, &address)?,
            credential: address.credential(),
            owner,
            verifier,
        };
        Ok(Self { party, path, uid: address.uid, gid: address.gid })
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
    use storage::ErrorKind;

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
