//! SAML 2.0, with Genkan as the service provider: requests, answers, metadata and certificates.
//!
//! An answer is read by [`Answer::read`] and validated by [`Answer::validate`]; each check
//! has a [`Cause`] and leaves its line in the trace. Octets are scanned before a tree is
//! built, there is one tree, and what counts of an assertion is read through [`Signed`],
//! which only the verifier makes.
//!
//! No signature of a provider's metadata is checked: the administrator vouches for what
//! they enter.
//!
//! Source: SAML 2.0 Core, Bindings, Profiles and Metadata (saml-*-2.0-os).

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
#[cfg(test)]
mod hostile;
pub mod idp;
mod metadata;
mod name_id;
mod names;
mod own_key;
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
    ContentEncryption, DecryptionError, DecryptionKey, EncryptionError, EncryptionPolicy, KeyTransport,
    decrypt, enclose, encrypt, encrypt_as,
};
pub use metadata::{IdpMetadata, MetadataError};
pub use name_id::NameIdFormat;
pub use own_key::{CERTIFICATE_LIFETIME, KeyPurpose, OwnKey, OwnKeyError};
pub use response::{Answer, Expected, ExpectedEncryption, PendingRequest, PrivateKeyUse, RequiredSignature};
pub use scan::{Limits, XmlError, XmlErrorKind, scan};
pub use signature::{
    AlgorithmPolicy, KeyError, SignatureError, SignatureMethod, Signed, SigningError, SigningKey,
    VerificationKey, Verified, verify, verify_query,
};
pub use sp_metadata::SpMetadata;
