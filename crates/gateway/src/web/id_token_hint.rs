//! Our own ID tokens, handed back as a hint about a person or a session.
//!
//! Source: OIDC Core §3.1.2.1; RP-Initiated Logout 1.0 §4.

use genkan_protocol::jose;
use genkan_protocol::oidc::IdToken;

use crate::app::App;
use crate::keys::KeyringError;

/// The claims of `token` if we signed it as an ID token. An expired hint is
/// accepted, a forged one is not.
///
/// # Errors
///
/// [`KeyringError`] if the keys cannot be read.
pub async fn verify(app: &App, token: &str) -> Result<Option<IdToken>, KeyringError> {
    let keyring = app.keyring().await?;
    let Ok(verified) = jose::verify(token, keyring.verify(), &["RS256", "ES256"]) else {
        return Ok(None);
    };
    let Ok(claims) = IdToken::from_claims(verified.claims) else {
        return Ok(None);
    };
    Ok((claims.iss == app.issuer()).then_some(claims))
}
