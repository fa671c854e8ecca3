//! A sign-in that the provider began, on its way from the POST of the provider's page to the GET with the
//! browser's cookie.
//!
//! Its assertion has counted at the POST, and signs nobody in. The address carries only the hints for the
//! application. Anybody may copy it, and gets no more by it than by a link to `/init` of an OpenID Connect
//! connection: the browser that opens it is asked, and its person signs in at the provider.

use std::time::Duration;

use genkan_protocol::Timestamp;
use genkan_store::ConnectionId;
use genkan_store::connection::Connection;
use serde::{Deserialize, Serialize};

use super::sealed::Outcome;
use crate::app::App;
use crate::web::error::PageError;

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
            .ok_or_else(|| PageError::invalid_request("The address is garbled, or is of another company."))?;
        if app.now() >= opened.began_at + lifetime {
            return Err(PageError::interaction_gone());
        }
        Ok(opened)
    }
}
