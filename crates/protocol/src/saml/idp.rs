//! The other side: an answer as an identity provider makes it, for the simulated provider and for tests.
//!
//! Every value can be set, so that the provider can misbehave.
//!
//! Source: SAML 2.0 Core §2.3.3, §3.3.3; Profiles §4.1.4.2.

mod metadata;

use std::time::Duration;

pub use self::metadata::metadata;

use super::assertion::NameId;
use super::encryption::{EncryptionError, encrypt};
use super::escape::escape;
use super::names::{ASSERTION, BEARER, PROTOCOL, STATUS};
use super::signature::{SigningError, SigningKey};
use super::{AuthnRequest, NameIdFormat};
use crate::Timestamp;

/// A day is too short for no assertion, and five minutes are usual.
const LIFETIME: Duration = Duration::from_secs(300);

/// An answer that signs a person in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdpResponse {
    /// The identifier of the Response.
    pub id: String,
    /// The identifier of the Assertion.
    pub assertion_id: String,
    /// When both were made.
    pub issue_instant: Timestamp,
    /// The provider's entity id.
    pub issuer: String,
    /// The address that the Response is for.
    pub destination: Option<String>,
    /// The request that is answered.
    pub in_response_to: Option<String>,
    /// The address that the Assertion is for.
    pub recipient: String,
    /// The service that the Assertion is for.
    pub audience: String,
    /// From when it holds.
    pub not_before: Timestamp,
    /// Until when it holds.
    pub not_on_or_after: Timestamp,
    /// The person's name.
    pub name_id: NameId,
    /// When the person signed in.
    pub authn_instant: Timestamp,
    /// How the person signed in.
    pub authn_context: String,
    /// The provider's session.
    pub session_index: Option<String>,
    /// When that ends.
    pub session_ends_at: Option<Timestamp>,
    /// What else is said of the person, by name.
    pub attributes: Vec<(String, Vec<String>)>,
}

/// How an answer is protected.
#[derive(Debug, Clone, Copy, Default)]
pub struct Protection<'p> {
    /// Signs the Response.
    pub response_key: Option<&'p SigningKey>,
    /// Signs the Assertion.
    pub assertion_key: Option<&'p SigningKey>,
    /// The certificate (DER) that the Assertion is encrypted to.
    pub encrypt_to: Option<&'p [u8]>,
}

