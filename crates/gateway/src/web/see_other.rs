//! A redirect after which the browser asks by GET.
//!
//! Source: RFC 9110 §15.4.4; RFC 9700 §4.12.

use axum::response::{IntoResponse, Redirect, Response};
use http::header;

/// Sends the browser to `address`. A 303, so that it never repeats a form there. The address may carry a
/// state or a handle, so nothing keeps the answer.
pub fn see_other(address: &str) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Redirect::to(address)).into_response()
}
