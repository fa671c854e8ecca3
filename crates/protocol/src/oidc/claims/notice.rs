//! Tokens that inform an application and sign nobody in.
//!
//! Source: OIDC Back-Channel Logout §2.4, OIDC Core §4 (third-party initiated
//! login); Scalekit's IdP-initiated login.

use serde::{Deserialize, Serialize};

use super::wire::audience;

/// Tells an application that a session ended (OIDC Back-Channel Logout §2.4).
///
/// There is no `nonce`, by §2.4, so that it cannot pass for an ID token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogoutToken {
    /// The environment's URL.
    pub iss: String,
    /// The client, in an array.
    #[serde(deserialize_with = "audience")]
    pub aud: Vec<String>,
    /// `usr_…`
    pub sub: String,
    /// `ses_…`
    pub sid: String,
    /// Unique: the application remembers it until `exp`.
    pub jti: String,
    /// Seconds since 1970.
    pub iat: i64,
    /// Seconds since 1970; two minutes are recommended (§2.4).
    pub exp: i64,
    /// [`LogoutEvents`], always the same.
    pub events: LogoutEvents,
}

/// The member that makes a token a logout token (OIDC Back-Channel Logout §2.4).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogoutEvents {
    #[serde(rename = "http://schemas.openid.net/event/backchannel-logout")]
    back_channel_logout: Empty,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Empty {}

/// Tells an application that a login began at the identity provider, so that
/// the application may begin one of its own. Signs nobody in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdpInitiatedLogin {
    /// The environment's URL.
    pub iss: String,
    /// The application's address for this token. Not its client identifier,
    /// which is the audience of access tokens: anybody can have one of these
    /// signed, and the official SDKs look at the audience and not at `typ`.
    pub aud: String,
    /// `org_…`
    pub organization_id: String,
    /// `conn_…`
    pub connection_id: String,
    /// The person's e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_hint: Option<String>,
    /// Where the person wanted to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay_state: Option<String>,
    /// Seconds since 1970.
    pub iat: i64,
    /// Seconds since 1970.
    pub nbf: i64,
    /// Seconds since 1970.
    pub exp: i64,
}

impl LogoutToken {
    /// The header's `typ` (OIDC Back-Channel Logout §2.4).
    pub const TYP: &str = "logout+jwt";
}

impl IdpInitiatedLogin {
    /// The header's `typ`: no other kind of token has it (RFC 8725 §3.11).
    pub const TYP: &str = "idp-initiated+jwt";
}
