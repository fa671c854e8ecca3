//! A failure page for people; the cause is logged and never sent.

use std::fmt;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use genkan_web::page::{Forms, Page, PageKind, PageTemplate};

use crate::web::random;

/// `error.html`
#[derive(Debug, Template)]
#[template(path = "error.html")]
pub(crate) struct ErrorPage<'a> {
    pub(crate) heading: &'a str,
    pub(crate) why: &'a str,
    /// In the second person and in lower case: it follows "What you can do:".
    pub(crate) what_to_do: &'a str,
    pub(crate) reference: Option<&'a str>,
    /// Label and address of a button.
    pub(crate) next: Option<(&'a str, &'a str)>,
}

impl PageTemplate for ErrorPage<'_> {
    const KIND: PageKind = PageKind::Other;
    const FORMS: Forms = Forms::None;
}

impl ErrorPage<'_> {
    pub(crate) fn answer(&self, status: StatusCode) -> Response {
        Page::new(self).with_status(status).into_response()
    }
}

/// The page of a request that is refused.
pub(crate) fn page(status: StatusCode, heading: &str, why: &str, what_to_do: &str) -> Response {
    let page = ErrorPage {
        heading,
        why,
        what_to_do,
        reference: None,
        next: None,
    };
    page.answer(status)
}

/// Our own failure, with a reference that is in the log beside its cause.
pub(crate) fn internal(cause: &dyn fmt::Display) -> Response {
    let reference = random::reference();
    tracing::error!(reference, %cause, "a request failed");
    let page = ErrorPage {
        heading: "Something went wrong here",
        why: "This is our fault, not yours. It has been recorded.",
        what_to_do: "wait a moment and try again. If it happens again, send the reference to your IT team.",
        reference: Some(&reference),
        next: None,
    };
    page.answer(StatusCode::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
pub(crate) fn samples() -> genkan_web::samples::Samples {
    let error = ErrorPage {
        heading: "Signing in does not work at the moment",
        why: "The plugin that signs people in did not answer.",
        what_to_do: "try again in a moment. If it happens again, send the reference to your IT team.",
        reference: Some("ref_0Lk3mNp9QrSt"),
        next: Some(("Back to sign-in", "/signin")),
    };
    vec![("error", error.answer(StatusCode::BAD_GATEWAY))]
}
