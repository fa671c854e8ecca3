//! The data of a SAML identity provider that an administrator enters: metadata and certificates.
//!
//! Nothing here signs anybody in. No signature of the metadata is checked: the
//! administrator vouches for what they enter.
//!
//! Source: SAML 2.0 Metadata (saml-metadata-2.0-os).

mod canonical;
mod certificate;
mod document;
mod encryption;
mod metadata;
mod names;
mod scan;
mod signature;
mod work;

pub use certificate::{CertificateError, IdpCertificate};
pub use document::{Document, Element, Repeated, TextError};
pub use encryption::{
    ContentEncryption, DecryptionError, DecryptionKey, EncryptionError, EncryptionPolicy, KeyTransport, decrypt,
    enclose, encrypt, encrypt_as,
};
pub use metadata::{IdpMetadata, MetadataError};
pub use scan::{Limits, XmlError, XmlErrorKind, scan};
pub use signature::{
    AlgorithmPolicy, KeyError, SignatureError, SignatureMethod, Signed, SigningError, SigningKey,
    VerificationKey, Verified, verify, verify_query,
};
