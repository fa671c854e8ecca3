//! `/api/auth/begin`: sends the browser to the provider.
//!
//! Source: RFC 6749 §4.1.1, RFC 7636, OpenID Connect Core §3.1.2.1.

use std::time::Duration;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use genkan_web::listener::ClientIp;
use genkan_web::page::{Forms, Page, PageKind, PageTemplate, wants_html};
use genkan_web::{cookie, form, origin};
use openneko_plugin::rpc::BeginAuth;
use serde_json::json;
use url::Url;

use super::browser;
use crate::host::Provider;
use crate::web::app::App;
use crate::web::door::Door;
use crate::web::error::ErrorPage;
use crate::web::identity::is_address;
use crate::web::keys::sha256;
use crate::web::plugin::PluginFailure;
use crate::web::problem::Problem;
use crate::web::query::Query;
use crate::web::settings::{PublicUrl, is_loopback};
use crate::web::store::audit::{self, Event, Kind};
use crate::web::store::flow::{self, Flow};
use crate::web::store::session::Browser;
use crate::web::store::{self, after};
use crate::web::{error, jar, own_form, random, reply, return_path};

/// How long a person may take at the provider.
pub(super) const LIFETIME_SECS: i64 = 600;

/// Longest address for the browser's redirect.
const MAX_URL_BYTES: usize = 8 << 10;

/// The path of the form, for which its token counts.
const PATH: &str = "/api/auth/begin";

/// How long a page with the form may stay open.
const FORM_LIFETIME_SECS: i64 = 12 * 60 * 60;

/// `begin.html`
#[derive(Debug, Template)]
#[template(path = "begin.html")]
struct BeginPage<'a> {
    provider_label: &'a str,
    login_hint: Option<&'a str>,
    return_to: &'a str,
    token: &'a str,
}

impl PageTemplate for BeginPage<'_> {
    const KIND: PageKind = PageKind::Other;
    const FORMS: Forms = Forms::Leave;
}

/// The sign-in that a request wants to begin.
struct SignInRequest {
    return_path: String,
    login_hint: Option<String>,
}

impl SignInRequest {
    fn new<'a>(get: impl Fn(&'static str) -> Option<&'a str>) -> Self {
        let login_hint = get("loginHint").map(str::trim);
        Self {
            return_path: return_path::parse(get("returnTo").unwrap_or_default()),
            login_hint: login_hint.filter(|hint| is_address(hint)).map(str::to_owned),
        }
    }
}

/// `GET /api/auth/begin`, for links of our own pages and of programs.
///
/// A link on another site must not begin a sign-in by itself: its author could sign the
/// browser in as a person of their choice.
pub(super) async fn begin(
    State(app): State<App>,
    client: ClientIp,
    method: Method,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    // A link preview must not begin a sign-in.
    if method == Method::HEAD {
        return reply::method_not_allowed(method).await;
    }
    let query = Query::parse(query.as_deref()).unwrap_or_default();
    let wish = SignInRequest::new(|name| query.get(name));
    let is_ours = origin::is_own_navigation(&headers, app.origin());
    answer(&app, client, &headers, (wish, is_ours), StatusCode::FOUND).await
}

/// `POST /api/auth/begin`: the form of the sign-in page.
pub(super) async fn begin_by_form(
    State(app): State<App>,
    client: ClientIp,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = form::parse(&body).unwrap_or_default();
    let wish = SignInRequest::new(|name| form.one(name).ok().flatten());
    let is_ours = cookie::read(&headers, jar::FORM).is_some_and(|cookie| {
        let browser = sha256(cookie.as_bytes());
        own_form::is_ours(&app, &headers, &browser, PATH, &body)
    });
    answer(&app, client, &headers, (wish, is_ours), StatusCode::SEE_OTHER).await
}

/// The token of the form that begins a sign-in, and its cookie if the browser has none
/// yet.
pub(super) fn form_token(app: &App, headers: &HeaderMap) -> (String, Option<HeaderValue>) {
    let token = |cookie: &str| app.keys().forms().token(&sha256(cookie.as_bytes()), PATH);
    match cookie::read(headers, jar::FORM) {
        Some(cookie) if cookie.len() == FORM_COOKIE_CHARS => (token(cookie), None),
        _ => {
            let fresh = random::token::<24>();
            let line = app.jar().set_form(&fresh, FORM_LIFETIME_SECS);
            (token(&fresh), Some(line))
        }
    }
}

