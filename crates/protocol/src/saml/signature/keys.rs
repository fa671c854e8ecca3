//! The keys of signatures.
//!
//! Source: RFC 5280 §4.1.2.7, RFC 5480 §2.1.1, RFC 5958.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};
use x509_cert::spki::ObjectIdentifier;

use super::algorithm::{KeyKind, SignatureMethod};
use crate::saml::IdpCertificate;
use crate::saml::certificate::{P256, P384, P521, RSA};
use crate::saml::work::{self, Step};

/// A public key that verifies, out of a certificate that an administrator registered.
///
/// The certificate's end and its issuer do not count (Metadata Interoperability Profile §2.6.1).
#[derive(Debug, Clone)]
pub struct VerificationKey {
    certificate: IdpCertificate,
    kind: KeyKind,
    spki: Vec<u8>,
}

/// A key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes are not a PKCS#8 private key of RSA with 2048 bits at least.
    #[error("the bytes are not a private RSA key")]
    Rejected,
    /// The bytes are not a certificate.
    #[error("the bytes are not a certificate")]
    Certificate,
    /// The certificate is another key's.
    #[error("the certificate belongs to another key")]
    Mismatch,
}

/// A message cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The message is not XML.
    #[error("the message cannot be read: {0}")]
    Message(#[from] crate::saml::XmlError),
    /// No element of it has the identifier, or it is empty.
    #[error("the message has no element to sign")]
    NoElement,
    /// The element has no canonical form, or the cryptographic library could not sign.
    #[error("the message could not be signed")]
    Failed,
}

impl VerificationKey {
    /// The key of a certificate.
    ///
    /// # Errors
    ///
    /// [`KeyError::Certificate`] if its type of key is not supported.
    pub fn new(certificate: IdpCertificate) -> Result<Self, KeyError> {
        let parsed = Certificate::from_der(certificate.der()).map_err(|_| KeyError::Certificate)?;
        let spki = &parsed.tbs_certificate.subject_public_key_info;
        let curve = spki.algorithm.parameters.as_ref();
        let curve = curve.and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
        let kind = match (spki.algorithm.oid, curve) {
            (RSA, _) => KeyKind::Rsa,
            (_, Some(P256)) => KeyKind::P256,
            (_, Some(P384)) => KeyKind::P384,
            (_, Some(P521)) => KeyKind::P521,
            _ => return Err(KeyError::Certificate),
        };
        let spki = spki.to_der().map_err(|_| KeyError::Certificate)?;
        Ok(Self {
            certificate,
            kind,
            spki,
        })
    }

    /// The certificate that it came in.
    pub fn certificate(&self) -> &IdpCertificate {
        &self.certificate
    }

    /// Whether a method can be used with this type of key.
    pub(super) fn fits(&self, method: SignatureMethod) -> bool {
        method.verifier(self.kind).is_some()
    }

    pub(super) fn verifies(&self, method: SignatureMethod, message: &[u8], signature: &[u8]) -> bool {
        method.verifier(self.kind).is_some_and(|algorithm| {
            work::count(Step::PublicKey, 1);
            UnparsedPublicKey::new(algorithm, &self.spki)
                .verify(message, signature)
                .is_ok()
        })
    }
}

/// A private RSA key of our own with its certificate.
pub struct SigningKey {
    pair: RsaKeyPair,
    certificate: Vec<u8>,
}

impl SigningKey {
    /// What it signs with.
    pub const METHOD: SignatureMethod = SignatureMethod::RsaSha256;

    /// Reads a key and its certificate.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if either cannot be read, or they do not belong together.
    pub fn from_pkcs8(pkcs8: &[u8], certificate_der: &[u8]) -> Result<Self, KeyError> {
        let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| KeyError::Rejected)?;
        let certificate = Certificate::from_der(certificate_der).map_err(|_| KeyError::Certificate)?;
        let spki = certificate.tbs_certificate.subject_public_key_info;
        // RFC 8017 appendix A.1.1: both are the DER of RSAPublicKey.
        if spki.subject_public_key.raw_bytes() != pair.public_key().as_ref() {
            return Err(KeyError::Mismatch);
        }
        Ok(Self {
            pair,
            certificate: certificate_der.to_vec(),
        })
    }

    /// Its certificate.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// Signs octets with [`SigningKey::METHOD`].
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| SigningError::Failed)?;
        Ok(signature)
    }
}

/// Shows nothing of the key.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").finish_non_exhaustive()
    }
}
