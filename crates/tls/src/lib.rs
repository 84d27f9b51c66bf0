//! Whom we trust in TLS: the system's certificates and the CA bundles that the user names. The one place where a
//! client's configuration is made, for every protocol that goes through TLS.

use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use std::{fmt, path::PathBuf, sync::Arc};

/// A configuration that trusts the system's roots and those in `bundles` (PEM files), speaks these `versions` of TLS
/// ([`rustls::DEFAULT_VERSIONS`] are 1.2 and 1.3) and shows no certificate of ours. The protocol's name (ALPN) is for the
/// caller to set.
///
/// `how_to_name_one` is how a user names a CA bundle here, such as `` `?ca=FILE` ``; the error that needs one says so.
/// The text of an error is for a person. Costs: the system's certificates are read from disk, some 1 to 10 ms.
pub fn client(
    bundles: &[PathBuf],
    how_to_name_one: &str,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ClientConfig, String> {
    let roots = roots(bundles)?;
    if roots.is_empty() {
        return Err(format!("this system has no root certificates; name a CA bundle with {how_to_name_one}"));
    }
    // Named, because a second TLS provider linked in would make the process default ambiguous.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|why| why.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// The system's roots, as far as they can be read, and all of each bundle.
fn roots(bundles: &[PathBuf]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::debug!(%error, "a system certificate could not be read");
    }
    roots.add_parsable_certificates(native.certs);
    for bundle in bundles {
        let unreadable = |why: &dyn fmt::Display| format!("the CA bundle `{}`: {why}", bundle.display());
        let certificates = CertificateDer::pem_file_iter(bundle).map_err(|why| unreadable(&why))?;
        let mut found = 0_usize;
        for certificate in certificates {
            let certificate = certificate.map_err(|why| unreadable(&why))?;
            roots.add(certificate).map_err(|why| unreadable(&why))?;
            found += 1;
        }
        if found == 0 {
            return Err(unreadable(&"it holds no certificate"));
        }
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::{fs, path::Path};

    fn certificate() -> String {
        rcgen::generate_simple_self_signed(["filer.test".to_owned()]).unwrap().cert.pem()
    }

    fn trusting(bundle: &Path) -> Result<ClientConfig, String> {
        client(&[bundle.to_owned()], "`?ca=FILE`", rustls::DEFAULT_VERSIONS)
    }

    #[test]
    fn every_certificate_of_a_bundle_is_trusted_besides_the_systems() {
        let dir = tempfile::tempdir().unwrap();
        let bundle = dir.path().join("ca.pem");
        fs::write(&bundle, format!("a comment\n{}{}", certificate(), certificate())).unwrap();
        let system = roots(&[]).unwrap().len();
        assert_eq!(roots(&[bundle.clone(), bundle.clone()]).unwrap().len(), system + 4);
        let config = trusting(&bundle).unwrap();
        assert!(config.alpn_protocols.is_empty() && !config.client_auth_cert_resolver.has_certs());
    }

    #[test]
    fn a_bundle_that_is_none_is_refused_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing.pem");
        assert!(trusting(&missing).unwrap_err().contains("missing.pem"));
        let empty = dir.path().join("empty.pem");
        fs::write(&empty, "nothing").unwrap();
        assert!(trusting(&empty).unwrap_err().contains("empty.pem`: it holds no certificate"));
        let broken = dir.path().join("broken.pem");
        fs::write(&broken, certificate().replace("MII", "AAA")).unwrap();
        assert!(trusting(&broken).unwrap_err().contains("broken.pem"));
    }
}
