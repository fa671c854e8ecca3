//! Signatures of our own messages.
//!
//! Source: XML-DSig §4, SAML 2.0 Core §5.4, SAML 2.0 Bindings §3.4.4.1.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{ENVELOPED, EXCLUSIVE, SigningError, SigningKey};
use crate::saml::canonical::{PrefixList, canonicalize, escaped_attribute};
use crate::saml::document::Document;
use crate::saml::names::{ASSERTION, XML_SIGNATURE};
use crate::saml::scan::{Limits, scan};

impl SigningKey {
    /// Puts an enveloped signature into the element with an identifier: behind its Issuer,
    /// where SAML Core's schema has it, or as the first thing in it.
    ///
    /// # Errors
    ///
    /// [`SigningError`] if the message cannot be read or has no such element.
    pub fn sign_enveloped(&self, xml: &str, id: &str) -> Result<String, SigningError> {
        let text = scan(xml.as_bytes(), &Limits::METADATA)?;
        let document = Document::parse(&text)?;
        let element = document
            .root()
            .descendants()
            .find(|element| element.attribute("ID") == Some(id))
            .ok_or(SigningError::NoElement)?;
        let place = match element.child(ASSERTION, "Issuer") {
            Some(issuer) => issuer.range().end,
            None => element.content_start().ok_or(SigningError::NoElement)?,
        };
        let octets = canonicalize(element, None, &PrefixList::default()).map_err(|_| SigningError::Failed)?;
        let signature = self.signature(id, digest::digest(&digest::SHA256, &octets).as_ref())?;
        let (before, after) = text.split_at_checked(place).ok_or(SigningError::NoElement)?;
        Ok(format!("{before}{signature}{after}"))
    }

    /// Signs the octets of a query (SAML Bindings §3.4.4.1).
    ///
    /// # Errors
    ///
    /// [`SigningError::Failed`] if the cryptographic library fails.
    pub fn sign_query(&self, octets: &[u8]) -> Result<Vec<u8>, SigningError> {
        self.sign(octets)
    }

    fn signature(&self, id: &str, digest: &[u8]) -> Result<String, SigningError> {
        let method = Self::METHOD.uri();
        let id = escaped_attribute(id);
        let digest = STANDARD.encode(digest);
        // Written in canonical form but for the declaration of ds, which stands further out.
        let info = format!(
            "<ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\"></ds:CanonicalizationMethod>\
             <ds:SignatureMethod Algorithm=\"{method}\"></ds:SignatureMethod>\
             <ds:Reference URI=\"#{id}\"><ds:Transforms>\
             <ds:Transform Algorithm=\"{ENVELOPED}\"></ds:Transform>\
             <ds:Transform Algorithm=\"{EXCLUSIVE}\"></ds:Transform>\
             </ds:Transforms>\
             <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></ds:DigestMethod>\
             <ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
        );
        let canonical = format!("<ds:SignedInfo xmlns:ds=\"{XML_SIGNATURE}\">{info}");
        let value = STANDARD.encode(self.sign(canonical.as_bytes())?);
        let certificate = STANDARD.encode(self.certificate_der());
        Ok(format!(
            "<ds:Signature xmlns:ds=\"{XML_SIGNATURE}\"><ds:SignedInfo>{info}\
             <ds:SignatureValue>{value}</ds:SignatureValue>\
             <ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate>\
             </ds:X509Data></ds:KeyInfo></ds:Signature>"
        ))
    }
}
