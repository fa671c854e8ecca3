//! A provider's answer at its userinfo endpoint.
//!
//! Source: OIDC Core §5.3.2, §5.6.2.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::Timestamp;
use crate::jose::Verified;

/// Why an answer is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserInfoError {
    /// Not a JSON object in which each name occurs once.
    #[error("it is not a JSON object")]
    Malformed,
    /// A signed answer of somebody else.
    #[error("it is signed in the name of another issuer")]
    Issuer,
    /// A signed answer that was made for another application.
    #[error("it was signed for another application")]
    Audience,
    /// A signed answer whose time is over.
    #[error("its signature has expired")]
    Expired,
}

/// Reads an unsigned answer.
///
/// # Errors
///
/// [`UserInfoError::Malformed`].
pub fn parse(body: &[u8]) -> Result<Map<String, Value>, UserInfoError> {
    crate::json::object(body).map_err(|_| UserInfoError::Malformed)
}

/// The claims of a signed answer whose signature was verified with the provider's
/// keys. OIDC Core §5.3.2: it names its issuer, and us as its audience. Without
/// these it could be any token that the provider ever signed.
///
/// # Errors
///
/// [`UserInfoError`] if a claim is missing or wrong.
pub fn validate_signed(
    answer: Verified,
    issuer: &str,
    client_id: &str,
    (now, skew): (Timestamp, Duration),
) -> Result<Map<String, Value>, UserInfoError> {
    let claims = answer.claims;
    if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
        return Err(UserInfoError::Issuer);
    }
    let is_for_us = match claims.get("aud") {
        Some(Value::String(aud)) => aud == client_id,
        Some(Value::Array(auds)) => auds.iter().any(|aud| aud.as_str() == Some(client_id)),
        _ => false,
    };
    if !is_for_us {
        return Err(UserInfoError::Audience);
    }
    // RFC 7519 §4.1.4: it is optional; if it is present, it counts.
    let lives = match claims.get("exp") {
        None => true,
        Some(exp) => exp
            .as_f64()
            .is_some_and(|exp| seconds(now) < exp + skew.as_secs_f64()),
    };
    if !lives {
        return Err(UserInfoError::Expired);
    }
    Ok(claims)
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
fn seconds(at: Timestamp) -> f64 {
    at.as_secs() as f64
}

/// Whether a document says that `claim` exists elsewhere, so that its absence means
/// nothing: it is a distributed or aggregated claim (OIDC Core §5.6.2). Entra ID answers
/// so for people with very many groups.
pub fn is_kept_elsewhere(document: &Map<String, Value>, claim: &str) -> bool {
    document
        .get("_claim_names")
        .and_then(Value::as_object)
        .is_some_and(|names| names.contains_key(claim))
}

/// Whether a document says that the person has groups and does not list them: Entra's
/// `hasgroups`, if a token would become too long for an address.
pub fn has_unlisted_groups(document: &Map<String, Value>) -> bool {
    match document.get("hasgroups") {
        Some(Value::Bool(has)) => *has,
        Some(Value::String(text)) => text == "true",
        _ => false,
    }
}
