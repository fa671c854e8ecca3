//! CORS: pages at the origins of registered redirect URIs may call from a browser.
//!
//! Source: Fetch §3.2.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use genkan_protocol::oauth::redirect_uri;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::app::App;

const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE, OPTIONS");
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, grpc-timeout, x-api-version, x-grpc-web, x-sdk-version, x-user-agent",
);
/// Longer than any list of headers that a page adds to its requests.
const MAX_ASKED_BYTES: usize = 2048;
/// The headers that a page may read: gRPC-Web ends in headers if there is no message.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static(
    "grpc-message, grpc-status, grpc-status-details-bin, retry-after, www-authenticate, x-request-id",
);
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Public documents, the same for everybody: any origin may read them.
pub async fn public(request: Request, next: Next) -> Response {
    let preflight = preflight(&request);
    let mut response = if preflight.is_some() {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    response
        .headers_mut()
        .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if let Some(asked) = preflight {
        allow(response.headers_mut(), asked);
    }
    response
}

/// Endpoints that give out tokens and claims: only registered origins. Cookies are never
/// allowed, because no such endpoint reads them.
pub async fn registered(State(app): State<App>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let preflight = preflight(&request);
    let allowed = match &origin {
        Some(origin) => is_registered(&app, origin).await,
        None => false,
    };
    let mut response = if preflight.is_some() {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin.filter(|_| allowed) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        if let Some(asked) = preflight {
            allow(headers, asked);
        }
    }
    response
}

/// Whether a request is a preflight, which a browser sends before a request to another origin.
pub(crate) fn is_preflight<B>(request: &http::Request<B>) -> bool {
    request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The headers that a preflight wants to send, if the request is one.
fn preflight(request: &Request) -> Option<HeaderValue> {
    let asked = || {
        request
            .headers()
            .get(header::ACCESS_CONTROL_REQUEST_HEADERS)
            .filter(|asked| is_list_of_names(asked.as_bytes()))
            .cloned()
            .unwrap_or(ALLOWED_HEADERS)
    };
    is_preflight(request).then(asked)
}

/// Whether it is a list of header names as browsers write it (Fetch §4.8, RFC 9110 §5.6.2).
/// Only such a list is repeated in the answer.
fn is_list_of_names(asked: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    asked.len() <= MAX_ASKED_BYTES
        && asked.split(|byte| *byte == b',').all(|name| {
            let name = name.trim_ascii();
            !name.is_empty() && name.iter().all(is_tchar)
        })
}

/// Allows any requested headers: monitoring libraries (OpenTelemetry, Sentry, Datadog) add
/// their own to each request. A permitted origin gains nothing by it, because no cookie is
/// ever allowed.
fn allow(headers: &mut HeaderMap, asked: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
}

async fn is_registered(app: &App, origin: &HeaderValue) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    if app.settings().development && redirect_uri::is_any_loopback(origin) {
        return true;
    }
    match app.registered_origins().await {
        Ok(origins) => origins
            .binary_search_by(|known| known.as_str().cmp(origin))
            .is_ok(),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "registered origins cannot be read"
            );
            false
        }
    }
}
