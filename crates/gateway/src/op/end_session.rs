//! `GET|POST /oidc/logout`: ends the session for every application.
//!
//! Source: OpenID Connect RP-Initiated Logout 1.0 §2, §3.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use genkan_protocol::oauth::{Parameters, append_query, redirect_uri};
use genkan_store::session::{self, Session, Status};
use genkan_store::user::{self, User};
use genkan_store::{ClientId, Error, Secret, SessionId, client};
use genkan_web::page::{Forms, Page, PageKind, PageTemplate};
use genkan_web::text::{Hidden, Link};
use http::{HeaderMap, StatusCode, header};

use crate::app::App;
use crate::cookies::{self, Cookie};
use crate::web::cross_site_post;
use crate::web::error::PageError;
use crate::web::id_token_hint::{self, Hint};
use crate::web::own_form;
use crate::web::person::Person;
use crate::web::see_other::see_other;

/// The path, which also names the confirmation form for CSRF.
pub const PATH: &str = "/oidc/logout";

/// `logout_confirm.html`. Posts `csrf`, hidden fields, and `choice`: `sign_out` or `stay`. Its answer may
/// return to the application.
#[derive(Debug, Template)]
#[template(path = "logout_confirm.html")]
struct LogoutConfirm<'a> {
    application: &'a str,
    action: Option<&'a str>,
    csrf: &'a str,
    hidden: &'a [Hidden<'a>],
    person: Person<'a>,
}

impl PageTemplate for LogoutConfirm<'_> {
    const KIND: PageKind = PageKind::SignInStep;
    const FORMS: Forms = Forms::Leave;
}

/// `signed_out.html`.
#[derive(Debug, Template)]
#[template(path = "signed_out.html")]
struct SignedOut<'a> {
    application: &'a str,
    back: Option<Link>,
}

impl PageTemplate for SignedOut<'_> {
    const KIND: PageKind = PageKind::SignInStep;
    const FORMS: Forms = Forms::None;
}

/// The application's request, verified.
struct Request {
    /// There was a hint, but it can no longer be verified.
    hint_is_lost: bool,
    /// The session in which the `id_token_hint` was issued.
    hinted_session: Option<SessionId>,
    /// The application, from the hint or `client_id`.
    client: Option<ClientId>,
    post_logout_redirect_uri: Option<String>,
    state: Option<String>,
}

pub async fn get(
    State(app): State<App>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let parameters = parse(query.as_deref().unwrap_or_default().as_bytes())?;
    end_session(&app, &headers, &parameters, Answer::None).await
}

/// The same by POST, which RP-Initiated Logout §2 also requires, and the answer to our own question.
pub async fn post(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<Response, PageError> {
    let parameters = parse(&body)?;
    let answer = match parameters.one("choice") {
        _ if !own_form::is_ours(&app, &headers, PATH, &body) => Answer::None,
        Ok(Some("sign_out")) => Answer::SignOut,
        _ => Answer::Stay,
    };
    // Without a valid hint, only the cookie shows whose session it is.
    if hint_of(&app, &parameters)
        .await?
        .is_none_or(|hint| matches!(hint, Hint::UnknownKey))
        && let Some(again) = cross_site_post::again_by_get(&app, &headers, PATH, &body)
    {
        return Ok(again);
    }
    end_session(&app, &headers, &parameters, answer).await
}

/// The person's answer to our question.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    None,
    SignOut,
    Stay,
}

