//! `/`: the first page of a development instance, with the way to everything else.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use genkan_web::page::{Forms, Page, PageKind, PageTemplate, wants_html};
use http::HeaderMap;

use super::mail;
use crate::app::App;
use crate::simulator;
use crate::web::fallback;

/// `dev/home.html`.
#[derive(Debug, Template)]
#[template(path = "dev/home.html")]
struct HomePage<'a> {
    issuer: &'a str,
    demo_url: &'a str,
    simulator: &'a str,
    mail: &'a str,
}

impl PageTemplate for HomePage<'_> {
    const KIND: PageKind = PageKind::Other;
    const FORMS: Forms = Forms::None;
}

/// What the page needs.
#[derive(Debug, Clone)]
struct Home {
    app: App,
    demo_url: String,
}

/// The page.
pub(super) fn router(app: &App, demo_url: &str) -> Router {
    let home = Home {
        app: app.clone(),
        demo_url: demo_url.to_owned(),
    };
    Router::new().route("/", get(page)).with_state(home)
}

async fn page(State(home): State<Home>, headers: HeaderMap) -> Response {
    // Nothing is here for programs, as in production.
    if !wants_html(&headers) {
        return fallback::not_found(headers).await;
    }
    Page::new(&HomePage {
        issuer: home.app.issuer(),
        demo_url: &home.demo_url,
        simulator: simulator::PATH,
        mail: mail::PATH,
    })
    .into_response()
}

#[cfg(test)]
pub(super) fn samples() -> genkan_web::samples::Samples {
    use genkan_web::samples::sample;

    let page = HomePage {
        issuer: "http://localhost:8080",
        demo_url: "http://localhost:8090",
        simulator: simulator::PATH,
        mail: mail::PATH,
    };
    vec![sample("desk-home", Page::new(&page))]
}