/// 24 bytes in base64url.
const FORM_COOKIE_CHARS: usize = 32;

async fn answer(
    app: &App,
    client: ClientIp,
    headers: &HeaderMap,
    (wish, is_ours): (SignInRequest, bool),
    status: StatusCode,
) -> Response {
    if let Err(wait) = app.count(client) {
        return too_many(headers, wait);
    }
    let provider = match app.door().await {
        Ok(Door::Open(provider)) => provider,
        Ok(door) => return not_ready(headers, &door),
        Err(error) => return reply::unavailable(headers, &error),
    };
    let Some(public_url) = &app.config().public_url else {
        return not_ready(headers, &Door::NoPublicUrl);
    };
    if !is_ours {
        return asks(app, headers, &provider, &wish);
    }
    let offer = FreshValues::new(public_url);
    let url = match ask(app, &provider, &offer, wish.login_hint.as_deref()).await {
        Ok(url) => url,
        Err(failure) => {
            let browser = browser(client, headers);
            let of = FailedStart {
                provider,
                failure,
                browser,
            };
            return failed(app, headers, of).await;
        }
    };
    let now = app.now();
    let flow = Flow {
        provider: provider.plugin_name,
        redirect_uri: offer.redirect_uri.clone(),
        return_path: wish.return_path,
        code_verifier: offer.code_verifier.clone(),
        nonce: offer.nonce.clone(),
        created_at: now,
        expires_at: after(now, Duration::from_secs(LIFETIME_SECS.unsigned_abs())),
    };
    let state_hash = sha256(offer.state.as_bytes());
    let kept = store::write(app.db(), async |tx| flow::insert(tx, &state_hash, &flow).await).await;
    if let Err(error) = kept {
        return reply::unavailable(headers, &error);
    }
    let mut response = reply::redirect(status, url.as_str());
    for line in cookies(app, headers, &offer.state, &flow.return_path) {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
    response
}

/// The page with one button: nothing has begun, and the person sees the provider's name.
fn asks(app: &App, headers: &HeaderMap, provider: &Provider, wish: &SignInRequest) -> Response {
    if !wants_html(headers) {
        return reply::json(
            StatusCode::FORBIDDEN,
            &json!({ "error": "this request came from another site" }),
        );
    }
    let (token, line) = form_token(app, headers);
    let page = BeginPage {
        provider_label: &provider.provider_label,
        login_hint: wish.login_hint.as_deref(),
        return_to: &wish.return_path,
        token: &token,
    };
    let mut response = Page::new(&page).into_response();
    response
        .headers_mut()
        .extend(line.map(|line| (header::SET_COOKIE, line)));
    response
}

/// The fresh values of one sign-in.
struct FreshValues {
    redirect_uri: String,
    state: String,
    nonce: String,
    code_verifier: String,
}

impl FreshValues {
    fn new(public_url: &PublicUrl) -> Self {
        Self {
            redirect_uri: public_url.redirect_uri(),
            state: random::token::<24>(),
            nonce: random::token::<24>(),
            code_verifier: random::token::<32>(),
        }
    }

    /// RFC 7636 §4.2.
    fn code_challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(sha256(self.code_verifier.as_bytes()))
    }
}

/// Asks the plugin for an address, and checks it: plugins are not trusted.
async fn ask(
    app: &App,
    provider: &Provider,
    offer: &FreshValues,
    login_hint: Option<&str>,
) -> Result<Url, PluginFailure> {
    let Some(_turn) = app.turn().await else {
        return Err(own_failure("BUSY", "too many sign-ins are under way"));
    };
    // Plugins that do not know the options ignore them.
    let mut call = BeginAuth::new(&offer.redirect_uri, &offer.state)
        .with("nonce", &offer.nonce)
        .with("codeChallenge", &offer.code_challenge())
        .with("codeChallengeMethod", "S256");
    call.login_hint = login_hint.map(str::to_owned);
    let url = app.host().begin_auth(provider, call).await?;
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if !is_safe
        || url.as_str().len() > MAX_URL_BYTES
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err(own_failure(
            "BAD_URL",
            "the authorization URL is not one to send a browser to",
        ));
    }
    Ok(url)
}

pub(super) fn own_failure(code: &str, message: &str) -> PluginFailure {
    PluginFailure {
        code: code.to_owned(),
        message: message.to_owned(),
        public: "Signing in does not work at the moment.".to_owned(),
        correlation_id: None,
    }
}

