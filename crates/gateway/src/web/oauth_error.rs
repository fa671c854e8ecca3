//! Failures at endpoints that answer in OAuth's JSON.
//!
//! Source: RFC 6749 §5.2, RFC 6750 §3.

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use genkan_db::Outage;
use genkan_protocol::oauth::ErrorCode;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::outage;
use crate::keys::KeyringError;

/// A failure at an OAuth endpoint that answers in JSON.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// The caller's mistake. The description is sent, so it names no internals.
    #[error("{code:?}: {description}")]
    Client {
        code: ErrorCode,
        description: Cow<'static, str>,
    },
    /// A bearer token was missing or not valid (RFC 6750 §3.1).
    #[error("bearer token refused")]
    Bearer { challenge: BearerChallenge },
    /// The caller has asked too often (RFC 6585 §4).
    #[error("too many requests")]
    TooMany { retry_after: Duration },
    /// This node gives nothing out for now; the log says why.
    #[error("not available")]
    Unavailable,
    /// Our failure. The caller sees `server_error`, or that it passes; the log sees the source.
    #[error("store failed")]
    Store(#[from] genkan_store::Error),
    /// Our failure, while signing or reading a key.
    #[error("signing key failed")]
    Key(#[from] KeyringError),
}

/// The parameters of `WWW-Authenticate: Bearer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BearerChallenge {
    /// The token was missing, so no error code is sent (RFC 6750 §3.1).
    Missing,
    /// The request carries the token in a way that is not allowed.
    InvalidRequest,
    InvalidToken,
    InsufficientScope,
}

impl OAuthError {
    pub const fn invalid_request(description: &'static str) -> Self {
        Self::Client {
            code: ErrorCode::InvalidRequest,
            description: Cow::Borrowed(description),
        }
    }

    pub const fn invalid_grant(description: &'static str) -> Self {
        Self::Client {
            code: ErrorCode::InvalidGrant,
            description: Cow::Borrowed(description),
        }
    }

    pub const fn invalid_client(description: &'static str) -> Self {
        Self::Client {
            code: ErrorCode::InvalidClient,
            description: Cow::Borrowed(description),
        }
    }

    pub const fn unauthorized_client(description: &'static str) -> Self {
        Self::Client {
            code: ErrorCode::UnauthorizedClient,
            description: Cow::Borrowed(description),
        }
    }

    pub const fn bearer(challenge: BearerChallenge) -> Self {
        Self::Bearer { challenge }
    }
}

impl From<crate::anonymous::LimitExceeded> for OAuthError {
    fn from(too_many: crate::anonymous::LimitExceeded) -> Self {
        Self::TooMany {
            retry_after: too_many.retry_after,
        }
    }
}

impl From<genkan_db::Error> for OAuthError {
    fn from(source: genkan_db::Error) -> Self {
        Self::Store(source.into())
    }
}

#[derive(Serialize)]
struct Body<'a> {
    error: ErrorCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<&'a str>,
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let (status, error, error_description) = match &self {
            Self::Client {
                code: ErrorCode::InvalidClient,
                description,
            } => (
                StatusCode::UNAUTHORIZED,
                ErrorCode::InvalidClient,
                Some(&**description),
            ),
            Self::Client { code, description } => (StatusCode::BAD_REQUEST, *code, Some(&**description)),
            Self::Bearer { challenge } => return bearer_response(*challenge),
            Self::TooMany { .. } => (
                StatusCode::TOO_MANY_REQUESTS,
                ErrorCode::TemporarilyUnavailable,
                Some("too many requests with wrong credentials came from this address"),
            ),
            Self::Unavailable => unavailable(),
            Self::Store(error) | Self::Key(KeyringError::Store(error)) => {
                tracing::error!(error = &self as &dyn std::error::Error, "oauth endpoint failed");
                match outage::of(error) {
                    Some(Outage::Passing) => unavailable(),
                    // The change may be done, so the answer must not say to ask again.
                    Some(Outage::Unknown) => (StatusCode::GATEWAY_TIMEOUT, ErrorCode::ServerError, None),
                    None => (StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::ServerError, None),
                }
            }
            Self::Key(_) => {
                tracing::error!(error = &self as &dyn std::error::Error, "oauth endpoint failed");
                (StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::ServerError, None)
            }
        };
        let mut response = (
            status,
            no_store(),
            Json(Body {
                error,
                error_description,
            }),
        )
            .into_response();
        let retry_after = match &self {
            Self::TooMany { retry_after } => Some(*retry_after),
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Some(outage::RETRY_AFTER),
            _ => None,
        };
        if let Some(wait) = retry_after {
            let wait = HeaderValue::from(wait.as_secs());
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        if status == StatusCode::UNAUTHORIZED {
            // RFC 6749 §5.2: a 401 names the scheme the client may use.
            let challenge = HeaderValue::from_static("Basic realm=\"genkan\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// A failure that passes. RFC 6749 §5.2 has no code for it at the token endpoint; that of §4.1.2.1 says
/// it best.
const fn unavailable<'a>() -> (StatusCode, ErrorCode, Option<&'a str>) {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::TemporarilyUnavailable,
        Some("try again in a moment"),
    )
}

fn bearer_response(challenge: BearerChallenge) -> Response {
    let (status, error, header_value) = match challenge {
        BearerChallenge::Missing => (
            StatusCode::UNAUTHORIZED,
            ErrorCode::InvalidToken,
            "Bearer realm=\"genkan\"",
        ),
        BearerChallenge::InvalidRequest => (
            StatusCode::BAD_REQUEST,
            ErrorCode::InvalidRequest,
            "Bearer realm=\"genkan\", error=\"invalid_request\"",
        ),
        BearerChallenge::InvalidToken => (
            StatusCode::UNAUTHORIZED,
            ErrorCode::InvalidToken,
            "Bearer realm=\"genkan\", error=\"invalid_token\"",
        ),
        BearerChallenge::InsufficientScope => (
            StatusCode::FORBIDDEN,
            ErrorCode::InsufficientScope,
            "Bearer realm=\"genkan\", error=\"insufficient_scope\", scope=\"openid\"",
        ),
    };
    let mut response = (
        status,
        no_store(),
        Json(Body {
            error,
            error_description: None,
        }),
    )
        .into_response();
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(header_value));
    response
}

/// Token answers and their errors must not be kept by anyone (RFC 6749 §5.1).
pub const fn no_store() -> [(header::HeaderName, &'static str); 2] {
    [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")]
}
