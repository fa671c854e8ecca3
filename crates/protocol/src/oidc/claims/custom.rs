//! The claims that a customer's identity provider adds.
//!
//! Source: RFC 7519 §4.2 and §4.3 (collisions of names); OIDC Core §5.1, RFC 8693 §4.4,
//! RFC 9068 §2.2.3.1 and RFC 9396 §9.1 for claims of theirs; Scalekit's list of reserved
//! names.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Top-level names that an organization's own attributes cannot take: Scalekit's list,
/// and every claim to which the standards or Genkan give a meaning.
const RESERVED: [&str; 56] = [
    "acr",
    "act",
    "address",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "authorization_details",
    "azp",
    "birthdate",
    "c_hash",
    "client_id",
    "connection_id",
    "cnf",
    "custom_claims",
    "email",
    "email_verified",
    "entitlements",
    "events",
    "exp",
    "family_name",
    "gender",
    "given_name",
    "grant_id",
    "iat",
    "identities",
    "iss",
    "jti",
    "locale",
    "may_act",
    "metadata",
    "middle_name",
    "name",
    "nbf",
    "nickname",
    "nonce",
    "oid",
    "org_id",
    "organization_id",
    "permissions",
    "phone_number",
    "phone_number_verified",
    "picture",
    "preferred_username",
    "profile",
    "roles",
    "s_hash",
    "scope",
    "scopes",
    "sid",
    "sub",
    "updated_at",
    "website",
    "xoid",
    "xuid",
    "zoneinfo",
];

/// A connection's own attributes as claims of their own, without reserved names.
///
/// A customer's identity provider may send any attribute: one named `sub` or `roles` must
/// not become ours.
///
/// ```
/// use genkan_protocol::oidc::claims::CustomClaims;
///
/// let attributes = serde_json::json!({"department": "R&D", "roles": ["admin"]});
/// let claims = CustomClaims::from(attributes.as_object().unwrap().clone());
/// assert_eq!(serde_json::to_string(&claims).unwrap(), r#"{"department":"R&D"}"#);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct CustomClaims(Map<String, Value>);

impl CustomClaims {
    /// Whether a claim of this name has a meaning of its own, so that no attribute can
    /// take it.
    ///
    /// Names are compared without regard to case. RFC 8259 §4 leaves it to each receiver
    /// what two equal names mean, and Go's `encoding/json` takes `Roles` for `roles`, if
    /// it stands later.
    ///
    /// ```
    /// use genkan_protocol::oidc::claims::CustomClaims;
    ///
    /// assert!(CustomClaims::is_reserved("Roles"));
    /// ```
    #[must_use]
    pub fn is_reserved(name: &str) -> bool {
        RESERVED
            .iter()
            .any(|reserved| reserved.eq_ignore_ascii_case(name))
    }
}

impl From<Map<String, Value>> for CustomClaims {
    fn from(mut attributes: Map<String, Value>) -> Self {
        attributes.retain(|name, _| !Self::is_reserved(name));
        Self(attributes)
    }
}

impl From<CustomClaims> for Map<String, Value> {
    fn from(claims: CustomClaims) -> Self {
        claims.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// An attack: a receiver that reads names without regard to case takes the later claim for ours.
    #[test]
    fn no_attribute_takes_a_reserved_name_in_other_letters() {
        let attributes = json!({
            "department": "R&D", "SUB": "x", "Email": "x", "ROLES": ["x"], "Nickname": "x", "s_Hash": "x",
            "Entitlements": ["x"], "May_Act": {}, "authorization_Details": []
        });
        let claims = CustomClaims::from(attributes.as_object().unwrap().clone());
        assert_eq!(serde_json::to_string(&claims).unwrap(), r#"{"department":"R&D"}"#);
    }
}
