//! The client credentials grant.
//!
//! Source: RFC 6749 §4.4.

use std::time::Duration;

use genkan_protocol::oauth::Scope;
use genkan_protocol::oidc::AccessToken;
use genkan_store::TokenId;

use super::TokenResponse;
use crate::app::App;
use crate::web::client_auth::AuthenticatedClient;
use crate::web::oauth_error::OAuthError;

/// Issues an access token for the client itself. There is no refresh token
/// (RFC 6749 §4.4.3) and, for a client of the environment, no scope to ask for:
/// what it may do follows from its registration.
pub async fn issue(app: &App, caller: &AuthenticatedClient) -> Result<TokenResponse, OAuthError> {
    let now = app.now();
    let client = caller.client();
    let environment = caller.configuration.environment().await?;
    let lifetime: Duration = client
        .access_token_lifetime
        .unwrap_or(environment.client_access_token_lifetime);
    let scope = Scope::default();
    let claims = AccessToken {
        iss: app.issuer().to_owned(),
        sub: client.id.to_string(),
        aud: vec![client.id.to_string()],
        client_id: client.id.to_string(),
        jti: app.ids().next::<TokenId>(now).to_string(),
        iat: now.as_secs(),
        nbf: now.as_secs(),
        exp: (now + lifetime).as_secs(),
        ..AccessToken::default()
    };
    let keyring = caller.configuration.keyring().await?;
    let key = keyring.signing_key(client.token_algorithm, now)?;
    let access_token = key
        .sign(AccessToken::TYP, &claims)
        .map_err(crate::keys::KeyringError::from)?;
    app.tally().count(&client.id, now);
    Ok(TokenResponse {
        access_token,
        token_type: "Bearer",
        expires_in: lifetime.as_secs(),
        scope,
        id_token: None,
        refresh_token: None,
    })
}
