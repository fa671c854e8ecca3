//! `POST /oauth/introspect`: tells a resource server whether a token is valid.
//!
//! Source: RFC 7662 §2.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use genkan_protocol::oauth::Scope;
use genkan_protocol::oidc::AccessToken;
use genkan_store::refresh_token::{self, Rotation};
use http::HeaderMap;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::app::App;
use crate::web::access_token;
use crate::web::client_auth::{self, AuthenticatedClient, Proof};
use crate::web::form::OAuthForm;
use crate::web::oauth_error::{OAuthError, no_store};

/// RFC 7662 §2.2. If a token is not valid, everything but `active` is absent.
#[derive(Debug, Default, Serialize)]
pub struct IntrospectionResponse {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_claims: Option<Map<String, Value>>,
}

/// Unknown, expired and revoked tokens, and tokens that do not concern the caller, all get the same bare
/// `{"active":false}`. So the endpoint cannot be used to probe for tokens.
pub async fn introspect(
    State(app): State<App>,
    headers: HeaderMap,
    OAuthForm(parameters): OAuthForm,
) -> Result<impl IntoResponse, OAuthError> {
    let caller = client_auth::authenticate(&app, "introspect", &headers, &parameters).await?;
    // RFC 7662 §2.1: the endpoint must require authorization, and a public client has none.
    if caller.proof == Proof::None {
        return Err(OAuthError::invalid_client("introspection needs a client secret"));
    }
    let token = parameters.one("token").ok().flatten();
    let token = token.ok_or(OAuthError::invalid_request("token is missing"))?;
    // RFC 7662 §2.1: token_type_hint is only a hint. An access token is a JWT and a refresh token is not,
    // so the form shows which it is.
    let response = if token.contains('.') {
        access_token::find_live(&app, token)
            .await?
            .map(|live| live.claims)
            .filter(|claims| is_for(claims, &caller))
            .map(describe)
    } else {
        describe_refresh_token(&app, &caller, token).await?
    };
    Ok((no_store(), Json(response.unwrap_or_default())))
}

/// RFC 7662 §4: whether the caller may use the token. It may if the token was issued to it or is meant for
/// it. An application may also be registered to introspect all tokens, for an API that all applications of
/// the environment call.
fn is_for(claims: &AccessToken, caller: &AuthenticatedClient) -> bool {
    let id = caller.client().id.as_str();
    caller.client().introspect_all
        || claims.client_id == id
        || claims.aud.iter().any(|audience| audience == id)
}

fn describe(claims: AccessToken) -> IntrospectionResponse {
    IntrospectionResponse {
        active: true,
        token_type: Some("Bearer"),
        scope: Some(claims.scope.0),
        client_id: Some(claims.client_id),
        sub: Some(claims.sub),
        iss: Some(claims.iss),
        aud: Some(claims.aud),
        jti: Some(claims.jti),
        exp: Some(claims.exp),
        iat: Some(claims.iat),
        nbf: Some(claims.nbf),
        oid: claims.oid,
        sid: claims.sid,
        roles: claims.roles,
        custom_claims: claims.custom_claims,
        permissions: claims.permissions,
    }
}

async fn describe_refresh_token(
    app: &App,
    caller: &AuthenticatedClient,
    token: &str,
) -> Result<Option<IntrospectionResponse>, OAuthError> {
    let (hash, now) = (refresh_token::hash(token), app.now());
    let found = app
        .db()
        .read(async |tx| refresh_token::find(tx, &hash, now).await)
        .await?;
    // Only its own client may ask about a refresh token. A rotated one counts as long as it could still be
    // redeemed.
    let live = found
        .filter(|token| token.grant.client_id == caller.client().id)
        .filter(|token| caller.client().rotation() == Rotation::Family || token.is_unused());
    let Some(refresh_token::RefreshToken {
        grant,
        issued_at,
        expires_at,
        ..
    }) = live
    else {
        return Ok(None);
    };
    Ok(Some(IntrospectionResponse {
        active: true,
        scope: Some(grant.scope),
        client_id: Some(grant.client_id.to_string()),
        sub: Some(grant.user_id.to_string()),
        iss: Some(app.issuer().to_owned()),
        exp: Some(expires_at.as_secs()),
        iat: Some(issued_at.as_secs()),
        oid: grant.organization_id.as_ref().map(ToString::to_string),
        sid: Some(grant.session_id.to_string()),
        ..IntrospectionResponse::default()
    }))
}
