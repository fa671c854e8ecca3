//! The last answers: for a path that does not exist, and for a method that a path does not
//! have.

use axum::Json;
use axum::response::{IntoResponse, Response};
use genkan_web::page::wants_html;
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::json;

use crate::web::error::PageError;

/// Answers a path that does not exist: a page to browsers, JSON to programs.
pub async fn not_found(request: HeaderMap) -> Response {
    if wants_html(&request) {
        return PageError::new(
            StatusCode::NOT_FOUND,
            "There is no page here",
            "The link is old or mistyped, or it was cut off on its way.",
        )
        .what_to_do("go back to the application that you want to open and start from there.")
        .into_response();
    }
    refusal(StatusCode::NOT_FOUND, "there is nothing at this path")
}

/// Answers a method that a path does not have. The router adds `Allow`.
pub async fn method_not_allowed(method: Method, request: HeaderMap) -> Response {
    if wants_html(&request) {
        return PageError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "This page cannot be opened like that",
            "It is a step in the middle of something, and your browser came to it from outside.",
        )
        .what_to_do("go back to the application that you want to open and start from there.")
        .into_response();
    }
    tracing::debug!(%method, "method not allowed");
    refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path does not answer that method",
    )
}

fn refusal(status: StatusCode, description: &'static str) -> Response {
    let no_store = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let body = Json(json!({ "error": "invalid_request", "error_description": description }));
    (status, no_store, body).into_response()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use axum::routing::post;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn browsers_get_a_page_and_programs_get_json() {
        let app: Router = Router::new()
            .route("/token", post(|| async {}))
            .method_not_allowed_fallback(method_not_allowed)
            .fallback(not_found);
        for (path, status) in [
            ("/nowhere", StatusCode::NOT_FOUND),
            ("/token", StatusCode::METHOD_NOT_ALLOWED),
        ] {
            for (accept, content_type) in [
                (
                    "text/html,application/xhtml+xml;q=0.9",
                    "text/html; charset=utf-8",
                ),
                ("*/*", "application/json"),
            ] {
                let request = Request::get(path)
                    .header(header::ACCEPT, accept)
                    .body(Body::empty())
                    .unwrap();
                let response = app.clone().oneshot(request).await.unwrap();
                assert_eq!(response.status(), status);
                assert_eq!(response.headers()[header::CONTENT_TYPE], content_type);
                assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
                let allow = response
                    .headers()
                    .get(header::ALLOW)
                    .map(|value| value.to_str().unwrap());
                assert_eq!(allow, (path == "/token").then_some("POST"), "{path}");
            }
        }
    }
}
