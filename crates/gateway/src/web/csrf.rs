//! Forms that only our own pages can send: the tokens of a browser, which its cookie names.

use genkan_protocol::oauth::Parameters;
use genkan_store::Secret;
use genkan_web::form::{FormTokens, Refused, Sent};
use http::HeaderMap;

use crate::app::App;
use crate::web::error::PageError;

/// Makes and checks form tokens.
#[derive(Debug)]
pub struct Csrf(FormTokens);

impl Csrf {
    pub fn new(key: &[u8; 32]) -> Self {
        Self(FormTokens::new(key, "csrf"))
    }

    /// The token for one form (`purpose`: its path) in one browser.
    pub fn token(&self, browser: &Secret, purpose: &str) -> String {
        self.0.token(browser.expose().as_bytes(), purpose)
    }
}

/// The fields of a form, if it is one of our own pages that sends it.
///
/// # Errors
///
/// [`PageError`] for a foreign or garbled form.
pub fn form_of_ours(
    app: &App,
    headers: &HeaderMap,
    browser: &Secret,
    purpose: &str,
    body: &[u8],
) -> Result<Parameters, PageError> {
    let sent = Sent {
        headers,
        origin: Some(app.issuer()),
        body,
    };
    let opened = app.csrf().0.open(sent, browser.expose().as_bytes(), purpose);
    opened.map_err(|refused| match refused {
        Refused::Garbled => PageError::invalid_request("The form is garbled."),
        Refused::Foreign => PageError::foreign_form(),
    })
}
