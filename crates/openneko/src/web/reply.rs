//! Answers in JSON, redirects, and the choice between a page and JSON.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use genkan_web::page::wants_html;
use serde_json::{Value, json};

use crate::web::{error, random};

/// JSON that no cache keeps.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response {
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, Json(body)).into_response()
}

/// Redirects the browser. `location` is a path of ours, or a checked address of the
/// provider.
pub(crate) fn redirect(status: StatusCode, location: &str) -> Response {
    let Ok(location) = HeaderValue::try_from(location) else {
        return error::internal(&"a redirect holds what no header may");
    };
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // The address of a callback holds a code, which no other site may see.
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (status, headers).into_response()
}

/// The database does not answer.
pub(crate) fn unavailable(request: &HeaderMap, cause: &dyn std::fmt::Display) -> Response {
    if wants_html(request) {
        return error::internal(cause);
    }
    let reference = random::reference();
    tracing::error!(reference, %cause, "a request failed");
    json(
        StatusCode::INTERNAL_SERVER_ERROR,
        &json!({ "error": "internal error", "reference": reference }),
    )
}

/// A path that does not exist.
pub(crate) async fn not_found(request: HeaderMap) -> Response {
    if wants_html(&request) {
        return error::page(
            StatusCode::NOT_FOUND,
            "There is no page here",
            "The link is old or mistyped, or it was cut off on its way.",
            "go back to the first page and start from there.",
        );
    }
    json(StatusCode::NOT_FOUND, &json!({ "error": "not found" }))
}

/// A method that a path does not have. The router adds `Allow`.
pub(crate) async fn method_not_allowed(method: Method) -> Response {
    tracing::debug!(%method, "method not allowed");
    json(
        StatusCode::METHOD_NOT_ALLOWED,
        &json!({ "error": "method not allowed" }),
    )
}
