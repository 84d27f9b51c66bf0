//! TLS from the system's certificates and whatever bundles the user adds.

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use std::{path::PathBuf, sync::Arc};

/// A configuration that trusts the system's roots and those in `bundles` (PEM files). The text of an error is
/// for a person.
pub(crate) fn client_config(bundles: &[PathBuf]) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::debug!(%error, "a system certificate could not be read");
    }
    roots.add_parsable_certificates(native.certs);
    for bundle in bundles {
        let unreadable = |why: &dyn std::fmt::Display| format!("the CA bundle `{}`: {why}", bundle.display());
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
    if roots.is_empty() {
        return Err("this system has no root certificates; name a CA bundle".into());
    }
    // Named, because a second TLS provider linked in would make the process default ambiguous.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| why.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
