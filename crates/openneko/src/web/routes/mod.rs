//! Every route, one file each.

mod begin;
mod callback;
mod dashboard;
mod entry;
mod first_admin;
mod health;
mod logout;
mod notice;
mod session;
mod sign_in;
mod status;
mod switch;
mod users;

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use genkan_web::host_name;
use genkan_web::listener::ClientIp;
use genkan_web::page::wants_html;
use serde_json::json;

use crate::web::app::App;
use crate::web::settings::PublicUrl;
use crate::web::store::session::Browser;
use crate::web::{error, gate, reply, static_files};

/// Forms hold little more than a token.
pub const MAX_BODY_BYTES: usize = 16 << 10;

/// A request takes longest if it calls the plugin.
const MAX_REQUEST: Duration = Duration::from_secs(60);

/// Longest browser name that is kept.
const MAX_USER_AGENT_CHARS: usize = 200;

/// All routes. Every path that is not listed as open needs a session, also one that does not
/// exist.
pub fn router(app: App) -> Router {
    let behind_the_gate = Router::new()
        .route("/", get(dashboard::dashboard))
        .route("/first-admin", post(first_admin::claim))
        .route("/users/{id}/disable", post(users::disable))
        .route("/users/{id}/enable", post(users::enable))
        .fallback(reply::not_found)
        .method_not_allowed_fallback(reply::method_not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), gate::require_sign_in));
    Router::new()
        .route("/signin", get(sign_in::sign_in))
        .route(switch::PATH, get(switch::ask).post(switch::go_on))
        .route("/api/auth/begin", get(begin::begin).post(begin::begin_by_form))
        .route("/api/auth/callback", get(callback::callback))
        .route("/api/auth/logout", post(logout::logout))
        .route("/api/auth/session", get(session::session))
        .route("/api/auth/status", get(status::status))
        .route("/health", get(health::health))
        .merge(static_files::router())
        .method_not_allowed_fallback(reply::method_not_allowed)
        .fallback_service(behind_the_gate.with_state(app.clone()))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(app.clone(), around))
        .with_state(app)
}

/// Around every request: checks its host name, limits its time, and logs it without its
/// query, which may hold codes.
async fn around(State(app): State<App>, client: ClientIp, request: Request, next: Next) -> Response {
    if is_private(&app) && !host_name::is_own(request.uri(), request.headers(), app.origin()) {
        tracing::warn!(%client, host = ?request.headers().get(header::HOST), "refused: asked for by a foreign name");
        return misdirected(request.headers(), app.config().public_url.as_ref());
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = match tokio::time::timeout(MAX_REQUEST, next.run(request)).await {
        Ok(response) => response,
        Err(_) => reply::json(
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({ "error": "took too long" }),
        ),
    };
    tracing::debug!(%method, path, status = response.status().as_u16(), %client, "answered");
    response
}

/// RFC 9110 §15.5.20.
fn misdirected(headers: &HeaderMap, public_url: Option<&PublicUrl>) -> Response {
    if wants_html(headers) {
        let why = "This server is for this machine alone, and was asked for by a name of somewhere else.";
        let origin = public_url.map_or("http://localhost", PublicUrl::origin);
        let what_to_do = format!("open {origin} instead.");
        return error::page(
            StatusCode::MISDIRECTED_REQUEST,
            "This is not the right address",
            why,
            &what_to_do,
        );
    }
    reply::json(
        StatusCode::MISDIRECTED_REQUEST,
        &json!({ "error": "this server has another name" }),
    )
}

/// Where a request comes from, for sessions and the audit.
fn browser(client: ClientIp, headers: &HeaderMap) -> Browser {
    let user_agent = headers
        .get(header::USER_AGENT)
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    Browser {
        ip: Some(client.to_string()),
        user_agent: user_agent.map(|text| text.chars().take(MAX_USER_AGENT_CHARS).collect()),
    }
}

/// Whether the browser is on this machine, and only this machine can connect.
fn is_operator(app: &App, client: ClientIp) -> bool {
    is_private(app) && client.0.is_loopback()
}

/// Whether only this machine reaches the server. If it has a public URL, a proxy brings in
/// the rest of the world.
fn is_private(app: &App) -> bool {
    let config = app.config();
    let is_public = config.public_url.as_ref().is_some_and(|url| !url.is_loopback());
    config.is_local && !is_public
}

/// A sample of every page of a route.
#[cfg(test)]
pub(crate) fn samples() -> genkan_web::samples::Samples {
    let mut samples = sign_in::samples();
    samples.extend(begin::samples());
    samples.extend(switch::samples());
    samples.extend(dashboard::samples::all());
    samples
}
