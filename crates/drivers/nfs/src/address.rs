//! What a `nfs://` URI says, checked.

use crate::{
    NfsOptions, NfsTls, TlsStart,
    rpc::{AuthSys, Credential},
};
use bytes::Bytes;
use model::Location;
use std::path::PathBuf;
use storage::{Error, ErrorKind, Result};

/// Most further groups that AUTH_SYS carries (RFC 5531, appendix A: `gids<16>`).
const MAX_AUX_GIDS: usize = 16;

/// Which protocol the location is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Three,
    Four,
}

impl Version {
    fn is(self, value: &str) -> bool {
        match self {
            Self::Three => value == "3",
            Self::Four => matches!(value, "4" | "4.1"),
        }
    }

    fn form(self) -> &'static str {
        match self {
            Self::Three => {
                "write `nfs://host[:port]/export/dir`, with `?mountport=`, `?port=`, `?uid=`, `?gid=`, `?tls`, `?ca=` where needed"
            }
            Self::Four => {
                "write `nfs://host[:port]/dir?version=4.1`, with `&port=`, `&uid=`, `&gid=`, `&tls`, `&ca=` where needed"
            }
        }
    }
}

/// Where to connect and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub host: String,
    /// Port of NFS; version 3 asks the portmapper for it when absent.
    pub port: Option<u16>,
    /// Port of MOUNT; the portmapper tells it when absent. Nothing to version 4, but the same URI serves for both.
    pub mount_port: Option<u16>,
    /// Absolute path, no slash at its end unless it is `/`.
    pub path: Bytes,
    pub uid: u32,
    pub gid: u32,
    aux_gids: Vec<u32>,
    pub tls: Option<NfsTls>,
}

impl Address {
    pub fn new(location: &Location, options: &NfsOptions, version: Version) -> Result<Self> {
        let form = version.form();
        let invalid =
            |why: String, hint: &str| Err(Error::new(ErrorKind::Invalid, "use the location").because(why).hint(hint));
        if location.scheme() != "nfs" {
            return invalid(format!("`{}` is not the scheme of NFS", location.scheme()), form);
        }
        if location.host().is_empty() {
            return invalid("it names no host".to_owned(), form);
        }
        let (mut port, mut mount_port) = (location.port(), None);
        let (mut uid, mut gid) = (options.uid, options.gid);
        let mut tls = options.tls.clone();
        for (key, value) in location.params() {
            let number = value.parse::<u32>().ok();
            let as_port = number.and_then(|n| u16::try_from(n).ok()).filter(|p| *p > 0);
            let understood = match key {
                "port" | "nfsport" => as_port.map(|p| port = Some(p)),
                "mountport" => as_port.map(|p| mount_port = Some(p)),
                "uid" => number.map(|id| uid = id),
                "gid" => number.map(|id| gid = id),
                "tls" => encrypted(value, tls.take()).map(|chosen| tls = chosen).ok(),
                // After everything else: it belongs to `tls`, which stands behind it.
                "ca" => Some(()),
                "version" if version.is(value) => Some(()),
                "version" => {
                    return Err(Error::new(ErrorKind::Unsupported, "use the location")
                        .because(format!("NFS version {value} is asked for"))
                        .hint("write `version=3` or `version=4.1`"));
                }
                _ => return invalid(format!("the parameter `{key}` means nothing for NFS"), form),
            };
            if understood.is_none() {
                let words =
                    if key == "tls" { "write `tls` or `tls=starttls`, `tls=direct`, or `tls=off`" } else { form };
                return invalid(format!("`{value}` is not a value for `{key}`"), words);
            }
        }
        if let Some(bundle) = location.param("ca") {
            let Some(tls) = &mut tls else {
                return invalid("`ca` means nothing without TLS".to_owned(), "add `tls` (RFC 9289) or `tls=direct`");
            };
            tls.ca_bundles.push(PathBuf::from(bundle));
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
        let (host, aux_gids) = (location.host().to_owned(), options.aux_gids.clone());
        Ok(Self { host, port, mount_port, path, uid, gid, aux_gids, tls })
    }

    /// Who we are in every call. The machine name is only ever logged by servers.
    pub fn credential(&self) -> Credential {
        Credential::sys(&AuthSys {
            stamp: 0,
            machine: "longshore".to_owned(),
            uid: self.uid,
            gid: self.gid,
            aux_gids: self.aux_gids.clone(),
        })
    }
}

/// TLS as `tls=` says, or none; an error where that means nothing. What `usual` has besides is kept.
fn encrypted(value: &str, usual: Option<NfsTls>) -> std::result::Result<Option<NfsTls>, ()> {
    let start = match value {
        "" | "starttls" => TlsStart::Asked,
        "direct" => TlsStart::Direct,
        "off" => return Ok(None),
        _ => return Err(()),
    };
    Ok(Some(NfsTls { start, ..usual.unwrap_or_default() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(uri: &str) -> Result<Address> {
        Address::new(&uri.parse().unwrap(), &NfsOptions { uid: 1, gid: 2, ..NfsOptions::default() }, Version::Three)
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
    fn a_uri_says_how_tls_begins_and_whom_to_trust() {
        let tls = |uri: &str| address(uri).unwrap().tls.map(|tls| (tls.start, tls.ca_bundles));
        let bundle = || vec![PathBuf::from("/etc/ca.pem")];
        assert_eq!(tls("nfs://h/e"), None);
        assert_eq!(tls("nfs://h/e?tls"), Some((TlsStart::Asked, vec![])));
        assert_eq!(tls("nfs://h/e?ca=/etc/ca.pem&tls=starttls"), Some((TlsStart::Asked, bundle())));
        assert_eq!(tls("nfs://h/e?tls=direct&ca=/etc/ca.pem"), Some((TlsStart::Direct, bundle())));
        let options = NfsOptions { tls: Some(NfsTls::default()), ..NfsOptions::default() };
        let off = Address::new(&"nfs://h/e?tls=off".parse().unwrap(), &options, Version::Three).unwrap();
        assert_eq!(off.tls, None);
    }

    #[test]
    fn what_a_uri_cannot_mean_is_refused() {
        for (uri, kind) in [
            ("nfs://h/e?version=4", ErrorKind::Unsupported),
            ("nfs://h/e?mountprot=1", ErrorKind::Invalid),
            ("nfs://h/e?port=0", ErrorKind::Invalid),
            ("nfs://h/e?uid=anna", ErrorKind::Invalid),
            ("nfs://h/e?tls=yes", ErrorKind::Invalid),
            ("nfs://h/e?ca=x.pem", ErrorKind::Invalid),
            ("nfs://h/e?ca=x.pem&tls=off", ErrorKind::Invalid),
            ("nfs:///e", ErrorKind::Invalid),
            ("file:///e", ErrorKind::Invalid),
        ] {
            assert_eq!(address(uri).unwrap_err().kind(), kind, "{uri}");
        }
    }
}
