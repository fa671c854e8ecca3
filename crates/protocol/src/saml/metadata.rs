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
    /// Certificates that stand beside that of a signing key, and are none: its chain.
    pub left_out: Vec<IdpCertificate>,
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
        let (certificates, left_out) = certificates(provider)?;
        let metadata = Self {
            entity_id: entity_id.to_owned(),
            sso_redirect_url: location(provider, "SingleSignOnService", HTTP_REDIRECT),
            sso_post_url: location(provider, "SingleSignOnService", HTTP_POST),
            slo_redirect_url: location(provider, "SingleLogoutService", HTTP_REDIRECT),
            slo_post_url: location(provider, "SingleLogoutService", HTTP_POST),
            certificates,
            left_out,
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

/// The signing keys, and the certificates that stand beside them.
///
/// §2.4.1.1: a key without a use is for signing too, and a KeyDescriptor describes one key.
///
/// XML-DSig §4.5.4: an X509Data may hold the chain of the certificate, in any order. If a company's authority
/// were a signing key, everybody who holds its key could sign its people in. So of one X509Data one certificate
/// counts: the first that has issued no other, and may issue none unless all may (those that sign themselves
/// often may). Of several X509Data in a KeyDescriptor the authorities of the others are left out in the same way.
/// Two keys of one provider while it rotates have a KeyDescriptor each.
fn certificates(provider: Element<'_>) -> Result<(Vec<IdpCertificate>, Vec<IdpCertificate>), MetadataError> {
    let (mut certificates, mut left_out) = (Vec::new(), Vec::new());
    let descriptors = provider
        .children_named(METADATA, "KeyDescriptor")
        .filter(|key| key.attribute("use").is_none_or(|used| used == "signing"));
    for descriptor in descriptors {
        let mut signers = Vec::new();
        for data in descriptor
            .descendants()
            .filter(|data| data.is(XML_SIGNATURE, "X509Data"))
        {
            let (ends, chain) = ends_of_chains(listed(data)?);
            let mut ends = ends.into_iter();
            signers.extend(ends.next());
            left_out.extend(ends.chain(chain));
        }
        let (signers, authorities) = ends_of_chains(signers);
        left_out.extend(authorities);
        for signer in signers {
            signer.check_key().map_err(MetadataError::Certificate)?;
            if !certificates.contains(&signer) {
                certificates.push(signer);
            }
        }
    }
    if certificates.is_empty() {
        return Err(MetadataError::NoCertificate);
    }
    left_out.retain(|certificate| !certificates.contains(certificate));
    Ok((certificates, left_out))
}

fn listed(data: Element<'_>) -> Result<Vec<IdpCertificate>, MetadataError> {
    let elements = data
        .descendants()
        .filter(|element| element.is(XML_SIGNATURE, "X509Certificate"));
    elements
        .map(|element| {
            let text = element.text().map_err(|_| CertificateError::Malformed);
            let certificate = text.and_then(|text| IdpCertificate::of_any_key(&text));
            certificate.map_err(MetadataError::Certificate)
        })
        .collect()
}

/// Those that have issued no other and may not, and the others.
fn ends_of_chains(all: Vec<IdpCertificate>) -> (Vec<IdpCertificate>, Vec<IdpCertificate>) {
    let is_end: Vec<bool> = all
        .iter()
        .map(|one| !all.iter().any(|other| one.has_issued(other)))
        .collect();
    let is_leaf = |(one, is_end): (&IdpCertificate, &bool)| *is_end && !one.is_authority();
    let have_leaf = all.iter().zip(&is_end).any(is_leaf);
    let (mut ends, mut chain) = (Vec::new(), Vec::new());
    for (one, is_end) in all.into_iter().zip(is_end) {
        match is_end && !(have_leaf && one.is_authority()) {
            true => ends.push(one),
            false => chain.push(one),
        }
    }
    // Names that lead in a circle.
    if ends.is_empty() && !chain.is_empty() {
        ends.push(chain.remove(0));
    }
    (ends, chain)
}
