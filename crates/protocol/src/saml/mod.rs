//! The data of a SAML identity provider that an administrator enters: metadata and certificates.
//!
//! Nothing here signs anybody in. No signature of the metadata is checked: the
//! administrator vouches for what they enter.
//!
//! Source: SAML 2.0 Metadata (saml-metadata-2.0-os).

mod certificate;
mod metadata;

pub use certificate::{CertificateError, IdpCertificate};
pub use metadata::{IdpMetadata, MetadataError};
