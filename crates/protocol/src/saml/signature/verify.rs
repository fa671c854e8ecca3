//! Verification of signatures.

use super::{AlgorithmPolicy, VerificationKey, Verified};
use crate::saml::document::Element;

/// A signature does not count. The order of the variants is the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No key is registered. A signature is never passed over for that.
    #[error("no certificate is registered")]
    CertificateMissing,
    /// Several signatures on one element.
    #[error("the element has more than one signature")]
    Count,
    /// Not the shape that SAML Core §5.4 leaves of XML-DSig §4.
    #[error("the signature is malformed: {0}")]
    Malformed(&'static str),
    /// Another canonicalization than the exclusive one, or one that cannot be done.
    #[error("the canonicalization {0:?} is not accepted")]
    Canonicalization(String),
    /// An algorithm that is not in the table, or not for the registered type of key.
    #[error("the algorithm {0:?} is not accepted")]
    Algorithm(String),
    /// None or several references.
    #[error("the signature has {0} references instead of one")]
    ReferenceCount(usize),
    /// The reference names something else than the element that holds the signature.
    #[error("the signature is over {0:?} and not over the element that holds it")]
    ReferenceForeign(String),
    /// A transform beyond the two that SAML Core §5.4.4 allows.
    #[error("the transform {0:?} is not accepted")]
    Transform(String),
    /// No registered key made the signature.
    #[error("no registered certificate verifies the signature")]
    Invalid,
    /// The element was changed after it was signed.
    #[error("the element was changed after it was signed")]
    Digest,
}

/// Verifies the enveloped signature of an element.
///
/// `None` if the element has none.
///
/// # Errors
///
/// [`SignatureError`] if there is one and it does not hold.
pub fn verify<'d>(
    parent: Element<'d>,
    keys: &[VerificationKey],
    policy: &AlgorithmPolicy,
) -> Result<Option<Verified<'d>>, SignatureError> {
    let _ = (parent, keys, policy);
    Err(SignatureError::Invalid)
}

/// Verifies the signature of a message in a query (SAML Bindings §3.4.4.1) and tells which key made it.
///
/// # Errors
///
/// [`SignatureError`] if none did.
pub fn verify_query(
    octets: &[u8],
    sig_alg: &str,
    signature: &[u8],
    keys: &[VerificationKey],
    policy: &AlgorithmPolicy,
) -> Result<usize, SignatureError> {
    let _ = (octets, sig_alg, signature, keys, policy);
    Err(SignatureError::Invalid)
}
