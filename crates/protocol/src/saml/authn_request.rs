//! The question that we send to an identity provider: who is this?
//!
//! Source: SAML 2.0 Core §3.4.1; Profiles §4.1.4.1.

use super::NameIdFormat;
use super::date_time;
use super::document::{Document, Element};
use super::escape::escape;
use super::names::{ASSERTION, HTTP_POST, PROTOCOL};
use super::scan::{Limits, scan};
use crate::Timestamp;

/// A request to authenticate a person.
///
/// Always with Destination (Keycloak refuses a request without), and with the address
/// and the binding of the answer, so that nothing depends on defaults at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthnRequest {
    /// Its identifier, which the answer repeats in InResponseTo. An XML name: it cannot
    /// begin with a digit (Core §1.3.4).
    pub id: String,
    /// When it was made.
    pub issue_instant: Timestamp,
    /// Where it is sent.
    pub destination: String,
    /// Where the answer is to be posted.
    pub acs_url: String,
    /// Our entity id.
    pub issuer: String,
    /// The provider must ask for credentials, whatever session it has.
    pub force_authn: bool,
    /// In which format the provider should name the person; `None`: as it likes.
    pub name_id_format: Option<NameIdFormat>,
    /// How the person should sign in; `None`: as the provider likes. Entra ID refuses
    /// people with a passkey where a password is requested, so `None` is the rule.
    pub requested_context: Option<RequestedContext>,
}

/// How a person should sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedContext {
    /// AuthnContextClassRefs, of which one suffices.
    pub classes: Vec<String>,
    /// How the provider compares them.
    pub comparison: ContextComparison,
}

/// Core §3.3.2.2.1. The other two comparisons need an order of classes, which the
/// standard leaves open, and nobody asked for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContextComparison {
    /// One of these.
    Exact,
    /// One of these or, as the provider sees it, a stronger one.
    Minimum,
}

impl RequestedContext {
    /// Whether the class of an answer is one of those requested. Only the provider knows
    /// which class is stronger than another, so a stronger one is refused too: providers
    /// that ignore the request would otherwise seem to have met it.
    pub fn admits(&self, class: &str) -> bool {
        self.classes.iter().any(|wanted| wanted == class)
    }
}

/// A text is no request to authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an AuthnRequest of SAML 2.0: {0}")]
pub struct AuthnRequestError(&'static str);

impl AuthnRequest {
    /// The request as XML, not signed.
    pub fn render(&self) -> String {
        let mut xml = format!(
            r#"<samlp:AuthnRequest xmlns:samlp="{PROTOCOL}" xmlns:saml="{ASSERTION}" ID="{id}" Version="2.0" IssueInstant="{at}" Destination="{destination}"{force} ProtocolBinding="{HTTP_POST}" AssertionConsumerServiceURL="{acs}"><saml:Issuer>{issuer}</saml:Issuer>"#,
            id = escape(&self.id),
            at = self.issue_instant.to_rfc3339(),
            destination = escape(&self.destination),
            force = if self.force_authn {
                r#" ForceAuthn="true""#
            } else {
                ""
            },
            acs = escape(&self.acs_url),
            issuer = escape(&self.issuer),
        );
        if let Some(format) = self.name_id_format {
            xml.push_str(&format!(
                r#"<samlp:NameIDPolicy Format="{}" AllowCreate="true"/>"#,
                format.uri()
            ));
        }
        if let Some(context) = &self.requested_context {
            let comparison = match context.comparison {
                ContextComparison::Exact => "exact",
                ContextComparison::Minimum => "minimum",
            };
            xml.push_str(&format!(
                r#"<samlp:RequestedAuthnContext Comparison="{comparison}">"#
            ));
            for class in &context.classes {
                xml.push_str(&format!(
                    "<saml:AuthnContextClassRef>{}</saml:AuthnContextClassRef>",
                    escape(class)
                ));
            }
            xml.push_str("</samlp:RequestedAuthnContext>");
        }
        xml.push_str("</samlp:AuthnRequest>");
        xml
    }

    /// Reads a request, as the simulated identity provider does. A signature in it is
    /// not verified.
    ///
    /// # Errors
    ///
    /// [`AuthnRequestError`] if it is none, or lacks what an answer needs.
    pub fn parse(octets: &[u8]) -> Result<Self, AuthnRequestError> {
        let error = AuthnRequestError;
        let text = scan(octets, &Limits::MESSAGE).map_err(|_| error("it is not XML that can be read"))?;
        let document = Document::parse(&text).map_err(|_| error("it is not XML that can be read"))?;
        let root = document.root();
        if !root.is(PROTOCOL, "AuthnRequest") {
            return Err(error("it is another message"));
        }
        if root.attribute("Version") != Some("2.0") {
            return Err(error("it is of another version"));
        }
        let required = |name, why| {
            let value = root.attribute(name).map(str::trim);
            value
                .filter(|value| !value.is_empty())
                .map(ToOwned::to_owned)
                .ok_or(error(why))
        };
        let policy = root.child(PROTOCOL, "NameIDPolicy");
        Ok(Self {
            id: required("ID", "it has no ID")?,
            issue_instant: root
                .attribute("IssueInstant")
                .and_then(date_time::parse)
                .ok_or(error("it has no IssueInstant"))?,
            destination: root.attribute("Destination").unwrap_or_default().to_owned(),
            acs_url: required(
                "AssertionConsumerServiceURL",
                "it has no AssertionConsumerServiceURL",
            )?,
            issuer: root
                .child(ASSERTION, "Issuer")
                .and_then(|issuer| issuer.text().ok())
                .map(|issuer| issuer.trim().to_owned())
                .filter(|issuer| !issuer.is_empty())
                .ok_or(error("it has no Issuer"))?,
            force_authn: matches!(root.attribute("ForceAuthn"), Some("true" | "1")),
            name_id_format: policy
                .and_then(|policy| policy.attribute("Format"))
                .and_then(NameIdFormat::from_uri),
            requested_context: root
                .child(PROTOCOL, "RequestedAuthnContext")
                .map(requested_context),
        })
    }
}

fn requested_context(element: Element<'_>) -> RequestedContext {
    let classes = element.children_named(ASSERTION, "AuthnContextClassRef");
    RequestedContext {
        classes: classes.filter_map(|class| class.text().ok()).collect(),
        comparison: match element.attribute("Comparison") {
            None | Some("exact") => ContextComparison::Exact,
            Some(_) => ContextComparison::Minimum,
        },
    }
}
