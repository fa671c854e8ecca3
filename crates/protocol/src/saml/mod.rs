//! The data of a SAML identity provider that an administrator enters: metadata and certificates.
//!
//! Nothing here signs anybody in. No signature of the metadata is checked: the
//! administrator vouches for what they enter.
//!
//! Source: SAML 2.0 Metadata (saml-metadata-2.0-os).

mod assertion;
mod authn_request;
pub mod binding;
mod canonical;
mod cause;
mod certificate;
mod date_time;
mod document;
mod encryption;
mod escape;
pub mod idp;
mod metadata;
mod name_id;
mod names;
pub mod response;
mod scan;
mod signature;
mod sp_metadata;
#[cfg(test)]
mod test_keys;
mod work;

pub use assertion::{Assertion, NameId};
pub use authn_request::{AuthnRequest, AuthnRequestError, ContextComparison, RequestedContext};
pub use cause::Cause;
pub use certificate::{CertificateError, IdpCertificate};
pub use document::{Document, Element, Repeated, TextError};
pub use encryption::{
    ContentEncryption, DecryptionError, DecryptionKey, EncryptionError, EncryptionPolicy, KeyTransport, decrypt,
    enclose, encrypt, encrypt_as,
};
pub use metadata::{IdpMetadata, MetadataError};
pub use name_id::NameIdFormat;
pub use response::{Answer, Expected, ExpectedEncryption, PendingRequest, RequiredSignature};
pub use scan::{Limits, XmlError, XmlErrorKind, scan};
pub use signature::{
    AlgorithmPolicy, KeyError, SignatureError, SignatureMethod, Signed, SigningError, SigningKey,
    VerificationKey, Verified, verify, verify_query,
};
pub use sp_metadata::SpMetadata;
