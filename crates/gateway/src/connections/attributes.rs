//! From a provider's claims to a person.
//!
//! Source: OIDC Core §5.1 for the default names.

use std::collections::BTreeMap;

use genkan_protocol::{EmailAddress, name};
use genkan_store::identity::Profile;
use serde_json::{Map, Value};

/// More groups than this are cut: an access token must still fit into a header.
const MAX_GROUPS: usize = 200;

/// What was found in the claims.
#[derive(Debug)]
pub struct Mapped {
    pub email: EmailAddress,
    pub profile: Profile,
    pub groups: Option<Vec<String>>,
    pub roles: Option<Vec<String>>,
}

/// Why no person could be made of the claims.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    #[error("the claim {claim} with the e-mail address is missing")]
    EmailMissing { claim: String },
    #[error("the claim {claim} is not an e-mail address")]
    EmailMalformed { claim: String },
}

/// Where each attribute is found.
#[derive(Debug)]
pub struct Mapping<'a> {
    /// Our attribute → the provider's claim, where it differs from the standard's name.
    pub attributes: &'a BTreeMap<String, String>,
    pub groups_claim: Option<&'a str>,
    pub roles_claim: Option<&'a str>,
}

impl Mapping<'_> {
    fn claim<'b>(&'b self, attribute: &'b str) -> &'b str {
        self.attributes.get(attribute).map_or(attribute, String::as_str)
    }

    fn text(&self, claims: &Map<String, Value>, attribute: &str) -> Option<String> {
        let text = claims.get(self.claim(attribute))?.as_str()?.trim();
        // Names are shown on pages and put into tokens: bounded, one line.
        let clean: String = name::clean(text).chars().take(255).collect();
        (!clean.is_empty()).then_some(clean)
    }

    /// Applies the mapping.
    ///
    /// # Errors
    ///
    /// [`MappingError`] if there is no usable e-mail address.
    pub fn apply(&self, claims: &Map<String, Value>) -> Result<Mapped, MappingError> {
        let claim = || self.claim("email").to_owned();
        let email = claims
            .get(self.claim("email"))
            .and_then(Value::as_str)
            .ok_or_else(|| MappingError::EmailMissing { claim: claim() })?
            .trim();
        let email =
            EmailAddress::parse(email).map_err(|_| MappingError::EmailMalformed { claim: claim() })?;
        Ok(Mapped {
            profile: Profile {
                email: Some(email.clone()),
                email_verified: verified(claims),
                name: self.text(claims, "name"),
                given_name: self.text(claims, "given_name"),
                family_name: self.text(claims, "family_name"),
                picture: self
                    .text(claims, "picture")
                    .filter(|url| url.starts_with("https://")),
                locale: self.text(claims, "locale"),
            },
            email,
            groups: list(claims, self.groups_claim.unwrap_or("groups")),
            roles: list(claims, self.roles_claim.unwrap_or("roles")),
        })
    }
}

/// What the provider says of its own address check; nothing if it does not say.
fn verified(claims: &Map<String, Value>) -> Option<bool> {
    match claims.get("email_verified")? {
        Value::Bool(verified) => Some(*verified),
        // Some providers send text (a known deviation of OIDC Core §5.1). What is
        // not clearly true counts as a doubt.
        Value::String(text) => Some(text == "true"),
        Value::Null => None,
        _ => Some(false),
    }
}

/// A claim that holds one text or several.
fn list(claims: &Map<String, Value>, claim: &str) -> Option<Vec<String>> {
    let found = match claims.get(claim)? {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many
            .iter()
            .filter_map(Value::as_str)
            .map(ToOwned::to_owned)
            .collect(),
        _ => return None,
    };
    let mut bounded: Vec<String> = found
        .into_iter()
        .filter(|name| !name.is_empty() && name.len() <= 255)
        .take(MAX_GROUPS)
        .collect();
    bounded.sort_unstable();
    bounded.dedup();
    Some(bounded)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn apply(attributes: &[(&str, &str)], claims: &Value) -> Result<Mapped, MappingError> {
        let attributes = attributes
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let mapping = Mapping {
            attributes: &attributes,
            groups_claim: None,
            roles_claim: Some("app_roles"),
        };
        mapping.apply(claims.as_object().unwrap())
    }

    #[test]
    fn standard_claims_need_no_mapping() {
        let mapped = apply(
            &[],
            &json!({"email": "Ada@Example.com", "email_verified": true, "given_name": "Ada", "groups": ["b", "a", "a"]}),
        )
        .unwrap();
        assert_eq!(mapped.email.as_str(), "ada@example.com");
        assert_eq!(mapped.profile.email_verified, Some(true));
        assert_eq!(mapped.profile.given_name.as_deref(), Some("Ada"));
        assert_eq!(mapped.groups.unwrap(), ["a", "b"]);
        assert_eq!(mapped.roles, None);
    }

    #[test]
    fn a_mapping_names_the_providers_own_claims() {
        let mapped = apply(
            &[("email", "upn")],
            &json!({"upn": "ada@example.com", "app_roles": "admin"}),
        )
        .unwrap();
        assert_eq!(mapped.email.as_str(), "ada@example.com");
        assert_eq!(mapped.roles.unwrap(), ["admin"]);
    }

    #[test]
    fn without_an_address_there_is_nobody() {
        let missing = MappingError::EmailMissing {
            claim: "email".to_owned(),
        };
        assert_eq!(apply(&[], &json!({})).unwrap_err(), missing);
        assert_eq!(apply(&[], &json!({"email": 7})).unwrap_err(), missing);
        assert!(matches!(
            apply(&[], &json!({"email": "ada"})).unwrap_err(),
            MappingError::EmailMalformed { .. }
        ));
    }

    #[test]
    fn only_a_true_claim_verifies_an_address() {
        let verified = |value: Value| {
            apply(&[], &json!({"email": "a@example.com", "email_verified": value}))
                .unwrap()
                .profile
                .email_verified
        };
        assert_eq!(
            (verified(json!(true)), verified(json!("true"))),
            (Some(true), Some(true))
        );
        for not in [json!(false), json!("false"), json!(1), json!("yes"), json!("")] {
            assert_eq!(verified(not.clone()), Some(false), "{not}");
        }
        assert_eq!(verified(json!(null)), None);
    }
}