async fn end_session(
    app: &App,
    headers: &HeaderMap,
    parameters: &Parameters,
    answer: Answer,
) -> Result<Response, PageError> {
    let now = app.now();
    let request = read(app, parameters).await?;
    let cookie = app.cookies().read(headers, Cookie::Session);
    let current = current(app, headers, cookie.as_ref()).await?;
    // Before anything changes, find out where the browser goes afterwards.
    let target = redirect_target(app, &request, current.as_ref()).await?;

    // RP-Initiated Logout §2: without proof that the session's own application
    // asks, the person is asked. Otherwise any page could sign people out.
    let ends_current = current.as_ref().is_some_and(|session| {
        answer == Answer::SignOut || request.hinted_session.as_ref() == Some(&session.id)
    });
    match (&current, answer) {
        (Some(_), Answer::Stay) => return Ok(stay(target.as_deref())),
        (Some(session), _) if !ends_current => {
            return confirm(app, headers, parameters, &request, session).await;
        }
        _ => {}
    }
    let mut ending: Vec<SessionId> = Vec::new();
    if let Some(session) = current.filter(|_| ends_current) {
        ending.push(session.id);
    }
    // The cookie may be gone while the session lives. The hint still names it.
    ending.extend(request.hinted_session.clone().filter(|id| !ending.contains(id)));
    if !ending.is_empty() {
        app.db()
            .tx_read_committed(async |tx| -> Result<(), Error> {
                for id in &ending {
                    session::end(tx, app.at(now), id, Status::Logout).await?;
                }
                Ok(())
            })
            .await?;
        app.wake_jobs();
    }
    let mut response = match target {
        Some(uri) => see_other(&uri),
        None => {
            let application = application_name(app, request.client.as_ref()).await?;
            Page::new(&SignedOut {
                application: &application,
                back: None,
            })
            .into_response()
        }
    };
    if cookie.is_some() {
        response
            .headers_mut()
            .append(header::SET_COOKIE, app.cookies().clear(Cookie::Session));
    }
    Ok(response)
}

/// The session of the browser: the one of its cookie, else the one that began in it. If two answers came at
/// once, the browser may have kept the older cookie.
async fn current(
    app: &App,
    headers: &HeaderMap,
    cookie: Option<&Secret>,
) -> Result<Option<Session>, PageError> {
    let now = app.now();
    let token = cookie.map(Secret::sha256);
    let browser = app.cookies().read(headers, Cookie::Browser);
    let browser = browser.as_ref().map(Secret::sha256);
    let found = app.db().read(async |tx| -> Result<_, Error> {
        if let Some(token) = &token
            && let Some(session) = session::find_live_by_token(tx, token, now).await?
        {
            return Ok(Some(session));
        }
        let Some(browser) = &browser else { return Ok(None) };
        let found = session::find_of_browser(tx, browser).await?;
        Ok(found.filter(|session| session.is_live(now)))
    });
    Ok(found.await?)
}

fn parse(raw: &[u8]) -> Result<Parameters, PageError> {
    let parameters =
        Parameters::parse(raw).map_err(|_| PageError::invalid_request("The address is garbled."))?;
    match parameters.first_duplicate() {
        Some(_) => Err(PageError::invalid_request(
            "A parameter is included more than once.",
        )),
        None => Ok(parameters),
    }
}

async fn read(app: &App, parameters: &Parameters) -> Result<Request, PageError> {
    let one = |name: &'static str| parameters.one(name).ok().flatten();
    let (hint, hint_is_lost) = match hint_of(app, parameters).await? {
        None => (None, false),
        Some(Hint::Ours(claims)) => (Some(claims), false),
        // RP-Initiated Logout §6: without a valid hint, the person must confirm the request.
        Some(Hint::UnknownKey) => (None, true),
        Some(Hint::Forged) => {
            return Err(PageError::invalid_request(
                "The id_token_hint was not issued here.",
            ));
        }
    };
    let named = match one("client_id") {
        Some(id) => Some(ClientId::parse(id).map_err(|_| unknown_application())?),
        None => None,
    };
    let hinted = hint
        .as_ref()
        .and_then(|claims| ClientId::parse(&claims.client_id).ok());
    // RP-Initiated Logout §2: client_id must be the one the hint was issued to.
    if let (Some(named), Some(hinted)) = (&named, &hinted)
        && named != hinted
    {
        return Err(PageError::invalid_request(
            "client_id and id_token_hint name different applications.",
        ));
    }
    Ok(Request {
        hint_is_lost,
        hinted_session: hint
            .and_then(|claims| claims.sid)
            .and_then(|sid| SessionId::parse(&sid).ok()),
        client: hinted.or(named),
        post_logout_redirect_uri: one("post_logout_redirect_uri").map(ToOwned::to_owned),
        state: one("state").map(ToOwned::to_owned),
    })
}

async fn hint_of(app: &App, parameters: &Parameters) -> Result<Option<Hint>, PageError> {
    match parameters.one("id_token_hint").ok().flatten() {
        Some(token) => Ok(Some(id_token_hint::verify(app, token).await?)),
        None => Ok(None),
    }
}

fn unknown_application() -> PageError {
    PageError::invalid_request("The application is not known here.")
}

