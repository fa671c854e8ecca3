//! Provider metadata: what an issuer says about itself.
//!
//! Source: OIDC Discovery 1.0 §3 and §4, RFC 8414 §2, RFC 9126 §5, RFC 9207 §3, OIDC
//! Back-Channel Logout §2.1.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

/// The largest document that is read, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// The path of the document, below the issuer (OIDC Discovery §4).
const WELL_KNOWN_PATH: &str = "/.well-known/openid-configuration";

/// The metadata of an issuer: read from identity providers, and served as ours.
///
/// Members that mean nothing here are ignored; empty lists and missing
/// addresses are left out when it is served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    missing_docs,
    reason = "the names are those of OIDC Discovery §3 and RFC 8414 §2"
)]
pub struct ProviderMetadata {
    pub issuer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_session_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introspection_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushed_authorization_request_endpoint: Option<String>,
    /// RFC 9126 §5: false if it is left out.
    #[serde(skip_serializing_if = "is_false")]
    pub require_pushed_authorization_requests: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_types_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_modes_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grant_types_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subject_types_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub id_token_signing_alg_values_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revocation_endpoint_auth_methods_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub introspection_endpoint_auth_methods_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub code_challenge_methods_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prompt_values_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claims_supported: Vec<String>,
    pub claims_parameter_supported: bool,
    pub request_parameter_supported: bool,
    /// OIDC Discovery §3: true if it is left out, so ours says false.
    #[serde(default = "yes")]
    pub request_uri_parameter_supported: bool,
    pub authorization_response_iss_parameter_supported: bool,
    pub backchannel_logout_supported: bool,
    pub backchannel_logout_session_supported: bool,
}

const fn is_false(value: &bool) -> bool {
    !*value
}

fn yes() -> bool {
    true
}

