//! The pages of a login: its steps, and those of connections.

use axum::Router;
use axum::routing::{get, post};
use genkan_store::connection::{self, Endpoint, Kind};

use super::{
    confirm_switch, dispatch, failed, identify, init, invitation, parked, select_account, test_connection,
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
        router
            .route(&at(kind, Endpoint::Test), test)
            .route(&at(kind, Endpoint::Init), init::page(kind))
            .route(&callback, parked::answer(kind))
            .route(&format!("{callback}/{{handle}}"), parked::parked(kind))
    });
    of_all.route(&at(Kind::Saml, Endpoint::Failure), get(failed::show))
}
