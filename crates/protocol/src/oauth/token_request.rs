//! The request of a client to the token endpoint.
//!
//! Source: RFC 6749 §4.1.3, §4.4.2 and §6; RFC 7636 §4.5.

use std::fmt;

use super::{CodeVerifier, Duplicate, ErrorCode, Parameters, PkceError, Scope, ScopeError};

/// A well-formed request, by grant type.
#[derive(Clone)]
pub enum TokenRequest {
    /// A code is traded for tokens (RFC 6749 §4.1.3).
    AuthorizationCode {
        /// The code from the redirect.
        code: String,
        /// The redirect URI, which must be that of the authorization request.
        redirect_uri: Option<String>,
        /// Proof that the same client began the login.
        code_verifier: Option<CodeVerifier>,
    },
    /// New tokens for an old login (RFC 6749 §6).
    RefreshToken {
        /// The refresh token.
        refresh_token: String,
        /// A narrower scope.
        scope: Option<Scope>,
    },
    /// A token for the client itself (RFC 6749 §4.4.2).
    ClientCredentials {
        /// What the token should allow.
        scope: Option<Scope>,
    },
}

/// Why a request to the token endpoint is refused before anything is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRequestError {
    /// A required parameter is missing.
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
    /// A parameter is repeated (RFC 6749 §3.2).
    #[error(transparent)]
    Duplicate(#[from] Duplicate),
    /// Some parameter that is not known here is repeated.
    #[error("a parameter is repeated")]
    Repeated,
    /// The verifier is not one.
    #[error(transparent)]
    CodeVerifier(#[from] PkceError),
    /// The scope is malformed.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// The grant type is none of ours.
    #[error("the grant_type must be authorization_code, refresh_token or client_credentials")]
    UnsupportedGrantType,
}

impl TokenRequestError {
    /// The error code of RFC 6749 §5.2.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Missing(_) | Self::Duplicate(_) | Self::Repeated | Self::CodeVerifier(_) => {
                ErrorCode::InvalidRequest
            }
            Self::Scope(_) => ErrorCode::InvalidScope,
            Self::UnsupportedGrantType => ErrorCode::UnsupportedGrantType,
        }
    }
}

impl TokenRequest {
    /// Reads the form that a client posts.
    ///
    /// ```
    /// use genkan_protocol::oauth::{Parameters, TokenRequest};
    ///
    /// let form = Parameters::parse(b"grant_type=refresh_token&refresh_token=r1&scope=openid").unwrap();
    /// let TokenRequest::RefreshToken { refresh_token, scope } = TokenRequest::parse(&form).unwrap() else { panic!() };
    /// assert_eq!((refresh_token.as_str(), scope.unwrap().len()), ("r1", 1));
    /// ```
    ///
    /// # Errors
    ///
    /// A [`TokenRequestError`] whose text may be sent to the client.
    pub fn parse(form: &Parameters) -> Result<Self, TokenRequestError> {
        use TokenRequestError as Error;

        // RFC 6749 §3.2: request parameters must not be included more than once.
        if form.first_duplicate().is_some() {
            return Err(Error::Repeated);
        }
        let required = |name| form.one(name)?.map(str::to_owned).ok_or(Error::Missing(name));
        let scope = || {
            form.one("scope")?
                .map(Scope::parse)
                .transpose()
                .map_err(Error::from)
        };
        match form.one("grant_type")?.ok_or(Error::Missing("grant_type"))? {
            "authorization_code" => Ok(Self::AuthorizationCode {
                code: required("code")?,
                redirect_uri: form.one("redirect_uri")?.map(str::to_owned),
                code_verifier: form.one("code_verifier")?.map(CodeVerifier::parse).transpose()?,
            }),
            "refresh_token" => Ok(Self::RefreshToken {
                refresh_token: required("refresh_token")?,
                scope: scope()?,
            }),
            "client_credentials" => Ok(Self::ClientCredentials { scope: scope()? }),
            _ => Err(Error::UnsupportedGrantType),
        }
    }
}

