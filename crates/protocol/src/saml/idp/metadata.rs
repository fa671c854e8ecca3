//! The metadata of an identity provider, as one publishes them.
//!
//! Source: SAML 2.0 Metadata §2.3.2, §2.4.1, §2.4.3.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::saml::NameIdFormat;
use crate::saml::escape::escape;
use crate::saml::names::{HTTP_POST, HTTP_REDIRECT, METADATA, PROTOCOL, XML_SIGNATURE};

/// The metadata of a provider that has one signing key (its certificate as DER) and one address for both bindings.
pub fn metadata(entity_id: &str, sso_url: &str, certificate_der: &[u8]) -> String {
    let (entity_id, sso_url) = (escape(entity_id), escape(sso_url));
    let certificate = STANDARD.encode(certificate_der);
    let formats: String = [
        NameIdFormat::Persistent,
        NameIdFormat::Email,
        NameIdFormat::Transient,
    ]
    .iter()
    .map(|format| format!("    <md:NameIDFormat>{}</md:NameIDFormat>\n", format.uri()))
    .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <md:EntityDescriptor xmlns:md=\"{METADATA}\" entityID=\"{entity_id}\">\n  \
         <md:IDPSSODescriptor WantAuthnRequestsSigned=\"false\" protocolSupportEnumeration=\"{PROTOCOL}\">\n    \
         <md:KeyDescriptor use=\"signing\">\n      \
         <ds:KeyInfo xmlns:ds=\"{XML_SIGNATURE}\"><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>\n    \
         </md:KeyDescriptor>\n\
         {formats}    \
         <md:SingleSignOnService Binding=\"{HTTP_REDIRECT}\" Location=\"{sso_url}\"/>\n    \
         <md:SingleSignOnService Binding=\"{HTTP_POST}\" Location=\"{sso_url}\"/>\n  \
         </md:IDPSSODescriptor>\n</md:EntityDescriptor>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saml::IdpMetadata;
    use crate::saml::test_keys::pair;

    #[test]
    fn the_reader_of_metadata_finds_all_that_was_written() {
        let (_, certificate) = pair("idp");
        let (entity_id, sso_url) = ("https://idp.test/?a=1&b=2", "https://idp.test/sso?tenant=\"x\"");
        let read = IdpMetadata::parse(&metadata(entity_id, sso_url, &certificate)).unwrap();
        assert_eq!(read.entity_id, entity_id);
        assert_eq!(read.sso_redirect_url.as_deref(), Some(sso_url));
        assert_eq!(read.sso_post_url.as_deref(), Some(sso_url));
        assert_eq!(read.certificates.len(), 1);
        assert_eq!(read.certificates[0].der(), certificate);
        assert!(!read.wants_signed_requests);
        assert_eq!(read.valid_until, None);
    }
}
