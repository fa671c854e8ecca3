//! The layers around the pages of a sign-in: a body is at most a form, each request costs a
//! unit of the stranger's budget, and only GET and POST advance a login.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use genkan_web::listener::Source;
use genkan_web::page::refuse_head;

use crate::app::App;
use crate::budget::Work;
use crate::web::error::PageError;
use crate::web::{form, outage};

/// `pages`, with these layers. No page is shown while the clock of this machine is off.
pub fn around(app: &App, pages: Router<App>) -> Router<App> {
    pages
        .layer(from_fn(form::bounded))
        .layer(from_fn_with_state(app.clone(), refuse_wrong_clock))
        .layer(from_fn_with_state(app.clone(), charge))
        .layer(from_fn(refuse_head))
}

async fn refuse_wrong_clock(State(app): State<App>, request: Request, next: Next) -> Response {
    if app.node().clock_is_off() {
        return outage::busy().into_response();
    }
    next.run(request).await
}

/// Charges the client with a page, or tells it to wait.
async fn charge(State(app): State<App>, source: Source, request: Request, next: Next) -> Response {
    match app.budget().charge(app.now(), source, Work::Page) {
        Ok(()) => next.run(request).await,
        Err(too_many) => PageError::from(too_many).into_response(),
    }
}
