//! The OpenID Provider, one file per endpoint.

pub mod authorize;
pub mod discovery;
pub mod end_session;
pub mod introspect;
pub mod jwks;
pub mod revoke;
pub mod token;
pub mod userinfo;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};

use crate::app::App;
use crate::web::{cors, fallback, form, pages};

/// The endpoints of the provider: its metadata, the endpoints for clients, and its pages.
pub fn router(app: &App) -> Router<App> {
    let documents = Router::new()
        .route("/.well-known/openid-configuration", get(discovery::discovery))
        .route(
            "/.well-known/oauth-authorization-server",
            get(discovery::discovery),
        )
        .route("/keys", get(jwks::jwks))
        // Set before the layer, because preflights are requests of another method.
        .method_not_allowed_fallback(fallback::method_not_allowed)
        .layer(from_fn(cors::public));

    let tokens = Router::new()
        .route("/oauth/token", post(token::token))
        .route("/oauth/introspect", post(introspect::introspect))
        .route("/revoke", post(revoke::revoke))
        .route("/userinfo", get(userinfo::userinfo).post(userinfo::userinfo))
        .method_not_allowed_fallback(fallback::method_not_allowed)
        .layer(from_fn(form::bounded))
        .layer(from_fn_with_state(app.clone(), cors::registered));

    let shown = Router::new()
        .route(authorize::PATH, get(authorize::get).post(authorize::post))
        .route(end_session::PATH, get(end_session::get).post(end_session::post));

    documents.merge(tokens).merge(pages::around(app, shown))
}

/// A sample of every page of the provider.
#[cfg(test)]
pub(crate) fn samples() -> genkan_web::samples::Samples {
    end_session::samples()
}
