//! TLS from the system's certificates and whatever bundle the user adds.

use rustls::ClientConfig;
use std::{path::PathBuf, sync::Arc};

/// A client configuration that trusts the system's roots and those in `bundles` (PEM files). The text of
/// an error is for a person.
pub(crate) fn client(bundles: &[PathBuf]) -> Result<Arc<ClientConfig>, String> {
    ::tls::client(bundles, "`?ca=FILE` or AWS_CA_BUNDLE", rustls::DEFAULT_VERSIONS).map(Arc::new)
}
