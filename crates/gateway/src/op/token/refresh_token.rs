//! The refresh token grant.
//!
//! The tokens of public clients rotate: a token counts once, and its reuse ends the family (RFC 9700
//! §4.14.2). A confidential client is bound by its authentication. It may present any token of the living
//! family, because widely used middleware never stores the second one. An application can choose strict
//! rotation.
//!
//! Source: RFC 6749 §6, OIDC Core §12.

use genkan_protocol::oauth::authorization_request::KNOWN_SCOPES;
use genkan_protocol::oauth::{ErrorCode, Scope};
use genkan_store::Secret;
use genkan_store::refresh_token::{self, Redemption, Rotation};

use super::TokenResponse;
use super::issue::{self, Subject};
use crate::app::App;
use crate::web::client_auth::AuthenticatedClient;
use crate::web::oauth_error::OAuthError;

enum Outcome {
    Granted(Box<Subject>),
    /// A refusal that changed state, so it is committed.
    Refused(&'static str),
}

/// Exchanges a refresh token for new tokens. The answer always contains a refresh token.
pub async fn redeem(
    app: &App,
    caller: &AuthenticatedClient,
    presented: String,
    scope: Option<Scope>,
) -> Result<TokenResponse, OAuthError> {
    let now = app.now();
    let at = app.at(now);
    // Scopes that the login ignored are ignored here too, because libraries repeat their configured scope
    // (OIDC Core §3.1.2.1).
    let scope = scope.map(|scope| scope.filter(|name| KNOWN_SCOPES.contains(&name)));
    let scope = scope.filter(|scope| !scope.is_empty());
    let hash = refresh_token::hash(&presented);
    let client = caller.client();
    let rotates = client.rotation() != Rotation::Family;
    let next = if rotates {
        Secret::generate()
    } else {
        refresh_token::again(&presented)
    };
    let next_hash = next.sha256();
    let idle = caller.configuration.environment().await?.session_idle;
    let outcome = app
        .db()
        .tx_read_committed(async |tx| -> Result<Outcome, OAuthError> {
            let (redemption, row) =
                refresh_token::redeem_and_read(tx, at, &hash, &client.id, client.rotation()).await?;
            let grant = match redemption {
                Redemption::Fresh(grant) | Redemption::Graced(grant) => grant,
                // RFC 9700 §4.14.2: the thief and the client cannot be distinguished, so the whole family
                // was revoked.
                Redemption::Reused(_) => return Ok(Outcome::Refused("the refresh token was already used")),
                Redemption::Unknown => {
                    return Ok(Outcome::Refused(
                        "the refresh token is unknown, expired or revoked",
                    ));
                }
            };
            // RFC 6749 §6: the scope may shrink, never grow. The error rolls back, so the token is not used
            // up.
            if scope.as_ref().is_some_and(|scope| !scope.is_subset(&grant.scope)) {
                return Err(OAuthError::Client {
                    code: ErrorCode::InvalidScope,
                    description: "scope exceeds what was granted".into(),
                });
            }
            let Some(mut subject) = issue::subject(tx, (grant, row), idle, now).await? else {
                return Ok(Outcome::Refused("the user is not active"));
            };
            let expires_at = subject.grant.expires_at;
            if rotates {
                refresh_token::issue(tx, &next_hash, &subject.grant.id, expires_at, now).await?;
            }
            if let Some(scope) = &scope {
                subject.grant.scope = scope.clone();
            }
            Ok(Outcome::Granted(Box::new(subject)))
        })
        .await?;
    match outcome {
        Outcome::Granted(subject) => issue::user_tokens(app, caller, &subject, Some(next), None).await,
        Outcome::Refused(reason) => Err(OAuthError::invalid_grant(reason)),
    }
}
