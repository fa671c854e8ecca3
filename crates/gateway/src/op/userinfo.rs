//! `GET|POST /userinfo`: the claims about the person of an access token.
//!
//! Source: OIDC Core §5.3.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use genkan_protocol::oidc::{Profile, UserInfo};
use genkan_store::subject::{self, Subject};
use genkan_store::{OrganizationId, UserId};
use http::HeaderMap;

use super::token::issue::{attributes, custom, profile};
use crate::app::App;
use crate::web::access_token::{self, VerifiedToken};
use crate::web::oauth_error::{BearerChallenge, OAuthError, no_store};

/// The claims that the token's scopes allow. `sub` equals the ID token's.
pub async fn userinfo(State(app): State<App>, headers: HeaderMap) -> Result<impl IntoResponse, OAuthError> {
    let VerifiedToken { claims, grant } = access_token::from_request(&app, &headers).await?;
    if !claims.scope.0.contains("openid") {
        return Err(OAuthError::bearer(BearerChallenge::InsufficientScope));
    }
    let refused = OAuthError::bearer(BearerChallenge::InvalidToken);
    let Ok(user_id) = UserId::parse(&claims.sub) else {
        return Err(refused);
    };
    let organization_id = claims
        .oid
        .as_deref()
        .and_then(|id| OrganizationId::parse(id).ok());
    let connection_id = grant.and_then(|grant| grant.connection_id);
    let found = app
        .db()
        .read(async |tx| subject::find(tx, &user_id, organization_id.as_ref(), connection_id.as_ref()).await)
        .await?;
    // Also if the person was removed from the organization.
    let Some(Subject { user, groups, .. }) = found else {
        return Err(refused);
    };
    let scope = &claims.scope.0;
    let with_profile = scope.contains("profile");
    let attributes = attributes(&app.configuration().await?, &user).await?;
    let body = UserInfo {
        sub: user.id.to_string(),
        profile: Profile {
            updated_at: None,
            ..profile(&user, scope.contains("email"), scope)
        },
        updated_at: with_profile.then(|| user.updated_at.as_secs()),
        organization_id: claims.oid.clone(),
        org_id: claims.oid.clone(),
        oid: claims.oid,
        connection_id: connection_id.map(|id| id.to_string()),
        sid: claims.sid,
        custom: custom(&groups, attributes, with_profile),
    };
    Ok((no_store(), Json(body)))
}
