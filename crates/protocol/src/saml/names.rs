//! The names of namespaces and of the few values that SAML fixes.
//!
//! Source: SAML 2.0 Core §1.1, §8; Metadata §1.1; Bindings §3.4, §3.5.

pub(super) const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
pub(super) const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
pub(super) const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
pub(super) const XML_SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#";

pub(super) const HTTP_POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
pub(super) const HTTP_REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";

/// Profiles §3.3.
pub(super) const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
/// Core §8.3.6.
pub(super) const ENTITY: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity";
/// Core §3.2.2.2: the beginning of every status.
pub(super) const STATUS: &str = "urn:oasis:names:tc:SAML:2.0:status:";
