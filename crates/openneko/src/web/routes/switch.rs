//! `/signin/switch`: asks before a finished sign-in ends another person's session.
//!
//! An attacker can send a person through the attacker's own sign-in: a link is
//! enough, and a provider may answer without a page. So a session changes hands only
//! after the person presses a button on a page that names both.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use genkan_web::cookie;
use genkan_web::form::{FormBinding, FormError, OwnForm};
use genkan_web::listener::ClientIp;
use genkan_web::page::{Forms, Page, PageKind, PageTemplate};
use http::request::Parts;

use super::browser;
use super::entry::{Entry, SignInSuccess};
use crate::web::app::{App, SignedIn};
use crate::web::keys::sha256;
use crate::web::own_form::not_done;
use crate::web::problem::Problem;
use crate::web::store::switch::{self, Switch};
use crate::web::store::user::User;
use crate::web::store::{self, user};
use crate::web::{jar, random, reply};

/// Its path, for which the form token counts.
pub(super) const PATH: &str = "/signin/switch";

/// `switch.html`
#[derive(Debug, Template)]
#[template(path = "switch.html")]
struct SwitchPage<'a> {
    /// The user of the browser's session.
    now: &'a User,
    /// The user of the waiting sign-in.
    next: &'a User,
    token: &'a str,
}

impl PageTemplate for SwitchPage<'_> {
    const KIND: PageKind = PageKind::Other;
    const FORMS: Forms = Forms::Stay;
}

/// `GET /signin/switch`: asks.
pub(super) async fn ask(State(app): State<App>, headers: HeaderMap) -> Response {
    match question(&app, &headers).await {
        Ok(Some(page)) => page,
        Ok(None) => over(&app),
        Err(error) => reply::unavailable(&headers, &error),
    }
}

async fn question(app: &App, headers: &HeaderMap) -> Result<Option<Response>, genkan_db::Error> {
    let Some(token) = cookie::read(headers, jar::SWITCH) else {
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
            let page = SwitchPage {
                now: &session.user,
                next: &next,
                token: &app.keys().forms().token(&cookie_hash, PATH),
            };
            Page::new(&page).into_response()
        }))
}

/// Whether the sign-in may still continue, in the browser in which it began.
fn is_open(app: &App, switch: &Switch, session_hash: &[u8; 32]) -> bool {
    switch.expires_at > app.now() && switch.session_hash == *session_hash
}

/// The question of a browser, found by its session and by the cookie of the waiting sign-in.
pub(super) struct Question {
    session_hash: [u8; 32],
    token_hash: [u8; 32],
}

impl FormBinding<App> for Question {
    type Refusal = Response;

    fn read(head: &Parts, app: &App) -> Result<Self, Response> {
        let session = cookie::read(&head.headers, jar::SESSION);
        let session_hash = session.and_then(|value| app.keys().verify_session(value, app.now()));
        let token = cookie::read(&head.headers, jar::SWITCH);
        match (session_hash, token) {
            (Some(session_hash), Some(token)) => Ok(Self {
                session_hash,
                token_hash: sha256(token.as_bytes()),
            }),
            _ => Err(over(app)),
        }
    }

    fn browser(&self) -> &[u8] {
        &self.session_hash
    }

    fn refuse(_: &Parts, refused: FormError) -> Response {
        let why = "The form is not one that this page gave you.";
        not_done(refused, why, "open the page again and repeat it there.")
    }
}

/// `POST /signin/switch`: goes on.
pub(super) async fn go_on(
    State(app): State<App>,
    client: ClientIp,
    headers: HeaderMap,
    form: OwnForm<Question>,
) -> Response {
    let Question {
        session_hash,
        token_hash,
    } = form.bound;
    let now = app.now();
    let (browser, reference) = (browser(client, &headers), random::reference());
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
        Ok(Ok(SignInSuccess {
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

/// There is nothing to ask, or nothing more.
fn over(app: &App) -> Response {
    let mut response = reply::redirect(StatusCode::SEE_OTHER, "/");
    let line = app.jar().clear_switch();
    response.headers_mut().append(header::SET_COOKIE, line);
    response
}

#[cfg(test)]
pub(super) fn samples() -> genkan_web::samples::Samples {
    use genkan_web::samples::LONG;

    use crate::web::samples::user;

    let now = user("usr_1", "victim@acme.test", Some("Vic Tim"));
    let mut next = user("usr_2", &format!("mallory.{LONG}@evil.test").to_lowercase(), None);
    next.provider_org_id = Some("org_102000000000002".to_owned());
    let page = SwitchPage {
        now: &now,
        next: &next,
        token: "AAAA",
    };
    vec![("switch", Page::new(&page).into_response())]
}
