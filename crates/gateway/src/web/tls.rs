//! TLS for outgoing connections: the trusted authorities.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};

/// Why the trusted authorities could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("cannot read certificates from {path}: {source}")]
    Unreadable {
        path: String,
        source: rustls::pki_types::pem::Error,
    },
    #[error("{path} holds no certificate")]
    Empty { path: String },
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

/// A client configuration that trusts the public authorities, and those in the
/// files `extra_authorities` (PEM), such as a company's own.
///
/// # Errors
///
/// [`TrustError`] if a file cannot be read or holds no certificate.
pub fn client_config<'a>(
    extra_authorities: impl IntoIterator<Item = &'a Path>,
) -> Result<ClientConfig, TrustError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    for path in extra_authorities {
        let shown = path.display().to_string();
        let unreadable = |source| TrustError::Unreadable {
            path: shown.clone(),
            source,
        };
        let mut found = false;
        for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
            roots.add(certificate.map_err(unreadable)?)?;
            found = true;
        }
        if !found {
            return Err(TrustError::Empty { path: shown });
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
