//! The data of a SAML identity provider that an administrator enters: metadata and certificates.
//!
//! Nothing here signs anybody in. No signature of the metadata is checked: the
//! administrator vouches for what they enter.
//!
//! Source: SAML 2.0 Metadata (saml-metadata-2.0-os).

mod certificate;
mod document;
mod encryption;
mod metadata;
mod scan;
mod signature;

pub use certificate::{CertificateError, IdpCertificate};
pub use document::{Document, Element, Repeated, TextError};
pub use encryption::{
    DecryptionError, DecryptionKey, EncryptionError, EncryptionPolicy, decrypt, enclose, encrypt,
};
pub use metadata::{IdpMetadata, MetadataError};
pub use scan::{Limits, XmlError, XmlErrorKind, scan};
pub use signature::{
    AlgorithmPolicy, KeyError, SignatureError, SignatureMethod, Signed, SigningError, SigningKey,
    VerificationKey, Verified, verify, verify_query,
};