/// An answer cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdpError {
    /// It cannot be signed.
    #[error("the answer could not be signed: {0}")]
    Signing(#[from] SigningError),
    /// It cannot be encrypted.
    #[error("the assertion could not be encrypted: {0}")]
    Encryption(#[from] EncryptionError),
}

impl IdpResponse {
    /// An honest answer to a request: `secret` makes the identifiers and must differ each time.
    pub fn to_request(
        request: &AuthnRequest,
        issuer: &str,
        secret: &str,
        name_id: NameId,
        now: Timestamp,
    ) -> Self {
        Self {
            id: format!("_r{secret}"),
            assertion_id: format!("_a{secret}"),
            issue_instant: now,
            issuer: issuer.to_owned(),
            destination: Some(request.acs_url.clone()),
            in_response_to: Some(request.id.clone()),
            recipient: request.acs_url.clone(),
            audience: request.issuer.clone(),
            not_before: now,
            not_on_or_after: now + LIFETIME,
            name_id,
            authn_instant: now,
            authn_context: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport".to_owned(),
            session_index: Some(format!("_s{secret}")),
            session_ends_at: None,
            attributes: Vec::new(),
        }
    }

    /// The answer as XML.
    ///
    /// # Errors
    ///
    /// [`IdpError`] if it cannot be protected as it should be.
    pub fn render(&self, protection: &Protection<'_>) -> Result<String, IdpError> {
        let mut assertion = self.assertion();
        if let Some(key) = protection.assertion_key {
            assertion = key.sign_enveloped(&assertion, &self.assertion_id)?;
        }
        if let Some(certificate) = protection.encrypt_to {
            assertion = encrypt(assertion.as_bytes(), certificate)?;
        }
        let response = format!(
            "{}<samlp:Status><samlp:StatusCode Value=\"{STATUS}Success\"/></samlp:Status>{assertion}</samlp:Response>",
            self.head()
        );
        self.sign(response, protection)
    }

    /// An answer that signs nobody in: the end of a code of Core §3.2.2.2, such as
    /// `Responder`, another within it, and a message.
    ///
    /// # Errors
    ///
    /// [`IdpError`] if it cannot be signed.
    pub fn render_failure(
        &self,
        code: &str,
        detail: Option<&str>,
        message: Option<&str>,
        protection: &Protection<'_>,
    ) -> Result<String, IdpError> {
        let detail =
            detail.map(|detail| format!(r#"<samlp:StatusCode Value="{STATUS}{}"/>"#, escape(detail)));
        let message = message.map(|message| element("samlp:StatusMessage", message));
        let response = format!(
            "{}<samlp:Status><samlp:StatusCode Value=\"{STATUS}{}\">{}</samlp:StatusCode>{}</samlp:Status></samlp:Response>",
            self.head(),
            escape(code),
            detail.unwrap_or_default(),
            message.unwrap_or_default(),
        );
        self.sign(response, protection)
    }

    fn sign(&self, response: String, protection: &Protection<'_>) -> Result<String, IdpError> {
        Ok(match protection.response_key {
            Some(key) => key.sign_enveloped(&response, &self.id)?,
            None => response,
        })
    }

    fn head(&self) -> String {
        format!(
            r#"<samlp:Response xmlns:samlp="{PROTOCOL}" xmlns:saml="{ASSERTION}" ID="{}" Version="2.0" IssueInstant="{}"{}{}>{}"#,
            escape(&self.id),
            self.issue_instant.to_rfc3339(),
            attribute("Destination", self.destination.as_deref()),
            attribute("InResponseTo", self.in_response_to.as_deref()),
            element("saml:Issuer", &self.issuer),
        )
    }

    fn assertion(&self) -> String {
        let (start, end) = (self.not_before.to_rfc3339(), self.not_on_or_after.to_rfc3339());
        let session_end = self.session_ends_at.map(Timestamp::to_rfc3339);
        format!(
            r#"<saml:Assertion xmlns:saml="{ASSERTION}" ID="{id}" Version="2.0" IssueInstant="{at}">{issuer}<saml:Subject>{name_id}<saml:SubjectConfirmation Method="{BEARER}"><saml:SubjectConfirmationData NotOnOrAfter="{end}"{recipient}{in_response_to}/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{start}" NotOnOrAfter="{end}"><saml:AudienceRestriction>{audience}</saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{authn}"{session_index}{session_end}><saml:AuthnContext>{context}</saml:AuthnContext></saml:AuthnStatement>{attributes}</saml:Assertion>"#,
            id = escape(&self.assertion_id),
            at = self.issue_instant.to_rfc3339(),
            issuer = element("saml:Issuer", &self.issuer),
            name_id = name_id(&self.name_id),
            recipient = attribute("Recipient", Some(&self.recipient)),
            in_response_to = attribute("InResponseTo", self.in_response_to.as_deref()),
            audience = element("saml:Audience", &self.audience),
            authn = self.authn_instant.to_rfc3339(),
            session_index = attribute("SessionIndex", self.session_index.as_deref()),
            session_end = attribute("SessionNotOnOrAfter", session_end.as_deref()),
            context = element("saml:AuthnContextClassRef", &self.authn_context),
            attributes = attributes(&self.attributes),
        )
    }
}

impl NameId {
    /// A name of a format.
    pub fn new(value: impl Into<String>, format: NameIdFormat) -> Self {
        Self {
            value: value.into(),
            format: Some(format.uri().to_owned()),
            name_qualifier: None,
            sp_name_qualifier: None,
        }
    }
}

fn name_id(name: &NameId) -> String {
    format!(
        "<saml:NameID{}{}{}>{}</saml:NameID>",
        attribute("Format", name.format.as_deref()),
        attribute("NameQualifier", name.name_qualifier.as_deref()),
        attribute("SPNameQualifier", name.sp_name_qualifier.as_deref()),
        escape(&name.value)
    )
}

fn attributes(attributes: &[(String, Vec<String>)]) -> String {
    if attributes.is_empty() {
        return String::new();
    }
    let one = |(name, values): &(String, Vec<String>)| {
        let values: String = values
            .iter()
            .map(|value| element("saml:AttributeValue", value))
            .collect();
        format!(
            r#"<saml:Attribute Name="{}">{values}</saml:Attribute>"#,
            escape(name)
        )
    };
    let all: String = attributes.iter().map(one).collect();
    format!("<saml:AttributeStatement>{all}</saml:AttributeStatement>")
}

fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

fn attribute(name: &str, value: Option<&str>) -> String {
    value.map_or_else(String::new, |value| format!(r#" {name}="{}""#, escape(value)))
}