/// What is wrong with an identity provider's metadata.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// More than 256 KiB.
    #[error("the document is larger than 256 KiB")]
    TooLarge,
    /// Not a JSON object, or a member has another type than the standard's.
    #[error("the document is not provider metadata in JSON")]
    Syntax(#[source] serde_json::Error),
    /// The document is another issuer's (OIDC Discovery §4.3).
    #[error(
        "the document says that its issuer is {received:?}, not {expected:?}: enter the issuer exactly as the provider writes it"
    )]
    Issuer {
        /// What was configured.
        expected: String,
        /// What the document says, cut to a length for people.
        received: String,
    },
    /// A member that is needed is missing.
    #[error("the document has no {0}")]
    Missing(&'static str),
    /// An address is not one that can be used.
    #[error("the {0} is not an https address without user name and fragment")]
    Endpoint(&'static str),
    /// The provider does not offer the authorization code flow.
    #[error("the provider does not support response_type code")]
    ResponseType,
}

impl ProviderMetadata {
    /// Reads a document that was fetched. Believe it only after
    /// [`ProviderMetadata::validate`].
    ///
    /// # Errors
    ///
    /// [`DiscoveryError::TooLarge`] or [`DiscoveryError::Syntax`].
    pub fn parse(document: &[u8]) -> Result<Self, DiscoveryError> {
        if document.len() > MAX_BYTES {
            return Err(DiscoveryError::TooLarge);
        }
        let mut members = crate::json::object(document).map_err(DiscoveryError::Syntax)?;
        // OIDC Discovery §4.2: members without a value must be left out; some write null.
        members.retain(|_, value| !value.is_null());
        serde_json::from_value(Value::Object(members)).map_err(DiscoveryError::Syntax)
    }

    /// Checks that the document is the expected issuer's and can be used for a login.
    ///
    /// Addresses must be `https`, unless the issuer itself is not (a test
    /// provider, which the caller must have allowed).
    ///
    /// ```
    /// use genkan_protocol::oidc::ProviderMetadata;
    ///
    /// let metadata = ProviderMetadata::parse(br#"{
    ///     "issuer": "https://idp.example",
    ///     "authorization_endpoint": "https://idp.example/authorize",
    ///     "token_endpoint": "https://idp.example/token",
    ///     "jwks_uri": "https://idp.example/keys"
    /// }"#).unwrap();
    /// assert!(metadata.validate("https://idp.example").is_ok());
    /// assert!(metadata.validate("https://idp.example/").is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// A [`DiscoveryError`] in words for the owner of the connection.
    pub fn validate(&self, expected_issuer: &str) -> Result<(), DiscoveryError> {
        // OIDC Discovery §4.3: exactly the issuer that was asked for. Otherwise
        // one provider could speak for another.
        if self.issuer != expected_issuer {
            return Err(DiscoveryError::Issuer {
                expected: expected_issuer.to_owned(),
                received: crate::trace::printable(&self.issuer),
            });
        }
        let insecure = expected_issuer.starts_with("http://");
        let required = [
            ("authorization_endpoint", &self.authorization_endpoint, true),
            ("token_endpoint", &self.token_endpoint, true),
            ("jwks_uri", &self.jwks_uri, true),
            ("userinfo_endpoint", &self.userinfo_endpoint, false),
            ("end_session_endpoint", &self.end_session_endpoint, false),
            (
                "pushed_authorization_request_endpoint",
                &self.pushed_authorization_request_endpoint,
                false,
            ),
        ];
        for (name, address, required) in required {
            match address {
                Some(address) if !is_endpoint(address, insecure) => {
                    return Err(DiscoveryError::Endpoint(name));
                }
                None if required => return Err(DiscoveryError::Missing(name)),
                _ => {}
            }
        }
        let types = &self.response_types_supported;
        if !types.is_empty() && !types.iter().any(|r#type| r#type == "code") {
            return Err(DiscoveryError::ResponseType);
        }
        Ok(())
    }
}

/// RFC 6749 §3.1 and §3.2: an endpoint has no fragment and uses TLS.
fn is_endpoint(address: &str, insecure: bool) -> bool {
    Url::parse(address).is_ok_and(|url| {
        (url.scheme() == "https" || insecure && url.scheme() == "http")
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    })
}

/// Where an issuer's metadata is (OIDC Discovery §4.1).
///
/// ```
/// use genkan_protocol::oidc::well_known_url;
///
/// assert_eq!(well_known_url("https://idp.example/t/"), "https://idp.example/t/.well-known/openid-configuration");
/// ```
pub fn well_known_url(issuer: &str) -> String {
    // OIDC Discovery §4.1: a final slash is removed first.
    format!("{}{WELL_KNOWN_PATH}", issuer.strip_suffix('/').unwrap_or(issuer))
}

/// The issuer of an entered text, which may be its discovery address.
///
/// ```
/// use genkan_protocol::oidc::issuer_of;
///
/// assert_eq!(issuer_of("https://idp.example/.well-known/openid-configuration"), "https://idp.example");
/// assert_eq!(issuer_of(" https://idp.example/ "), "https://idp.example/");
/// ```
pub fn issuer_of(entered: &str) -> &str {
    let entered = entered.trim();
    entered.strip_suffix(WELL_KNOWN_PATH).unwrap_or(entered)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn good() -> Value {
        json!({
            "issuer": "https://idp.example",
            "authorization_endpoint": "https://idp.example/authorize?tenant=1",
            "token_endpoint": "https://login.example:8443/token",
            "jwks_uri": "https://idp.example/keys",
            "userinfo_endpoint": "https://idp.example/me",
            "response_types_supported": ["code", "code id_token"],
        })
    }

    fn check(name: &str, value: Value) -> Result<(), DiscoveryError> {
        let mut document = good();
        document[name] = value;
        ProviderMetadata::parse(document.to_string().as_bytes())?.validate("https://idp.example")
    }

    #[test]
    fn a_good_document_is_taken_with_what_is_unknown_and_null_in_it() {
        assert!(check("x", json!({ "y": [1] })).is_ok());
        assert!(check("claims_supported", json!(null)).is_ok());
        assert!(check("end_session_endpoint", json!(null)).is_ok());
        let metadata = ProviderMetadata::parse(good().to_string().as_bytes()).unwrap();
        assert!(
            metadata.request_uri_parameter_supported,
            "OIDC Discovery §3: true if it is left out"
        );
        assert!(!metadata.authorization_response_iss_parameter_supported);
    }

    #[test]
    fn another_issuers_document_is_refused() {
        for issuer in [
            json!("https://evil.example"),
            json!("https://idp.example/"),
            json!("HTTPS://idp.example"),
            json!("http://idp.example"),
            json!(""),
            json!(null),
        ] {
            assert!(
                matches!(
                    check("issuer", issuer.clone()),
                    Err(DiscoveryError::Issuer { .. })
                ),
                "{issuer}"
            );
        }
    }

    #[test]
    fn addresses_that_cannot_be_used_are_refused() {
        for name in [
            "authorization_endpoint",
            "token_endpoint",
            "jwks_uri",
            "userinfo_endpoint",
            "end_session_endpoint",
        ] {
            for address in [
                "",
                "/token",
                "http://idp.example/x",
                "https://u:p@idp.example/",
                "https://idp.example/#x",
                "javascript:alert(1)",
                "file:///etc/passwd",
                "https://",
                "data:,x",
            ] {
                assert!(
                    matches!(check(name, json!(address)), Err(DiscoveryError::Endpoint(n)) if n == name),
                    "{name} {address}"
                );
            }
        }
        for name in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
            assert!(matches!(check(name, json!(null)), Err(DiscoveryError::Missing(n)) if n == name));
        }
        assert!(matches!(
            check("response_types_supported", json!(["id_token"])),
            Err(DiscoveryError::ResponseType)
        ));
    }

    #[test]
    fn a_document_that_is_none_is_an_error() {
        for document in [
            "",
            "[]",
            "<html>",
            r#"{"issuer":1}"#,
            r#"{"issuer":"https://a","issuer":"https://b"}"#,
        ] {
            assert!(
                matches!(
                    ProviderMetadata::parse(document.as_bytes()),
                    Err(DiscoveryError::Syntax(_))
                ),
                "{document}"
            );
        }
        let large = vec![b' '; MAX_BYTES + 1];
        assert!(matches!(
            ProviderMetadata::parse(&large),
            Err(DiscoveryError::TooLarge)
        ));
    }

    #[test]
    fn a_test_provider_without_tls_is_taken_only_as_a_whole() {
        let mut document = good().to_string().replace("https://", "http://");
        let metadata = ProviderMetadata::parse(document.as_bytes()).unwrap();
        assert!(metadata.validate("http://idp.example").is_ok());
        document = document.replace("\"http://idp.example\"", "\"https://idp.example\"");
        let mixed = ProviderMetadata::parse(document.as_bytes()).unwrap();
        assert!(matches!(
            mixed.validate("https://idp.example"),
            Err(DiscoveryError::Endpoint(_))
        ));
    }

    #[test]
    fn what_is_served_leaves_out_what_is_empty() {
        let metadata = ProviderMetadata {
            issuer: "https://a.example".into(),
            ..ProviderMetadata::default()
        };
        assert_eq!(
            serde_json::to_value(&metadata).unwrap(),
            json!({
                "issuer": "https://a.example",
                "claims_parameter_supported": false,
                "request_parameter_supported": false,
                "request_uri_parameter_supported": false,
                "authorization_response_iss_parameter_supported": false,
                "backchannel_logout_supported": false,
                "backchannel_logout_session_supported": false,
            })
        );
        let json = serde_json::to_vec(&metadata).unwrap();
        assert_eq!(ProviderMetadata::parse(&json).unwrap(), metadata);
    }
}
