//! A sign-in that the provider began, on its way from the POST of the provider's page to the GET with the
//! browser's cookie.
//!
//! Its assertion has counted at the POST, and signs nobody in. The address carries only the hints for the
//! application. Anybody may copy it, and gets no more by it than by a link to `/init` of an OpenID Connect
//! connection: the browser that opens it is asked, and its person signs in at the provider.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use genkan_protocol::Timestamp;
use genkan_store::connection::Connection;
use genkan_store::{ConnectionId, SecretHash};
use serde::{Deserialize, Serialize};

use super::sealed::Outcome;
use crate::app::App;
use crate::web::error::PageError;

/// The hints in the form of the page that asks the person. Only the GET that shows the page makes one, and it counts
/// only in that browser. So a person cannot answer a question that no page has shown to them.
#[derive(Debug, Serialize, Deserialize)]
struct SignInQuestion {
    /// The hash of the browser's cookie, in base64url.
    browser: String,
    sign_in: InitiatedSignIn,
}

/// The hints of the provider.
#[derive(Debug, Serialize, Deserialize)]
pub struct InitiatedSignIn {
    pub login_hint: Option<String>,
    /// For the application, which alone knows what it means.
    pub relay_state: Option<String>,
    pub(super) began_at: Timestamp,
}

impl InitiatedSignIn {
    /// The address at which the browser goes on.
    ///
    /// # Errors
    ///
    /// [`PageError`] if it cannot be written, which does not happen.
    pub(super) fn address(&self, app: &App, connection: &Connection) -> Result<String, PageError> {
        Outcome::Initiated
            .address(app.instance_key(), connection, self)
            .map_err(PageError::internal)
    }

    /// Opens what [`Self::address`] has sealed for this connection.
    ///
    /// # Errors
    ///
    /// A page: it was sealed for another connection, or changed, or `lifetime` is over.
    pub fn open(
        app: &App,
        connection_id: &ConnectionId,
        (sealed, lifetime): (&str, Duration),
    ) -> Result<Self, PageError> {
        let opened: Self = Outcome::Initiated
            .open(app.instance_key(), connection_id, sealed)
            .ok_or_else(garbled)?;
        opened.within(app, lifetime)
    }

    /// The same hints for the form of a page that is shown now, in this browser.
    ///
    /// # Errors
    ///
    /// [`PageError`] if they cannot be written, which does not happen.
    pub fn for_form(
        app: &App,
        connection_id: &ConnectionId,
        browser: &SecretHash,
        (login_hint, relay_state): (Option<String>, Option<String>),
    ) -> Result<String, PageError> {
        let question = SignInQuestion {
            browser: URL_SAFE_NO_PAD.encode(browser.as_bytes()),
            sign_in: Self {
                login_hint,
                relay_state,
                began_at: app.now(),
            },
        };
        Outcome::Question
            .seal(app.instance_key(), connection_id, &question)
            .map_err(PageError::internal)
    }

    /// Opens what [`Self::for_form`] has sealed for this connection and browser.
    ///
    /// # Errors
    ///
    /// As [`Self::open`]. Or the page was shown in another browser.
    pub fn open_form(
        app: &App,
        connection_id: &ConnectionId,
        browser: &SecretHash,
        (sealed, lifetime): (&str, Duration),
    ) -> Result<Self, PageError> {
        let question: SignInQuestion = Outcome::Question
            .open(app.instance_key(), connection_id, sealed)
            .ok_or_else(garbled)?;
        if question.browser != URL_SAFE_NO_PAD.encode(browser.as_bytes()) {
            return Err(garbled());
        }
        question.sign_in.within(app, lifetime)
    }

    fn within(self, app: &App, lifetime: Duration) -> Result<Self, PageError> {
        if app.now() >= self.began_at + lifetime {
            return Err(PageError::interaction_gone());
        }
        Ok(self)
    }
}

fn garbled() -> PageError {
    PageError::invalid_request("The address is garbled, or is of another company.")
}
