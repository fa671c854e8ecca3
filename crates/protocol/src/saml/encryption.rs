//! Encrypted assertions.
//!
//! Source: XML Encryption 1.1, SAML 2.0 Core §6.

mod algorithm;
mod decrypt;
mod encrypt;

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rsa::{OaepPrivateDecryptingKey, PrivateDecryptingKey};

pub use algorithm::{ContentEncryption, EncryptionPolicy, KeyTransport};
pub use decrypt::{DecryptionError, decrypt, enclose};
pub use encrypt::{EncryptionError, encrypt, encrypt_as};

use super::signature::{KeyError, SigningKey};

/// A private RSA key of our own that opens what is encrypted to its certificate. A clone shares its memory.
#[derive(Clone)]
pub struct DecryptionKey {
    key: Arc<OaepPrivateDecryptingKey>,
    certificate: Arc<[u8]>,
}

impl DecryptionKey {
    /// Reads a key and its certificate.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if either cannot be read, or they do not belong together.
    pub fn from_pkcs8(pkcs8: &[u8], certificate_der: &[u8]) -> Result<Self, KeyError> {
        // The checks are those of a signing key.
        SigningKey::from_pkcs8(pkcs8, certificate_der)?;
        let key = PrivateDecryptingKey::from_pkcs8(pkcs8).map_err(|_| KeyError::Rejected)?;
        let key = OaepPrivateDecryptingKey::new(key).map_err(|_| KeyError::Rejected)?;
        Ok(Self {
            key: Arc::new(key),
            certificate: certificate_der.into(),
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

/// XML Encryption §1.3.
const XML_ENCRYPTION: &str = "http://www.w3.org/2001/04/xmlenc#";
const XML_ENCRYPTION_11: &str = "http://www.w3.org/2009/xmlenc11#";
/// XML Encryption §3.1: an element was encrypted, not its content.
const ELEMENT: &str = "http://www.w3.org/2001/04/xmlenc#Element";

#[cfg(test)]
mod tests;
