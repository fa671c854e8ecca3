//! The error page for people: what happened, why, what to do, and a reference.
//!
//! The cause is logged beside the reference and never sent.

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use genkan_web::page::{Forms, Page, PageKind, PageTemplate};
use genkan_web::text::{Link, Prose};

use crate::context;

type Text = Cow<'static, str>;

/// `error.html`: what [`PageError`] renders.
#[derive(Debug, Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    application: Option<&'a str>,
    heading: &'a str,
    why: &'a str,
    what_to_do: Option<&'a str>,
    reference: Option<&'a str>,
    try_again: Option<&'a Link>,
    back: Option<&'a Link>,
}

impl PageTemplate for ErrorPage<'_> {
    const KIND: PageKind = PageKind::SignInStep;
    const FORMS: Forms = Forms::None;
}

/// An error page.
///
/// The texts are for a person who wants to sign in: plain words, no codes.
/// Boxed, because it is the rare side of many a `Result`.
#[derive(Debug)]
pub struct PageError(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    heading: Text,
    why: Text,
    what_to_do: Option<Text>,
    application: Option<String>,
    reference: Option<String>,
    try_again: Option<Link>,
    back: Option<Link>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl PageError {
    /// `heading` says what happened, `why` says why in one sentence.
    pub fn new(status: StatusCode, heading: impl Into<Text>, why: impl Into<Text>) -> Self {
        Self(Box::new(Parts {
            status,
            heading: heading.into(),
            why: why.into(),
            what_to_do: None,
            application: None,
            reference: None,
            try_again: None,
            back: None,
            retry_after: None,
            source: None,
        }))
    }

    /// Our own failure. The person gets a reference, the log gets the source beside it.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something went wrong here",
            "This is our fault, not yours. It has been recorded.",
        )
        .what_to_do(
            "wait a moment and try again. If it happens again, send the reference below to your IT team.",
        )
        .source(source)
    }

    /// What to do next, in the second person and starting in lower case: it
    /// follows the words “What you can do:”.
    #[must_use]
    pub fn what_to_do(mut self, text: impl Into<Text>) -> Self {
        self.0.what_to_do = Some(text.into());
        self
    }

    /// The application whose name the page shows.
    #[must_use]
    pub fn application(mut self, name: impl Into<String>) -> Self {
        self.0.application = Some(name.into());
        self
    }

    /// The id under which support finds the details, such as that of a trace.
    #[must_use]
    pub fn reference(mut self, id: impl Into<String>) -> Self {
        self.0.reference = Some(id.into());
        self
    }

    /// Offers a button that starts again. Anything but a web address is left out.
    #[must_use]
    pub fn try_again(mut self, href: &str) -> Self {
        self.0.try_again = Link::parse("Try again", href);
        self
    }

    /// Offers a button that leads elsewhere. Anything but a web address is left out.
    #[must_use]
    pub fn go_on(mut self, label: impl Into<String>, href: &str) -> Self {
        self.0.try_again = Link::parse(label, href);
        self
    }

    /// Offers a link back to the application. Anything but a web address is left out.
    #[must_use]
    pub fn back(mut self, label: impl Into<String>, href: &str) -> Self {
        self.0.back = Link::parse(label, href);
        self
    }

    /// When to try again.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// The cause, for the log only.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let mut parts = self.0;
        if !parts.status.is_success() && parts.reference.is_none() {
            let id = context::request_id().unwrap_or_else(context::new_id);
            parts.reference = Some(id.to_string());
        }
        let reference = parts.reference.as_deref();
        let status = parts.status.as_u16();
        let error = parts.source.as_deref().map(chain);
        if parts.status.is_server_error() {
            tracing::error!(reference, status, error, "{}", parts.heading);
        } else if parts.status == StatusCode::TOO_MANY_REQUESTS {
            // It costs the sender nothing, so it must not cost the log a line. The budget complains
            // once in a while.
            tracing::debug!(reference, status, error, "{}", parts.heading);
        } else if context::has_line(&parts.heading) {
            tracing::info!(reference, status, error, "{}", parts.heading);
        } else {
            tracing::debug!(reference, status, error, "{}", parts.heading);
        }
        let page = ErrorPage {
            application: parts.application.as_deref(),
            heading: &parts.heading,
            why: &parts.why,
            what_to_do: parts.what_to_do.as_deref(),
            reference,
            try_again: parts.try_again.as_ref(),
            back: parts.back.as_ref(),
        };
        let mut response = Page::new(&page).with_status(parts.status).into_response();
        if let Some(wait) = parts.retry_after {
            let wait = HeaderValue::from(wait.as_secs());
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        response
    }
}

/// An error with everything that caused it, on one line.
fn chain(error: &(dyn Error + Send + Sync + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
pub(crate) fn samples() -> genkan_web::samples::Samples {
    use genkan_web::samples::sample;

    let (try_again, back) = (
        Link::parse("Try again", "/login"),
        Link::parse("Back to Acme Notes", "/"),
    );
    let whole = ErrorPage {
        application: Some("Acme Notes"),
        heading: "We could not sign you in",
        why: "Your company’s sign-in answered, but its answer was made for another application. Nothing is wrong with your account.",
        what_to_do: Some("send the reference below to your IT team. It shows them what to change."),
        reference: Some("err_000729104662551804313"),
        try_again: try_again.as_ref(),
        back: back.as_ref(),
    };
    let bare = ErrorPage {
        application: None,
        heading: "There is no page here",
        why: "The link is old or mistyped, or it was cut off on its way.",
        what_to_do: None,
        reference: None,
        try_again: None,
        back: None,
    };
    let go_on = Link::parse("Go to Acme Notes", "/");
    let finished = ErrorPage {
        application: Some("Acme Notes"),
        heading: "This sign-in is finished",
        why: "It was finished in this browser before. Perhaps you went back, or loaded the page again.",
        what_to_do: Some("go on to the application. It knows whether you are signed in."),
        reference: Some("req_000729104662551804313"),
        try_again: go_on.as_ref(),
        back: None,
    };
    let too_many = ErrorPage {
        application: None,
        heading: "Too many requests",
        why: "More was asked from your network in the last minute than we answer at once.",
        what_to_do: Some("wait 12 seconds and try again."),
        reference: Some("req_000729104662551804313"),
        try_again: None,
        back: None,
    };
    vec![
        sample("error", Page::new(&whole)),
        sample("error-bare", Page::new(&bare)),
        sample("sign-in-finished", Page::new(&finished)),
        sample("too-many-requests", Page::new(&too_many)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;

    async fn html(response: Response) -> String {
        String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_source_is_never_sent() {
        let response = PageError::internal("password=hunter2").into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let html = html(response).await;
        assert!(!html.contains("hunter2"));
        assert!(html.contains("<code>req_"), "{html}");
    }

    #[tokio::test]
    async fn what_came_from_outside_is_escaped() {
        let response = PageError::new(
            StatusCode::BAD_REQUEST,
            "We do not know “<b>”",
            "<script>alert(1)</script>",
        )
        .application("\"><img src=x>")
        .try_again("javascript:alert(1)")
        .back("<i>", "//evil.example/")
        .into_response();
        let html = html(response).await;
        for bad in ["<script", "<img", "<b>", "<i>", "javascript:", "evil.example"] {
            assert!(!html.contains(bad), "{bad} in {html}");
        }
    }
}
