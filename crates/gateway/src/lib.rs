//! Genkan: the front door for B2B software.

pub mod anonymous;
pub mod answer;
pub mod app;
pub mod budget;
pub mod cache;
pub mod cli;
pub mod config;
pub mod configuration;
pub mod connections;
pub mod context;
pub mod demo;
pub mod dev;
pub mod dev_ca;
pub mod documents;
pub mod failure;
pub mod grpc;
pub mod jobs;
pub mod keys;
pub mod letters;
pub mod logging;
pub mod login;
pub mod mail;
pub mod management;
pub mod op;
pub mod outbound;
pub mod portal;
#[cfg(test)]
mod samples;
pub mod serve;
pub mod server;
pub mod simulator;
pub mod tally;
pub mod web;

use axum::routing::{get, post};
use axum::{Router, middleware};
use genkan_store::connection::{self, Kind, Page};
use genkan_web::page;

use app::App;
use web::{charged, cors, fallback, form, static_files, trace_request, transport};

/// Every area of the gateway, mounted on one screen.
pub fn router(app: &App) -> Router {
    let documents = Router::new()
        .route("/.well-known/openid-configuration", get(op::discovery::discovery))
        .route(
            "/.well-known/oauth-authorization-server",
            get(op::discovery::discovery),
        )
        .route("/keys", get(op::jwks::jwks))
        // Set before the layer: preflights are requests of another method.
        .method_not_allowed_fallback(fallback::method_not_allowed)
        .layer(middleware::from_fn(cors::public));

    let tokens = Router::new()
        .route("/oauth/token", post(op::token::token))
        .route("/oauth/introspect", post(op::introspect::introspect))
        .route("/revoke", post(op::revoke::revoke))
        .route(
            "/userinfo",
            get(op::userinfo::userinfo).post(op::userinfo::userinfo),
        )
        .method_not_allowed_fallback(fallback::method_not_allowed)
        .layer(middleware::from_fn(form::bounded))
        .layer(middleware::from_fn_with_state(app.clone(), cors::registered));

    let pages = Router::new()
        .route(
            op::authorize::PATH,
            get(op::authorize::get).post(op::authorize::post),
        )
        .route(
            op::end_session::PATH,
            get(op::end_session::get).post(op::end_session::post),
        )
        .route(
            "/login/{interaction}",
            get(login::dispatch::resume).post(login::identify::submit),
        )
        .route(
            "/login/{interaction}/account",
            post(login::select_account::submit),
        )
        .route("/login/{interaction}/switch", post(login::confirm_switch::submit))
        .merge(of_connections())
        .route("/magicLink/{token}", get(portal::open))
        .route(
            login::invitation::PATH,
            get(login::invitation::show).post(login::invitation::accept),
        )
        .layer(middleware::from_fn(form::bounded))
        .layer(middleware::from_fn_with_state(app.clone(), charged::pages))
        .layer(middleware::from_fn(page::refuse_head));

    let health = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(op::ready::ready));

    Router::new()
        .merge(documents)
        .merge(tokens)
        .merge(pages)
        .merge(health)
        .merge(static_files::router())
        .fallback(fallback::not_found)
        .method_not_allowed_fallback(fallback::method_not_allowed)
        .layer(middleware::from_fn_with_state(
            app.clone(),
            transport::require_tls,
        ))
        .layer(middleware::from_fn(trace_request::trace_request))
        .with_state(app.clone())
}

/// The pages of connections: those of every kind, and those of one.
fn of_connections() -> Router<App> {
    let at = |kind, page| connection::path(kind, "{connection}", page);
    let of_all = Kind::ALL.iter().fold(Router::new(), |router, &kind| {
        let test = get(login::test_connection::show).post(login::test_connection::begin);
        router.route(&at(kind, Page::Test), test)
    });
    let answering = connections::ANSWERING.iter().fold(of_all, |router, &kind| {
        let callback = at(kind, Page::Callback);
        router
            .route(
                &callback,
                get(login::callback::callback).post(login::parked::park),
            )
            .route(&format!("{callback}/{{handle}}"), get(login::parked::fetch))
    });
    answering.route(
        &at(Kind::Oidc, Page::Init),
        get(login::init::oidc).post(login::init::go_on),
    )
}
