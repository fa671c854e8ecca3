//! Signing out, from here and from elsewhere.
//!
//! Source: RP-Initiated Logout 1.0 §2, Back-Channel Logout 1.0 §2.5 to §2.8.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use bytes::Bytes;
use genkan_protocol::oauth::Parameters;
use genkan_protocol::oidc::LogoutToken;
use serde_json::Value;

use super::Demo;
use super::session::{SESSION_COOKIE, cookie, set_cookie};
use crate::web::error::PageError;

/// How far the clocks may be apart.
const SKEW: Duration = Duration::from_secs(60);

/// `POST /logout`: ends the session here, then at the gateway.
pub(super) async fn sign_out(State(demo): State<Demo>, headers: HeaderMap) -> Result<Response, PageError> {
    let relying_party = demo.relying_party();
    let remove = set_cookie(SESSION_COOKIE, "", demo.url());
    let session =
        cookie(&headers, SESSION_COOKIE, demo.url()).and_then(|id| demo.sessions().take(id, demo.now()));
    let location = match session {
        Some(session) => relying_party.end_session_url(&session.id_token).await?,
        None => "/".to_owned(),
    };
    Ok((AppendHeaders([remove]), Redirect::to(&location)).into_response())
}

/// `POST /backchannel-logout`: the gateway says that a session has ended.
pub(super) async fn back_channel(State(demo): State<Demo>, body: Bytes) -> Response {
    // Back-Channel Logout §2.8: not to be kept by anyone.
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    match ended_session(&demo, &body).await {
        Some(sid) => {
            demo.sessions().end_all(&sid);
            (StatusCode::OK, no_store).into_response()
        }
        None => (
            StatusCode::BAD_REQUEST,
            no_store,
            "{\"error\":\"invalid_request\"}",
        )
            .into_response(),
    }
}

/// The session that a valid logout token names (Back-Channel Logout §2.6).
async fn ended_session(demo: &Demo, body: &[u8]) -> Option<String> {
    let form = Parameters::parse(body).ok()?;
    let verified = demo
        .relying_party()
        .verify(form.one("logout_token").ok()??)
        .await
        .ok()?;
    // §2.6: a token of another kind, such as an ID token, must not end sessions.
    if verified.header.typ.as_deref() != Some(LogoutToken::TYP) || verified.claims.contains_key("nonce") {
        return None;
    }
    let token: LogoutToken = serde_json::from_value(Value::Object(verified.claims)).ok()?;
    let (config, now) = (demo.relying_party().config(), demo.now());
    let is_live = now.as_secs() < token.exp && (now + SKEW).as_secs() >= token.iat;
    (token.iss == config.issuer && token.aud.contains(&config.client_id) && is_live).then_some(token.sid)
}
