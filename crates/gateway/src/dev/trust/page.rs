//! `/dev/ca.pem`: the authority's certificate, for programs that may not enter the data directory.
//!
//! That directory holds the database and the keys, so only its owner may enter it. A
//! certificate is no secret: another user of this machine, or a container, may have it.

use std::path::PathBuf;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

/// Its path.
pub const PATH: &str = "/dev/ca.pem";

/// Serves the certificate in `ca_file`.
pub fn router(ca_file: PathBuf) -> Router {
    Router::new().route(PATH, get(certificate)).with_state(ca_file)
}

async fn certificate(State(ca_file): State<PathBuf>) -> Response {
    match tokio::fs::read(&ca_file).await {
        Ok(pem) => {
            let headers = [
                (header::CONTENT_TYPE, "application/x-pem-file"),
                (header::CACHE_CONTROL, "no-store"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            (headers, pem).into_response()
        }
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}
