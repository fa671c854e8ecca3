//! The words in `error=…`.
//!
//! Source: RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 7009 §2.2.1, OIDC
//! Core §3.1.2.6, and the codes that Scalekit's SDKs and guides name.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! error_codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// An error code as it goes over the wire.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[doc = $doc])+ $name,)+
        }

        impl ErrorCode {
            /// Every code, in the order of the standards.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The code as it goes over the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

error_codes! {
    // RFC 6749 §4.1.2.1 and §5.2.
    /// A parameter is missing, repeated, or malformed.
    InvalidRequest = "invalid_request",
    /// The client is unknown or did not authenticate. Answered with 401 at the token endpoint.
    InvalidClient = "invalid_client",
    /// The code or refresh token is wrong, expired, used, revoked or another client's.
    InvalidGrant = "invalid_grant",
    /// The client may not do this.
    UnauthorizedClient = "unauthorized_client",
    /// The grant type is unknown.
    UnsupportedGrantType = "unsupported_grant_type",
    /// The response type is not `code`.
    UnsupportedResponseType = "unsupported_response_type",
    /// The scope is unknown, malformed or too wide.
    InvalidScope = "invalid_scope",
    /// The user or a policy said no.
    AccessDenied = "access_denied",
    /// Our failure.
    ServerError = "server_error",
    /// Try again later.
    TemporarilyUnavailable = "temporarily_unavailable",

    // RFC 6750 §3.1.
    /// The access token is expired, revoked or malformed. Answered with 401.
    InvalidToken = "invalid_token",
    /// The access token does not reach this far. Answered with 403.
    InsufficientScope = "insufficient_scope",

    // RFC 7009 §2.2.1.
    /// The kind of token cannot be revoked here.
    UnsupportedTokenType = "unsupported_token_type",

    // OIDC Core §3.1.2.6.
    /// The user must do something, and `prompt=none` forbids it.
    InteractionRequired = "interaction_required",
    /// Nobody is signed in, and `prompt=none` forbids asking.
    LoginRequired = "login_required",
    /// Several sessions fit, and `prompt=none` forbids asking.
    AccountSelectionRequired = "account_selection_required",
    /// The user must consent, and `prompt=none` forbids asking.
    ConsentRequired = "consent_required",
    /// `request_uri` could not be used.
    InvalidRequestUri = "invalid_request_uri",
    /// `request` could not be used.
    InvalidRequestObject = "invalid_request_object",
    /// `request` is not supported.
    RequestNotSupported = "request_not_supported",
    /// `request_uri` is not supported.
    RequestUriNotSupported = "request_uri_not_supported",
    /// `registration` is not supported.
    RegistrationNotSupported = "registration_not_supported",

    // Scalekit's codes for the integration of an application.
    /// The redirect URI is not registered.
    InvalidRedirectUri = "invalid_redirect_uri",
    /// Nothing in the request says which connection to use.
    InvalidConnectionSelector = "invalid_connection_selector",
    /// The organization has connections, none of them enabled.
    NoActiveConnections = "no_active_connections",
    /// The connection is not enabled.
    ConnectionNotActive = "connection_not_active",
    /// The organization has no connection.
    NoConfiguredConnections = "no_configured_connections",
    /// The organization does not exist.
    InvalidOrganizationId = "invalid_organization_id",
    /// The connection does not exist.
    InvalidConnectionId = "invalid_connection_id",
    /// No organization has this domain.
    DomainNotFound = "domain_not_found",
    /// The user's e-mail is not of the organization's domains.
    InvalidUserDomain = "invalid_user_domain",
    /// The application is switched off.
    ApplicationNotActive = "application_not_active",
    /// The user may not sign in.
    Unauthorized = "unauthorized",
    /// The user is disabled.
    UserNotActive = "user_not_active",

    // Scalekit's codes for the configuration of a connection.
    /// The identity provider did not send an attribute that is needed.
    MandatoryAttributeMissing = "mandatory_attribute_missing",
    /// The identity provider's ID token is not valid.
    InvalidIdToken = "invalid_id_token",
    /// The identity provider did not trade the code for tokens.
    FailedToExchangeToken = "failed_to_exchange_token",
    /// The identity provider did not answer at its userinfo endpoint.
    UserInfoRetrieveFailed = "user_info_retrieve_failed",
    /// A signature is wrong.
    SignatureValidationFailed = "signature_validation_failed",
    /// The identity provider did not finish the login.
    AuthenticationNotCompleted = "authentication_not_completed",
    /// The user must sign in.
    UserLoginRequired = "user_login_required",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl std::str::FromStr for ErrorCode {
    type Err = UnknownErrorCode;

    fn from_str(text: &str) -> Result<Self, UnknownErrorCode> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == text)
            .ok_or(UnknownErrorCode)
    }
}

impl<'de> serde::Deserialize<'de> for ErrorCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is none of the codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the error code is unknown")]
pub struct UnknownErrorCode;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_written_in_the_characters_that_the_standard_allows() {
        for code in ErrorCode::ALL {
            // RFC 6749 §4.1.2.1: %x20-21 / %x23-5B / %x5D-7E; ours are plainer.
            assert!(
                code.as_str().bytes().all(|c| c.is_ascii_lowercase() || c == b'_'),
                "{code}"
            );
            assert_eq!(code.as_str().parse(), Ok(*code));
        }
    }
}