/// The cookie of this sign-in. If a browser has many sign-ins under way, it loses the others.
fn cookies(app: &App, headers: &HeaderMap, state: &str, return_path: &str) -> Vec<HeaderValue> {
    let jar = app.jar();
    let name = jar::state_name(state).expect("24 random bytes in base64url");
    let others = jar::state_names(headers);
    let mut lines = Vec::new();
    if others.len() >= jar::MAX_STATES {
        lines.extend(
            others
                .iter()
                .filter(|other| **other != name)
                .map(|other| jar.clear_state(other)),
        );
    }
    let value = app.keys().state_cookie(state, return_path);
    lines.push(jar.set_state(&name, &value, LIFETIME_SECS));
    lines
}

fn not_ready(headers: &HeaderMap, door: &Door) -> Response {
    if wants_html(headers) {
        let page = ErrorPage {
            heading: "Signing in is not set up yet",
            why: "Whoever runs this deployment has not finished setting it up.",
            what_to_do: "see on the sign-in page what is missing.",
            reference: None,
            next: Some(("Back to sign-in", "/signin")),
        };
        return page.answer(StatusCode::SERVICE_UNAVAILABLE);
    }
    let error = match door {
        Door::Pending(_) => "the SSO plugin is not configured yet",
        Door::NoPublicUrl => "OPENNEKO_PUBLIC_URL is not set",
        Door::Open(_) | Door::Setup | Door::Lost(_) => "no SSO plugin installed",
    };
    reply::json(StatusCode::SERVICE_UNAVAILABLE, &json!({ "error": error }))
}

/// A sign-in that failed before the provider was asked.
struct FailedStart {
    provider: Provider,
    failure: PluginFailure,
    browser: Browser,
}

async fn failed(app: &App, headers: &HeaderMap, failed: FailedStart) -> Response {
    let FailedStart {
        provider,
        failure,
        browser,
    } = failed;
    let reference = failure.correlation_id.clone().unwrap_or_else(random::reference);
    tracing::warn!(
        reference,
        plugin = provider.plugin_name,
        code = failure.code,
        message = failure.message,
        "a sign-in could not begin"
    );
    let problem = match failure.code.as_str() {
        "TIMEOUT" => Problem::PluginTimeout,
        _ => Problem::PluginFailed,
    };
    let event = Event {
        code: Some(problem.code().to_owned()),
        provider: Some(provider.plugin_name),
        detail: Some(format!("{}: {}", failure.code, failure.message)),
        ip: browser.ip,
        user_agent: browser.user_agent,
        ..Event::new(Kind::SignInFailed, app.now(), &reference)
    };
    if let Err(error) = store::write(app.db(), async |tx| audit::record(tx, &event).await).await {
        tracing::error!(reference, %error, "a failed sign-in could not be recorded");
    }
    if wants_html(headers) {
        let page = ErrorPage {
            heading: "Signing in does not work at the moment",
            why: &failure.public,
            what_to_do: "try again in a moment. If it happens again, send the reference to your IT team.",
            reference: Some(&reference),
            next: Some(("Back to sign-in", "/signin")),
        };
        return page.answer(StatusCode::BAD_GATEWAY);
    }
    reply::json(
        StatusCode::BAD_GATEWAY,
        &json!({ "error": "auth plugin begin failed", "reference": reference }),
    )
}

pub(super) fn too_many(headers: &HeaderMap, wait: Duration) -> Response {
    let mut response = if wants_html(headers) {
        error::page(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many sign-ins from your network",
            "Each network may begin so many a minute.",
            "wait a minute and try again.",
        )
    } else {
        reply::json(
            StatusCode::TOO_MANY_REQUESTS,
            &json!({ "error": "too many requests" }),
        )
    };
    let seconds = HeaderValue::from(wait.as_secs() + 1);
    response.headers_mut().insert(header::RETRY_AFTER, seconds);
    response
}

#[cfg(test)]
pub(super) fn samples() -> genkan_web::samples::Samples {
    let page = |login_hint| {
        let page = BeginPage {
            provider_label: "Scalekit",
            login_hint,
            return_to: "/",
            token: "AAAA",
        };
        Page::new(&page).into_response()
    };
    vec![
        ("begin", page(Some("mallory@evil.test"))),
        ("begin-unnamed", page(None)),
    ]
}
