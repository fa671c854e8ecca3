//! Tells browsers to come back with TLS only.
//!
//! Source: RFC 6797 §6.1.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderValue, header};

use crate::app::App;

/// A year. Without `includeSubDomains`, because hosts below ours belong to others.
const POLICY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds the policy if the public URL is `https`.
pub async fn require_tls(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if app.issuer().starts_with("https://") {
        response
            .headers_mut()
            .insert(header::STRICT_TRANSPORT_SECURITY, POLICY);
    }
    response
}
