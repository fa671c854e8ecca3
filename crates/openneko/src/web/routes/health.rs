//! `GET /health`: whether this process can do its work.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::web::app::App;

pub(super) async fn health(State(app): State<App>) -> Response {
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    match app.db().ping().await {
        Ok(()) => (no_store, "ok").into_response(),
        Err(error) => {
            tracing::error!(%error, "the database does not answer");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                no_store,
                "the database does not answer",
            )
                .into_response()
        }
    }
}
