//! `GET|POST /userinfo`: who the bearer of an access token is.
//!
//! Source: OIDC Core §5.3.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use genkan_protocol::oidc::UserInfo;
use genkan_store::{UserId, user};
use http::HeaderMap;

use super::token::issue::profile;
use crate::app::App;
use crate::web::access_token;
use crate::web::oauth_error::{BearerChallenge, OAuthError, no_store};

/// The claims that the token's scopes allow. `sub` equals the ID token's.
pub async fn userinfo(State(app): State<App>, headers: HeaderMap) -> Result<impl IntoResponse, OAuthError> {
    let claims = access_token::from_request(&app, &headers).await?;
    if !claims.scope.0.contains("openid") {
        return Err(OAuthError::bearer(BearerChallenge::InsufficientScope));
    }
    let refused = OAuthError::bearer(BearerChallenge::InvalidToken);
    let Ok(user_id) = UserId::parse(&claims.sub) else {
        return Err(refused);
    };
    let found = app.db().read(async |tx| user::find(tx, &user_id).await).await?;
    let Some(user) = found.filter(|user| !user.disabled) else {
        return Err(refused);
    };
    let scope = &claims.scope.0;
    let body = UserInfo {
        sub: user.id.to_string(),
        profile: profile(&user, scope.contains("email"), scope.contains("profile")),
        oid: claims.oid,
        sid: claims.sid,
        ..UserInfo::default()
    };
    Ok((no_store(), Json(body)))
}
