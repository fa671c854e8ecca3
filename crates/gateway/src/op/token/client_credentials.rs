//! The client credentials grant.
//!
//! Source: RFC 6749 §4.4; RFC 8707 §2 for what `aud` means.

use std::time::Duration;

use genkan_protocol::oauth::authorization_request::KNOWN_SCOPES;
use genkan_protocol::oauth::{ErrorCode, Scope};
use genkan_protocol::oidc::AccessToken;
use genkan_protocol::oidc::claims::ScopeClaims;
use genkan_store::TokenId;
use genkan_store::client::{Client, Owner};
use genkan_store::environment::Environment;
use serde_json::{Map, Value};

use super::TokenResponse;
use crate::app::App;
use crate::cache::CachedClient;
use crate::web::client_auth::AuthenticatedClient;
use crate::web::oauth_error::OAuthError;

/// Issues an access token for the client itself. There is no refresh token
/// (RFC 6749 §4.4.3).
///
/// # Errors
///
/// `invalid_scope` if the client requests more than it is registered for. [`OAuthError::Unavailable`] if
/// the database has been away for too long.
pub async fn issue(
    app: &App,
    caller: &AuthenticatedClient,
    asked: Option<Scope>,
) -> Result<TokenResponse, OAuthError> {
    if !caller.configuration.is_trusted() {
        return Err(OAuthError::Unavailable);
    }
    let now = app.now();
    let cached = &*caller.cached;
    let client = &cached.client;
    let scope = granted_scope(cached, asked)?;
    let environment = caller.configuration.environment().await?;
    let lifetime = lifetime(cached, &environment);
    let organization_id = match &client.owner {
        Owner::Organization(id) => Some(id.to_string()),
        Owner::Environment | Owner::Resource(_) => None,
    };
    let claims = AccessToken {
        iss: app.issuer().to_owned(),
        sub: client.id.to_string(),
        aud: audience(cached),
        client_id: client.id.to_string(),
        jti: app.ids().next::<TokenId>(now).to_string(),
        iat: now.as_secs(),
        nbf: now.as_secs(),
        exp: (now + lifetime).as_secs(),
        scope: ScopeClaims(scope.clone()),
        oid: organization_id,
        xoid: cached.organization_external_id.clone(),
        custom_claims: custom_claims(client),
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

/// The scope of the token.
///
/// If a management client requests no scope, its token has none, and the management API then allows
/// everything. If it requests permissions, it gets only these. Every other client gets its registered
/// scope, or the requested part of it.
fn granted_scope(cached: &CachedClient, asked: Option<Scope>) -> Result<Scope, OAuthError> {
    let client = &cached.client;
    let registered = match &cached.resource {
        // If a resource no longer offers a scope, its clients no longer get it.
        Some(resource) if !resource.settings.scope.is_empty() => {
            let offered = &resource.settings.scope;
            client.scope.clone().filter(|name| offered.contains(name))
        }
        _ => client.scope.clone(),
    };
    // Scopes about people have no meaning here, but libraries send them.
    let asked =
        asked.map(|scope| scope.filter(|name| !KNOWN_SCOPES.contains(&name) || registered.contains(name)));
    let Some(asked) = asked.filter(|scope| !scope.is_empty()) else {
        return Ok(if client.management_access {
            Scope::none()
        } else {
            registered
        });
    };
    let is_permission = |name: &str| genkan_api::methods::permissions().contains(name);
    let is_allowed =
        |name: &str| registered.contains(name) || client.management_access && is_permission(name);
    // Never reduced to nothing, because an empty scope would allow everything.
    if asked.iter().all(is_allowed) {
        Ok(asked)
    } else {
        Err(OAuthError::Client {
            code: ErrorCode::InvalidScope,
            description: "the client is not registered for this scope".into(),
        })
    }
}

/// The audience of the token.
fn audience(cached: &CachedClient) -> Vec<String> {
    let CachedClient { client, resource, .. } = cached;
    match (client.audience.as_slice(), resource) {
        ([], Some(resource)) => vec![resource.audience().to_owned()],
        ([], None) => vec![client.id.to_string()],
        (audience, _) => audience.to_vec(),
    }
}

fn lifetime(cached: &CachedClient, environment: &Environment) -> Duration {
    let of_resource = cached
        .resource
        .as_ref()
        .and_then(|resource| resource.settings.access_token_lifetime);
    cached
        .client
        .access_token_lifetime
        .or(of_resource)
        .unwrap_or(environment.client_access_token_lifetime)
}

/// In a claim of their own, so that they cannot replace claims of the standards.
fn custom_claims(client: &Client) -> Option<Map<String, Value>> {
    let claims: Map<String, Value> = client
        .custom_claims
        .iter()
        .map(|claim| (claim.key.clone(), Value::from(claim.value.clone())))
        .collect();
    (!claims.is_empty()).then_some(claims)
}
