//! Our own ID tokens, handed back as a hint about a person or a session.
//!
//! Source: OIDC Core §3.1.2.1; RP-Initiated Logout 1.0 §4.

use genkan_protocol::jose::{self, JwtError};
use genkan_protocol::oidc::IdToken;

use crate::app::App;
use crate::keys::KeyringError;

/// What a hint is worth.
#[derive(Debug, Clone)]
pub enum Hint {
    /// We signed it as an ID token. It may have expired long ago.
    Ours(Box<IdToken>),
    /// Its key is none that vouches for anybody: withdrawn before its time, because it
    /// leaked perhaps, or gone. Whoever sends it may be honest, and proves nothing.
    UnknownKey,
    /// It is no ID token of ours.
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

/// Looks at a hint. Keys that left the key set in good order still count here, and here alone.
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
