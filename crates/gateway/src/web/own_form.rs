//! Forms that only our own pages can send: they are bound to the cookie of a browser.

use genkan_store::Secret;
use genkan_web::form::{FormBinding, FormError, FormTokens, Server, SubmittedForm};
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use crate::app::App;
use crate::cookies::Cookie;
use crate::web::error::PageError;

/// A form of a page of ours. A browser without the cookie has no such form.
pub type OwnForm = genkan_web::form::OwnForm<BrowserBinding>;

/// The secret of the browser that showed a form.
#[derive(Debug)]
pub struct BrowserBinding(pub Secret);

impl Server for App {
    fn forms(&self) -> &FormTokens {
        App::forms(self)
    }

    fn origin(&self) -> Option<&str> {
        Some(self.issuer())
    }
}

impl FormBinding<App> for BrowserBinding {
    type Refusal = PageError;

    fn read(head: &Parts, app: &App) -> Result<Self, PageError> {
        let browser = app.cookies().read(&head.headers, Cookie::Browser);
        browser.map(Self).ok_or_else(foreign_form)
    }

    fn browser(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }

    fn refuse(_: &Parts, refused: FormError) -> PageError {
        refused.into()
    }
}

impl From<FormError> for PageError {
    fn from(refused: FormError) -> Self {
        match refused {
            FormError::Unread(status) => Self::new(
                status,
                "The form did not arrive",
                "It is larger than a form of ours, or it was cut off on its way. Nothing was changed.",
            )
            .what_to_do("go back and try again."),
            FormError::Garbled => Self::new(
                StatusCode::BAD_REQUEST,
                "The form is garbled",
                "It has a field twice, or is not written as browsers write forms. Nothing was changed.",
            )
            .what_to_do("go back and try again."),
            FormError::Foreign => foreign_form(),
        }
    }
}

/// A form that none of our own pages sent.
pub fn foreign_form() -> PageError {
    PageError::new(
        StatusCode::FORBIDDEN,
        "This form was not sent from here",
        "The form is old, or another page tried to send it in your name. Nothing was changed.",
    )
    .what_to_do("go back to the application and sign in again.")
}

/// Whether a form is ours, at an address where another site may post as well.
pub fn is_ours(app: &App, headers: &HeaderMap, path: &str, body: &[u8]) -> bool {
    let Some(browser) = app.cookies().read(headers, Cookie::Browser) else {
        return false;
    };
    let sent = SubmittedForm {
        headers,
        origin: Some(app.issuer()),
        body,
    };
    app.forms().open(sent, browser.expose().as_bytes(), path).is_ok()
}
