//! An identity provider's metadata document.
//!
//! Source: SAML 2.0 Metadata §2.3.2, §2.4.3.

use roxmltree::{Document, Node, ParsingOptions};

use super::{CertificateError, IdpCertificate};

const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const XML_SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#";
const BINDINGS: &str = "urn:oasis:names:tc:SAML:2.0:bindings:";

/// The longest document. Federations publish thousands of providers in one; those are not supported.
const MAX_BYTES: usize = 1024 * 1024;
const MAX_NODES: u32 = 20_000;

/// An identity provider, as its metadata document describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdpMetadata {
    /// Its entity id.
    pub entity_id: String,
    /// Where a browser is sent by redirect.
    pub sso_redirect_url: Option<String>,
    /// Where a browser posts a form.
    pub sso_post_url: Option<String>,
    /// Where a logout is sent by redirect.
    pub slo_redirect_url: Option<String>,
    /// Where a logout is posted.
    pub slo_post_url: Option<String>,
    /// Its signing keys, in the document's order.
    pub certificates: Vec<IdpCertificate>,
    /// It wants our requests signed.
    pub wants_signed_requests: bool,
}

/// A document cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Not XML, or XML with a document type: those can be made to expand without end.
    #[error("is not an XML document that can be read")]
    Malformed,
    /// Longer than a provider's metadata are.
    #[error("is too long for the metadata of one identity provider")]
    TooLong,
    /// No identity provider in it.
    #[error("describes no identity provider (IDPSSODescriptor) of SAML 2.0")]
    NoProvider,
    /// More than one.
    #[error("describes several identity providers: cut out the one that is meant")]
    Several,
    /// It has no name.
    #[error("has no entityID")]
    NoEntityId,
    /// No address for sign-in.
    #[error("names no address for sign-in by redirect or form (SingleSignOnService)")]
    NoSignOnAddress,
    /// No key that verifies answers.
    #[error("holds no signing certificate")]
    NoCertificate,
    /// A certificate in it cannot be used.
    #[error("a certificate of the document {0}")]
    Certificate(CertificateError),
}

impl IdpMetadata {
    /// Reads a metadata document of one identity provider.
    ///
    /// # Errors
    ///
    /// [`MetadataError`] if it cannot be read, or lacks what a sign-in needs.
    pub fn parse(xml: &str) -> Result<Self, MetadataError> {
        if xml.len() > MAX_BYTES {
            return Err(MetadataError::TooLong);
        }
        let options = ParsingOptions {
            // A document type can expand without end, and can name files.
            allow_dtd: false,
            nodes_limit: MAX_NODES,
            ..ParsingOptions::default()
        };
        let xml = xml.trim_start_matches('\u{feff}');
        let document = Document::parse_with_options(xml, options).map_err(|_| MetadataError::Malformed)?;
        let mut providers = document
            .descendants()
            .filter(|node| node.has_tag_name((METADATA, "IDPSSODescriptor")))
            .filter(|node| speaks_saml_2(*node));
        let provider = providers.next().ok_or(MetadataError::NoProvider)?;
        if providers.next().is_some() {
            return Err(MetadataError::Several);
        }
        let entity_id = provider
            .parent_element()
            .filter(|entity| entity.has_tag_name((METADATA, "EntityDescriptor")))
            .and_then(|entity| entity.attribute("entityID"))
            .map(str::trim)
            .filter(|id| !id.is_empty())
            .ok_or(MetadataError::NoEntityId)?;
        let metadata = Self {
            entity_id: entity_id.to_owned(),
            sso_redirect_url: location(provider, "SingleSignOnService", "HTTP-Redirect"),
            sso_post_url: location(provider, "SingleSignOnService", "HTTP-POST"),
            slo_redirect_url: location(provider, "SingleLogoutService", "HTTP-Redirect"),
            slo_post_url: location(provider, "SingleLogoutService", "HTTP-POST"),
            certificates: certificates(provider)?,
            wants_signed_requests: provider
                .attribute("WantAuthnRequestsSigned")
                .is_some_and(|value| matches!(value, "true" | "1")),
        };
        if metadata.sso_redirect_url.is_none() && metadata.sso_post_url.is_none() {
            return Err(MetadataError::NoSignOnAddress);
        }
        Ok(metadata)
    }
}

fn speaks_saml_2(provider: Node<'_, '_>) -> bool {
    provider
        .attribute("protocolSupportEnumeration")
        .is_some_and(|protocols| protocols.split_ascii_whitespace().any(|name| name == PROTOCOL))
}

fn location(provider: Node<'_, '_>, service: &str, binding: &str) -> Option<String> {
    provider
        .children()
        .filter(|node| node.has_tag_name((METADATA, service)))
        .find(|node| {
            let named = node.attribute("Binding").unwrap_or_default();
            named.strip_prefix(BINDINGS) == Some(binding)
        })
        .and_then(|node| node.attribute("Location"))
        .map(|location| location.trim().to_owned())
        .filter(|location| !location.is_empty())
}

/// §2.4.1.1: a key without a use is for signing too.
fn certificates(provider: Node<'_, '_>) -> Result<Vec<IdpCertificate>, MetadataError> {
    let mut certificates = Vec::new();
    let texts = provider
        .children()
        .filter(|node| node.has_tag_name((METADATA, "KeyDescriptor")))
        .filter(|node| node.attribute("use").is_none_or(|used| used == "signing"))
        .flat_map(|node| node.descendants())
        .filter(|node| node.has_tag_name((XML_SIGNATURE, "X509Certificate")))
        .filter_map(|node| node.text());
    for text in texts {
        let certificate = IdpCertificate::from_base64(text).map_err(MetadataError::Certificate)?;
        if !certificates.contains(&certificate) {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(MetadataError::NoCertificate);
    }
    Ok(certificates)
}
