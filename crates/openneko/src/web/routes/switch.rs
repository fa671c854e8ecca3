//! `/signin/switch`: a finished sign-in would end somebody else's session here.
//!
//! Anybody can send a person through a sign-in of their own: a link is enough,
//! and a provider may answer without a page. So the session of one person never
//! becomes another's without a press of a button that names both.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::browser;
use super::entry::{Entry, Welcome};
use super::form::Form;
use crate::web::app::{App, SignedIn};
use crate::web::client_ip::ClientIp;
use crate::web::keys::sha256;
use crate::web::problem::Problem;
use crate::web::settings::PublicUrl;
use crate::web::store::switch::{self, Switch};
use crate::web::store::{self, user};
use crate::web::templates::SwitchPage;
use crate::web::{cookie, cross_site, page, random, reply};

/// Where it is, and what its form token counts for.
pub(super) const PATH: &str = "/signin/switch";

/// `GET /signin/switch`: asks.
pub(super) async fn ask(State(app): State<App>, headers: HeaderMap) -> Response {
    match question(&app, &headers).await {
        Ok(Some(page)) => page,
        Ok(None) => over(&app),
        Err(error) => reply::unavailable(&headers, &error),
    }
}

async fn question(app: &App, headers: &HeaderMap) -> Result<Option<Response>, genkan_db::Error> {
    let Some(token) = cookie::read(headers, cookie::SWITCH) else {
        return Ok(None);
    };
    let Some(SignedIn { session, cookie_hash }) = app.signed_in(headers).await? else {
        return Ok(None);
    };
    let token_hash = sha256(token.as_bytes());
    let found = app
        .db()
        .read(async |tx| {
            let Some(switch) = switch::find(tx, &token_hash).await? else {
                return Ok(None);
            };
            let next = user::find(tx, &switch.user_id).await?;
            Ok(next.map(|next| (switch, next)))
        })
        .await?;
    Ok(found
        .filter(|(switch, _)| is_open(app, switch, &cookie_hash))
        .map(|(_, next)| {
            page::page(
                StatusCode::OK,
                &SwitchPage {
                    now: &session.user,
                    next: &next,
                    token: &app.keys().form_token(&cookie_hash, PATH),
                },
            )
        }))
}

/// Whether it may still be gone on with, in the browser that it began in.
fn is_open(app: &App, switch: &Switch, session_hash: &[u8; 32]) -> bool {
    switch.expires_at > app.now() && switch.session_hash == *session_hash
}

/// `POST /signin/switch`: goes on.
pub(super) async fn go_on(
    State(app): State<App>,
    Extension(client): Extension<ClientIp>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let now = app.now();
    let session_hash =
        cookie::read(&headers, cookie::SESSION).and_then(|value| app.keys().verify_session(value, now));
    let (Some(session_hash), Some(token)) = (session_hash, cookie::read(&headers, cookie::SWITCH)) else {
        return over(&app);
    };
    let origin = app.config().public_url.as_ref().map(PublicUrl::origin);
    let form = Form::parse(&body);
    let is_ours = cross_site::is_same_origin(&headers, origin)
        && app
            .keys()
            .verify_form(&session_hash, PATH, form.get("token").unwrap_or_default());
    if !is_ours {
        return page::error(
            StatusCode::FORBIDDEN,
            "This was not done",
            "The form is not one that this page gave you.",
            "open the page again and repeat it there.",
        );
    }
    let (browser, reference) = (browser(client, &headers), random::reference());
    let token_hash = sha256(token.as_bytes());
    let done = store::write(app.db(), async |tx| {
        let Some(switch) = switch::redeem(tx, &token_hash).await? else {
            return Ok(Err(Problem::StateUsed));
        };
        if !is_open(&app, &switch, &session_hash) {
            return Ok(Err(Problem::StateUsed));
        }
        let next = user::find(tx, &switch.user_id).await?;
        let Some(next) = next.filter(|next| next.disabled_at.is_none()) else {
            return Ok(Err(Problem::UserDisabled));
        };
        let entry = Entry {
            app: &app,
            browser: &browser,
            reference: &reference,
            provider: &switch.provider,
            return_path: &switch.return_path,
            old: Some(session_hash),
            at: now,
        };
        Ok(entry.start(tx, &next).await?.map_err(Problem::from))
    })
    .await;
    let mut response = match done {
        Ok(Ok(Welcome {
            return_path,
            cookie,
            max_age_secs,
        })) => {
            let mut response = reply::redirect(StatusCode::SEE_OTHER, &return_path);
            let line = app.jar().set_session(&cookie, max_age_secs);
            response.headers_mut().append(header::SET_COOKIE, line);
            response
        }
        Ok(Err(problem)) => {
            tracing::warn!(reference, code = problem.code(), "a sign-in failed");
            let path = format!("/signin?error={}&reference={reference}", problem.code());
            reply::redirect(StatusCode::SEE_OTHER, &path)
        }
        Err(error) => return reply::unavailable(&headers, &error),
    };
    let line = app.jar().clear_switch();
    response.headers_mut().append(header::SET_COOKIE, line);
    response
}

/// There is nothing to ask, or no more.
fn over(app: &App) -> Response {
    let mut response = reply::redirect(StatusCode::SEE_OTHER, "/");
    let line = app.jar().clear_switch();
    response.headers_mut().append(header::SET_COOKIE, line);
    response
}
