//! `POST /api/auth/logout`: ends the session, here and on the server.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use genkan_web::listener::ClientIp;
use genkan_web::page::wants_html;
use genkan_web::{cookie, origin};
use serde_json::json;

use super::browser;
use super::sign_in::SIGNED_OUT;
use crate::web::app::App;
use crate::web::store::audit::{self, Event, Kind};
use crate::web::store::{self, session};
use crate::web::{jar, random, reply};

pub(super) async fn logout(State(app): State<App>, client: ClientIp, headers: HeaderMap) -> Response {
    if !origin::is_same_origin(&headers, app.origin()) {
        return reply::json(
            StatusCode::FORBIDDEN,
            &json!({ "error": "this request came from another site" }),
        );
    }
    let now = app.now();
    let cookie_hash =
        cookie::read(&headers, jar::SESSION).and_then(|value| app.keys().verify_session(value, now));
    if let Some(cookie_hash) = cookie_hash {
        let browser = browser(client, &headers);
        let reference = random::reference();
        let ended = store::write(app.db(), async |tx| {
            let Some(user_id) = session::end(tx, &cookie_hash, now).await? else {
                return Ok(());
            };
            let user = crate::web::store::user::find(tx, &user_id).await?;
            let event = Event {
                email: user.map(|user| user.email),
                user_id: Some(user_id),
                ip: browser.ip.clone(),
                user_agent: browser.user_agent.clone(),
                ..Event::new(Kind::SignOut, now, &reference)
            };
            audit::record(tx, &event).await
        })
        .await;
        // If the session may still live, the page must not say that it ended.
        if let Err(error) = ended {
            return reply::unavailable(&headers, &error);
        }
    }
    let mut response = if wants_html(&headers) {
        reply::redirect(StatusCode::SEE_OTHER, &format!("/signin?notice={SIGNED_OUT}"))
    } else {
        reply::json(StatusCode::OK, &json!({ "ok": true }))
    };
    response
        .headers_mut()
        .append(header::SET_COOKIE, app.jar().clear_session());
    response
}
