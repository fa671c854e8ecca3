//! `GET /simulator/saml/metadata`
//!
//! Source: SAML 2.0 Metadata §4.1.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use genkan_protocol::saml::idp;

use crate::simulator::{Simulator, SimulatorError};
use crate::web::error::PageError;

pub(super) async fn show(State(simulator): State<Simulator>) -> Result<Response, PageError> {
    let document = simulator.saml_metadata().await?;
    let headers = [
        (header::CONTENT_TYPE, "application/samlmetadata+xml"),
        // After a restart there is another key.
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, document).into_response())
}

impl Simulator {
    /// Its metadata document.
    ///
    /// # Errors
    ///
    /// [`SimulatorError`] if it has no key yet, and none can be made.
    pub async fn saml_metadata(&self) -> Result<String, SimulatorError> {
        let key = self.saml_key().await?;
        Ok(idp::metadata(
            &self.saml_entity_id(),
            &self.sign_on_url(),
            key.certificate_der(),
        ))
    }
}
