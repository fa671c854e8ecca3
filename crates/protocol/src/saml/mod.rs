//! What an administrator enters about a SAML identity provider: its metadata and its certificates.
//!
//! Nothing here signs anybody in, and nothing here is signed: whoever enters it
//! vouches for it.
//!
//! Source: SAML 2.0 Metadata (saml-metadata-2.0-os).

mod certificate;
mod metadata;

pub use certificate::{CertificateError, IdpCertificate};
pub use metadata::{IdpMetadata, MetadataError};
