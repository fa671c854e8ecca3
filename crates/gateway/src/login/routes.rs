//! The pages of a login: its steps, and those of connections.

use axum::Router;
use axum::routing::{get, post};
use genkan_store::connection::{self, Endpoint, Kind};

use super::{
    callback, confirm_switch, dispatch, identify, init, invitation, parked, saml, select_account,
    test_connection,
};
use crate::app::App;
use crate::connections::saml::metadata_page;
use crate::web::{fallback, pages};

/// Every page, with its layers.
pub fn router(app: &App) -> Router<App> {
    let steps = Router::new()
        .route(
            "/login/{interaction}",
            get(dispatch::resume).post(identify::submit),
        )
        .route("/login/{interaction}/account", post(select_account::submit))
        .route("/login/{interaction}/switch", post(confirm_switch::submit))
        .route(invitation::PATH, get(invitation::show).post(invitation::accept));
    pages::around(app, steps.merge(of_connections())).merge(documents())
}

/// What providers read, and no person.
fn documents() -> Router<App> {
    let at = |page| connection::path(Kind::Saml, "{connection}", page);
    Router::new()
        .route(&at(Endpoint::Entity), get(metadata_page::show))
        .route(&at(Endpoint::Metadata), get(metadata_page::show))
        .method_not_allowed_fallback(fallback::method_not_allowed)
}

/// The pages of connections, of every kind and of one kind.
fn of_connections() -> Router<App> {
    let at = |kind, page| connection::path(kind, "{connection}", page);
    let of_all = Kind::ALL.iter().fold(Router::new(), |router, &kind| {
        let test = get(test_connection::show).post(test_connection::begin);
        let callback = at(kind, Endpoint::Callback);
        let (answer, fetched) = match kind {
            Kind::Oidc => (get(callback::callback).post(parked::park), get(parked::fetch)),
            Kind::Saml => (saml::answer(), get(saml::fetch)),
        };
        router
            .route(&at(kind, Endpoint::Test), test)
            .route(&callback, answer)
            .route(&format!("{callback}/{{handle}}"), fetched)
    });
    of_all.route(&at(Kind::Oidc, Endpoint::Init), get(init::oidc).post(init::go_on))
}
