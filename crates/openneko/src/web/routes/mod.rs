//! Every route, one file each.

mod begin;
mod callback;
mod dashboard;
mod entry;
mod first_admin;
mod form;
mod health;
mod logout;
mod session;
mod sign_in;
mod status;
mod switch;
mod users;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::json;

use crate::web::app::App;
use crate::web::client_ip::ClientIp;
use crate::web::settings::PublicUrl;
use crate::web::store::session::Browser;
use crate::web::{gate, host_name, page, reply, static_files};

/// The other end of a connection, as the listener puts it into the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Forms are a token long.
const MAX_BODY_BYTES: usize = 16 << 10;

/// A request takes longest where the plugin is called.
const MAX_REQUEST: Duration = Duration::from_secs(60);

/// Longest browser name that is kept.
const MAX_USER_AGENT_CHARS: usize = 200;

/// All routes. What is not listed as open asks who is there, also where there is nothing.
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

/// Around every request: whether it means us, whose it is, how long it may take, and a line in the
/// log without its query, where codes are.
async fn around(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let peer = request
        .extensions()
        .get::<Peer>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
    let client = ClientIp(app.config().trusted_proxies.client_ip(peer, request.headers()));
    request.extensions_mut().insert(client);
    let public_url = app.config().public_url.as_ref();
    if is_private(&app) && !host_name::is_ours(request.uri(), request.headers(), public_url) {
        tracing::warn!(%client, host = ?request.headers().get(header::HOST), "refused: asked for by a foreign name");
        return misdirected(request.headers(), public_url);
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
    if page::wants_html(headers) {
        let why = "This server is for this machine alone, and was asked for by a name of somewhere else.";
        let origin = public_url.map_or("http://localhost", PublicUrl::origin);
        let what_to_do = format!("open {origin} instead.");
        return page::error(
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

/// Whether the browser is on this very machine, and nothing else can be.
fn is_operator(app: &App, client: ClientIp) -> bool {
    is_private(app) && client.0.is_loopback()
}

/// Whether this machine alone reaches the server: not where a proxy of it
/// brings in the rest of the world.
fn is_private(app: &App) -> bool {
    let config = app.config();
    let is_public = config.public_url.as_ref().is_some_and(|url| !url.is_loopback());
    config.is_local && !is_public
}
