//! Tells browsers to come back with TLS only.
//!
//! Source: RFC 6797 §6.1.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderValue, header};

use crate::app::App;

/// A year. Without `includeSubDomains`: what lives below our host is not ours to bind.
const POLICY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds the policy where the public URL is `https`.
pub async fn require_tls(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if app.issuer().starts_with("https://") {
        response
            .headers_mut()
            .insert(header::STRICT_TRANSPORT_SECURITY, POLICY);
    }
    response
}
