//! `POST /revoke`: a client gives a token back.
//!
//! Source: RFC 7009 §2.

use axum::extract::State;
use axum::response::IntoResponse;
use genkan_protocol::Timestamp;
use genkan_store::{TokenId, grant, refresh_token, revoked_access_token};
use http::{HeaderMap, StatusCode};

use crate::app::App;
use crate::web::access_token;
use crate::web::client_auth::{self, Proof};
use crate::web::form::OAuthForm;
use crate::web::oauth_error::{OAuthError, no_store};

/// Answers 200 if the token is invalid afterwards, even if it was unknown (RFC 7009 §2.2). A token of
/// another client stays valid, and the answer does not reveal that.
pub async fn revoke(
    State(app): State<App>,
    headers: HeaderMap,
    OAuthForm(parameters): OAuthForm,
) -> Result<impl IntoResponse, OAuthError> {
    let caller = client_auth::authenticate(&app, "revoke", &headers, &parameters).await?;
    // RFC 7009 §2.1: a confidential client must authenticate here, even if PKCE replaces its secret at the
    // code exchange.
    if caller.proof == Proof::None && !caller.client().is_public() {
        return Err(OAuthError::invalid_client("client credentials are missing"));
    }
    let token = parameters.one("token").ok().flatten();
    let token = token.ok_or(OAuthError::invalid_request("token is missing"))?;
    let client_id = &caller.client().id;
    let now = app.now();
    if token.contains('.') {
        if let Some(claims) = access_token::verify(&app, token).await?
            && claims.client_id == client_id.as_str()
            && let Ok(jti) = TokenId::parse(&claims.jti)
        {
            let expires_at = Timestamp::from_secs(claims.exp);
            app.db()
                .tx_read_committed(async |tx| revoked_access_token::insert(tx, &jti, expires_at).await)
                .await?;
        }
    } else {
        // RFC 7009 §2.1: the revocation of a refresh token also revokes the other tokens of its grant.
        let hash = refresh_token::hash(token);
        app.db()
            .tx_read_committed(async |tx| -> Result<(), genkan_store::Error> {
                let found = refresh_token::find(tx, &hash, now).await?;
                if let Some(token) = found.filter(|token| token.grant.client_id == *client_id) {
                    grant::revoke(tx, app.at(now), &token.grant.id).await?;
                }
                Ok(())
            })
            .await?;
    }
    Ok((StatusCode::OK, no_store()))
}
