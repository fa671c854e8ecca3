//! Our own metadata, with which an administrator registers a connection at the provider.
//!
//! Source: SAML 2.0 Metadata §2.3.2, §2.4.1, §2.4.4.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::NameIdFormat;
use super::escape::escape;
use super::names::{HTTP_POST, METADATA, PROTOCOL, XML_SIGNATURE};
use crate::Timestamp;

/// What our keys can decrypt, the best first: a provider chooses from these.
const ENCRYPTION_METHODS: [&str; 3] = [
    "http://www.w3.org/2009/xmlenc11#aes256-gcm",
    "http://www.w3.org/2009/xmlenc11#aes128-gcm",
    "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
];

/// A connection, as its identity provider has to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpMetadata<'a> {
    /// Our entity id.
    pub entity_id: &'a str,
    /// Where answers are posted.
    pub acs_url: &'a str,
    /// The end of this document, for providers that want one. Those that import a file would forget us then,
    /// so the rule is `None`.
    pub valid_until: Option<Timestamp>,
    /// Our requests are signed.
    pub requests_signed: bool,
    /// Assertions must be signed.
    pub wants_assertions_signed: bool,
    /// The format in which we want people named.
    pub name_id_format: Option<NameIdFormat>,
    /// Our certificates for signatures (DER), the one to come before it signs too.
    pub signing_certificates: &'a [Vec<u8>],
    /// Our certificates for encryption (DER). AD FS encrypts by CBC as soon as it sees
    /// one, so it is shown one only on demand.
    pub encryption_certificates: &'a [Vec<u8>],
}

impl SpMetadata<'_> {
    /// The document.
    pub fn render(&self) -> String {
        let valid_until = self
            .valid_until
            .map(|end| format!(r#" validUntil="{}""#, end.to_rfc3339()))
            .unwrap_or_default();
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <md:EntityDescriptor xmlns:md=\"{METADATA}\" entityID=\"{}\"{valid_until}>\n  \
             <md:SPSSODescriptor AuthnRequestsSigned=\"{}\" WantAssertionsSigned=\"{}\" protocolSupportEnumeration=\"{PROTOCOL}\">\n",
            escape(self.entity_id),
            self.requests_signed,
            self.wants_assertions_signed,
        );
        for certificate in self.signing_certificates {
            xml.push_str(&key("signing", certificate, &[]));
        }
        for certificate in self.encryption_certificates {
            xml.push_str(&key("encryption", certificate, &ENCRYPTION_METHODS));
        }
        if let Some(format) = self.name_id_format {
            xml.push_str(&format!(
                "    <md:NameIDFormat>{}</md:NameIDFormat>\n",
                format.uri()
            ));
        }
        xml.push_str(&format!(
            "    <md:AssertionConsumerService Binding=\"{HTTP_POST}\" Location=\"{}\" index=\"0\" isDefault=\"true\"/>\n  \
             </md:SPSSODescriptor>\n</md:EntityDescriptor>\n",
            escape(self.acs_url)
        ));
        xml
    }
}

/// §2.4.1.1. A key for encryption always says so: without a use some providers would take it for a signing key
/// too.
fn key(used: &str, certificate: &[u8], methods: &[&str]) -> String {
    let mut xml = format!(
        "    <md:KeyDescriptor use=\"{used}\">\n      <ds:KeyInfo xmlns:ds=\"{XML_SIGNATURE}\"><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>\n",
        STANDARD.encode(certificate)
    );
    for method in methods {
        xml.push_str(&format!("      <md:EncryptionMethod Algorithm=\"{method}\"/>\n"));
    }
    xml.push_str("    </md:KeyDescriptor>\n");
    xml
}
