//! Around the pages of a sign-in: each request is a unit of work for a stranger.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use genkan_web::listener::Source;

use crate::app::App;
use crate::budget::Work;
use crate::web::error::PageError;

/// Charges the client with a page, or tells it to wait.
pub async fn pages(State(app): State<App>, source: Source, request: Request, next: Next) -> Response {
    match app.budget().charge(app.now(), source, Work::Page) {
        Ok(()) => next.run(request).await,
        Err(too_many) => PageError::from(too_many).into_response(),
    }
}
