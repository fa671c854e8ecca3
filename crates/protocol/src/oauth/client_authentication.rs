//! The credentials with which a client asks for tokens.
//!
//! Source: RFC 6749 §2.3 and §3.2.1, RFC 7617 (Basic). Not supported:
//! `private_key_jwt`, `client_secret_jwt`, mutual TLS.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::bearer::strip_scheme;
use super::parameters::form_decode;
use super::{Duplicate, ErrorCode, Parameters};

/// The longest client id, in bytes.
const MAX_ID_BYTES: usize = 128;
/// The longest secret, in bytes.
const MAX_SECRET_BYTES: usize = 512;

/// The credentials that a client presents. Nothing was compared yet.
#[derive(Clone)]
pub enum Credentials {
    /// A client id and a secret.
    Secret {
        /// The client that it claims to be.
        client_id: String,
        /// Its proof.
        secret: Zeroizing<String>,
        /// The place of the secret.
        method: Method,
    },
    /// A client id alone: a public client, or a confidential one that relies on PKCE.
    Public {
        /// The client that it claims to be.
        client_id: String,
    },
}

/// The place of a client secret (OIDC Core §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `client_secret_basic`: in the `Authorization` header.
    Basic,
    /// `client_secret_post`: in the body.
    Post,
}

/// Why the credentials cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientAuthenticationError {
    /// No client id at all.
    #[error("there is no client_id: send it in the body, or in an Authorization header of the Basic scheme")]
    Missing,
    /// Credentials in two places (RFC 6749 §2.3 allows one method in a request).
    #[error("use either the Authorization header or the body for the client's credentials, not both")]
    Multiple,
    /// The Basic credentials are not base64 of an encoded id and secret.
    #[error(
        "the Basic credentials are malformed: base64 of the form-encoded client_id, a colon and the form-encoded client_secret"
    )]
    Malformed,
    /// The body names another client than the header.
    #[error("the client_id in the body is not the one in the Authorization header")]
    Mismatch,
    /// A signed assertion instead of a secret.
    #[error("client assertions are not supported: use client_secret_basic or client_secret_post")]
    Assertion,
    /// An id or secret that is longer than any.
    #[error("the client_id or client_secret is too long")]
    TooLong,
    /// A parameter is repeated.
    #[error(transparent)]
    Duplicate(#[from] Duplicate),
}

impl ClientAuthenticationError {
    /// The error code of RFC 6749 §5.2.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Missing | Self::Malformed | Self::Assertion | Self::TooLong => ErrorCode::InvalidClient,
            Self::Multiple | Self::Mismatch | Self::Duplicate(_) => ErrorCode::InvalidRequest,
        }
    }
}

impl Credentials {
    /// Reads the credentials of a request to the token, revocation or
    /// introspection endpoint.
    ///
    /// A Bearer header is ignored: two SDKs send a stale one along.
    ///
    /// ```
    /// use genkan_protocol::oauth::{Credentials, Parameters};
    ///
    /// let body = Parameters::parse(b"grant_type=client_credentials").unwrap();
    /// let credentials = Credentials::parse(&[b"Basic c2tjXzE6czNjcmV0"], &body).unwrap();
    /// assert_eq!(credentials.client_id(), "skc_1");
    /// ```
    ///
    /// # Errors
    ///
    /// A [`ClientAuthenticationError`] whose text may be sent to the client.
    pub fn parse(
        authorization_headers: &[&[u8]],
        body: &Parameters,
    ) -> Result<Self, ClientAuthenticationError> {
        use ClientAuthenticationError as Error;

        let body_id = body.one("client_id")?;
        let body_secret = body.one("client_secret")?;
        if body.one("client_assertion")?.is_some() || body.one("client_assertion_type")?.is_some() {
            return Err(Error::Assertion);
        }
        let mut basic = authorization_headers
            .iter()
            .filter_map(|header| strip_scheme(header, b"basic"));
        let credentials = match (basic.next(), basic.next()) {
            (_, Some(_)) => return Err(Error::Multiple),
            // RFC 6749 §2.3: one method in a request.
            (Some(_), None) if body_secret.is_some() => return Err(Error::Multiple),
            (Some(encoded), None) => parse_basic(encoded)?,
            (None, None) => {
                let client_id = body_id.ok_or(Error::Missing)?.to_owned();
                match body_secret {
                    Some(secret) => Self::Secret {
                        client_id,
                        secret: secret.to_owned().into(),
                        method: Method::Post,
                    },
                    None => Self::Public { client_id },
                }
            }
        };
        if body_id.is_some_and(|client_id| client_id != credentials.client_id()) {
            return Err(Error::Mismatch);
        }
        if credentials.client_id().len() > MAX_ID_BYTES || credentials.secret_len() > MAX_SECRET_BYTES {
            return Err(Error::TooLong);
        }
        Ok(credentials)
    }

    /// The client that it claims to be.
    pub fn client_id(&self) -> &str {
        match self {
            Self::Secret { client_id, .. } | Self::Public { client_id } => client_id,
        }
    }

    fn secret_len(&self) -> usize {
        match self {
            Self::Secret { secret, .. } => secret.len(),
            Self::Public { .. } => 0,
        }
    }
}

/// RFC 6749 §2.3.1: id and secret are form-encoded first, then joined by a
/// colon and put into base64 (RFC 7617 §2).
fn parse_basic(encoded: &[u8]) -> Result<Credentials, ClientAuthenticationError> {
    let malformed = ClientAuthenticationError::Malformed;
    let pair = Zeroizing::new(STANDARD.decode(encoded.trim_ascii()).map_err(|_| malformed)?);
    let colon = pair.iter().position(|byte| *byte == b':').ok_or(malformed)?;
    let decode = |part: &[u8]| {
        let text = form_decode(part)
            .and_then(|octets| String::from_utf8(octets).ok())
            .map(Zeroizing::new);
        text.filter(|text| !text.chars().any(char::is_control))
            .ok_or(malformed)
    };
    let client_id = decode(&pair[..colon])?.to_string();
    let secret = decode(&pair[colon + 1..])?;
    if client_id.is_empty() {
        return Err(malformed);
    }
    // RFC 6749 §2.3.1: an empty secret may be left out, so it is none.
    if secret.is_empty() {
        return Ok(Credentials::Public { client_id });
    }
    Ok(Credentials::Secret {
        client_id,
        secret,
        method: Method::Basic,
    })
}

/// Never shows the secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret {
                client_id, method, ..
            } => f
                .debug_struct("Secret")
                .field("client_id", client_id)
                .field("method", method)
                .finish_non_exhaustive(),
            Self::Public { client_id } => f.debug_struct("Public").field("client_id", client_id).finish(),
        }
    }
}
