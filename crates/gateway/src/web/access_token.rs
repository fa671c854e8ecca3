//! Our own access tokens, presented to us.
//!
//! Source: RFC 6750 §2.1, §3.1; RFC 9068 §4 for the order of checks.

use genkan_protocol::jose;
use genkan_protocol::oauth::bearer;
use genkan_protocol::oidc::AccessToken;
use genkan_store::grant::{self, Grant};
use genkan_store::{GrantId, TokenId, revoked_access_token};
use http::{HeaderMap, header};

use crate::anonymous;
use crate::app::App;
use crate::web::oauth_error::{BearerChallenge, OAuthError};

/// How far the clocks of two nodes may be apart: one may be asked about a token that the
/// other has just issued.
const CLOCK_SKEW_SECS: i64 = 60;

/// A live access token.
#[derive(Debug)]
pub struct VerifiedToken {
    pub claims: AccessToken,
    /// The grant of a person's token; a client's own token has none.
    pub grant: Option<Grant>,
}

/// Reads and verifies the bearer token of a request.
///
/// # Errors
///
/// [`OAuthError::Bearer`] if there is none, or it is not valid.
pub async fn from_request(app: &App, headers: &HeaderMap) -> Result<VerifiedToken, OAuthError> {
    let authorization: Vec<&[u8]> = headers
        .get_all(header::AUTHORIZATION)
        .iter()
        .map(http::HeaderValue::as_bytes)
        .collect();
    let token = bearer::parse(&authorization)
        .map_err(|_| OAuthError::bearer(BearerChallenge::InvalidRequest))?
        .ok_or(OAuthError::bearer(BearerChallenge::Missing))?;
    match find_live(app, token).await? {
        Some(live) => Ok(live),
        None => {
            anonymous::wrong_credentials(app)?;
            Err(OAuthError::bearer(BearerChallenge::InvalidToken))
        }
    }
}

/// Finds out whether `token` is a live access token of ours.
pub async fn find_live(app: &App, token: &str) -> Result<Option<VerifiedToken>, OAuthError> {
    let Some(claims) = verify(app, token).await? else {
        return Ok(None);
    };
    let now = app.now().as_secs();
    if now >= claims.exp || now + CLOCK_SKEW_SECS < claims.nbf {
        return Ok(None);
    }
    // A grant ends with its client; a client's own token has none.
    if claims.grant_id.is_none() && app.client(&claims.client_id).await?.is_none() {
        return Ok(None);
    }
    let found = app
        .db()
        .read(async |tx| -> Result<Option<Option<Grant>>, genkan_store::Error> {
            let Ok(jti) = TokenId::parse(&claims.jti) else {
                return Ok(None);
            };
            if revoked_access_token::contains(tx, &jti).await? {
                return Ok(None);
            }
            match &claims.grant_id {
                // A user's token ends with its grant and session.
                Some(grant_id) => match GrantId::parse(grant_id) {
                    Ok(id) => Ok(grant::find_live(tx, &id, app.now()).await?.map(Some)),
                    Err(_) => Ok(None),
                },
                None => Ok(Some(None)),
            }
        })
        .await?;
    Ok(found.map(|grant| VerifiedToken { claims, grant }))
}

/// The claims of `token` if we signed it as an access token, live or not.
pub async fn verify(app: &App, token: &str) -> Result<Option<AccessToken>, OAuthError> {
    let keyring = app.keyring().await?;
    let Ok(verified) = jose::verify(token, keyring.verify(), &["RS256", "ES256"]) else {
        return Ok(None);
    };
    // ID tokens and logout tokens have our signature, too (RFC 8725 §3.12).
    let Ok(claims) = AccessToken::from_claims(verified.claims) else {
        return Ok(None);
    };
    Ok((claims.iss == app.issuer()).then_some(claims))
}
