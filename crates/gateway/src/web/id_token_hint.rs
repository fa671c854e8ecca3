//! Our own ID tokens, sent back as a hint about a person or a session.
//!
//! Source: OIDC Core §3.1.2.1; RP-Initiated Logout 1.0 §4.

use genkan_protocol::jose::{self, JwtError};
use genkan_protocol::oidc::IdToken;

use crate::app::App;
use crate::keys::KeyringError;

/// The result of checking a hint.
#[derive(Debug, Clone)]
pub enum Hint {
    /// We signed it as an ID token. It may have expired long ago.
    Ours(Box<IdToken>),
    /// Its key vouches for nobody: it was withdrawn, perhaps because it leaked, or is gone. The
    /// sender may be honest, but the hint proves nothing.
    UnknownKey,
    /// It is not an ID token of ours.
    Forged,
}

impl Hint {
    /// The claims, if they count.
    pub fn claims(self) -> Option<IdToken> {
        match self {
            Self::Ours(claims) => Some(*claims),
            Self::UnknownKey | Self::Forged => None,
        }
    }
}

/// Checks a hint. Only here, keys that retired regularly still count.
///
/// # Errors
///
/// [`KeyringError`] if the keys cannot be read.
pub async fn verify(app: &App, token: &str) -> Result<Hint, KeyringError> {
    let keyring = app.keyring().await?;
    let verified = match jose::verify(token, keyring.hints(), &["RS256", "ES256"]) {
        Ok(verified) => verified,
        Err(JwtError::UnknownKey { .. }) => return Ok(Hint::UnknownKey),
        Err(_) => return Ok(Hint::Forged),
    };
    match IdToken::from_claims(verified.claims) {
        Ok(claims) if claims.iss == app.issuer() => Ok(Hint::Ours(Box::new(claims))),
        _ => Ok(Hint::Forged),
    }
}
