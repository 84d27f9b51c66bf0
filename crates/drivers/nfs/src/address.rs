//! What a `nfs://` URI says, checked.

use crate::{
    NfsOptions,
    rpc::{AuthSys, Credential},
};
use bytes::Bytes;
use model::Location;
use storage::{Error, ErrorKind, Result};

/// Most further groups that AUTH_SYS carries (RFC 5531, appendix A: `gids<16>`).
const MAX_AUX_GIDS: usize = 16;

const FORM: &str = "write `nfs://host[:port]/export/dir`, with `?mountport=`, `?port=`, `?uid=`, `?gid=` where needed";

/// Where to connect and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub host: String,
    /// Port of NFS; the portmapper tells it when absent.
    pub port: Option<u16>,
    /// Port of MOUNT; the portmapper tells it when absent.
    pub mount_port: Option<u16>,
    /// Absolute path, no slash at its end unless it is `/`.
    pub path: Bytes,
    pub uid: u32,
    pub gid: u32,
}

impl Address {
    pub fn new(location: &Location, options: &NfsOptions) -> Result<Self> {
        let invalid =
            |why: String, hint: &str| Err(Error::new(ErrorKind::Invalid, "use the location").because(why).hint(hint));
        if location.scheme() != "nfs" {
            return invalid(format!("`{}` is not the scheme of NFS", location.scheme()), FORM);
        }
        if location.host().is_empty() {
            return invalid("it names no host".to_owned(), FORM);
        }
        let (mut port, mut mount_port) = (location.port(), None);
        let (mut uid, mut gid) = (options.uid, options.gid);
        for (key, value) in location.params() {
            let number = value.parse::<u32>().ok();
            let as_port = number.and_then(|n| u16::try_from(n).ok()).filter(|p| *p > 0);
            let understood = match key {
                "port" | "nfsport" => as_port.map(|p| port = Some(p)),
                "mountport" => as_port.map(|p| mount_port = Some(p)),
                "uid" => number.map(|id| uid = id),
                "gid" => number.map(|id| gid = id),
                "version" if value == "3" => Some(()),
                "version" => {
                    return Err(Error::new(ErrorKind::Unsupported, "use the location")
                        .because(format!("NFS version {value} is asked for"))
                        .hint("write `version=3` or `version=4.1`"));
                }
                _ => return invalid(format!("the parameter `{key}` means nothing for NFS"), FORM),
            };
            if understood.is_none() {
                return invalid(format!("`{value}` is not a value for `{key}`"), FORM);
            }
        }
        if options.aux_gids.len() > MAX_AUX_GIDS {
            let why = format!("{} further groups are given", options.aux_gids.len());
            return invalid(
                why,
                "AUTH_SYS carries at most 16 further groups: leave out those that the share does not need",
            );
        }
        let path = location.path();
        let end = path.iter().rposition(|b| *b != b'/').map_or(0, |at| at + 1);
        let path = if end == 0 { Bytes::from_static(b"/") } else { Bytes::copy_from_slice(&path[..end]) };
        Ok(Self { host: location.host().to_owned(), port, mount_port, path, uid, gid })
    }

    /// Who we are in every call. The machine name is only ever logged by servers.
    pub fn credential(&self, aux_gids: &[u32]) -> Credential {
        Credential::sys(&AuthSys {
            stamp: 0,
            machine: "longshore".to_owned(),
            uid: self.uid,
            gid: self.gid,
            aux_gids: aux_gids.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(uri: &str) -> Result<Address> {
        Address::new(&uri.parse().unwrap(), &NfsOptions { uid: 1, gid: 2, ..NfsOptions::default() })
    }

    #[test]
    fn a_uri_says_host_ports_path_and_who_we_are() {
        let at = address("nfs://filer:2050/export/home/?mountport=635&uid=0&gid=7&version=3").unwrap();
        assert_eq!((at.host.as_str(), at.port, at.mount_port), ("filer", Some(2050), Some(635)));
        assert_eq!((&at.path[..], at.uid, at.gid), (&b"/export/home"[..], 0, 7));
        let at = address("nfs://[::1]?port=99").unwrap();
        assert_eq!((at.host.as_str(), at.port, &at.path[..], at.uid), ("::1", Some(99), &b"/"[..], 1));
    }

    #[test]
    fn what_a_uri_cannot_mean_is_refused() {
        for (uri, kind) in [
            ("nfs://h/e?version=4", ErrorKind::Unsupported),
            ("nfs://h/e?mountprot=1", ErrorKind::Invalid),
            ("nfs://h/e?port=0", ErrorKind::Invalid),
            ("nfs://h/e?uid=anna", ErrorKind::Invalid),
            ("nfs:///e", ErrorKind::Invalid),
            ("file:///e", ErrorKind::Invalid),
        ] {
            assert_eq!(address(uri).unwrap_err().kind(), kind, "{uri}");
        }
    }
}
