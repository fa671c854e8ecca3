//! The answer that an identity provider sends back with the browser.
//!
//! Source: RFC 6749 §4.1.2, OIDC Core §3.1.2.5 and §3.1.2.6, RFC 9207 §2.

use std::fmt;

use crate::oauth::{Duplicate, Parameters};
use crate::trace::printable;

/// The longest code that is passed on, in bytes. Entra's have some 1,500.
const MAX_CODE_BYTES: usize = 4096;

/// An answer at our callback. Believe it only after its `state` was found and is bound to
/// this browser, and after [`AuthorizationResponse::check_issuer`] passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationResponse {
    /// The `state` that we sent.
    pub state: Option<String>,
    /// The issuer that the answer names (RFC 9207 §2).
    pub iss: Option<String>,
    /// A code, or a refusal.
    pub outcome: ResponseOutcome,
}

/// What the identity provider decided.
#[derive(Clone, PartialEq, Eq)]
pub enum ResponseOutcome {
    /// The person signed in: the code to be traded for tokens.
    Code(String),
    /// They did not.
    Refused(ProviderError),
}

/// An identity provider's refusal, cut to a length for people. This is foreign text:
/// always escape it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderError {
    /// The code: one of the standards', or one of the provider's own.
    pub error: String,
    /// What the provider says about it.
    pub description: Option<String>,
}

/// Why an answer cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizationResponseError {
    /// A parameter is repeated (RFC 6749 §3.1).
    #[error(transparent)]
    Duplicate(#[from] Duplicate),
    /// Neither a code nor an error.
    #[error("the answer has neither a code nor an error")]
    Empty,
    /// Both a code and an error.
    #[error("the answer has both a code and an error")]
    Ambiguous,
    /// A code that is longer than any.
    #[error("the code is too long")]
    TooLong,
}

/// The answer is not from the identity provider that was asked: a mix-up (RFC 9207 §1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// The answer names another issuer.
    #[error("the answer is from another issuer than the one that was asked")]
    Mismatch {
        /// The issuer that was asked.
        expected: String,
        /// The issuer that answered, cut to a length for people.
        received: String,
    },
    /// The issuer promises to name itself, and did not.
    #[error("the answer does not name its issuer, although the issuer's metadata promises it")]
    Missing,
}

impl AuthorizationResponse {
    /// Reads an answer, the parameters of the callback's query.
    ///
    /// ```
    /// use genkan_protocol::oauth::Parameters;
    /// use genkan_protocol::oidc::{AuthorizationResponse, ResponseOutcome};
    ///
    /// let query = Parameters::parse(b"code=c1&state=s1&iss=https%3A%2F%2Fidp.example").unwrap();
    /// let response = AuthorizationResponse::parse(&query).unwrap();
    /// assert_eq!(response.outcome, ResponseOutcome::Code("c1".into()));
    /// assert!(response.check_issuer("https://idp.example", true).is_ok());
    /// assert!(response.check_issuer("https://evil.example", false).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// An [`AuthorizationResponseError`].
    pub fn parse(parameters: &Parameters) -> Result<Self, AuthorizationResponseError> {
        use AuthorizationResponseError as Error;

        let owned = |name| parameters.one(name).map(|value| value.map(str::to_owned));
        let outcome = match (parameters.one("code")?, parameters.one("error")?) {
            (Some(_), Some(_)) => return Err(Error::Ambiguous),
            (None, None) => return Err(Error::Empty),
            (Some(code), None) if code.len() > MAX_CODE_BYTES => return Err(Error::TooLong),
            (Some(code), None) => ResponseOutcome::Code(code.to_owned()),
            (None, Some(error)) => ResponseOutcome::Refused(ProviderError {
                error: printable(error),
                description: parameters.one("error_description")?.map(printable),
            }),
        };
        Ok(Self {
            state: owned("state")?,
            iss: owned("iss")?,
            outcome,
        })
    }

    /// Checks the issuer, for codes and refusals alike (RFC 9207 §2.4).
    ///
    /// `required`: the issuer's metadata has
    /// `authorization_response_iss_parameter_supported`.
    ///
    /// # Errors
    ///
    /// An [`IssuerError`]: the answer must then be dropped.
    pub fn check_issuer(&self, expected: &str, required: bool) -> Result<(), IssuerError> {
        match &self.iss {
            // RFC 9207 §2.4: simple string comparison.
            Some(iss) if iss == expected => Ok(()),
            Some(iss) => Err(IssuerError::Mismatch {
                expected: expected.to_owned(),
                received: printable(iss),
            }),
            None if required => Err(IssuerError::Missing),
            None => Ok(()),
        }
    }
}

/// Never shows the code.
impl fmt::Debug for ResponseOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(_) => f.write_str("Code(…)"),
            Self::Refused(error) => f.debug_tuple("Refused").field(error).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<AuthorizationResponse, AuthorizationResponseError> {
        AuthorizationResponse::parse(&Parameters::parse(query.as_bytes()).unwrap())
    }

    #[test]
    fn a_refusal_is_read_with_its_words_cut_short() {
        let query = format!(
            "error=access_denied&error_description={}&state=s1",
            "x".repeat(5000)
        );
        let response = parse(&query).unwrap();
        assert_eq!(response.state.as_deref(), Some("s1"));
        let ResponseOutcome::Refused(error) = response.outcome else {
            panic!("no refusal")
        };
        assert_eq!(error.error, "access_denied");
        assert_eq!(error.description.unwrap().chars().count(), 513);
    }

    #[test]
    fn an_answer_that_says_nothing_or_two_things_is_refused() {
        use AuthorizationResponseError as Error;
        for (query, error) in [
            ("", Error::Empty),
            ("state=s1", Error::Empty),
            ("code=&error=", Error::Empty),
            ("code=c&error=access_denied", Error::Ambiguous),
            ("code=a&code=b", Error::Duplicate(Duplicate("code"))),
            ("code=a&state=1&state=2", Error::Duplicate(Duplicate("state"))),
            (
                "code=a&iss=https%3A%2F%2Fa&iss=https%3A%2F%2Fb",
                Error::Duplicate(Duplicate("iss")),
            ),
            (
                "error=a&error_description=b&error_description=c",
                Error::Duplicate(Duplicate("error_description")),
            ),
        ] {
            assert_eq!(parse(query), Err(error), "{query}");
        }
        assert_eq!(parse(&format!("code={}", "c".repeat(4097))), Err(Error::TooLong));
    }

    #[test]
    fn a_mix_up_of_identity_providers_is_noticed_in_refusals_too() {
        for answer in ["code=c", "error=access_denied"] {
            let honest = parse(&format!("{answer}&iss=https%3A%2F%2Fidp.example")).unwrap();
            assert_eq!(honest.check_issuer("https://idp.example", true), Ok(()));
            assert!(matches!(
                honest.check_issuer("https://idp.example/", false),
                Err(IssuerError::Mismatch { .. })
            ));
            assert!(matches!(
                honest.check_issuer("https://other.example", false),
                Err(IssuerError::Mismatch { .. })
            ));
            let silent = parse(answer).unwrap();
            assert_eq!(
                silent.check_issuer("https://idp.example", true),
                Err(IssuerError::Missing)
            );
            assert_eq!(silent.check_issuer("https://idp.example", false), Ok(()));
        }
    }

    #[test]
    fn a_code_stays_out_of_logs() {
        assert!(!format!("{:?}", parse("code=c0de").unwrap()).contains("c0de"));
    }
}
