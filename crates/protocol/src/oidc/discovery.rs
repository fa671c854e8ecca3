//! Provider metadata: what an issuer says about itself.
//!
//! Source: OIDC Discovery 1.0 §3 and §4, RFC 8414 §2, RFC 9207 §3, OIDC
//! Back-Channel Logout §2.1.

use serde::{Deserialize, Serialize};
use url::Url;

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

fn yes() -> bool {
    true
}

/// What is wrong with an identity provider's metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
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
    /// Checks that the document is the expected issuer's and can be used for a login.
    ///
    /// Addresses must be `https`, unless the issuer itself is not (a test
    /// provider, which the caller must have allowed).
    ///
    /// ```
    /// use genkan_protocol::oidc::ProviderMetadata;
    ///
    /// let metadata: ProviderMetadata = serde_json::from_str(r#"{
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
            && url.has_host()
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

/// The issuer that somebody means who may have entered its discovery address.
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
