//! HTML pages: a template rendered with the headers that every page carries.
//!
//! Source: Content Security Policy Level 3, Fetch §3.2 (`Origin`).

use askama::Template;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use crate::web::random;
use crate::web::templates::ErrorPage;

/// Where the forms of a page lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forms {
    /// The page has none.
    None,
    /// Their answer stays here, whatever it redirects to.
    Stay,
    /// Their answer is at the provider. Chromium checks `form-action` at every
    /// redirect that follows a form, and where a company's sign-in is cannot
    /// be known here: no directive can name it, so there is none.
    Leave,
}

/// A template of a whole page.
pub(crate) trait PageTemplate: Template {
    const FORMS: Forms;
}

/// A moment for people: `22 November 2026, 14:03:11 UTC`.
pub(crate) fn moment(at: &Timestamp) -> String {
    at.strftime("%-d %B %Y, %H:%M:%S UTC").to_string()
}

/// Renders a page.
pub(crate) fn page<T: PageTemplate>(status: StatusCode, template: &T) -> Response {
    match template.render() {
        Ok(html) => (status, headers(T::FORMS), html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                headers(Forms::None),
                "This page could not be shown.",
            )
                .into_response()
        }
    }
}

fn headers(forms: Forms) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(9);
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_TYPE, "text/html; charset=utf-8");
    // Pages carry form tokens and names; the Back button asks again.
    set(header::CACHE_CONTROL, "no-store");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(
        header::CONTENT_SECURITY_POLICY,
        match forms {
            Forms::None => {
                "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
            }
            Forms::Stay => {
                "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
            }
            Forms::Leave => {
                "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'"
            }
        },
    );
    // `no-referrer` would also blank the `Origin` of our own form posts to
    // `null` (Fetch §3.2), and with it the check against forged requests.
    set(header::REFERRER_POLICY, "same-origin");
    set(
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    );
    set(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    set(
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    headers
}

/// A failure that a person sees; the cause is logged and never sent.
pub(crate) fn error(status: StatusCode, heading: &str, why: &str, what_to_do: &str) -> Response {
    page(
        status,
        &ErrorPage {
            heading,
            why,
            what_to_do,
            reference: None,
            next: None,
        },
    )
}

/// Our own failure, with a reference that is in the log beside its cause.
pub(crate) fn internal(cause: &dyn std::fmt::Display) -> Response {
    let reference = random::reference();
    tracing::error!(reference, %cause, "a request failed");
    page(
        StatusCode::INTERNAL_SERVER_ERROR,
        &ErrorPage {
            heading: "Something went wrong here",
            why: "This is our fault, not yours. It has been recorded.",
            what_to_do: "wait a moment and try again. If it happens again, send the reference to your IT team.",
            reference: Some(&reference),
            next: None,
        },
    )
}

/// Browsers name `text/html` when a person navigates; programs send `*/*` or JSON.
pub(crate) fn wants_html(request: &HeaderMap) -> bool {
    request
        .get_all(header::ACCEPT)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|kind| kind.trim_ascii().starts_with(b"text/html"))
}
