//! An identity provider's metadata document.
//!
//! Source: SAML 2.0 Metadata §2.3.2, §2.4.3.

use super::document::{Document, Element};
use super::names::{HTTP_POST, HTTP_REDIRECT, METADATA, PROTOCOL, XML_SIGNATURE};
use super::scan::{Limits, XmlError, XmlErrorKind, scan};
use super::{CertificateError, IdpCertificate, date_time};
use crate::Timestamp;
use crate::trace::printable;

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
    /// When the document ends; the caller, who knows the time, decides what that means.
    pub valid_until: Option<Timestamp>,
}

/// A document cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Not XML that can be read.
    #[error("is not an XML document that can be read: {0}")]
    Malformed(String),
    /// A document type can expand without end, and can name files.
    #[error("has a document type (<!DOCTYPE): remove it")]
    DocumentType,
    /// Longer, or of more parts, than a provider's metadata are.
    #[error("is too long for the metadata of one identity provider")]
    TooLong,
    /// The list of a federation.
    #[error("is a list of entities (EntitiesDescriptor): cut out the one EntityDescriptor that is meant")]
    Federation,
    /// A moment that is none.
    #[error("has a validUntil that is not a time with its zone")]
    ValidUntil,
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

impl From<XmlError> for MetadataError {
    fn from(error: XmlError) -> Self {
        match error.kind {
            XmlErrorKind::DocumentType => Self::DocumentType,
            XmlErrorKind::Limit(_) => Self::TooLong,
            kind @ (XmlErrorKind::Encoding | XmlErrorKind::Malformed(_) | XmlErrorKind::DuplicateId(_)) => {
                Self::Malformed(printable(&kind.to_string()))
            }
        }
    }
}

impl IdpMetadata {
    /// Reads a metadata document of one identity provider.
    ///
    /// # Errors
    ///
    /// [`MetadataError`] if it cannot be read, or lacks what a sign-in needs.
    pub fn parse(xml: &str) -> Result<Self, MetadataError> {
        // Spaces before the declaration come with copying, and mean nothing here.
        let xml = xml.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        let text = scan(xml.as_bytes(), &Limits::METADATA)?;
        let document = Document::parse(&text)?;
        let entity = document.root();
        if entity.is(METADATA, "EntitiesDescriptor") {
            return Err(MetadataError::Federation);
        }
        if !entity.is(METADATA, "EntityDescriptor") {
            return Err(MetadataError::NoProvider);
        }
        let mut providers = entity
            .children_named(METADATA, "IDPSSODescriptor")
            .filter(|provider| speaks_saml_2(*provider));
        let provider = providers.next().ok_or(MetadataError::NoProvider)?;
        if providers.next().is_some() {
            return Err(MetadataError::Several);
        }
        let entity_id = entity
            .attribute("entityID")
            .map(str::trim)
            .filter(|id| !id.is_empty())
            .ok_or(MetadataError::NoEntityId)?;
        let metadata = Self {
            entity_id: entity_id.to_owned(),
            sso_redirect_url: location(provider, "SingleSignOnService", HTTP_REDIRECT),
            sso_post_url: location(provider, "SingleSignOnService", HTTP_POST),
            slo_redirect_url: location(provider, "SingleLogoutService", HTTP_REDIRECT),
            slo_post_url: location(provider, "SingleLogoutService", HTTP_POST),
            certificates: certificates(provider)?,
            wants_signed_requests: provider
                .attribute("WantAuthnRequestsSigned")
                .is_some_and(|value| matches!(value.trim(), "true" | "1")),
            valid_until: earlier(valid_until(entity)?, valid_until(provider)?),
        };
        if metadata.sso_redirect_url.is_none() && metadata.sso_post_url.is_none() {
            return Err(MetadataError::NoSignOnAddress);
        }
        Ok(metadata)
    }
}

fn speaks_saml_2(provider: Element<'_>) -> bool {
    provider
        .attribute("protocolSupportEnumeration")
        .is_some_and(|protocols| protocols.split_ascii_whitespace().any(|name| name == PROTOCOL))
}

/// §2.3.2, §2.4.1: both may end the document.
fn valid_until(element: Element<'_>) -> Result<Option<Timestamp>, MetadataError> {
    let end = element.attribute("validUntil");
    end.map(|end| date_time::parse(end).ok_or(MetadataError::ValidUntil))
        .transpose()
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

fn location(provider: Element<'_>, service: &'static str, binding: &str) -> Option<String> {
    provider
        .children_named(METADATA, service)
        .find(|service| service.attribute("Binding") == Some(binding))
        .and_then(|service| service.attribute("Location"))
        .map(|location| location.trim().to_owned())
        .filter(|location| !location.is_empty())
}

/// §2.4.1.1: a key without a use is for signing too.
fn certificates(provider: Element<'_>) -> Result<Vec<IdpCertificate>, MetadataError> {
    let mut certificates = Vec::new();
    let found = provider
        .children_named(METADATA, "KeyDescriptor")
        .filter(|key| key.attribute("use").is_none_or(|used| used == "signing"))
        .flat_map(Element::descendants)
        .filter(|element| element.is(XML_SIGNATURE, "X509Certificate"));
    for element in found {
        let text = element.text().map_err(|_| CertificateError::Malformed);
        let certificate = text.and_then(|text| IdpCertificate::from_base64(&text));
        let certificate = certificate.map_err(MetadataError::Certificate)?;
        if !certificates.contains(&certificate) {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(MetadataError::NoCertificate);
    }
    Ok(certificates)
}
