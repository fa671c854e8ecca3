//! One line in the log for each request, without anything secret.
//!
//! Queries and bodies carry codes, states and tokens, so only the path is logged. The
//! request's number is in its lines, on its error page and in the answer.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use genkan_web::listener::Source;
use http::{HeaderName, HeaderValue};
use tracing::Instrument;

use crate::app::App;
use crate::context;

/// The header with the request's number, to report a failure with.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps a request in a span and reports its end.
pub async fn trace_request(State(app): State<App>, source: Source, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("-", MatchedPath::as_str)
        .to_owned();
    // Never a number from the request: its sender could write into our log.
    let id = context::new_id();
    let span = tracing::info_span!("request", %id, method = %request.method(), route);
    let answered = context::within(id.clone(), source, app.lines().clone(), next.run(request));
    let mut response = answered.instrument(span.clone()).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    span.in_scope(|| {
        let elapsed_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let status = response.status().as_u16();
        if response.status().is_server_error() {
            tracing::error!(status, elapsed_us, "answered");
        } else {
            tracing::debug!(status, elapsed_us, "answered");
        }
    });
    response
}