/// Shows the grant type only: codes and tokens stay out of logs.
impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AuthorizationCode { .. } => "AuthorizationCode { .. }",
            Self::RefreshToken { .. } => "RefreshToken { .. }",
            Self::ClientCredentials { .. } => "ClientCredentials { .. }",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(form: &str) -> Result<TokenRequest, TokenRequestError> {
        TokenRequest::parse(&Parameters::parse(form.as_bytes()).unwrap())
    }

    #[test]
    fn a_code_is_read_with_what_proves_it() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let form = format!(
            "grant_type=authorization_code&code=c1&redirect_uri=https%3A%2F%2Fa%2Fcb&code_verifier={verifier}"
        );
        let TokenRequest::AuthorizationCode {
            code,
            redirect_uri,
            code_verifier,
        } = parse(&form).unwrap()
        else {
            panic!("another grant");
        };
        assert_eq!(
            (code.as_str(), redirect_uri.as_deref()),
            ("c1", Some("https://a/cb"))
        );
        assert_eq!(code_verifier.unwrap().expose(), verifier);
    }

    #[test]
    fn every_mistake_has_the_code_of_the_standard() {
        use ErrorCode as Code;
        let long = "a".repeat(129);
        for (form, code) in [
            ("", Code::InvalidRequest),
            ("grant_type=", Code::InvalidRequest),
            ("grant_type=authorization_code", Code::InvalidRequest),
            ("grant_type=authorization_code&code=", Code::InvalidRequest),
            (
                "grant_type=authorization_code&code=a&code=b",
                Code::InvalidRequest,
            ),
            (
                "grant_type=authorization_code&grant_type=refresh_token&code=a",
                Code::InvalidRequest,
            ),
            (
                "grant_type=authorization_code&code=a&code_verifier=short",
                Code::InvalidRequest,
            ),
            (
                &format!("grant_type=authorization_code&code=a&code_verifier={long}"),
                Code::InvalidRequest,
            ),
            (
                "grant_type=authorization_code&code=a&x=1&x=2",
                Code::InvalidRequest,
            ),
            ("grant_type=refresh_token", Code::InvalidRequest),
            (
                "grant_type=refresh_token&refresh_token=r&scope=a%5Cb",
                Code::InvalidScope,
            ),
            ("grant_type=client_credentials&scope=%22", Code::InvalidScope),
            (
                "grant_type=password&username=a&password=b",
                Code::UnsupportedGrantType,
            ),
            ("grant_type=implicit", Code::UnsupportedGrantType),
            ("grant_type=AUTHORIZATION_CODE&code=a", Code::UnsupportedGrantType),
            (
                "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer",
                Code::UnsupportedGrantType,
            ),
        ] {
            assert_eq!(parse(form).expect_err(form).code(), code, "{form}");
        }
    }

    #[test]
    fn codes_and_tokens_stay_out_of_logs() {
        let shown = format!(
            "{:?}",
            parse("grant_type=refresh_token&refresh_token=secret").unwrap()
        );
        assert_eq!(shown, "RefreshToken { .. }");
    }

    #[test]
    fn what_is_sent_as_a_description_has_the_characters_that_the_standard_allows() {
        use crate::oauth::client_authentication::ClientAuthenticationError as Client;
        let texts = [
            TokenRequestError::Missing("code").to_string(),
            TokenRequestError::Duplicate(Duplicate("code")).to_string(),
            TokenRequestError::Repeated.to_string(),
            TokenRequestError::CodeVerifier(PkceError::Verifier).to_string(),
            TokenRequestError::CodeVerifier(PkceError::Challenge).to_string(),
            TokenRequestError::Scope(ScopeError::Character).to_string(),
            TokenRequestError::Scope(ScopeError::TooMany).to_string(),
            TokenRequestError::UnsupportedGrantType.to_string(),
            Client::Missing.to_string(),
            Client::Multiple.to_string(),
            Client::Malformed.to_string(),
            Client::Mismatch.to_string(),
            Client::Assertion.to_string(),
            Client::TooLong.to_string(),
            crate::oauth::bearer::BearerError::Malformed.to_string(),
            crate::oauth::bearer::BearerError::Multiple.to_string(),
            crate::oauth::ParametersError::Escape.to_string(),
            crate::oauth::ParametersError::TooLong.to_string(),
            crate::oauth::ParametersError::Utf8.to_string(),
            crate::oauth::ParametersError::Control.to_string(),
        ];
        for text in texts {
            // RFC 6749 §5.2: %x20-21 / %x23-5B / %x5D-7E.
            assert!(
                text.bytes()
                    .all(|c| matches!(c, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)),
                "{text}"
            );
        }
    }
}