/// The registered address to go to afterwards, with `state`. It is never another one.
async fn redirect_target(
    app: &App,
    request: &Request,
    current: Option<&Session>,
) -> Result<Option<String>, PageError> {
    let Some(uri) = &request.post_logout_redirect_uri else {
        return Ok(None);
    };
    let session = request
        .hinted_session
        .as_ref()
        .or(current.map(|session| &session.id));
    if request.hint_is_lost && request.client.is_none() && session.is_none() {
        // The application is unknown, and there is nothing to end.
        return Ok(None);
    }
    let candidates = app
        .db()
        .read(async |tx| -> Result<_, Error> {
            match (&request.client, session) {
                (Some(id), _) => Ok(client::find(tx, id).await?.into_iter().collect()),
                // Nobody named the application, so it may be any application of the session.
                (None, Some(session)) => client::list_for_session(tx, session).await,
                (None, None) => Ok(Vec::new()),
            }
        })
        .await?;
    let registered = candidates.iter().any(|client| {
        let policy = app.redirect_policy(client);
        redirect_uri::permits(&client.post_logout_redirect_uris, uri, policy)
    });
    if !registered {
        return Err(PageError::invalid_request(
            "The post_logout_redirect_uri is not registered for the application.",
        ));
    }
    let state: Vec<(&str, &str)> = request
        .state
        .iter()
        .map(|state| ("state", state.as_str()))
        .collect();
    // The address is sent as registered. Without a state, not a byte changes.
    Ok(Some(if state.is_empty() {
        uri.clone()
    } else {
        append_query(uri, &state)
    }))
}

/// The application's name for a page. Without one, the page speaks of all applications.
async fn application_name(app: &App, client: Option<&ClientId>) -> Result<String, PageError> {
    let cached = match client {
        Some(id) => app.client(id.as_str()).await?,
        None => None,
    };
    Ok(cached.map_or_else(|| "Genkan".to_owned(), |cached| cached.client.name.clone()))
}

async fn confirm(
    app: &App,
    headers: &HeaderMap,
    parameters: &Parameters,
    request: &Request,
    session: &Session,
) -> Result<Response, PageError> {
    let known = app.cookies().read(headers, Cookie::Browser);
    let is_new = known.is_none();
    let browser = known.unwrap_or_else(Secret::generate);
    let application = application_name(app, request.client.as_ref()).await?;
    let user = app
        .db()
        .read(async |tx| user::find(tx, &session.user_id).await)
        .await?;
    let name = user.as_ref().and_then(User::display_name);
    // The request goes through the form, and is checked again when it comes back.
    let mut hidden: Vec<(&str, &str)> = ["post_logout_redirect_uri", "state"]
        .into_iter()
        .filter_map(|name| parameters.one(name).ok().flatten().map(|value| (name, value)))
        .collect();
    // The hint is left out, because it is about another session. Its client is kept.
    hidden.extend(request.client.as_ref().map(|id| ("client_id", id.as_str())));
    let page = LogoutConfirm {
        application: &application,
        action: Some(PATH),
        csrf: &app.form_token(&browser, PATH),
        hidden: &hidden,
        person: Person {
            name: name.as_deref(),
            email: user.as_ref().map_or("", |user| user.email.as_str()),
            organization: None,
        },
    };
    let mut response = Page::new(&page).into_response();
    if is_new {
        let cookie = app
            .cookies()
            .set(Cookie::Browser, &browser, cookies::BROWSER_SECS);
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The person wants to stay signed in, so they go back to where they came from.
fn stay(target: Option<&str>) -> Response {
    match target {
        Some(uri) => see_other(uri),
        None => {
            PageError::new(StatusCode::OK, "You are still signed in", "Nothing was changed.").into_response()
        }
    }
}

#[cfg(test)]
pub(super) fn samples() -> genkan_web::samples::Samples {
    use genkan_web::samples::sample;

    use crate::web::person::samples::ADA;

    let confirm = LogoutConfirm {
        application: "Acme Notes",
        action: Some("/oidc/logout"),
        csrf: "c",
        hidden: &[("state", "xyz")],
        person: ADA,
    };
    let signed_out = SignedOut {
        application: "Acme Notes",
        back: Link::parse("Back to Acme Notes", "/"),
    };
    vec![
        sample("logout-confirm", Page::new(&confirm)),
        sample("signed-out", Page::new(&signed_out)),
    ]
}
